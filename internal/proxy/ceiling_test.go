package proxy_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

// talker is a provider that streams events until it has sent most of them or its caller is gone, and then ends well.
type talker struct {
	most  int
	zip   bool
	said  atomic.Int64
	ended atomic.Int64 // answers that were sent to their end
}

func (p *talker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	event, end := "data: {\"choices\":[{\"delta\":{\"content\":\"word\"}}]}\n\n", "data: [DONE]\n\n"
	if strings.HasSuffix(r.URL.Path, "messages") {
		event = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"word\"}}\n\n"
		end = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var to io.Writer = w
	flush := http.NewResponseController(w).Flush
	if p.zip {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		to, flush = z, func() error { _ = z.Flush(); return http.NewResponseController(w).Flush() }
	}
	for range p.most {
		if _, err := io.WriteString(to, event); err != nil || r.Context().Err() != nil {
			return
		}
		p.said.Add(1)
		if flush() != nil {
			return
		}
	}
	_, _ = io.WriteString(to, end)
	if z, ok := to.(*gzip.Writer); ok {
		_ = z.Close()
	}
	p.ended.Add(1)
}

// TestAHardBudgetEndsAStream that uses more than there is: its client is told in the stream's own form.
func TestAHardBudgetEndsAStream(t *testing.T) { proxytest.Each(t, testAHardBudgetEndsAStream) }

func testAHardBudgetEndsAStream(t *testing.T, f proxytest.Front) {
	const most = 20_000
	byToken := http.Header{"Cf-Aig-Custom-Cost": {`{"per_token_in":0,"per_token_out":0.001}`}} // 1,000 tokens are reserved: $1
	for name, c := range map[string]struct {
		rule, path, body string
		zip              bool
		more             http.Header
		event            string // that ends the stream; "": it is cut without
		whole            bool
	}{
		"chat":                {`"limit":1.5,"hard":true`, "openai/chat/completions", chat("", true), false, nil, "data: {\"error\":{\"type\":\"insufficient_quota\"", false},
		"messages":            {`"limit":1.5,"hard":true`, "anthropic/v1/messages", chat("", true), false, nil, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"", false},
		"one that is packed":  {`"limit":1.5,"hard":true`, "openai/chat/completions", chat("", true), true, http.Header{"Accept-Encoding": {"gzip"}}, "", false},
		"room for all":        {`"limit":100,"hard":true`, "openai/chat/completions", chat("", true), false, nil, "", true},
		"a soft rule":         {`"limit":1.5`, "openai/chat/completions", chat("", true), false, nil, "", true},
		"one that only tells": {`"limit":1.5,"hard":true,"action":"alert"`, "openai/chat/completions", chat("", true), false, nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &talker{most: most, zip: c.zip}
			g := f.New(t, p.ServeHTTP, nil)
			withRules(g, `{"id":"tight",`+century+`,`+c.rule+`}`, "")
			h := byToken.Clone()
			for name, values := range c.more {
				h[name] = values
			}
			resp, body, err := g.Do("POST", c.path, h, strings.NewReader(c.body))
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			text := string(body)
			if c.zip {
				z, zerr := gzip.NewReader(bytes.NewReader(body))
				if zerr != nil {
					t.Fatal(zerr)
				}
				plain, _ := io.ReadAll(z)
				text = string(plain)
			}
			words := strings.Count(text, "word")
			if c.whole {
				if err != nil || words != most || p.ended.Load() != 1 {
					t.Errorf("%d words, %v", words, err)
				}
				return
			}
			// The budget has $1.5: 1,500 tokens, and what was on its way.
			if err == nil || words < 1500 || words >= most || p.ended.Load() != 0 {
				t.Errorf("%d words of %d, %v", words, p.said.Load(), err)
			}
			at := strings.LastIndex(text, "\n\n"+c.event)
			if c.event != "" && (at < 0 || !strings.Contains(text[at:], "Spend limit exceeded: rule 'tight'") || !strings.HasSuffix(text, "}\n\n")) {
				t.Errorf("the end: %q", text[max(len(text)-300, 0):])
			}
			e := g.WaitRows(1)[0].Entry
			if e.Ending != sluice.EndingRefused || e.ErrorKind != "spend_limit" || e.Success || e.Status != 200 || !strings.Contains(strings.Join(e.Notes, ";"), "spend limit 'tight' has ended the answer") {
				t.Errorf("%+v", e)
			}
			if s := budgets(t, g); s.Reserved != 0 || s.Spent < usd || s.Spent > 3*usd/2 {
				t.Errorf("%+v", s)
			}
			if resp, text := post(g, c.path, c.body, byToken); resp.StatusCode != 429 {
				t.Errorf("the next call: %d %s", resp.StatusCode, text)
			}
		})
	}
}

