package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	chatAnswer = `{"id":"c1","object":"chat.completion","model":"gpt-test-2026","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4}}}`
	chatStream = "data: {\"id\":\"c1\",\"model\":\"gpt-test-2026\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n" +
		"data: {\"id\":\"c1\",\"model\":\"gpt-test-2026\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi.\"}}]}\n\n" +
		"data: {\"id\":\"c1\",\"model\":\"gpt-test-2026\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"id\":\"c1\",\"model\":\"gpt-test-2026\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\n" +
		"data: [DONE]\n\n"
)

// seen is a request as the upstream got it.
type seen struct {
	method, target, host string
	header               http.Header
	body                 []byte
}

// record answers with status and body, and keeps what came.
func record(into *seen, status int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		all, _ := io.ReadAll(r.Body)
		*into = seen{r.Method, r.RequestURI, r.Host, r.Header.Clone(), all}
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func count(t *testing.T, u sluice.Usage, c sluice.Class) int64 {
	t.Helper()
	n, known := u.Get(c)
	if !known {
		t.Errorf("%s is unknown", c)
	}
	return n
}

func TestChatIsForwardedAndLogged(t *testing.T) { proxytest.Each(t, testChatIsForwardedAndLogged) }

func testChatIsForwardedAndLogged(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 200, map[string]string{"Content-Type": "application/json", "X-Request-Id": "req_1", "Alt-Svc": "h3"}, chatAnswer), nil)
	const body = `{ "model" : "gpt-test", "messages":[{"role":"user","content":"h\u00e9"}] , "unknown": 1e400 }`
	resp, answer, err := g.Do("POST", "openai/chat/completions?x=%2F&y", http.Header{
		"Authorization": {"Bearer sk-canary-1"}, "Content-Type": {"application/json"}, "Openai-Organization": {"org"}, "User-Agent": {"test/1"},
		"Cf-Aig-Metadata": {`{"user":"u-1"}`}, "Cf-Aig-Event-Id": {"ev-1"}, "X-Forwarded-For": {"10.0.0.1"}, "Connection": {"X-Hop"}, "X-Hop": {"1"},
	}, strings.NewReader(body))
	if err != nil || resp.StatusCode != 200 || string(answer) != chatAnswer {
		t.Fatalf("answer = %d %q, %v", resp.StatusCode, answer, err)
	}
	if got.method != "POST" || got.target != "/v1/chat/completions?x=%2F&y" || string(got.body) != body {
		t.Errorf("the upstream got %s %s %q", got.method, got.target, got.body)
	}
	for _, name := range []string{"Cf-Aig-Metadata", "Cf-Aig-Event-Id", "X-Forwarded-For", "X-Hop", "Connection"} {
		if v, ok := got.header[name]; ok {
			t.Errorf("the upstream got %s: %q", name, v)
		}
	}
	if got.header.Get("Authorization") != "Bearer sk-canary-1" || got.header.Get("Openai-Organization") != "org" || got.header.Get("User-Agent") != "test/1" {
		t.Errorf("the upstream got %v", got.header)
	}
	id := resp.Header.Get("cf-aig-log-id")
	if id == "" || resp.Header.Get("cf-aig-request-id") != id || resp.Header.Get("cf-aig-event-id") != "ev-1" || resp.Header.Get("cf-aig-step") != "0" {
		t.Errorf("header = %v", resp.Header)
	}
	if resp.Header.Get("X-Request-Id") != "req_1" || resp.Header.Get("Alt-Svc") != "" || resp.Header.Get("cf-aig-cache-status") != "" {
		t.Errorf("header = %v", resp.Header)
	}

	row := g.WaitRows(1)[0]
	e := row.Entry
	if e.ID.String() != id || e.Provider != "openai" || e.Model != "gpt-test" || e.Served != "gpt-test-2026" || e.Endpoint != "chat/completions" ||
		e.Status != 200 || !e.Success || e.Ending != sluice.EndingComplete || e.UserAgent != "test/1" || e.EventID != "ev-1" || e.Finish != "stop" || e.Streamed {
		t.Errorf("entry = %+v", e)
	}
	if count(t, e.Usage, sluice.Input) != 11 || count(t, e.Usage, sluice.Output) != 3 || count(t, e.Usage, sluice.CacheRead) != 4 || e.Usage.Basis != sluice.BasisProvider {
		t.Errorf("usage = %+v", e.Usage)
	}
	if !slices.Equal(e.Metadata, []sluice.MetaValue{{Key: "user", Value: "u-1"}}) {
		t.Errorf("metadata = %v", e.Metadata)
	}
	if v := e.ReqHeader.Get("Authorization"); v != "[redacted]" {
		t.Errorf("logged Authorization = %q", v)
	}
	if e.Path != "chat/completions?x=%2F&y" || len(e.Attempts) != 1 || e.Attempts[0].Status != 200 {
		t.Errorf("path = %q, attempts = %+v", e.Path, e.Attempts)
	}
	tl := e.Timeline
	if tl.Received <= 0 || tl.Connected < tl.Received || tl.Sent < tl.Connected || tl.FirstByte < tl.Sent || tl.End < tl.FirstByte {
		t.Errorf("timeline = %+v", tl)
	}
	if string(g.Body(row, reqlog.RequestSide)) != body || string(g.Body(row, reqlog.ResponseSide)) != chatAnswer {
		t.Error("stored bodies differ from what passed")
	}
	if e.Request.Size != int64(len(body)) || e.Response.Size != int64(len(chatAnswer)) || e.Response.Type != "application/json" {
		t.Errorf("request %+v, response %+v", e.Request, e.Response)
	}
}

