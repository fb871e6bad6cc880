package edges

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// impatientUpstream lowers how long upstreams may take.
const impatientUpstream = "timeouts: {connect: 5s, first_byte: 2s, idle: 1s, total: 20s}\n"

// says answers with raw bytes and then does as end says.
func says(text string, end ending) upstream.Script {
	return func(_ *rawhttp.Message, c *upstream.Conn) bool {
		c.Send(text)
		switch end {
		case stays:
			c.WaitClosed()
		case open:
			return true
		}
		return false
	}
}

// ending is what an upstream does after its answer.
type ending int

const (
	closes ending = iota // the connection
	stays                // with an open connection, and in silence
	open                 // for another request
)

// endlessly answers with begin and then more, until the peer takes no more.
func endlessly(closed chan<- struct{}, begin, more string) upstream.Script {
	return func(_ *rawhttp.Message, c *upstream.Conn) bool {
		c.Send(begin)
		for {
			if _, err := c.Write([]byte(more)); err != nil {
				closed <- struct{}{}
				return false
			}
		}
	}
}

// TestAnswersThatAreNone: what cannot be understood never reaches the client. It gets the gateway's error.
func TestAnswersThatAreNone(t *testing.T) {
	p := start(t, impatientUpstream, upstream.JSON(200, answered))
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, text := range map[string]string{
		"nothing":                           "",
		"no HTTP":                           "SSH-2.0-OpenSSH_9.6\r\n\r\n",
		"a page without a head":             "<html>hello</html>\r\n\r\n",
		"another protocol's version":        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a version that is none":            "HTTP/1.x 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a status of two digits":            "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a status of four digits":           "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a status below 100":                "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a status with a sign":              "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\n{}",
		"a status that is no number":        "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
		"no status":                         "HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
		"a head that breaks off":            ok + "Content-Type: text/pl",
		"two lengths that differ":           ok + "Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
		"a length and a coding":             ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"a length that is no number":        ok + "Content-Length: two\r\n\r\n{}",
		"a negative length":                 ok + "Content-Length: -1\r\n\r\n{}",
		"a length beyond 64 bits":           ok + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"a coding that nobody knows":        ok + "Transfer-Encoding: brotli, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"a folded field":                    ok + "X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
		"a bare carriage return":            ok + "X-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\n{}",
		"a NUL in a value":                  ok + "X-A: \x00\r\nContent-Length: 2\r\n\r\n{}",
		"a field without a colon":           ok + "X-A\r\nContent-Length: 2\r\n\r\n{}",
		"a space before the colon":          ok + "Content-Length : 2\r\n\r\n{}",
		"another protocol that it turns to": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"only interim answers":              "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
		"a flood of interim answers":        strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10_000) + ok + "Content-Length: 2\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			p.up.Use(says(text, closes))
			g := p.On(t)
			resp, body := g.Post("openai", "chat/completions", chat)
			if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 {
				t.Errorf("client got %d %.300s; want 400 and code 2005", resp.StatusCode, body)
			}
			row := g.Row(resp.Header.Get("cf-aig-log-id"))
			if row.Success || row.Ending != "unreachable" && row.Ending != "bad_response" || len(row.Attempts) == 0 || row.Attempts[0].Cause == "" {
				t.Errorf("log: %s; want no success, and the cause", row)
			}
			p.up.Take()
			p.serves(t)
			p.up.Take()
		})
	}
}

// TestEndlessHeads: a head has its limit, and then the connection ends.
func TestEndlessHeads(t *testing.T) {
	p := start(t, impatientUpstream, upstream.JSON(200, answered))
	for name, c := range map[string]struct{ begin, more string }{
		"fields":                        {"HTTP/1.1 200 OK\r\n", strings.Repeat("X-A: bbbbbbbbbbbbbbbbbbbb\r\n", 100)},
		"a line":                        {"HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("b", 4096)},
		"a reason":                      {"HTTP/1.1 200 ", strings.Repeat("b", 4096)},
		"bytes":                         {"", strings.Repeat("b", 4096)},
		"interim answers":               {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		"empty lines":                   {"", "\r\n\r\n\r\n\r\n"},
		"fields of an interim answer":   {"HTTP/1.1 103 Early Hints\r\n", strings.Repeat("Link: bbbbbbbbbbbbbbbbbbbb\r\n", 100)},
		"fields with an answer's begin": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "X-A: b\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 1)
			p.up.Use(endlessly(closed, c.begin, c.more))
			resp, body := p.On(t).Post("openai", "chat/completions", chat)
			if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 {
				t.Errorf("client got %d %.300s; want 400 and code 2005", resp.StatusCode, body)
			}
			within(t, closed, "the upstream's connection is closed")
			p.serves(t)
		})
	}
}

