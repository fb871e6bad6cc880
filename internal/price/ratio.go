package price

import (
	"math/big"
	"strconv"
	"strings"
)

// Ratio is a multiplier, Num/Den. The zero Ratio is 1.
type Ratio struct{ Num, Den int64 }

// maxRatio bounds numerator and denominator of one rule's multiplier.
const maxRatio = 10_000

// or1 returns r, and 1 for the zero Ratio.
func (r Ratio) or1() Ratio {
	if r.Den == 0 {
		return Ratio{1, 1}
	}
	return r
}

// One tells whether r changes nothing.
func (r Ratio) One() bool { return r.Num == r.Den }

// mul multiplies in lowest terms. The rules of one call are few and each is bounded, so that nothing
// overflows.
func (r Ratio) mul(s Ratio) Ratio {
	r, s = r.or1(), s.or1()
	if s.One() {
		return r
	}
	num, den := r.Num*s.Num, r.Den*s.Den
	g := max(gcd(num, den), 1)
	return Ratio{num / g, den / g}
}

// String returns r as catalogues write it: "1/2", or "2".
func (r Ratio) String() string {
	r = r.or1()
	if r.Den == 1 {
		return strconv.FormatInt(r.Num, 10)
	}
	return strconv.FormatInt(r.Num, 10) + "/" + strconv.FormatInt(r.Den, 10)
}

// rat returns r as a big.Rat.
func (r Ratio) rat() *big.Rat {
	r = r.or1()
	return big.NewRat(r.Num, r.Den)
}

// parseRatio reads "2", "1/2" or "1.1".
func parseRatio(text string) (Ratio, bool) {
	if len(text) > 24 {
		return Ratio{}, false
	}
	num, den, slash := strings.Cut(text, "/")
	if slash {
		n, err1 := strconv.ParseUint(num, 10, 31)
		d, err2 := strconv.ParseUint(den, 10, 31)
		return reduced(int64(n), int64(d)), err1 == nil && err2 == nil && inRange(int64(n), int64(d))
	}
	d, ok := parseDecimal(text)
	if !ok || !d.Num().IsInt64() || !d.Denom().IsInt64() {
		return Ratio{}, false
	}
	n, m := d.Num().Int64(), d.Denom().Int64()
	return Ratio{n, m}, inRange(n, m)
}

func reduced(n, d int64) Ratio {
	g := max(gcd(n, d), 1)
	return Ratio{n / g, d / g}
}

// inRange wants a multiplier that a price list can hold; free of charge is a price, not a multiplier.
func inRange(n, d int64) bool { return n > 0 && d > 0 && n <= maxRatio && d <= maxRatio }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
