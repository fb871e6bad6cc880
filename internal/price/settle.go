package price

import (
	"math"
	"slices"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Reported is what an answer says beside its usage, in its own words.
type Reported struct {
	Cost  string // US dollars as decimal text; "" none
	Batch bool
}

// Settle sets the cost of e, and of its attempts. The answer's is made from e's usage, charges, tier and
// place: the caller's own price goes before the provider's figure, and that before the catalogue. Attempts
// whose answers the client did not get are added, each priced by its own usage. What cannot be priced stays
// unknown, and with it the cost of e. custom is nil when the request named no price.
func (c *Catalogue) Settle(e *sluice.LogEntry, r Reported, custom *CustomCost) {
	c.settleAnswer(e, r, custom)
	answered := answeredBy(e)
	for i := range e.Attempts {
		if a := &e.Attempts[i]; i == answered {
			a.Cost, a.Priced = e.Cost, e.Priced
		}
	}
	for i := range e.Attempts {
		if a := &e.Attempts[i]; i != answered && a.Usage.Known() {
			c.addAttempt(e, a, custom)
		}
	}
}

// settleAnswer sets the cost of the answer that the client got.
func (c *Catalogue) settleAnswer(e *sluice.LogEntry, r Reported, custom *CustomCost) {
	e.Cost, e.Priced, e.CostBasis, e.Prices = 0, false, sluice.CostUnknown, ""
	e.Saved.Cost, e.Saved.Priced = 0, false
	for i := range e.Charges {
		e.Charges[i].Cost, e.Charges[i].Priced = 0, false
	}
	switch {
	case e.Usage.Basis == sluice.BasisCached:
		e.Priced, e.CostBasis = true, sluice.CostCached
		e.Saved.Cost, e.Saved.Priced = c.spared(e, r)
	case custom != nil:
		if bill := custom.Bill(e.Usage, e.Charges...); bill.Known {
			e.Cost, e.Priced, e.CostBasis = bill.Total, true, sluice.CostCustom
		}
	default:
		c.listed(e, r)
	}
}

// answeredBy returns which attempt's answer the client got; -1: none, or the cache answered.
func answeredBy(e *sluice.LogEntry) int {
	if e.Cache == sluice.CacheHit {
		return -1
	}
	return len(e.Attempts) - 1
}

// listed takes the provider's figure, or the catalogue's prices.
func (c *Catalogue) listed(e *sluice.LogEntry, r Reported) {
	if r.Cost != "" {
		if cost, known := ReportedUSD(r.Cost); known {
			e.Cost, e.Priced, e.CostBasis = cost, true, sluice.CostReported
			return
		}
	}
	if !e.Usage.Known() {
		return
	}
	if cost, known := c.answerCost(e, FactorsOf(e, r)); known {
		e.Cost, e.Priced, e.CostBasis, e.Prices = cost, true, sluice.CostCatalogue, c.Version()
	}
}

// spared returns what a cached answer would have cost, had the provider given it.
func (c *Catalogue) spared(e *sluice.LogEntry, r Reported) (cost sluice.NanoUSD, known bool) {
	if !e.Usage.Known() {
		return 0, false
	}
	paid := *e
	paid.Usage.Basis = sluice.BasisProvider
	paid.Charges = slices.Clone(e.Charges)
	for i := range paid.Charges {
		paid.Charges[i].Usage.Basis = sluice.BasisProvider
	}
	return c.answerCost(&paid, FactorsOf(e, r))
}

// answerCost is the Total and Known of c.try, mostly without a byte allocated. It sets the costs of e's charges.
func (c *Catalogue) answerCost(e *sluice.LogEntry, f Factors) (cost sluice.NanoUSD, known bool) {
	if len(e.Charges) > 0 {
		t := c.try(e, f)
		for i := range e.Charges {
			if t.Known {
				e.Charges[i].Cost, e.Charges[i].Priced = t.Bills[1+i].Bill.Total, true
			}
		}
		return t.Total, t.Known
	}
	p, _, _ := c.ForEntry(e)
	return p.Cost(e.Usage, f)
}

// addAttempt prices an attempt whose answer the client did not get, and adds it to e's cost. What a caller
// says that the whole call costs holds for all attempts.
func (c *Catalogue) addAttempt(e *sluice.LogEntry, a *sluice.Attempt, custom *CustomCost) {
	if custom != nil && custom.total != nil {
		a.Cost, a.Priced = 0, true
		return
	}
	one := attemptEntry(e, a)
	c.settleAnswer(&one, Reported{}, custom)
	a.Cost, a.Priced = one.Cost, one.Priced
	switch {
	case !e.Priced:
	case !one.Priced || one.Cost > math.MaxInt64-e.Cost:
		e.Cost, e.Priced, e.CostBasis, e.Prices = 0, false, sluice.CostUnknown, ""
	default:
		e.Cost += one.Cost
		if e.CostBasis == sluice.CostCached {
			e.CostBasis, e.Prices = one.CostBasis, one.Prices
		}
	}
}

// attemptEntry is an attempt of e whose answer the client did not get, as a call of its own.
func attemptEntry(e *sluice.LogEntry, a *sluice.Attempt) sluice.LogEntry {
	return sluice.LogEntry{ID: e.ID, Start: e.Start, Provider: a.Provider, Model: a.Model, Usage: a.Usage}
}

// ForEntry finds the price of an exchange: by the model that the answer named, else by the one that was
// asked for. Where the answer's name is only a part of the one that was asked for, the latter says more:
// Claude on Amazon Bedrock answers without the geography that it was asked in, which has a price.
func (c *Catalogue) ForEntry(e *sluice.LogEntry) (*Price, Match, bool) {
	served, match, ok := c.Find(e.Provider, e.Served, e.Start)
	if ok && (match.How == HowOverride || e.Served == e.Model || !strings.Contains(e.Model, e.Served)) {
		return served, match, true
	}
	if asked, m, found := c.Find(e.Provider, e.Model, e.Start); found {
		return asked, m, true
	}
	return served, match, ok
}

// FactorsOf returns what changes the prices of an exchange.
func FactorsOf(e *sluice.LogEntry, r Reported) Factors {
	return Factors{Batch: r.Batch, ServiceTier: e.Tier, InferenceGeo: e.Geo}
}
