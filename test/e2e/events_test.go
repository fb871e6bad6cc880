package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// sseEvent is one event of the management API's stream.
type sseEvent struct {
	kind, id string
	data     struct {
		Sub     string       `json:"sub"`
		Matches bool         `json:"matches"`
		Log     *gateway.Row `json:"log"`
		Path    string       `json:"path"`
		Cause   string       `json:"cause"`
		IDs     []string     `json:"ids"`
		State   string       `json:"state"`
	}
}

// following is an open stream of events.
type following struct {
	t    *testing.T
	r    *bufio.Reader
	stop context.CancelFunc
}

func follow(t *testing.T, g *gateway.Gateway, query, last string) *following {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Addr+"/client/v4/accounts/default/ai-gateway/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	return &following{t, bufio.NewReader(resp.Body), cancel}
}

// next reads one event; its error is the stream's end.
func (f *following) next() (e sseEvent, err error) {
	for {
		line, err := f.r.ReadString('\n')
		if err != nil {
			return e, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			e.kind = value
		case "id":
			e.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				return e, fmt.Errorf("%w in %s", err, value)
			}
		case "":
			return e, nil
		}
	}
}

// want reads events until one of kind comes, which it returns.
func (f *following) want(kind string) sseEvent {
	f.t.Helper()
	for {
		e, err := f.next()
		if err != nil {
			f.t.Fatalf("%v, and no %s", err, kind)
		}
		if e.kind == kind {
			return e
		}
	}
}

func TestAStreamIsSeenWhileItRuns(t *testing.T) {
	goOn := make(chan struct{}, 4)
	const start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-4-5\",\"usage\":{\"input_tokens\":812,\"output_tokens\":1}}}\n\n"
	const delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
	const end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	up := upstream.New(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(start)
		select {
		case <-goOn:
		case <-c.Gone():
			return false
		}
		c.Chunk(delta)
		select {
		case <-goOn:
		case <-c.Gone():
			return false
		}
		c.Chunk(end)
		c.Send("0\r\n\r\n")
		return true
	})
	g := gateway.Start(t, gateway.Options{Config: "providers: {anthropic: {base_url: \"http://" + up.Addr + "\"}}\n"})
	f := follow(t, g, "sub=a:provider:anthropic&kinds=logs", "")
	f.want("tick")
	done := make(chan error, 1)
	go func() {
		_, _, err := g.TryPost(t.Context(), "anthropic", "v1/messages", `{"model":"claude-sonnet-4-5","stream":true,"max_tokens":9,"messages":[]}`)
		done <- err
	}()
	e := f.want("open")
	if e.data.Log.Status() != 200 || e.data.Log.Ending != "in_flight" || e.data.Log.Model != "claude-sonnet-4-5" {
		t.Fatalf("open: %s", e.data.Log)
	}
	goOn <- struct{}{}
	if e = f.want("update"); e.data.Log.TokensIn == nil { // the first may tell no more than the status
		e = f.want("update")
	}
	if e.data.Log.TokensIn == nil || *e.data.Log.TokensIn != 812 || e.data.Log.UsageBasis != "partial" || e.data.Log.Ending != "in_flight" {
		t.Errorf("update: %s", e.data.Log)
	}
	goOn <- struct{}{}
	if e := f.want("close"); e.data.Log.TokensOut == nil || *e.data.Log.TokensOut != 7 || e.data.Log.Ending != "complete" {
		t.Errorf("close: %s", e.data.Log)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEventsResumeOverAKill(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	config := "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\nlog: {durability: strict}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	f := follow(t, g, "kinds=logs", "")
	f.want("tick")
	want := map[string]bool{}
	post := func(g *gateway.Gateway) {
		resp, _ := g.Post("openai", "chat/completions", chat)
		want[resp.Header.Get("Cf-Aig-Log-Id")] = true
	}
	seen, last := map[string]bool{}, ""
	for range 5 {
		post(g)
		e := f.want("close")
		seen[e.data.Log.ID], last = true, e.id
	}
	f.stop()
	for range 20 {
		post(g)
	}
	g.Kill()
	again := gateway.Start(t, gateway.Options{Config: config, DataDir: g.DataDir})
	f = follow(t, again, "kinds=logs", last)
	for range 5 {
		post(again)
	}
	for len(seen) < len(want) {
		e := f.want("close")
		if seen[e.data.Log.ID] {
			t.Fatalf("%s came twice", e.data.Log.ID)
		}
		seen[e.data.Log.ID] = true
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s was never told", id)
		}
	}
	// A stream ends when the program does, and does not hold it up.
	if code := again.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := f.next(); err == nil {
		t.Error("the stream goes on behind the program's end")
	}
}

// greeting is the answer of hello.
type greeting struct {
	Misses []struct {
		Cause      string  `json:"cause"`
		StatusCode int     `json:"status_code"`
		Path       string  `json:"path"`
		Count      int     `json:"count"`
		Snippet    *string `json:"snippet"`
		LogID      *string `json:"log_id"`
		Caller     struct {
			Address    string  `json:"address"`
			UserAgent  string  `json:"user_agent"`
			Credential *string `json:"credential"`
		} `json:"caller"`
	} `json:"misses"`
	Successes []struct {
		Gateway string `json:"gateway"`
		LogID   string `json:"log_id"`
	} `json:"successes"`
}

func hello(t *testing.T, g *gateway.Gateway) (v greeting, text string) {
	t.Helper()
	status, _, body, err := g.Get("/hello")
	envelope := struct {
		Result *greeting `json:"result"`
	}{&v}
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	if err != nil || status != 200 {
		t.Fatalf("%d %v %s", status, err, body)
	}
	return v, string(body)
}