func TestStreamIsRelayedAsItComes(t *testing.T) { proxytest.Each(t, testStreamIsRelayedAsItComes) }

func testStreamIsRelayedAsItComes(t *testing.T, f proxytest.Front) {
	step := make(chan struct{})
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range strings.SplitAfter(chatStream, "\n\n") {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-step:
			case <-r.Context().Done():
			}
		}
	}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true}`))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all := bufio.NewReader(resp.Body)
	var read []byte
	for _, event := range strings.SplitAfter(chatStream, "\n\n") {
		part := make([]byte, len(event)) // each event arrives before the upstream sends the next
		if _, err := io.ReadFull(all, part); err != nil {
			t.Fatal(err)
		}
		read = append(read, part...)
		step <- struct{}{}
	}
	if rest, err := io.ReadAll(all); err != nil || len(rest) > 0 || string(read) != chatStream {
		t.Errorf("read %q, then %q, %v", read, rest, err)
	}
	e := g.Row()
	if !e.Streamed || !e.Success || count(t, e.Usage, sluice.Input) != 11 || count(t, e.Usage, sluice.Output) != 3 || e.Timeline.FirstToken <= 0 || e.Timeline.FirstToken > e.Timeline.End {
		t.Errorf("entry = %+v", e)
	}
}

func TestErrorsOfTheGateway(t *testing.T) { proxytest.Each(t, testErrorsOfTheGateway) }

func testErrorsOfTheGateway(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 200, nil, "x"), nil)
	tests := []struct {
		name, path string
		status     int
		code       int
		describes  string
		logged     bool
	}{
		{"an unknown provider", "/v1/default/default/nebius/v1/chat", 400, 2008, "nebius", true},
		{"the universal endpoint takes no GET", "/v1/default/default", 400, 2019, "POST", true},
		{"an unknown gateway names the setting that adds it", "/v1/default/prod/openai/x", 400, 2001, "accounts.default.gateways.prod", false},
		{"an unknown account names the setting that adds it", "/v1/3ebb6ac0/default/openai/x", 400, 2001, "accounts.default.aliases", false},
		{"a path that is none of ours", "/v2/x", 404, 7003, "/v1/", false},
		{"a path that leaves the provider's base", "/v1/default/default/openai/..%2f..%2fadmin", 400, 2019, "", true},
		{"hostile text is shown harmless", "/v1/default/default/%3Cscript%3E'%22/x", 400, 2008, "", true},
	}
	logged := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", g.URL+"/", nil)
			req.URL.Opaque = tt.path
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			var body struct {
				Success      bool
				Error        []struct{ Code int }
				HTTPCode     int
				InternalCode int
				Name         string
				Message      string
				Description  string
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || body.HTTPCode != tt.status || body.InternalCode != tt.code || len(body.Error) != 1 || body.Error[0].Code != tt.code ||
				body.Success || body.Name != "AiGatewayError" || body.Message == "" || !strings.Contains(body.Description, tt.describes) {
				t.Errorf("%d %+v", resp.StatusCode, body)
			}
			if strings.ContainsAny(body.Description, "<>\"") {
				t.Errorf("description = %q", body.Description)
			}
			if (resp.Header.Get("cf-aig-log-id") != "") != tt.logged {
				t.Errorf("cf-aig-log-id = %q; logged %v", resp.Header.Get("cf-aig-log-id"), tt.logged)
			}
			if resp.Header.Get("cf-aig-request-id") == "" || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("header = %v", resp.Header)
			}
			if tt.logged {
				logged++
				e := g.WaitRows(logged)[0].Entry
				if e.Status != tt.status || e.Success || e.Ending != sluice.EndingRefused {
					t.Errorf("entry = %+v", e)
				}
			}
		})
	}
	if got.method != "" {
		t.Errorf("the upstream got %+v", got)
	}
}

func TestUpstreamErrorPassesThrough(t *testing.T) { proxytest.Each(t, testUpstreamErrorPassesThrough) }

func testUpstreamErrorPassesThrough(t *testing.T, f proxytest.Front) {
	var got seen
	const body = `{"error":{"message":"slow down","type":"rate_limit_error"}}`
	g := f.New(t, record(&got, 429, map[string]string{"Retry-After": "7", "Content-Type": "application/json"}, body), nil)
	resp, answer, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"model":"m"}`))
	if err != nil || resp.StatusCode != 429 || string(answer) != body || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("%d %v %q %v", resp.StatusCode, resp.Header, answer, err)
	}
	e := g.Row()
	if e.Status != 429 || e.Success || e.Ending != sluice.EndingComplete || e.ErrorText != "slow down" || e.Usage.Known() {
		t.Errorf("entry = %+v", e)
	}
}

