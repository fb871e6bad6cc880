package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

const openaiPath = "/v1/default/default/openai"

// exchange sends raw bytes to the gateway and returns the answer, and the request that the upstream got.
func (p pair) exchange(t *testing.T, request string) (resp, got *rawhttp.Message) {
	t.Helper()
	resp, err := rawhttp.Do(p.Addr, request)
	if err != nil {
		t.Fatal(err)
	}
	seen := p.up.Take()
	if len(seen) != 1 {
		t.Fatalf("the upstream saw %d requests, want 1; the client got %s %s", len(seen), resp.Start, resp.Body)
	}
	return resp, seen[0]
}

func TestTargetsArriveAsTheyWereSent(t *testing.T) {
	p := start(t, upstream.JSON(200, "{}"))
	for sent, want := range map[string]string{
		"/models":                            "/v1/models",
		"/models/":                           "/v1/models/",
		"/models?limit=2&after=a%20b&q=":     "/v1/models?limit=2&after=a%20b&q=",
		"/models?":                           "/v1/models?",
		"//models":                           "/v1//models",
		"/models//a":                         "/v1/models//a",
		"/models/ft:gpt-4o:org::id":          "/v1/models/ft:gpt-4o:org::id",
		"/models/a%2Fb%3Ac%20d":              "/v1/models/a%2Fb%3Ac%20d",
		"/models/a%2fb":                      "/v1/models/a%2fb",
		"/v1/models":                         "/v1/models",
		"/models/@cf/meta/llama":             "/v1/models/@cf/meta/llama",
		"/models/a+b,c;d=e!$&'()*~":          "/v1/models/a+b,c;d=e!$&'()*~",
		"/files/f?x=http://example.com/a//b": "/v1/files/f?x=http://example.com/a//b",
	} {
		t.Run(sent, func(t *testing.T) {
			_, got := p.exchange(t, "GET "+openaiPath+sent+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if got.Target() != want {
				t.Errorf("%s arrived as %s, want %s", sent, got.Target(), want)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	p := start(t, upstream.Answer(200, []string{"X-Y: z"}, "body"))
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"} {
		t.Run(method, func(t *testing.T) {
			resp, got := p.exchange(t, method+" "+openaiPath+"/files/f1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			if got.Method() != method || resp.Status() != 200 || resp.Get("X-Y") != "z" {
				t.Errorf("upstream got %q, client got %q", got.Start, resp.Start)
			}
			if method == "HEAD" && resp.Get("Content-Length") != "4" {
				t.Errorf("HEAD: Content-Length %q, want the provider's 4", resp.Get("Content-Length"))
			}
		})
	}
}

func values(m *rawhttp.Message, name string) []string {
	var all []string
	for _, f := range m.Header {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return all
}

func TestHeadersBothWays(t *testing.T) {
	p := start(t, upstream.Answer(200, []string{
		"X-Many: 1", "X-Many: 2", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "X-Empty:", "Connection: X-Hop", "X-Hop: 1",
		"Alt-Svc: h3=\":443\"", "Strict-Transport-Security: max-age=1", "Cf-Aig-Log-Id: forged", "Retry-After: 3", "Server: other",
	}, "{}"))
	resp, got := p.exchange(t, "POST "+openaiPath+"/chat/completions HTTP/1.1\r\nHost: gateway.example\r\n"+
		"Authorization: Bearer sk-1\r\nX-Many: a\r\nX-Many: b, c\r\nX-Empty:\r\nUser-Agent: app/1\r\nAccept-Encoding: br;q=0.5, zstd\r\n"+
		"Cookie: k=v; CF_Authorization=secret\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Authorization: Basic x\r\n"+
		"Cf-Aig-Metadata: {\"u\":1}\r\nCf-Aig-Authorization: Bearer t\r\nCf-Connecting-Ip: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Api-Key: k\r\nContent-Length: 2\r\n\r\n{}")
	for name, want := range map[string][]string{
		"Host": {p.up.Addr}, "Authorization": {"Bearer sk-1"}, "X-Many": {"a", "b, c"}, "X-Empty": {""}, "User-Agent": {"app/1"},
		"Accept-Encoding": {"br;q=0.5, zstd"}, "Cookie": {"k=v"}, "X-Api-Key": {"k"}, "Content-Length": {"2"},
		"X-Hop": nil, "TE": nil, "Proxy-Authorization": nil, "Cf-Aig-Metadata": nil, "Cf-Aig-Authorization": nil,
		"Cf-Connecting-Ip": nil, "X-Forwarded-For": nil, "X-Forwarded-Host": nil, "Via": nil, "Accept": nil,
	} {
		if have := values(got, name); !slices.Equal(have, want) {
			t.Errorf("upstream got %s: %q, want %q", name, have, want)
		}
	}
	for name, want := range map[string][]string{
		"X-Many": {"1", "2"}, "Set-Cookie": {"a=1; Path=/", "b=2"}, "X-Empty": {""}, "Retry-After": {"3"}, "Server": {"other"},
		"X-Hop": nil, "Alt-Svc": nil, "Strict-Transport-Security": nil, "Content-Type": nil,
	} {
		if have := values(resp, name); !slices.Equal(have, want) {
			t.Errorf("client got %s: %q, want %q", name, have, want)
		}
	}
	if id := values(resp, "Cf-Aig-Log-Id"); len(id) != 1 || id[0] == "forged" {
		t.Errorf("client got Cf-Aig-Log-Id: %q, want ours alone", id)
	}
	row := p.Row(resp.Get("Cf-Aig-Log-Id"))
	if fmt.Sprint(row.Metadata["u"]) != "1" || row.UserAgent != "app/1" {
		t.Errorf("log: %s; want metadata and user agent", row)
	}
	status, _, detail, err := p.Get("/gateways/default/logs/" + row.ID)
	if err != nil || status != 200 {
		t.Fatal(status, err)
	}
	for _, secret := range []string{"sk-1", "CF_Authorization=secret", "Basic x", "Bearer t"} {
		if bytes.Contains(detail, []byte(secret)) {
			t.Errorf("the log entry holds the secret %q: %s", secret, detail)
		}
	}
}

func TestChunkedRequestsAndTrailers(t *testing.T) {
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
		c.Chunk("abc")
		c.Send("0\r\nX-Sum: 6\r\n\r\n")
		return true
	})
	resp, got := p.exchange(t, "POST "+openaiPath+"/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\nConnection: close\r\n\r\n"+
		"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Check: 5\r\n\r\n")
	if string(got.Body) != "abcde" || len(got.Trailer) != 1 || got.Trailer[0].Value != "5" {
		t.Errorf("upstream got %q with trailers %v", got.Body, got.Trailer)
	}
	if string(resp.Body) != "abc" || len(resp.Trailer) != 1 || resp.Trailer[0].Value != "6" {
		t.Errorf("client got %q with trailers %v", resp.Body, resp.Trailer)
	}
}

func TestExpectContinue(t *testing.T) {
	p := start(t, upstream.JSON(200, "{}"))
	conn, r := p.Dial()
	fmt.Fprintf(conn, "POST %s/chat/completions HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", openaiPath, len(chat))
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q, %v; want to be told to go on", line, err)
	}
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, chat)
	m, err := rawhttp.ReadResponse(r, "POST")
	if err != nil || m.Status() != 200 {
		t.Fatal(m, err)
	}
	if seen := p.up.Take(); len(seen) != 1 || string(seen[0].Body) != chat || seen[0].Get("Expect") != "" {
		t.Errorf("upstream got %+v", seen)
	}
}

func TestInterimResponsesAreSkipped(t *testing.T) {
	p := start(t, func(req *rawhttp.Message, c *upstream.Conn) bool {
		c.Send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
		return upstream.JSON(200, answered)(req, c)
	})
	resp, body, err := p.chat(t, chat)
	if err != nil || resp.StatusCode != 200 || string(body) != answered {
		t.Errorf("client got %v %s", err, body)
	}
}

func TestUploadLargerThanWhatIsReadWhole(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, "{}"))
	g := gateway.Start(t, gateway.Options{Config: "limits: {body_bytes: 1MB}\n" + to("http://"+up.Addr+"/v1")})
	body := make([]byte, 5<<20)
	_, _ = rand.Read(body)
	for name, framing := range map[string]string{
		"declared":   fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"undeclared": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
	} {
		t.Run(name, func(t *testing.T) {
			g := g.On(t)
			resp, err := rawhttp.Do(g.Addr, "POST "+openaiPath+"/files HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n"+framing)
			if err != nil || resp.Status() != 200 {
				t.Fatal(resp, err)
			}
			if seen := up.Take(); len(seen) != 1 || !bytes.Equal(seen[0].Body, body) {
				t.Error("the upload was altered")
			}
			row := g.Row(resp.Get("cf-aig-log-id"))
			if row.Request == nil || row.Request.Size != int64(len(body)) {
				t.Errorf("log: request %+v, want %d bytes", row.Request, len(body))
			}
		})
	}
}

