package object_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

var prod = object.Place{Account: "acme", Gateway: "prod"}

// open opens the set in dir, which keeps the snapshots that it was told of.
func open(t *testing.T, dir string) (*object.Set, *[]*object.Snapshot) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var told []*object.Snapshot
	s, err := object.Open(t.Context(), object.Options{
		Store: db, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Applied: func(s *object.Snapshot) { told = append(told, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, &told
}

// elements are those of a route that asks one model.
func elements(model string) string {
	return `[{"id":"s", "type":"start", "outputs":{"next":{"elementId":"m"}}},
		{"id":"m","type":"model","properties":{"provider":"openai","model":"` + model + `","timeout":1e3,"retries":0},"outputs":{"success":{"elementId":"e"},"fallback":{"elementId":"e"}}},
		{"id":"e","type":"end","outputs":{}}]`
}

func createRoute(t *testing.T, s *object.Set, name, model string) object.Route {
	t.Helper()
	r, err := s.CreateRoute(t.Context(), prod, name, []byte(elements(model)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serving tells which model a route asks, "" where there is none.
func serving(s *object.Snapshot, name string) string {
	d, ok := s.Route(prod, name)
	if !ok {
		return ""
	}
	return d.Graph.Elements[1].Model.Model
}

func TestAnObjectIsChangedFromTheVersionThatWasSeen(t *testing.T) {
	s, _ := open(t, t.TempDir())
	made, err := s.Create(t.Context(), object.New{Kind: object.KindDataset, Place: prod, Name: "a", Data: object.Dataset{Enable: true}})
	if err != nil || made.Version != 1 || made.Name != "a" || !made.Created.Equal(made.Modified) {
		t.Fatalf("%+v, %v", made, err)
	}
	_, same, err := s.Update(t.Context(), prod, object.KindDataset, made.ID, 1, "a", object.Dataset{Enable: true})
	if err != nil || !reflect.DeepEqual(same, made) {
		t.Errorf("a change of nothing: %+v, %v", same, err)
	}
	before, changed, err := s.Update(t.Context(), prod, object.KindDataset, made.ID, 1, "b", object.Dataset{})
	if err != nil || changed.Version != 2 || !reflect.DeepEqual(before, made) || !changed.Created.Equal(made.Created) {
		t.Errorf("%+v, %v", changed, err)
	}
	_, _, err = s.Update(t.Context(), prod, object.KindDataset, made.ID, 1, "c", object.Dataset{})
	if c, ok := errors.AsType[*object.Conflict](err); !ok || c.Current.Name != "b" || sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("from an old version: %v", err)
	}
	if _, err = s.Delete(t.Context(), prod, object.KindDataset, made.ID, 1); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("deleted from an old version: %v", err)
	}
	if _, _, err = s.Update(t.Context(), prod, object.KindDataset, made.ID, 0, "c", object.Dataset{}); err != nil {
		t.Errorf("from whichever version: %v", err)
	}
	for _, at := range []object.Place{{Account: "acme"}, {Account: "acme", Gateway: "test"}, {Account: "other", Gateway: "prod"}} {
		if _, err := s.Get(t.Context(), at, object.KindDataset, made.ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("found in %+v: %v", at, err)
		}
		if _, err := s.Delete(t.Context(), at, object.KindDataset, made.ID, 0); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("deleted in %+v: %v", at, err)
		}
	}
	if gone, err := s.Delete(t.Context(), prod, object.KindDataset, made.ID, 3); err != nil || gone.Name != "c" {
		t.Errorf("%+v, %v", gone, err)
	}
}

func TestAPlaceIsFullSomeTime(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir)
	account := object.Place{Account: "acme"}
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	changes := make([]object.Change, object.MaxObjects-1)
	for i := range changes {
		changes[i].Record = object.Record{Kind: object.KindView, ID: fmt.Sprint(i), Place: account, Version: 1, Data: []byte("{}")}
	}
	if err := db.ChangeObjects(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	create := func(at object.Place) error {
		_, err := s.Create(t.Context(), object.New{Kind: object.KindView, Place: at, Name: "v", Data: object.View{}})
		return err
	}
	if err := create(account); err != nil {
		t.Errorf("the last that fits: %v", err)
	}
	if err := create(account); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("one too many: %v", err)
	}
	if err := create(prod); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
}

func TestADomainIsInTheSnapshotBeforeItsChangeIsAnswered(t *testing.T) {
	dir := t.TempDir()
	s, told := open(t, dir)
	if _, err := s.Create(t.Context(), object.New{Kind: object.KindDomain, Place: prod, ID: "ai.example.com", Data: object.Domain{}}); err != nil {
		t.Fatal(err)
	}
	hosts := func(s *object.Snapshot) (list string) {
		for name, at := range s.Hosts() {
			list += name + "=" + at.Account + "/" + at.Gateway
		}
		return list
	}
	const want = "ai.example.com=acme/prod"
	again, _ := open(t, dir)
	if len(*told) != 1 || hosts((*told)[0]) != want || hosts(s.Snapshot()) != want || hosts(again.Snapshot()) != want {
		t.Errorf("told %d times; %q, after another start %q", len(*told), hosts(s.Snapshot()), hosts(again.Snapshot()))
	}
	if _, err := s.Create(t.Context(), object.New{Kind: object.KindDomain, Place: object.Place{Account: "other", Gateway: "x"}, ID: "ai.example.com", Data: object.Domain{}}); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("a host of two gateways: %v", err)
	}
	if err := s.DeleteGateway(t.Context(), prod); err != nil || hosts(s.Snapshot()) != "" {
		t.Errorf("the gateway is gone: %v, %q", err, hosts(s.Snapshot()))
	}
}

func TestARouteIsMadeVersionedDeployedAndRolledBack(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir)
	r := createRoute(t, s, "support", "first")
	if r.Deployment.Version != r.Active.ID || !r.Active.Active || !r.Active.Valid() || serving(s.Snapshot(), "support") != "first" {
		t.Fatalf("%+v serves %q", r, serving(s.Snapshot(), "support"))
	}
	_, second, err := s.AddVersion(t.Context(), prod, r.ID, []byte(elements("second")), false)
	if err != nil || second.Active || serving(s.Snapshot(), "support") != "first" {
		t.Fatalf("%+v, %v; serves %q", second, err, serving(s.Snapshot(), "support"))
	}
	deployed, err := s.Deploy(t.Context(), prod, r.ID, r.Version, second.ID)
	if err != nil || deployed.Active.ID != second.ID || deployed.Version != 2 || serving(s.Snapshot(), "support") != "second" {
		t.Fatalf("%+v, %v; serves %q", deployed, err, serving(s.Snapshot(), "support"))
	}
	again, _ := open(t, dir)
	if got := serving(again.Snapshot(), "support"); got != "second" {
		t.Errorf("after another start %q serves", got)
	}
	if _, err := s.Deploy(t.Context(), prod, r.ID, 1, r.Active.ID); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("deployed over a version that is no more: %v", err)
	}
	if same, err := s.Deploy(t.Context(), prod, r.ID, 0, second.ID); err != nil || same.Version != 2 || same.Deployment != deployed.Deployment {
		t.Errorf("deployed again: %+v, %v", same, err)
	}
	back, err := s.Deploy(t.Context(), prod, r.ID, 0, r.Active.ID)
	if err != nil || back.Active.ID != r.Active.ID || serving(s.Snapshot(), "support") != "first" {
		t.Errorf("rolled back: %+v, %v; serves %q", back, err, serving(s.Snapshot(), "support"))
	}
	versions, total, err := s.ListVersions(t.Context(), prod, r.ID, 10, 0)
	if err != nil || total != 2 || versions[0].ID != second.ID || versions[0].Active || !versions[1].Active {
		t.Errorf("%+v, %d, %v", versions, total, err)
	}
	deployments, total, err := s.ListDeployments(t.Context(), prod, r.ID, 2, 0)
	if err != nil || total != 3 || len(deployments) != 2 || deployments[0] != back.Deployment || deployments[1].Version != second.ID {
		t.Errorf("%+v, %d, %v", deployments, total, err)
	}
}

