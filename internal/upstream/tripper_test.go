package upstream_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/upstream"
)

func TestLibrariesSpeakThroughAClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Header.Get("X-A")+" "+string(body))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	c := upstream.New(upstream.Options{})
	defer c.Close()
	for _, private := range []bool{true, false} {
		client := &http.Client{Transport: &upstream.Tripper{Doer: c, Timeouts: upstream.Timeouts{Total: time.Minute}, Private: private}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/a%20b?c=d", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-A", "1")
		resp, err := client.Do(r)
		if !private {
			if err == nil {
				resp.Body.Close()
				t.Error("the rule of addresses does not hold")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusTeapot || string(text) != "answer" || err != nil || resp.Header.Get("X-Seen") != "POST /a%20b?c=d 1 body" {
			t.Errorf("%d %s %v %v", resp.StatusCode, text, resp.Header, err)
		}
	}
}
