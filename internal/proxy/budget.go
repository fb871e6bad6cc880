package proxy

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
)

// holding is what a step keeps of budgets.
type holding struct {
	step   int
	claims []spend.Claim
	each   sluice.NanoUSD // what one try reserves
	tries  int            // whose money is held
	loose  bool           // it has no price: budgets refuse nothing, and count what turns out

	// What a hard budget needs to follow a stream (ceiling.go).
	more  sluice.NanoUSD // reserved beyond each for the answer that runs
	price *price.Price
	input int64 // LLM tokens, estimated
	bound int64 // of the output, as the request allows; 0: none
}

// spending is what an exchange has of budgets. Its zero value has nothing.
type spending struct {
	holds []holding     // of the steps that have been tried; the last is that of the step under way
	after time.Duration // where a budget refused: how long until it may not
	over  *atomic.Bool  // of a realtime connection: a budget is used up
	tally *tally        // of a stream that a hard budget bounds; nil: nothing is to be followed
	// ceiling is why such a stream is to end, and late how much has passed since.
	ceiling *sluice.Error
	late    int
}

// budgeted reports whether the step under way may cost what a budget of the gateway bounds.
func (x *exchange) budgeted() bool {
	if len(x.gateway.Spend) == 0 || x.proxy.spend == nil {
		return false
	}
	free := x.endpoint != nil && x.endpoint.Free
	return !free && (x.call.Method == "POST" || x.entry().Type == typeRealtime)
}

// reserve holds what the first try of the step may cost, or refuses the step. Where it has no price, the rules say
// what becomes of it.
func (x *exchange) reserve(ctx context.Context) error {
	if !x.budgeted() {
		return nil
	}
	e := x.entry()
	ask, err := x.budgetAsk()
	if err != nil {
		return err
	}
	claims := spend.Claims(nil, x.gateway.Spend, &spend.Call{
		Account: x.gateway.Account, Gateway: x.gateway.ID, Provider: e.Provider, Model: e.Model, Metadata: x.control.meta,
	})
	if len(claims) == 0 {
		return nil
	}
	if ask.Ambiguous {
		return errAmbiguous()
	}
	found, _, _ := x.settings.prices.Of(e.Account).Find(e.Provider, e.Model, x.start)
	each, priced := spend.Amount(ask.Usage(e.Endpoint, x.proxy.outputs.Typical(e.Provider, e.Model), found), found, x.control.cost)
	if !priced {
		if err := x.unpriced(claims); err != nil {
			return err
		}
	}
	if err := x.holdMoney(ctx, holding{
		step: x.index, claims: claims, each: each, tries: 1, loose: !priced, price: found, input: ask.Input, bound: ask.Output * ask.Choices,
	}); err != nil {
		return err
	}
	if e.Type == typeRealtime {
		x.spending.over = &atomic.Bool{}
	}
	return nil
}

// budgetAsk is what the body asks for, as far as a budget goes by it. A body that lies on disk, because memory had no
// room, counts by its size; then its model is the one that its beginning names. What cannot be read is refused: its
// model, and so its price, would be anybody's guess.
func (x *exchange) budgetAsk() (spend.Ask, error) {
	body, whole := x.sending()
	switch coding := x.out.Get("Content-Encoding"); {
	case x.query == nil && x.body.rest != nil:
		return spend.Ask{}, &sluice.Error{
			Kind: sluice.KindTooLarge, Msg: "the request body is larger than limits.body_bytes",
			Hint: "a gateway with spend limits reads each body whole",
		}
	case !whole && (x.entry().Model == "" || !identity(coding)):
		return spend.Ask{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "there is no room to read the request body now", Hint: "a gateway with spend limits reads each body whole"}
	case !whole:
		x.note("spend limits go by the size of the body: there was no room to read it")
		return spend.AskOfSize(x.body.size), nil
	case len(body) > 0 && !identity(coding):
		return x.decodedAsk(coding, body)
	}
	ask := spend.ReadAsk(body)
	ask.Ambiguous = ask.Ambiguous && !x.plainBody(body)
	return ask, nil
}

