package jsonpick_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

var paths = []jsonpick.Path{
	{At: "model", How: jsonpick.Whole},
	{At: "usage", How: jsonpick.Whole},
	{At: "a.b", How: jsonpick.Whole},
	{At: "error", How: jsonpick.Whole},
	{At: "error.message", How: jsonpick.Whole},
	{At: "error.[]", How: jsonpick.Whole},
	{At: "choices", How: jsonpick.Some},
	{At: "choices.[].finish_reason", How: jsonpick.Whole},
	{At: "choices.[].delta.*", How: jsonpick.Some},
	{At: "choices.[].delta.role", How: jsonpick.Never},
	{At: "choices.[].delta.audio.id", How: jsonpick.Whole},
	{At: "x.[].[].y", How: jsonpick.Some},
}

// picks notes what was picked, in order, as text.
type picks []string

func (p *picks) Pick(path int, v jsonscan.Value) {
	*p = append(*p, note(path, v.Raw, v.Kind))
}

func note(path int, raw []byte, kind jsonscan.Kind) string {
	return fmt.Sprintf("%s=%s/%d", paths[path].At, raw, kind)
}

func pick(set *jsonpick.Set, in []byte, n int) (picks, jsonpick.State) {
	var p jsonpick.Picker
	var got picks
	p.Reset(set)
	for len(in) > 0 {
		piece := bytes.Clone(in[:min(n, len(in))])
		p.Write(piece, &got)
		for i := range piece {
			piece[i] = '!'
		}
		in = in[len(piece):]
	}
	return got, p.State()
}

func TestPicker(t *testing.T) {
	set := jsonpick.Compile(paths)
	for _, c := range []struct {
		name, in string
		want     []string
		state    jsonpick.State
	}{
		{"nothing", "", nil, jsonpick.Blank},
		{"white space", " \r\n\t", nil, jsonpick.Blank},
		{"scalars", `{"model":"m","usage":12,"a":{"b":null,"c":1}}`, []string{`model="m"/1`, `usage=12/2`, `a.b=null/4`}, jsonpick.Done},
		{"a leaf takes a container whole", ` { "usage" : { "n" : [ 1 , "}" ] } } `, []string{`usage={ "n" : [ 1 , "}" ] }/5`}, jsonpick.Done},
		{"an inner place announces a container", `{"error":{"message":"bad"}}`, []string{`error=/5`, `error.message="bad"/1`}, jsonpick.Done},
		{"an inner place takes a scalar whole", `{"error":"bad"}`, []string{`error="bad"/1`}, jsonpick.Done},
		{"elements", `{"error":["a",{},"b"]}`, []string{`error=/6`, `error.[]="a"/1`, `error.[]={}/5`, `error.[]="b"/1`}, jsonpick.Done},
		{"empty containers are not announced", `{"error":{ },"choices":[ ]}`, nil, jsonpick.Done},
		{"some", `{"choices":[{"delta":{"role":"r","content":"x","n":1,"t":true}}]}`, []string{
			`choices=/6`, `choices.[].delta.*=/1`, `choices.[].delta.*=/2`, `choices.[].delta.*=/3`,
		}, jsonpick.Done},
		{"nothing is not some", `{"choices":[{"delta":{"a":"","b":null,"c":[ ],"d":{ }}}]}`, []string{`choices=/6`}, jsonpick.Done},
		{"containers are some", `{"choices":[{"delta":{"a":[ 1],"b":{"x":1},"c":[[]]}}]}`, []string{
			`choices=/6`, `choices.[].delta.*=/6`, `choices.[].delta.*=/5`, `choices.[].delta.*=/6`,
		}, jsonpick.Done},
		{
			"a named member is not any", `{"choices":[{"delta":{"audio":{"id":"i"},"role":"x"}}]}`,
			[]string{`choices=/6`, `choices.[].delta.audio.id="i"/1`},
			jsonpick.Done,
		},
		{"nested arrays", `{"x":[[{"y":[0]}],[],3,{"y":1}]}`, []string{`x.[].[].y=/6`}, jsonpick.Done},
		{"escaped keys", `{"\u006dodel":"m","mod\u0065":1}`, []string{`model="m"/1`}, jsonpick.Done},
		{"keys in values", `{"z":{"model":1},"y":["model",{"usage":2}],"w":"\"model\":1"}`, nil, jsonpick.Done},
		{"all that is repeated", `{"model":1,"model":2}`, []string{`model=1/2`, `model=2/2`}, jsonpick.Done},
		{"NaN is let through", `{"model":NaN,"z":[-Infinity]}`, []string{`model=NaN/2`}, jsonpick.Done},
		{"an array", `["model",{"model":1}]`, nil, jsonpick.Done},
		{"bytes behind the end", `{"model":1}{"model":2}`, []string{`model=1/2`}, jsonpick.Done},
		{
			"deep nesting between picked values", `{"model":1,"z":` + strings.Repeat(`[{"k":`, 40) + "0" + strings.Repeat("}]", 40) + `,"usage":2}`,
			[]string{`model=1/2`, `usage=2/2`},
			jsonpick.Done,
		},
		{"crossed brackets around deep nesting", `{"z":{"k":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `]}`, nil, jsonpick.Broken},
		{"cut behind what looks like an end", `{"model":"m","choices":[{"delta":{"a":[1]}}`, []string{`model="m"/1`, `choices=/6`, `choices.[].delta.*=/6`}, jsonpick.Inside},
		{"broken before what looks like an end", `{"model":"m","usage":{"n":1},"choices":[1 2]}`, []string{`model="m"/1`, `usage={"n":1}/5`, `choices=/6`}, jsonpick.Broken},
		{"cut inside of a string", `{"model":"m","usage":"}`, []string{`model="m"/1`}, jsonpick.Inside},
		{"cut", `{"model":"m","usage":{"n":1`, []string{`model="m"/1`}, jsonpick.Inside},
		{"no JSON", `<html>`, nil, jsonpick.Broken},
		{"a key that is none", `{model:1}`, nil, jsonpick.Broken},
		{"no colon", `{"model" 1}`, nil, jsonpick.Broken},
		{"crossed brackets", `{"z":[{]},"model":1}`, nil, jsonpick.Broken},
		{"crossed outer brackets", `{"choices":[1}`, []string{`choices=/6`}, jsonpick.Broken},
		{"a control character", "{\"model\":\"\n\"}", nil, jsonpick.Broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.in)+1; n++ {
				got, state := pick(set, []byte(c.in), n)
				if !slices.Equal(got, c.want) || state != c.state {
					t.Fatalf("in pieces of %d: %q, state %d; want %q, state %d", n, got, state, c.want, c.state)
				}
			}
		})
	}
}

