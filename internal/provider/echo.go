package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// What bounds the echo provider.
const (
	echoMaxText   = 4096   // bytes of an answer
	echoMaxModel  = 256    // bytes of a model's name, which every event repeats
	echoMaxPieces = 10_000 // content events of a stream
	echoPieceSize = 16     // bytes of a content event when the caller does not say how many there are
	echoMaxDelay  = time.Minute
	echoSlowDelay = 50 * time.Millisecond
	echoCreated   = 1_700_000_000 // every answer's time, so that equal requests have equal answers
)

// echoProvider is a provider that needs no network and no key: it answers OpenAI's dialect in the
// process itself and repeats the last user message. Equal requests have equal answers, byte for byte.
// docs/providers.md says what it can do; its text is in markdown.go.
func echoProvider(m meters) Provider {
	return Provider{
		Slug: "echo", Name: "Echo", Strip: []string{"v1"}, Local: true, Auth: bearer(), Serve: serveEcho,
		Endpoints: []Endpoint{
			call("chat/completions", m.chat), call("responses", m.responses), call("embeddings", m.embeddings),
			{Name: "models", Method: "GET", Pattern: "models/{model...}"},
		},
		Source: "this module 2026-11",
	}
}

// echoModels are the models that the list names. Any other name is answered too, so that an
// application can be pointed at echo without changing its model.
func echoModels() []string { return []string{"echo", "echo-slow", "echo-embedding"} }

// echoRequest is one call of echo.
type echoRequest struct {
	id     string // hexadecimal, from the request
	path   string // without version
	body   []byte
	delay  time.Duration // before each event
	pieces int           // content events wanted, 0: as the text needs
	asked  bool          // delay was asked for in a header
}

// echoError is a refusal in OpenAI's shape.
type echoError struct {
	status           int
	msg, param, code string
	allow            string // the method that would have done, with 405
}

// serveEcho answers a call of the provider echo; it is a Handler.
func serveEcho(ctx context.Context, in Call, body []byte) Answer {
	r := &echoRequest{body: body}
	r.path, _ = strip(strings.Trim(in.Path, "/"), []string{"v1"})
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s %s\n", in.Method, r.path)
	_, _ = sum.Write(body)
	r.id = hex.EncodeToString(sum.Sum(nil)[:12])

	if e := r.knobs(in.Header); e != nil {
		return r.fail(e)
	}
	if e := echoEncoding(in.Header); e != nil {
		return r.fail(e)
	}
	method, serve := r.find()
	if serve == nil {
		return r.fail(&echoError{
			status: http.StatusNotFound, code: "unknown_url",
			msg: fmt.Sprintf("Unknown request URL: %.20s /%.200s. Echo knows chat/completions, responses, embeddings and models.", in.Method, r.path),
		})
	}
	head := method == http.MethodGet && in.Method == http.MethodHead
	if in.Method != method && !head {
		return r.fail(&echoError{
			status: http.StatusMethodNotAllowed, code: "method_not_supported", allow: method,
			msg: fmt.Sprintf("Not allowed to %.20s on /%.200s. Use %s.", in.Method, r.path, method),
		})
	}
	a, e := serve(ctx, r)
	if e != nil {
		a = r.fail(e)
	}
	if head && a.Body != nil {
		_ = a.Body.Close()
		a.Body = nil
	}
	return a
}

// find returns the method and the function that serve the path.
func (r *echoRequest) find() (method string, serve func(context.Context, *echoRequest) (Answer, *echoError)) {
	switch {
	case r.path == "chat/completions":
		return http.MethodPost, echoChat
	case r.path == "responses":
		return http.MethodPost, echoResponses
	case r.path == "embeddings":
		return http.MethodPost, echoEmbeddings
	case r.path == "models", strings.HasPrefix(r.path, "models/"):
		return http.MethodGet, echoModelList
	}
	return "", nil
}

