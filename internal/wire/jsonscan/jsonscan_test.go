package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

var keys = []string{"model", "stream", "k", "s"}

func top(in string) (jsonscan.Scan, []jsonscan.Value) {
	out := make([]jsonscan.Value, len(keys))
	return jsonscan.Top([]byte(in), keys, out), out
}

func TestTopFindsValues(t *testing.T) {
	for _, c := range []struct{ name, in, model, stream string }{
		{"both", `{"model":"m","stream":true}`, `"m"`, `true`},
		{"white space all over", " \n{ \"model\" :\t\"m\" ,\r\n\"stream\" : false } \n", `"m"`, `false`},
		{"neither", `{}`, ``, ``},
		{"nested namesakes do not count", `{"a":{"model":1},"b":[{"model":2}],"model":"m"}`, `"m"`, ``},
		{"names inside strings do not count", `{"a":"\"model\":1","model":"m"}`, `"m"`, ``},
		{"the last one counts", `{"model":"a","model":"b"}`, `"b"`, ``},
		{"an escaped name", `{"\u006dodel":"m"}`, `"m"`, ``},
		{"numbers", `{"model":-1.5e+3,"stream":0}`, `-1.5e+3`, `0`},
		{"objects and arrays", `{"model":{"a":[1,{}]},"stream":[ ]}`, `{"a":[1,{}]}`, `[ ]`},
		{"null", `{"model":null}`, `null`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc, out := top(c.in)
			if !sc.Valid || string(out[0].Raw) != c.model || string(out[1].Raw) != c.stream {
				t.Errorf("valid %t, model %q, stream %q", sc.Valid, out[0].Raw, out[1].Raw)
			}
			if out[0].Found != (c.model != "") {
				t.Errorf("found %t", out[0].Found)
			}
		})
	}
}

