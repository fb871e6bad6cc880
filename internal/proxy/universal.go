package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/route"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// step is one place that a request may be sent to, and what is sent there. A request to a provider's
// path has one, which is what the client sent; a universal request brings several.
type step struct {
	provider *provider.Provider
	endpoint *provider.Endpoint // nil: not one that is known
	call     provider.Call
	target   provider.Target
	control  control
	lent     *lent // nil: no stored provider key
	own      *own  // nil: the caller shows no service account of its own

	// These are a universal request's; another one's stand in the exchange.
	fields   sluice.Header // what goes to the provider
	query    []byte        // the body that goes there; nil: the request's own
	model    string
	path     string // for the log
	streamed bool

	// These are a unified request's, which may be a step of a universal one.
	unified provider.Unified
	surface translate.Dialect  // the client's
	answer  *translate.Context // how the answer becomes the client's; nil: it is as it comes
}

// maxSteps bounds a universal request.
const maxSteps = 64

// universal reports whether the request is for the universal endpoint: it names no provider.
func (x *exchange) universal() bool { return x.rest == "" || x.rest[0] == '?' }

// readSteps reads the body of the universal endpoint (cloudflare-ai-gateway.md, 1.3): an array of steps,
// or one step.
func (x *exchange) readSteps() error {
	switch {
	case !x.body.whole():
		return &sluice.Error{Kind: sluice.KindTooLarge, Msg: "the body of a universal request is larger than limits.body_bytes"}
	case !identity(x.req.Header.Get("Content-Encoding")):
		return &sluice.Error{Kind: sluice.KindUnsupported, Msg: "the body of a universal request must have no content encoding", Field: "Content-Encoding"}
	}
	raw, err := splitSteps(x.body.bytes)
	if err != nil {
		return err
	}
	x.steps = make([]step, len(raw))
	for i := range raw {
		if err := x.readStep(&x.steps[i], raw[i], i); err != nil {
			return err
		}
	}
	return nil
}

// identity reports whether a Content-Encoding says that there is none.
func identity(encoding string) bool {
	return encoding == "" || strings.EqualFold(encoding, "identity")
}

// badStep is the refusal of a universal request: of the field called name of step i, or of its whole body,
// when name is "".
func badStep(i int, name, msg, hint string) error {
	field := "body"
	if i >= 0 {
		field = fmt.Sprintf("[%d]", i)
	}
	if name != "" {
		field += "." + name
	}
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: field + " " + msg, Hint: hint}
}

// splitSteps takes the body apart: the text of each step, each an object.
func splitSteps(body []byte) ([][]byte, error) {
	const shape = `send an array of steps: [{"provider": "openai", "endpoint": "chat/completions", "headers": {…}, "query": {…}}]`
	body = bytes.TrimFunc(body, isJSONSpace)
	if len(body) > 0 && body[0] == '{' {
		return [][]byte{body}, nil
	}
	if len(body) == 0 || body[0] != '[' {
		return nil, badStep(-1, "", "is neither a JSON array nor an object", shape)
	}
	if !json.Valid(body) {
		return nil, badStep(-1, "", "is not valid JSON", shape)
	}
	var steps [][]byte
	for v := range jsonscan.Of(body).Elements() {
		if len(steps) == maxSteps {
			return nil, badStep(-1, "", "has more than "+strconv.Itoa(maxSteps)+" steps", "")
		}
		if v.Kind != jsonscan.Object {
			return nil, badStep(len(steps), "", "is not an object", shape)
		}
		steps = append(steps, v.Raw)
	}
	if len(steps) == 0 {
		return nil, badStep(-1, "", "has no steps", shape)
	}
	return steps, nil
}

func isJSONSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// The fields of a step, as jsonscan finds them.
const (
	stepProvider = iota
	stepEndpoint
	stepHeaders
	stepAuthorization
	stepQuery
	stepConfig
	stepFields
)

func stepKeys() []string {
	return []string{"provider", "endpoint", "headers", "authorization", "query", "config"}
}

