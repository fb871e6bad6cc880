package edges

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// certificate writes a certificate for 127.0.0.1 and its key into files.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// exception is a case of h2spec that fails here, why it may, and what the server does instead: the end of
// what h2spec tells, so that another failure of the same case is no exception.
type exception struct{ reason, seen string }

// exceptions are the cases that fail. h2spec tests RFC 7540; what counts is RFC 9113.
func exceptions() map[string]exception {
	const answered = "net/http answers 400 and ends the stream, and the request goes nowhere. RFC 9113, 8.2.2, calls the request malformed, " +
		"and 8.1.1 lets a server send a response before it closes the stream of one"
	return map[string]exception{
		// The case sends 20 KB and takes 16 KB, the default, for the limit.
		"http2/4.2/3": {"RFC 9113, 4.2, asks for FRAME_SIZE_ERROR above the SETTINGS_MAX_FRAME_SIZE that the server announces, " +
			"which is 1 MB: tested with more below", "DATA Frame"},
		"http2/8.1.2.2/1": {answered, "DATA Frame (length:51, flags:0x01, stream_id:1)"},
		"http2/8.1.2.2/2": {answered, "DATA Frame (length:53, flags:0x01, stream_id:1)"},
	}
}

// TestH2Spec runs h2spec, the conformance tests of HTTP/2 and HPACK, against the TLS listener.
func TestH2Spec(t *testing.T) {
	certFile, keyFile := certificate(t)
	up := upstream.New(t, upstream.JSON(200, answered))
	g := gateway.Start(t, gateway.Options{Config: "tls: {cert: \"" + certFile + "\", key: \"" + keyFile + "\"}\n" +
		"providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"})
	host, port, err := net.SplitHostPort(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	to := func(fieldBytes int, sections ...string) *config.Config {
		return &config.Config{
			Host: host, Port: number, Path: chatPath, Timeout: 5 * time.Second, TLS: true, Insecure: true, Strict: true,
			MaxHeaderLen: fieldBytes, Sections: sections,
		}
	}
	run, c := 0, to(4000)
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c)
		run += outcomes(t, group, exceptions())
	}
	if run < 140 {
		t.Errorf("only %d cases ran", run)
	}
	for _, m := range up.Take() {
		if m.Get("Trailers") != "" || m.Get("TE") != "" {
			t.Errorf("the upstream got %q of a malformed request", m.Start)
		}
	}
	group := http2.Spec()
	group.Test(to(300_000, "http2/4.2/3"))
	if run := outcomes(t, group, nil); run != 1 {
		t.Errorf("%d cases of oversized frames ran, want 1", run)
	}
}

// seen is what the server did in a case.
func seen(tc *spec.TestCase) string {
	all := strings.Split(strings.TrimSpace(tc.Result.Error.Error()), "\n")
	return all[len(all)-1]
}

// outcomes reports the cases of a group that failed, and returns how many have run.
func outcomes(t *testing.T, group *spec.TestGroup, allowed map[string]exception) (run int) {
	t.Helper()
	for i, tc := range append(append([]*spec.TestCase{}, group.Tests...), group.StrictTests...) {
		if tc.Result == nil || tc.Result.Skipped {
			continue
		}
		run++
		id := group.ID() + "/" + strconv.Itoa(i+1)
		e, ok := allowed[id]
		switch failed := tc.Result.Failed; {
		case failed && ok && strings.Contains(seen(tc), e.seen):
			t.Logf("%s fails: %s", id, e.reason)
		case failed:
			t.Errorf("%s %s: %v", id, tc.Desc, tc.Result.Error)
		case ok:
			t.Errorf("%s passes: take it off the list", id)
		}
	}
	for _, g := range group.Groups {
		run += outcomes(t, g, allowed)
	}
	return run
}