func TestAnswerBeforeTheUploadEnds(t *testing.T) {
	// An upstream that answers from the head alone: the upload must not hang.
	early := earlyServer(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	g := gateway.Start(t, gateway.Options{Config: "limits: {body_bytes: 64KB}\n" + to("http://"+early+"/v1")})
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	body := strings.Repeat("x", 16<<20)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL("openai", "files"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 401 || string(got) != "{}" {
		t.Errorf("client got %d %q, %v; want the provider's 401", resp.StatusCode, got, err)
	}
}

// earlyServer answers as soon as it has a request's head, and reads no more.
func earlyServer(t *testing.T, answer string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for line := ""; line != "\r\n"; {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				_, _ = io.WriteString(conn, answer)
				// The peer reads the answer before the close resets what it still sends.
				_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			}()
		}
	}()
	return l.Addr().String()
}

func TestRefusals(t *testing.T) {
	p := start(t, upstream.JSON(200, "{}"))
	for name, c := range map[string]struct {
		path         string
		status, code int
		logged       bool
	}{
		"unknown gateway":          {"/v1/default/nosuch/openai/models", 400, 2001, false},
		"unknown account":          {"/v1/nosuch/default/openai/models", 400, 2001, false},
		"unknown provider":         {"/v1/default/default/nosuch/models", 400, 2008, true},
		"a path out of the base":   {openaiPath + "/../admin", 400, 2019, true},
		"the same, encoded":        {openaiPath + "/%2e%2e/admin", 400, 2019, true},
		"a path to somewhere else": {openaiPath + "/a/%2E%2E%2f%2e%2e/x", 400, 2019, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := p.On(t)
			resp, err := rawhttp.Do(p.Addr, "GET "+c.path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if err != nil {
				t.Fatal(err)
			}
			if resp.Status() != c.status || gateway.ErrorCode(resp.Body) != c.code {
				t.Errorf("client got %d %s; want %d and code %d", resp.Status(), resp.Body, c.status, c.code)
			}
			if seen := p.up.Take(); len(seen) != 0 {
				t.Errorf("the upstream saw %q", seen[0].Start)
			}
			if c.logged {
				want{status: c.status, ending: "refused", in: -1, out: -1}.check(t, g.Row(resp.Get("cf-aig-log-id")))
			}
		})
	}
}

