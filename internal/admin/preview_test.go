package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/reqlog"
)

func TestAPreviewIsWhatTheUserSaidLast(t *testing.T) {
	long := strings.Repeat("wörter ", 40)
	for body, want := range map[string]string{
		`{"model":"m","messages":[{"role":"user","content":"first"},{"role":"assistant","content":"no"},{"role":"user","content":"last\n\n one"}]}`: "last one",
		`{"messages":[{"role":"user","content":"asked"},{"role":"assistant","content":null},{"role":"tool","content":"42"}]}`:                       "asked",
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"what is it?"}]}]}`:         "what is it?",
		`{"messages":[{"role":"user","content":"asked"},{"role":"user","content":[{"type":"tool_result","content":"not said"}]}]}`:                  "asked",
		`{"messages":[{"role":"user","content":[{"text":"converse"}]}]}`:                                                                            "converse",
		`{"contents":[{"role":"user","parts":[{"inlineData":{}},{"text":"gemini"}]},{"role":"model","parts":[{"text":"no"}]}]}`:                     "gemini",
		`{"contents":{"parts":[{"text":"one"}]}}`: "one",
		`{"input":"responses"}`:                   "responses",
		`{"input":[{"role":"user","content":[{"type":"input_text","text":"typed"}]},{"type":"function_call_output","output":"x"}]}`: "typed",
		`{"input":["embed me","and me"]}`:        "and me",
		`{"input":[1,2,3]}`:                      "",
		`{"input":{"prompt":"a picture"}}`:       "a picture",
		`{"prompt":["one","two"]}`:               "two",
		`{"inputs":"feature"}`:                   "feature",
		`{"message":"cohere","chat_history":[]}`: "cohere",
		`{"query":"which?","documents":["a"]}`:   "which?",
		`{"text":"say this","model_id":"x"}`:     "say this",
		`[{"provider":"openai","query":{"messages":[{"role":"user","content":"step"}]}},{"query":{"input":"two"}}]`: "step",
		`{"messages":[{"role":"system","content":"only rules"}]}`:                                                   "",
		`{"messages":"` + long + `"}`:                                string([]rune(long)[:120]),
		`{"messages":[{"role":"user","content":"a\u0000b\u2028c"}]}`: "a b c",
		`{"model":"m"}`:           "",
		`{"messages":[{"role":"u`: "",
		`not JSON`:                "",
		``:                        "",
	} {
		if got := lastPrompt([]byte(body)); got != want {
			t.Errorf("%.80s: %q, want %q", body, got, want)
		}
	}
}

func FuzzLastPrompt(f *testing.F) {
	for _, seed := range []string{
		`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, `[{"query":{"input":"x"}}]`, `{"contents":{"parts":{"text":{"content":["x"]}}}}`, `{"input":{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := lastPrompt(body)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > previewRunes || strings.ContainsAny(got, "\n\r\t\x00") || got != strings.TrimSpace(got) {
			t.Errorf("%q", got)
		}
	})
}

// said logs an entry whose user says text, and returns its id.
func said(t *testing.T, b *bench, log *reqlog.Log, text string, change ...func(e *sluice.LogEntry)) string {
	t.Helper()
	e := recent(&b.ids)
	for _, c := range change {
		c(&e)
	}
	body, err := json.Marshal(map[string]any{"messages": []map[string]any{{"role": "user", "content": text}}})
	if err != nil {
		t.Fatal(err)
	}
	run(log, e, string(body), `{"answer":1}`)
	return e.ID.String()
}

func TestPreviewsAreForThoseWhoSeeBodies(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	id := said(t, b, log, "tell me a secret")
	e := recent(&b.ids)
	run(log, e, strings.Repeat("x", previewBodyBytes+1), "")
	_, read := b.token()
	_, edit := b.token(func(n *auth.New) { n.Permissions |= auth.Edit })
	root := b.session(b.person(people.New{Email: "root@acme.example"}))
	viewer := b.session(b.person(people.New{Account: "default", Email: "v@acme.example", Role: people.Viewer}))
	reader := b.session(b.person(people.New{Account: "default", Email: "b@acme.example", Role: people.Viewer, Bodies: true}))
	for name, c := range map[string]struct {
		as   string
		sees bool
	}{"the admin token": {token, true}, "a token that edits": {edit, true}, "one that reads": {read, false}, "an admin": {root, true}, "a viewer": {viewer, false}, "a viewer of bodies": {reader, true}} {
		v := b.as(c.as, http.MethodGet, logsPath+"?fields=id,preview&per_page=5", "")
		items := v.items(t)
		if len(items) != 2 || items[1]["id"] != id || items[0]["preview"] != nil || (items[1]["preview"] == "tell me a secret") != c.sees || (items[1]["preview"] == nil) == c.sees {
			t.Errorf("%s: %v", name, items)
		}
	}
	if v := b.call(logsPath); strings.Contains(string(v.Result), "preview") {
		t.Errorf("a list that nobody asked for previews: %s", v.Result)
	}
	if got := resultOf[map[string]any](b, logsPath+"/"+id); got["preview"] != "tell me a secret" {
		t.Errorf("details: %v", got["preview"])
	}
	if f := b.refused(http.MethodPost, logsPath+"/export", `{"columns":["preview"]}`, http.StatusBadRequest); !strings.Contains(f.Message, "preview") {
		t.Errorf("export: %+v", f)
	}
	b.fails(accountPath+"/events?fields=preview", http.StatusBadRequest, codeInvalid, "preview")
}
