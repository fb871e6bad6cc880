package edges

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// canaries are secrets that must be found nowhere, by the place that they were planted in.
type canaries struct {
	t   *testing.T
	all map[string]string
}

// plant makes a secret for a place. It has characters that encodings change.
func (c *canaries) plant(place string) string {
	c.t.Helper()
	if s, ok := c.all[place]; ok {
		return s
	}
	var b [15]byte
	if _, err := rand.Read(b[:]); err != nil {
		c.t.Fatal(err)
	}
	c.all[place] = "cnry" + hex.EncodeToString(b[:]) + "+/=~"
	return c.all[place]
}

// forms are what a secret may look like where it is kept: as it is, escaped, in base64 at each offset
// within what surrounds it, and in hexadecimal.
func forms(secret string) [][]byte {
	all := [][]byte{
		[]byte(secret), []byte(url.QueryEscape(secret)), []byte(url.PathEscape(secret)), []byte(strings.ToLower(url.QueryEscape(secret))),
		[]byte(secret[:24]), // without what encodings change, and if it was cut
		[]byte(hex.EncodeToString([]byte(secret))),
	}
	for shift := range 3 {
		text := strings.Repeat("x", shift) + secret
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			coded := e.EncodeToString([]byte(text))
			all = append(all, []byte(coded[(shift*8+5)/6:len(coded)-4]))
		}
	}
	return all
}

// hay is what is searched, by name.
type hay map[string][]byte

// holding returns the names of what holds secret in any form.
func (h hay) holding(secret string) []string {
	var names []string
	for name, text := range h {
		for _, f := range forms(secret) {
			if bytes.Contains(text, f) {
				names = append(names, fmt.Sprintf("%s (as %.16s…)", name, f))
				break
			}
		}
	}
	return names
}

func TestForms(t *testing.T) {
	const secret = "cnry0123456789abcdef0123456789+/=~"
	for name, text := range map[string]string{
		"as it is": "x" + secret, "escaped": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"base64":         base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 behind1": base64.StdEncoding.EncodeToString([]byte("u:" + secret + "more")),
		"base64 behind2": base64.URLEncoding.EncodeToString([]byte("{" + secret + "}")),
		"hexadecimal":    hex.EncodeToString([]byte(secret)),
	} {
		if len(hay{name: []byte(text)}.holding(secret)) != 1 {
			t.Errorf("%s: %s is not found", name, text)
		}
	}
	if got := (hay{"x": []byte("nothing of it")}).holding(secret); got != nil {
		t.Errorf("found %v", got)
	}
}

// logID reads a response's head and returns the log id in it.
func logID(t *testing.T, r *bufio.Reader) (id string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "":
			return id
		case strings.EqualFold(name, "cf-aig-log-id"):
			id = strings.TrimSpace(value)
		}
	}
}

// dirty sends a request with a secret in it and does not care about the answer.
func dirty(t *testing.T, addr, request string) *rawhttp.Message {
	t.Helper()
	m, err := rawhttp.Do(addr, request)
	if err != nil && !ended(err) {
		t.Fatal(err)
	}
	return m
}

