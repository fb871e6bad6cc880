package price

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/sluicehq/sluice"
)

// Explain writes a bill's arithmetic for people, a line for each summand:
//
//	input            1,000 × 2.5 USD / 1,000,000 × 1/2          =  0.00125 USD
func (b Bill) Explain() string {
	var w strings.Builder
	b.lines(&w)
	writeCost(&w, "cost", b.Total, b.Known, b.Reason, b.Sum)
	return w.String()
}

// lines writes all but the sum.
func (b *Bill) lines(w *strings.Builder) {
	for i := range b.Lines {
		l := &b.Lines[i]
		name := MeterName(l.Class)
		if l.Rated != l.Class {
			name += " (as " + MeterName(l.Rated) + ")"
		}
		sum := fmt.Sprintf("%s × %s USD / %s", thousands(l.Quantity), decimalUSD(l.unit()), thousands(l.Per))
		if !l.Factor.One() {
			sum += " × " + l.Factor.String()
		}
		fmt.Fprintf(w, "%-28s %-48s = %s USD\n", name, sum, decimalUSD(l.Amount))
	}
	if b.Above > 0 {
		fmt.Fprintf(w, "prices for prompts above %s tokens\n", thousands(b.Above))
	}
	for _, n := range b.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
}

// writeCost writes a sum by its name. exact is what it was rounded from; nil: it was not.
func writeCost(w *strings.Builder, name string, total sluice.NanoUSD, known bool, reason string, exact *big.Rat) {
	if !known {
		fmt.Fprintf(w, "%s: not known, %s\n", name, reason)
		return
	}
	fmt.Fprintf(w, "%s: %s USD", name, Decimal(total))
	if exact != nil && !exact.IsInt() {
		fmt.Fprintf(w, ", rounded from %s", decimalUSD(exact))
	}
	w.WriteByte('\n')
}

// Decimal writes an amount in US dollars, exactly and without needless zeros.
func Decimal(n sluice.NanoUSD) string { return decimalUSD(big.NewRat(int64(n), 1)) }

// decimalUSD writes nano-dollars as dollars: all places where they end, else so many that a
// difference shows.
func decimalUSD(nano *big.Rat) string {
	usd := new(big.Rat).Quo(nano, big.NewRat(nanoPerUSD, 1))
	places, exact := usd.FloatPrec()
	if !exact {
		return usd.FloatString(21) + "…"
	}
	return usd.FloatString(places)
}

// thousands writes a count with separators.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// ClassNamed finds a class, or Requests, by the name that MeterName gives.
func ClassNamed(name string) (sluice.Class, bool) {
	c, ok := meters()[name]
	return c, ok
}

// Shown writes a price for people: US dollars as a decimal, and what they are for: "1M" tokens or
// characters, "1K" calls, images or pages, an "hour" of hardware or audio.
func Shown(c sluice.Class, nano int64) (usd, per string) {
	n, name := int64(1_000), "1K"
	switch {
	case c == sluice.Milliseconds:
		n, name = 3_600_000, "hour"
	case isToken(c) || c == sluice.Characters:
		n, name = 1_000_000, "1M"
	}
	return decimalUSD(new(big.Rat).Mul(big.NewRat(nano, 1), big.NewRat(n, Per(c)))), name
}

// Times returns what an operator's own price multiplies everything by, 1 in a listed price.
func (p *Price) Times() Ratio { return p.times.or1() }
