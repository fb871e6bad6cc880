package storetest

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
)

// Audit proves what audit.Store promises. open opens the store of a directory, which a second open finds as
// the first has left it.
func Audit(t *testing.T, open func(t *testing.T, dir string) audit.Store) {
	t.Run("entries come back as they were appended, newest first", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		var ids sluice.IDs
		first := audit.Entry{
			ID: ids.New(noon()), Account: "acme", Gateway: "prod", Actor: audit.Actor{Type: audit.User, ID: "u1", Name: "ann@acme.example"},
			Address: "2001:db8::1", Interface: "UI", Action: "update", Object: audit.Object{Kind: "gateway", ID: "prod", Name: "Prod 100%_"},
			Before: json.RawMessage(`{"a":1}`), After: json.RawMessage(`{"a":2}`),
		}
		second := audit.Entry{ID: ids.New(noon().Add(time.Second)), Actor: audit.Actor{Type: audit.Anonymous, Name: "x"}, Action: "sign_in", Failed: true}
		appendAudit(t, s, first, second)
		for _, s := range []audit.Store{s, open(t, dir)} {
			if got := listAudit(t, s, audit.Filter{Limit: 10}); !reflect.DeepEqual(got, []audit.Entry{second, first}) {
				t.Errorf("got %+v", got)
			}
		}
	})
	t.Run("filters", func(t *testing.T) { auditFilters(t, open(t, t.TempDir())) })
	t.Run("pages meet", func(t *testing.T) {
		s := open(t, t.TempDir())
		var want []sluice.ID
		var ids sluice.IDs
		for range 25 {
			e := audit.Entry{ID: ids.New(noon()), Account: "acme"}
			want = append(want, e.ID)
			appendAudit(t, s, e)
		}
		for _, oldest := range []bool{true, false} {
			var got []sluice.ID
			f := audit.Filter{Accounts: []string{"acme"}, Limit: 7, Oldest: oldest}
			for page := listAudit(t, s, f); len(page) > 0; page = listAudit(t, s, f) {
				for i := range page {
					got = append(got, page[i].ID)
				}
				f.After = got[len(got)-1]
			}
			if !oldest {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("oldest first %v: %d of %d", oldest, len(got), len(want))
			}
		}
		if got := listAudit(t, s, audit.Filter{Limit: 2, Offset: 24}); len(got) != 1 || got[0].ID != want[0] {
			t.Errorf("behind 24: %+v", got)
		}
	})
	t.Run("trimming removes what is older", func(t *testing.T) {
		s := open(t, t.TempDir())
		var ids sluice.IDs
		old, young := audit.Entry{ID: ids.New(noon())}, audit.Entry{ID: ids.New(noon().Add(time.Hour))}
		appendAudit(t, s, old, young)
		n, err := s.TrimAudit(t.Context(), noon().Add(time.Minute))
		if got := listAudit(t, s, audit.Filter{Limit: 10}); n != 1 || err != nil || len(got) != 1 || got[0].ID != young.ID {
			t.Errorf("%d, %v: %+v", n, err, got)
		}
	})
	t.Run("of several entries all or none are kept", func(t *testing.T) {
		s := open(t, t.TempDir())
		var ids sluice.IDs
		e := audit.Entry{ID: ids.New(noon())}
		if err := s.AppendAudit(t.Context(), e, e); err == nil {
			t.Error("an id was taken twice")
		}
		if got := listAudit(t, s, audit.Filter{Limit: 10}); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func auditFilters(t *testing.T, s audit.Store) {
	var ids sluice.IDs
	at := func(i int) time.Time { return noon().Add(time.Duration(i) * time.Minute) }
	entries := []audit.Entry{
		{Account: "acme", Gateway: "prod", Actor: audit.Actor{Type: audit.User, ID: "u1", Name: "ann@acme.example"}, Address: "192.0.2.1", Action: "create", Object: audit.Object{Kind: "gateway", ID: "prod"}},
		{Account: "acme", Actor: audit.Actor{Type: audit.GatewayToken, ID: "t1", Name: "ci"}, Address: "192.0.2.2", Action: "create", Object: audit.Object{Kind: "token", ID: "t2", Name: "app"}},
		{Account: "other", Gateway: "prod", Action: "delete", Object: audit.Object{Kind: "gateway", ID: "prod"}},
		{Account: "", Actor: audit.Actor{Type: audit.Anonymous, Name: "ann@acme.example"}, Action: "sign_in", Object: audit.Object{Kind: "session"}, Failed: true},
	}
	for i := range entries {
		entries[i].ID = ids.New(at(i))
		appendAudit(t, s, entries[i])
	}
	yes, no := true, false
	for name, c := range map[string]struct {
		f    audit.Filter
		want []int
	}{
		"all":                   {audit.Filter{}, []int{3, 2, 1, 0}},
		"an account":            {audit.Filter{Accounts: []string{"acme"}}, []int{1, 0}},
		"with the process":      {audit.Filter{Accounts: []string{"acme", ""}}, []int{3, 1, 0}},
		"no account":            {audit.Filter{Accounts: []string{}}, nil},
		"a gateway":             {audit.Filter{Gateway: "prod"}, []int{2, 0}},
		"an actor by id":        {audit.Filter{Actor: "u1"}, []int{0}},
		"an actor by name":      {audit.Filter{Actor: "ann@acme.example"}, []int{3, 0}},
		"an address":            {audit.Filter{Address: "192.0.2.2"}, []int{1}},
		"an action":             {audit.Filter{Action: "create"}, []int{1, 0}},
		"a kind":                {audit.Filter{Kind: "gateway"}, []int{2, 0}},
		"an object by id":       {audit.Filter{Object: "t2"}, []int{1}},
		"an object by name":     {audit.Filter{Object: "app"}, []int{1}},
		"failed":                {audit.Filter{Failed: &yes}, []int{3}},
		"not failed":            {audit.Filter{Failed: &no}, []int{2, 1, 0}},
		"from":                  {audit.Filter{From: at(2)}, []int{3, 2}},
		"to":                    {audit.Filter{To: at(2)}, []int{1, 0}},
		"several":               {audit.Filter{Accounts: []string{"acme"}, Action: "create", Kind: "token"}, []int{1}},
		"no wildcards":          {audit.Filter{Actor: "ann%"}, nil},
		"a text that is no SQL": {audit.Filter{Actor: "' OR '1'='1"}, nil},
	} {
		c.f.Limit = 10
		var got []int
		for _, e := range listAudit(t, s, c.f) {
			got = append(got, slices.IndexFunc(entries, func(w audit.Entry) bool { return w.ID == e.ID }))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func appendAudit(t *testing.T, s audit.Store, entries ...audit.Entry) {
	t.Helper()
	if err := s.AppendAudit(t.Context(), entries...); err != nil {
		t.Fatalf("AppendAudit: %v", err)
	}
}

func listAudit(t *testing.T, s audit.Store, f audit.Filter) []audit.Entry {
	t.Helper()
	list, err := s.ListAudit(context.WithoutCancel(t.Context()), f)
	if err != nil {
		t.Fatalf("ListAudit: %v", err)
	}
	return list
}