func TestErrorTextWithoutAMeter(t *testing.T) { proxytest.Each(t, testErrorTextWithoutAMeter) }

func testErrorTextWithoutAMeter(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 404, nil, `{"error":{"message":"no such thread"}}`), nil)
	_, _, _ = g.Do("GET", "openai/threads/t1", nil, nil)
	if e := g.Row(); e.ErrorText != "no such thread" || e.ErrorKind != "upstream_status" || e.Success {
		t.Errorf("entry = %+v", e)
	}
}

func TestStrictKeepsAnErrorEvent(t *testing.T) { proxytest.Each(t, testStrictKeepsAnErrorEvent) }

func testStrictKeepsAnErrorEvent(t *testing.T, f proxytest.Front) {
	const stream = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"
	var got seen
	g := f.New(t, record(&got, 200, map[string]string{"Content-Type": "text/event-stream"}, stream), func(c *config.Config) { c.Log.Durability = "strict" })
	_, _, _ = g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"stream":true}`))
	g.Close()
	if e := g.Row(); e.Ending != sluice.EndingErrorEvent || e.Success {
		t.Errorf("entry = %+v", e)
	}
}

func TestStrictCountsWhatFollowsTheEnd(t *testing.T) {
	proxytest.Each(t, testStrictCountsWhatFollowsTheEnd)
}

func testStrictCountsWhatFollowsTheEnd(t *testing.T, f proxytest.Front) {
	step := make(chan struct{})
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, chatStream)
		_ = http.NewResponseController(w).Flush()
		<-step
		_, _ = io.WriteString(w, ": bye\n\n")
	}, func(c *config.Config) { c.Log.Durability = "strict" })
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(`{"stream":true}`))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	part := make([]byte, len(chatStream))
	if _, err := io.ReadFull(resp.Body, part); err != nil {
		t.Fatal(err)
	}
	if rows := g.Rows(); len(rows) != 1 || rows[0].Entry.Finish != "stop" { // [DONE] came after the record
		t.Errorf("rows = %+v", rows)
	}
	close(step)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != ": bye\n\n" {
		t.Errorf("%q %v", rest, err)
	}
	g.Close()
	if e := g.Row(); e.Response.Size != int64(len(chatStream)+7) || !e.Success || count(t, e.Usage, sluice.Input) != 11 {
		t.Errorf("entry = %+v", e)
	}
}

func TestUpstreamIsRefusing(t *testing.T) { proxytest.Each(t, testUpstreamIsRefusing) }

func testUpstreamIsRefusing(t *testing.T, f proxytest.Front) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	g := f.Start(t, "http://"+addr, nil)
	resp, answer, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"model":"m"}`))
	if err != nil || resp.StatusCode != 400 || !bytes.Contains(answer, []byte(`"code":2005`)) || bytes.Contains(answer, []byte(addr)) {
		t.Errorf("%d %q %v", resp.StatusCode, answer, err)
	}
	e := g.Row()
	if e.Ending != sluice.EndingUnreachable || e.ErrorKind != "dial" || len(e.Attempts) != 1 || e.Attempts[0].Cause != "dial" {
		t.Errorf("entry = %+v", e)
	}
}

