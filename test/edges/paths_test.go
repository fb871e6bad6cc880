package edges

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestPathsThatLeadElsewhere: no spelling of a path leaves the provider's base.
func TestPathsThatLeadElsewhere(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for _, path := range []string{
		"/../admin", "/..", "/.", "/./models", "/models/..", "/models/../../x", "/a/b/../../../../x", "//../x", "/..;/x", "/..;a=b/x",
		"/%2e%2e/x", "/%2E%2E/x", "/.%2e/x", "/%2e./x", "/%2e/x", "/a/%2e%2e%2fx", "/a%2f..%2f..%2fx", "/a%2F%2E%2E%2Fx",
		"/..%2fx", "/..%5cx", "/%2e%2e%5cx", "/..\\x", "/a\\..\\x", "/a%5c..%5cx", "/..%2f..%2f..%2fetc/passwd",
		"/%", "/%2", "/%zz", "/a%0", "/%u002e%u002e/x",
	} {
		t.Run(path, func(t *testing.T) {
			m, err := rawhttp.Do(p.Addr, "GET "+root+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if err != nil || m.Status() != 400 {
				t.Errorf("got %v, %v; want 400", m, err)
			}
			p.silent(t)
		})
	}
}

// TestPathsThatStay: what looks odd and leads nowhere else arrives as it was sent.
func TestPathsThatStay(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for sent, want := range map[string]string{
		"/models/a%2Fb":                        "/v1/models/a%2Fb",
		"/models/a%2fb":                        "/v1/models/a%2fb",
		"/models/%252e%252e/x":                 "/v1/models/%252e%252e/x", // escaped twice is a name
		"/models/...":                          "/v1/models/...",
		"/models/..a":                          "/v1/models/..a",
		"/models/a..":                          "/v1/models/a..",
		"/models/.hidden":                      "/v1/models/.hidden",
		"/models/%0d%0aX-Injected:%201":        "/v1/models/%0d%0aX-Injected:%201",
		"/models/%00":                          "/v1/models/%00",
		"/models?x=../../y":                    "/v1/models?x=../../y",
		"/models?x=%0d%0aX-Injected:%201":      "/v1/models?x=%0d%0aX-Injected:%201",
		"/models?x=1%20HTTP/1.1%0d%0aHost:%20": "/v1/models?x=1%20HTTP/1.1%0d%0aHost:%20",
		"/models/http://evil.example/":         "/v1/models/http://evil.example/",
		"/@evil.example/":                      "/v1/@evil.example/",
		"//evil.example/":                      "/v1//evil.example/",
		"/:80/":                                "/v1/:80/",
	} {
		t.Run(sent, func(t *testing.T) {
			m, err := rawhttp.Do(p.Addr, "GET "+root+sent+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if err != nil || m.Status() != 200 {
				t.Fatalf("got %v, %v; want 200", m, err)
			}
			seen := p.up.Take()
			if len(seen) != 1 || seen[0].Target() != want || seen[0].Get("Host") != p.up.Addr || seen[0].Get("X-Injected") != "" {
				t.Errorf("the upstream got %+v, want %s", seen, want)
			}
		})
	}
}

// TestTheAbsoluteForm: a client that takes the gateway for a proxy gets no further than the gateway.
func TestTheAbsoluteForm(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	evil := upstream.New(t, upstream.JSON(200, "{}"))
	for target, status := range map[string]int{
		"http://" + evil.Addr + root + "/models":           200, // RFC 9112, 3.2.2: it must be understood
		"http://" + evil.Addr + "/nothing":                 404,
		"http://u:p@" + evil.Addr + root + "/models":       400,
		"ftp://" + evil.Addr + root + "/models":            400,
		"http://" + root + "/models":                       400,
		"http://" + evil.Addr + root + "/../../../x":       400,
		"https://" + evil.Addr + root + "/models?a=b%23#c": 400,
	} {
		t.Run(target, func(t *testing.T) {
			m, err := rawhttp.Do(p.Addr, "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if err != nil || m.Status() != status {
				t.Errorf("got %v, %v; want %d", m, err, status)
			}
			seen := p.up.Take()
			if status != 200 && len(seen) > 0 || status == 200 && (len(seen) != 1 || seen[0].Target() != "/v1/models" || seen[0].Get("Host") != p.up.Addr) {
				t.Errorf("the upstream got %+v", seen)
			}
			if len(evil.Take()) > 0 {
				t.Error("the gateway called what the target names")
			}
		})
	}
}

// TestHeaderInjection: no value that a client chooses becomes a field line of its own, on either side.
func TestHeaderInjection(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for name, field := range map[string]string{
		"an event id that is echoed": "cf-aig-event-id: a%0d%0aX-Injected: 1",
		"a unicode line separator":   "X-A: a\xe2\x80\xa8X-Injected: 1",
		"a next line character":      "X-A: a\xc2\x85X-Injected: 1",
		"bytes that end in CR LF":    "X-A: \xe5\x98\x8d\xe5\x98\x8aX-Injected: 1", // U+560D U+560A, cut to a byte each
		"metadata":                   "cf-aig-metadata: {\"a\":\"\\r\\nX-Injected: 1\"}",
		"a trace id":                 "cf-aig-otel-trace-id: \\r\\nX-Injected: 1",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := rawhttp.Do(p.Addr, "GET "+root+"/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+field+"\r\n\r\n")
			if err != nil || m.Status() != 200 {
				t.Fatalf("got %v, %v; want 200", m, err)
			}
			seen := p.up.Take()
			if len(seen) != 1 {
				t.Fatalf("the upstream got %d requests", len(seen))
			}
			if name, value, _ := strings.Cut(field, ": "); !strings.HasPrefix(name, "cf-aig-") && seen[0].Get(name) != value {
				t.Errorf("the upstream got %s: %q, want %q", name, seen[0].Get(name), value)
			}
			if m.Get("X-Injected") != "" || seen[0].Get("X-Injected") != "" {
				t.Errorf("a field was injected: %v %v", m.Header, seen[0].Header)
			}
		})
	}
}