// knobs reads the x-echo-… headers. x-echo-status is an answer by itself.
func (r *echoRequest) knobs(h sluice.Header) *echoError {
	if v := h.Get("x-echo-delay"); v != "" {
		d, err := time.ParseDuration(v)
		if ms, e := strconv.Atoi(v); e == nil {
			d, err = time.Duration(min(max(ms, -1), int(echoMaxDelay/time.Millisecond)+1))*time.Millisecond, nil
		}
		if err != nil || d < 0 || d > echoMaxDelay {
			return echoBad("x-echo-delay", "must be milliseconds or a duration such as 250ms, 60s at most")
		}
		r.delay, r.asked = d, true
	}
	if v := h.Get("x-echo-chunks"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > echoMaxPieces {
			return echoBad("x-echo-chunks", fmt.Sprintf("must be 1 to %d", echoMaxPieces))
		}
		r.pieces = n
	}
	if v := h.Get("x-echo-status"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 400 || n > 599 {
			return echoBad("x-echo-status", "must be 400 to 599")
		}
		return &echoError{status: n, code: "echo_status", msg: "Echo answers " + strconv.Itoa(n) + " because x-echo-status asked for it."}
	}
	return nil
}

// echoEncoding refuses bodies that are not plain.
func echoEncoding(h sluice.Header) *echoError {
	if v := h.Get("Content-Encoding"); v != "" && !strings.EqualFold(v, "identity") {
		return &echoError{status: http.StatusUnsupportedMediaType, msg: "Echo reads bodies without a content encoding only."}
	}
	return nil
}

// echoBad is the refusal of one parameter.
func echoBad(param, what string) *echoError {
	return &echoError{status: http.StatusBadRequest, param: param, code: "invalid_value", msg: "'" + param + "' " + what + "."}
}

// echoDecode reads a JSON body.
func echoDecode(body []byte, v any) *echoError {
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &echoError{
			status: http.StatusBadRequest, param: t.Field, code: "invalid_type",
			msg: fmt.Sprintf("A member has the wrong type: a JSON %.20s stands there ('%.100s').", t.Value, t.Field),
		}
	}
	return &echoError{
		status: http.StatusBadRequest,
		msg:    "We could not parse the JSON body of your request. The body must be one JSON object.",
	}
}

// use takes the model's name into account.
func (r *echoRequest) use(model string) *echoError {
	if model == "" {
		return &echoError{
			status: http.StatusBadRequest, param: "model", code: "missing_required_parameter",
			msg: "you must provide a model parameter; any name does, for example echo",
		}
	}
	if len(model) > echoMaxModel {
		return echoBad("model", fmt.Sprintf("must be at most %d bytes", echoMaxModel))
	}
	if model == "echo-slow" && !r.asked {
		r.delay = echoSlowDelay
	}
	return nil
}

// fail is the answer of a refusal. It comes without delay.
func (r *echoRequest) fail(e *echoError) Answer {
	kind := "invalid_request_error"
	if e.status >= 500 {
		kind = "server_error"
	}
	if e.status == http.StatusTooManyRequests {
		kind = "requests"
	}
	null := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	type detail struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	a := r.plain(struct {
		Error detail `json:"error"`
	}{detail{e.msg, kind, null(e.param), null(e.code)}})
	a.Status = e.status
	if e.allow != "" {
		a.Header.Add("Allow", e.allow)
	}
	return a
}

// headers are those of every answer.
func (r *echoRequest) headers(contentType string) sluice.Header {
	return sluice.Header{
		{Name: "Content-Type", Value: contentType},
		{Name: "X-Request-Id", Value: "req_" + r.id},
	}
}

// plain is a JSON answer without delay.
func (r *echoRequest) plain(v any) Answer {
	b := echoJSON(v)
	return Answer{
		Status: http.StatusOK, Header: r.headers("application/json"), Length: int64(len(b)),
		Body: io.NopCloser(bytes.NewReader(b)),
	}
}

// unary is a JSON answer: a stream of one event.
func (r *echoRequest) unary(ctx context.Context, v any) Answer {
	if r.delay == 0 {
		return r.plain(v)
	}
	b := echoJSON(v)
	return Answer{
		Status: http.StatusOK, Header: r.headers("application/json"), Length: int64(len(b)),
		Body: newEchoBody(ctx, r.delay, func(i int) []byte {
			if i == 0 {
				return b
			}
			return nil
		}),
	}
}

// stream is an answer by server-sent events.
func (r *echoRequest) stream(ctx context.Context, event func(i int) []byte) Answer {
	h := r.headers("text/event-stream; charset=utf-8")
	h.Add("Cache-Control", "no-cache")
	return Answer{Status: http.StatusOK, Header: h, Length: -1, Body: newEchoBody(ctx, r.delay, event)}
}