// decodedAsk reads a copy of an encoded body, of limits.body_bytes at most, within the memory for bodies. What it
// names as its model is the call's from then on.
func (x *exchange) decodedAsk(coding string, body []byte) (spend.Ask, error) {
	limit := x.settings.bodyLimit
	size := min(limit, int64(len(body))*maxInflation)
	if !x.proxy.bodies.memory.Take(size) {
		return spend.Ask{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "there is no room to decode the request body now", Hint: "try again later, or send it as it is"}
	}
	defer x.proxy.bodies.memory.Give(size)
	decoded := &bounded{room: int(size)}
	into, known := inflate.Meter(coding, decoded)
	into.Write(body)
	into.Close()
	if !known || decoded.over || len(decoded.b) == 0 {
		return spend.Ask{}, &sluice.Error{
			Kind: sluice.KindUnsupported, Msg: "a gateway with spend limits cannot read this request body", Field: "Content-Encoding",
			Hint: "send it as it is, or in gzip, deflate, br or zstd, and decoded within limits.body_bytes",
		}
	}
	ask := spend.ReadAsk(decoded.b)
	if ask.Ambiguous && !x.plainBody(decoded.b) { // or it does not decode to its end
		return ask, errAmbiguous()
	}
	ask.Ambiguous = false
	if e := x.entry(); e.Model == "" {
		model, stream, _ := topFields(decoded.b)
		e.Model, e.Streamed = model, e.Streamed || stream
	}
	return ask, nil
}

// maxInflation is how many times longer than its encoded form a body may be that budgets decode: JSON, and honest.
const maxInflation = 100

// bounded takes decoded bytes, as many as there is room for.
type bounded struct {
	plain
	room int
	over bool
}

// Write implements wire.Meter.
func (p *bounded) Write(b []byte) {
	if p.over = p.over || len(p.b)+len(b) > p.room; !p.over {
		p.plain.Write(b)
	}
}

// plainBody reports whether a body that is no sound JSON object is none on purpose: a form, a list, a sound.
func (x *exchange) plainBody(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] == '[' {
		return true
	}
	kind := x.out.Get("Content-Type")
	return body[0] != '{' && kind != "" && !hasPrefixFold(kind, "application/json")
}

func errAmbiguous() error {
	return &sluice.Error{
		Kind: sluice.KindInvalid, Field: "body", Msg: "the request body is ambiguous JSON: a budget cannot go by it",
		Hint: "each name must stand there once, in lower case, in UTF-8, and nothing behind the object",
	}
}

// unpriced asks the rules what becomes of a call without a price. Where they let it through they are not of it, but
// count what the provider says that it cost.
func (x *exchange) unpriced(claims []spend.Claim) error {
	e := x.entry()
	for i := range claims {
		r := claims[i].Rule
		switch r.Unpriced {
		case sluice.UnpricedBlock:
			return &sluice.Error{
				Kind: sluice.KindForbidden, Field: "model",
				Msg:  "no price is known for " + e.Provider + " " + quote(e.Model) + ": the spend limit '" + r.ID + "' lets no such call through",
				Hint: "prices.models sets a price, or cf-aig-custom-cost",
			}
		case sluice.UnpricedFlag:
			x.note("unpriced: spend limit '" + r.ID + "' cannot count it")
		}
		loose := *r
		loose.Alert = true
		claims[i].Rule = &loose
	}
	return nil
}

// holdMoney makes h what the step under way keeps.
func (x *exchange) holdMoney(ctx context.Context, h holding) error {
	d, err := x.proxy.spend.Reserve(ctx, x.id.WithAttempt(h.step), h.claims, money(h.each, h.tries), time.Now())
	if err != nil {
		return err // shut: a budget that cannot be counted is no budget
	}
	if !d.OK {
		e := x.entry()
		x.spending.after = d.After
		return spend.Refusal(h.claims[d.Claim].Rule, e.Provider, e.Model, d.After)
	}
	for i := range h.claims {
		if d.Over&(1<<i) != 0 && !h.loose {
			x.note("spend limit '" + h.claims[i].Rule.ID + "' is reached: it only tells so")
		}
	}
	if last := x.held(); last != nil {
		*last = h
	} else {
		x.spending.holds = append(x.spending.holds, h)
	}
	return nil
}

// money is what some tries cost.
func money(each sluice.NanoUSD, tries int) sluice.NanoUSD {
	if tries > 0 && each > maxMoney/sluice.NanoUSD(tries) {
		return maxMoney
	}
	return each * sluice.NanoUSD(tries)
}

// maxMoney bounds what a call is reckoned with: no honest one costs a hundred million dollars.
const maxMoney = sluice.NanoUSD(1e17)

// held is what the step under way keeps; nil: nothing.
func (x *exchange) held() *holding {
	if n := len(x.spending.holds); n > 0 && x.spending.holds[n-1].step == x.index {
		return &x.spending.holds[n-1]
	}
	return nil
}

// reserveAnother holds what one more try may cost, beside those that run or have used something. false: a budget
// has no room for it.
func (x *exchange) reserveAnother(ctx context.Context, others int) bool {
	h := x.held()
	if h == nil {
		return true
	}
	more := *h
	more.tries = others + 1
	if err := x.holdMoney(ctx, more); err != nil {
		x.spending.after = 0 // the request is not refused
		if e, ok := errors.AsType[*sluice.Error](err); ok {
			x.note("no further try: " + e.Msg)
		}
		return false
	}
	return true
}