func TestNoFirstByteInTime(t *testing.T) { proxytest.Each(t, testNoFirstByteInTime) }

func testNoFirstByteInTime(t *testing.T, f proxytest.Front) {
	g := f.New(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}, nil)
	resp, _, err := g.Do("POST", "openai/chat/completions", http.Header{"Cf-Aig-Request-Timeout": {"20"}}, strings.NewReader(`{"model":"m"}`))
	if err != nil || resp.StatusCode != 408 {
		t.Errorf("%d %v", resp.StatusCode, err)
	}
	if e := g.Row(); e.Ending != sluice.EndingTimeout || e.Status != 408 || e.Attempts[0].Cause != "timeout" {
		t.Errorf("entry = %+v", e)
	}
}

func TestCutAnswerNeverLooksWhole(t *testing.T) { proxytest.Each(t, testCutAnswerNeverLooksWhole) }

func testCutAnswerNeverLooksWhole(t *testing.T, f proxytest.Front) {
	cut := func(w http.ResponseWriter, n int) {
		_, _ = io.WriteString(w, chatStream[:n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	t.Run("chunked", func(t *testing.T) {
		g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			cut(w, 200)
		}, nil)
		_, read, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"model":"m","stream":true}`))
		if err == nil || string(read) != chatStream[:200] {
			t.Errorf("read %q, %v; want the beginning and an error", read, err)
		}
		if e := g.Row(); e.Ending != sluice.EndingCut || e.Success || e.Status != 200 || e.ErrorText == "" {
			t.Errorf("entry = %+v", e)
		}
	})
	t.Run("with a length", func(t *testing.T) {
		g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "5000")
			cut(w, 200)
		}, nil)
		_, _, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"model":"m"}`))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("err = %v", err)
		}
		if e := g.Row(); e.Ending != sluice.EndingCut {
			t.Errorf("entry = %+v", e)
		}
	})
}

func TestUsageOfACutStreamIsPartial(t *testing.T) { proxytest.Each(t, testUsageOfACutStreamIsPartial) }

func testUsageOfACutStreamIsPartial(t *testing.T, f proxytest.Front) {
	usage := strings.LastIndex(chatStream, "data: [DONE]")
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, chatStream[:usage])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	_, _, _ = g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"stream":true}`))
	if e := g.Row(); count(t, e.Usage, sluice.Input) != 11 || e.Usage.Basis != sluice.BasisPartial {
		t.Errorf("usage = %+v", e.Usage)
	}
}

func TestErrorEventInsideAStream(t *testing.T) { proxytest.Each(t, testErrorEventInsideAStream) }

func testErrorEventInsideAStream(t *testing.T, f proxytest.Front) {
	const stream = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n"
	var got seen
	g := f.New(t, record(&got, 200, map[string]string{"Content-Type": "text/event-stream"}, stream), nil)
	_, read, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"stream":true}`))
	if err != nil || string(read) != stream {
		t.Errorf("read %q, %v", read, err)
	}
	if e := g.Row(); e.Ending != sluice.EndingErrorEvent || e.Success || e.ErrorText != "overloaded" {
		t.Errorf("entry = %+v", e)
	}
}

func TestClientLeaves(t *testing.T) { proxytest.Each(t, testClientLeaves) }

func testClientLeaves(t *testing.T, f proxytest.Front) {
	cancelled, called := make(chan struct{}), make(chan struct{}, 1)
	serve := func(head bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			called <- struct{}{}
			if head {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, chatStream[:200])
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
			cancelled <- struct{}{}
		}
	}
	for _, tt := range []struct {
		name   string
		head   bool
		status int
	}{{"before the answer", false, 499}, {"in the middle", true, 200}} {
		t.Run(tt.name, func(t *testing.T) {
			g := f.New(t, serve(tt.head), nil)
			ctx, leave := context.WithCancel(t.Context())
			req, _ := http.NewRequestWithContext(ctx, "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(`{"stream":true}`))
			left := make(chan struct{})
			go func() {
				defer close(left)
				resp, err := (&http.Transport{}).RoundTrip(req)
				if err == nil {
					part := make([]byte, 200)
					_, _ = io.ReadFull(resp.Body, part)
					leave()
					_ = resp.Body.Close()
				}
			}()
			<-called
			if !tt.head {
				leave()
			}
			<-cancelled // the provider's call is ended at once
			<-left
			leave()
			if e := g.Row(); e.Ending != sluice.EndingClientGone || e.Status != tt.status || e.Success {
				t.Errorf("entry = %+v", e)
			}
		})
	}
}

