package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/object"
)

// Objects proves what object.Store promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func Objects(t *testing.T, open func(t *testing.T, dir string) object.Store) {
	t.Run("an object comes back as it was put", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		want := newObject(1, "acme", "prod")
		want.Parent, want.Unique, want.Data = "parent", "name", []byte(`{"text":"<é\u0000>"}`)
		changeObjects(t, s, object.Change{Record: want})
		for _, s := range []object.Store{s, open(t, dir)} {
			if got, err := s.GetObject(t.Context(), want.Kind, want.ID); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		}
	})
	t.Run("one that is not there is not found", func(t *testing.T) {
		s := open(t, t.TempDir())
		changeObjects(t, s, object.Change{Record: newObject(1, "acme", "prod")})
		for _, kind := range []object.Kind{object.KindView, object.KindDataset} {
			if _, err := s.GetObject(t.Context(), kind, "id2"); sluice.KindOf(err) != sluice.KindNotFound {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
	t.Run("lists", func(t *testing.T) { objectLists(t, open(t, t.TempDir())) })
	t.Run("a version is replaced once", func(t *testing.T) { objectVersions(t, open(t, t.TempDir())) })
	t.Run("all changes are made or none", func(t *testing.T) { objectsTogether(t, open(t, t.TempDir())) })
	t.Run("a name that must be unique is, in its place", func(t *testing.T) { objectNames(t, open(t, t.TempDir())) })
	t.Run("what belongs to an object goes with it", func(t *testing.T) { objectsGo(t, open(t, t.TempDir())) })
	t.Run("of many changes to one version, one is made", func(t *testing.T) { objectRace(t, open(t, t.TempDir())) })
}

// newObject makes the i-th of objects that differ, in the order of their making.
func newObject(i int, account, gateway string) object.Record {
	at := noon().Add(time.Duration(i) * time.Millisecond)
	return object.Record{
		Kind: object.KindDataset, ID: fmt.Sprint("id", i), Place: object.Place{Account: account, Gateway: gateway},
		Name: fmt.Sprint("Name ", i), Version: 1, Data: fmt.Appendf(nil, `{"i":%d}`, i), Created: at, Modified: at,
	}
}

func changeObjects(t *testing.T, s object.Store, changes ...object.Change) {
	t.Helper()
	if err := s.ChangeObjects(t.Context(), changes...); err != nil {
		t.Fatalf("ChangeObjects(%+v): %v", changes, err)
	}
}

// objectIDs lists what q asks for.
func objectIDs(t *testing.T, s object.Store, q object.Query) (ids string, total int64) {
	t.Helper()
	list, total, err := s.ListObjects(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		ids += " " + list[i].ID
	}
	return ids, total
}

func objectLists(t *testing.T, s object.Store) {
	for i := range 5 {
		r := newObject(i, "acme", "prod")
		if i == 3 {
			r.Parent = "p"
		}
		if i == 4 {
			r.Name = `100%_\Ä`
		}
		changeObjects(t, s, object.Change{Record: r})
	}
	other, view, account := newObject(5, "other", "prod"), newObject(6, "acme", "prod"), newObject(7, "acme", "")
	view.Kind = object.KindView
	changeObjects(t, s, object.Change{Record: other}, object.Change{Record: view}, object.Change{Record: account})

	at := object.Place{Account: "acme", Gateway: "prod"}
	for want, q := range map[string]object.Query{
		" id0 id1 id2 id3 id4/5":         {Place: at},
		" id4 id3/5":                     {Place: at, Newest: true, Limit: 2},
		" id2/5":                         {Place: at, Limit: 1, Offset: 2},
		"/5":                             {Place: at, Limit: 10, Offset: 10},
		" id3/1":                         {Place: at, Parent: "p"},
		" id1/1":                         {Place: at, Name: "Name 1"},
		" id0 id1 id2 id3/4":             {Place: at, Search: "NAME"},
		" id4/1":                         {Place: at, Search: `0%_\`},
		"/0":                             {Place: at, Search: "n%"},
		" id7/1":                         {Place: object.Place{Account: "acme"}},
		" id0 id1 id2 id3 id4 id5 id7/7": {},
	} {
		q.Kind = object.KindDataset
		if ids, total := objectIDs(t, s, q); fmt.Sprintf("%s/%d", ids, total) != want {
			t.Errorf("%+v: %s/%d; want %s", q, ids, total, want)
		}
	}
}

func objectVersions(t *testing.T, s object.Store) {
	first := newObject(1, "acme", "prod")
	changeObjects(t, s, object.Change{Record: first})
	second := first
	second.Version, second.Name, second.Data, second.Modified = 2, "another", []byte(`{}`), noon().Add(time.Hour)
	changeObjects(t, s, object.Change{Record: second, Was: 1})
	for _, c := range []object.Change{
		{Record: first},
		{Record: second, Was: 1},
		{Record: second, Was: 3},
		{Record: newObject(2, "acme", "prod"), Was: 1},
		{Record: first, Was: 1, Delete: true},
		{Record: newObject(2, "acme", "prod"), Was: 1, Delete: true},
	} {
		if err := s.ChangeObjects(t.Context(), c); sluice.KindOf(err) != sluice.KindConflict {
			t.Errorf("%+v: %v; want a conflict", c, err)
		}
	}
	if got, err := s.GetObject(t.Context(), first.Kind, first.ID); err != nil || !reflect.DeepEqual(got, second) {
		t.Errorf("%+v, %v; want %+v", got, err, second)
	}
	changeObjects(t, s, object.Change{Record: second, Was: 2, Delete: true})
	if _, err := s.GetObject(t.Context(), first.Kind, first.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
}

func objectsTogether(t *testing.T, s object.Store) {
	first, second := newObject(1, "acme", "prod"), newObject(2, "acme", "prod")
	if err := s.ChangeObjects(t.Context(), object.Change{Record: first}, object.Change{Record: second, Was: 7}); sluice.KindOf(err) != sluice.KindConflict {
		t.Fatal(err)
	}
	if ids, _ := objectIDs(t, s, object.Query{Kind: first.Kind}); ids != "" {
		t.Errorf("half a change was made: %s", ids)
	}
	changeObjects(t, s, object.Change{Record: first}, object.Change{Record: second})
	changeObjects(t, s)
	if ids, _ := objectIDs(t, s, object.Query{Kind: first.Kind}); ids != " id1 id2" {
		t.Errorf("%s", ids)
	}
}

func objectNames(t *testing.T, s object.Store) {
	named := func(i int, gateway string, kind object.Kind) object.Record {
		r := newObject(i, "acme", gateway)
		r.Kind, r.Unique = kind, "n"
		return r
	}
	changeObjects(t, s,
		object.Change{Record: named(1, "prod", object.KindRoute)}, object.Change{Record: named(2, "test", object.KindRoute)},
		object.Change{Record: named(3, "prod", object.KindView)}, object.Change{Record: newObject(4, "acme", "prod")}, object.Change{Record: newObject(5, "acme", "prod")})
	if err := s.ChangeObjects(t.Context(), object.Change{Record: named(6, "prod", object.KindRoute)}); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("a name twice: %v", err)
	}
	free := named(7, "prod", object.KindRoute)
	free.Unique = "m"
	changeObjects(t, s, object.Change{Record: free})
	free.Unique, free.Version = "n", 2
	if err := s.ChangeObjects(t.Context(), object.Change{Record: free, Was: 1}); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("a name twice, by a change: %v", err)
	}
	first := named(1, "prod", object.KindRoute)
	first.Version = 2
	changeObjects(t, s, object.Change{Record: first, Was: 1})
}

func objectsGo(t *testing.T, s object.Store) {
	route, version, other := newObject(1, "acme", "prod"), newObject(2, "acme", "prod"), newObject(3, "acme", "prod")
	version.Parent, version.Kind = route.ID, object.KindVersion
	elsewhere, account := newObject(4, "acme", "test"), newObject(5, "acme", "")
	for _, r := range []object.Record{route, version, other, elsewhere, account} {
		changeObjects(t, s, object.Change{Record: r})
	}
	changeObjects(t, s, object.Change{Record: route, Was: 1, Delete: true})
	if ids, _ := objectIDs(t, s, object.Query{Kind: object.KindVersion}); ids != "" {
		t.Errorf("left over: %s", ids)
	}
	if err := s.DeleteObjects(t.Context(), object.Place{Account: "acme", Gateway: "prod"}); err != nil {
		t.Fatal(err)
	}
	if ids, _ := objectIDs(t, s, object.Query{Kind: route.Kind}); ids != " id4 id5" {
		t.Errorf("left over: %s", ids)
	}
}

func objectRace(t *testing.T, s object.Store) {
	changeObjects(t, s, object.Change{Record: newObject(1, "acme", "prod")})
	errs := make([]error, 20)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			r := newObject(1, "acme", "prod")
			r.Version, r.Name = 2, fmt.Sprint("by ", i)
			errs[i] = s.ChangeObjects(t.Context(), object.Change{Record: r, Was: 1})
		})
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if sluice.KindOf(err) != sluice.KindConflict {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d changes were made; want 1", made)
	}
}
