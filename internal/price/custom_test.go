package price

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/sluicehq/sluice"
)

func TestCustomCost(t *testing.T) {
	const full = "input=1000 cache_read=300 cache_write_5m=100 cache_write_1h=50 output=20 reasoning=10"
	for _, test := range []struct {
		header, usage string
		want          string // millionths of a dollar, as arithmetic; "" unknown
	}{
		{`{"per_token_in":1e-6,"per_token_out":2e-6}`, "input=10 output=5", "10*1 + 5*2"},
		{`{"per_token_in":0.000001,"per_token_out":0.000002}`, full, "1000*1 + 20*2"},
		{`{"per_token_in":1E-6,"per_token_out":2e-6,"per_cache_read_token":1e-7}`, full, "(1000-300)*1 + 300*0.1 + 20*2"},
		{`{"per_token_in":1e-6,"per_token_out":2e-6,"per_cache_write_token":3e-6}`, full, "(1000-150)*1 + 150*3 + 20*2"},
		{`{"per_token_in":1e-6,"per_token_out":2e-6,"per_cache_read_token":0,"per_cache_write_token":0}`, full, "550*1 + 20*2"},
		{`{"per_token_in":0.0000000000001,"per_token_out":0}`, "input=5000 output=1", "0.5/1000"},
		{`{"per_token_in":0.0000000000001,"per_token_out":0}`, "input=4999 output=1", "0"},
		{`{"per_token_in":0.1,"per_token_out":0}`, "input=3", "300000"},
		{`{"per_token_in":0,"per_token_out":0}`, full, "0"},
		{`{"per_token_in":1e-6}`, "input=10", "10"},
		{`{"per_token_in":1e-6}`, "input=10 output=1", ""},
		{` { "total_cost" : 1.22 } `, "input=10 output=1", "1220000"},
		{`{"total_cost":0}`, "output=1", "0"},
		{`{"total_cost":1.22}`, "", ""},
		{`{"per_token_in":1e-6,"per_token_out":2e-6}`, "", ""},
		{`{"per_token_in":1e60,"per_token_out":0}`, "input=10", ""},
	} {
		c, err := Custom(test.header)
		if err != nil {
			t.Errorf("%s: %v", test.header, err)
			continue
		}
		b := c.Bill(usageOf(t, test.usage))
		if test.want == "" {
			if b.Known || b.Total != 0 || b.Reason == "" {
				t.Errorf("%s on %s: %d, known %v; want unknown", test.header, test.usage, b.Total, b.Known)
			}
			continue
		}
		if want := arithmetic(t, test.want); !b.Known || b.Total != want {
			t.Errorf("%s on %s: %d, %v; want %d\n%s", test.header, test.usage, b.Total, b.Known, want, b.Explain())
		}
	}
}

func TestCustomRefusesWhatIsNoPrice(t *testing.T) {
	for _, header := range []string{
		``, `{}`, `[]`, `null`, `1`, `{"per_token_in":}`, `{"per_token_in":"1"}`, `{"per_token_in":null}`, `{"per_token_in":-1}`,
		`{"per_token_in":.1}`, `{"per_token_in":1.}`, `{"per_token_in":01}`, `{"per_token_in":1e}`, `{"per_token_in":NaN}`, `{"per_token_in":0x1}`,
		`{"per_token_in":1e65}`, `{"per_token_in":1e-65}`, `{"per_token_in":1e999999999}`, `{"per_token_in":` + strings.Repeat("1", 200) + `}`,
		`{"per_token_in":1,"per_token_in":1}`, `{"per_tokens_in":1}`, `{"per_token_in":1,"total_cost":1}`, `{"per_token_in":1}x`, `{"per_token_in":1`,
		`{"per_token_in":1,}`, `{"total_cost":1}` + strings.Repeat(" ", 1024),
	} {
		_, err := Custom(header)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindInvalid || e.Field != "cf-aig-custom-cost" {
			t.Errorf("%s: error %v", header, err)
		}
	}
}

func FuzzCustom(f *testing.F) {
	for _, seed := range []string{
		`{"per_token_in":1e-6,"per_token_out":2e-6}`, `{"total_cost":1.22}`, `{"per_cache_read_token":0.5E+3}`, `{"per_token_in":1,"per_token_in":1}`,
	} {
		f.Add(seed)
	}
	u := sluice.Usage{}
	u.Set(sluice.Input, 3)
	u.Set(sluice.CacheRead, 1)
	u.Set(sluice.Output, 2)
	f.Fuzz(func(t *testing.T, header string) {
		c, err := Custom(header)
		if err != nil {
			return
		}
		var fields map[string]json.Number
		if err := json.Unmarshal([]byte(header), &fields); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		b := c.Bill(u)
		if b.Total < 0 || !b.Known && b.Total != 0 {
			t.Fatalf("total %d, known %v", b.Total, b.Known)
		}
		if total, ok := fields["total_cost"]; ok {
			usd, _ := new(big.Rat).SetString(total.String())
			if usd.Mul(usd, big.NewRat(nanoPerUSD, 1)).Cmp(b.Sum) != 0 {
				t.Fatalf("%s became %s nano-USD", total, b.Sum)
			}
		}
	})
}

func TestReportedUSD(t *testing.T) {
	for text, want := range map[string]sluice.NanoUSD{
		"0": 0, "0.0": 0, "1": 1_000_000_000, "0.000000001": 1, "0.0000000005": 1, "0.00000000049999": 0, "1.2e-05": 12_000, "1E2": 100_000_000_000,
		"0.00018345": 183_450, "9223372036.854775807": 9_223_372_036_854_775_807, "0.1": 100_000_000, "0.3": 300_000_000,
	} {
		if got, known := ReportedUSD(text); got != want || !known {
			t.Errorf("%s: %d, %v; want %d", text, got, known, want)
		}
	}
	for _, text := range []string{"", "-1", "-0", "null", `"1"`, "1 ", " 1", "+1", "1e99", "9223372036.8547758075", "NaN", "Infinity", "1_0", "1/2", "0x1", "1.2.3"} {
		if got, known := ReportedUSD(text); got != 0 || known {
			t.Errorf("%q: %d, %v; want unknown", text, got, known)
		}
	}
}

func TestReportedTicks(t *testing.T) {
	for ticks, want := range map[int64]sluice.NanoUSD{0: 0, 4: 0, 5: 1, 14: 1, 15: 2, 10_000_000_000: 1_000_000_000, 9_223_372_036_854_775_807: 922_337_203_685_477_581} {
		if got, known := ReportedTicks(ticks); got != want || !known {
			t.Errorf("%d ticks: %d, %v; want %d", ticks, got, known, want)
		}
	}
	if _, known := ReportedTicks(-1); known {
		t.Error("negative ticks are known")
	}
}

func FuzzReportedUSD(f *testing.F) {
	for _, seed := range []string{"0", "1.2e-05", "0.1", "-1", "1e400", "00", "9223372036.9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, known := ReportedUSD(text)
		if known && (!json.Valid([]byte(text)) || got < 0) || !known && got != 0 {
			t.Fatalf("%q: %d, %v", text, got, known)
		}
	})
}
