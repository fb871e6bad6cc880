package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/people"
)

// People proves what people.Store promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func People(t *testing.T, open func(t *testing.T, dir string) people.Store) {
	t.Run("users come back as they were put, oldest first", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		want := []people.Stored{newPerson(1), newPerson(2), newPerson(3)}
		want[1].Instance, want[1].Granted, want[1].LastSignIn = true, true, noon()
		want[2].Members, want[2].Issuer, want[2].Subject = nil, "https://id.example", "s1"
		want[2].Password, want[2].HasPassword = "", false
		for _, u := range want {
			putPerson(t, s, u, 0)
		}
		for _, s := range []people.Store{s, open(t, dir)} {
			if got := listPeople(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
	})
	t.Run("a user is changed by who knows the version", func(t *testing.T) { personVersions(t, open(t, t.TempDir())) })
	t.Run("nobody shares an e-mail address or an identity", func(t *testing.T) {
		s := open(t, t.TempDir())
		one, two := newPerson(1), newPerson(2)
		one.Issuer, one.Subject = "https://id.example", "s1"
		putPerson(t, s, one, 0)
		putPerson(t, s, two, 0)
		email, identity, fresh := two, two, newPerson(3)
		email.Email, fresh.Email = one.Email, one.Email
		identity.Issuer, identity.Subject = one.Issuer, one.Subject
		for name, err := range map[string]error{
			"email": s.PutUser(t.Context(), email, 1), "identity": s.PutUser(t.Context(), identity, 1), "new": s.PutUser(t.Context(), fresh, 0),
		} {
			if sluice.KindOf(err) != sluice.KindConflict {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("deleting a user deletes links and sessions", func(t *testing.T) {
		s := open(t, t.TempDir())
		putPerson(t, s, newPerson(1), 0)
		putLink(t, s, people.Link{Hash: people.Hash{1}, User: newPerson(1).ID, Expires: noon().Add(time.Hour)})
		addSession(t, s, people.StoredSession{Hash: people.Hash{2}, User: newPerson(1).ID, Expires: noon().Add(time.Hour)})
		for _, want := range []sluice.Kind{sluice.KindInternal, sluice.KindNotFound} { // none, then nobody
			if err := s.DeleteUser(t.Context(), newPerson(1).ID); sluice.KindOf(err) != want || (err == nil) != (want == sluice.KindInternal) {
				t.Errorf("%v", err)
			}
		}
		if _, err := s.FindLink(t.Context(), people.Hash{1}, noon()); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("link: %v", err)
		}
		if got := listSessions(t, s, noon()); len(got) != 0 || len(listPeople(t, s)) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("links", func(t *testing.T) { personLinks(t, open(t, t.TempDir())) })
	t.Run("of many who take a link one gets it", func(t *testing.T) {
		s := open(t, t.TempDir())
		putLink(t, s, people.Link{Hash: people.Hash{1}, Expires: noon().Add(time.Hour)})
		var got atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := s.TakeLink(context.WithoutCancel(t.Context()), people.Hash{1}, noon()); err == nil {
					got.Add(1)
				} else if sluice.KindOf(err) != sluice.KindNotFound {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Errorf("%d got it", got.Load())
		}
	})
	t.Run("sessions", func(t *testing.T) { personSessions(t, open(t, t.TempDir())) })
}

func personVersions(t *testing.T, s people.Store) {
	putPerson(t, s, newPerson(1), 0)
	if err := s.PutUser(t.Context(), newPerson(1), 0); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("again: %v", err)
	}
	changed := newPerson(1)
	changed.Email, changed.Version, changed.Epoch = "new@acme.example", 2, 7
	if err := s.PutUser(t.Context(), changed, 5); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("of another version: %v", err)
	}
	putPerson(t, s, changed, 1)
	if err := s.PutUser(t.Context(), changed, 1); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("of the version before: %v", err)
	}
	if got := listPeople(t, s); !reflect.DeepEqual(got, []people.Stored{changed}) {
		t.Errorf("%+v", got)
	}
}

func personLinks(t *testing.T, s people.Store) {
	first := people.Link{Hash: people.Hash{1}, User: "u", Expires: noon().Add(time.Hour)}
	second := people.Link{Hash: people.Hash{2}, User: "u", Expires: noon().Add(time.Hour)}
	other := people.Link{Hash: people.Hash{3}, Expires: noon().Add(time.Hour)}
	for _, l := range []people.Link{first, other, second} {
		putLink(t, s, l)
	}
	missing := func(what string, err error) {
		t.Helper()
		if sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.FindLink(t.Context(), first.Hash, noon())
	missing("replaced", err)
	_, err = s.TakeLink(t.Context(), second.Hash, second.Expires)
	missing("expired", err)
	for _, find := range []func(context.Context, people.Hash, time.Time) (people.Link, error){s.FindLink, s.TakeLink} {
		if got, err := find(t.Context(), second.Hash, noon()); err != nil || !reflect.DeepEqual(got, second) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	_, err = s.FindLink(t.Context(), second.Hash, noon())
	missing("taken", err)
	if err := s.DropLinks(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	_, err = s.FindLink(t.Context(), other.Hash, noon())
	missing("dropped", err)
}

func personSessions(t *testing.T, s people.Store) {
	a := people.StoredSession{Hash: people.Hash{1}, User: "u", Epoch: 3, Data: []byte{0, 1, 255}, Expires: noon().Add(time.Hour)}
	b := people.StoredSession{Hash: people.Hash{2}, User: "v", Data: []byte{}, Expires: noon().Add(2 * time.Hour)}
	addSession(t, s, a)
	addSession(t, s, b)
	a.Expires, a.Data = noon().Add(3*time.Hour), []byte("new")
	for _, hash := range []people.Hash{a.Hash, {9}} { // the second is not there, and stays away
		if err := s.ExtendSession(t.Context(), hash, a.Data, a.Expires); err != nil {
			t.Fatal(err)
		}
	}
	if got := listSessions(t, s, noon()); !reflect.DeepEqual(got, []people.StoredSession{b, a}) {
		t.Errorf("%+v", got)
	}
	if got := listSessions(t, s, b.Expires); !reflect.DeepEqual(got, []people.StoredSession{a}) {
		t.Errorf("one has expired: %+v", got)
	}
	if got := listSessions(t, s, noon()); !reflect.DeepEqual(got, []people.StoredSession{a}) {
		t.Errorf("it came back: %+v", got)
	}
	if err := s.DeleteSessions(t.Context(), a.Hash, people.Hash{9}); err != nil {
		t.Fatal(err)
	}
	if got := listSessions(t, s, noon()); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// newPerson makes the i-th of people that differ, in the order of their making.
func newPerson(i int) people.Stored {
	return people.Stored{
		User: people.User{
			ID: fmt.Sprint("id", i), Email: fmt.Sprintf("p%d@acme.example", i), Name: fmt.Sprint("Person ", i), HasPassword: true, Epoch: int64(i),
			Members: []people.Member{{Account: "acme", Role: people.Viewer, Bodies: true}, {Account: "other", Role: people.Admin, Granted: true}},
			Created: noon().Add(time.Duration(i) * time.Millisecond),
		},
		Password: "$argon2id$…", Version: 1,
	}
}

func putPerson(t *testing.T, s people.Store, u people.Stored, was int64) {
	t.Helper()
	if err := s.PutUser(t.Context(), u, was); err != nil {
		t.Fatalf("PutUser(%+v): %v", u, err)
	}
}

func listPeople(t *testing.T, s people.Store) []people.Stored {
	t.Helper()
	list, err := s.ListUsers(t.Context())
	if err != nil {
		t.Fatalf("ListUsers: %v", err)
	}
	return list
}

func putLink(t *testing.T, s people.Store, l people.Link) {
	t.Helper()
	if err := s.PutLink(t.Context(), l); err != nil {
		t.Fatalf("PutLink: %v", err)
	}
}

func addSession(t *testing.T, s people.Store, session people.StoredSession) {
	t.Helper()
	if err := s.AddSession(t.Context(), session); err != nil {
		t.Fatalf("AddSession: %v", err)
	}
}

func listSessions(t *testing.T, s people.Store, now time.Time) []people.StoredSession {
	t.Helper()
	list, err := s.ListSessions(t.Context(), now)
	if err != nil {
		t.Fatalf("ListSessions: %v", err)
	}
	return list
}
