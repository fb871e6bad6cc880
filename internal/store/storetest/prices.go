package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/price"
)

// Prices proves what price.OwnStore promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func Prices(t *testing.T, open func(t *testing.T, dir string) price.OwnStore) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	want := []price.Own{
		{Account: "a", Provider: "custom-lab", Model: "m*", As: "openai/gpt-4o", Times: "1/2", Modified: at},
		{Account: "a", Provider: "openai", Model: "org/m'1", USD: map[string]string{"input": "0.1", "output": "2"}, Modified: at},
		{Account: "a", Provider: "openai", Model: "two", USD: map[string]string{"hours": "1.8"}, Modified: at},
		{Account: "b", Provider: "openai", Model: "two", USD: map[string]string{"input": "1"}, Modified: at},
	}
	filled := func(t *testing.T, dir string) price.OwnStore {
		t.Helper()
		s := open(t, dir)
		for i := range want {
			if err := s.PutPrice(t.Context(), want[len(want)-1-i]); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	list := func(t *testing.T, s price.OwnStore, want []price.Own) {
		t.Helper()
		if got, err := s.ListPrices(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	t.Run("prices come back as they were put, in order", func(t *testing.T) {
		dir := t.TempDir()
		list(t, filled(t, dir), want)
		list(t, open(t, dir), want)
	})
	t.Run("an empty store has none", func(t *testing.T) { list(t, open(t, t.TempDir()), nil) })
	t.Run("a price takes the place of the one before", func(t *testing.T) {
		s := filled(t, t.TempDir())
		changed := append([]price.Own{}, want...)
		changed[2].USD, changed[2].Modified = map[string]string{"input": "7"}, at.Add(time.Hour)
		if err := s.PutPrice(t.Context(), changed[2]); err != nil {
			t.Fatal(err)
		}
		list(t, s, changed)
	})
	t.Run("deleting takes one, or all of a provider", func(t *testing.T) {
		s := filled(t, t.TempDir())
		for _, d := range []struct {
			provider, model string
			want            int
		}{{"openai", "two", 1}, {"openai", "two", 0}, {"nobody", "", 0}, {"openai", "", 1}} {
			if n, err := s.DeletePrices(t.Context(), "a", d.provider, d.model); n != d.want || err != nil {
				t.Errorf("%+v: %d, %v", d, n, err)
			}
		}
		list(t, s, []price.Own{want[0], want[3]})
	})
}