func TestBounds(t *testing.T) {
	set := jsonpick.Compile(paths)
	long := strings.Repeat(`\u0041\\é`, jsonpick.MaxValue/10+10)
	for _, c := range []struct{ name, in, prefix string }{
		{"strings are cut", `{"model":"` + long + `","usage":1}`, long},
		{"a string that is one byte too long", `{"model":"` + strings.Repeat("x", jsonpick.MaxValue) + `"}`, strings.Repeat("x", jsonpick.MaxValue)},
		{"containers are not picked", `{"usage":["` + long + `"],"model":"m"}`, "m"},
		{"long keys name nothing", `{"` + strings.Repeat("k", 1000) + `":1,"model":"m"}`, "m"},
		{"long escaped keys name nothing", `{"` + strings.Repeat(`\u006b`, 1000) + `":1,"model":"m"}`, "m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, state := pick(set, []byte(c.in), len(c.in))
			if state != jsonpick.Done {
				t.Fatalf("state %d", state)
			}
			for _, n := range []int{1, 7, 4096, jsonpick.MaxValue} {
				if got, _ := pick(set, []byte(c.in), n); !slices.Equal(got, want) {
					t.Errorf("in pieces of %d it reads otherwise", n)
				}
			}
			raw, _, _ := strings.Cut(strings.TrimPrefix(want[0], "model="), "/1")
			var text, full string
			if err := json.Unmarshal([]byte(raw), &text); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(`"`+c.prefix+`"`), &full); err != nil {
				t.Fatal(err)
			}
			text = strings.TrimRight(text, "\ufffd")
			if len(raw) > jsonpick.MaxValue+1 || !strings.HasPrefix(full, text) || len(raw) < min(len(c.prefix), jsonpick.MaxValue-10) {
				t.Errorf("%d bytes are picked", len(raw))
			}
		})
	}
	t.Run("depth", func(t *testing.T) {
		for _, c := range []struct {
			depth int
			state jsonpick.State
		}{{jsonscan.MaxDepth, jsonpick.Done}, {jsonscan.MaxDepth + 1, jsonpick.Broken}} {
			in := strings.Repeat("[", c.depth) + strings.Repeat("]", c.depth)
			if _, state := pick(set, []byte(in), 1000); state != c.state {
				t.Errorf("depth %d: state %d", c.depth, state)
			}
		}
	})
}

