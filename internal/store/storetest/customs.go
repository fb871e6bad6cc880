package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
)

// Customs proves what provider.CustomStore promises. open opens the store of a directory, which a second open
// finds as the first has left it.
func Customs(t *testing.T, open func(t *testing.T, dir string) provider.CustomStore) {
	t.Run("a custom provider comes back as it was put", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		want := []provider.StoredCustom{newCustom(1), newCustom(2), newCustom(3)}
		want[1].Enabled, want[1].Beta, want[1].Position = true, true, -7
		want[1].AuthHeader, want[1].AuthScheme, want[1].Sealed = "X-Key", "Token", []byte{0, 255, '\n'}
		want[2].Description, want[2].Link, want[2].CurlExample, want[2].JSExample = "d'", "https://l.example", "curl\n\"x\"", "js ⚙"
		for _, c := range want {
			putCustom(t, s, c, 0)
		}
		for _, s := range []provider.CustomStore{s, open(t, dir)} {
			if got := listCustoms(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	})
	t.Run("an empty store has none", func(t *testing.T) {
		if got := listCustoms(t, open(t, t.TempDir())); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a version is replaced once", func(t *testing.T) {
		s := open(t, t.TempDir())
		c := newCustom(1)
		putCustom(t, s, c, 0)
		c.Version, c.Name = 2, "another"
		putCustom(t, s, c, 1)
		for was := range int64(2) {
			if err := s.PutCustom(t.Context(), c, was); sluice.KindOf(err) != sluice.KindConflict {
				t.Errorf("put in place of version %d: %v", was, err)
			}
		}
		if got := listCustoms(t, s); len(got) != 1 || got[0].Name != "another" || got[0].Version != 2 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a slug is an account's once, whatever its case", func(t *testing.T) {
		s := open(t, t.TempDir())
		putCustom(t, s, newCustom(1), 0)
		for _, slug := range []string{"slug-1", "SLUG-1"} {
			again := newCustom(2)
			again.Slug = slug
			if err := s.PutCustom(t.Context(), again, 0); sluice.KindOf(err) != sluice.KindConflict {
				t.Errorf("%s: %v", slug, err)
			}
			again.Account = "other-" + slug
			putCustom(t, s, again, 0)
			if err := s.DeleteCustom(t.Context(), again.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("deleting", func(t *testing.T) {
		s := open(t, t.TempDir())
		putCustom(t, s, newCustom(1), 0)
		putCustom(t, s, newCustom(2), 0)
		if err := s.DeleteCustom(t.Context(), newCustom(1).ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteCustom(t.Context(), newCustom(1).ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("deleting it again: %v", err)
		}
		if got := listCustoms(t, s); len(got) != 1 || got[0].ID != newCustom(2).ID {
			t.Errorf("%+v", got)
		}
		again := newCustom(3)
		again.Slug = newCustom(1).Slug
		putCustom(t, s, again, 0)
	})
}

func newCustom(n int) provider.StoredCustom {
	at := time.Date(2026, 11, 24, 12, 0, n, 0, time.UTC)
	return provider.StoredCustom{Custom: provider.Custom{
		ID: fmt.Sprintf("019a7b3e-5f2c-7d10-8a4e-0123456789%02d", n), Account: "default", Slug: fmt.Sprintf("slug-%d", n),
		Name: fmt.Sprintf("Name %d", n), BaseURL: "https://api.example.com", Version: 1, Created: at, Modified: at,
	}}
}

func putCustom(t *testing.T, s provider.CustomStore, c provider.StoredCustom, was int64) {
	t.Helper()
	if err := s.PutCustom(t.Context(), c, was); err != nil {
		t.Fatal(err)
	}
}

func listCustoms(t *testing.T, s provider.CustomStore) []provider.StoredCustom {
	t.Helper()
	list, err := s.ListCustoms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}
