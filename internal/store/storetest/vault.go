package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/vault"
)

// Vault proves what vault.Store promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func Vault(t *testing.T, open func(t *testing.T, dir string) vault.Store) {
	t.Run("a credential comes back as it was put", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		want := []vault.Stored{newStored(1), newStored(2), newStored(3)}
		want[0].Hosts, want[0].Default = []string{"a.example", "b.example:8443"}, true
		want[1].Alias, want[1].Weight, want[1].RateLimit, want[1].RateLimitPeriod = want[0].Alias, 7, 100, 60
		want[2].Sealed, want[2].Hint = bytes.Repeat([]byte{0, 255, '\n'}, 3000), ""
		for _, c := range want {
			putCredential(t, s, c, 0)
		}
		for _, s := range []vault.Store{s, open(t, dir)} {
			if got := listCredentials(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	})
	t.Run("an empty store has none", func(t *testing.T) {
		s := open(t, t.TempDir())
		if got := listCredentials(t, s); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		if got, err := s.DataKey(t.Context()); got != nil || err != nil {
			t.Errorf("data key %x, %v", got, err)
		}
	})
	t.Run("a version is replaced once", func(t *testing.T) { credentialVersions(t, open(t, t.TempDir())) })
	t.Run("deleting", func(t *testing.T) {
		s := open(t, t.TempDir())
		putCredential(t, s, newStored(1), 0)
		putCredential(t, s, newStored(2), 0)
		if err := s.DeleteCredential(t.Context(), newStored(1).ID); err != nil {
			t.Fatal(err)
		}
		if got := listCredentials(t, s); len(got) != 1 || got[0].ID != newStored(2).ID {
			t.Errorf("%+v", got)
		}
		if err := s.DeleteCredential(t.Context(), newStored(1).ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("deleting it again: %v", err)
		}
	})
	t.Run("last uses go forward only, and are not put back", func(t *testing.T) {
		s := open(t, t.TempDir())
		a, b := newStored(1), newStored(2)
		putCredential(t, s, a, 0)
		putCredential(t, s, b, 0)
		for _, used := range []map[string]time.Time{
			{a.ID: noon().Add(time.Hour), "nothing": noon()},
			{a.ID: noon(), b.ID: noon()},
			{},
		} {
			if err := s.TouchCredentials(t.Context(), used); err != nil {
				t.Fatal(err)
			}
		}
		a.Version = 2
		putCredential(t, s, a, 1)
		if got := listCredentials(t, s); !got[0].LastUsed.Equal(noon().Add(time.Hour)) || !got[1].LastUsed.Equal(noon()) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the data key", func(t *testing.T) { dataKeys(t, open(t, t.TempDir())) })
}

func credentialVersions(t *testing.T, s vault.Store) {
	c := newStored(1)
	putCredential(t, s, c, 0)
	second := c
	second.Version, second.Alias, second.Sealed, second.Hosts = 2, "other", []byte("resealed"), []string{"h"}
	second.Modified = noon().Add(time.Hour)
	putCredential(t, s, second, 1)
	for was, c := range map[int64]vault.Stored{0: c, 1: c, 3: second} {
		if err := s.PutCredential(t.Context(), c, was); sluice.KindOf(err) != sluice.KindConflict {
			t.Errorf("in place of version %d: %v", was, err)
		}
	}
	unknown := newStored(2)
	if err := s.PutCredential(t.Context(), unknown, 1); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("in place of one that is not there: %v", err)
	}
	if got := listCredentials(t, s); !reflect.DeepEqual(got, []vault.Stored{second}) {
		t.Errorf("%+v", got)
	}
}

func dataKeys(t *testing.T, s vault.Store) {
	a, b := []byte("sealed by the first\x00"), []byte("sealed by the second")
	for _, step := range []struct {
		put, was []byte
		conflict bool
		then     []byte
	}{
		{put: b, was: a, conflict: true},
		{put: a, then: a},
		{put: b, conflict: true, then: a},
		{put: b, was: b, conflict: true, then: a},
		{put: b, was: a, then: b},
		{was: a, conflict: true, then: b},
		{was: b},
		{},
		{put: a, then: a},
	} {
		err := s.PutDataKey(t.Context(), step.put, step.was)
		if step.conflict != (sluice.KindOf(err) == sluice.KindConflict) || !step.conflict && err != nil {
			t.Errorf("put %q in place of %q: %v", step.put, step.was, err)
		}
		if got, err := s.DataKey(t.Context()); err != nil || !bytes.Equal(got, step.then) || (got == nil) != (step.then == nil) {
			t.Errorf("after %q in place of %q: %q, %v", step.put, step.was, got, err)
		}
	}
}

// newStored makes the i-th of credentials that differ, in the order of their making.
func newStored(i int) vault.Stored {
	at := noon().Add(time.Duration(i) * time.Millisecond)
	return vault.Stored{Sealed: []byte{1, byte(i), 0}, Credential: vault.Credential{
		ID: fmt.Sprint("id", i), Account: "acme", Gateway: "prod", Provider: "openai", Alias: fmt.Sprint("alias", i), Hint: "wxyz",
		Weight: 1, Version: 1, Created: at, Modified: at,
	}}
}

func putCredential(t *testing.T, s vault.Store, c vault.Stored, was int64) {
	t.Helper()
	if err := s.PutCredential(t.Context(), c, was); err != nil {
		t.Fatalf("PutCredential(%+v, %d): %v", c, was, err)
	}
}

func listCredentials(t *testing.T, s vault.Store) []vault.Stored {
	t.Helper()
	list, err := s.ListCredentials(t.Context())
	if err != nil {
		t.Fatalf("ListCredentials: %v", err)
	}
	return list
}