func TestPickerAllocatesNothing(t *testing.T) {
	in := []byte(`{"z":[[[{"y":"text"}]]],"usage":{"n":1},"choices":[{"delta":{"content":"x"},"finish_reason":null}]}`)
	var p jsonpick.Picker
	set := jsonpick.Compile(paths)
	var none nobody
	p.Reset(set)
	p.Write(in[:60], none)
	if n := testing.AllocsPerRun(100, func() {
		p.Reset(set)
		p.Write(in[:60], none)
		p.Write(in[60:], none)
	}); n != 0 || p.State() != jsonpick.Done {
		t.Errorf("%v allocations, state %d", n, p.State())
	}
}

// TestTextsInOnePieceNeedNoMemory is what keeps a short answer cheap: nothing is set up for what may follow.
func TestTextsInOnePieceNeedNoMemory(t *testing.T) {
	in := []byte(`{"z":[[[{"y":"text"}]]],"usage":{"n":1},"choices":[{"delta":{"content":"x"},"finish_reason":null}]}` + "\n")
	var p jsonpick.Picker
	set := jsonpick.Compile(paths)
	if n := testing.AllocsPerRun(100, func() {
		p = jsonpick.Picker{}
		p.Reset(set)
		p.Write(in, nobody{})
	}); n != 0 || p.State() != jsonpick.Done {
		t.Errorf("%v allocations, state %d", n, p.State())
	}
}

type nobody struct{}

func (nobody) Pick(int, jsonscan.Value) {}

// reference picks with encoding/json's tokens, from a text that is valid.
type reference struct {
	in   []byte
	d    *json.Decoder
	want picks
}

// value reads the value that comes next; places are the indexes of paths that lead there with the steps
// they have left.
func (r *reference) value(at string) {
	path, inner := -1, false
	for i, p := range paths {
		if p.At == at {
			path = i
		}
		inner = inner || strings.HasPrefix(p.At, at+".") || at == ""
	}
	// The value begins behind white space, a colon or a comma.
	begin := r.d.InputOffset()
	for strings.IndexByte(" \t\r\n:,", r.in[begin]) >= 0 {
		begin++
	}
	where := len(r.want)
	tok, err := r.d.Token()
	if err != nil {
		panic(err)
	}
	delim, container := tok.(json.Delim)
	empty := true
	for container && r.d.More() {
		empty = false
		step := "[]"
		if delim == '{' {
			key, err := r.d.Token()
			if err != nil {
				panic(err)
			}
			step = key.(string)
		}
		r.value(child(at, step, delim))
	}
	if container {
		if _, err := r.d.Token(); err != nil {
			panic(err)
		}
	}
	if path < 0 || paths[path].How == jsonpick.Never {
		return
	}
	raw, kind := r.in[begin:r.d.InputOffset()], jsonscan.KindOf(r.in[begin])
	if paths[path].How == jsonpick.Whole && !(inner && container) {
		if len(raw) <= jsonpick.MaxValue {
			r.want = slices.Insert(r.want, where, note(path, raw, kind))
		}
	} else if container && !empty || !container && tok != "" && tok != nil {
		r.want = slices.Insert(r.want, where, note(path, nil, kind))
	}
}

// child is where a step leads, as written in paths; "?" leads nowhere.
func child(at, step string, delim json.Delim) string {
	prefix := at + "."
	if at == "" {
		prefix = ""
	}
	if delim == '[' {
		return prefix + "[]"
	}
	if strings.ContainsAny(step, ".?*[]") || step == "" {
		step = "?"
	}
	for _, p := range paths {
		if p.At == prefix+step || strings.HasPrefix(p.At, prefix+step+".") {
			return prefix + step
		}
	}
	for _, p := range paths {
		if p.At == prefix+"*" {
			return prefix + "*"
		}
	}
	return "?"
}