func TestNoRoomForTheBody(t *testing.T) {
	release := make(chan struct{})
	up := upstream.New(t, func(req *rawhttp.Message, c *upstream.Conn) bool {
		select {
		case <-release:
		case <-c.Gone():
		}
		return upstream.JSON(200, "{}")(req, c)
	})
	config := "limits: {memory_bytes: 2MB, spool_bytes: 2MB, wait: 100ms}\nproviders: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	type outcome struct {
		resp *http.Response
		text []byte
	}
	const calls = 12
	outcomes := make(chan outcome, calls)
	for range calls {
		go func() {
			resp, text, err := g.TryPost(context.Background(), "openai", "files", strings.Repeat("x", 1<<20))
			if err != nil {
				t.Error(err)
			}
			outcomes <- outcome{resp, text}
		}()
	}
	// There is room for four of them, until the upstream answers.
	first := <-outcomes
	close(release)
	if first.resp == nil || first.resp.StatusCode != 503 || first.resp.Header.Get("Retry-After") == "" || gateway.ErrorCode(first.text) != 2005 {
		t.Errorf("the first answer is %v %s; want 503, Retry-After and code 2005", first.resp, first.text)
	}
	for range calls - 1 {
		if o := <-outcomes; o.resp != nil && o.resp.StatusCode != 200 && o.resp.StatusCode != 503 {
			t.Errorf("a request ended with %d %s", o.resp.StatusCode, o.text)
		}
	}
}
