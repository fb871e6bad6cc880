package people

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

// The store of these tests is in memory, because time in them is fake and passwords are cheap: the real one is
// proven by storetest, and used with this package in those of internal/admin.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Store.
type memory struct {
	mu       sync.Mutex
	users    map[string]Stored
	links    map[Hash]Link
	sessions map[Hash]StoredSession
	writes   int
}

func newMemory() *memory {
	return &memory{users: map[string]Stored{}, links: map[Hash]Link{}, sessions: map[Hash]StoredSession{}}
}

func (m *memory) ListUsers(context.Context) (list []Stored, _ error) {
	for _, u := range m.users {
		list = append(list, u)
	}
	return list, nil
}

func (m *memory) PutUser(_ context.Context, u Stored, was int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users[u.ID].Version != was {
		return &sluice.Error{Kind: sluice.KindConflict}
	}
	m.users[u.ID] = u
	return nil
}

func (m *memory) DeleteUser(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.users, id)
	return nil
}

func (m *memory) PutLink(_ context.Context, l Link) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h, other := range m.links {
		if other.User == l.User {
			delete(m.links, h)
		}
	}
	m.links[l.Hash] = l
	return nil
}

func (m *memory) FindLink(_ context.Context, h Hash, now time.Time) (Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.links[h]
	if !ok || !now.Before(l.Expires) {
		return Link{}, &sluice.Error{Kind: sluice.KindNotFound}
	}
	return l, nil
}

func (m *memory) TakeLink(ctx context.Context, h Hash, now time.Time) (Link, error) {
	l, err := m.FindLink(ctx, h, now)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.links[h]; !ok {
		return Link{}, &sluice.Error{Kind: sluice.KindNotFound}
	}
	delete(m.links, h)
	return l, err
}

func (m *memory) DropLinks(_ context.Context, user string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h, l := range m.links {
		if l.User == user {
			delete(m.links, h)
		}
	}
	return nil
}

func (m *memory) ListSessions(context.Context, time.Time) (list []StoredSession, _ error) {
	for _, s := range m.sessions {
		list = append(list, s)
	}
	return list, nil
}

func (m *memory) AddSession(_ context.Context, s StoredSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	m.sessions[s.Hash] = s
	return nil
}

func (m *memory) ExtendSession(_ context.Context, h Hash, data []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if s, ok := m.sessions[h]; ok {
		s.Data, s.Expires = data, expires
		m.sessions[h] = s
	}
	return nil
}

func (m *memory) DeleteSessions(_ context.Context, hashes ...Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range hashes {
		delete(m.sessions, h)
	}
	return nil
}

const idle, lifetime = 12 * time.Hour, 7 * 24 * time.Hour

