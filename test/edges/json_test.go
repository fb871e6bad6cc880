package edges

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/upstream"
)

// nested is a JSON value of that many levels.
func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

// TestDeepJSON: 100,000 levels pass unchanged both ways, and cost no stack.
func TestDeepJSON(t *testing.T) {
	const levels = 100_000
	objects := strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	for name, c := range map[string]struct{ request, answer string }{
		"arrays in the request":       {`{"model":"gpt-4o-mini","x":` + nested(levels) + `}`, answered},
		"arrays before the model":     {`{"x":` + nested(levels) + `,"model":"gpt-4o-mini"}`, answered},
		"objects in the request":      {`{"x":` + objects + `,"model":"gpt-4o-mini"}`, answered},
		"levels that never end":       {`{"model":"gpt-4o-mini","x":` + strings.Repeat("[", levels), answered},
		"arrays in the answer":        {chat, `{"x":` + nested(levels) + `,` + answered[1:]},
		"objects in the answer":       {chat, `{"x":` + objects + `,` + answered[1:]},
		"objects in the answer's use": {chat, `{"usage":{"x":` + objects + `}}`},
		"an answer that never closes": {chat, strings.Repeat(`[`, levels)},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "", upstream.JSON(200, c.answer))
			resp, body := p.Post("openai", "chat/completions", c.request)
			if resp.StatusCode != 200 || string(body) != c.answer {
				t.Errorf("client got %d and %d bytes, want the answer as it is", resp.StatusCode, len(body))
			}
			if seen := p.up.Take(); len(seen) != 1 || string(seen[0].Body) != c.request {
				t.Error("the request was altered")
			}
			if row := p.Row(resp.Header.Get("cf-aig-log-id")); row.Ending != "complete" {
				t.Errorf("log: %s; want complete", row)
			}
			p.serves(t)
		})
	}
}

// TestDeepJSONInAStream: the same within events.
func TestDeepJSONInAStream(t *testing.T) {
	deep := `data: {"x":` + nested(100_000) + `,"choices":[]}` + "\n\n"
	usage := `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}` + "\n\n"
	done := "data: [DONE]\n\n"
	p := start(t, "", upstream.Stream([]string{"Content-Type: text/event-stream"}, event, deep, usage, done))
	resp, body := p.Post("openai", "chat/completions", chat)
	if string(body) != event+deep+usage+done {
		t.Errorf("client got %d bytes, want the stream as it is", len(body))
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	if row.Ending != "complete" || row.TokensIn == nil || *row.TokensIn != 9 {
		t.Errorf("log: %s; want complete with 9 tokens", row)
	}
	p.serves(t)
}

// TestRepeatedKeys: no policy depends on them, so the bytes pass as they came, and the log says so.
func TestRepeatedKeys(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for name, c := range map[string]struct {
		body      string
		ambiguous bool
	}{
		"once":                          {`{"model":"gpt-4o","stream":false}`, false},
		"the model twice":               {`{"model":"gpt-4o","model":"gpt-4o-mini"}`, true},
		"the model twice, equal":        {`{"model":"gpt-4o","model":"gpt-4o"}`, true},
		"in another case":               {`{"model":"gpt-4o","Model":"gpt-4o-mini"}`, true},
		"only in another case":          {`{"MODEL":"gpt-4o"}`, true},
		"escaped":                       {`{"model":"gpt-4o","mod\u0065l":"gpt-4o-mini"}`, true},
		"stream twice":                  {`{"stream":true,"model":"gpt-4o","stream":false}`, true},
		"stream in another case":        {`{"model":"gpt-4o","stream":false,"STREAM":true}`, true},
		"twice, but further within":     {`{"model":"gpt-4o","metadata":{"model":"a","model":"b","Model":"c"}}`, false},
		"another key twice":             {`{"model":"gpt-4o","user":"a","user":"b"}`, false},
		"a letter that folds to ASCII":  {"{\"model\":\"gpt-4o\",\"\u017ftream\":true}", true}, // long s
		"with bytes behind the end":     {`{"model":"gpt-4o"}{"model":"gpt-4o-mini"}`, true},
		"with a byte order mark before": {"\ufeff" + `{"model":"gpt-4o"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := p.On(t)
			resp, _ := g.Post("openai", "chat/completions", c.body)
			if resp.StatusCode != 200 {
				t.Fatalf("status %d", resp.StatusCode)
			}
			if seen := p.up.Take(); len(seen) != 1 || string(seen[0].Body) != c.body {
				t.Errorf("the upstream got %v, want the bytes as they came", seen)
			}
			row := g.Row(resp.Header.Get("cf-aig-log-id"))
			if got := slices.Contains(row.Notes, "ambiguous"); got != c.ambiguous {
				t.Errorf("notes = %q; ambiguous should be %v", row.Notes, c.ambiguous)
			}
		})
	}
}
