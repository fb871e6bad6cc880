package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/gateway"
)

// Gateways proves what gateway.Store promises. open opens the store that lies in a directory, which may
// hold one from before; it closes it with the test.
func Gateways(t *testing.T, open func(t *testing.T, dir string) gateway.Store) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 123_456_000, time.UTC)
	record := func(account, id string, version int64) gateway.Record {
		return gateway.Record{
			Account: account, ID: id, Version: version, Settings: fmt.Appendf(nil, `{"cache_ttl":%d}`, version),
			Created: at, Modified: at.Add(time.Duration(version) * time.Microsecond),
		}
	}
	put := func(t *testing.T, s gateway.Store, r gateway.Record, was int64) {
		t.Helper()
		if err := s.PutGateway(t.Context(), r, was); err != nil {
			t.Fatalf("PutGateway(%s/%s, %d over %d): %v", r.Account, r.ID, r.Version, was, err)
		}
	}
	holds := func(t *testing.T, s gateway.Store, want ...gateway.Record) {
		t.Helper()
		got, err := s.ListGateways(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, want, sameRecord) {
			t.Errorf("ListGateways = %+v; want %+v", got, want)
		}
	}

	t.Run("a new store is empty", func(t *testing.T) { holds(t, open(t, t.TempDir())) })
	t.Run("records come back sorted by account and id, with nothing lost", func(t *testing.T) {
		s := open(t, t.TempDir())
		for _, place := range [][2]string{{"b", "a"}, {"a", "b"}, {"a", "a"}, {"a-", "a"}} {
			put(t, s, record(place[0], place[1], 3), 0)
		}
		holds(t, s, record("a", "a", 3), record("a", "b", 3), record("a-", "a", 3), record("b", "a", 3))
	})
	t.Run("a change is made over the version that it was made from", func(t *testing.T) {
		s := open(t, t.TempDir())
		put(t, s, record("a", "x", 1), 0)
		put(t, s, record("a", "x", 2), 1)
		for _, was := range []int64{0, 1, 3} {
			if err := s.PutGateway(t.Context(), record("a", "x", 9), was); sluice.KindOf(err) != sluice.KindConflict {
				t.Errorf("over version %d: %v; want a conflict", was, err)
			}
		}
		if err := s.PutGateway(t.Context(), record("a", "y", 2), 1); sluice.KindOf(err) != sluice.KindConflict {
			t.Errorf("over nothing: %v; want a conflict", err)
		}
		holds(t, s, record("a", "x", 2))
	})
	t.Run("a deleted one keeps its place, and can come back", func(t *testing.T) {
		s := open(t, t.TempDir())
		gone := record("a", "x", 2)
		gone.Settings = nil
		put(t, s, record("a", "x", 1), 0)
		put(t, s, gone, 1)
		holds(t, s, gone)
		put(t, s, record("a", "x", 3), 2)
		holds(t, s, record("a", "x", 3))
	})
	t.Run("of many changes to one version, one is made", func(t *testing.T) {
		s := open(t, t.TempDir())
		errs := make([]error, 20)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = s.PutGateway(t.Context(), record("a", "x", int64(i)+1), 0) })
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
			t.Errorf("%d changes were made; want 1: %v", made, errors.Join(errs...))
		}
	})
	t.Run("what was stored is there for who opens it next", func(t *testing.T) {
		dir := t.TempDir()
		t.Run("first", func(t *testing.T) { put(t, open(t, dir), record("a", "x", 1), 0) })
		holds(t, open(t, dir), record("a", "x", 1))
	})
}

func sameRecord(a, b gateway.Record) bool {
	return a.Account == b.Account && a.ID == b.ID && a.Version == b.Version && (a.Settings == nil) == (b.Settings == nil) &&
		bytes.Equal(a.Settings, b.Settings) && a.Created.Equal(b.Created) && a.Modified.Equal(b.Modified)
}
