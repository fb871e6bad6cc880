package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/wire"
)

// A hard budget bounds what a call may use, not only whether it may begin. So a stream is watched: what it has used so
// far is estimated after each piece, and when that is more than is reserved for it, more is. Where a budget has no
// more, the stream ends, and its client is told so in the stream's own form.

// tally estimates how many LLM tokens of output a stream has brought while it runs: dialects report them at its end.
// Each event with data is one, and what it holds beyond the shortest of the stream's events counts by its bytes. It
// sees the stream decoded, and hands it on to the dialect's meter.
type tally struct {
	wire.Meter
	tokens int64
	least  int // bytes of the shortest event
	line   int // bytes of the line under way
	begins byte
	lines  bool // each line is an event, as against events that end with an empty line
	ended  bool // the last byte ended an event
}

// minEvent is shorter than any event with content: what is shorter is an end mark or an empty line.
const minEvent = len("data: [DONE]") + 1

// Write takes the next bytes.
func (t *tally) Write(p []byte) {
	for rest := p; len(rest) > 0; {
		if t.line == 0 {
			t.begins = rest[0]
		}
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			t.line, t.ended = t.line+len(rest), false
			break
		}
		t.count(t.line + end)
		t.ended = t.ends(t.line + end)
		t.line, rest = 0, rest[end+1:]
	}
	t.Meter.Write(p)
}

// ends reports whether the end of a line of so many bytes ends an event.
func (t *tally) ends(line int) bool {
	const empty = len("\r") // of a line that ends with CR and LF
	return t.lines || line <= empty
}

// rest is how much of p belongs to the event that is under way; false: it goes on behind p.
func (t *tally) rest(p []byte) (int, bool) {
	for i, line := 0, t.line; ; {
		end := bytes.IndexByte(p[i:], '\n')
		if end < 0 {
			return len(p), false
		}
		i += end + 1
		if t.ends(line + end) {
			return i, true
		}
		line = 0
	}
}

// count takes a line of so many bytes: one of data, of server-sent events, or one that is JSON itself.
func (t *tally) count(n int) {
	if n < minEvent || t.begins != 'd' && t.begins != '{' {
		return
	}
	if t.least == 0 || n < t.least {
		t.least = n
	}
	const bytesPerToken = 4
	t.tokens += 1 + int64(n-t.least)/bytesPerToken
}

// SoFar returns the usage that the bytes so far have reported, and the output that they show.
func (t *tally) SoFar() sluice.Usage {
	if m, ok := t.Meter.(wire.Progress); ok {
		return m.SoFar()
	}
	return sluice.Usage{}
}

// hardened reports whether a budget that bounds the running answer lies over the step under way.
func (x *exchange) hardened() bool {
	h := x.held()
	return h != nil && !h.loose && slices.ContainsFunc(h.claims, func(c spend.Claim) bool { return c.Rule.Hard && !c.Rule.Alert })
}

// watchSpending puts a tally before the meter of a stream that a hard budget bounds.
func (x *exchange) watchSpending(inner wire.Meter) wire.Meter {
	if !x.entry().Streamed && !isEventStream(x.entry().Response.Type) || !x.hardened() {
		return inner
	}
	x.spending.tally = &tally{Meter: inner, lines: !hasPrefixFold(x.entry().Response.Type, "text/event-stream"), ended: true}
	return x.spending.tally
}

// errCeiling ends an answer for which a hard budget has no more.
type errCeiling struct{ error }

// Unwrap gives the refusal.
func (e errCeiling) Unwrap() error { return e.error }

// extend reserves more where the answer has used more than is reserved for it, and returns errCeiling where a hard
// budget has no more: as soon as the client can be told so, which is behind the event that is under way.
func (x *exchange) extend(ctx context.Context, p []byte) error {
	t, h := x.spending.tally, x.held()
	if t == nil || h == nil {
		return nil
	}
	if x.spending.ceiling == nil {
		x.spending.ceiling = x.growHolding(ctx, h, t)
	}
	refusal := x.spending.ceiling
	if refusal == nil {
		return nil
	}
	if event := x.spentEvent(refusal.Msg); event != nil {
		const patience = 64 << 10 // bytes of an event that does not end
		if x.spending.late += len(p); !t.ended && x.spending.late < patience {
			return nil
		}
		if t.ended {
			x.log.Bodies[reqlog.ResponseSide].Write(event)
			n, err := x.sink.Write(event)
			if x.sent += int64(n); err == nil {
				_ = x.sink.Flush() // the connection is broken off behind it, whether it arrives or not
			}
		}
	}
	return errCeiling{refusal}
}

