package reqlog

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// TestParseFilterCorpus reads testdata/filters.json, which the dashboard's parser is tested with, too.
func TestParseFilterCorpus(t *testing.T) {
	data, err := os.ReadFile("testdata/filters.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus struct {
		Parsed []struct {
			In, Text string
			Terms    []struct {
				Field  Field
				Key    string
				Op     Op
				Values []string
				Not    bool
			}
		}
		Refused []string
	}
	if err := json.Unmarshal(data, &corpus); err != nil || len(corpus.Parsed) == 0 || len(corpus.Refused) == 0 {
		t.Fatalf("%v: %d filters, %d that are none", err, len(corpus.Parsed), len(corpus.Refused))
	}
	have := map[string]bool{}
	for _, c := range corpus.Parsed {
		have[c.In] = true
		var want []Term
		for _, term := range c.Terms {
			want = append(want, Term(term))
		}
		got, err := ParseFilter(c.In)
		if err != nil || !reflect.DeepEqual(got.Terms, want) || got.String() != c.Text {
			t.Errorf("ParseFilter(%q) = %+v, %v, written %q; want %+v, written %q", c.In, got.Terms, err, got, want, c.Text)
		}
	}
	for _, f := range filterFields() {
		if !have[f.example] {
			t.Errorf("the corpus lacks %s, so that the dashboard's parser may lack the field", f.example)
		}
	}
	for _, in := range corpus.Refused {
		if got, err := ParseFilter(in); err == nil {
			t.Errorf("ParseFilter(%q) = %+v; want an error", in, got)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for in, hint := range map[string]string{
		"provder:openai":       "did you mean provider?",
		"latency:>2s":          "quotation marks",
		"http://example.com":   "quotation marks",
		"cost:cheap":           "cost:>0.01",
		"status:wrong":         "rate_limited",
		"duration:>2parsecs":   "duration:>2s",
		"model:>3":             "",
		"tokens:1,>2":          "",
		"tokens:>1,2":          "tokens:>10k",
		"id:1":                 "id:019a",
		"range:>3d":            "range:30d",
		"success:maybe":        "success:no",
		`"open`:                "",
		"model:":               `""`,
		"model:a,":             `""`,
		`model:"a"b`:           "",
		`model:a\`:             `\\`,
		"created_at:yesterday": "created_at:",
		"cost:..":              "",
		"tokens:99999999999999999999999999999999": "tokens:",
		"model:\x00":              "",
		"model:\xff":              "",
		strings.Repeat("x ", 100): "",
		"model:" + strings.Repeat("x,", 600) + "x":     "",
		"model:" + strings.Repeat("x", maxFilterBytes): "",
	} {
		_, err := ParseFilter(in)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindInvalid || e.Field != "q" || e.Msg == "" || !strings.Contains(e.Hint, hint) {
			t.Errorf("ParseFilter(%.40q) = %#v; want an invalid q with a hint of %q", in, err, hint)
		}
	}
}

// sample is the entry that the match table asks about.
func sample() *sluice.LogEntry {
	e := &sluice.LogEntry{
		Start: time.Date(2025, 11, 24, 14, 32, 8, 0, time.UTC), Account: "default", Gateway: "main", Provider: "openai",
		Model: "gpt-4.1-mini", Served: "gpt-4.1-mini-2025", Endpoint: "chat/completions", Path: "/chat/completions?x=1", Status: 502,
		Ending: sluice.EndingCut, ErrorKind: "cut", ErrorText: "the upstream broke off", Key: "ci", UserAgent: "OpenAI/Python 1.2",
		EventID: "ev*7", Metadata: []sluice.MetaValue{{Key: "user_id", Value: "42"}, {Key: "team", Value: "Red"}, {Key: "score", Value: "0.7", Kind: sluice.MetaNumber}},
		Timeline: sluice.Timeline{FirstToken: 300 * time.Millisecond, End: 2500 * time.Millisecond},
		Attempts: make([]sluice.Attempt, 2), Cost: 12_000_000, Priced: true, Feedback: -1, Streamed: true,
	}
	e.Usage.Basis = sluice.BasisPartial
	e.Usage.Set(sluice.Input, 1500)
	return e
}

func TestFilterMatch(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		filters string // one a line
		want    bool
	}{
		{`
status:error
status:5xx
status:>=500
status:provider_error,ok
provider:OpenAI
model:gpt-*
model:*mini
model:gpt*4.1*mi*
-model:claude*
served:~2025
ua:openai/python
ua:=openai/*
cost:>0.01
cost:0.012
cost:$0.012
cost:<0.0120000000001
duration:>2s
duration:2500
duration:2.5s
duration:..3s
ttft:>200ms
tokens_in:1000..1.5k
tokens:1500
tokens_out:none
-tokens_out:>5
attempts:>1
ending:cut
error_type:cut
error:"broke off"
stream:yes
cached:no
cache:off
basis:partial
feedback:-1
meta.user_id:42
meta.team:red
meta:42
meta_key:team meta:42
metadata.key:score
meta.score:>0.5
meta.score:<=0.7
"broke off" chat
event_id:"ev*7"
created_at:2025-11-24
created_at:>=2025-11-24T14:32
created_at:<2025-11-24T14:33
-created_at:>2025-11-24
success:no
path:*x=1
text:CHAT`, true},
		{`
status:ok
status:4xx
status:cancelled,cached,blocked,in_flight,rate_limited,client_error
provider:open
-provider:openai
model:gpt-4.1
model:"gpt-*"
cost:<0.012
cost:0.0120000000001
cost:none
tokens_out:<5
tokens_out:0
attempts:1
meta.team:42
meta.User_Id:42
meta.score:>0.7
meta.user:*
-meta.user_id:42
"broke  off"
event_id:ev*8
created_at:>2025-11-24
range:1h
success:yes
provider:openai status:200
ua:=openai`, false},
	} {
		for _, q := range strings.Split(strings.TrimSpace(c.filters), "\n") {
			f, err := ParseFilter(q)
			if err != nil || f.Match(sample()) != c.want {
				t.Errorf("%s: %v, %v; want %v", q, f.Match(sample()), err, c.want)
			}
		}
	}
	live := sample()
	live.ID = new(sluice.IDs).New(now)
	if f, _ := ParseFilter("range:1h"); !f.Match(live) {
		t.Error("range:1h leaves out what starts now")
	}
}

func TestFilterHelpNamesEveryField(t *testing.T) {
	help, seen := FilterHelp(), map[string]bool{}
	for _, f := range filterFields() {
		for _, name := range append([]string{string(f.name)}, f.aliases...) {
			if seen[name] {
				t.Errorf("%s stands for two fields", name)
			}
			seen[name] = true
			if !strings.Contains(help, name) {
				t.Errorf("the help lacks %s", name)
			}
		}
		got, err := ParseFilter(f.example)
		if err != nil || len(got.Terms) != 1 || got.Terms[0].Field != f.name {
			t.Errorf("the example %s gives %+v, %v", f.example, got, err)
		}
		if f.kind != kindMeta && f.kind != kindStatus && f.kind != kindID && f.name != FieldText && (f.text == nil) == (f.number == nil) {
			t.Errorf("%s has no way to look at a row, or two", f.name)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, field := range filterFields() {
		f.Add(field.example)
	}
	for _, s := range []string{`-"a b" -c`, `model:a\ b\*,"c*d",\-e*`, `meta."x y:z":>5`, `text:=a* ua:="~b"`, `key:"" a\:b*`, "-- -a:b", `path:\\*`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		one, err := ParseFilter(s)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Fatalf("%q: %v is not KindInvalid", s, err)
			}
			return
		}
		text := one.String()
		two, err := ParseFilter(text)
		if err != nil && len(text) > maxFilterBytes {
			return // escaping made it longer than what is read
		}
		if err != nil || !slices.EqualFunc(one.Terms, two.Terms, func(a, b Term) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("%q is written %q and read as %+v, %v; want %+v", s, text, two, err, one)
		}
		if again := two.String(); again != text {
			t.Fatalf("%q, then %q", text, again)
		}
		e := sample()
		one.Match(e)
	})
}
