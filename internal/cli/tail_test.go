package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/cli"
)

// streamOnce serves text as a stream of events, and refuses who comes back.
func streamOnce(t *testing.T, text string) *httptest.Server {
	t.Helper()
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") || calls.Add(1) > 1 {
			http.Error(w, `{"success":false,"errors":[{"code":7001,"message":"no more"}]}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

const tailEvents = `event: tick
id: 1-0-0
data: {"time":"2026-01-02T12:00:00.000Z"}

event: open
data: {"sub":"tail","matches":true,"log":{"id":"a","created_at":"2026-01-02T12:00:00.000Z","ending":"in_flight","status_code":200,"provider":"openai","model":"m"}}

event: hello
id: 1-0-0-7
data: {"cause":"no_path","status_code":404,"method":"POST","path":"/chat/completions","hint":"the base URL\u001b[31m","snippet":"curl x","log_id":null}

event: hello
id: 1-0-0-8
data: {"cause":"unauthorized","status_code":401,"method":"POST","path":"/v1/default/x","hint":"shown as a row","snippet":null,"log_id":"b"}

event: close
id: 1-0-1-8
data: {"sub":"tail","matches":true,"log":{"id":"a","created_at":"2026-01-02T12:00:00.000Z","ending":"complete","success":true,"status_code":200,"provider":"openai","model":"m"}}

event: delete
id: 1-0-2-8
data: {"ids":["a"]}

`

func tail(t *testing.T, args ...string) result {
	t.Helper()
	s := streamOnce(t, tailEvents)
	return run(t, cli.Env{Environ: []string{"SLUICE_URL=" + s.URL}}, append([]string{"logs", "tail"}, args...)...)
}

func TestATailTellsOfCallsThatHaveNoRow(t *testing.T) {
	r := tail(t, "--jsonl")
	if n := strings.Count(r.out, "\n"); n != 1 || !strings.Contains(r.out, `"complete"`) {
		t.Errorf("%d lines: %s", n, r.out)
	}
	if !strings.Contains(r.err, "404 POST /chat/completions: the base URL") || !strings.Contains(r.err, "curl x") || strings.Contains(r.err, "\x1b[31m") || strings.Contains(r.err, "shown as a row") {
		t.Errorf("told: %q", r.err)
	}
}

func TestATailOfAllEvents(t *testing.T) {
	r := tail(t, "--jsonl", "--events")
	var kinds []string
	for line := range strings.Lines(r.out) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(line, `{"event":"`), `"`)
		kinds = append(kinds, kind)
	}
	if got := strings.Join(kinds, " "); got != "tick open hello hello close delete" {
		t.Errorf("%s: %s", got, r.out)
	}
	r = tail(t, "--events")
	if strings.Count(r.out, "openai/m") != 2 || !strings.Contains(r.err, "deleted: a") {
		t.Errorf("%s %s", r.out, r.err)
	}
}