// uptoCeiling is as much of p as the client gets: what ends the event under way, when the answer is to end. One that
// is whole by then, or paid, is let through.
func (x *exchange) uptoCeiling(p []byte, last bool) []byte {
	if x.spending.ceiling != nil && !last && x.held() != nil {
		n, _ := x.spending.tally.rest(p)
		return p[:n]
	}
	return p
}

// growHolding makes h what the running answer needs; where a hard budget has no room for that, it returns its
// refusal.
func (x *exchange) growHolding(ctx context.Context, h *holding, t *tally) *sluice.Error {
	cost, priced := spend.Amount(h.running(t), h.price, x.control.cost)
	if cost = min(cost, maxMoney); !priced || cost <= h.each+h.more {
		return nil
	}
	claims := slices.Clone(h.claims)
	for i := range claims { // only hard ones end what has begun
		if !claims[i].Rule.Hard {
			soft := *claims[i].Rule
			soft.Alert = true
			claims[i].Rule = &soft
		}
	}
	id, now, most := x.id.WithAttempt(h.step), time.Now(), cost-h.each
	ahead := most + max(cost/10, h.each/4) // so that not each event asks
	for _, more := range []sluice.NanoUSD{ahead, most} {
		d, err := x.proxy.spend.Reserve(ctx, id, claims, money(h.each, h.tries)+more, now)
		switch {
		case err != nil:
			return nil // what runs goes on: the budget is settled with what it cost
		case d.OK:
			h.more = more
			return nil
		case more == most:
			e, r := x.entry(), claims[d.Claim].Rule
			x.note("spend limit '" + r.ID + "' has ended the answer")
			return spend.Refusal(r, e.Provider, e.Model, d.After)
		}
	}
	return nil
}

// running is what an answer has used so far.
func (h *holding) running(t *tally) sluice.Usage {
	u := t.SoFar()
	out, _ := u.Get(sluice.Output)
	shown := t.tokens
	if h.bound > 0 {
		shown = min(shown, h.bound) // the provider keeps to it, however it cuts its events
	}
	u.Set(sluice.Output, max(out, shown))
	if _, known := u.Get(sluice.Input); !known {
		u.Set(sluice.Input, h.input)
	}
	if u.Basis == sluice.BasisNone {
		u.Basis = sluice.BasisEstimated
	}
	return u
}

// spentEvent is the error event of the running stream's dialect; nil: its client cannot be told. A translated
// stream ends by its own means.
func (x *exchange) spentEvent(message string) []byte {
	e := x.entry()
	if x.haunting || x.translated != nil || x.answer.length >= 0 || e.Response.Encoding != "" {
		return nil
	}
	return spentEvent(e.Endpoint, e.Response.Type, message)
}

// spentEvent is what a provider of an endpoint's dialect would say in a stream of a type; nil: there is nothing.
func spentEvent(endpoint, contentType, message string) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		return nil // cannot happen: it is a string
	}
	if hasPrefixFold(contentType, "application/x-ndjson") || hasPrefixFold(contentType, "application/stream+json") {
		return slices.Concat([]byte(`{"error":`), text, []byte("}\n"))
	}
	if !hasPrefixFold(contentType, "text/event-stream") {
		return nil
	}
	messages := [2]string{"event: error\ndata: " + `{"type":"error","error":{"type":"rate_limit_error","message":`, "}}"}
	form, own := map[string][2]string{
		"messages":              messages,
		"streamRawPredict":      messages,
		"responses":             {"event: error\ndata: " + `{"type":"error","code":"insufficient_quota","param":null,"message":`, "}"},
		"streamGenerateContent": {"data: " + `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":`, "}}"},
	}[endpoint]
	if !own {
		form = [2]string{"data: " + `{"error":{"type":"insufficient_quota","code":"insufficient_quota","param":null,"message":`, "}}"}
	}
	return slices.Concat([]byte(form[0]), text, []byte(form[1]+"\n\n"))
}

var _ wire.Progress = (*tally)(nil)
