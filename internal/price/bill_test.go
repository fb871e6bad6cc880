package price

import (
	"bufio"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// usageOf reads "input=10 output=2".
func usageOf(t *testing.T, text string) sluice.Usage {
	t.Helper()
	u := sluice.Usage{Basis: sluice.BasisProvider}
	classes := meters()
	for _, f := range strings.Fields(text) {
		name, count, _ := strings.Cut(f, "=")
		n, err := strconv.ParseInt(count, 10, 64)
		c, ok := classes[name]
		if err != nil || !ok || c == Requests {
			t.Fatalf("%q is no count", f)
		}
		u.Set(c, n)
	}
	return u
}

// call is the first column of testdata/bills.txt.
type call struct {
	provider, model string
	at              time.Time
	f               Factors
}

func callOf(t *testing.T, text string) call {
	t.Helper()
	words := strings.Fields(text)
	c := call{provider: words[0], model: words[1], at: noon}
	for _, w := range words[2:] {
		key, v, _ := strings.Cut(w, "=")
		switch key {
		case "b":
			c.f.Batch = true
		case "t":
			c.f.ServiceTier = v
		case "s":
			c.f.Speed = v
		case "g":
			c.f.InferenceGeo = v
		case "c":
			c.f.SearchContext = v
		case "at":
			var err error
			if c.at, err = time.Parse(time.RFC3339, v); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("%q is nothing of a call", w)
		}
	}
	return c
}

// arithmetic evaluates millionths of a dollar, exactly, and rounds half up to nano-dollars.
func arithmetic(t *testing.T, expr string) sluice.NanoUSD {
	t.Helper()
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, "0.0+"+expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	micro, ok := new(big.Rat).SetString(constant.ToFloat(v.Value).ExactString())
	if !ok {
		t.Fatalf("%s: no number", expr)
	}
	nano := micro.Mul(micro, big.NewRat(1000, 1))
	nano.Add(nano, big.NewRat(1, 2))
	return sluice.NanoUSD(new(big.Int).Div(nano.Num(), nano.Denom()).Int64()) // floor, for what is positive
}

func TestBillsByHand(t *testing.T) {
	file, err := os.Open("testdata/bills.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	catalogue := Embedded()
	bills := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		bills++
		t.Run(line, func(t *testing.T) {
			column := strings.Split(line, ";")
			if len(column) != 3 {
				t.Fatal("want three columns")
			}
			checkBill(t, catalogue, callOf(t, column[0]), usageOf(t, column[1]), strings.TrimSpace(column[2]))
		})
	}
	if bills < 120 {
		t.Errorf("%d bills; want 120 at least", bills)
	}
}

func checkBill(t *testing.T, catalogue *Catalogue, c call, u sluice.Usage, want string) {
	t.Helper()
	p, m, found := catalogue.Find(c.provider, c.model, c.at)
	bill := p.Bill(u, c.f)
	cost, known := p.Cost(u, c.f)
	if cost != bill.Total || known != bill.Known {
		t.Errorf("Cost says %d, %v; Bill %d, %v", cost, known, bill.Total, bill.Known)
	}
	if reason, ok := strings.CutPrefix(want, "unknown: "); ok {
		if bill.Known || bill.Total != 0 || !strings.Contains(bill.Reason, reason) {
			t.Errorf("known %v, total %d, reason %q; want unknown: %s", bill.Known, bill.Total, bill.Reason, reason)
		}
		return
	}
	if !found {
		t.Fatal("no price was found")
	}
	if nano := arithmetic(t, want); !bill.Known || bill.Total != nano {
		t.Errorf("total = %d, %v; want %d nano-USD\nrow %s/%s by %s\n%s", bill.Total, bill.Known, nano, m.Model.Provider, m.Model.Name, m.How, bill.Explain())
	}
}

func TestNotesTellWhatNoRuleKnows(t *testing.T) {
	p, _, _ := Embedded().Find("openai", "gpt-5.4", noon)
	u := usageOf(t, "input=10 output=1")
	if b := p.Bill(u, Factors{ServiceTier: "tomorrow"}); len(b.Notes) != 1 || !strings.Contains(b.Notes[0], "tomorrow") {
		t.Errorf("notes = %q; want one on the tier", b.Notes)
	}
	for _, f := range []Factors{{}, {ServiceTier: "default"}, {ServiceTier: "flex"}, {Batch: true, ServiceTier: "batch"}} {
		if b := p.Bill(u, f); len(b.Notes) != 0 {
			t.Errorf("%+v: notes = %q; want none", f, b.Notes)
		}
	}
}

func TestACachedAnswerCostsNothing(t *testing.T) {
	u := usageOf(t, "input=1000 output=1000")
	u.Basis = sluice.BasisCached
	p, _, _ := Embedded().Find("openai", "gpt-4o", noon)
	custom, err := Custom(`{"total_cost":1}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Bill{p.Bill(u, Factors{}), (*Price)(nil).Bill(u, Factors{}), custom.Bill(u)} {
		if !b.Known || b.Total != 0 {
			t.Errorf("%+v; want a known zero", b)
		}
	}
	if cost, known := p.Cost(u, Factors{}); cost != 0 || !known {
		t.Errorf("Cost = %d, %v; want a known zero", cost, known)
	}
}

func TestASumTooLargeIsUnknown(t *testing.T) {
	p, _, _ := Embedded().Find("openai", "gpt-4o", noon)
	u := usageOf(t, fmt.Sprintf("input=%d output=%[1]d cache_read=%[1]d cache_write_5m=%[1]d web_searches=%[1]d", math.MaxInt64))
	b := p.Bill(u, Factors{ServiceTier: "priority"})
	cost, known := p.Cost(u, Factors{ServiceTier: "priority"})
	if b.Known || b.Total != 0 || known || cost != 0 {
		t.Errorf("bill %+v, cost %d %v; want unknown", b, cost, known)
	}
}

func TestExplainShowsTheArithmetic(t *testing.T) {
	p, _, _ := Embedded().Find("openai", "gpt-5.4", noon)
	got := p.Bill(usageOf(t, "input=300001 cache_read=299000 cache_write_5m=1 output=3 web_searches=1"), Factors{ServiceTier: "flex"}).Explain()
	const want = `web_searches                 1 × 10000 USD / 1,000,000                        = 0.01 USD
input                        1,000 × 5 USD / 1,000,000 × 1/2                  = 0.0025 USD
cache_read                   299,000 × 0.5 USD / 1,000,000 × 1/2              = 0.07475 USD
cache_write_5m (as input)    1 × 5 USD / 1,000,000 × 1/2                      = 0.0000025 USD
output                       3 × 22.5 USD / 1,000,000 × 1/2                   = 0.00003375 USD
prices for prompts above 272,000 tokens
cost: 0.08728625 USD
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	p, _, _ = Embedded().Find("groq", "whisper-large-v3", noon)
	got = p.Bill(usageOf(t, "milliseconds=100001"), Factors{}).Explain()
	if !strings.Contains(got, "cost: 0.003083364 USD, rounded from 0.0030833641666666666") {
		t.Errorf("got:\n%s", got)
	}
	if got = (*Price)(nil).Bill(sluice.Usage{}, Factors{}).Explain(); got != "cost: not known, the model has no price\n" {
		t.Errorf("got %q", got)
	}
}
