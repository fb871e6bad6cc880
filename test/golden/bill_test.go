package golden

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// bill is what an exchange must cost, in billionths of a US dollar. A recording has it as one line:
//
//	catalogue: 1000 * (25*3 + 11*15) = 240000
//	    by the price list: tokens × dollars for a million of them; the sum is in millionths of a dollar.
//	    What has a price for a thousand says so: 3*10*1000 are three searches at 10 dollars for a thousand
//	catalogue estimated: 1000 * (input*2.5 + output*10)
//	    the provider counted nothing; the gateway's own counts are billed, which the log has
//	catalogue partial: 1000 * (10*1 + output*5)
//	    the answer broke off; what the provider did not count is the gateway's count
//	reported: 1e9 * 0.0037756 = 3775600
//	    the provider says itself what it charged
//	unknown: why
//	    null, which is not 0; also with estimated and partial
type bill struct {
	costBasis string // as the log names it
	// basis is that of the counts, where it is not the recording's: estimated or partial; else "".
	basis string
	// arithmetic is by hand; "" when unknown.
	arithmetic string
	// total is what the arithmetic comes to; nil when it needs the gateway's counts.
	total *big.Int
}

func readBill(text string) (bill, error) {
	kind, rest, ok := strings.Cut(strings.TrimSpace(text), ": ")
	if !ok || strings.Contains(rest, "\n") {
		return bill{}, fmt.Errorf("%q is not one line of a bill", text)
	}
	costBasis, basis, _ := strings.Cut(kind, " ")
	if !slices.Contains([]string{"catalogue", "reported", "unknown"}, costBasis) || !slices.Contains([]string{"", "estimated", "partial"}, basis) {
		return bill{}, fmt.Errorf("%q is no kind of bill", kind)
	}
	b := bill{costBasis: costBasis, basis: basis}
	switch {
	case costBasis == "unknown":
		return b, nil
	case basis != "" && !strings.Contains(rest, " = "):
		b.arithmetic = rest
		return b, nil
	}
	arithmetic, total, _ := strings.Cut(rest, " = ")
	n, ok := new(big.Int).SetString(total, 10)
	if !ok {
		return bill{}, fmt.Errorf("total %q", total)
	}
	b.arithmetic, b.total = arithmetic, n
	got, err := amount(arithmetic, nil)
	if err != nil {
		return bill{}, err
	}
	if got.Cmp(n) != 0 {
		return bill{}, fmt.Errorf("%s = %s and not %s", arithmetic, got, n)
	}
	return b, nil
}

// cost is what the log must say for these counts.
func (b *bill) cost(t *testing.T, counts map[string]int64) string {
	t.Helper()
	switch {
	case b.arithmetic == "":
		return "null"
	case b.total != nil:
		return b.total.String()
	}
	n, err := amount(b.arithmetic, counts)
	if err != nil {
		t.Fatal(err)
	}
	return n.String()
}

// amount evaluates arithmetic exactly and rounds once, half up. The names input and output stand for
// counts; what is not known adds nothing to a bill. Without counts there are no names.
func amount(arithmetic string, counts map[string]int64) (*big.Int, error) {
	e, err := parser.ParseExpr(arithmetic)
	if err != nil {
		return nil, err
	}
	v, err := value(e, counts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arithmetic, err)
	}
	return round(v), nil
}

// round rounds half up.
func round(v *big.Rat) *big.Int {
	v = new(big.Rat).Add(v, big.NewRat(1, 2))
	return new(big.Int).Div(v.Num(), v.Denom())
}

func value(e ast.Expr, counts map[string]int64) (*big.Rat, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if v, ok := new(big.Rat).SetString(e.Value); ok {
			return v, nil
		}
	case *ast.Ident:
		if counts == nil || e.Name != "input" && e.Name != "output" {
			return nil, fmt.Errorf("%s is not known", e.Name)
		}
		return new(big.Rat).SetInt64(counts[e.Name]), nil
	case *ast.ParenExpr:
		return value(e.X, counts)
	case *ast.BinaryExpr:
		x, err := value(e.X, counts)
		if err != nil {
			return nil, err
		}
		y, err := value(e.Y, counts)
		if err != nil {
			return nil, err
		}
		return calculate(e.Op, x, y)
	}
	return nil, errors.New("this is no arithmetic")
}

func calculate(op token.Token, x, y *big.Rat) (*big.Rat, error) {
	switch op {
	case token.ADD:
		return x.Add(x, y), nil
	case token.SUB:
		return x.Sub(x, y), nil
	case token.MUL:
		return x.Mul(x, y), nil
	case token.QUO:
		if y.Sign() != 0 {
			return x.Quo(x, y), nil
		}
		return nil, errors.New("division by zero")
	}
	return nil, fmt.Errorf("%s is no arithmetic", op)
}

func TestAmount(t *testing.T) {
	for arithmetic, want := range map[string]string{
		"1000 * (25*3 + 11*15)": "240000",
		"1/2":                   "1",
		"0.4999999999999999999": "0",
		"7/2 - 2":               "2",
		"1e9 * 0.0037756":       "3775600",
		"input*2 + 1":           "15",
	} {
		got, err := amount(arithmetic, map[string]int64{"input": 7})
		if err != nil || got.String() != want {
			t.Errorf("%s = %v, %v; want %s", arithmetic, got, err, want)
		}
	}
	for _, arithmetic := range []string{"", "1/0", "output*2", "1 << 3", "f(1)", `"a"`} {
		if got, err := amount(arithmetic, nil); err == nil {
			t.Errorf("%q = %s, want an error", arithmetic, got)
		}
	}
}

func TestBillsAreReadStrictly(t *testing.T) {
	for _, text := range []string{
		"", "catalogue: 1000 * (25*3 + 11*15)", "catalogue: 1000 * 2 = 2001", "catalogue: 1+1 = 2\nunknown: why", "free: 1 = 1",
		"catalogue guessed: 1 = 1", "reported: 1/0 = 0", "unknown", "catalogue: input*2 = 4",
	} {
		if b, err := readBill(text); err == nil {
			t.Errorf("%q is read as %+v", text, b)
		}
	}
}
