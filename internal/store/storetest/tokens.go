package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
)

// Tokens proves what auth.Store promises. open opens the store of a directory, which a second open finds
// as the first has left it.
func Tokens(t *testing.T, open func(t *testing.T, dir string) auth.Store) {
	t.Run("a token comes back as it was created", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		want := []auth.Stored{newToken(1), newToken(2), newToken(3)}
		want[0].Gateways = []string{"prod", "staging"}
		want[0].Imported = true
		want[1].Expires = noon().Add(90 * 24 * time.Hour)
		want[1].LastUsed = noon().Add(time.Second)
		want[2].Account, want[2].Name = "other", want[1].Name // of another account
		want[2].Revoked = noon().Add(time.Hour)
		for _, token := range want {
			createToken(t, s, token)
		}
		for _, s := range []auth.Store{s, open(t, dir)} {
			if got := listTokens(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	})
	t.Run("an empty store has none", func(t *testing.T) {
		if got := listTokens(t, open(t, t.TempDir())); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a value or a name that is taken", func(t *testing.T) { tokenConflicts(t, open(t, t.TempDir())) })
	t.Run("revoking", func(t *testing.T) {
		s := open(t, t.TempDir())
		createToken(t, s, newToken(1))
		createToken(t, s, newToken(2))
		first, later := noon().Add(time.Minute), noon().Add(time.Hour)
		for _, at := range []time.Time{first, later} {
			if err := s.RevokeToken(t.Context(), newToken(1).ID, at); err != nil {
				t.Fatal(err)
			}
		}
		if got := listTokens(t, s); !got[0].Revoked.Equal(first) || !got[1].Revoked.IsZero() {
			t.Errorf("%+v", got)
		}
		if err := s.RevokeToken(t.Context(), "nothing", first); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("revoking nothing: %v", err)
		}
	})
	t.Run("last uses go forward only", func(t *testing.T) {
		s := open(t, t.TempDir())
		a, b := newToken(1), newToken(2)
		createToken(t, s, a)
		createToken(t, s, b)
		for _, used := range []map[string]time.Time{
			{a.ID: noon().Add(time.Hour), "nothing": noon()},
			{a.ID: noon(), b.ID: noon()},
			{},
		} {
			if err := s.TouchTokens(t.Context(), used); err != nil {
				t.Fatal(err)
			}
		}
		if got := listTokens(t, s); !got[0].LastUsed.Equal(noon().Add(time.Hour)) || !got[1].LastUsed.Equal(noon()) {
			t.Errorf("%+v", got)
		}
	})
}

func tokenConflicts(t *testing.T, s auth.Store) {
	createToken(t, s, newToken(1))
	sameName, sameValue := newToken(2), newToken(3)
	sameName.Name, sameValue.Hash = newToken(1).Name, newToken(1).Hash
	for field, token := range map[string]auth.Stored{"name": sameName, "value": sameValue} {
		err := s.CreateToken(t.Context(), token)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindConflict || e.Field != field {
			t.Errorf("same %s: %v", field, err)
		}
	}
	if got := listTokens(t, s); len(got) != 1 {
		t.Errorf("a refused token was kept: %+v", got)
	}
	if err := s.RevokeToken(t.Context(), newToken(1).ID, noon()); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateToken(t.Context(), sameValue); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("the value of a revoked token: %v", err)
	}
	createToken(t, s, sameName) // a revoked one leaves its name to others
}

// newToken makes the i-th of tokens that differ, in the order of their making.
func newToken(i int) auth.Stored {
	t := auth.Stored{Token: auth.Token{
		ID: fmt.Sprint("id", i), Name: fmt.Sprint("name ", i), Account: "acme", Permissions: auth.Run | auth.Edit,
		Hint: "wxyz", Created: noon().Add(time.Duration(i) * time.Millisecond),
	}}
	t.Hash[0], t.Hash[31] = byte(i), 0xff
	return t
}

func createToken(t *testing.T, s auth.Store, token auth.Stored) {
	t.Helper()
	if err := s.CreateToken(t.Context(), token); err != nil {
		t.Fatalf("CreateToken(%+v): %v", token, err)
	}
}

func listTokens(t *testing.T, s auth.Store) []auth.Stored {
	t.Helper()
	list, err := s.ListTokens(t.Context())
	if err != nil {
		t.Fatalf("ListTokens: %v", err)
	}
	return list
}