func FuzzPicker(f *testing.F) {
	for _, in := range []string{
		`{"model":"m","usage":{"n":1},"a":{"b":[1,{"c":"]"}]},"choices":[{"delta":{"role":"x","content":"y"},"finish_reason":"stop"}]}`,
		`{"error":{"message":"bad"}}`, `{"error":["a",1]}`, `{"error":"x"}`, `{"choices":[{"delta":{"a":"","b":null,"c":[],"d":{}}}]}`,
		`{"x":[[{"y":"\u0041"}]],"\u006dodel":1,"choices":[{"delta":{"audio":{"id":"i"}}}]}`, ` [1,2] `, `{"a":NaN}`, `{"\ud800":1,"é":"é"}`,
	} {
		f.Add([]byte(in), 3)
	}
	// Each is taken for a whole text first, and given up behind some picks.
	for _, in := range []string{
		`{"model":"m","usage":{"n":1},"choices":[{"delta":{"a":"x"}},1 2]}`, `{"model":"m","choices":[{"delta":{"a":"x"}}`,
		`{"model":"m","z":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `,"usage":1}`, `{"model":"m","usage":"}`, `{"model":1}}`,
	} {
		f.Add([]byte(in), 17)
	}
	set := jsonpick.Compile(paths)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		whole, state := pick(set, in, len(in)+1)
		for _, n := range []int{1, 1 + int(uint(n)%50)} {
			if got, s := pick(set, in, n); s != state || !slices.Equal(got, whole) {
				t.Fatalf("in pieces of %d: %q, state %d; whole: %q, state %d", n, got, s, whole, state)
			}
		}
		if len(in) > 0 {
			cut := int(uint(n) % uint(len(in)))
			if got, s := pick(set, in[:cut], cut+1); s > jsonpick.Inside && s != state || len(got) > len(whole) || !slices.Equal(got, whole[:len(got)]) {
				t.Fatalf("cut at %d: %q, state %d; whole: %q, state %d", cut, got, s, whole, state)
			}
		}
		trimmed := bytes.TrimLeft(in, " \t\r\n")
		if !json.Valid(in) || !utf8.Valid(in) || trimmed[0] != '{' && trimmed[0] != '[' {
			return
		}
		r := reference{in: in, d: json.NewDecoder(bytes.NewReader(in))}
		r.d.UseNumber()
		r.value("")
		if _, err := r.d.Token(); err != io.EOF {
			t.Fatal(err)
		}
		if state != jsonpick.Done || !slices.Equal(whole, r.want) {
			t.Errorf("state %d, picked %q, want %q", state, whole, r.want)
		}
	})
}

func TestTemplate(t *testing.T) {
	set := jsonpick.Compile(paths)
	const text = `{"id":"x1","n":12,"model":"m","choices":[{"i":0,"delta":{"content":"a","empty":"","seen":7},"finish_reason":null}],"z":{"k":["v",1]}}`
	for _, c := range []struct {
		name, old, fresh string
		want             bool
	}{
		{"the same", "", "", true},
		{"strings that nobody wants", `"x1"`, `""`, true},
		{"escapes", `"x1"`, `"\u0041\"\\"`, true},
		{"numbers that nobody wants", `12`, `-1.5e3`, true},
		{"literals that nobody wants", `12`, `null`, true},
		{"what is only something", `"a"`, `"other \n text"`, true},
		{"strings in what nobody wants", `"v"`, `"w"`, true},
		{"numbers in it", `1]`, `2]`, false},
		{"what is picked", `"m"`, `"n"`, false},
		{"null for a picked value", `"m"`, `null`, false},
		{"a picked value for null", `null`, `"stop"`, false},
		{"nothing for something", `"a"`, `""`, false},
		{"something for nothing", `"empty":""`, `"empty":"x"`, false},
		{"null for something", `7`, `null`, false},
		{"another key", `"id"`, `"ix"`, false},
		{"another type", `"x1"`, `1`, false},
		{"a string for a number", `12`, `"12"`, false},
		{"no number", `12`, ``, false},
		{"a string that ends late", `"x1"`, `"x1\"`, false},
		{"a control character", `"x1"`, "\"x\n\"", false},
		{"a cut text", `]}}`, `]}`, false},
		{"a longer text", `]}}`, `]}} `, false},
		{"white space", `"n":12`, `"n": 12`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p jsonpick.Picker
			var tp jsonpick.Template
			p.Reset(set)
			tp.Learn(&p, []byte(text), nobody{})
			fresh := strings.Replace(text, c.old, c.fresh, 1)
			if got := tp.Match([]byte(fresh)); got != c.want {
				t.Errorf("%s: %t", fresh, got)
			}
		})
	}
}

