package edges

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestStatusCountsWhatHasNoRow: requests that are refused before there is a gateway are no log entries.
func TestStatusCountsWhatHasNoRow(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for _, request := range []string{
		"POST " + chatPath + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"POST " + chatPath + " HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
		"GET " + root + " HTTP/9.9\r\nHost: h\r\n\r\n",
	} {
		if m, err := rawhttp.Do(p.Addr, request); err != nil || m.Status() < 400 {
			t.Fatalf("got %v, %v; want a refusal", m, err)
		}
	}
	p.silent(t)
	status, _, body, err := p.Get("/status")
	if err != nil || status != 200 {
		t.Fatalf("status: %d, %v", status, err)
	}
	var s struct {
		Result struct {
			Refused []struct {
				Status int
				Count  int64
			}
			Panics int64
		}
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	if r := s.Result.Refused; len(r) != 2 || r[0].Status != 400 || r[0].Count != 2 || r[1].Status != 505 || r[1].Count != 1 || s.Result.Panics != 0 {
		t.Errorf("status: %s", body)
	}
	if out, code := gateway.Run(t, "status", "--url", "http://"+p.Addr); code != 0 || !strings.Contains(out, "2 with 400, 1 with 505") {
		t.Errorf("%d: %s", code, out)
	}
}
