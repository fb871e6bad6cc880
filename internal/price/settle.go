package price

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Reported is what an answer says beside its usage, in its own words.
type Reported struct {
	Cost  string // US dollars as decimal text; "" none
	Batch bool
}

// Settle sets the cost of e and of its last attempt from its usage, tier and place. The caller's own
// price goes before the provider's figure, and that before the catalogue. What cannot be priced stays
// unknown. custom is nil when the request named no price.
func (c *Catalogue) Settle(e *sluice.LogEntry, r Reported, custom *CustomCost) {
	e.Cost, e.Priced, e.CostBasis, e.Prices = 0, false, sluice.CostUnknown, ""
	switch {
	case e.Usage.Basis == sluice.BasisCached:
		e.Priced, e.CostBasis = true, sluice.CostCached
	case custom != nil:
		if bill := custom.Bill(e.Usage); bill.Known {
			e.Cost, e.Priced, e.CostBasis = bill.Total, true, sluice.CostCustom
		}
	default:
		c.listed(e, r)
	}
	if n := len(e.Attempts); n > 0 {
		e.Attempts[n-1].Cost, e.Attempts[n-1].Priced = e.Cost, e.Priced
	}
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
	p, _, ok := c.ForEntry(e)
	if !ok {
		return
	}
	if cost, known := p.Cost(e.Usage, FactorsOf(e, r)); known {
		e.Cost, e.Priced, e.CostBasis, e.Prices = cost, true, sluice.CostCatalogue, c.Version()
	}
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
