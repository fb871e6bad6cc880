package price

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice"
)

func BenchmarkEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Embedded()
	}
}

func BenchmarkFindAndCost(b *testing.B) {
	c := Embedded()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var u sluice.Usage
	u.Set(sluice.Input, 1200)
	u.Set(sluice.CacheRead, 1000)
	u.Set(sluice.Output, 300)
	u.Set(sluice.Reasoning, 100)
	for _, name := range []string{"gpt-5.4", "gpt-5.4-2027-01-02", "GPT-5.4"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, _, ok := c.Find("openai", name, at)
				if _, known := p.Cost(u, Factors{}); !ok || !known {
					b.Fatal("no price")
				}
			}
		})
	}
}

func BenchmarkBill(b *testing.B) {
	p, _, _ := Embedded().Find("openai", "gpt-5.4", time.Now())
	var u sluice.Usage
	u.Set(sluice.Input, 1200)
	u.Set(sluice.CacheRead, 1000)
	u.Set(sluice.Output, 300)
	b.ReportAllocs()
	for b.Loop() {
		p.Bill(u, Factors{ServiceTier: "flex"})
	}
}

// A name that no row has is tried against every pattern; Amazon's rows have the most.
func BenchmarkFindNothing(b *testing.B) {
	c := Embedded()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := c.Find("aws-bedrock", "us.nobody.knows-this-model-20260101-v1:0", noon); ok {
			b.Fatal("found")
		}
	}
}
