package price

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/sluicehq/sluice"
)

// Line is one summand of a Bill: Quantity × Rate ÷ Per × Factor = Amount.
type Line struct {
	Class    sluice.Class // what was counted, or Requests
	Rated    sluice.Class // whose price was taken: another class where Class has none of its own
	Quantity int64        // units of Class
	Rate     int64        // nano-USD for Per units
	Unit     *big.Rat     // the same where it is no whole number: in a caller's own price; else nil
	Per      int64
	Factor   Ratio
	Amount   *big.Rat // nano-USD, exact
}

// Bill shows how a cost comes about.
type Bill struct {
	Lines  []Line
	Above  int64          // the threshold whose prices hold; 0: the prompt is below all
	Sum    *big.Rat       // nano-USD, exact: the sum of the lines
	Total  sluice.NanoUSD // Sum rounded half up, once; 0 when not Known
	Known  bool           // every unit that was counted has a price
	Reason string         // why the cost is not known; "" when it is
	Notes  []string       // what a reader should know, such as a service tier that no price list names
}

// Bill prices a usage. The bill is unknown, never zero, when nothing was counted or when something
// was counted that has no price and nothing to fall back to. A nil Price has no prices.
//
// A usage with BasisCached costs nothing: the first answer paid for it.
func (p *Price) Bill(u sluice.Usage, f Factors) Bill {
	if u.Basis == sluice.BasisCached {
		return cachedBill()
	}
	if p == nil {
		return unknownBill("the model has no price")
	}
	var b parts
	p.split(&u, &f, &b)
	bill := Bill{Above: b.tier, Sum: new(big.Rat), Notes: p.notes(&f)}
	for i := range b.n {
		bill.append(b.list[i])
	}
	bill.Total, bill.Known = roundNano(bill.Sum)
	switch {
	case !u.Known():
		bill.fail("no usage is known")
	case b.lacks:
		bill.fail("there is no price for " + MeterName(b.missing))
	case !bill.Known:
		bill.fail(tooLarge)
	}
	return bill
}

// Cost is Bill's Total and Known, without the arithmetic shown and without a byte allocated.
func (p *Price) Cost(u sluice.Usage, f Factors) (cost sluice.NanoUSD, known bool) {
	if u.Basis == sluice.BasisCached {
		return 0, true
	}
	if p == nil || !u.Known() {
		return 0, false
	}
	var b parts
	p.split(&u, &f, &b)
	if b.lacks {
		return 0, false
	}
	if cost, ok := b.total(); ok {
		return cost, true
	}
	bill := p.Bill(u, f) // larger than 128 bits: as good as unknown, but let big numbers say so
	return bill.Total, bill.Known
}

// tooLarge is why a sum is not believed.
const tooLarge = "the sum is too large to be true"

// unit returns the price for Per units in nano-USD.
func (l *Line) unit() *big.Rat {
	if l.Unit != nil {
		return l.Unit
	}
	return big.NewRat(l.Rate, 1)
}

func cachedBill() Bill {
	return Bill{Sum: new(big.Rat), Known: true, Notes: []string{"answered from the cache: nothing was spent"}}
}

func unknownBill(reason string) Bill { return Bill{Sum: new(big.Rat), Reason: reason} }

func (b *Bill) fail(reason string) { b.Total, b.Known, b.Reason = 0, false, reason }

func (b *Bill) append(p part) {
	per := Per(p.rated)
	amount := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(p.qty), big.NewInt(p.rate)), big.NewInt(per))
	amount.Mul(amount, p.f.rat())
	b.Lines = append(b.Lines, Line{
		Class: p.class, Rated: p.rated, Quantity: p.qty, Rate: p.rate, Per: per, Factor: p.f.or1(), Amount: amount,
	})
	b.Sum.Add(b.Sum, amount)
}

// notes says what of the factors no rule of the price knows. Ordinary tiers need none.
func (p *Price) notes(f *Factors) []string {
	var notes []string
	for _, c := range f.list() {
		switch c.is {
		case "", "default", "standard", "auto", "on_demand", "global", "not_available":
			continue
		}
		if p.rule(c) == nil {
			notes = append(notes, c.when+" "+c.is+" has no multiplier here: billed as ordinary")
		}
	}
	return notes
}

// total adds up in 128 bits over the common denominator, and rounds. ok is false when it does not fit.
func (b *parts) total() (nano sluice.NanoUSD, ok bool) {
	den := int64(1)
	for i := range b.n {
		d := b.list[i].denominator()
		g := gcd(den, d)
		if den/g > math.MaxInt64/d/4 {
			return 0, false
		}
		den = den / g * d
	}
	var s u128
	for i := range b.n {
		p := &b.list[i]
		hi, lo := bits.Mul64(uint64(p.qty), uint64(p.rate))
		a, ok := u128{hi, lo}.times(uint64(den / p.denominator() * p.f.or1().Num))
		if !ok {
			return 0, false
		}
		if s, ok = s.plus(a); !ok {
			return 0, false
		}
	}
	return s.divHalfUp(uint64(den))
}

func (p *part) denominator() int64 { return Per(p.rated) * p.f.or1().Den }

// u128 is an unsigned number of 128 bits.
type u128 struct{ hi, lo uint64 }

func (a u128) times(n uint64) (u128, bool) {
	over, hi := bits.Mul64(a.hi, n)
	carry, lo := bits.Mul64(a.lo, n)
	hi, c := bits.Add64(hi, carry, 0)
	return u128{hi, lo}, over == 0 && c == 0
}

func (a u128) plus(b u128) (u128, bool) {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	hi, c := bits.Add64(a.hi, b.hi, c)
	return u128{hi, lo}, c == 0
}

// divHalfUp divides and rounds half up; ok is false when the quotient is no NanoUSD.
func (a u128) divHalfUp(d uint64) (q sluice.NanoUSD, ok bool) {
	if a.hi >= d {
		return 0, false
	}
	n, rest := bits.Div64(a.hi, a.lo, d)
	if n >= math.MaxInt64 {
		return 0, false
	}
	if rest >= d-rest {
		n++
	}
	return sluice.NanoUSD(n), true
}