// usedTries is how many tries of the step under way have used something that is to be paid.
func (x *exchange) usedTries() (n int) {
	for i := range x.entry().Attempts {
		if a := &x.entry().Attempts[i]; a.Step == x.index && a.Usage.Known() {
			n++
		}
	}
	return n
}

// leaveBudgets gives back what the step under way need not keep, before the next one is tried.
func (x *exchange) leaveBudgets(ctx context.Context) {
	x.spending.after = 0 // it is another one's turn
	h := x.held()
	if h == nil {
		return
	}
	h.tries = x.usedTries()
	now, id := time.Now(), x.id.WithAttempt(h.step)
	var err error
	if h.tries > 0 {
		_, err = x.proxy.spend.Reserve(ctx, id, h.claims, money(h.each, h.tries), now) // shrinking always works
	} else {
		err = x.proxy.spend.Settle(ctx, id, 0, spend.Final, now)
		x.spending.holds = x.spending.holds[:len(x.spending.holds)-1]
	}
	if err != nil {
		x.proxy.logger.ErrorContext(ctx, "budget not settled", "id", x.idText, "error", err)
	}
}

// pay books what the exchange has cost, and ends what it keeps. It does so once: then nothing is kept any more. The
// entry has its costs.
func (x *exchange) pay() {
	for i := range x.spending.holds {
		h := &x.spending.holds[i]
		cost, how := x.owed(h)
		// Not under the request's context: what was spent is spent, whoever has left.
		if err := x.proxy.spend.Settle(context.Background(), x.id.WithAttempt(h.step), cost, how, time.Now()); err != nil {
			x.proxy.logger.Error("budget not settled", "id", x.idText, "error", err)
		}
	}
	if len(x.spending.holds) > 0 {
		if a := x.served(); a != nil && a.Usage.Basis == sluice.BasisProvider {
			if n, known := a.Usage.Get(sluice.Output); known {
				x.proxy.outputs.Observe(a.Provider, a.Model, n)
			}
		}
	}
	x.spending.holds = nil
}

// owed is what a step has cost. An answer whose usage nobody knows counts as what was reserved for it, until an
// estimate corrects that; so does one of which only a part is known.
func (x *exchange) owed(h *holding) (cost sluice.NanoUSD, how spend.How) {
	e := x.entry()
	for i := range e.Attempts {
		a := &e.Attempts[i]
		if a.Step != h.step {
			continue
		}
		if a.Priced {
			cost = min(cost, maxMoney-min(a.Cost, maxMoney)) + min(a.Cost, maxMoney)
		}
		if served := x.served() == a && a.Cause == "" && a.Status >= 200 && a.Status < 300; !served {
			continue
		}
		switch {
		case !a.Usage.Known() && x.reading.Seen&wire.SeenError != 0: // who fails and counts nothing bills nothing
		case !a.Usage.Known():
			cost = min(cost+h.each+h.more, maxMoney)
			how = spend.Pending
		case a.Usage.Basis == sluice.BasisPartial && e.Finish == "":
			how = spend.Pending
		}
	}
	return cost, how
}

// payEarly is pay before the client has the last of the answer: who calls again at once then finds the budget as
// this call leaves it, without what was reserved for it.
func (x *exchange) payEarly() {
	if x.meter != nil {
		x.readMeter()
		e := x.entry()
		ending := e.Ending
		e.Ending = sluice.EndingComplete
		x.take(&x.reading)
		e.Ending = ending
	}
	x.settings.prices.Of(x.entry().Account).Settle(x.entry(), price.Reported{Cost: x.reported}, x.control.cost)
	x.pay()
}

// payPart books what a message of a realtime connection has cost, and looks whether there may be more.
func (x *exchange) payPart(e *sluice.LogEntry) {
	h := x.held()
	if h == nil || !e.Priced {
		return
	}
	ctx, now := context.Background(), time.Now()
	if err := x.proxy.spend.Settle(ctx, x.id.WithAttempt(h.step), min(e.Cost, maxMoney), spend.Part, now); err != nil {
		x.proxy.logger.Error("budget not settled", "id", x.idText, "error", err)
		return
	}
	for i := range h.claims {
		s, err := x.proxy.spend.Peek(ctx, h.claims[i], now)
		s.Reserved = 0
		if r := h.claims[i].Rule; err == nil && !r.Alert && !s.Open(r, 0) {
			x.spending.over.Store(true)
		}
	}
}
