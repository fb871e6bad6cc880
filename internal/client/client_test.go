package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server and a client for it.
func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return newClient(t, client.Options{URL: s.URL + "/base/", Token: sluice.NewSecret("tok"), Gateway: "prod", Agent: "test/1"})
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const api = "/base/client/v4/accounts/default/ai-gateway"

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"127.0.0.1:8088", "ftp://h", "http://", "http://u:p@h", "http://h?q", "http://h/#f", "://"} {
		if _, err := client.New(client.Options{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	c := newClient(t, client.Options{URL: "https://h:1/ai/"})
	if got := c.Endpoint("prod", "openai"); got != "https://h:1/ai/v1/default/prod/openai" {
		t.Errorf("endpoint %s", got)
	}
}

func TestListPagesByCursor(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != api+"/gateways/prod/logs" || r.Header.Get("Authorization") != "Bearer tok" || r.Header.Get("User-Agent") != "test/1" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		asked = append(asked, r.URL.Query().Encode())
		page, _ := map[string]string{
			"":    `{"success":true,"result":[{"id":"1","cost":0.000000001,"status_code":200},{"id":"2","cost":null}],"result_info":{"next":"n.2","approx_total":3,"total_exact":true}}`,
			"n.2": `{"success":true,"result":[{"id":"3"}],"result_info":{"next":null,"approx_total":null}}`,
		}[r.URL.Query().Get("cursor")]
		answer(w, 200, page)
	})
	var got []string
	for e, err := range c.All(t.Context(), client.LogQuery{Filter: "status:error", Range: "24h", Limit: 2, Fields: []string{"id", "cost"}}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		cost := "null"
		if e.Cost != nil {
			cost = e.Cost.String()
		}
		got = append(got, e.ID+" "+cost)
	}
	if diff := cmp.Diff([]string{"1 0.000000001", "2 null", "3 null"}, got); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"basis=requests&fields=id%2Ccost&order_by_direction=desc&per_page=2&q=status%3Aerror&range=24h",
		"basis=requests&cursor=n.2&fields=id%2Ccost&order_by_direction=desc&per_page=2&q=status%3Aerror&range=24h",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	n := 0
	for range c.All(t.Context(), client.LogQuery{Limit: 2}, 1) {
		n++
	}
	if n != 1 {
		t.Errorf("%d entries of at most 1", n)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   client.APIError
	}{
		{
			"of the management API", 400,
			`{"success":false,"errors":[{"code":7001,"message":"no","field":"q","hint":"so"}],"result":null}`,
			client.APIError{Status: 400, Code: 7001, Message: "no", Field: "q", Hint: "so"},
		},
		{
			"of the data plane", 400,
			`{"success":false,"error":[{"code":2001,"message":"Please configure"}],"description":"add it"}`,
			client.APIError{Status: 400, Code: 2001, Message: "Please configure", Hint: "add it"},
		},
		{"of a provider", 401, `{"error":{"message":"bad key","code":"x"}}`, client.APIError{Status: 401, Message: "bad key"}},
		{"of a provider, as a text", 500, `{"error":"oh"}`, client.APIError{Status: 500, Message: "oh"}},
		{"without JSON", 502, `<html>`, client.APIError{Status: 502, Message: "the answer was 502 Bad Gateway"}},
		{"by a redirect", 302, ``, client.APIError{Status: 302, Message: "the answer was 302 Found"}},
		{"by another server", 200, `{"hello":1}`, client.APIError{Status: 200, Hint: "is the address right, with the base path?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				answer(w, tt.status, tt.body)
			})
			_, err := c.Status(t.Context())
			got, ok := errors.AsType[*client.APIError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if tt.want.Message == "" {
				got.Message = ""
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c := newClient(t, client.Options{URL: "http://" + l.Addr().String()})
	_, err = c.Status(t.Context())
	if _, ok := errors.AsType[*client.UnreachableError](err); !ok {
		t.Errorf("got %v", err)
	}
	for _, err := range c.Tail(t.Context(), client.TailQuery{}) {
		if _, ok := errors.AsType[*client.UnreachableError](err); !ok {
			t.Errorf("tail: got %v", err)
		}
	}
}

// tailServer breaks the connection after each of its scripts, and notes where the client resumed.
type tailServer struct {
	mu      sync.Mutex
	scripts []string
	resumed []string
}

func (s *tailServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
	script := ""
	if len(s.scripts) > 0 {
		script, s.scripts = s.scripts[0], s.scripts[1:]
	}
	s.mu.Unlock()
	if script == "503" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, script)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestTailResumesWhereItStood(t *testing.T) {
	script := &tailServer{scripts: []string{
		"event: tick\nid: 1-0-0\ndata: {}\n\n" +
			"event: close\nid: 1-0-1\ndata: {\"sub\":\"tail\",\"matches\":true,\"log\":{\"id\":\"a\"}}\n\n" +
			"event: close\nid: 1-0-2\ndata: {\"sub\":\"tail\",\"matches\":false,\"log\":{\"id\":\"b\"}}\n\n" +
			"event: close\nid: 1-0-3\ndata: {\"log\":{\"id\":\"never whole\"",
		"503",
		"event: resync\r\nid: 2-0-0\r\ndata: {}\r\n\r\n: comment\n\nevent: drop\ndata: {\"sub\":\"tail\",\"n\":7}\n\nevent: unknown\nid: 2-0-1\ndata: x\n\n",
		"event: open\nid: 2-0-2\ndata: {\"log\":{\"id\":\"c\"},\"matches\":true}\n\n",
	}}
	c := serve(t, script.ServeHTTP)
	var got []string
	for e, err := range c.Tail(t.Context(), client.TailQuery{Filter: "status:error"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %v %d", e.Kind, e.Entry.ID, e.Matches, e.Dropped))
		if e.Entry.ID == "c" {
			break
		}
	}
	want := []string{
		"connected  false 0", "tick  false 0", "close a true 0", "close b false 0", "lost  false 0",
		"lost  false 0",
		"connected  false 0", "resync  false 0", "drop  false 7", "lost  false 0",
		"connected  false 0", "open c true 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "1-0-2", "1-0-2", "2-0-1"}, script.resumed); diff != "" {
		t.Error(diff)
	}
}

func TestTailEndsWithItsContextAndWithARefusal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "event: tick\nid: 1-0-0\ndata: {}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for e, err := range c.Tail(ctx, client.TailQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == client.EventTick {
			cancel()
		}
	}
	refusing := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 401, `{"errors":[{"code":10000,"message":"no"}]}`)
	})
	n := 0
	for _, err := range refusing.Tail(t.Context(), client.TailQuery{}) {
		n++
		if _, ok := errors.AsType[*client.APIError](err); !ok {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d events of a refusal", n)
	}
}