// readStep reads step i. What Sluice acts on is read strictly: a field that is there twice, or in another
// case, is refused, because another reader might take the other one.
func (x *exchange) readStep(s *step, text []byte, i int) error {
	var found [stepFields]jsonscan.Value
	scan := jsonscan.Top(text, stepKeys(), found[:])
	switch {
	case !scan.Valid:
		return badStep(i, "", "is not a valid JSON object", "")
	case scan.Repeated != "":
		return badStep(i, scan.Repeated, "is there more than once", "")
	case scan.Variant != "":
		return badStep(i, "", "has the field "+quote(scan.Variant)+", which differs from one of a step only in case", "field names are in lower case")
	case found[stepProvider].Kind != jsonscan.String:
		return badStep(i, "provider", "is missing, or no text", "name the provider's slug: docs/providers.md lists them")
	case found[stepEndpoint].Found && found[stepEndpoint].Kind != jsonscan.String:
		return badStep(i, "endpoint", "is no text", "it is the path of the provider's API: chat/completions")
	case !found[stepQuery].Found:
		return badStep(i, "query", "is missing", "it is the body that the provider gets")
	}
	s.control = x.control.ofStep()
	s.query = rawQuery(found[stepQuery])
	if err := x.readStepHeaders(s, &found[stepHeaders], &found[stepAuthorization], i); err != nil {
		return err
	}
	if err := x.readConfig(&s.control, found[stepConfig], i); err != nil {
		return err
	}
	if err := x.aim(s, found[stepProvider].String(), found[stepEndpoint].String(), i); err != nil {
		return err
	}
	x.readQuery(s)
	return nil
}

// rawQuery is the body that a step sends: the bytes of its query as they stand. A client that has another
// body than JSON sends {"_raw": "…"} (cloudflare-ai-gateway.md, 12.3), null stands for none.
func rawQuery(query jsonscan.Value) []byte {
	switch query.Kind {
	case jsonscan.Null:
		return []byte{}
	case jsonscan.Object:
		if only := gjson.ParseBytes(query.Raw).Map(); len(only) == 1 && only["_raw"].Type == gjson.String {
			return []byte(only["_raw"].Str)
		}
	}
	return query.Raw
}

// readStepHeaders reads the header fields of a step, and the field authorization of 2023, which gives way
// to one in headers.
func (x *exchange) readStepHeaders(s *step, headers, authorization *jsonscan.Value, i int) error {
	if headers.Found && headers.Kind != jsonscan.Object && headers.Kind != jsonscan.Null {
		return badStep(i, "headers", "is not an object", `it maps names to texts: {"Authorization": "Bearer …"}`)
	}
	var bad error
	gjson.ParseBytes(headers.Raw).ForEach(func(key, value gjson.Result) bool {
		bad = x.addStepHeader(s, key.String(), headerText(value), i)
		return bad == nil
	})
	if bad != nil {
		return bad
	}
	if authorization.Kind == jsonscan.String && !s.fields.Has("Authorization") {
		if err := x.addStepHeader(s, "Authorization", authorization.String(), i); err != nil {
			return err
		}
	}
	if !s.fields.Has("Content-Type") && len(s.query) > 0 {
		s.fields.Add("Content-Type", "application/json")
	}
	for _, name := range [...]string{"User-Agent", "Accept", "Accept-Encoding"} { // of who will read the answer
		if v := x.req.Header.Get(name); v != "" && !s.fields.Has(name) {
			s.fields.Add(name, v)
		}
	}
	return nil
}

// headerText is a header's value as hand-written clients give it: numbers, truth values and objects as
// their JSON text.
func headerText(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	return v.Raw
}

// addStepHeader takes one field: what is ours is obeyed, what belongs to a connection is dropped.
func (x *exchange) addStepHeader(s *step, name, value string, i int) error {
	if !validName(name) || !validValue(value) {
		return badStep(i, "headers", "has a field that is not valid HTTP: "+quote(name), "names are letters, digits and -; values hold no line ends")
	}
	switch {
	case ours(name):
		x.obey(&s.control, sluice.Field{Name: name, Value: value})
	case x.message != nil && strings.EqualFold(name, "Accept-Encoding"): // the answer is to be JSON within JSON
	case hopByHop(name), x.ourToken(value), isPlaceholder(value):
	case strings.EqualFold(name, "Cookie"):
		if v := withoutOurCookie(value); v != "" {
			s.fields.Add(name, v)
		}
	default:
		s.fields.Set(name, value) // the last of a repeated name counts, as it does for most JSON readers
	}
	return nil
}

// validName reports whether s is a token (RFC 9110, 5.6.2).
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

