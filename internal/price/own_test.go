package price

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/sluicehq/sluice"
)

// heldPrices is a store in memory; the real ones are proven by storetest.
type heldPrices struct{ own []Own }

func (h *heldPrices) ListPrices(context.Context) ([]Own, error) { return h.own, nil }
func (h *heldPrices) PutPrice(_ context.Context, p Own) error   { h.own = append(h.own, p); return nil }

func (h *heldPrices) DeletePrices(context.Context, string, string, string) (int, error) {
	return 1, nil
}

func openTestBook(t *testing.T, own ...Own) (*Book, *Store, *int) {
	t.Helper()
	list := NewStore(Embedded(), []Override{
		over(t, "openai", "gpt-4o", "", "", map[string]string{"input": "9"}),
		over(t, "openai", "lab-*", "", "", map[string]string{"input": "8"}),
	}, nil)
	applied := 0
	b, err := OpenBook(t.Context(), list, &heldPrices{own}, func() { applied++ })
	if err != nil {
		t.Fatal(err)
	}
	return b, list, &applied
}

// inputOf is the price of a million input tokens, in nano-USD; -1: there is none.
func inputOf(b *Book, account, provider, model string) int64 {
	p, _, ok := b.Load().Of(account).Find(provider, model, noon)
	if !ok {
		return -1
	}
	nano, _ := p.Rate(sluice.Input)
	return nano
}

func TestAnAccountsOwnPrices(t *testing.T) {
	b, list, applied := openTestBook(t, Own{Account: "a", Provider: "custom-lab", Model: "m", USD: map[string]string{"input": "1"}})
	put := func(p Own) error {
		_, err := b.Put(t.Context(), p, noon)
		return err
	}
	for _, p := range []Own{
		{Account: "a", Provider: "openai", Model: "gpt-4o-mini", USD: map[string]string{"input": "2", "output": "0.5"}},
		{Account: "a", Provider: "openai", Model: "lab-one", USD: map[string]string{"input": "3"}},
		{Account: "a", Provider: "openai", Model: "other-*", As: "openai/gpt-4o", Times: "2"},
		{Account: "b", Provider: "openai", Model: "gpt-4o-mini", USD: map[string]string{"input": "4"}},
	} {
		if err := put(p); err != nil {
			t.Fatal(err)
		}
	}
	if *applied != 4 {
		t.Errorf("applied %d times", *applied)
	}
	for _, test := range []struct {
		account, provider, model string
		want                     int64
	}{
		{"a", "custom-lab", "m", 1e9},
		{"b", "custom-lab", "m", -1},
		{"a", "openai", "gpt-4o-mini", 2e9},
		{"b", "openai", "gpt-4o-mini", 4e9},
		{"c", "openai", "gpt-4o-mini", 150_000_000},
		{"a", "openai", "lab-one", 3e9}, // the name goes before the configuration's pattern
		{"a", "openai", "lab-two", 8e9},
		{"b", "openai", "lab-one", 8e9},
		{"a", "openai", "gpt-4o", 9e9},
		{"a", "openai", "other-x", 9e9}, // before it is multiplied
	} {
		if got := inputOf(b, test.account, test.provider, test.model); got != test.want {
			t.Errorf("%s %s/%s: %d, want %d", test.account, test.provider, test.model, got, test.want)
		}
	}
	if _, m, _ := b.Load().Of("a").Find("openai", "gpt-4o-mini", noon); !m.Model.Stored() || m.Model.Configured() || m.Model.AsOf != noon.Format(time.DateOnly) || m.How != HowOverride {
		t.Errorf("%+v by %s", m.Model, m.How)
	}
	// A newer list, or another configuration, is beneath them at once.
	list.Override([]Override{over(t, "openai", "gpt-4o", "", "", map[string]string{"input": "7"})})
	if got := inputOf(b, "a", "openai", "gpt-4o"); got != 7e9 {
		t.Errorf("after another configuration: %d", got)
	}
	if got := inputOf(b, "a", "openai", "gpt-4o-mini"); got != 2e9 {
		t.Errorf("its own after another configuration: %d", got)
	}
	if p, err := b.Delete(t.Context(), "a", "openai", "gpt-4o-mini"); err != nil || p.USD["output"] != "0.5" {
		t.Errorf("%+v %v", p, err)
	}
	if got := inputOf(b, "a", "openai", "gpt-4o-mini"); got != 150_000_000 {
		t.Errorf("deleted: %d", got)
	}
	if _, err := b.DeleteProvider(t.Context(), "a", "custom-lab"); err != nil || inputOf(b, "a", "custom-lab", "m") != -1 {
		t.Errorf("the provider's: %v", err)
	}
	if got := b.List("a"); len(got) != 2 || got[0].Model != "lab-one" {
		t.Errorf("%+v", got)
	}
}

func TestOwnPricesRefused(t *testing.T) {
	b, _, applied := openTestBook(t)
	for name, test := range map[string]struct {
		p    Own
		kind sluice.Kind
	}{
		"the configuration's": {Own{Provider: "openai", Model: "gpt-4o", USD: map[string]string{"input": "1"}}, sluice.KindConflict},
		"no price":            {Own{Provider: "openai", Model: "m"}, sluice.KindInvalid},
		"negative":            {Own{Provider: "openai", Model: "m", USD: map[string]string{"input": "-1"}}, sluice.KindInvalid},
		"unknown class":       {Own{Provider: "openai", Model: "m", USD: map[string]string{"inputs": "1"}}, sluice.KindInvalid},
	} {
		test.p.Account = "a"
		if _, err := b.Put(t.Context(), test.p, noon); sluice.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Delete(t.Context(), "a", "openai", "gpt-4o"); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("deleting the configuration's: %v", err)
	}
	if _, err := b.Delete(t.Context(), "a", "openai", "gpt-4o-mini"); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("deleting a listed one: %v", err)
	}
	if *applied != 0 || len(b.List("a")) != 0 {
		t.Error("something has changed")
	}
}

func TestAStoredPriceThatIsNotValidAnyMoreLeavesItsModelUnpriced(t *testing.T) {
	b, _, _ := openTestBook(t, Own{Account: "a", Provider: "openai", Model: "gpt-4o-mini", USD: map[string]string{"of another version": "1"}})
	if got := inputOf(b, "a", "openai", "gpt-4o-mini"); got != -1 {
		t.Errorf("priced: %d", got)
	}
}

func TestPricesAreWrittenAsTheyAreRead(t *testing.T) {
	usd := map[string]string{
		"input": "2.5", "output": "0.000000001", "cache_read": "0", "requests": "5", "web_searches": "10", "characters": "15", "hours": "1.8", "images": "40", "pages": "0.5",
	}
	o, err := NewOverride("p", "m", "", "", usd)
	if err != nil {
		t.Fatal(err)
	}
	p := Price{base: o.rates}
	if got := p.USD(); !maps.Equal(got, usd) {
		t.Errorf("got %v\nwant %v", got, usd)
	}
}
