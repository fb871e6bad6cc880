package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// database opens the store that lies in dir.
func database(t testing.TB, dir string) auth.Store {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// ring opens a Ring over a store.
func ring(t testing.TB, store auth.Store) *auth.Ring {
	t.Helper()
	r, err := auth.Open(t.Context(), store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// create makes a token for account acme.
func create(t testing.TB, r *auth.Ring, change ...func(*auth.New)) (auth.Token, string) {
	t.Helper()
	n := auth.New{Account: "acme", Permissions: auth.Run}
	for _, c := range change {
		c(&n)
	}
	token, secret, err := r.Create(t.Context(), n, noon())
	if err != nil {
		t.Fatal(err)
	}
	return token, secret.Reveal()
}

func TestATokensLife(t *testing.T) {
	dir := t.TempDir()
	store := database(t, dir)
	r := ring(t, store)
	expires := noon().Add(time.Hour)
	token, value := create(t, r, func(n *auth.New) { n.Name, n.Expires = "app", expires })
	if !strings.HasPrefix(value, "slc_") || len(value) != 53 || !strings.HasSuffix(value, token.Hint) || len(token.Hint) != 4 {
		t.Errorf("value of %d characters, hint %q", len(value), token.Hint)
	}
	verdicts := func(r *auth.Ring, before, after auth.Verdict) {
		t.Helper()
		for at, want := range map[time.Time]auth.Verdict{noon(): before, expires.Add(-1): before, expires: after} {
			if found, got := r.Find(value, at); got != want || found.ID != token.ID || found.Name != "app" {
				t.Errorf("at %v: %v, %+v; want %v", at, got, found, want)
			}
		}
	}
	verdicts(r, auth.Valid, auth.Expired)
	verdicts(ring(t, store), auth.Valid, auth.Expired) // as another start finds it

	if _, err := r.Revoke(t.Context(), "other", token.ID, noon()); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("revoked by another account: %v", err)
	}
	verdicts(r, auth.Valid, auth.Expired)
	for range 2 {
		if revoked, err := r.Revoke(t.Context(), "acme", token.ID, noon()); err != nil || !revoked.Revoked.Equal(noon()) {
			t.Errorf("%+v, %v", revoked, err)
		}
	}
	verdicts(r, auth.Revoked, auth.Revoked)
	select {
	case <-token.Ended():
	default:
		t.Error("the token has not ended")
	}
	verdicts(ring(t, store), auth.Revoked, auth.Revoked)
}

func TestImportedTokensAreKnownByTheirHash(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	const value = "v1.0-0123456789abcdef/+=" // as another gateway made it
	if _, got := r.Find(value, noon()); got != auth.Foreign || got.Ours() {
		t.Errorf("before: %v", got)
	}
	token, same := create(t, r, func(n *auth.New) { n.Value = sluice.NewSecret(value) })
	if same != value || !token.Imported || token.Hint != "f/+=" {
		t.Errorf("%q, %+v", same, token)
	}
	if found, got := r.Find(value, noon()); got != auth.Valid || found.ID != token.ID {
		t.Errorf("%v, %+v", got, found)
	}
	for _, near := range []string{"", value[1:], value + " ", strings.ToUpper(value), "Bearer " + value, strings.Repeat("x", 1<<20)} {
		if _, got := r.Find(near, noon()); got != auth.Foreign {
			t.Errorf("%.30q: %v", near, got)
		}
	}
	if _, err := r.Revoke(t.Context(), "acme", token.ID, noon()); err != nil {
		t.Fatal(err)
	}
	if _, got := r.Find(value, noon()); got != auth.Revoked {
		t.Errorf("revoked: %v", got)
	}
	_, _, err := r.Create(t.Context(), auth.New{Account: "acme", Permissions: auth.Run, Value: sluice.NewSecret(value)}, noon())
	if sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("imported again: %v", err)
	}
}

func TestAValueOfOursThatIsNotKnown(t *testing.T) {
	_, value := create(t, ring(t, database(t, t.TempDir())))
	other := ring(t, database(t, t.TempDir()))
	if found, got := other.Find(value, noon()); got != auth.Unknown || !got.Ours() || !reflect.DeepEqual(found, auth.Token{}) {
		t.Errorf("%v, %+v", got, found)
	}
}

func TestAllows(t *testing.T) {
	all := auth.Token{Account: "a", Permissions: auth.Run | auth.Read}
	some := auth.Token{Account: "a", Permissions: auth.Run, Gateways: []string{"x", "y"}}
	for _, c := range []struct {
		token            auth.Token
		account, gateway string
		p                auth.Permission
		want             bool
	}{
		{all, "a", "x", auth.Run, true},
		{all, "a", "", auth.Read, true},
		{all, "a", "x", auth.Run | auth.Read, true},
		{all, "a", "x", auth.Edit, false},
		{all, "a", "x", auth.Run | auth.Edit, false},
		{all, "a", "x", 0, false},
		{all, "b", "x", auth.Run, false},
		{all, "", "", auth.Run, false},
		{some, "a", "x", auth.Run, true},
		{some, "a", "z", auth.Run, false},
		{some, "a", "", auth.Run, false},
		{some, "b", "x", auth.Run, false},
		{auth.Token{Account: "a", Permissions: auth.Run, Gateways: []string{}}, "a", "x", auth.Run, false},
		{auth.Token{}, "", "", auth.Run, false},
	} {
		if got := c.token.Allows(c.account, c.gateway, c.p); got != c.want {
			t.Errorf("%+v allows %s/%s %v: %v", c.token, c.account, c.gateway, c.p, got)
		}
	}
}

func TestWhatCannotBeCreated(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	_, ours := create(t, ring(t, database(t, t.TempDir())))
	create(t, r, func(n *auth.New) { n.Name = "taken" })
	for name, c := range map[string]struct {
		change func(*auth.New)
		field  string
		kind   sluice.Kind
	}{
		"no account":         {func(n *auth.New) { n.Account = "" }, "account", sluice.KindInvalid},
		"no permission":      {func(n *auth.New) { n.Permissions = 0 }, "permissions", sluice.KindInvalid},
		"a long name":        {func(n *auth.New) { n.Name = strings.Repeat("x", 65) }, "name", sluice.KindInvalid},
		"a name of two rows": {func(n *auth.New) { n.Name = "a\nb" }, "name", sluice.KindInvalid},
		"a name taken":       {func(n *auth.New) { n.Name = "taken" }, "name", sluice.KindConflict},
		"no gateways":        {func(n *auth.New) { n.Gateways = []string{} }, "gateways", sluice.KindInvalid},
		"an empty gateway":   {func(n *auth.New) { n.Gateways = []string{"x", ""} }, "gateways", sluice.KindInvalid},
		"expired":            {func(n *auth.New) { n.Expires = noon() }, "expires_at", sluice.KindInvalid},
		"a short value":      {func(n *auth.New) { n.Value = sluice.NewSecret("0123456789abcdefghi") }, "value", sluice.KindInvalid},
		"a long value":       {func(n *auth.New) { n.Value = sluice.NewSecret(strings.Repeat("x", 1025)) }, "value", sluice.KindInvalid},
		"a value of ours":    {func(n *auth.New) { n.Value = sluice.NewSecret(ours) }, "value", sluice.KindInvalid},
		"a spaced value":     {func(n *auth.New) { n.Value = sluice.NewSecret("0123456789 abcdefghijkl") }, "value", sluice.KindInvalid},
		"an accented value":  {func(n *auth.New) { n.Value = sluice.NewSecret("0123456789äbcdefghijkl") }, "value", sluice.KindInvalid},
	} {
		n := auth.New{Account: "acme", Permissions: auth.Run}
		c.change(&n)
		_, secret, err := r.Create(t.Context(), n, noon())
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != c.kind || e.Field != c.field || !secret.IsZero() {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
	if list := r.List(auth.Filter{}); len(list) != 1 {
		t.Errorf("%d tokens; want the first alone", len(list))
	}
}

func TestLists(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	a, _ := create(t, r, func(n *auth.New) { n.Name, n.Gateways = "a", []string{"y", "x", "y"} })
	b, _ := create(t, r, func(n *auth.New) { n.Name = "b" })
	c, _ := create(t, r, func(n *auth.New) { n.Name, n.Account = "b", "other" })
	if _, err := r.Revoke(t.Context(), "acme", b.ID, noon()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Gateways, []string{"x", "y"}) {
		t.Errorf("gateways %v", a.Gateways)
	}
	for _, l := range []struct {
		f    auth.Filter
		want []string
	}{
		{auth.Filter{}, []string{a.ID, c.ID}},
		{auth.Filter{Account: "acme"}, []string{a.ID}},
		{auth.Filter{Account: "acme", Revoked: true}, []string{a.ID, b.ID}},
		{auth.Filter{Account: "nobody"}, nil},
	} {
		var got []string
		for _, token := range r.List(l.f) {
			got = append(got, token.ID)
		}
		if !slices.Equal(got, l.want) {
			t.Errorf("%+v: %v; want %v", l.f, got, l.want)
		}
	}
	if got, err := r.Get("acme", a.ID); err != nil || got.Name != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.Get("acme", c.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("another account's: %v", err)
	}
}

func TestAnotherProcessesChangesAreSeenAfterReload(t *testing.T) {
	store := database(t, t.TempDir())
	r, other := ring(t, store), ring(t, store)
	token, value := create(t, other)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, got := r.Find(value, noon())
	if got != auth.Valid {
		t.Errorf("created elsewhere: %v", got)
	}
	if _, err := other.Revoke(t.Context(), "acme", token.ID, noon()); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, got := r.Find(value, noon()); got != auth.Revoked {
		t.Errorf("revoked elsewhere: %v", got)
	}
	select {
	case <-found.Ended():
	default:
		t.Error("the token has not ended")
	}
}

// TestARevocationHoldsAtOnce looks a token up from many goroutines while it is revoked: whoever begins
// after Revoke returned finds it revoked.
func TestARevocationHoldsAtOnce(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	token, value := create(t, r)
	revoked := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for last := false; !last; {
				select {
				case <-revoked:
					last = true
				default:
				}
				if _, got := r.Find(value, noon()); last && got != auth.Revoked || got != auth.Revoked && got != auth.Valid {
					t.Errorf("%v, after the revocation: %v", got, last)
				}
			}
		})
	}
	if _, err := r.Revoke(t.Context(), "acme", token.ID, noon()); err != nil {
		t.Fatal(err)
	}
	close(revoked)
	all.Wait()
}