func TestFailedFirstCallsAreExplained(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	g := gateway.Start(t, gateway.Options{Config: "providers:\n  openai: {base_url: \"http://" + up.Addr + "/v1\"}\n  mistral: {base_url: \"http://127.0.0.1:1\"}\n" +
		"limits: {body_bytes: 64KB}\naccounts: {default: {gateways: {closed: {authentication: true}}}}\n"})
	f := follow(t, g, "kinds=hello", "")
	f.want("tick")
	const secret = "sk-proj-0123456789abcdefghij"
	send := func(request string) {
		t.Helper()
		if _, err := rawhttp.Do(g.Addr, request); err != nil && !strings.HasPrefix(request, "\x16") {
			t.Logf("%q: %v", request[:min(len(request), 40)], err)
		}
	}
	call := func(path, fields string) {
		t.Helper()
		send("POST " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nUser-Agent: test/1\r\nAuthorization: Bearer " + secret + "\r\n" + fields +
			"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	}
	for _, tt := range []struct {
		cause, path, fields string
		status              int
		logged              bool
	}{
		{"no_path", "/chat/completions?key=" + secret, "", 404, false},
		{"no_gateway", "/v1/chat/completions", "", 400, false},
		{"no_gateway", "/v1/default/nosuch/openai/chat/completions", "", 400, false},
		{"no_provider", "/v1/default/default/nosuch/chat/completions", "", 400, true},
		{"unauthorized", "/v1/default/closed/openai/chat/completions", "", 401, true},
		{"unreachable", "/v1/default/default/mistral/v1/chat/completions", "", 400, true},
		{"malformed", "/v1/default/default/openai/x", "X-A: b\r\n c\r\n", 400, false},
	} {
		call(tt.path, tt.fields)
		if e := f.want("hello"); e.data.Cause != tt.cause {
			t.Fatalf("%s: told of %s %s", tt.path, e.data.Cause, e.data.Path)
		}
		v, _ := hello(t, g)
		m := v.Misses[0]
		if m.Cause != tt.cause || m.StatusCode != tt.status || m.Caller.Address != "127.0.0.1" || (m.LogID != nil) != tt.logged {
			t.Errorf("%s: %+v", tt.path, m)
		}
		if tt.cause != "malformed" && (m.Caller.UserAgent != "test/1" || m.Caller.Credential == nil || *m.Caller.Credential != "authorization") {
			t.Errorf("%s: caller %+v", tt.path, m.Caller)
		}
	}
	call("/v1/chat/completions", "")
	f.want("hello")
	large := strings.Repeat(" ", 100<<10) + "[]"
	send(fmt.Sprintf("POST /v1/default/default HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	f.want("hello")
	resp, _ := g.Post("openai", "chat/completions", chat, "Authorization", "Bearer "+secret)
	g.Post("openai", "chat/completions", chat)
	v, text := hello(t, g)
	if v.Misses[0].Cause != "too_large" || v.Misses[0].StatusCode != 413 {
		t.Errorf("%+v", v.Misses[0])
	}
	if v.Misses[1].Path != "/v1/chat/completions" || v.Misses[1].Count != 2 || len(v.Misses) != 8 {
		t.Errorf("%d misses, the second %+v", len(v.Misses), v.Misses[1])
	}
	if len(v.Successes) != 1 || v.Successes[0].LogID != resp.Header.Get("Cf-Aig-Log-Id") {
		t.Errorf("%+v", v.Successes)
	}
	if strings.Contains(text, secret[:16]) {
		t.Errorf("the caller's key is shown: %s", text)
	}
	// What a snippet says works as it is pasted.
	snippet := *v.Misses[1].Snippet
	url, _, _ := strings.Cut(strings.TrimPrefix(snippet, "curl "), " ")
	again, err := http.Post(url, "application/json", strings.NewReader(chat))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if again.StatusCode != 200 {
		t.Errorf("%s: %d", url, again.StatusCode)
	}
}

// change makes a call of the management API that changes something.
func change(t *testing.T, g *gateway.Gateway, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Addr+"/client/v4/accounts/default/ai-gateway"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
}

func TestWhatPeopleChangeIsToldToWhoFollows(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	g := gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"})
	f := follow(t, g, "", "")
	begin := f.want("tick").id
	g.Post("openai", "chat/completions", chat)
	g.Post("openai", "chat/completions", chat)
	gone, kept := f.want("close").data.Log.ID, f.want("close").data.Log.ID
	change(t, g, http.MethodPatch, "/gateways/default/logs/"+kept, `{"feedback":1}`)
	if e := f.want("update"); e.data.Log.ID != kept || e.data.Log.Model == "" {
		t.Errorf("update of %s", e.data.Log)
	}
	change(t, g, http.MethodDelete, "/gateways/default/logs/"+gone, "")
	if e := f.want("delete"); len(e.data.IDs) != 1 || e.data.IDs[0] != gone {
		t.Errorf("deleted %v", e.data.IDs)
	}
	change(t, g, http.MethodPost, "/logs/export", `{"format":"jsonl"}`)
	for state := ""; state != "done"; {
		state = f.want("job").data.State
	}
	// Who comes back from before does not see what was deleted.
	f = follow(t, g, "kinds=logs", begin)
	if e := f.want("close"); e.data.Log.ID != kept {
		t.Errorf("told of %s again, which was deleted", e.data.Log.ID)
	}
}
