package proxy

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// translating is the sink of an answer that is translated: what it is given are the provider's bytes, and the
// client gets its own dialect's. The head waits until the answer has proved to be one, so that an error has a
// status of its own. Log, meter and cache see the provider's bytes.
type translating struct {
	front.Sink
	x      *exchange
	answer *translate.Answer
	to     *translate.Context
	coded  wire.Meter // undoes the answer's content coding, into plain
	plain  plain
	status int
	kind   string // the provider's content type
	header sluice.Header
	held   []byte // of an answer that is no stream, or has not proved to be one; of an error
	sent   bool   // the head was
}

// plain takes decoded bytes.
type plain struct{ b []byte }

// Write implements wire.Meter.
func (p *plain) Write(b []byte) { p.b = append(p.b, b...) }

// Close implements wire.Meter.
func (p *plain) Close() wire.Reading { return wire.Reading{} }

// Seen implements wire.Meter.
func (p *plain) Seen() wire.Sighting { return 0 }

// take returns what has come since the last call.
func (p *plain) take() []byte {
	b := p.b
	p.b = p.b[:0]
	return b
}

// maxFault bounds how much of an error answer is read for its text, in bytes.
const maxFault = 64 << 10

// translateAnswer puts the translation between the answer and the client, where the step wants one.
func (x *exchange) translateAnswer() {
	if x.step.answer == nil || x.answer.status >= 400 && x.step.answer.Same() {
		return
	}
	to := *x.step.answer
	if m, ok := x.meter.(wire.Progress); ok {
		to.Usage = m.SoFar
	}
	t := &translating{Sink: x.sink, x: x, to: &to, answer: translate.NewAnswer(to)}
	t.coded, _ = inflate.Meter(x.entry().Response.Encoding, &t.plain)
	x.sink, x.translated = t, t
}

// Head implements front.Sink.
func (t *translating) Head(status int, h sluice.Header) {
	t.status, t.kind = status, h.Get("Content-Type")
	t.header = make(sluice.Header, 0, len(h)+1)
	for _, f := range h {
		switch strings.ToLower(f.Name) {
		case "content-length", "content-type", "content-encoding", "transfer-encoding":
		default:
			t.header = append(t.header, f)
		}
	}
}

// Write implements front.Sink.
func (t *translating) Write(p []byte) (int, error) {
	t.coded.Write(p)
	return len(p), t.pass(t.plain.take())
}

// pass translates decoded bytes.
func (t *translating) pass(p []byte) error {
	if t.status >= 400 {
		t.held = append(t.held, p[:min(len(p), max(maxFault-len(t.held), 0))]...)
		return nil
	}
	text := t.answer.Write(p)
	if !t.sent && (!t.to.Stream || !t.answer.Begun()) {
		t.held = append(t.held, text...)
		return nil
	}
	return t.send(text)
}

// send writes text, behind the head and what was held.
func (t *translating) send(text []byte) error {
	if !t.sent {
		kind := t.kind
		if !t.to.Same() {
			kind = "text/event-stream; charset=utf-8"
		}
		t.head(t.status, kind, -1)
		if err := t.write(t.held); err != nil {
			return err
		}
		t.held = nil
	}
	return t.write(text)
}

func (t *translating) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := t.Sink.Write(b)
	return err
}

func (t *translating) head(status int, contentType string, length int) {
	t.sent = true
	t.header.Set("Content-Type", contentType)
	if length >= 0 {
		t.header.Set("Content-Length", strconv.Itoa(length))
	}
	t.x.entry().Status = status
	t.Sink.Head(status, t.header)
}

// Flush implements front.Sink.
func (t *translating) Flush() error {
	if !t.sent {
		return nil
	}
	return t.Sink.Flush()
}

// Trailer implements front.Sink: an answer that is written anew has none.
func (t *translating) Trailer(sluice.Header) {}

// end ends the answer. cut: the provider's broke off. whole is false where nobody may take what the client got for
// a whole answer, or it got nothing.
func (t *translating) end(cut bool) (whole bool, err error) {
	t.coded.Close()
	if rest := t.plain.take(); len(rest) > 0 {
		if err := t.pass(rest); err != nil {
			return false, err
		}
	}
	if t.status >= 400 {
		return true, t.fail(translate.ReadError(t.to.From, t.status, t.header, t.held))
	}
	text := t.answer.Close(cut)
	f := t.answer.Fault()
	switch {
	case f != nil && !t.sent && f.Truncated():
		return false, nil // the gateway says so, in its own form
	case f != nil && !t.sent:
		return true, t.fail(f)
	case t.to.Stream:
		return !cut && (f == nil || !f.Truncated()), t.send(text)
	}
	t.held = append(t.held, text...)
	t.head(t.status, "application/json", len(t.held))
	return true, t.write(t.held)
}

// fail answers with an error.
func (t *translating) fail(f *translate.Fault) error {
	body := translate.ErrorBody(t.to.To, f)
	if f.After != "" {
		t.header.Set("Retry-After", f.After)
	}
	t.head(f.Status, "application/json", len(body))
	return t.write(body)
}

// endTranslation ends the translation of an answer that was relayed, with err where that broke off.
func (x *exchange) endTranslation(err error) error {
	t := x.translated
	if t == nil {
		return err
	}
	x.sink = t.Sink
	if gone := (errClient{}); errors.As(err, &gone) || x.haunting {
		t.coded.Close()
		return err
	}
	whole, failed := t.end(err != nil)
	switch {
	case failed != nil:
		return errClient{failed}
	case err == nil && !whole:
		return &upstream.Error{Stage: upstream.StageBody, Host: x.target.Host, Err: io.ErrUnexpectedEOF}
	}
	return err
}

// untold answers for a provider whose answer broke off before anything of it could be told.
func (x *exchange) untold(ctx context.Context) {
	if t := x.translated; t == nil || t.sent || !x.abort || ctx.Err() != nil {
		return
	}
	x.abort = false
	x.sendError(wireOf(sluice.KindUpstream), &sluice.Error{Kind: sluice.KindUpstream, Msg: "the provider's answer broke off"})
}
