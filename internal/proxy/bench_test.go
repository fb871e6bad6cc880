package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

// BenchmarkChat is a 1 KB call from socket to socket: client and upstream are as cheap as they can
// be, so that what it counts is the gateway's, the log and its index included.
func BenchmarkChat(b *testing.B) {
	benchmarkChat(b, proxytest.Start(b, "http://"+cheapUpstream(b), nil))
}

// BenchmarkChatWithABudget is the same through a gateway with one spend rule.
func BenchmarkChatWithABudget(b *testing.B) {
	g := proxytest.Start(b, "http://"+cheapUpstream(b), nil)
	withRules(g, `{"id":"all","limit":1000000,"window":86400}`, "")
	benchmarkChat(b, g)
}

func benchmarkChat(b *testing.B, g *proxytest.Gateway) {
	body := `{"model":"gpt-test","messages":[{"role":"user","content":"` + strings.Repeat("All the world's a stage. ", 40) + `"}]}`
	request := []byte("POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test\r\n" +
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Go 3\r\nAccept: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if err := readAnswer(answers); err != nil {
			b.Fatal(err)
		}
	}
}

// readAnswer reads a head and as many bytes as its Content-Length says.
func readAnswer(r *bufio.Reader) error {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err = r.Discard(length)
			return err
		}
		if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
}

// cheapUpstream answers each request on a connection with the same bytes.
func cheapUpstream(b *testing.B) string {
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_1\r\nOpenai-Processing-Ms: 12\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\n" +
		"Content-Length: " + strconv.Itoa(len(chatAnswer)) + "\r\n\r\n" + chatAnswer)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for r := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
