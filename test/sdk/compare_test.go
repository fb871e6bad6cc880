package sdk

import (
	"bytes"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
)

// exception is a field that may differ between a direct call and one through the gateway.
type exception struct{ field, why string }

// requestExceptions and responseExceptions are all that "byte for byte" leaves out.
func requestExceptions() []exception {
	return []exception{
		{"Host", "names the server that is called, which is another one"},
		{"Connection", "is between two neighbours"},
		{"Keep-Alive", "is between two neighbours"},
		{"TE", "is between two neighbours"},
		{"Transfer-Encoding", "the gateway has read the body and knows its length"},
		{"Expect", "is answered by the gateway"},
		{"cf-aig-*", "is addressed to the gateway"},
	}
}

func responseExceptions() []exception {
	return []exception{
		{"Date", "is added where the provider sends none"},
		{"Connection", "is between two neighbours"},
		{"Keep-Alive", "is between two neighbours"},
		{"Transfer-Encoding", "frames the body between two neighbours"},
		{"Alt-Svc", "speaks for the provider's host"},
		{"Strict-Transport-Security", "speaks for the provider's host"},
		{"cf-aig-*", "tells of the gateway"},
	}
}

// lines gives the field lines without the exceptions, names in lower case, sorted by name: their case and
// the order of different names mean nothing (RFC 9110, 5.1 and 5.3); values and the order of lines of
// one name do.
func lines(m *rawhttp.Message, except []exception) []string {
	var all []string
	for _, f := range m.Header {
		name := strings.ToLower(f.Name)
		if slices.ContainsFunc(except, func(e exception) bool {
			want := strings.ToLower(e.field)
			prefix, pattern := strings.CutSuffix(want, "*")
			return name == want || pattern && strings.HasPrefix(name, prefix)
		}) {
			continue
		}
		all = append(all, name+": "+f.Value)
	}
	slices.SortStableFunc(all, func(a, b string) int {
		return strings.Compare(a[:strings.IndexByte(a, ':')], b[:strings.IndexByte(b, ':')])
	})
	return all
}

// sameRequest compares the request that left an SDK with the one that came to the upstream.
func sameRequest(t *testing.T, sent, got *rawhttp.Message) {
	t.Helper()
	if sent.Method() != got.Method() {
		t.Errorf("method %s became %s", sent.Method(), got.Method())
	}
	except := requestExceptions()
	if sent.Chunked {
		except = append(except, exception{"Content-Length", "was not known when the SDK began to send"})
	}
	sameLines(t, "request", lines(sent, except), lines(got, except))
	sameBytes(t, "request body", sent.Body, got.Body)
}

// sameResponse compares the response that left the upstream with the one that came to an SDK.
func sameResponse(t *testing.T, sent, got *rawhttp.Message) {
	t.Helper()
	if sent.Status() != got.Status() {
		t.Errorf("status %d became %d", sent.Status(), got.Status())
	}
	sameLines(t, "response", lines(sent, responseExceptions()), lines(got, responseExceptions()))
	sameBytes(t, "response body", sent.Body, got.Body)
}

func sameLines(t *testing.T, what string, sent, got []string) {
	t.Helper()
	for _, l := range sent {
		if !slices.Contains(got, l) {
			t.Errorf("%s: lost or changed: %s", what, l)
		}
	}
	for _, l := range got {
		if !slices.Contains(sent, l) {
			t.Errorf("%s: added or changed: %s", what, l)
		}
	}
	if !t.Failed() && !slices.Equal(sent, got) {
		t.Errorf("%s: fields %q became %q", what, sent, got)
	}
}

func sameBytes(t *testing.T, what string, sent, got []byte) {
	t.Helper()
	if bytes.Equal(sent, got) {
		return
	}
	at := 0
	for at < min(len(sent), len(got)) && sent[at] == got[at] {
		at++
	}
	t.Errorf("%s: %d bytes became %d, they differ from byte %d on: %.60q became %.60q", what, len(sent), len(got), at, sent[at:], got[at:])
}

// steady replaces what an SDK chooses at random in each call: the boundary of a multipart body.
func steady(m *rawhttp.Message) *rawhttp.Message {
	_, params, err := mime.ParseMediaType(m.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || boundary == "" {
		return m
	}
	fixed := strings.Repeat("b", len(boundary))
	replace := func(s string) string { return strings.ReplaceAll(s, boundary, fixed) }
	s := &rawhttp.Message{Start: m.Start, Chunked: m.Chunked, Body: []byte(replace(string(m.Body)))}
	for _, f := range m.Header {
		s.Header = append(s.Header, rawhttp.Field{Name: f.Name, Value: replace(f.Value)})
	}
	return s
}

func logExceptions(t *testing.T) {
	for what, list := range map[string][]exception{"requests": requestExceptions(), "responses": responseExceptions()} {
		for _, e := range list {
			t.Logf("not compared in %s: %s %s", what, e.field, e.why)
		}
	}
	t.Log("nor the reason phrase behind the status, which HTTP/2 has not; the case of field names, the order of fields of different names, and the cuts of a body into chunks")
}