// TestAnswersThatEndOtherwiseThanTheySaid: the client never takes a broken answer for a whole one, and
// nothing of one answer reaches the next.
func TestAnswersThatEndOtherwiseThanTheySaid(t *testing.T) {
	p := start(t, impatientUpstream, upstream.JSON(200, answered))
	const (
		chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
		planted = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted"
	)
	first := fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
	length := func(n int) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, answered)
	}
	for name, c := range map[string]struct {
		text   string
		end    ending
		body   string // what the client gets
		whole  bool
		ending string
	}{
		"a length that is too long":              {length(len(answered) + 5), closes, answered, false, "cut"},
		"a length that is too long, and silence": {length(len(answered) + 5), stays, answered, false, "stalled"},
		"an immense length":                      {length(1 << 62), closes, answered, false, "cut"},
		"a length that is too short":             {length(10), open, answered[:10], true, "complete"},
		"another answer behind the end":          {length(len(answered)) + planted, open, answered, true, "complete"},
		"another answer behind the last chunk":   {chunked + first + "0\r\n\r\n" + planted, open, event, true, "complete"},
		"a body where there is none":             {"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\nplanted", open, "", true, "complete"},
		"a chunk that breaks off":                {chunked + first + "40\r\ndata: ", closes, event + "data: ", false, "cut"},
		"no last chunk":                          {chunked + first, closes, event, false, "cut"},
		"a last chunk that breaks off":           {chunked + first + "0\r\n", closes, event, false, "cut"},
		"a size that is no number":               {chunked + first + "zz\r\n", closes, event, false, "cut"},
		"an immense size":                        {chunked + first + "7fffffffffffffff\r\nabc", closes, event, false, "cut"},
		"a size that is negative in 64 bits":     {chunked + first + "ffffffffffffffff\r\nabc", closes, event, false, "cut"},
		"a size beyond 64 bits":                  {chunked + first + "1000000000000000a\r\nabc", closes, event, false, "cut"},
		"no line end behind a chunk":             {chunked + first + "3\r\nabcd\r\n0\r\n\r\n", closes, event + "abc", false, "cut"},
		"an endless size":                        {chunked + first + strings.Repeat("0", 100_000), stays, event, false, "cut"},
		"an endless extension":                   {chunked + first + "3;" + strings.Repeat("a", 1<<20), stays, event, false, "cut"},
		"endless trailers":                       {chunked + first + "0\r\n" + strings.Repeat("X-A: b\r\n", 50_000), stays, event, false, "cut"},
	} {
		t.Run(name, func(t *testing.T) {
			p.up.Use(says(c.text, c.end))
			g := p.On(t)
			ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
			defer cancel()
			resp, body, err := g.TryPost(ctx, "openai", "chat/completions", chat)
			if resp == nil {
				t.Fatal(err)
			}
			if c.whole != (err == nil) || timedOut(err) || string(body) != c.body {
				t.Errorf("client got %q, %v; want %q, whole: %v", body, err, c.body, c.whole)
			}
			row := g.Row(resp.Header.Get("cf-aig-log-id"))
			if row.Ending != c.ending {
				t.Errorf("log: ending %s, want %s", row.Ending, c.ending)
			}
			for range 3 { // on the very connection, if it were kept
				p.serves(t)
			}
		})
	}
}

// TestRedirects: they are answers. The gateway follows none.
func TestRedirects(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	other := upstream.New(t, upstream.JSON(200, "{}"))
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			location := "http://" + other.Addr + "/elsewhere"
			p.up.Use(says(fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nConnection: close\r\n%s", status, location,
				map[bool]string{true: "\r\n", false: "Content-Length: 2\r\n\r\n{}"}[status == 304]), closes))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL("openai", "chat/completions"), strings.NewReader(chat))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer sk-1")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != status || resp.Header.Get("Location") != location {
				t.Errorf("client got %d to %q; want %d to %s", resp.StatusCode, resp.Header.Get("Location"), status, location)
			}
			if len(p.up.Take()) != 1 || len(other.Take()) != 0 {
				t.Error("the gateway followed the redirect, or asked again")
			}
		})
	}
}
