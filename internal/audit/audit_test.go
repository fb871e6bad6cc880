package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func trail(t *testing.T) *audit.Trail {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tr := audit.New(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() { shut(t, tr) })
	return tr
}

func shut(t *testing.T, tr *audit.Trail) {
	t.Helper()
	if err := tr.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestWhatIsAppendedIsThere(t *testing.T) {
	tr := trail(t)
	before := time.Now().Add(-time.Second)
	if err := tr.Append(t.Context(), audit.Entry{Account: "acme", Action: "create", Object: audit.Object{Kind: "gateway", ID: "g"}}); err != nil {
		t.Fatal(err)
	}
	list, more, err := tr.List(t.Context(), audit.Filter{Limit: 1})
	if err != nil || more || len(list) != 1 || list[0].Object.ID != "g" || list[0].ID.Time().Before(before) {
		t.Errorf("%+v, %v, %v", list, more, err)
	}
}

func TestWhatIsNotedIsThereAfterClose(t *testing.T) {
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tr := audit.New(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	const n = 3000 // more than the queue holds
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			for j := range n / 3 {
				tr.Note(t.Context(), audit.Entry{Action: "open", Object: audit.Object{ID: fmt.Sprint(i, " ", j)}})
			}
		})
	}
	all.Wait()
	shut(t, tr)
	shut(t, tr) // again
	tr.Note(t.Context(), audit.Entry{Action: "open"})
	list, err := db.ListAudit(t.Context(), audit.Filter{Limit: 2 * n})
	if err != nil || len(list) != n {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

func TestHostileTextsAreBounded(t *testing.T) {
	tr := trail(t)
	long := strings.Repeat("ä", 1000) + "\x00\xff"
	big, _ := json.Marshal(strings.Repeat("x", 2<<20))
	e := audit.Entry{Actor: audit.Actor{Type: audit.Anonymous, Name: long}, Address: "\xff\x00", Action: "sign_in", Object: audit.Object{Kind: "session", Name: long}, After: big}
	if err := tr.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	list, _, err := tr.List(t.Context(), audit.Filter{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	got := list[0]
	if len(got.Actor.Name) > 256 || !strings.HasPrefix(long, got.Actor.Name) || got.Address != "\uFFFD\uFFFD" || len(got.After) > 100 || !json.Valid(got.After) {
		t.Errorf("%.80q, %q, %d bytes", got.Actor.Name, got.Address, len(got.After))
	}
}

// failing is a Store that is away.
type failing struct{ audit.Store }

func (failing) AppendAudit(context.Context, ...audit.Entry) error { return errors.New("away") }

func TestWhatTheStoreDoesNotTakeIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		tr := audit.New(failing{}, slog.New(slog.NewTextHandler(&out, nil)))
		err := tr.Append(t.Context(), audit.Entry{Action: "create", Object: audit.Object{Kind: "gateway", ID: "first"}})
		tr.Note(t.Context(), audit.Entry{Action: "open", Object: audit.Object{Kind: "log", ID: "second"}})
		shut(t, tr)
		if err == nil || !strings.Contains(out.String(), "first") || !strings.Contains(out.String(), "second") {
			t.Errorf("%v, %s", err, &out)
		}
	})
}

func TestTrimKeepsWhenThereIsNoAge(t *testing.T) {
	tr := trail(t)
	if err := tr.Append(t.Context(), audit.Entry{}); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(1000 * time.Hour)
	for _, c := range []struct {
		age  time.Duration
		want int
	}{{0, 1}, {2000 * time.Hour, 1}, {time.Hour, 0}} {
		if err := tr.Trim(t.Context(), c.age, later); err != nil {
			t.Fatal(err)
		}
		if list, _, err := tr.List(t.Context(), audit.Filter{Limit: 5}); err != nil || len(list) != c.want {
			t.Errorf("age %v: %d entries, %v", c.age, len(list), err)
		}
	}
}

func TestSecretsAreLeftOut(t *testing.T) {
	type config struct {
		Name    string            `json:"name"`
		Secret  string            `json:"secret"`
		Typed   sluice.Secret     `json:"typed"`
		Headers map[string]string `json:"headers"`
		List    []map[string]any  `json:"list"`
	}
	was := config{"a", "canary-1", sluice.NewSecret("canary-2"), map[string]string{"x": "canary-3", "same": "canary-4"}, []map[string]any{{"Client-Secret": "canary-5", "n": 1}}}
	is := config{"b", "canary-6", sluice.NewSecret("canary-7"), map[string]string{"x": "canary-8", "same": "canary-4"}, []map[string]any{{"Client-Secret": "canary-5", "n": 1}, {"api_key": map[string]any{"deep": "canary-9"}, "password": ""}}}
	before, after := audit.JSON(was, &is)
	if strings.Contains(string(before)+string(after), "canary") {
		t.Errorf("%s %s", before, after)
	}
	got := map[string]string{}
	for _, d := range audit.Diff(&audit.Entry{Before: before, After: after}) {
		got[d.Path] = string(d.Before) + " > " + string(d.After)
	}
	want := map[string]string{
		"name": `"a" > "b"`, "secret": `"[redacted]" > "[redacted, changed]"`, "headers.x": `"[redacted]" > "[redacted, changed]"`,
		"list": `[{"Client-Secret":"[redacted]","n":1}] > [{"Client-Secret":"[redacted]","n":1},{"api_key":"[redacted]","password":""}]`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWhatIsNotThereIsNil(t *testing.T) {
	var none *struct{}
	before, after := audit.JSON(none, nil)
	if before != nil || after != nil {
		t.Errorf("%s %s", before, after)
	}
	if before, after = audit.JSON(nil, map[string]string{"token": "canary"}); before != nil || string(after) != `{"token":"[redacted]"}` {
		t.Errorf("%s %s", before, after)
	}
	if d := audit.Diff(&audit.Entry{After: after}); len(d) != 0 {
		t.Errorf("%+v", d)
	}
}

// FuzzJSON reads any two documents: nothing that a secret member holds gets through, and Diff of it ends.
func FuzzJSON(f *testing.F) {
	f.Add(`{"secret":"canary"}`, `{"secret":["canary"],"a":[1,{"headers":{"x":"canary"}}]}`)
	f.Add(`[[1],2]`, `{"a":null}`)
	f.Fuzz(func(t *testing.T, one, two string) {
		wrap := func(s string) any {
			if !json.Valid([]byte(s)) {
				return nil
			}
			return map[string]any{"open": json.RawMessage(s), "password": s, "headers": map[string]any{"a": []any{s}}}
		}
		before, after := audit.JSON(wrap(one), wrap(two))
		for i, doc := range []json.RawMessage{before, after} {
			if doc == nil {
				continue
			}
			var v struct {
				Password string
				Headers  struct{ A []string }
			}
			if err := json.Unmarshal(doc, &v); err != nil || !strings.HasPrefix(v.Password, "[redacted") || !strings.HasPrefix(v.Headers.A[0], "[redacted") {
				t.Fatalf("%d: %s, %v", i, doc, err)
			}
		}
		audit.Diff(&audit.Entry{Before: before, After: after})
	})
}