// stub is a Store whose tokens are in memory, for time that is fake.
type stub struct {
	mu     sync.Mutex
	tokens []auth.Stored
	touch  []map[string]time.Time
	err    error
}

func (s *stub) CreateToken(_ context.Context, t auth.Stored) error {
	s.tokens = append(s.tokens, t)
	return s.err
}

func (s *stub) ListTokens(context.Context) ([]auth.Stored, error)    { return s.tokens, s.err }
func (s *stub) RevokeToken(context.Context, string, time.Time) error { return s.err }
func (s *stub) TouchTokens(_ context.Context, u map[string]time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch = append(s.touch, u)
	return s.err
}

func (s *stub) touched() []map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.touch)
}

func (s *stub) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func TestLastUsesAreWrittenBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stub{}
		r, err := auth.Open(t.Context(), store, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		token, value := create(t, r)
		other, _ := create(t, r)
		use := func() {
			found, _ := r.Find(value, noon())
			r.Used(&found, time.Now())
		}
		time.Sleep(time.Second / 2) // uses lie between the moments of writing
		for range 100 {
			use()
			time.Sleep(time.Second) // of the bubble
		}
		synctest.Wait()
		if got := store.touched(); len(got) != 1 || len(got[0]) != 1 || got[0][token.ID].IsZero() {
			t.Fatalf("written in 100 s: %v; want once, of one token", got)
		}
		if got, err := r.Get("acme", token.ID); err != nil || time.Since(got.LastUsed) > 2*time.Minute {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := r.Get("acme", other.ID); err != nil || !got.LastUsed.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := store.touched(); len(got) != 2 {
			t.Errorf("written %d times; want once more, then nothing that is known", len(got))
		}
		store.fail(errors.New("away"))
		use()
		time.Sleep(5 * time.Minute)
		store.fail(nil)
		failed := len(store.touched())
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := store.touched(); failed < 4 || len(got) != failed+1 || got[failed][token.ID].IsZero() {
			t.Errorf("a use that could not be written is lost: %d, then %d", failed, len(got))
		}
	})
}

