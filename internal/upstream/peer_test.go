package upstream

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of the tests. It is no measure of anything: a test that needs it fails.
const patience = 20 * time.Second

// peer is the upstream's end of one connection, for a script to play on.
type peer struct {
	t    *testing.T
	conn net.Conn
	raw  *net.TCPConn
	in   *bufio.Reader
	n    int // which connection of this upstream it is, from 0
}

// request reads one request and returns its head and its body, framing and all.
func (p *peer) request() (head, body string) {
	var b strings.Builder
	length, chunked := 0, false
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return b.String(), ""
		}
		b.WriteString(line)
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), ": ")
		switch name {
		case "content-length":
			length, _ = strconv.Atoi(value)
		case "transfer-encoding":
			chunked = true
		}
		if line == "\r\n" {
			break
		}
	}
	if !chunked {
		buf := make([]byte, length)
		n, _ := io.ReadFull(p.in, buf)
		return b.String(), string(buf[:n])
	}
	var raw strings.Builder
	for !strings.HasSuffix(raw.String(), "\r\n\r\n") || !strings.Contains(raw.String(), "0\r\n") {
		c, err := p.in.ReadByte()
		if err != nil {
			break
		}
		raw.WriteByte(c)
	}
	return b.String(), raw.String()
}

// begun waits for the first byte of a request.
func (p *peer) begun() { _, _ = p.in.Peek(1) }

func (p *peer) send(s string) { _, _ = io.WriteString(p.conn, s) }

// trickle sends one byte at a time.
func (p *peer) trickle(s string) {
	for i := range len(s) {
		p.send(s[i : i+1])
	}
}

// reset ends the connection with a RST.
func (p *peer) reset() {
	_ = p.raw.SetLinger(0)
	_ = p.raw.Close()
}

// gone waits until the client has closed the connection.
func (p *peer) gone() {
	_ = p.raw.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, p.in); errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Error("the client kept the connection")
	}
}

// scripted is an upstream that plays a script on each connection.
type scripted struct {
	host string // as Request.Host
	mu   sync.Mutex
	n    int
}

func (s *scripted) conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// play starts an upstream. Connection i plays scripts[i], later ones the last; a connection is closed at
// the end of its script. cfg makes it speak TLS.
func play(t *testing.T, cfg *tls.Config, scripts ...func(*peer)) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{host: l.Addr().String()}
	var work sync.WaitGroup
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		work.Wait()
	})
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(conn, nil)
			s.mu.Lock()
			n := s.n
			s.n++
			s.mu.Unlock()
			work.Go(func() {
				defer conn.Close()
				p := &peer{t: t, conn: conn, raw: conn.(*net.TCPConn), n: n}
				if cfg != nil {
					secure := tls.Server(conn, cfg)
					if err := secure.Handshake(); err != nil {
						return
					}
					p.conn = secure
				}
				p.in = bufio.NewReader(p.conn)
				scripts[min(n, len(scripts)-1)](p)
			})
		}
	})
	return s
}

// always answers every request on a connection with s.
func always(s string) func(*peer) {
	return func(p *peer) {
		for {
			if head, _ := p.request(); !strings.HasSuffix(head, "\r\n\r\n") {
				return
			}
			p.send(s)
		}
	}
}

// once reads a request, answers with s and closes.
func once(s string) func(*peer) {
	return func(p *peer) {
		p.request()
		p.send(s)
	}
}

// client makes a Client that is closed when the test ends.
func client(t testing.TB, change ...func(*Options)) *Client {
	o := Options{IdlePerHost: 100}
	for _, f := range change {
		f(&o)
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// get is a request as most tests need it.
func get(host string) *Request {
	return &Request{Method: "GET", Scheme: "http", Host: host, Target: "/v1/x", Private: true, Timeouts: Timeouts{Total: patience}}
}

func post(host string, body []byte) *Request {
	r := get(host)
	r.Method, r.Body = "POST", body
	return r
}

// answer is what came of a call, as a value to compare.
type answer struct {
	status  int
	header  string
	body    string
	trailer string
	length  int64
	toClose bool
	err     Stage // of Do or of the body, "" for none
}

func lines(h sluice.Header) string {
	var b strings.Builder
	for _, f := range h {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

func stageOf(err error) Stage {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Stage
	}
	return Stage("no *Error: " + err.Error())
}

// roundTrip sends req and reads the answer to its end.
func roundTrip(t testing.TB, d Doer, req *Request) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := d.Do(ctx, req)
	if err != nil {
		return answer{err: stageOf(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{
		status: resp.Status, header: lines(resp.Header), body: string(body), trailer: lines(resp.Trailer()),
		length: resp.Length, toClose: resp.CloseDelimited, err: stageOf(err),
	}
}

// certificate makes a TLS configuration for 127.0.0.1 and the names, and the pool that trusts it.
func certificate(t testing.TB, names ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "scripted"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: names,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

type headerList = sluice.Header

func readerOf(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// sortedHead puts a head's lines in order, for comparing what net/http reorders.
func sortedHead(s string) string {
	all := strings.Split(s, "\r\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}