func TestShutdownBreaksStreamsOff(t *testing.T) { proxytest.Each(t, testShutdownBreaksStreamsOff) }

func testShutdownBreaksStreamsOff(t *testing.T, f proxytest.Front) {
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(`{}`))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	g.Abort()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
	if e := g.Row(); e.Ending != sluice.EndingShutdown {
		t.Errorf("entry = %+v", e)
	}
}

func TestGzipAnswerPassesEncodedAndIsCounted(t *testing.T) {
	proxytest.Each(t, testGzipAnswerPassesEncodedAndIsCounted)
}

func testGzipAnswerPassesEncodedAndIsCounted(t *testing.T, f proxytest.Front) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zip, chatAnswer)
	_ = zip.Close()
	var got seen
	g := f.New(t, record(&got, 200, map[string]string{"Content-Encoding": "gzip", "Content-Type": "application/json"}, packed.String()), nil)
	resp, read, err := g.Do("POST", "openai/chat/completions", http.Header{"Accept-Encoding": {"gzip, x-new"}}, strings.NewReader(`{}`))
	if err != nil || !bytes.Equal(read, packed.Bytes()) || resp.Header.Get("Content-Encoding") != "gzip" || got.header.Get("Accept-Encoding") != "gzip, x-new" {
		t.Errorf("%v %d bytes, %v; the upstream was asked for %q", resp.Header, len(read), err, got.header.Get("Accept-Encoding"))
	}
	if e := g.Row(); count(t, e.Usage, sluice.Input) != 11 || e.Response.Encoding != "gzip" {
		t.Errorf("entry = %+v", e)
	}
}

func TestUnreadableEncodingIsNoted(t *testing.T) { proxytest.Each(t, testUnreadableEncodingIsNoted) }

