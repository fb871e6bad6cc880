package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a Set over a real store.
type bench struct {
	t       *testing.T
	dir     string
	db      *sqlstore.DB
	set     *gateway.Set
	applied []*gateway.Snapshot
}

// newBench opens a Set in dir with what the configuration file says.
func newBench(t *testing.T, dir, file string) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir}
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.set, err = gateway.Open(t.Context(), b.load(file), gateway.Options{
		Store: db, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Applied: func(s *gateway.Snapshot) { b.applied = append(b.applied, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) load(text string) *config.Loaded {
	b.t.Helper()
	name := filepath.Join(b.dir, "sluice.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	l, err := config.Load(config.Source{File: name, Env: []string{"SLUICE_ADMIN_TOKEN=0123456789abcdef0123456789abcdef"}})
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// restart opens the directory anew.
func (b *bench) restart(file string) *bench {
	b.t.Helper()
	if err := b.db.Close(); err != nil {
		b.t.Fatal(err)
	}
	return newBench(b.t, b.dir, file)
}

func body(t *testing.T, text string) gateway.Body {
	t.Helper()
	b, err := gateway.ParseBody([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// base has what create and update must name.
const base = `"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0,`

func (b *bench) create(account, id string) gateway.Entry {
	b.t.Helper()
	e, err := b.set.Create(b.t.Context(), account, body(b.t, `{"id":"`+id+`",`+base+`"cache_ttl":60}`))
	if err != nil {
		b.t.Fatalf("Create(%s, %s): %v", account, id, err)
	}
	return e
}

// gateways lists all gateways as account/id origin.
func (b *bench) gateways() []string {
	var list []string
	for a := range b.set.Snapshot().Accounts() {
		for _, e := range a.Entries() {
			list = append(list, e.Account+"/"+e.ID+" "+string(e.Origin))
		}
	}
	return list
}

func (b *bench) holds(want ...string) {
	b.t.Helper()
	if got := b.gateways(); !slices.Equal(got, want) {
		b.t.Errorf("gateways %q; want %q", got, want)
	}
}

// fails asserts the kind of an error and what its text holds.
func fails(t *testing.T, err error, kind sluice.Kind, text string) {
	t.Helper()
	if err == nil || sluice.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v of kind %d; want kind %d, %q", err, sluice.KindOf(err), kind, text)
	}
}

func TestDefaultExistsByItselfOnLoopbackOnly(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	b.holds("default/default builtin")
	g, err := b.set.Snapshot().Gateway("default", "default")
	if err != nil || g.Authentication || !g.CollectLogs || g.CacheTTL != 0 || g.RateLimit.On() || g.Version != 1 || g.Created.IsZero() {
		t.Errorf("%+v, %v", g, err)
	}
	newBench(t, t.TempDir(), "listen: 0.0.0.0:0\n").holds()
}

func TestAGatewayIsMadeChangedAndRemoved(t *testing.T) {
	b := newBench(t, t.TempDir(), "accounts: {acme: {aliases: [0123456789abcdef0123456789abcdef]}}\n")
	made := b.create("0123456789ABCDEF0123456789abcdef", "prod")
	if made.Account != "acme" || made.Version != 1 || made.Origin != sluice.OriginStored || made.Settings.CacheTTL != 60 || made.Created.IsZero() || !made.Created.Equal(made.Modified) {
		t.Errorf("made %+v", made)
	}
	before := b.set.Snapshot()
	changed, err := b.set.Update(t.Context(), "acme", "prod", body(t, `{`+base+`"cache_ttl":120,"zdr":true}`))
	if err != nil || changed.Version != 2 || changed.Settings.CacheTTL != 120 || !changed.ZDR || !changed.Created.Equal(made.Created) || changed.Modified.Before(made.Modified) {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if g, _ := before.Gateway("acme", "prod"); g.CacheTTL.Seconds() != 60 {
		t.Error("a snapshot has changed")
	}
	again, err := b.set.Update(t.Context(), "acme", "prod", body(t, `{`+base+`"cache_ttl":120}`))
	if err != nil || again.Version != 2 || !again.Modified.Equal(changed.Modified) {
		t.Errorf("the same again is a change: %+v, %v", again, err)
	}
	if len(b.applied) != 2 || b.applied[1] != b.set.Snapshot() {
		t.Errorf("%d snapshots were applied", len(b.applied))
	}
	b = b.restart("accounts: {acme: {}}\n")
	kept, err := b.set.Snapshot().Entry("acme", "prod")
	if err != nil || !reflect.DeepEqual(kept, changed) {
		t.Errorf("after a restart %+v, %v; want %+v", kept, err, changed)
	}
	gone, err := b.set.Delete(t.Context(), "acme", "prod")
	if err != nil || gone.Settings.CacheTTL != 120 {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	b.holds("default/default builtin")
	if e := b.restart("accounts: {acme: {}}\n").create("acme", "prod"); e.Version != 4 {
		t.Errorf("version %d after 2 and a deletion; want 4", e.Version)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	b := newBench(t, t.TempDir(), "accounts: {default: {gateways: {kept: {cache_ttl: 5m}}}}\n")
	ctx, set := t.Context(), b.set
	at := b.gateways()
	key := filepath.Join(b.dir, "sluice.yaml") + ": accounts.default.gateways.kept"
	good := `{` + base + `"cache_ttl":1,"id":"`
	do := func(_ gateway.Entry, err error) error { return err }
	fails(t, do(set.Create(ctx, "default", body(t, good+`kept"}`))), sluice.KindConflict, key)
	fails(t, do(set.Update(ctx, "default", "kept", body(t, good+`kept"}`))), sluice.KindConflict, key)
	fails(t, do(set.Delete(ctx, "default", "kept")), sluice.KindConflict, key)
	fails(t, do(set.Create(ctx, "default", body(t, good+`default"}`))), sluice.KindConflict, "already exists")
	fails(t, do(set.Create(ctx, "nobody", body(t, good+`x"}`))), sluice.KindNoGateway, "no account 'nobody'")
	fails(t, do(set.Update(ctx, "default", "x", body(t, good+`x"}`))), sluice.KindNoGateway, "has no gateway 'x'")
	fails(t, do(set.Delete(ctx, "default", "x")), sluice.KindNoGateway, "has no gateway 'x'")
	fails(t, do(set.Create(ctx, "default", body(t, `{"id":"X","zdr":1}`))), sluice.KindInvalid, "id must be")
	fails(t, do(set.Create(ctx, "default", body(t, `{"id":"X","zdr":1}`))), sluice.KindInvalid, "zdr must be")
	fails(t, do(set.Update(ctx, "default", "default", body(t, good+`","zdr":1}`))), sluice.KindInvalid, "zdr must be")
	if !slices.Equal(b.gateways(), at) || len(b.applied) != 0 {
		t.Errorf("something has changed: %q, %d snapshots", b.gateways(), len(b.applied))
	}
}

func TestWhatCannotBeStoredChangesNothing(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.set.Create(t.Context(), "default", body(t, `{"id":"x",`+base+`"cache_ttl":1}`)); err == nil {
		t.Error("Create says that it stored")
	}
	b.holds("default/default builtin")
	if len(b.applied) != 0 {
		t.Error("a snapshot was applied")
	}
}

func TestTheBuiltinCanBeChangedAndStaysAwayWhenDeleted(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	e, err := b.set.Update(t.Context(), "default", "default", body(t, `{`+base+`"cache_ttl":5}`))
	if err != nil || e.Origin != sluice.OriginStored || e.Version != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := b.set.Delete(t.Context(), "default", "default"); err != nil {
		t.Fatal(err)
	}
	b.holds()
	b = b.restart("")
	b.holds()
	if g, err := b.set.EnsureDefault(t.Context(), "default"); err != nil || !g.Authentication || g.Version != 4 {
		t.Errorf("%+v, %v", g, err)
	}
	b.holds("default/default stored")

	untouched := newBench(t, t.TempDir(), "")
	if _, err := untouched.set.Delete(t.Context(), "default", "default"); err != nil {
		t.Fatal(err)
	}
	untouched.holds()
	untouched.restart("").holds()
}

func TestTheFirstCallWithATokenMakesDefault(t *testing.T) {
	b := newBench(t, t.TempDir(), "accounts: {acme: {aliases: [a]}}\n")
	made := make([]*sluice.Gateway, 20)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			g, err := b.set.EnsureDefault(t.Context(), "a")
			if err != nil {
				t.Error(err)
			}
			made[i] = g
		})
	}
	all.Wait()
	g := made[0]
	if g == nil || g.Account != "acme" || !g.Authentication || !g.CollectLogs || g.CacheTTL != 0 || g.RateLimit.On() || g.WorkersAIBillingMode != "postpaid" || g.Version != 1 {
		t.Errorf("made %+v", g)
	}
	for _, other := range made {
		if other != g {
			t.Error("it was made more than once")
		}
	}
	b.holds("acme/default stored", "default/default builtin")
	_, err := b.set.EnsureDefault(t.Context(), "nobody")
	fails(t, err, sluice.KindNoGateway, "no account")
}

func TestTheFileHidesAStoredGatewayUntilItLetsGo(t *testing.T) {
	const with = "accounts: {default: {gateways: {prod: {cache_ttl: 5m}}}}\n"
	b := newBench(t, t.TempDir(), "")
	b.create("default", "prod")
	b.set.Configure(b.load(with))
	b.holds("default/default builtin", "default/prod file")
	hidden, _ := b.set.Snapshot().Gateway("default", "prod")
	if hidden.CacheTTL.Minutes() != 5 {
		t.Errorf("cache TTL %v", hidden.CacheTTL)
	}
	b.set.Configure(b.load("accounts: {default: {gateways: {prod: {cache_ttl: 6m}}}}\n"))
	later, _ := b.set.Snapshot().Gateway("default", "prod")
	if later.Version == hidden.Version || later.Version > 1<<53 || !later.Created.Equal(hidden.Created) {
		t.Errorf("a change in the file: %+v, before %+v", later, hidden)
	}
	b.set.Configure(b.load(""))
	b.holds("default/default builtin", "default/prod stored")
	if g, _ := b.set.Snapshot().Gateway("default", "prod"); g.CacheTTL.Seconds() != 60 {
		t.Errorf("the stored one has come back with %+v", g)
	}
}

func TestAnAccountThatLeavesTheFileTakesItsGatewaysAlong(t *testing.T) {
	b := newBench(t, t.TempDir(), "accounts: {acme: {}}\n")
	b.create("acme", "prod")
	b.set.Configure(b.load(""))
	b.holds("default/default builtin")
	b.set.Configure(b.load("accounts: {default: {aliases: [acme]}}\n"))
	b.holds("default/default builtin")
	b.set.Configure(b.load("accounts: {acme: {}}\n"))
	b.holds("acme/prod stored", "default/default builtin")
}

func TestASettingThatCannotBeReadClosesItsGateway(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	if err := b.db.PutGateway(context.Background(), gateway.Record{Account: "default", ID: "odd", Version: 1, Settings: []byte(`{"cache_ttl":"x"}`)}, 0); err != nil {
		t.Fatal(err)
	}
	b.restart("").holds("default/default builtin")
}

func TestAChangeOfAnotherProcessIsSeenAtTheNextConflict(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	b.create("default", "prod")
	other, err := gateway.Open(t.Context(), b.load(""), gateway.Options{Store: b.db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Update(t.Context(), "default", "prod", body(t, `{`+base+`"cache_ttl":7}`)); err != nil {
		t.Fatal(err)
	}
	_, err = b.set.Update(t.Context(), "default", "prod", body(t, `{`+base+`"cache_ttl":8}`))
	fails(t, err, sluice.KindConflict, "changed at the same time")
	e, err := b.set.Update(t.Context(), "default", "prod", body(t, `{`+base+`"cache_ttl":8}`))
	if err != nil || e.Version != 3 {
		t.Errorf("the second try: %+v, %v", e, err)
	}
}

func TestManyChangesAtOnceAreAllMade(t *testing.T) {
	b := newBench(t, t.TempDir(), "")
	b.create("default", "prod")
	ttls := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	var all sync.WaitGroup
	for _, ttl := range ttls {
		all.Go(func() {
			_, err := b.set.Update(t.Context(), "default", "prod", body(t, `{`+base+`"cache_ttl":`+ttl+`}`))
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if g, _ := b.set.Snapshot().Gateway("default", "prod"); g.Version != int64(1+len(ttls)) {
		t.Errorf("version %d after %d changes", g.Version, len(ttls))
	}
}

func TestNoAccountSaysWhatToDo(t *testing.T) {
	_, err := newBench(t, t.TempDir(), "").set.Snapshot().Gateway("a\"b\n", strings.Repeat("x", 100))
	e, ok := errors.AsType[*sluice.Error](err)
	if !ok || strings.ContainsAny(e.Msg, "\"\n") || !strings.Contains(e.Hint, "accounts.a?b?.gateways.xxx") || len(e.Hint) > 300 {
		t.Errorf("%+v", err)
	}
}

// BenchmarkGateway is what each request does.
func BenchmarkGateway(b *testing.B) {
	db, err := sqlstore.Open(b.Context(), filepath.Join(b.TempDir(), "sluice.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	set, err := gateway.Open(b.Context(), &config.Loaded{Builtin: true}, gateway.Options{Store: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.Snapshot().Gateway("default", "default"); err != nil {
			b.Fatal(err)
		}
	}
}