func TestAStoreThatFailsChangesNothing(t *testing.T) {
	store := &stub{}
	r := ring(t, store)
	token, value := create(t, r)
	store.fail(&sluice.Error{Kind: sluice.KindUnavailable, Msg: "away"})
	defer store.fail(nil)
	if _, _, err := r.Create(t.Context(), auth.New{Account: "acme", Permissions: auth.Run}, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("Create: %v", err)
	}
	if _, err := r.Revoke(t.Context(), "acme", token.ID, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("Revoke: %v", err)
	}
	if _, got := r.Find(value, noon()); got != auth.Valid || len(r.List(auth.Filter{})) != 1 {
		t.Errorf("%v, %d tokens", got, len(r.List(auth.Filter{})))
	}
	if _, err := auth.Open(t.Context(), store, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened over a store that fails")
	}
}

func TestPermissions(t *testing.T) {
	p, err := auth.ParsePermissions([]string{"run", " Edit"})
	if err != nil || p != auth.Run|auth.Edit || p.String() != "run,edit" || !slices.Equal(p.Names(), []string{"run", "edit"}) {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := auth.ParsePermissions([]string{"run", "write"}); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("%v", err)
	}
}

func TestAValueIsNeverShown(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	token, secret, err := r.Create(t.Context(), auth.New{Account: "acme", Permissions: auth.Run}, noon())
	if err != nil {
		t.Fatal(err)
	}
	middle := secret.Reveal()[4:40]
	if shown := fmt.Sprintf("%+v %#v %v", token, r.List(auth.Filter{}), secret); strings.Contains(shown, middle) {
		t.Error(shown)
	}
}