func TestTopReportsWhatParsersReadDifferently(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     jsonscan.Scan
	}{
		{"repeated", `{"model":"a","x":1,"model":"b"}`, jsonscan.Scan{Valid: true, Repeated: "model"}},
		{"repeated by escape", `{"model":"a","mod\u0065l":"b"}`, jsonscan.Scan{Valid: true, Repeated: "model"}},
		{"repeated key that nobody wants", `{"x":1,"x":2}`, jsonscan.Scan{Valid: true}},
		{"another case", `{"Model":"a"}`, jsonscan.Scan{Valid: true, Variant: "Model"}},
		{"another case by escape", `{"\u004dodel":"a"}`, jsonscan.Scan{Valid: true, Variant: "Model"}},
		{"the Kelvin sign is a k", `{"K":1}`, jsonscan.Scan{Valid: true, Variant: "K"}},
		{"the long s is an s", `{"\u017ftream":1}`, jsonscan.Scan{Valid: true, Variant: "ſtream"}},
		{"bad UTF-8 in a value", "{\"x\":\"\xff\"}", jsonscan.Scan{Valid: true, BadUTF8: true}},
		{"a cut character", "{\"x\":\"\xc3\"}", jsonscan.Scan{Valid: true, BadUTF8: true}},
		{"good UTF-8", `{"x":"č 🏔"}`, jsonscan.Scan{Valid: true}},
		{"bytes behind the end", `{"x":1} x`, jsonscan.Scan{}},
		{"a second value", `{"x":1}{"x":2}`, jsonscan.Scan{}},
		{"an array", `[1]`, jsonscan.Scan{}},
		{"a byte order mark", "\ufeff{}", jsonscan.Scan{}},
		{"nothing", ``, jsonscan.Scan{}},
		{"a control character in a string", "{\"x\":\"\n\"}", jsonscan.Scan{}},
		{"a bad escape", `{"x":"\x"}`, jsonscan.Scan{}},
		{"a leading zero", `{"x":01}`, jsonscan.Scan{}},
		{"crossed brackets", `{"x":[{]}}`, jsonscan.Scan{}},
		{"a comma too many", `{"x":[1,],"y":1}`, jsonscan.Scan{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if sc, _ := top(c.in); sc != c.want {
				t.Errorf("got %+v, want %+v", sc, c.want)
			}
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	nest := func(n int) string { return `{"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	if sc, _ := top(nest(jsonscan.MaxDepth)); !sc.Valid {
		t.Error("the deepest allowed nesting is refused")
	}
	if sc, _ := top(nest(jsonscan.MaxDepth + 1)); sc.Valid {
		t.Error("nesting beyond the bound is accepted")
	}
	if sc, _ := top(strings.Repeat(`{"x":`, 1_000_000)); sc.Valid {
		t.Error("an open end is accepted")
	}
	mixed := strings.Repeat(`{"x":[`, 500) + strings.Repeat(`]}`, 500)
	if sc, _ := top(mixed); !sc.Valid {
		t.Error("mixed nesting is refused")
	}
	if sc, _ := top(strings.Replace(mixed, "]}", "}]", 1)); sc.Valid {
		t.Error("crossed nesting is accepted")
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		raw   string
		text  string
		n     int64
		whole bool
		count int64
		ok    bool
	}{
		{`"a\n\u010d"`, "a\nč", 0, false, 0, false},
		{"\"\xff\"", "\ufffd", 0, false, 0, false},
		{`"\ud800"`, "\ufffd", 0, false, 0, false},
		{`12`, "", 12, true, 12, true},
		{`-12`, "", -12, true, 0, false},
		{`9223372036854775807`, "", 1<<63 - 1, true, 0, false},
		{`-9223372036854775808`, "", -1 << 63, true, 0, false},
		{`9223372036854775808`, "", 0, false, 0, false},
		{`99999999999999999999999`, "", 0, false, 0, false},
		{`9007199254740991`, "", 1<<53 - 1, true, 1<<53 - 1, true},
		{`12.0`, "", 0, false, 12, true},
		{`1e3`, "", 0, false, 1000, true},
		{`35648.42`, "", 0, false, 35648, true},
		{`35648.5`, "", 0, false, 35649, true},
		{`1e400`, "", 0, false, 0, false},
		{`-0.4`, "", 0, false, 0, false},
		{`null`, "", 0, false, 0, false},
		{`"12"`, "12", 0, false, 0, false},
	} {
		v := jsonscan.Of([]byte(c.raw))
		if got := v.String(); got != c.text {
			t.Errorf("%s: String %q, want %q", c.raw, got, c.text)
		}
		if n, ok := v.Int(); ok != c.whole || ok && n != c.n {
			t.Errorf("%s: Int %d, %t", c.raw, n, ok)
		}
		if n, ok := v.Count(); ok != c.ok || ok && n != c.count {
			t.Errorf("%s: Count %d, %t", c.raw, n, ok)
		}
	}
	if v, ok := jsonscan.Of([]byte("true")).Bool(); !v || !ok {
		t.Error("true is not true")
	}
	if v, ok := jsonscan.Of([]byte("false")).Bool(); v || !ok {
		t.Error("false is not false")
	}
	if _, ok := jsonscan.Of([]byte("1")).Bool(); ok {
		t.Error("a number is taken for a boolean")
	}
}

func TestTopAllocatesNothing(t *testing.T) {
	in, out := []byte(chat(1<<10)), make([]jsonscan.Value, len(keys))
	if n := testing.AllocsPerRun(100, func() { jsonscan.Top(in, keys, out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTop compares with encoding/json, which agrees on validity, values and depth.
func FuzzTop(f *testing.F) {
	for _, in := range []string{
		`{"model":"m","stream":true}`, `{"a":[1,-2.5e-3,{"b":null}],"model":"\u0041\n"}`, `{"model":1,"model":2}`,
		`{"\u006dodel":"č"}`, `{"x":"aaaaaaaaaaaaaaaaaaaaaaaaaa\"b"}`, `{} `, `{"x":[[[[{"y":[]}]]]]}`, "{\"\xff\":1}",
		`{"K":0,"ſ":1,"S":2}`, chat(300),
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		sc, out := top(string(in))
		trimmed := bytes.TrimLeft(in, " \t\r\n")
		if want := json.Valid(in) && trimmed[0] == '{'; sc.Valid != want {
			t.Fatalf("valid %t, want %t", sc.Valid, want)
		}
		if !sc.Valid {
			return
		}
		if sc.BadUTF8 == utf8.Valid(in) {
			t.Errorf("bad UTF-8 %t", sc.BadUTF8)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatal(err)
		}
		variant := false
		for name := range want {
			for _, k := range keys {
				variant = variant || name != k && strings.EqualFold(name, k)
			}
		}
		if (sc.Variant != "") != variant {
			t.Errorf("variant %q, want one: %t", sc.Variant, variant)
		}
		for i, k := range keys {
			raw, found := want[k]
			if found != out[i].Found || !bytes.Equal(raw, out[i].Raw) {
				t.Fatalf("%s is %q, want %q", k, out[i].Raw, raw)
			}
			var text string
			if json.Unmarshal(raw, &text) == nil && text != out[i].String() {
				t.Errorf("%s means %q, want %q", k, out[i].String(), text)
			}
			var n int64
			if err := json.Unmarshal(raw, &n); found && string(raw) != "null" && out[i].Kind == jsonscan.Number {
				if got, ok := out[i].Int(); ok != (err == nil) || got != n && ok {
					t.Errorf("%s is %d, %t, want %d, %v", k, got, ok, n, err)
				}
			}
		}
	})
}

// chat makes a request body of about n bytes that reads like prose.
func chat(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x", r.Uint64()>>(r.IntN(12)*4))
		switch r.IntN(40) { // a line is 40 words long, and a quotation as rare
		case 0:
			b.WriteString("\n")
		case 1:
			b.WriteString(`, "č" `)
		default:
			b.WriteByte(' ')
		}
	}
	text, _ := json.Marshal(b.String())
	return `{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":` + string(text) +
		`}],"temperature":0.2,"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true}}`
}

func BenchmarkTop(b *testing.B) {
	for _, n := range []int{200, 1 << 10, 30 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in, out := []byte(chat(n)), make([]jsonscan.Value, len(keys))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				jsonscan.Top(in, keys, out)
			}
		})
	}
}

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		in    string
		shift int
		want  string
	}{
		{"0", 0, "0"},
		{"0.0", 0, "0"},
		{"12", 0, "12"},
		{"0.00014", 0, "0.00014"},
		{"1.40e-4", 0, "0.00014"},
		{"1E+3", 0, "1000"},
		{"1.25e1", 0, "12.5"},
		{"37756000", -10, "0.0037756"},
		{"10000000000", -10, "1"},
		{"123456789012", -10, "12.3456789012"},
		{"9007199254740993", 0, "9007199254740993"},
		{"-1", 0, ""},
		{"1e99", 0, ""},
		{"1ex", 0, ""},
		{"NaN", 0, ""},
		{strings.Repeat("1", 65), 0, ""},
		{`"1"`, 0, ""},
		{"null", 0, ""},
	} {
		got, ok := jsonscan.Of([]byte(c.in)).Decimal(c.shift)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s shifted by %d is %q, %t; want %q", c.in, c.shift, got, ok, c.want)
		}
	}
	if _, ok := (jsonscan.Value{}).Decimal(0); ok {
		t.Error("what was not found has a value")
	}
}

func TestElements(t *testing.T) {
	for in, want := range map[string]string{
		`[]`: "", `[ ]`: "", `[1]`: "1;", ` [1]`: "", `[1, {"a":[2,3]} ,"x",null]`: `1;{"a":[2,3]};"x";null;`, `[1,`: "1;",
		`[1 2]`: "1;", `[1,}`: "1;", `{"a":1}`: "", `"[1]"`: "", ``: "", `[`: "",
	} {
		got := ""
		for e := range jsonscan.Of([]byte(in)).Elements() {
			got += string(e.Raw) + ";"
		}
		if got != want {
			t.Errorf("%s holds %q, want %q", in, got, want)
		}
	}
	for e := range jsonscan.Of([]byte(`[1,2]`)).Elements() {
		if string(e.Raw) != "1" {
			t.Errorf("went on to %s", e.Raw)
		}
		break
	}
}
