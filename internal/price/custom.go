package price

import (
	"math/big"

	"github.com/sluicehq/sluice"
)

// CustomCost is a price that a caller sends with one request, in the header cf-aig-custom-cost. It goes
// before every price list. Make it with Custom.
type CustomCost struct {
	total                *big.Rat // for the whole call; then the others are nil
	in, out, read, write *big.Rat // USD for one token; nil: not given
}

// maxCustomText bounds the header.
const maxCustomText = 1 << 10

// Custom reads the header: a JSON object with per_token_in and per_token_out, which are US dollars for
// one token, and optionally per_cache_read_token and per_cache_write_token; or with total_cost, US
// dollars for the call. Numbers are read as the decimals that they are written as. Errors have
// KindInvalid and name the header: what a caller meant as a price is never half understood.
func Custom(text string) (CustomCost, error) {
	const header = "cf-aig-custom-cost"
	if len(text) > maxCustomText {
		return CustomCost{}, invalid(header, "longer than 1024 bytes")
	}
	var c CustomCost
	fields := map[string]**big.Rat{
		"per_token_in": &c.in, "per_token_out": &c.out, "total_cost": &c.total,
		"per_cache_read_token": &c.read, "per_cache_write_token": &c.write,
	}
	s := scanner{text: text}
	s.object(func(key string) {
		into := fields[key]
		if into == nil {
			s.fail("%q is none of its fields", key)
			return
		}
		*into = s.decimal()
	})
	s.end()
	perToken := c.in != nil || c.out != nil || c.read != nil || c.write != nil
	switch {
	case s.err != nil:
		return CustomCost{}, &sluice.Error{
			Kind: sluice.KindInvalid, Field: header, Msg: "not a custom cost: " + s.err.Error(),
			Hint: `for example {"per_token_in":0.000001,"per_token_out":0.000002} or {"total_cost":0.01}`,
		}
	case !perToken && c.total == nil:
		return CustomCost{}, invalid(header, "it names no price")
	case perToken && c.total != nil:
		return CustomCost{}, invalid(header, "total_cost goes alone")
	}
	return c, nil
}

// decimal reads a number exactly.
func (s *scanner) decimal() *big.Rat {
	s.space()
	end := s.at
	for end < len(s.text) && end-s.at <= maxDecimalText && isNumberByte(s.text[end]) {
		end++
	}
	v, ok := parseDecimal(s.text[s.at:end])
	if !ok {
		s.fail("want a decimal number that is not negative")
		return nil
	}
	s.at = end
	return v
}

func isNumberByte(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'
}

// Bill prices a usage, and what other models had a part in the call: it is the caller who says what a token of
// the call costs. A call whose answer counts no tokens stays unknown, as the reference has it. Cache
// prices hold when one of them is given; the one left out then is per_token_in, as both are when none is.
// Input includes what was read from a cache or written to it: it is taken out before it is priced.
func (c CustomCost) Bill(u sluice.Usage, others ...sluice.Charge) Bill {
	if u.Basis == sluice.BasisCached {
		return cachedBill()
	}
	if !u.Known() {
		return unknownBill("no usage is known")
	}
	b := Bill{Sum: new(big.Rat), Notes: []string{"priced by the request itself (cf-aig-custom-cost)"}}
	if c.total != nil {
		b.custom(Requests, 1, c.total)
	} else {
		c.tokens(&b, &u)
		for i := range others {
			if !others[i].Usage.Known() {
				return unknownBill("the usage of another model is not known")
			}
			c.tokens(&b, &others[i].Usage)
		}
	}
	if b.Reason != "" {
		return b
	}
	if b.Total, b.Known = roundNano(b.Sum); !b.Known {
		b.fail(tooLarge)
	}
	return b
}

// tokens adds the lines of a usage.
func (c *CustomCost) tokens(b *Bill, u *sluice.Usage) {
	n := counts{u}
	read, write := n.of(sluice.CacheRead), sum(n.of(sluice.CacheWrite5m), n.of(sluice.CacheWrite1h))
	b.custom(sluice.Input, max(n.of(sluice.Input)-sum(read, write), 0), c.in)
	b.custom(sluice.CacheRead, read, or(c.read, c.in))
	b.custom(sluice.CacheWrite5m, write, or(c.write, c.in))
	b.custom(sluice.Output, n.of(sluice.Output), c.out)
}

func or(a, b *big.Rat) *big.Rat {
	if a == nil {
		return b
	}
	return a
}

// custom adds a line. Its rate need not be whole nano-dollars, so only the amount is exact.
func (b *Bill) custom(class sluice.Class, qty int64, usd *big.Rat) {
	if qty == 0 {
		return
	}
	if usd == nil {
		b.fail("the request gives no price for " + MeterName(class))
		return
	}
	nano := new(big.Rat).Mul(usd, big.NewRat(nanoPerUSD, 1))
	amount := new(big.Rat).Mul(nano, big.NewRat(qty, 1))
	b.Lines = append(b.Lines, Line{Class: class, Rated: class, Quantity: qty, Unit: nano, Per: 1, Factor: Ratio{1, 1}, Amount: amount})
	b.Sum.Add(b.Sum, amount)
}