func testUnreadableEncodingIsNoted(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 200, map[string]string{"Content-Encoding": "x-secret"}, "??"), nil)
	_, read, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{}`))
	if err != nil || string(read) != "??" {
		t.Errorf("%q %v", read, err)
	}
	if e := g.Row(); !e.Success || e.Usage.Known() || len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "x-secret") {
		t.Errorf("entry = %+v", e)
	}
}

func TestModelIsFound(t *testing.T) { proxytest.Each(t, testModelIsFound) }

func testModelIsFound(t *testing.T, f proxytest.Front) {
	form := func() (string, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("model", "whisper-1")
		f, _ := w.CreateFormFile("file", "a.wav")
		_, _ = f.Write(bytes.Repeat([]byte{0, 1, 2}, 1000))
		_ = w.Close()
		return w.FormDataContentType(), b.String()
	}
	formType, formBody := form()
	tests := []struct {
		name, path, contentType, body, model string
		ambiguous                            bool
	}{
		{"JSON", "openai/chat/completions", "application/json", ` {"messages":[{"model":"no"}],"model":"m-1"}`, "m-1", false},
		{"an escaped name", "openai/chat/completions", "application/json", `{"m\u006fdel":"m-2"}`, "m-2", false},
		{"repeated: the last, as providers read it", "openai/chat/completions", "application/json", `{"model":"a","model":"b"}`, "b", true},
		{"another case is another key, and noted", "openai/chat/completions", "application/json", `{"model":"a","Model":"b"}`, "a", true},
		{"multipart", "openai/audio/transcriptions", formType, formBody, "whisper-1", false},
		{"not JSON", "openai/chat/completions", "text/plain", `model=x`, "", false},
		{"broken JSON", "openai/chat/completions", "application/json", `{"model":"a"`, "a", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got seen
			g := f.New(t, record(&got, 200, nil, "{}"), nil)
			_, _, err := g.Do("POST", tt.path, http.Header{"Content-Type": {tt.contentType}}, strings.NewReader(tt.body))
			if err != nil || string(got.body) != tt.body {
				t.Errorf("the upstream got %q, %v", got.body, err)
			}
			if e := g.Row(); e.Model != tt.model || slices.Contains(e.Notes, "ambiguous") != tt.ambiguous {
				t.Errorf("model = %q, notes = %q", e.Model, e.Notes)
			}
		})
	}
}

func TestBodies(t *testing.T) { proxytest.Each(t, testBodies) }

func testBodies(t *testing.T, f proxytest.Front) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // 320 KB
	tests := []struct {
		name   string
		change func(c *config.Config)
		note   string
	}{
		{"in memory", nil, ""},
		{"no room in memory: by way of the disk", func(c *config.Config) { c.Limits.MemoryBytes = 0 }, "spooled"},
		{"larger than the limit: passed through", func(c *config.Config) { c.Limits.BodyBytes = 100_000 }, "passed through"},
	}
	for _, tt := range tests {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %v", tt.name, chunked), func(t *testing.T) {
				var got seen
				g := f.New(t, record(&got, 200, nil, "{}"), func(c *config.Config) {
					c.Limits.MemoryBytes = 64 << 20
					if tt.change != nil {
						tt.change(c)
					}
				})
				if tt.note == "spooled" && !g.Memory.Take(1<<20) {
					t.Fatal("the pool is not empty")
				}
				var body io.Reader = bytes.NewReader(big)
				if chunked {
					body = struct{ io.Reader }{body}
				}
				resp, _, err := g.Do("POST", "openai/files", nil, body)
				if err != nil || resp.StatusCode != 200 || !bytes.Equal(got.body, big) {
					t.Fatalf("%d, the upstream got %d bytes, %v", resp.StatusCode, len(got.body), err)
				}
				row := g.WaitRows(1)[0]
				info := row.Entry.Request
				if info.Size != int64(len(big)) || info.Dropped != (tt.note == "spooled") {
					t.Errorf("logged %+v", info) // without room in memory the log does without the body
				}
				if !info.Dropped && !bytes.Equal(g.Body(row, reqlog.RequestSide), big) {
					t.Error("the stored body differs")
				}
				if tt.note != "" && !strings.Contains(strings.Join(row.Entry.Notes, ";"), tt.note) {
					t.Errorf("notes = %q", row.Entry.Notes)
				}
			})
		}
	}
}

func TestEarlyAnswerToALargeUpload(t *testing.T) { proxytest.Each(t, testEarlyAnswerToALargeUpload) }

func testEarlyAnswerToALargeUpload(t *testing.T, f proxytest.Front) {
	g := f.New(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"message":"no"}}`)
	}, func(c *config.Config) { c.Limits.BodyBytes = 1000 })
	upload, more := io.Pipe()
	defer func() { _ = more.Close() }()
	go func() {
		for piece := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := more.Write(piece); err != nil {
				return // the answer has come
			}
		}
	}()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/files", upload)
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if read, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 401 || !bytes.Contains(read, []byte("no")) {
		t.Errorf("%d %q %v", resp.StatusCode, read, err)
	}
	_ = upload.Close()
	if e := g.Row(); e.Status != 401 || e.Request.Size == 0 {
		t.Errorf("entry = %+v", e)
	}
}

func TestCosts(t *testing.T) { proxytest.Each(t, testCosts) }

func testCosts(t *testing.T, f proxytest.Front) {
	// gpt-4o: 2.50, 1.25 cached and 10 dollars a million: 7 × 2.5 + 4 × 1.25 + 3 × 10 = 52.5 millionths.
	answer := strings.Replace(chatAnswer, "gpt-test-2026", "gpt-4o-2024-08-06", 1)
	tests := []struct {
		name   string
		header http.Header
		answer string
		cost   sluice.NanoUSD
		basis  sluice.CostBasis
	}{
		{"by the catalogue, of the model that answered", nil, answer, 52_500, sluice.CostCatalogue},
		{"by the request's own price", http.Header{"Cf-Aig-Custom-Cost": {`{"per_token_in":1e-6,"per_token_out":2e-6}`}}, answer, 17_000, sluice.CostCustom},
		{"a model without a price is not free", nil, chatAnswer, 0, sluice.CostUnknown},
		{"an answer without usage is not free", nil, `{"model":"gpt-4o"}`, 0, sluice.CostUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got seen
			g := f.New(t, record(&got, 200, map[string]string{"Content-Type": "application/json"}, tt.answer), nil)
			_, _, _ = g.Do("POST", "openai/chat/completions", tt.header, strings.NewReader(`{"model":"x"}`))
			e := g.Row()
			if e.Cost != tt.cost || e.CostBasis != tt.basis || e.Priced != (tt.basis != sluice.CostUnknown) || len(e.Attempts) != 1 || e.Attempts[0].Cost != tt.cost {
				t.Errorf("cost = %d, basis %s, priced %v; want %d, %s", e.Cost, e.CostBasis, e.Priced, tt.cost, tt.basis)
			}
			if (e.Prices != "") != (tt.basis == sluice.CostCatalogue) {
				t.Errorf("prices = %q", e.Prices)
			}
		})
	}
}

