package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// benchServer answers like a provider: fixed bytes, without a server of net/http's in the way.
func benchServer(b *testing.B, answer string) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	out := []byte(answer)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf, have := make([]byte, 128<<10), 0
				for {
					n, err := conn.Read(buf[have:])
					if err != nil {
						return
					}
					have += n
					if head := bytes.Index(buf[:have], []byte("\r\n\r\n")); head < 0 || have < head+4+1024 {
						continue
					}
					have = 0
					if _, err := conn.Write(out); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// benchRequest is a chat call of 1 KB with the fields that SDKs send.
func benchRequest(host string) *Request {
	r := post(host, bytes.Repeat([]byte("x"), 1024))
	for _, f := range []string{"Accept", "Accept-Encoding", "Authorization", "Content-Type", "User-Agent", "X-Stainless-Lang", "X-Stainless-Os"} {
		r.Header.Add(f, "application/json; charset=utf-8")
	}
	r.Timeouts.Idle, r.Timeouts.FirstByte, r.Timeouts.Connect = patience, patience, patience
	return r
}

func stdRequest(ctx context.Context, b *testing.B, r *Request) *http.Request {
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+r.Host+r.Target, bytes.NewReader(r.Body))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range r.Header {
		req.Header[f.Name] = append(req.Header[f.Name], f.Value)
	}
	return req
}

const benchHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 24 Nov 2026 09:54:33 GMT\r\n" +
	"X-Request-Id: 0123456789abcdef\r\nX-Ratelimit-Remaining: 99\r\nServer: scripted\r\nVary: Origin\r\n"

// benchBoth runs one request over and over, with the own client and with net/http alone.
func benchBoth(b *testing.B, answer string) {
	host := benchServer(b, answer)
	b.Run("own", func(b *testing.B) {
		c := client(b)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		req, buf := benchRequest(host), make([]byte, 32<<10)
		b.ReportAllocs()
		for b.Loop() {
			resp, err := c.Do(ctx, req)
			if err != nil {
				b.Fatal(err)
			}
			drain(b, resp.Body, buf)
		}
	})
	b.Run("net-http", func(b *testing.B) {
		tr := &http.Transport{DisableCompression: true}
		defer tr.CloseIdleConnections()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		req, buf := benchRequest(host), make([]byte, 32<<10)
		b.ReportAllocs()
		for b.Loop() {
			resp, err := tr.RoundTrip(stdRequest(ctx, b, req))
			if err != nil {
				b.Fatal(err)
			}
			drain(b, resp.Body, buf)
		}
	})
}

func drain(b *testing.B, body io.ReadCloser, buf []byte) {
	for {
		_, err := body.Read(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	body.Close()
}

// BenchmarkDo is a call of 1 KB each way on a connection that is kept.
func BenchmarkDo(b *testing.B) {
	benchBoth(b, benchHead+"Content-Length: 1024\r\n\r\n"+strings.Repeat("y", 1024))
}

// BenchmarkStream is a chunked answer of 200 events that came at once.
func BenchmarkStream(b *testing.B) {
	event := "data: " + strings.Repeat("z", 240) + "\n\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
	benchBoth(b, benchHead+"Transfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 200)+"0\r\n\r\n")
}

// BenchmarkEvents is a stream whose server flushes each event by itself.
func BenchmarkEvents(b *testing.B) {
	event := []byte("data: " + strings.Repeat("z", 240) + "\n\n")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range 200 {
			_, _ = w.Write(event)
			w.(http.Flusher).Flush()
		}
	}))
	defer srv.Close()
	c := client(b)
	req, buf := benchRequest(srv.Listener.Addr().String()), make([]byte, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Do(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		drain(b, resp.Body, buf)
	}
}
