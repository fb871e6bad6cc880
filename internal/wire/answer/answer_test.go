package answer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// log writes down what a Reader finds.
type log struct{ strings.Builder }

func (l *log) Begin()                       { l.WriteString("begin ") }
func (l *log) Pick(_ int, v jsonscan.Value) { fmt.Fprintf(l, "%s ", v.Raw) }
func (l *log) End(t answer.Text)            { fmt.Fprintf(l, "end%s ", flags(t)) }
func read(in string, stream bool, n int) string {
	var r answer.Reader
	var l log
	r.Reset(jsonpick.Compile([]jsonpick.Path{{At: "a", How: jsonpick.Whole}}), stream, &l)
	return feed(&r, &l, in, n)
}

func readLines(in string, n int) string {
	var r answer.Reader
	var l log
	r.ResetLines(jsonpick.Compile([]jsonpick.Path{{At: "a", How: jsonpick.Whole}}), &l)
	return feed(&r, &l, in, n)
}

// feed hands in to r in pieces of n bytes.
func feed(r *answer.Reader, l *log, in string, n int) string {
	for len(in) > 0 {
		piece := in[:min(n, len(in))]
		r.Write([]byte(piece))
		in = in[len(piece):]
	}
	r.Close()
	return strings.TrimSpace(l.String())
}

func flags(t answer.Text) string {
	s := ""
	for _, f := range []struct {
		set  bool
		name string
	}{{t.Event, "event"}, {t.Whole, "whole"}, {t.Sentinel, "sentinel"}} {
		if f.set {
			s += "-" + f.name
		}
	}
	return s
}