// echoBody is an answer's body, made event by event as it is read.
type echoBody struct {
	event func(i int) []byte // nil: the end
	wait  func() error       // before each event
	close context.CancelFunc
	next  int
	left  []byte
}

// newEchoBody makes a body whose events come delay apart until ctx ends.
func newEchoBody(ctx context.Context, delay time.Duration, event func(i int) []byte) *echoBody {
	ctx, cancel := context.WithCancel(ctx)
	wait := func() error {
		if delay == 0 {
			return ctx.Err()
		}
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return &echoBody{event: event, wait: wait, close: cancel}
}

// Read returns at most one event.
func (b *echoBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.left) == 0 {
		e := b.event(b.next)
		if e == nil {
			b.close()
			return 0, io.EOF
		}
		if err := b.wait(); err != nil {
			b.close()
			return 0, err
		}
		b.left = e
		b.next++
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close ends the body; a Read that waits returns.
func (b *echoBody) Close() error {
	b.close()
	return nil
}

// echoJSON encodes what this package made, which cannot fail.
func echoJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// echoEvent is one server-sent event. name may be empty.
func echoEvent(name string, data []byte) []byte {
	b := make([]byte, 0, len(name)+len(data)+24)
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	b = append(append(b, "data: "...), data...)
	return append(b, "\n\n"...)
}

// echoTokens counts tokens by echo's rule: four bytes each, rounded up.
func echoTokens(textBytes int) int { return (textBytes + 3) / 4 }

// echoAnswer is what echo says to text, within limit tokens when limit is not 0; cut tells that the
// limit cut it.
func echoAnswer(text string, limit int) (answer string, cut bool) {
	answer = clip("echo: "+clip(text, echoMaxText), echoMaxText)
	if limit > 0 && limit < echoTokens(len(answer)) {
		return clip(answer, limit*4), true
	}
	return answer, false
}

// clip cuts s to n bytes, or a few less so that no character is split.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cuts returns text in the pieces that a stream sends.
func (r *echoRequest) cuts(text string) []string {
	n := r.pieces
	if n == 0 {
		n = max(1, (len(text)+echoPieceSize-1)/echoPieceSize)
	}
	pieces := make([]string, 0, n)
	for i := range n {
		// Even cuts, moved to where characters begin: with more pieces than characters some are empty.
		piece := clip(text, len(text)/(n-i))
		if i == n-1 {
			piece = text
		}
		pieces = append(pieces, piece)
		text = text[len(piece):]
	}
	return pieces
}

// echoMessage is a message of a request, as far as echo reads it.
type echoMessage struct {
	Role    string      `json:"role"`
	Content echoContent `json:"content"`
}

// echoContent is a message's text: a string, or the texts of its parts one after the other.
type echoContent string

// UnmarshalJSON reads a string, a list of parts, or null.
func (c *echoContent) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var parts []struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(b, &parts); err != nil {
			return err
		}
		var s strings.Builder
		for _, p := range parts {
			s.WriteString(p.Text)
		}
		*c = echoContent(s.String())
		return nil
	}
	return json.Unmarshal(b, (*string)(c))
}

// echoPrompt returns the text to repeat, the last user's, else the last message's, and how many bytes
// of text there are in all.
func echoPrompt(messages []echoMessage) (text string, size int) {
	last := -1
	for i, m := range messages {
		size += len(m.Content)
		if m.Role == "user" || last < 0 || messages[last].Role != "user" {
			last = i
		}
	}
	if last < 0 {
		return "", 0
	}
	return string(messages[last].Content), size
}

// echoModelList answers the list of models, or one of them.
func echoModelList(ctx context.Context, r *echoRequest) (Answer, *echoError) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	if id, ok := strings.CutPrefix(r.path, "models/"); ok {
		if !slices.Contains(echoModels(), id) {
			return Answer{}, &echoError{
				status: http.StatusNotFound, param: "model", code: "model_not_found",
				msg: fmt.Sprintf("The model '%.100s' is not in echo's list. It is answered all the same.", id),
			}
		}
		return r.unary(ctx, model{id, "model", echoCreated, "sluice"}), nil
	}
	var list []model
	for _, id := range echoModels() {
		list = append(list, model{id, "model", echoCreated, "sluice"})
	}
	return r.unary(ctx, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", list}), nil
}
