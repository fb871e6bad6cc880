package edges

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
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

// allowed are h2spec's cases that fail here, with the reason.
func allowed() map[string]string {
	return map[string]string{
		"http2/4.2/3": "the case sends 18 KB and takes 16 KB for the limit; the server announces a SETTINGS_MAX_FRAME_SIZE of 1 MB, and is tested with more below",
		"http2/6.5.3/1": "net/http ends a connection whose SETTINGS name a value twice (PROTOCOL_ERROR): stricter than RFC 9113, 6.5.3, " +
			"and no client does it",
		"http2/8.1.2.2/1": "net/http answers 400 instead of resetting the stream, which RFC 9113, 8.1.1, allows for malformed requests",
		"http2/8.1.2.2/2": "the same",
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
		run += outcomes(t, group, allowed())
	}
	if run < 140 {
		t.Errorf("only %d cases ran", run)
	}
	group := http2.Spec()
	group.Test(to(300_000, "http2/4.2/3"))
	if run := outcomes(t, group, nil); run != 1 {
		t.Errorf("%d cases of oversized frames ran, want 1", run)
	}
}

// outcomes reports the cases of a group that failed, and returns how many have run.
func outcomes(t *testing.T, group *spec.TestGroup, allowed map[string]string) (run int) {
	t.Helper()
	for i, tc := range append(append([]*spec.TestCase{}, group.Tests...), group.StrictTests...) {
		if tc.Result == nil || tc.Result.Skipped {
			continue
		}
		run++
		id := group.ID() + "/" + strconv.Itoa(i+1)
		reason, ok := allowed[id]
		switch failed := tc.Result.Failed; {
		case failed && ok:
			t.Logf("%s fails: %s", id, reason)
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