// validValue reports whether s may be a field's value (RFC 9110, 5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// readConfig reads a step's config, which goes before its headers. A value that is not valid is ignored and
// noted, as a header's is.
func (x *exchange) readConfig(c *control, config jsonscan.Value, i int) error {
	switch config.Kind {
	case jsonscan.None, jsonscan.Null:
		return nil
	case jsonscan.Object:
	default:
		return badStep(i, "config", "is not an object", "")
	}
	keys := [...]string{"requestTimeout", "maxAttempts", "retryDelay", "backoff"}
	var found [len(keys)]jsonscan.Value
	jsonscan.Top(config.Raw, keys[:], found[:])
	for k, read := range [len(keys)]func(jsonscan.Value) bool{
		func(v jsonscan.Value) bool { return millis(v, 1, maxTimeout, &c.timeout) },
		func(v jsonscan.Value) bool {
			n, ok := v.Int()
			if ok = ok && n >= 1 && n <= maxTries; ok {
				c.retry.MaxAttempts = int(n)
			}
			return ok
		},
		func(v jsonscan.Value) bool { return millis(v, 0, route.MaxDelay, &c.retry.Delay) },
		func(v jsonscan.Value) bool {
			return v.Kind == jsonscan.String && readBackoff(v.String(), &c.retry.Backoff)
		},
	} {
		if v := found[k]; v.Found && v.Kind != jsonscan.Null && !read(v) {
			x.note(fmt.Sprintf("invalid [%d].config.%s: ignored", i, keys[k]))
		}
	}
	return nil
}

// millis reads a number of milliseconds; clients send texts too.
func millis(v jsonscan.Value, least int64, most time.Duration, to *time.Duration) bool {
	switch v.Kind {
	case jsonscan.Number:
		return readMillis(string(v.Raw), least, most, to)
	case jsonscan.String:
		return readMillis(v.String(), least, most, to)
	}
	return false
}

// aim finds out where step i goes.
func (x *exchange) aim(s *step, slug, endpoint string, i int) error {
	if slug == compatSegment {
		path, _, _ := strings.Cut(endpoint, "?")
		return x.translateStep(s, path, fmt.Sprintf("[%d].query.", i))
	}
	p, ok := x.settings.providers.FindIn(x.gateway.Account, slug)
	if !ok {
		return &sluice.Error{
			Kind: sluice.KindNoProvider, Field: fmt.Sprintf("[%d].provider", i), Msg: "no provider " + quote(slug),
			Hint: "docs/providers.md lists the providers",
		}
	}
	path, query, asked := strings.Cut(strings.TrimLeft(endpoint, "/"), "?")
	s.provider, s.path = p, path
	if asked {
		s.path += "?" + provider.RedactQuery(query, p)
	}
	s.call = provider.Call{Method: "POST", Path: path, Query: query, Header: s.fields, Account: x.named}
	s.endpoint, s.model = p.Match(s.call.Method, path)
	if p.Serve != nil {
		return nil
	}
	if err := p.Usable(); err != nil {
		return err
	}
	s.fields = p.Added(s.fields)
	target, err := p.Resolve(s.call)
	if err != nil {
		return badStep(i, "endpoint", "cannot be called", err.Error())
	}
	s.target = target
	for _, name := range p.Consumes {
		s.fields.Del(name)
	}
	return nil
}

// readQuery finds model and stream in the step's body.
func (x *exchange) readQuery(s *step) {
	if s.surface != "" {
		return // it was read before it was written for its provider
	}
	s.streamed = s.endpoint != nil && s.endpoint.Stream
	if len(s.query) == 0 || s.query[0] != '{' {
		return
	}
	model, stream, ambiguous := topFields(s.query)
	if ambiguous {
		x.note("ambiguous")
	}
	if s.model == "" {
		s.model = model
	}
	s.streamed = s.streamed || stream
}

// enter makes step i of a universal request the one that is under way.
func (x *exchange) enter(i int) {
	first := x.provider == nil
	x.index, x.step = i, x.steps[i]
	x.out = append(x.out[:0], x.fields...)
	describe := func(e *sluice.LogEntry) {
		e.Provider, e.Model, e.Path, e.Endpoint, e.Step = x.provider.Slug, x.model, x.path, "", i
		if x.endpoint != nil {
			e.Endpoint = x.endpoint.Name
		}
		x.control.tell(e)
	}
	clear(x.log.Bodies[:]) // nothing is in them before an answer is delivered
	x.capture()
	if first {
		describe(x.entry())
	} else {
		x.proxy.log.Redescribe(&x.log, describe)
	}
	x.entry().Streamed = x.streamed
}

// decodeUniversal is decode for the universal endpoint.
func (x *exchange) decodeUniversal(ctx context.Context) error {
	e := x.entry()
	if x.message == nil {
		e.Type = "universal"
	}
	x.sortHeader() // what the request asks holds for each step that does not ask otherwise
	if x.message != nil && x.message.fault != nil {
		return x.message.fault
	}
	if x.req.Method != "POST" {
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: "method", Msg: "the universal endpoint takes POST, or a WebSocket",
			Hint: "for a provider's own path call /v1/{account}/{gateway}/{provider}/{path}",
		}
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	if err := x.readSteps(); err != nil {
		return err
	}
	x.enter(0)
	e.Request.Type = x.out.Get("Content-Type")
	return nil
}