// TestAStreamWithABoundOfItsOwnIsNotCut however small its provider makes the events: what it may use is reserved.
func TestAStreamWithABoundOfItsOwnIsNotCut(t *testing.T) {
	p := &talker{most: 3000}
	g := proxytest.New(t, p.ServeHTTP, nil)
	withRules(g, `{"id":"tight","limit":1.5,"hard":true,`+century+`}`, "")
	h := http.Header{"Cf-Aig-Custom-Cost": {`{"per_token_in":0,"per_token_out":0.001}`}}
	resp, text := post(g, "openai/chat/completions", strings.Replace(chat("", true), "{", `{"max_tokens":1000,`, 1), h)
	if resp.StatusCode != 200 || p.ended.Load() != 1 {
		t.Errorf("%d %.100s", resp.StatusCode, text)
	}
	if resp, _ := post(g, "openai/chat/completions", strings.Replace(chat("", true), "{", fmt.Sprintf(`{"max_tokens":%d,`, 1501), 1), h); resp.StatusCode != 429 {
		t.Errorf("more than there is: %d", resp.StatusCode)
	}
}

// TestEncodedRequestsAreRead: a budget goes by a decoded copy, and the provider gets what was sent.
func TestEncodedRequestsAreRead(t *testing.T) {
	var got seen
	g := proxytest.New(t, record(&got, 200, map[string]string{"Content-Type": "application/json"}, wholeAnswer), func(c *config.Config) { c.Limits.BodyBytes = 20_000 })
	withRules(g, `{"id":"mini","limit":1,"hard":true,`+century+`,"model":{"mode":"filter","values":["*mini"]}}`, "")
	packed := func(body string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, body)
		_ = z.Close()
		return b.String()
	}
	gz := http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"application/json"}}
	mini := strings.Replace(chat("", false), "gpt-4.1", "gpt-4.1-mini", 1)
	for name, c := range map[string]struct {
		body, coding string
		more         http.Header
		status       int
	}{
		"another model":      {packed(chat("", false)), "gzip", nil, 200},
		"room for it":        {packed(mini), "gzip", nil, 200},
		"its own coding":     {packed(mini), "x-sluice", nil, 415},
		"too expensive":      {packed(mini), "gzip", costing(2), 429},
		"no gzip":            {mini, "gzip", nil, 415},
		"cut":                {packed(mini)[:40], "gzip", nil, 415},
		"two models":         {packed(`{"model":"gpt-4.1","model":"gpt-4.1-mini"}`), "gzip", nil, 400},
		"longer than it may": {packed(strings.Replace(mini, "{", `{"x":"`+strings.Repeat("x", 30_000)+`",`, 1)), "gzip", nil, 415},
	} {
		h := gz.Clone()
		h.Set("Content-Encoding", c.coding)
		for k, v := range c.more {
			h[k] = v
		}
		got = seen{}
		resp, text := post(g, "openai/chat/completions", c.body, h)
		if resp.StatusCode != c.status || (len(got.body) > 0) != (c.status == 200) || c.status == 200 && string(got.body) != c.body {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}