func TestFindAllocatesNothing(t *testing.T) {
	r := ring(t, database(t, t.TempDir()))
	_, value := create(t, r)
	_, imported := create(t, r, func(n *auth.New) { n.Value = sluice.NewSecret("0123456789abcdefghijklmnopqrstuvwxyz") })
	for _, v := range []string{value, imported, "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz", ""} {
		if n := testing.AllocsPerRun(200, func() {
			found, _ := r.Find(v, noon())
			r.Used(&found, noon())
		}); n != 0 {
			t.Errorf("%q: %v allocations", v, n)
		}
	}
}

// FuzzFind looks up any value, and a token with any one change: nothing but a token itself is valid.
func FuzzFind(f *testing.F) {
	r := ring(f, database(f, f.TempDir()))
	_, value := create(f, r)
	_, imported := create(f, r, func(n *auth.New) { n.Value = sluice.NewSecret("0123456789abcdefghijklmnopqrstuvwxyz") })
	f.Add("", 0, byte(0))
	f.Add("sk-proj-0123456789abcdefghijklmnopqrstuvwxyz", 5, byte('x'))
	f.Add("slc_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno", 52, byte('0'))
	for i := range len(value) {
		f.Add(value, i, value[i]^1)
	}
	f.Fuzz(func(t *testing.T, any string, at int, char byte) {
		if found, got := r.Find(any, noon()); (got == auth.Valid) != (any == value || any == imported) || got != auth.Valid && found.ID != "" {
			t.Fatalf("%q: %v", any, got)
		}
		changed := []byte(value)
		i := int(uint(at) % uint(len(changed)))
		if changed[i] == char {
			return
		}
		changed[i] = char
		if _, got := r.Find(string(changed), noon()); got != auth.Foreign {
			t.Fatalf("%q, with one character changed: %v", changed, got)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	r := ring(b, database(b, b.TempDir()))
	_, value := create(b, r)
	for name, v := range map[string]string{"hit": value, "provider key": "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Find(v, noon())
			}
		})
	}
}
