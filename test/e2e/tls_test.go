package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// identity is a certificate of its own authority for 127.0.0.1.
type identity struct {
	config            *tls.Config
	roots             *x509.CertPool
	certFile, keyFile string
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := identity{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	for name, block := range map[string]*pem.Block{
		id.certFile: {Type: "CERTIFICATE", Bytes: der}, id.keyFile: {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := tls.LoadX509KeyPair(id.certFile, id.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	id.config = &tls.Config{Certificates: []tls.Certificate{cert}}
	id.roots.AddCert(mustParse(t, der))
	return id
}

func mustParse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestUpstreamOverTLS(t *testing.T) {
	id := newIdentity(t)
	for name, c := range map[string]struct {
		script upstream.Script
		want   want
		whole  bool
	}{
		"a whole stream": {
			upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventStop, eventUsage, eventDone),
			want{status: 200, success: true, ending: "complete", in: 9, out: 3},
			true,
		},
		"ended by the connection, properly": {func(_ *rawhttp.Message, c *upstream.Conn) bool {
			c.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + eventHi + eventStop + eventUsage + eventDone)
			return false
		}, want{status: 200, success: true, ending: "complete", in: 9, out: 3}, true},
		"ended by the connection, without TLS's own end": {func(_ *rawhttp.Message, c *upstream.Conn) bool {
			c.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + eventHi)
			c.CutTLS()
			return false
		}, want{status: 200, ending: "cut", in: -1, out: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			up := upstream.NewTLS(t, id.config, c.script)
			config := to("https://"+up.Addr+"/v1") + "upstream: {ca_file: \"" + id.certFile + "\"}\n"
			p := pair{gateway.Start(t, gateway.Options{Config: config}), up}
			resp, _, err := p.chat(t, chatSSE)
			if resp == nil || (err == nil) != c.whole {
				t.Fatalf("client: %v; a whole answer: %v", err, c.whole)
			}
			c.want.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
		})
	}
}

func TestUpstreamWithAnUntrustedCertificate(t *testing.T) {
	up := upstream.NewTLS(t, newIdentity(t).config, upstream.JSON(200, answered))
	p := pair{gateway.Start(t, gateway.Options{Config: to("https://" + up.Addr + "/v1")}), up}
	resp, body, err := p.chat(t, chat)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 || len(up.Take()) != 0 {
		t.Errorf("client got %d %s; want 400, code 2005, and nothing sent", resp.StatusCode, body)
	}
	want{status: 400, ending: "unreachable", errorKind: "tls", in: -1, out: -1}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
}

func TestListeningWithTLS(t *testing.T) {
	id := newIdentity(t)
	up := upstream.New(t, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventDone))
	g := gateway.Start(t, gateway.Options{Config: to("http://"+up.Addr+"/v1") + "tls: {cert: \"" + id.certFile + "\", key: \"" + id.keyFile + "\"}\n"})
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.roots}, ForceAttemptHTTP2: http2}
		defer transport.CloseIdleConnections()
		url := strings.Replace(g.URL("openai", "chat/completions"), "http://", "https://", 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(chatSSE))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		major := 1
		if http2 {
			major = 2
		}
		if err != nil || resp.ProtoMajor != major || string(body) != eventHi+eventDone {
			t.Errorf("HTTP/%d: got HTTP/%d %q, %v", major, resp.ProtoMajor, body, err)
		}
	}
}
