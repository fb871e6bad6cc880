package price

import (
	"math/big"
	"strconv"

	"github.com/sluicehq/sluice"
)

// Bounds of a decimal that is believed: nobody prices a token in more digits, and a small text must
// not make a huge number.
const (
	maxDecimalText = 128
	maxExponent    = 64
)

// parseDecimal reads a number as JSON writes it, exactly. Negative numbers are refused: no price is.
func parseDecimal(text string) (*big.Rat, bool) {
	if !isDecimal(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// isDecimal checks JSON's grammar of numbers, without a sign in front, within the bounds above.
func isDecimal(s string) bool {
	if len(s) > maxDecimalText {
		return false
	}
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if s != "" && s[0] == '.' {
		places := digits(s[1:])
		if places == 0 {
			return false
		}
		s = s[1+places:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	if s == "" || digits(s) != len(s) {
		return false
	}
	exp, err := strconv.Atoi(s)
	return err == nil && exp <= maxExponent
}

// digits counts the digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// nanoPerUSD is how many nano-dollars a dollar has.
const nanoPerUSD = 1_000_000_000

// roundNano rounds half up to a whole number; ok is false when it does not fit.
func roundNano(nano *big.Rat) (total sluice.NanoUSD, ok bool) {
	twice := new(big.Int).Lsh(nano.Num(), 1)
	twice.Add(twice, nano.Denom())
	q := twice.Div(twice, new(big.Int).Lsh(nano.Denom(), 1))
	if !q.IsInt64() {
		return 0, false
	}
	return sluice.NanoUSD(q.Int64()), true
}

// ReportedUSD reads what a provider says it charged, a decimal number of US dollars as its JSON has
// it (OpenRouter's usage.cost, Perplexity's usage.cost.total_cost), and rounds half up to a
// nano-dollar. What is no such number, is negative or absurd is not known.
func ReportedUSD(text string) (cost sluice.NanoUSD, known bool) {
	usd, ok := parseDecimal(text)
	if !ok {
		return 0, false
	}
	return roundNano(usd.Mul(usd, big.NewRat(nanoPerUSD, 1)))
}

// ReportedTicks converts xAI's usage.cost_in_usd_ticks, ten-billionths of a US dollar, half up.
func ReportedTicks(ticks int64) (cost sluice.NanoUSD, known bool) {
	if ticks < 0 {
		return 0, false
	}
	cost = sluice.NanoUSD(ticks / 10)
	if ticks%10 >= 5 {
		cost++
	}
	return cost, true
}