func open(t testing.TB, store Store) *Directory {
	t.Helper()
	d, err := Open(t.Context(), Options{Store: store, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Idle: idle, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	d.passwords.cost = cost{memory: 8, time: 1, threads: 1} // the slowness of a hash is proven elsewhere
	return d
}

func secret(s string) sluice.Secret { return sluice.NewSecret(s) }

const password = "correct horse battery"

// claim makes the first admin.
func claim(t testing.TB, d *Directory, email string) User {
	t.Helper()
	link, _, err := d.ClaimLink(t.Context(), time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	u, err := d.Redeem(t.Context(), link, Redeemed{Email: email, Password: secret(password)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// member makes a member with a password.
func member(t testing.TB, d *Directory, email, account string, role Role) User {
	t.Helper()
	by := Authority{Process: true}
	u, _, err := d.Invite(t.Context(), by, New{Email: email, Account: account, Role: role}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	link, _, err := d.MemberLink(t.Context(), by, account, u.ID, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if u, err = d.Redeem(t.Context(), link, Redeemed{Password: secret(password)}, time.Now()); err != nil {
		t.Fatal(err)
	}
	return u
}

func begin(t testing.TB, d *Directory, u User) sluice.Secret {
	t.Helper()
	token, _, err := d.Begin(t.Context(), u, "password", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func lives(d *Directory, token sluice.Secret) bool {
	_, ok := d.Session(token)
	return ok
}

func kind(t *testing.T, what string, err error, want sluice.Kind) {
	t.Helper()
	if err == nil || sluice.KindOf(err) != want {
		t.Errorf("%s: %v (kind %d), want kind %d", what, err, sluice.KindOf(err), want)
	}
}

func TestTheFirstAdmin(t *testing.T) {
	d := open(t, newMemory())
	if !d.Empty() || d.Claimed() {
		t.Error("somebody is there")
	}
	u := claim(t, d, " Ann@Acme.Example ")
	if u.Email != "ann@acme.example" || !u.Instance || u.Role("any") != Admin || !u.HasPassword || d.Empty() || !d.Claimed() {
		t.Errorf("%+v", u)
	}
	got, err := d.SignIn(t.Context(), "ANN@acme.example", secret(password), "192.0.2.1", time.Now())
	if err != nil || got.ID != u.ID || got.LastSignIn.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestALinkServesOnceAndForItsTime(t *testing.T) {
	d := open(t, newMemory())
	now := time.Now()
	r := Redeemed{Email: "a@b.example", Password: secret(password)}
	old, _, err := d.ClaimLink(t.Context(), time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	link, expires, err := d.ClaimLink(t.Context(), time.Hour, now)
	if err != nil || !expires.Equal(now.Add(time.Hour)) {
		t.Fatal(expires, err)
	}
	redeem := func(link sluice.Secret, r Redeemed, at time.Time) error {
		_, err := d.Redeem(t.Context(), link, r, at)
		return err
	}
	kind(t, "the one before", redeem(old, r, now), sluice.KindUnauthorized)
	kind(t, "too late", redeem(link, r, expires), sluice.KindUnauthorized)
	kind(t, "made up", redeem(secret("sll_x"), r, now), sluice.KindUnauthorized)
	kind(t, "empty", redeem(sluice.Secret{}, r, now), sluice.KindUnauthorized)
	for name, bad := range map[string]Redeemed{
		"no address": {Password: secret(password)}, "short": {Email: "a@b.example", Password: secret("short")}, "no password": {Email: "a@b.example"},
		"long": {Email: "a@b.example", Password: secret(strings.Repeat("x", 1025))}, "name": {Email: "a@b.example", Name: "a\nb", Password: secret(password)},
	} {
		kind(t, name, redeem(link, bad, now), sluice.KindInvalid)
	}
	var done atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if redeem(link, r, now) == nil {
				done.Add(1)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 {
		t.Errorf("used %d times", done.Load())
	}
	kind(t, "used", redeem(link, r, now), sluice.KindUnauthorized)
}

func TestAClaimRecoversAnAdminWhoLostThePassword(t *testing.T) {
	d := open(t, newMemory())
	first := claim(t, d, "ann@acme.example")
	token := begin(t, d, first)
	again := claim(t, d, "ann@acme.example")
	if again.ID != first.ID || lives(d, token) {
		t.Errorf("%+v, session lives %v", again, lives(d, token))
	}
}

func TestASignInSaysNothingOfWhoThereIs(t *testing.T) {
	d := open(t, newMemory())
	claim(t, d, "ann@acme.example")
	invited, _, err := d.Invite(t.Context(), Authority{Process: true}, New{Email: "bob@acme.example", Account: "acme", Role: Viewer}, time.Now())
	if err != nil || invited.HasPassword {
		t.Fatal(invited, err)
	}
	var texts []string
	for _, email := range []string{"ann@acme.example", "bob@acme.example", "nobody@acme.example", "", "no address"} {
		for _, p := range []string{"wrong password", "", strings.Repeat("x", 2000)} {
			_, err := d.SignIn(t.Context(), email, secret(p), "192.0.2.1", time.Now())
			kind(t, email, err, sluice.KindUnauthorized)
			texts = append(texts, fmt.Sprintf("%#v", err))
		}
	}
	for i, text := range texts {
		if strings.SplitN(text, "(0x", 2)[0] != strings.SplitN(texts[0], "(0x", 2)[0] {
			t.Errorf("%d: %s, %s", i, text, texts[0])
		}
	}
}

// TestARefusalComputesAHash is what keeps the time from saying whether there is a user.
func TestARefusalComputesAHash(t *testing.T) {
	h := newHasher()
	c, salt, sum, err := decodeHash(h.dummy)
	if err != nil || c != usualCost() || len(salt) != saltBytes || len(sum) != hashBytes {
		t.Errorf("%+v, %v: another cost than that of a password", c, err)
	}
	for range atOnce {
		h.slots <- struct{}{} // as if hashes were being computed
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.matches(ctx, "", secret(password)) // no user: it waits for its turn all the same
	kind(t, "no user", err, sluice.KindUnavailable)
}

func TestFailedSignInsAreThrottled(t *testing.T) {
	d := open(t, newMemory())
	claim(t, d, "ann@acme.example")
	now := time.Now()
	try := func(email, p, address string, at time.Time) error {
		_, err := d.SignIn(t.Context(), email, secret(p), address, at)
		return err
	}
	for range 3 * perEmail { // what succeeds does not count
		if err := try("ann@acme.example", password, "192.0.2.1", now); err != nil {
			t.Fatal(err)
		}
	}
	var refused, failed atomic.Int64
	var all sync.WaitGroup
	for i := range 5 * perEmail { // at the same time, from everywhere
		all.Go(func() {
			err := try("Ann@acme.example ", "wrong password", fmt.Sprintf("198.51.100.%d", i), now)
			if _, throttled := errors.AsType[*ThrottledError](err); throttled {
				refused.Add(1)
			} else {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	if failed.Load() != perEmail || refused.Load() != 4*perEmail {
		t.Errorf("%d tried, %d refused", failed.Load(), refused.Load())
	}
	err := try("ann@acme.example", password, "192.0.2.1", now)
	kind(t, "the right password", err, sluice.KindRateLimited)
	if e, ok := errors.AsType[*ThrottledError](err); !ok || e.Wait <= 0 || e.Wait > throttleWindow {
		t.Errorf("%v", err)
	}
	if err := try("ann@acme.example", password, "192.0.2.1", now.Add(throttleWindow)); err != nil {
		t.Errorf("after the window: %v", err)
	}

	later := now.Add(time.Hour)
	for i := range perAddress { // an address that tries many names
		kind(t, "a name", try(fmt.Sprintf("x%d@acme.example", i), "wrong password", fmt.Sprintf("2001:db8::%x", i), later), sluice.KindUnauthorized)
	}
	kind(t, "the same network", try("new@acme.example", "wrong password", "2001:db8::ffff:1", later), sluice.KindRateLimited)
	kind(t, "another network", try("new@acme.example", "wrong password", "2001:db8:1::1", later), sluice.KindUnauthorized)
}

func TestTheThrottleHasAFixedSize(t *testing.T) {
	th := newThrottle()
	now := time.Now()
	for range perEmail {
		th.begin("victim", "192.0.2.1", now)
	}
	for i := range 50_000 { // a flood of other names frees nobody
		th.begin(fmt.Sprint("name", i), fmt.Sprint("address", i), now)
	}
	if _, wait := th.begin("victim", "192.0.2.2", now); wait <= 0 {
		t.Error("the victim is counted no longer")
	}
	if len(th.emails.slots) != slotsPerTable || len(th.addresses.slots) != slotsPerTable {
		t.Error("it grew")
	}
	undo, wait := newThrottle().begin("a", "b", now)
	if wait != 0 {
		t.Fatal(wait)
	}
	undo()
	undo() // does no harm
}

func TestASessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		d := open(t, store)
		ann := claim(t, d, "ann@acme.example")
		unused, used, out := begin(t, d, ann), begin(t, d, ann), begin(t, d, ann)
		s, ok := d.Session(out)
		if !ok || s.User.ID != ann.ID || s.Method != "password" || !s.Since.Equal(time.Now().Truncate(time.Second)) {
			t.Fatalf("%+v", s)
		}
		if err := d.End(t.Context(), out); err != nil || lives(d, out) {
			t.Errorf("after signing out: %v", err)
		}
		select {
		case <-s.Ended():
		default:
			t.Error("who goes on for long does not hear of it")
		}
		for range 16 { // 6 days, used every 9 hours
			time.Sleep(9 * time.Hour)
			if !lives(d, used) {
				t.Fatal("a session in use has ended")
			}
		}
		if lives(d, unused) {
			t.Error("an unused session lives")
		}
		again := open(t, store) // another start
		if !lives(again, used) || lives(again, unused) || lives(again, out) {
			t.Error("a start changes what lives")
		}
		for time.Since(s.Since) < lifetime-time.Minute {
			time.Sleep(time.Hour)
			d.Session(used)
		}
		time.Sleep(time.Hour)
		if lives(d, used) {
			t.Error("a session lives for ever when it is used")
		}
	})
}

func TestUsesOfASessionAreStoredSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		d := open(t, store)
		token := begin(t, d, claim(t, d, "ann@acme.example"))
		before := store.writes
		for range 600 {
			time.Sleep(time.Second)
			d.Session(token)
		}
		if n := store.writes - before; n < 9 || n > 11 {
			t.Errorf("%d writes in ten minutes", n)
		}
	})
}

func TestASessionThatEndedStaysEnded(t *testing.T) {
	d := open(t, newMemory())
	token := begin(t, d, claim(t, d, "ann@acme.example"))
	var all sync.WaitGroup
	ended := make(chan struct{})
	for range 8 {
		all.Go(func() {
			for last := false; !last; {
				select {
				case <-ended:
					last = true
				default:
				}
				if _, ok := d.Session(token); ok && last { // a use that was under way brings nothing back
					t.Error("it lives")
				}
			}
		})
	}
	if err := d.End(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	close(ended)
	all.Wait()
}

func TestAChangeEndsAllSessions(t *testing.T) {
	by := Authority{Process: true}
	editor, yes, name := Editor, true, "Bob"
	for what, c := range map[string]struct {
		change func(d *Directory, id string) error
		ends   bool
	}{
		"role": {func(d *Directory, id string) error {
			_, _, err := d.Update(t.Context(), by, "acme", id, Change{Role: &editor})
			return err
		}, true},
		"bodies": {func(d *Directory, id string) error {
			_, _, err := d.Update(t.Context(), by, "acme", id, Change{Bodies: &yes})
			return err
		}, true},
		"instance": {func(d *Directory, id string) error {
			_, _, err := d.Update(t.Context(), by, "acme", id, Change{Instance: &yes})
			return err
		}, true},
		"another account": {func(d *Directory, _ string) error {
			_, existed, err := d.Invite(t.Context(), by, New{Email: "bob@acme.example", Account: "other", Role: Viewer}, time.Now())
			if !existed {
				t.Error("bob is new")
			}
			return err
		}, true},
		"password": {func(d *Directory, id string) error {
			_, err := d.SetPassword(t.Context(), id, secret(password), secret("another password"), "", time.Now())
			return err
		}, true},
		"removal": {func(d *Directory, id string) error { _, err := d.Remove(t.Context(), by, "acme", id); return err }, true},
		"name": {func(d *Directory, id string) error {
			_, _, err := d.Update(t.Context(), by, "acme", id, Change{Name: &name})
			return err
		}, false},
		"sign-in": {func(d *Directory, _ string) error {
			_, err := d.SignIn(t.Context(), "bob@acme.example", secret(password), "", time.Now())
			return err
		}, false},
	} {
		d := open(t, newMemory())
		claim(t, d, "ann@acme.example")
		bob := member(t, d, "bob@acme.example", "acme", Viewer)
		token := begin(t, d, bob)
		s, _ := d.Session(token)
		if err := c.change(d, bob.ID); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		ended := false
		select {
		case <-s.Ended():
			ended = true
		default:
		}
		if lives(d, token) == c.ends || ended != c.ends {
			t.Errorf("%s: lives %v, ended %v", what, lives(d, token), ended)
		}
	}
}

func TestNobodyHasSessionsWithoutEnd(t *testing.T) {
	store := newMemory()
	d := open(t, store)
	ann := claim(t, d, "ann@acme.example")
	first := begin(t, d, ann)
	for range maxSessions {
		begin(t, d, ann)
	}
	if lives(d, first) || len(store.sessions) != maxSessions || len(d.sessions.live) != maxSessions {
		t.Errorf("first lives %v, %d stored, %d live", lives(d, first), len(store.sessions), len(d.sessions.live))
	}
}

func TestWhoDecidesAboutWhom(t *testing.T) {
	d := open(t, newMemory())
	root := claim(t, d, "root@acme.example")
	admin := member(t, d, "admin@acme.example", "acme", Admin)
	both := member(t, d, "both@acme.example", "acme", Viewer)
	process := Authority{Process: true}
	if _, existed, err := d.Invite(t.Context(), process, New{Email: "both@acme.example", Account: "other", Role: Admin}, time.Now()); err != nil || !existed {
		t.Fatal(existed, err)
	}
	by, name, viewer, yes := admin.Authority(), "x", Viewer, true
	link := func(account, id string) error {
		_, _, err := d.MemberLink(t.Context(), by, account, id, time.Hour, time.Now())
		return err
	}
	update := func(account, id string, c Change) error {
		_, _, err := d.Update(t.Context(), by, account, id, c)
		return err
	}
	remove := func(account, id string) error {
		_, err := d.Remove(t.Context(), by, account, id)
		return err
	}
	invite := func(n New) error {
		_, _, err := d.Invite(t.Context(), by, n, time.Now())
		return err
	}
	kind(t, "a link for who is admin elsewhere", link("acme", both.ID), sluice.KindForbidden)
	kind(t, "a link for the admin of the process", link("acme", root.ID), sluice.KindForbidden)
	kind(t, "a link by way of another account", link("other", both.ID), sluice.KindNotFound)
	kind(t, "a link for nobody", link("acme", "nobody"), sluice.KindNotFound)
	kind(t, "a name elsewhere", update("acme", both.ID, Change{Name: &name}), sluice.KindForbidden)
	kind(t, "the admin of the process", update("acme", root.ID, Change{Role: &viewer}), sluice.KindForbidden)
	kind(t, "to admin of the process", update("acme", admin.ID, Change{Instance: &yes}), sluice.KindForbidden)
	kind(t, "another account", update("other", both.ID, Change{Role: &viewer}), sluice.KindNotFound)
	kind(t, "removing the admin of the process", remove("acme", root.ID), sluice.KindForbidden)
	kind(t, "removing elsewhere", remove("other", both.ID), sluice.KindNotFound)
	kind(t, "inviting elsewhere", invite(New{Email: "n@acme.example", Account: "other", Role: Viewer}), sluice.KindForbidden)
	kind(t, "inviting an admin of the process", invite(New{Email: "n@acme.example", Account: "acme", Instance: true}), sluice.KindForbidden)
	kind(t, "inviting a member", invite(New{Email: "both@acme.example", Account: "acme", Role: Viewer}), sluice.KindConflict)
	kind(t, "inviting without a role", invite(New{Email: "n@acme.example", Account: "acme"}), sluice.KindInvalid)
	if err := update("acme", both.ID, Change{Role: &viewer}); err != nil {
		t.Errorf("a role in the own account: %v", err)
	}
	if err := remove("acme", both.ID); err != nil {
		t.Errorf("out of the own account: %v", err)
	}
	if u, ok := d.Get(both.ID); !ok || u.Role("acme") != None || u.Role("other") != Admin {
		t.Errorf("%+v", u)
	}
	if list := d.List("acme"); len(list) != 2 || list[0].Email != "admin@acme.example" || list[1].Email != "root@acme.example" {
		t.Errorf("%+v", list)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	d := open(t, newMemory())
	root := claim(t, d, "root@acme.example")
	bob := member(t, d, "bob@acme.example", "acme", Viewer)
	by, no, yes := Authority{Process: true}, false, true
	_, _, err := d.Update(t.Context(), by, "acme", root.ID, Change{Instance: &no})
	kind(t, "demoted", err, sluice.KindConflict)
	_, err = d.Remove(t.Context(), by, "acme", root.ID)
	kind(t, "removed", err, sluice.KindConflict)
	if _, _, err := d.Update(t.Context(), by, "acme", bob.ID, Change{Instance: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, u, err := d.Update(t.Context(), by, "acme", root.ID, Change{Instance: &no}); err != nil || u.Role("acme") != Viewer {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := d.Remove(t.Context(), by, "acme", root.ID); err != nil {
		t.Error(err)
	}
	if _, err := d.Remove(t.Context(), by, "acme", bob.ID); err != nil || !d.Empty() { // nobody is left behind
		t.Error(err)
	}
}

func TestIdentities(t *testing.T) {
	d := open(t, newMemory())
	claim(t, d, "root@acme.example")
	i := Identity{Issuer: "https://id.example", Subject: "1", Email: "Cy@Acme.example", Name: "Cy", Grants: []Grant{{Account: "acme", Role: Viewer}, {Account: "acme", Role: Editor, Bodies: true}}}
	identify := func(i Identity) (User, error) { return d.Identify(t.Context(), i, time.Now()) }
	cy, err := identify(i)
	if err != nil || cy.Email != "cy@acme.example" || !slices.Equal(cy.Members, []Member{{"acme", Editor, true, true}}) {
		t.Fatalf("%+v, %v", cy, err)
	}
	token := begin(t, d, cy)
	if again, err := identify(i); err != nil || again.ID != cy.ID || !lives(d, token) {
		t.Errorf("%+v, %v; session lives %v", again, err, lives(d, token))
	}
	viewer := Viewer
	_, _, err = d.Update(t.Context(), Authority{Process: true}, "acme", cy.ID, Change{Role: &viewer})
	kind(t, "a role that the provider grants", err, sluice.KindConflict)
	i.Grants = []Grant{{Account: "other", Role: Admin}, {Instance: true}}
	if cy, err = identify(i); err != nil || !cy.Instance || !cy.Granted || cy.Member("acme").Role != None || lives(d, token) {
		t.Errorf("%+v, %v; session lives %v", cy, err, lives(d, token))
	}
	i.Grants, i.Email = nil, "new@acme.example"
	_, err = identify(i)
	kind(t, "nothing granted any more", err, sluice.KindForbidden)
	if u, ok := d.Get(cy.ID); !ok || u.Instance || len(u.Members) != 0 || u.Email != "new@acme.example" {
		t.Errorf("%+v", u)
	}
	_, err = identify(Identity{Issuer: i.Issuer, Subject: "2", Email: "new@acme.example", Grants: []Grant{{Account: "acme", Role: Admin}}})
	kind(t, "somebody else's address", err, sluice.KindForbidden)
	_, err = identify(Identity{Issuer: i.Issuer, Subject: "3", Email: "who@acme.example"})
	kind(t, "nobody, nothing", err, sluice.KindForbidden)
	if _, err = identify(Identity{Issuer: i.Issuer, Email: "who@acme.example", Grants: []Grant{{Instance: true}}}); err == nil {
		t.Error("an identity without a subject")
	}
	bob := member(t, d, "bob@acme.example", "acme", Admin)
	u, err := identify(Identity{Issuer: i.Issuer, Subject: "4", Email: "bob@acme.example", Grants: []Grant{{Account: "acme", Role: Viewer}}})
	if err != nil || u.ID != bob.ID || u.Role("acme") != Admin { // what was given here wins
		t.Errorf("%+v, %v", u, err)
	}
}

func TestTextsOfPeople(t *testing.T) {
	for _, bad := range []string{"", "a", "@b", "a@", "a b@c", "A <a@b.example>", "a@b.example,c@d.example", "a@b\n.example", strings.Repeat("a", 250) + "@b.example", "\u202ea@b.example", `"a b"@c.example`} {
		if got, err := cleanEmail(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
	if r, err := ParseRole("Editor"); err != nil || r != Editor || r.String() != "editor" {
		t.Errorf("%v, %v", r, err)
	}
	for _, bad := range []string{"", "none", "owner"} {
		if _, err := ParseRole(bad); err == nil {
			t.Errorf("%q is a role", bad)
		}
	}
}

func TestAHashOfAPassword(t *testing.T) {
	h := newHasher()
	phc, err := h.hash(t.Context(), secret(password))
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatal(phc, err)
	}
	other, err := h.hash(t.Context(), secret(password))
	if err != nil || other == phc {
		t.Errorf("no salt: %v", err)
	}
	for p, want := range map[string]bool{password: true, password + " ": false, "": false} {
		if ok, err := h.matches(t.Context(), phc, secret(p)); err != nil || ok != want {
			t.Errorf("%q: %v, %v", p, ok, err)
		}
	}
	if ok, err := h.matches(t.Context(), phc, secret(phc)); err != nil || ok {
		t.Errorf("the hash serves as the password: %v", err)
	}
	// Made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32, from
	// https://github.com/P-H-C/phc-winner-argon2/blob/master/src/test.c
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := h.matches(t.Context(), known, secret("password")); err != nil || !ok {
		t.Errorf("the reference's hash: %v, %v", ok, err)
	}
}

// FuzzDecodeHash reads any text as a hash: what is taken is within bounds, and is written the same.
func FuzzDecodeHash(f *testing.F) {
	f.Add(newHasher().dummy)
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, phc string) {
		c, salt, sum, err := decodeHash(phc)
		if err != nil {
			return
		}
		if c.memory > maxMemory || c.time > maxTime || c.threads == 0 || len(sum) < 16 || encodeHash(c, salt, sum) != phc {
			t.Fatalf("%q: %+v", phc, c)
		}
	})
}

func BenchmarkSession(b *testing.B) {
	d := open(b, newMemory())
	token := begin(b, d, claim(b, d, "ann@acme.example"))
	for b.Loop() {
		if _, ok := d.Session(token); !ok {
			b.Fatal("ended")
		}
	}
}