func TestElementsComeBackAsTheyWereSent(t *testing.T) {
	s, _ := open(t, t.TempDir())
	odd := strings.Replace(elements(`<é&\u00e9`), `"e","type"`, `"e", "zzz":[1.50,1e2], "type"`, 1)
	r, err := s.CreateRoute(t.Context(), prod, "odd", []byte(odd))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(odd)
	got, err := s.GetRoute(t.Context(), prod, r.ID)
	if err != nil || string(got.Active.Elements) != want {
		t.Errorf("%s, %v\nwant %s", got.Active.Elements, err, want)
	}
}

func TestWhatIsNoRouteIsRefusedUnlessItIsADraft(t *testing.T) {
	s, _ := open(t, t.TempDir())
	r := createRoute(t, s, "a", "m")
	wrong := []byte(`[{"id":"s","type":"start"}]`)
	_, err := s.CreateRoute(t.Context(), prod, "b", wrong)
	if e, ok := errors.AsType[*object.InvalidRoute](err); !ok || len(e.Issues) != 1 || sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("created: %v", err)
	}
	if _, _, err := s.AddVersion(t.Context(), prod, r.ID, wrong, false); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("a version: %v", err)
	}
	_, draft, err := s.AddVersion(t.Context(), prod, r.ID, wrong, true)
	if err != nil || draft.Valid() {
		t.Fatalf("a draft: %+v, %v", draft, err)
	}
	if _, err := s.Deploy(t.Context(), prod, r.ID, 0, draft.ID); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("a draft deployed: %v", err)
	}
	for _, text := range []string{"", "[", "[\"\xff\"]", `["` + strings.Repeat("a", 300_000) + `"]`} {
		if _, _, err := s.AddVersion(t.Context(), prod, r.ID, []byte(text), true); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("a draft of %.10q: %v", text, err)
		}
	}
	for _, name := range []string{"", " a", "a/b", "a\n", strings.Repeat("é", 65)} {
		if _, err := s.CreateRoute(t.Context(), prod, name, []byte(elements("m"))); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("named %q: %v", name, err)
		}
	}
}

