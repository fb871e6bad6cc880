package price

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Account shows how the cost of a logged exchange comes about by a catalogue's prices. Its Total and Known
// are those of Settle, where neither the provider nor the request named a price.
type Account struct {
	// Tries are the attempts that used something, in order, and always the one that answered.
	Tries  []Try
	Total  sluice.NanoUSD // the sum of the tries' totals; 0 when not Known
	Known  bool
	Reason string // why the cost is not known; "" when it is
}

// Try is what one attempt costs. Several models may have taken part in it: their bills are added up exactly
// and rounded once.
type Try struct {
	Number int         // of the attempt, from 1; 0: the cache answered, or the log has no attempts
	Cause  string      // why its answer did not serve; "" when the client got it
	Bills  []ModelBill // of the model that answered, and then of each Charge
	Sum    *big.Rat    // nano-USD, exact
	Total  sluice.NanoUSD
	Known  bool
	Reason string
}

// ModelBill is what one model's part in an attempt costs.
type ModelBill struct {
	Provider, Model string // as the log has them; Model may be ""
	Bill            Bill
}

// Account prices an exchange by its counts. f is what changes the prices of the answer that the client got,
// mostly FactorsOf e.
func (c *Catalogue) Account(e *sluice.LogEntry, f Factors) Account {
	a := Account{Known: true}
	answered := answeredBy(e)
	for i := range e.Attempts {
		switch at := &e.Attempts[i]; {
		case i == answered:
			a.add(c.try(e, f), i+1, "")
		case at.Usage.Known():
			one := attemptEntry(e, at)
			a.add(c.try(&one, Factors{}), i+1, at.Cause)
		}
	}
	if answered < 0 {
		a.add(c.try(e, f), 0, "")
	}
	return a
}

func (a *Account) add(t Try, number int, cause string) {
	t.Number, t.Cause = number, cause
	a.Tries = append(a.Tries, t)
	switch {
	case !a.Known:
	case !t.Known:
		a.Total, a.Known, a.Reason = 0, false, t.Reason
		if cause != "" {
			a.Reason = fmt.Sprintf("attempt %d: %s", number, t.Reason)
		}
	case t.Total > math.MaxInt64-a.Total:
		a.Total, a.Known, a.Reason = 0, false, tooLarge
	default:
		a.Total += t.Total
	}
}

// try prices the answer of e, with what other models had a part in.
func (c *Catalogue) try(e *sluice.LogEntry, f Factors) Try {
	p, _, _ := c.ForEntry(e)
	name := e.Served
	if name == "" {
		name = e.Model
	}
	t := Try{Bills: []ModelBill{{e.Provider, name, p.Bill(e.Usage, f)}}}
	charges := e.Charges
	if e.Usage.Basis == sluice.BasisCached {
		charges = nil // nothing was spent on these either
	}
	for i := range charges {
		charge := &charges[i]
		own := f
		own.ServiceTier, own.Speed = charge.Tier, ""
		p, _, _ := c.Find(e.Provider, charge.Model, e.Start)
		t.Bills = append(t.Bills, ModelBill{e.Provider, charge.Model, p.Bill(charge.Usage, own)})
	}
	t.total()
	return t
}

// total adds the bills up.
func (t *Try) total() {
	t.Sum = new(big.Rat)
	for i := range t.Bills {
		b := &t.Bills[i]
		t.Sum.Add(t.Sum, b.Bill.Sum)
		if !b.Bill.Known && t.Reason == "" {
			if t.Reason = b.Bill.Reason; i > 0 {
				t.Reason = b.title() + ": " + t.Reason
			}
		}
	}
	if t.Reason != "" {
		return
	}
	if t.Total, t.Known = roundNano(t.Sum); !t.Known {
		t.Reason = tooLarge
	}
}

func (b *ModelBill) title() string {
	if b.Model == "" {
		return "a model without a name"
	}
	return b.Model
}

// Explain writes the arithmetic for people: that of each model, what each attempt costs, and the sum where
// there are several.
func (a *Account) Explain() string {
	var w strings.Builder
	for i := range a.Tries {
		t := &a.Tries[i]
		if len(a.Tries) > 1 {
			t.heading(&w)
		}
		for j := range t.Bills {
			if j > 0 {
				fmt.Fprintf(&w, "and %s:\n", t.Bills[j].title())
			}
			t.Bills[j].Bill.lines(&w)
		}
		writeCost(&w, "cost", t.Total, t.Known, t.Reason, t.Sum)
	}
	if len(a.Tries) > 1 {
		writeCost(&w, "cost of all attempts", a.Total, a.Known, a.Reason, nil)
	}
	return w.String()
}

func (t *Try) heading(w *strings.Builder) {
	switch b := &t.Bills[0]; {
	case t.Number == 0:
		w.WriteString("the answer:\n")
	case t.Cause == "":
		fmt.Fprintf(w, "attempt %d, %s/%s:\n", t.Number, b.Provider, b.title())
	default:
		fmt.Fprintf(w, "attempt %d, %s/%s, not delivered (%s):\n", t.Number, b.Provider, b.title(), t.Cause)
	}
}
