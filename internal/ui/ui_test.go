package ui

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// built is what a build leaves, in small.
func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":           {Data: []byte(`<base href="/ui/" /><script nonce="__NONCE__"></script>`)},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/index-1.js":    {Data: []byte("plain")},
		"assets/index-1.js.gz": {Data: []byte("gzipped")},
		"assets/index-1.js.br": {Data: []byte("brotlied")},
	}
}

func get(t *testing.T, h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFiles(t *testing.T) {
	h := Handler(built(), func() string { return "" })
	for name, c := range map[string]struct {
		target, accept        string
		status                int
		body, coding, caching string
	}{
		"brotli before gzip":        {"/ui/assets/index-1.js", "gzip, br", 200, "brotlied", "br", "public, max-age=31536000, immutable"},
		"gzip":                      {"/ui/assets/index-1.js", "gzip;q=0.5", 200, "gzipped", "gzip", "public, max-age=31536000, immutable"},
		"a coding that is refused":  {"/ui/assets/index-1.js", "br;q=0", 200, "plain", "", "public, max-age=31536000, immutable"},
		"as it is":                  {"/ui/assets/index-1.js", "", 200, "plain", "", "public, max-age=31536000, immutable"},
		"no twin":                   {"/ui/favicon.svg", "br", 200, "<svg/>", "", "no-cache"},
		"an asset of another build": {"/ui/assets/index-0.js", "", 404, "this build has no such file; reload the page\n", "", ""},
		"a twin under its own name": {"/ui/assets/index-1.js.br", "", 404, "this build has no such file; reload the page\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := get(t, h, c.target, "Accept-Encoding", c.accept)
			if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Encoding") != c.coding {
				t.Errorf("%d %q, coding %q; want %d %q, coding %q", w.Code, w.Body, w.Header().Get("Content-Encoding"), c.status, c.body, c.coding)
			}
			if got := w.Header().Get("Cache-Control"); got != c.caching {
				t.Errorf("Cache-Control %q; want %q", got, c.caching)
			}
		})
	}
}

// TestApplication: whatever is no file is the application's page, which says where its files are.
func TestApplication(t *testing.T) {
	for name, c := range map[string]struct{ base, forwarded, want string }{
		"at the root":             {"", "", "/ui/"},
		"below the base path":     {"/a/b", "", "/a/b/ui/"},
		"behind a proxy":          {"", "/x/y/", "/x/y/ui/"},
		"both":                    {"/a", "/x", "/x/a/ui/"},
		"a prefix that is a host": {"", "//evil.example", "/ui/"},
		"a prefix with markup":    {"", `/"><script>`, "/ui/"},
		"a prefix that climbs":    {"", "/a/../b", "/ui/"},
	} {
		t.Run(name, func(t *testing.T) {
			h := Handler(built(), func() string { return c.base })
			for _, page := range []string{"/ui/", "/ui/g/default/logs", "/ui/g/a%2Fb/logs/..", "/ui/index.html"} {
				w := get(t, h, page, "X-Forwarded-Prefix", c.forwarded)
				if want := `<base href="` + c.want + `"`; w.Code != 200 || !strings.Contains(w.Body.String(), want) {
					t.Errorf("%s: %d %s; want %s", page, w.Code, w.Body, want)
				}
				if got := w.Header().Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s: Cache-Control %q", page, got)
				}
			}
		})
	}
}

// TestNonce: each answer has a nonce of its own, the same in the page and in the policy.
func TestNonce(t *testing.T) {
	h := Handler(built(), func() string { return "" })
	nonce := regexp.MustCompile(`nonce="([\w-]{24})"`)
	seen := map[string]bool{}
	for range 2 {
		w := get(t, h, "/ui/")
		m := nonce.FindStringSubmatch(w.Body.String())
		if m == nil {
			t.Fatalf("no nonce in %s", w.Body)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"script-src 'self' 'nonce-" + m[1] + "'", "style-src 'self' 'nonce-" + m[1] + "'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("policy %q lacks %q", policy, want)
			}
		}
		seen[m[1]] = true
	}
	if len(seen) != 2 {
		t.Errorf("nonces %v; want two", seen)
	}
}

func TestMethods(t *testing.T) {
	h := Handler(built(), func() string { return "/x" })
	r := httptest.NewRequest(http.MethodPost, "/ui/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := get(t, h, "/ui"); w.Code != http.StatusFound || w.Header().Get("Location") != "/x/ui/" {
		t.Errorf("/ui: %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestNotBuilt: a program without pages says how to get them.
func TestNotBuilt(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"no pages":    Handler(nil, func() string { return "" }),
		"empty pages": Handler(fstest.MapFS{"README": {}}, func() string { return "" }),
	} {
		w := get(t, h, "/ui/g/default/logs")
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "make build") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
