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
