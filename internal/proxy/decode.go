package proxy

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// decode finds out what is asked of whom, and reads the body. Nothing is decoded that needn't be:
// of the body only the few top-level fields that Sluice uses.
func (p *Proxy) decode(ctx context.Context, x *exchange) error {
	read := x.decodeNative
	if x.universal() {
		read = x.decodeUniversal
	}
	if err := read(ctx); err != nil {
		return err
	}
	x.log.CountOnly = !x.control.collect
	x.log.Described()
	return nil
}

// decodeNative is decode for a provider's own path.
func (x *exchange) decodeNative(ctx context.Context) error {
	if segment, rest := cutSegment(x.rest); segment == compatSegment {
		return x.decodeCompat(ctx, rest)
	}
	err := x.findProvider()
	x.sortHeader() // also for a request that is refused: it may say how it is to be logged
	if err != nil {
		return err
	}
	if x.switching() {
		return x.decodeRealtime()
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	x.readFields()
	return nil
}

// receive reads the body.
func (x *exchange) receive(ctx context.Context) error {
	x.capture()
	if err := x.readBody(ctx); err != nil {
		return err
	}
	x.entry().Timeline.Received = x.since()
	return nil
}

// capture makes the log keep bodies, if it is to.
func (x *exchange) capture() {
	if !x.stored() {
		return
	}
	for side := range x.log.Bodies {
		x.proxy.log.Capture(&x.log.Bodies[side], x.settings.logLimit)
	}
}

// stored reports whether the log keeps bodies of this exchange.
func (x *exchange) stored() bool { return x.control.collect && x.control.payload }

// findProvider reads the provider from the path, and where the call goes.
func (x *exchange) findProvider() error {
	segment, rest := cutSegment(x.rest)
	p, ok := x.settings.providers.FindIn(x.gateway.Account, segment)
	if !ok {
		path, query, asked := strings.Cut(printable(x.rest, 1024), "?")
		if asked {
			path += "?" + provider.RedactQuery(query, nil)
		}
		x.entry().Path = path
		return &sluice.Error{
			Kind: sluice.KindNoProvider, Msg: "no provider " + quote(segment),
			Hint: "the path is /v1/{account}/{gateway}/{provider}/{path}; docs/providers.md lists the providers",
		}
	}
	x.provider = p
	path, query, _ := strings.Cut(rest, "?")
	query = x.withoutTokens(query)
	x.call = provider.Call{Method: x.req.Method, Path: path, Query: query, Header: x.req.Header, Account: x.named}
	e := x.entry()
	e.Provider, e.Path = p.Slug, path
	if query != "" {
		e.Path += "?" + provider.RedactQuery(query, p)
	}
	x.endpoint, e.Model = p.Match(x.req.Method, path)
	if x.endpoint != nil {
		e.Endpoint, e.Streamed = x.endpoint.Name, x.endpoint.Stream
	}
	if p.Serve != nil {
		return nil
	}
	if err := p.Usable(); err != nil {
		return err
	}
	target, err := p.Resolve(x.call)
	x.target = target
	return err
}

// readFields finds model and stream in the body.
func (x *exchange) readFields() {
	e := x.entry()
	e.Request.Type = x.req.Header.Get("Content-Type")
	e.Request.Encoding = x.req.Header.Get("Content-Encoding")
	if len(x.body.bytes) == 0 || e.Request.Encoding != "" && !strings.EqualFold(e.Request.Encoding, "identity") {
		return
	}
	if hasPrefixFold(e.Request.Type, "multipart/") {
		x.readForm(e.Request.Type)
		return
	}
	if first := bytes.TrimLeft(x.body.bytes, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return
	}
	model, stream, ambiguous := topFields(x.body.bytes)
	if ambiguous && x.body.whole() {
		x.note("ambiguous") // passed on as it came: no policy depends on it
	}
	if e.Model == "" {
		e.Model = model
	}
	e.Streamed = e.Streamed || stream
}

// topFields reads what Sluice uses of a JSON body. ambiguous: other readers may find something else.
func topFields(body []byte) (model string, stream, ambiguous bool) {
	keys := [...]string{"model", "stream"}
	var found [len(keys)]jsonscan.Value
	scan := jsonscan.Top(body, keys[:], found[:])
	if found[0].Found {
		model = printableText(found[0].String(), 256)
	}
	asked, ok := found[1].Bool()
	return model, ok && asked, !scan.Valid || scan.Repeated != "" || scan.Variant != "" || scan.BadUTF8
}

// maxField bounds a form field that is read.
const maxField = 1 << 10

// readForm finds model and stream among the fields of a multipart body, in passing.
func (x *exchange) readForm(contentType string) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return
	}
	form := multipart.NewReader(bytes.NewReader(x.body.bytes), params["boundary"])
	for range maxParts {
		part, err := form.NextRawPart()
		if err != nil {
			return // the end, or not a form: the provider will say so
		}
		switch part.FormName() {
		case "model":
			x.entry().Model = printableText(fieldText(part), 256)
		case "stream":
			x.entry().Streamed = fieldText(part) == "true"
		}
	}
}

// maxParts bounds how many parts of a form are looked at.
const maxParts = 1000

func fieldText(r io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(r, maxField))
	if err != nil {
		return ""
	}
	return string(text)
}

// printableText bounds a text that goes to the log. It keeps what people write, control bytes
// excepted.
func printableText(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s), "")
}