func TestNoRoomAtAllIs503(t *testing.T) { proxytest.Each(t, testNoRoomAtAllIs503) }

func testNoRoomAtAllIs503(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 200, nil, "{}"), func(c *config.Config) {
		c.Limits.SpoolBytes, c.Limits.Wait = 0, time.Millisecond
	})
	if !g.Memory.Take(1 << 20) {
		t.Fatal("the pool is not empty")
	}
	resp, answer, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{}`))
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || got.method != "" {
		t.Errorf("%d %v %q %v", resp.StatusCode, resp.Header, answer, err)
	}
	g.Memory.Give(1 << 20)
	if resp, _, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{}`)); err != nil || resp.StatusCode != 200 {
		t.Errorf("with room again: %d %v", resp.StatusCode, err)
	}
}

func TestCollecting(t *testing.T) { proxytest.Each(t, testCollecting) }

func testCollecting(t *testing.T, f proxytest.Front) {
	tests := []struct {
		name         string
		header       http.Header
		row, payload bool
	}{
		{"by default all is kept", nil, true, true},
		{"no payload", http.Header{"Cf-Aig-Collect-Log-Payload": {"false"}}, true, false},
		{"no log", http.Header{"Cf-Aig-Collect-Log": {"false"}}, false, false},
		{"an invalid value is ignored", http.Header{"Cf-Aig-Collect-Log": {"maybe"}}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got seen
			g := f.New(t, record(&got, 200, map[string]string{"Content-Type": "application/json"}, chatAnswer), nil)
			resp, _, _ := g.Do("POST", "openai/chat/completions", tt.header, strings.NewReader(`{}`))
			if (resp.Header.Get("cf-aig-log-id") != "") != tt.row || resp.Header.Get("cf-aig-request-id") == "" {
				t.Errorf("header = %v", resp.Header)
			}
			g.Close()
			totals, err := g.Log.Totals(t.Context(), reqlog.TotalsQuery{Account: "default", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)})
			if err != nil || len(totals) != 1 || totals[0].Requests != 1 || totals[0].Tokens[sluice.Input] != 11 {
				t.Errorf("totals = %+v, %v: counted it is in any case", totals, err)
			}
			rows := g.Rows()
			if (len(rows) == 1) != tt.row {
				t.Fatalf("%d rows", len(rows))
			}
			if tt.row && (rows[0].Entry.Response.Stored > 0) != tt.payload {
				t.Errorf("response = %+v", rows[0].Entry.Response)
			}
		})
	}
}

func TestStrictRecordsBeforeTheEnd(t *testing.T) { proxytest.Each(t, testStrictRecordsBeforeTheEnd) }

func testStrictRecordsBeforeTheEnd(t *testing.T, f proxytest.Front) {
	for _, tt := range []struct{ name, contentType, body string }{
		{"unary", "application/json", chatAnswer},
		{"stream", "text/event-stream", chatStream},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got seen
			g := f.New(t, record(&got, 200, map[string]string{"Content-Type": tt.contentType}, tt.body), func(c *config.Config) { c.Log.Durability = "strict" })
			_, read, err := g.Do("POST", "openai/chat/completions", nil, strings.NewReader(`{"stream":true}`))
			if err != nil || string(read) != tt.body {
				t.Fatalf("%q %v", read, err)
			}
			rows := g.Rows() // no waiting: it was recorded before the client had it all
			if len(rows) != 1 || !rows[0].Entry.Success || count(t, rows[0].Entry.Usage, sluice.Output) != 3 {
				t.Fatalf("rows = %+v", rows)
			}
			if string(g.Body(rows[0], reqlog.ResponseSide)) != tt.body {
				t.Error("the stored answer differs")
			}
		})
	}
}

func TestEchoAnswersOffline(t *testing.T) { proxytest.Each(t, testEchoAnswersOffline) }