func TestARouteIsRenamedAndDeleted(t *testing.T) {
	s, _ := open(t, t.TempDir())
	a, b := createRoute(t, s, "a", "m"), createRoute(t, s, "b", "n")
	if _, err := s.CreateRoute(t.Context(), prod, "a", []byte(elements("m"))); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("a name twice: %v", err)
	}
	if _, err := s.RenameRoute(t.Context(), prod, b.ID, 0, "a"); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("renamed to one that is there: %v", err)
	}
	if same, err := s.RenameRoute(t.Context(), prod, b.ID, 0, "b"); err != nil || same.Version != 1 {
		t.Errorf("renamed to its own name: %+v, %v", same, err)
	}
	c, err := s.RenameRoute(t.Context(), prod, b.ID, 1, "c d")
	if err != nil || c.Name != "c d" || c.Active.ID != b.Active.ID || serving(s.Snapshot(), "c d") != "n" || serving(s.Snapshot(), "b") != "" {
		t.Errorf("%+v, %v", c, err)
	}
	createRoute(t, s, "b", "its name is free")
	if _, err := s.Delete(t.Context(), prod, object.KindRoute, a.ID, 0); err != nil || serving(s.Snapshot(), "a") != "" {
		t.Errorf("deleted: %v, %q serves", err, serving(s.Snapshot(), "a"))
	}
	if list, total, err := s.ListRoutes(t.Context(), object.Query{Place: prod}); err != nil || total != 2 || list[0].Name != "c d" {
		t.Errorf("%+v, %d, %v", list, total, err)
	}
}

func TestAVersionOfAnotherRouteIsNotFound(t *testing.T) {
	s, _ := open(t, t.TempDir())
	a, b := createRoute(t, s, "a", "m"), createRoute(t, s, "b", "n")
	if _, _, err := s.GetVersion(t.Context(), prod, a.ID, b.Active.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("read: %v", err)
	}
	if _, err := s.Deploy(t.Context(), prod, a.ID, 0, b.Active.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("deployed: %v", err)
	}
}

func TestOldVersionsGoButTheOneThatServes(t *testing.T) {
	s, _ := open(t, t.TempDir())
	r := createRoute(t, s, "a", "first")
	const most = 200
	for i := range most + 3 {
		if _, _, err := s.AddVersion(t.Context(), prod, r.ID, []byte(elements(fmt.Sprint("m", i))), false); err != nil {
			t.Fatal(err)
		}
	}
	_, total, err := s.ListVersions(t.Context(), prod, r.ID, 1, 0)
	if err != nil || total != most {
		t.Errorf("%d versions, %v; want %d", total, err, most)
	}
	if _, v, err := s.GetVersion(t.Context(), prod, r.ID, r.Active.ID); err != nil || !v.Active {
		t.Errorf("the one that serves: %+v, %v", v, err)
	}
}

func TestOfManyWhoDeployTogetherTheLastServes(t *testing.T) {
	s, told := open(t, t.TempDir())
	r := createRoute(t, s, "a", "first")
	var versions []string
	for i := range 5 {
		_, v, err := s.AddVersion(t.Context(), prod, r.ID, []byte(elements(fmt.Sprint("m", i))), false)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v.ID)
	}
	var all sync.WaitGroup
	for _, v := range versions {
		all.Go(func() {
			if _, err := s.Deploy(t.Context(), prod, r.ID, 0, v); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := s.GetRoute(t.Context(), prod, r.ID)
	d, _ := s.Snapshot().Route(prod, "a")
	if err != nil || got.Version != 6 || d.Version != got.Active.ID || len(*told) != 6 {
		t.Errorf("%+v, %v; %+v serves; told %d times", got, err, d, len(*told))
	}
}
