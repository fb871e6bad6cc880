package price

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rows makes a list of n models.
func rows(n int, input int64) []string {
	var all []string
	for i := range n {
		all = append(all, rowAt(fmt.Sprintf("m%03d", i), input))
	}
	return all
}

func TestAcceptOver(t *testing.T) {
	old := mustParse(t, list("2026-11-24", rows(100, 1000)...))
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"the same":         {list("2026-11-24", rows(100, 1000)...), true},
		"newer and larger": {list("2026-11-25", rows(120, 1000)...), true},
		"a little smaller": {list("2026-11-25", rows(90, 1000)...), true},
		"much smaller":     {list("2026-11-25", rows(89, 1000)...), false},
		"older":            {list("2026-11-23", rows(100, 1000)...), false},
		"half as dear":     {list("2026-11-25", rows(100, 500)...), true},
		"another unit":     {list("2026-11-25", rows(100, 1000_000)...), false},
		"unit, downwards":  {list("2026-11-25", rows(100, 1)...), false},
		"one moved far":    {list("2026-11-25", append(rows(99, 1000), rowAt("m099", 99_000))...), true},
		"provider lost":    {strings.ReplaceAll(list("2026-11-25", rows(100, 1000)...), `"id":"p"`, `"id":"q"`), false},
	} {
		err := mustParse(t, test.text).AcceptOver(old)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := old.AcceptOver(nil); err != nil {
		t.Errorf("over nothing: %v", err)
	}
}

// feed is a server of one price list.
type feed struct {
	mu     sync.Mutex
	body   string
	etag   string
	status int
	hits   int
}

func (f *feed) set(body, etag string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body, f.etag, f.status = body, etag, status
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hits++
	if f.etag != "" && r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("ETag", f.etag)
	w.WriteHeader(f.status)
	io.WriteString(w, f.body)
}

// fetchWith is a Fetch as an app would write it.
func fetchWith(client *http.Client) Fetch {
	return func(ctx context.Context, url, etag string) (Fetched, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return Fetched{}, err
		}
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		resp, err := client.Do(req)
		if err != nil {
			return Fetched{}, err
		}
		if resp.StatusCode == http.StatusNotModified {
			resp.Body.Close()
			return Fetched{Unchanged: true}, nil
		}
		if resp.StatusCode != http.StatusOK {
			resp.Body.Close()
			return Fetched{}, errors.New(resp.Status)
		}
		return Fetched{Body: resp.Body, ETag: resp.Header.Get("ETag")}, nil
	}
}

func TestRefreshKeepsTheLastGoodList(t *testing.T) {
	f := &feed{}
	server := httptest.NewServer(f)
	defer server.Close()
	start := mustParse(t, list("2026-11-24", rows(100, 1000)...))
	s := NewStore(start, nil, fetchWith(server.Client()))
	if st := s.State(); !st.Tried.IsZero() || st.Err != nil || st.Version != "t" {
		t.Errorf("state at the start: %+v", st)
	}
	better := list("2026-11-25", rows(110, 1000)...)
	for i, step := range []struct {
		name, body, etag string
		status           int
		ok               bool
		models           int
	}{
		{"truncated", better[:len(better)-10], "", 200, false, 100},
		{"no JSON", "<html>", "", 200, false, 100},
		{"error", "oops", "", 500, false, 100},
		{"one bad brace", strings.Replace(better, "{", "[", 1), "", 200, false, 100},
		{"smaller", list("2026-11-25", rows(10, 1000)...), "", 200, false, 100},
		{"older", list("2026-11-23", rows(100, 1000)...), "", 200, false, 100},
		{"too large", strings.Repeat(" ", MaxBytes+1), "", 200, false, 100},
		{"good", better, `"one"`, 200, true, 110},
		{"unchanged", "this is not read", `"one"`, 200, true, 110},
		{"broken again", "[", `"two"`, 200, false, 110},
		{"good again", list("2026-11-26", rows(111, 1000)...), `"three"`, 200, true, 111},
	} {
		now := noon.Add(time.Duration(i) * time.Hour)
		before := s.Load()
		f.set(step.body, step.etag, step.status)
		st, err := s.Refresh(t.Context(), server.URL+"/prices.json?token=secret", now)
		if (err == nil) != step.ok || s.Load().Len() != step.models {
			t.Errorf("%s: error %v, %d models", step.name, err, s.Load().Len())
		}
		if !errors.Is(st.Err, err) || st != s.State() || !st.Tried.Equal(now) {
			t.Errorf("%s: state %+v", step.name, st)
		}
		if err != nil && (s.Load() != before || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: the list changed, or the error tells too much: %v", step.name, err)
		}
	}
	if st := s.State(); !st.Changed.Equal(noon.Add(10*time.Hour)) || !st.Date.Equal(time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("state at the end: %+v", st)
	}
}

func TestRefreshFromAFileKeepsOverrides(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	s := NewStore(mustParse(t, list("2026-11-24", row("a"))), []Override{over(t, "p", "a", "", "", map[string]string{"input": "7"})}, nil)
	input := func(model string) int64 {
		p, _, _ := s.Load().Find("p", model, noon)
		n, _ := p.Rate(0)
		return n
	}
	if _, err := s.Refresh(t.Context(), path, noon); err == nil {
		t.Error("a file that is not there")
	}
	if err := os.WriteFile(path, []byte(list("2026-11-25", row("a"), rowAt("b", 2))), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, "file://" + path} {
		if _, err := s.Refresh(t.Context(), from, noon); err != nil {
			t.Fatal(err)
		}
	}
	if input("a") != 7_000_000_000 || input("b") != 2 {
		t.Errorf("a costs %d, b %d", input("a"), input("b"))
	}
	s.Override(nil)
	if input("a") != 1_000_000_000 || input("b") != 2 {
		t.Errorf("without overrides a costs %d, b %d", input("a"), input("b"))
	}
	if _, err := s.Refresh(t.Context(), "https://prices.example/", noon); err == nil {
		t.Error("a URL without a fetch")
	}
}

func TestRefreshWhileOthersRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(list("2026-11-25", rows(50, 1000)...)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := NewStore(mustParse(t, list("2026-11-24", rows(50, 1000)...)), nil, nil)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 1000 {
				if _, _, ok := s.Load().Find("p", "m007", noon); !ok {
					t.Error("no price while the list is changed")
					return
				}
			}
		})
	}
	for range 20 {
		if _, err := s.Refresh(t.Context(), path, noon); err != nil {
			t.Error(err)
		}
		s.Override(nil)
	}
	readers.Wait()
}

func TestAFetchThatLiesIsRefused(t *testing.T) {
	old := mustParse(t, list("2026-11-24", row("a")))
	for name, got := range map[string]Fetched{"unchanged, but nothing was known": {Unchanged: true}, "no body": {}} {
		s := NewStore(old, nil, func(context.Context, string, string) (Fetched, error) { return got, nil })
		if _, err := s.Refresh(t.Context(), "https://prices.example/", noon); err == nil || s.Load() != old {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