func testEchoAnswersOffline(t *testing.T, f proxytest.Front) {
	g := f.Start(t, "http://127.0.0.1:1", nil)
	resp, read, err := g.Do("POST", "echo/chat/completions", nil, strings.NewReader(`{"model":"echo-1","messages":[{"role":"user","content":"hello"}]}`))
	if err != nil || resp.StatusCode != 200 || !bytes.Contains(read, []byte("hello")) {
		t.Errorf("%d %q %v", resp.StatusCode, read, err)
	}
	if e := g.Row(); e.Provider != "echo" || e.Model != "echo-1" || !e.Usage.Known() || !e.Success {
		t.Errorf("entry = %+v", e)
	}
}

func TestCORS(t *testing.T) { proxytest.Each(t, testCORS) }

func testCORS(t *testing.T, f proxytest.Front) {
	var got seen
	upstream := record(&got, 204, map[string]string{"X-From": "upstream"}, "")
	ask := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization"}}
	t.Run("without a setting the question goes to the provider", func(t *testing.T) {
		g := f.New(t, upstream, nil)
		resp, _, _ := g.Do("OPTIONS", "openai/chat/completions", ask, nil)
		if resp.Header.Get("X-From") != "upstream" || got.method != "OPTIONS" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", resp.Header)
		}
	})
	t.Run("an origin that is allowed", func(t *testing.T) {
		g := f.New(t, upstream, func(c *config.Config) { c.CORS.Origins = []string{"https://app.example"} })
		resp, _, _ := g.Do("OPTIONS", "openai/chat/completions", ask, nil)
		h := resp.Header
		if resp.StatusCode != 204 || h.Get("X-From") != "" || h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Headers") != "authorization" {
			t.Errorf("%d %v", resp.StatusCode, h)
		}
		resp, _, _ = g.Do("GET", "openai/models", http.Header{"Origin": {"https://app.example"}}, nil)
		if resp.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
			t.Errorf("%v", resp.Header)
		}
	})
	t.Run("an origin that is not", func(t *testing.T) {
		g := f.New(t, upstream, func(c *config.Config) { c.CORS.Origins = []string{"https://other.example"} })
		resp, _, _ := g.Do("OPTIONS", "openai/chat/completions", ask, nil)
		if resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("X-From") != "" {
			t.Errorf("%v", resp.Header)
		}
	})
}

func TestCustomHost(t *testing.T) { proxytest.Each(t, testCustomHost) }

func testCustomHost(t *testing.T, f proxytest.Front) {
	var got seen
	g := f.New(t, record(&got, 200, nil, "{}"), func(c *config.Config) {
		c.Hosts = map[string]config.Host{"AI.example.com": {Account: "default", Gateway: "default"}}
	})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/openai/v1/chat/completions", strings.NewReader(`{}`))
	req.Host = "ai.EXAMPLE.com:8088"
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 || got.target != "/v1/chat/completions" {
		t.Errorf("%d, the upstream got %s", resp.StatusCode, got.target)
	}
}

func TestTrailersPassBothWays(t *testing.T) { proxytest.Each(t, testTrailersPassBothWays) }

func testTrailersPassBothWays(t *testing.T, f proxytest.Front) {
	var trailer http.Header
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		trailer = r.Trailer
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
	}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/files", io.MultiReader(strings.NewReader("data")))
	req.Trailer = http.Header{"X-Check": {"7"}}
	req.ContentLength = -1
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if read, err := io.ReadAll(resp.Body); err != nil || string(read) != "body" || resp.Trailer.Get("X-Sum") != "42" || trailer.Get("X-Check") != "7" {
		t.Errorf("%q %v; trailers %v and %v", read, err, resp.Trailer, trailer)
	}
}

func TestHeadAndEmptyAnswers(t *testing.T) { proxytest.Each(t, testHeadAndEmptyAnswers) }

func testHeadAndEmptyAnswers(t *testing.T, f proxytest.Front) {
	for _, status := range []int{200, 204, 304, 307} {
		for _, method := range []string{"HEAD", "GET"} {
			var got seen
			header := map[string]string{"Location": "https://elsewhere.example/"}
			if method == "HEAD" && status == 200 {
				header["Content-Length"] = "1234"
			}
			g := f.New(t, record(&got, status, header, ""), nil)
			resp, read, err := g.Do(method, "openai/models", nil, nil)
			if err != nil || resp.StatusCode != status || len(read) > 0 || resp.Header.Get("Location") != header["Location"] {
				t.Errorf("%s %d: %d %q %v", method, status, resp.StatusCode, read, err)
			}
			if want := header["Content-Length"]; want != "" && resp.Header.Get("Content-Length") != want {
				t.Errorf("Content-Length = %q", resp.Header.Get("Content-Length"))
			}
		}
	}
}