func TestTemplateTakesWholeObjectsOnly(t *testing.T) {
	set := jsonpick.Compile(paths)
	many := `{"z":[` + strings.Repeat(`"s",`, 1000) + `1]}`
	for _, in := range []string{`{"model":"m"`, `[1]`, `"text"`, `{"model" 1}`, `{"z":"` + strings.Repeat("x", 5000) + `"}`, many} {
		var p jsonpick.Picker
		var tp jsonpick.Template
		p.Reset(set)
		tp.Learn(&p, []byte(in), nobody{})
		if tp.Match([]byte(in)) {
			t.Errorf("%.50s is taken", in)
		}
	}
}

// FuzzTemplate learns one text and shows it another: when it recognises that, the same must be picked.
func FuzzTemplate(f *testing.F) {
	const text = `{"id":"x","n":12,"model":"m","choices":[{"i":0,"delta":{"content":"a","e":""},"finish_reason":null}],"z":{"k":["v",1]},"t":true}`
	f.Add([]byte(text), []byte(strings.NewReplacer(`"x"`, `"y\\"`, "12", "3", `"a"`, `"bc"`, `"v"`, `""`, "true", "null").Replace(text)))
	f.Add([]byte(`{"error":"x","usage":{"a":"b"}}`), []byte(`{"error":"x","usage":{"a":"c"}}`))
	f.Add([]byte(`{"choices":{"a":"b"},"x":[[{"y":true}]]}`), []byte(`{"choices":{"c":"d"},"x":[[{"y":null}]]}`))
	f.Add([]byte(`{"choices":"a"}`), []byte(`{"choices":""}`))
	deep := `,"z":` + strings.Repeat("[", 65) + `"v"` + strings.Repeat("]", 65) + `,"model":"m"}`
	f.Add([]byte(`{"id":"x"`+deep), []byte(`{"id":"y"`+deep))
	f.Add([]byte(`{"a":{"b":"c"},"a":NaN} x`), []byte(`{"a":{"b":"c"},"a":1} x`))
	set := jsonpick.Compile(paths)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) == 0 {
			return
		}
		var p jsonpick.Picker
		var tp jsonpick.Template
		var got picks
		p.Reset(set)
		tp.Learn(&p, a, &got)
		want, state := pick(set, a, len(a)+1)
		if !slices.Equal(got, want) || state != p.State() {
			t.Fatalf("learning picks %q, want %q", got, want)
		}
		if tp.Match(a) && state != jsonpick.Done {
			t.Fatal("a text that is not whole was taken")
		}
		if !tp.Match(b) {
			return
		}
		if like, s := pick(set, b, len(b)+1); s != state || !slices.Equal(like, want) {
			t.Errorf("recognised %q, which picks %q; %q picks %q", b, like, a, want)
		}
	})
}

func BenchmarkPicker(b *testing.B) {
	set := jsonpick.Compile(paths)
	for _, c := range []struct{ name, in string }{
		{"delta", `{"id":"chatcmpl-Wire0001","object":"chat.completion.chunk","created":1795340000,"model":"gpt-4o-mini-2024-07-18",` +
			`"service_tier":"default","system_fingerprint":"fp_wire","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,` +
			`"finish_reason":null}],"usage":null,"obfuscation":"a8Fq"}`},
		{"text", `{"data":[{"b64_json":"` + strings.Repeat("iVBORw0KGgo", 10_000) + `"}],"usage":{"n":1}}`},
		{"numbers", `{"data":[{"embedding":[` + strings.Repeat("-0.0123456,", 10_000) + `0]}],"usage":{"n":1}}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			var p jsonpick.Picker
			in := []byte(c.in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				p.Reset(set)
				p.Write(in, nobody{})
			}
		})
	}
}