func TestBodies(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+" "+r.URL.Query().Get("encoding"))
	})
	for _, tt := range []struct {
		side   client.Side
		decode bool
		want   string
	}{
		{client.RequestBody, true, api + "/gateways/prod/logs/x%2Fy/request identity"},
		{client.ResponseBody, false, api + "/gateways/prod/logs/x%2Fy/response "},
	} {
		body, err := c.LogBody(t.Context(), "x/y", tt.side, tt.decode)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		_ = body.Close()
		if want := strings.ReplaceAll(tt.want, "%2F", "/"); err != nil || string(text) != want {
			t.Errorf("got %q, %v; want %q", text, err, want)
		}
	}
}

func TestStatsAndStatus(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case api + "/analytics":
			if got := r.URL.Query().Encode(); got != "gateway=prod&group=model&interval=none&limit=3&metric=requests%2Ccost&range=7d" {
				t.Error(got)
			}
			answer(w, 200, `{"result":{"series":[{"metric":"cost","key":"m","values":[1.5],"total":null}],"unpriced":2}}`)
		case api + "/status":
			answer(w, 200, `{"result":{"version":"1.2","gateways":[{"id":"prod","last_minute":null}],"log":{"state":"ok"}}}`)
		case api + "/gateways/prod/url/openai":
			answer(w, 200, `{"result":"http://h/v1"}`)
		default:
			t.Error(r.URL.Path)
		}
	})
	s, err := c.Stats(t.Context(), client.StatsQuery{Metrics: []string{"requests", "cost"}, Group: "model", Range: "7d", Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	if s.Unpriced != 2 || s.Series[0].Total != nil || *s.Series[0].Values[0] != json.Number("1.5") {
		t.Errorf("%+v", s)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.Version != "1.2" || st.Log.State != "ok" || len(st.Raw) == 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if u, err := c.GatewayURL(t.Context(), "prod", "openai"); err != nil || u != "http://h/v1" {
		t.Errorf("%q, %v", u, err)
	}
}

func TestTraceShowsNoToken(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"result":{}}`) }))
	defer s.Close()
	var seen []string
	c := newClient(t, client.Options{URL: s.URL, Token: sluice.NewSecret("canary"), Trace: func(method, url string, status int, err error) {
		seen = append(seen, fmt.Sprint(method, " ", url, " ", status, " ", err))
	}})
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || strings.Contains(seen[0], "canary") || !strings.Contains(seen[0], "GET "+s.URL) {
		t.Errorf("trace %q", seen)
	}
}
