package rawhttp

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadRequest(t *testing.T) {
	const in = "POST //a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nx-Case: 1\r\nX-CASE: 2\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trail: t\r\n\r\nGET /next HTTP/1.1\r\n\r\n"
	r := bufio.NewReader(strings.NewReader(in))
	m, err := ReadRequest(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Method() != "POST" || m.Target() != "//a%2Fb?x=1" || string(m.Body) != "abcde" || !m.Chunked {
		t.Errorf("request = %+v", m)
	}
	if len(m.Header) != 4 || m.Header[1] != (Field{"x-Case", "1"}) || m.Header[2] != (Field{"X-CASE", "2"}) {
		t.Errorf("header = %v; want order and case kept", m.Header)
	}
	if len(m.Trailer) != 1 || m.Trailer[0].Value != "t" {
		t.Errorf("trailer = %v", m.Trailer)
	}
	if m, err = ReadRequest(r, nil); err != nil || m.Target() != "/next" {
		t.Errorf("next request = %v, %v", m, err)
	}
	if _, err = ReadRequest(r, nil); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want io.EOF", err)
	}
}

func TestReadResponseTellsACut(t *testing.T) {
	for name, in := range map[string]string{
		"in a chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"between chunks":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"before the length":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"within the trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ReadResponse(bufio.NewReader(strings.NewReader(in)), "GET")
			if !errors.Is(err, io.ErrUnexpectedEOF) || string(m.Body) != "ab" {
				t.Errorf("got %v, %v; want what came, and io.ErrUnexpectedEOF", m, err)
			}
		})
	}
}

func TestReadResponseSkipsInterim(t *testing.T) {
	const in = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
	m, err := ReadResponse(bufio.NewReader(strings.NewReader(in)), "POST")
	if err != nil || m.Status() != 204 {
		t.Errorf("got %v, %v; want 204", m, err)
	}
}