func TestSecretsAreKeptNowhere(t *testing.T) {
	c := &canaries{t, map[string]string{}}
	body := &canaries{t, map[string]string{}} // stored by design
	up := upstream.New(t, nil)
	base := "http://" + up.Addr
	var config strings.Builder
	config.WriteString("log: {level: debug}\nproviders:\n")
	for _, slug := range []string{"openai", "anthropic", "google-ai-studio", "azure-openai", "elevenlabs", "ideogram", "deepgram", "cartesia", "fal", "aws-bedrock", "huggingface"} {
		fmt.Fprintf(&config, "  %s: {base_url: %q}\n", slug, base)
	}
	config.WriteString("  mistral: {base_url: \"http://127.0.0.1:1\"}\n")
	g := gateway.Start(t, gateway.Options{Config: config.String(), Env: []string{"SLUICE_ADMIN_TOKEN=" + c.plant("the admin's token")}})
	p := pair{g, up}

	up.Use(upstream.Answer(200, []string{
		"Content-Type: application/json", "Set-Cookie: session=" + c.plant("set-cookie") + "; Path=/", "Set-Cookie2: a=" + c.plant("set-cookie2"),
		"X-Amz-Security-Token: " + c.plant("a token in an answer"),
	}, `{"echo":"`+body.plant("an answer's body")+`"}`))
	planted := `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + body.plant("a request's body") + `"}]}`
	sends(t, p, c, planted)
	h := hay{}
	stores(t, p, c, c.all["the admin's token"], h)
	signs(t, p, c, c.all["the admin's token"], h)
	silent(t, p, c, c.all["the admin's token"], h)

	// A stream that runs for longer than a second leaves an open mark; then the process is killed.
	up.Use(func(_ *rawhttp.Message, conn *upstream.Conn) bool {
		upstream.Head(conn)
		conn.Chunk(event)
		conn.WaitClosed()
		return false
	})
	conn, r := p.dial(t)
	fmt.Fprintf(conn, "POST /v1/default/default/google-ai-studio/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		url.QueryEscape(c.plant("a query that an open mark has")), c.plant("a header that an open mark has"), len(chat), chat)
	began, id := time.Now(), logID(t, r)

	token := c.all["the admin's token"]
	g.Eventually("an exchange that has run for two seconds, so that its mark is on disk", func() bool {
		return time.Since(began) > 2*time.Second
	}, g.Output)
	p.collect(t, h, token, "")
	p.exports(t, h, token, "")
	p.files(t, h, "while it ran")
	g.Kill()
	p.files(t, h, "after it was killed")
	h["what the process said"] = []byte(g.Output())

	again := gateway.Start(t, gateway.Options{Config: config.String(), DataDir: g.DataDir, Env: []string{"SLUICE_ADMIN_TOKEN=" + token}})
	p = pair{again, up}
	again.Eventually("a row of the exchange that was killed", func() bool {
		_, text := p.ask(t, token, management+"/gateways/default/logs/"+id)
		return strings.Contains(string(text), `"crashed"`)
	}, again.Output)
	p.collect(t, h, token, "after a new start: ")
	if code := again.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p.files(t, h, "after it was stopped")
	h["what the new process said"] = []byte(again.Output())

	for place, secret := range body.all {
		if found := h.holding(secret); len(found) == 0 {
			t.Errorf("what was planted in %s on purpose is not found: the search finds nothing", place)
		}
		for _, where := range []string{".bodies, unpacked", "an export as jsonl", "an export as csv"} {
			if !strings.Contains(fmt.Sprint(h.holding(secret)), where) {
				t.Errorf("what was planted in %s on purpose is not found in %s", place, where)
			}
		}
	}
	for place, secret := range c.all {
		if found := h.holding(secret); len(found) > 0 {
			t.Errorf("%s is found in %s", place, found)
		}
	}
	t.Logf("%d secrets are not in %d answers, files and outputs", len(c.all), len(h))
}

// sends puts secrets into every place where callers have them, in good requests and in bad ones.
func sends(t *testing.T, p pair, c *canaries, body string) {
	t.Helper()
	post := func(path, fields string) {
		t.Helper()
		dirty(t, p.Addr, fmt.Sprintf("POST /v1/default/default/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, fields, len(body), body))
	}
	before := len(p.up.Take())
	for _, f := range []string{
		"Authorization: Bearer %s", "authorization: Token %s", "AUTHORIZATION: %s", "X-Api-Key: %s", "x-goog-api-key: %s", "api-key: %s", "xi-api-key: %s",
		"cf-aig-authorization: Bearer %s", "Cf-Aig-Authorization: %s", "Proxy-Authorization: Bearer %s", "Cookie: session=%s", "Cookie: CF_Authorization=%s",
		"Sec-WebSocket-Protocol: openai-insecure-api-key.%s", "X-Amz-Security-Token: %s", "X-Auth-Key: %s", "X-Custom-Token: %s", "X-Vendor-Api-Key: %s",
		"Cf-Access-Jwt-Assertion: %s", "Cf-Access-Client-Secret: %s",
	} {
		post("openai/chat/completions", fmt.Sprintf(f, c.plant(f))+"\r\n")
	}
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + c.plant("basic credentials")))
	post("openai/chat/completions", "Authorization: Basic "+basic+"\r\n")
	post("openai/chat/completions", fmt.Sprintf("Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", c.plant("the first of two"), c.plant("the second of two")))
	for _, path := range []string{
		"google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent?key=%s", "google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent?alt=sse&KEY=%s&x=1",
		"google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent?k%%65y=%s", "google-ai-studio/v1beta/models/g:generateContent?x=1;key=%s",
		"azure-openai/r/d/chat/completions?api-version=1&api-key=%s", "cartesia/tts/bytes?api_key=%s", "fal/fal-ai/flux?fal_jwt_token=%s",
		"aws-bedrock/bedrock-runtime/us-east-1/model/m/converse?X-Amz-Signature=%s", "openai/chat/completions?access_token=%s", "huggingface/m?token=%s",
	} {
		post(fmt.Sprintf(path, url.QueryEscape(c.plant(path))), "")
	}
	for path, field := range map[string]string{
		"anthropic/v1/messages": "x-api-key", "azure-openai/r/d/chat/completions": "api-key", "elevenlabs/v1/text-to-speech/v": "xi-api-key",
		"ideogram/generate": "Api-Key", "deepgram/v1/listen": "Authorization", "cartesia/tts/bytes": "X-API-Key", "fal/fal-ai/flux": "Authorization",
		"google-ai-studio/v1beta/models/g:generateContent": "x-goog-api-key",
	} {
		post(path, field+": "+c.plant(path+" "+field)+"\r\n")
	}
	seen := p.up.Take()
	if len(seen)-before < 30 {
		t.Errorf("the upstream got %d requests: most were not sent on", len(seen))
	}
	if h := (hay{"upstream": heads(seen)}); len(h.holding(c.all["X-Api-Key: %s"])) == 0 || len(h.holding(c.all["Authorization: Bearer %s"])) == 0 {
		t.Error("the upstream did not get the keys")
	}
	// Requests that fail: unreachable, refused by path, by name, and by their form.
	bad := func(what string) string {
		return fmt.Sprintf("Authorization: Bearer %s\r\nx-api-key: %s\r\n", c.plant(what+": Authorization"), c.plant(what+": x-api-key"))
	}
	key := func(what string) string { return "?key=" + url.QueryEscape(c.plant(what+": query")) }
	post("mistral/v1/chat/completions"+key("unreachable"), bad("unreachable"))
	post("openai/../x"+key("a path that climbs"), bad("a path that climbs"))
	post("nosuch/x"+key("an unknown provider"), bad("an unknown provider"))
	post("nosuch"+key("an unknown provider and no path"), bad("an unknown provider and no path"))
	post("openai"+key("no path"), bad("no path"))
	post(key("no provider"), bad("no provider"))
	post("openai/x"+key("a folded field"), bad("a folded field")+"X-A: b\r\n c\r\n")
	post("openai/x"+key("a length too many"), bad("a length too many")+"Content-Length: 0\r\n")
	dirty(t, p.Addr, "GET /v1/default/nosuch/openai/x"+key("an unknown gateway")+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+bad("an unknown gateway")+"\r\n")
	dirty(t, p.Addr, "GET /client/v4/accounts/default/ai-gateway/gateways"+key("the management API")+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+bad("the management API")+"\r\n")
	dirty(t, p.Addr, "GET /nothing"+key("no such path")+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+bad("no such path")+"\r\n")
}

func heads(seen []*rawhttp.Message) []byte {
	var b bytes.Buffer
	for _, m := range seen {
		fmt.Fprintln(&b, m.Start, m.Header)
	}
	return b.Bytes()
}

const (
	management = "/client/v4/accounts/default/ai-gateway"
	logs       = management + "/gateways/default/logs?per_page=50"
)

// ask fetches a path as the admin. What never ends is read for a while.
func (p pair) ask(t *testing.T, token, path string) (status int, text []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	if strings.Contains(path, "/events") {
		ctx, cancel = context.WithTimeout(ctx, 700*time.Millisecond)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if errors.Is(err, context.DeadlineExceeded) && strings.Contains(path, "/events") {
		return 0, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, text
}

// collect adds the answer of every reading operation that the API's own description lists, for every
// row of the log, and what the commands print.
func (p pair) collect(t *testing.T, h hay, token, when string) {
	t.Helper()
	keep := func(path string) (status int, text []byte) {
		status, text = p.ask(t, token, path)
		h[when+"GET "+path] = text
		return status, text
	}
	ids := map[string]bool{}
	for _, basis := range []string{"requests", "attempts"} {
		for query := logs + "&basis=" + basis; query != ""; {
			_, text := keep(query)
			var page struct {
				Result []struct{ ID string } `json:"result"`
				Info   struct{ Next string } `json:"result_info"`
			}
			if err := json.Unmarshal(text, &page); err != nil {
				t.Fatalf("%v: %.300s", err, text)
			}
			for _, r := range page.Result {
				ids[r.ID] = true
			}
			if query = ""; page.Info.Next != "" && len(page.Result) > 0 {
				query = logs + "&basis=" + basis + "&cursor=" + url.QueryEscape(page.Info.Next)
			}
		}
	}
	if len(ids) < 30 {
		t.Fatalf("the log has %d rows", len(ids))
	}
	_, text := keep("/client/v4/openapi.json")
	var api struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{account}", "default", "{gateway}", "default", "{provider}", "openai")
	answered := 0
	for path, methods := range api.Paths {
		if methods["get"] == nil {
			continue
		}
		if path = fill.Replace(path); !strings.Contains(path, "{id}") {
			if status, _ := keep(path); status == 200 {
				answered++
			}
			continue
		}
		for id := range ids {
			if status, _ := keep(strings.Replace(path, "{id}", id, 1)); status == 200 {
				answered++
			}
		}
	}
	if answered < 3*30 {
		t.Errorf("only %d answers were there to search", answered)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/"} {
		keep(path)
	}
	p.commands(t, h, token, when)
}

// commands adds what the commands print.
func (p pair) commands(t *testing.T, h hay, token, when string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "client.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "listen: %q\nadmin_token: %q\n", p.Addr, token), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"logs", "list", "-o", "json"}, {"logs", "export"}, {"logs", "list", "-o", "wide"}, {"status"}, {"doctor", "--offline"}, {"config", "print"}, {"-vv", "logs", "list"},
	} {
		out, _ := gateway.Run(t, append(args, "--config", file)...)
		if regexp.MustCompile(`unknown (flag|command|shorthand)`).MatchString(out) {
			t.Errorf("%q: %s", args, out)
		}
		h[when+"sluice "+strings.Join(args, " ")] = []byte(out)
	}
}

// files adds every file of the data directory.
func (p pair) files(t *testing.T, h hay, when string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(p.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		n++
		name := when + ": " + filepath.Base(path)
		h[name] = text
		switch filepath.Ext(path) {
		case ".rows", ".bodies":
			h[name+", unpacked"] = unpacked(t, text)
		case ".db":
			h[name+", row by row"] = rows(t, path)
		}
		return err
	})
	if err != nil || n < 3 {
		t.Errorf("%d files, %v", n, err)
	}
}