func TestReader(t *testing.T) {
	for _, c := range []struct {
		name, in string
		asked    string // what must have been asked for: "stream", "whole"; "" when it does not matter
		want     string
	}{
		{"nothing", "", "", ""},
		{"white space", " \r\n\n", "", ""},
		{"one text", `{"a":1}`, "", "begin 1 end-whole"},
		{"one text behind keep-alives", "\n\n\n" + `{"a":1}` + "\n", "", "begin 1 end-whole"},
		{"one text behind a byte order mark", "\ufeff" + `{"a":1}`, "", "begin 1 end-whole"},
		{"a cut text", `{"a":1,"b":`, "", "begin 1 end"},
		{"a broken text", `{"a":1]`, "", "begin 1 end"},
		{"a list", `[{"a":1}]`, "", "begin end-whole"},
		{"events", "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", "", "1 end-event-whole 2 end-event-whole"},
		{"events behind a comment", ": x\n\ndata: {\"a\":1}\n\n", "", "1 end-event-whole"},
		{"events behind a byte order mark", "\ufeffdata: {\"a\":1}\n\n", "", "1 end-event-whole"},
		{"named events", "event: x\ndata: {\"a\":1}\n\n", "", "1 end-event-whole"},
		{"the sentinel", "data: [DONE]\n\n", "", "end-event-sentinel"},
		{"the sentinel, with spaces, and cut", "data: [DONE]  ", "", "end-event-sentinel"},
		{"nearly the sentinel", "data: [DONE]x\n\ndata: [DON]\n\ndata: [\n\n", "", "end-event-whole end-event-whole end-event"},
		{"no JSON", "data: hello\n\ndata:\n\n", "", "end-event end-event"},
		{"an event that is cut", "data: {\"a\":1,", "", "1 end-event"},
		{"an event of several lines", "data: {\ndata: \"a\":\ndata: 1}\n\n", "", "1 end-event-whole"},
		{"text where text was asked for", "Hello\n\ndata: {\"a\":1}\n\n", "whole", ""},
		{"text where a stream was asked for", "Hello\n\ndata: {\"a\":1}\n\n", "stream", "1 end-event-whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				if c.asked == "whole" && stream || c.asked == "stream" && !stream {
					continue
				}
				for n := 1; n <= len(c.in)+1; n++ {
					if got := read(c.in, stream, n); got != c.want {
						t.Fatalf("in pieces of %d: %q, want %q", n, got, c.want)
					}
				}
			}
		})
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat(`{"a":1,"b":"x"}`+"\n", 3)
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"one text", `{"a":1}`, "begin 1 end-event-whole"},
		{"lines", `{"a":1}` + "\n" + `{"a":2}` + "\n", "begin 1 end-event-whole 2 end-event-whole"},
		{"lines behind blank ones, with CRLF", "\r\n" + `{"a":1}` + "\r\n \r\n" + `{"a":2}` + "\r\n", "begin 1 end-event-whole 2 end-event-whole"},
		{"a text over several lines", "{\n  \"a\":\n 1\n}\n", "begin 1 end-event-whole"},
		{"a line that is no JSON", `{"a":1}` + "\n}x\n" + `{"a":2}`, "begin 1 end-event-whole end-event 2 end-event-whole"},
		{"a line that breaks", `{"a":1 x` + "\n" + `{"a":2}`, "begin 1 end-event 2 end-event-whole"},
		{"two texts on a line", `{"a":1} {"a":2}` + "\n" + `{"a":3}`, "begin 1 end-event-whole 3 end-event-whole"},
		{"a cut line", `{"a":1}` + "\n" + `{"a":2,"b`, "begin 1 end-event-whole 2 end-event"},
		{"an array", `[{"a":1}]`, "begin end-whole"},
		{"server-sent events", "data: {\"a\":1}\n\n", "1 end-event-whole"},
		{"text", "Hello\n" + `{"a":1}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.in)+1; n++ {
				if got := readLines(c.in, n); got != c.want {
					t.Fatalf("in pieces of %d: %q, want %q", n, got, c.want)
				}
			}
		})
	}
	if got, want := readLines(long+`{"a":2,"b":"x"}`, 1<<10), "begin 1 end-event-whole 2 end-event-whole"; got != want {
		t.Errorf("lines that read the same: %q, want %q", got, want)
	}
}

func TestPlan(t *testing.T) {
	p := answer.Compile(answer.Under([]answer.Place[string]{{At: "a", Tells: "x"}, {At: "b", How: jsonpick.Some, Tells: "y"}}, "", "[]."))
	var r answer.Reader
	h := teller{plan: &p}
	r.Reset(p.Set, false, &h)
	r.Write([]byte(`[{"a":1,"b":"t"},{"b":[2]}]`))
	r.Close()
	if h.String() != "x y y " {
		t.Errorf("told %q", h.String())
	}
}

// teller writes down what a plan says of what is picked.
type teller struct {
	log
	plan *answer.Plan[string]
}

func (h *teller) Begin()                          {}
func (h *teller) Pick(path int, _ jsonscan.Value) { h.WriteString(h.plan.Tells(path) + " ") }
func (h *teller) End(answer.Text)                 {}

func TestSeconds(t *testing.T) {
	for raw, want := range map[string]answer.Count{
		`1.42`: {N: 1420, Known: true}, `14`: {N: 14000, Known: true}, `0`: {Known: true}, `1e-4`: {Known: true},
		`-1`: {}, `"14"`: {}, `null`: {}, `1e300`: {}, `99999999999`: {},
	} {
		var c answer.Count
		if c.SetSeconds(jsonscan.Of([]byte(raw))); c != want {
			t.Errorf("%s is %+v, want %+v", raw, c, want)
		}
	}
}

func TestTextsThatReadTheSameAreReportedOnce(t *testing.T) {
	in := `data: {"a":1,"b":"x"}` + "\n\n" + `data: {"a":1,"b":"y"}` + "\n\n" + `data: {"a":2,"b":"y"}` + "\n\n" + `data: {"a":1,"b":"y"}` + "\n\n"
	if got, want := read(in, true, len(in)), "1 end-event-whole 2 end-event-whole 1 end-event-whole"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMessage(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{`"text"`, "text"},
		{`null`, ""},
		{`12`, "12"},
		{`{ "a": [ 1 ] }`, `{"a":[1]}`},
		{`{"a":`, ""},
		{`"` + strings.Repeat("č", 600) + `"`, strings.Repeat("č", 512)},
		{`"x` + strings.Repeat("č", 600) + `"`, "x" + strings.Repeat("č", 511)},
	} {
		if got := answer.Message(jsonscan.Of([]byte(c.raw))); got != c.want {
			t.Errorf("%.40s says %q, want %q", c.raw, got, c.want)
		}
	}
}
