// Package rawhttp reads HTTP/1.1 messages and keeps what the standard library's parser throws away:
// the order and case of field lines, the start line as it stood, and how far a broken message came.
// It is for looking at well-meant traffic in tests, not for hostile input.
package rawhttp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Field is one field line.
type Field struct{ Name, Value string }

// Message is a request or a response.
type Message struct {
	Start   string // the request line or status line
	Header  []Field
	Body    []byte // without transfer coding; as far as it came
	Trailer []Field
	Chunked bool
}

// Get returns the first value of the field name, or "".
func (m *Message) Get(name string) string {
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Method and Target are the parts of a request line.
func (m *Message) Method() string { return part(m.Start, 0) }

// Target is the request target as it stood.
func (m *Message) Target() string { return part(m.Start, 1) }

// Status is the code of a status line, 0 when there is none.
func (m *Message) Status() int {
	n, _ := strconv.Atoi(part(m.Start, 1))
	return n
}

func part(line string, i int) string {
	parts := strings.SplitN(line, " ", 3)
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

// ReadRequest reads one request. io.EOF: the peer closed before another one. With continues it is called
// when the peer waits for "100 Continue" before it sends the body.
func ReadRequest(r *bufio.Reader, continues func()) (*Message, error) {
	m, err := readHead(r)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(m.Get("Expect"), "100-continue") && continues != nil {
		continues()
	}
	return m, m.readBody(r, false)
}

// ReadResponse reads one final response to a request of the given method; interim ones are skipped.
// A response that breaks off comes back as far as it came, with an error.
func ReadResponse(r *bufio.Reader, method string) (*Message, error) {
	for {
		m, err := readHead(r)
		if err != nil {
			return nil, err
		}
		status := m.Status()
		if status >= 100 && status < 200 && status != 101 {
			continue
		}
		if method == "HEAD" || status == 204 || status == 304 {
			return m, nil
		}
		return m, m.readBody(r, true)
	}
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if line != "" && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

func readHead(r *bufio.Reader) (*Message, error) {
	start, err := readLine(r)
	if err != nil {
		return nil, err
	}
	m := &Message{Start: start}
	m.Header, err = readFields(r)
	return m, err
}

func readFields(r *bufio.Reader) ([]Field, error) {
	var fields []Field
	for {
		line, err := readLine(r)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fields, err
		}
		if line == "" {
			return fields, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fields, fmt.Errorf("field line without a colon: %q", line)
		}
		fields = append(fields, Field{name, strings.Trim(value, " \t")})
	}
}

func (m *Message) readBody(r *bufio.Reader, untilClose bool) error {
	switch length := m.Get("Content-Length"); {
	case strings.EqualFold(m.Get("Transfer-Encoding"), "chunked"):
		m.Chunked = true
		return m.readChunks(r)
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		_, err = io.CopyN(&b, r, n)
		m.Body = b.Bytes()
		return unexpected(err)
	case untilClose:
		b, err := io.ReadAll(r)
		m.Body = b
		return err
	}
	return nil
}

func (m *Message) readChunks(r *bufio.Reader) error {
	var b bytes.Buffer
	defer func() { m.Body = b.Bytes() }()
	for {
		line, err := readLine(r)
		if err != nil {
			return unexpected(err)
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 63)
		if err != nil {
			return fmt.Errorf("chunk size: %w", err)
		}
		if n == 0 {
			m.Trailer, err = readFields(r)
			return err
		}
		if _, err := io.CopyN(&b, r, n); err != nil {
			return unexpected(err)
		}
		if _, err := readLine(r); err != nil {
			return unexpected(err)
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Do sends request, raw bytes as they are, to addr on a connection of its own and reads the answer.
func Do(addr, request string) (*Message, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	method, _, _ := strings.Cut(request, " ")
	return ReadResponse(bufio.NewReader(conn), method)
}
