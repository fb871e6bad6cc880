package storetest

import (
	"slices"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// patchRecord makes the record of a patch of e: what said holds of it.
func (f *feed) patchRecord(e *sluice.LogEntry, changes reqlog.Changes, said sluice.LogEntry) reqlog.Record {
	said.ID, said.Start, said.Account, said.Gateway = e.ID, e.Start, e.Account, e.Gateway
	r := f.records(said)[0]
	r.Kind, r.Changes = reqlog.KindPatch, changes
	return r
}

// deleteRecord makes the record of a deletion.
func (f *feed) deleteRecord(account string, ids ...sluice.ID) reqlog.Record {
	r := f.records(sluice.LogEntry{ID: ids[0], Start: ids[0].Time(), Account: account})[0]
	r.Kind, r.IDs = reqlog.KindDelete, ids
	return r
}

func (f *feed) get(account string, id sluice.ID) sluice.LogEntry {
	f.t.Helper()
	row, err := f.Get(f.t.Context(), account, id)
	if err != nil {
		f.t.Fatalf("Get(%s): %v", id, err)
	}
	return row.Entry
}

func logPatches(t *testing.T, open func(*testing.T) *feed) {
	liked := sluice.LogEntry{Feedback: 1}
	t.Run("a patch changes what it names, with the roll-ups, and nothing else", func(t *testing.T) {
		f := open(t)
		e := Full(f.ids.New(noon()), noon())
		r := f.records(e)
		r[0].Parts = [2][]reqlog.Part{{{Segment: 3, Block: 4, Offset: 5, Length: 6}}}
		f.apply(r...)
		said := sluice.LogEntry{Feedback: -1, Score: 99, Metadata: []sluice.MetaValue{{Key: "team", Value: "blue"}}}
		f.apply(f.patchRecord(&e, reqlog.ChangeFeedback|reqlog.ChangeMetadata, said))
		e.Feedback, e.Metadata = said.Feedback, said.Metadata
		Same(t, f.get(e.Account, e.ID), e)
		f.apply(f.patchRecord(&e, reqlog.ChangeScore, sluice.LogEntry{}))
		e.Score, e.Scored = 0, false
		Same(t, f.get(e.Account, e.ID), e)
		if row, err := f.Get(t.Context(), e.Account, e.ID); err != nil || !slices.Equal(row.Parts[0], r[0].Parts[0]) {
			t.Errorf("parts %+v, %v", row.Parts, err)
		}
		for q, want := range map[string]int{"feedback:-1": 1, "feedback:1": 0, "meta.team:blue": 1, "meta_key:k0": 0} {
			if page := f.list(reqlog.Query{Account: e.Account, Filter: filter(q)}); len(page.Rows) != want {
				t.Errorf("%s finds %d rows, want %d", q, len(page.Rows), want)
			}
		}
		list, err := f.Totals(t.Context(), reqlog.TotalsQuery{Account: e.Account, Group: reqlog.GroupMeta("team")})
		if err != nil || len(list) != 1 || list[0].Value != "blue" || list[0].Requests != 1 {
			t.Errorf("totals by team: %+v, %v; want one request of blue", list, err)
		}
		if page := f.list(reqlog.Query{Account: e.Account}); page.Total != 1 {
			t.Errorf("%d rows in all", page.Total)
		}
	})
	t.Run("a patch holds for later versions, and for an exchange that has not ended", func(t *testing.T) {
		f := open(t)
		e, late := f.entry(noon()), f.entry(noon())
		first := f.records(e)
		f.apply(append(first, f.patchRecord(&e, reqlog.ChangeFeedback, liked), f.patchRecord(&late, reqlog.ChangeFeedback, liked))...)
		e.Cost, e.Priced = 7, true
		f.add(e, late)
		for _, id := range []sluice.ID{e.ID, late.ID} {
			if got := f.get("acme", id); got.Feedback != 1 {
				t.Errorf("feedback of %s: %d", id, got.Feedback)
			}
		}
		if got := f.get("acme", e.ID); got.Cost != 7 {
			t.Errorf("the later version is lost: %+v", got)
		}
		f.apply(f.patchRecord(&e, reqlog.ChangeFeedback, sluice.LogEntry{}))
		if got := f.get("acme", e.ID); got.Feedback != 0 {
			t.Errorf("feedback that was taken back: %d", got.Feedback)
		}
	})
	t.Run("a patch of another account, or of nothing, changes nothing", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		f.add(e)
		stranger, nobody := e, f.entry(noon())
		stranger.Account = "other"
		f.apply(f.patchRecord(&stranger, reqlog.ChangeFeedback, liked), f.patchRecord(&nobody, reqlog.ChangeFeedback, liked))
		Same(t, f.get("acme", e.ID), e)
		if page := f.list(reqlog.Query{}); len(page.Rows) != 1 {
			t.Errorf("%d rows", len(page.Rows))
		}
	})
	t.Run("a patch that comes again changes nothing", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		records := append(f.records(e), f.patchRecord(&e, reqlog.ChangeFeedback, liked))
		f.apply(records...)
		f.apply(records...)
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 1 || f.get("acme", e.ID).Feedback != 1 {
			t.Errorf("%+v", total)
		}
	})
}

func logDeletions(t *testing.T, open func(*testing.T) *feed) {
	t.Run("what is deleted is in no answer, and counts all the same", func(t *testing.T) {
		f := open(t)
		var all []sluice.LogEntry
		for i := range 250 {
			all = append(all, f.entry(noon().AddDate(0, 0, i/200), func(e *sluice.LogEntry) { e.Cost, e.Priced = 1, true }))
		}
		f.add(all...)
		gone := []sluice.ID{all[0].ID, all[7].ID, all[199].ID}
		f.apply(f.deleteRecord("acme", gone...), f.deleteRecord("acme", all[249].ID))
		for _, id := range append(gone, all[249].ID) {
			if _, err := f.Get(t.Context(), "acme", id); sluice.KindOf(err) != sluice.KindNotFound {
				t.Errorf("Get(%s): %v", id, err)
			}
		}
		page := f.list(reqlog.Query{})
		if len(page.Rows) != 246 || page.Total != 246 || !page.TotalExact {
			t.Errorf("%d rows, %d in all", len(page.Rows), page.Total)
		}
		if rows, _, err := f.Size(t.Context()); rows != 246 || err != nil {
			t.Errorf("%d rows stored, %v", rows, err)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 250 || total.Cost != 250 || total.Duration.Count != 250 {
			t.Errorf("totals %+v; want those of 250", total)
		}
		erased, err := f.Erased(t.Context(), entryIDs(all))
		for i := range all {
			if want := slices.Contains(append(gone, all[249].ID), all[i].ID); err != nil || erased[i] != want {
				t.Fatalf("erased %d: %v, want %v; %v", i, erased[i], want, err)
			}
		}
	})
	t.Run("only the account's own exchanges are deleted", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		f.add(e)
		f.apply(f.deleteRecord("other", e.ID))
		Same(t, f.get("acme", e.ID), e)
	})
	t.Run("later versions and patches of what is deleted are left out", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		f.add(e)
		f.apply(f.deleteRecord("acme", e.ID), f.patchRecord(&e, reqlog.ChangeFeedback, sluice.LogEntry{Feedback: 1}))
		e.Cost, e.Priced = 5, true
		f.add(e)
		if page := f.list(reqlog.Query{}); len(page.Rows) != 0 || page.Total != 0 {
			t.Errorf("page %+v", page)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 1 {
			t.Errorf("%d requests", total.Requests)
		}
	})
	t.Run("of what is left of one exchange in several records one counts", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		r := f.records(e, e, f.entry(noon()))
		for i := range 2 {
			r[i].CountOnly, r[i].Erased = true, true
		}
		f.apply(r...)
		f.apply(f.deleteRecord("acme", e.ID))
		page := f.list(reqlog.Query{})
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 2 || len(page.Rows) != 1 || page.Total != 1 {
			t.Errorf("%d requests, %d rows of %d", total.Requests, len(page.Rows), page.Total)
		}
	})
	t.Run("scrubbing changes nothing that is shown", func(t *testing.T) {
		f := open(t)
		var all []sluice.LogEntry
		for range 120 {
			e := Full(f.ids.New(noon()), noon())
			e.Account, e.Gateway = "acme", "main"
			all = append(all, e)
		}
		f.add(all[:60]...)
		f.add(all[60:]...)
		f.apply(f.deleteRecord("acme", all[0].ID, all[1].ID, all[2].ID, all[80].ID))
		for range 2 {
			if err := f.Scrub(t.Context()); err != nil {
				t.Fatal(err)
			}
			page := f.list(reqlog.Query{})
			if len(page.Rows) != 116 {
				t.Fatalf("%d rows", len(page.Rows))
			}
			for i, want := range slices.Concat(all[3:80], all[81:]) {
				Same(t, page.Rows[i].Entry, want)
			}
			f.add(all[90]) // once more: the store goes on
		}
	})
}

func logCaps(t *testing.T, open func(*testing.T) *feed) {
	t.Run("the oldest rows of one gateway go, and count all the same", func(t *testing.T) {
		f := open(t)
		var mine, others []sluice.LogEntry
		for i := range 60 {
			at := noon().AddDate(0, 0, i/25)
			mine = append(mine, f.entry(at))
			others = append(others, f.entry(at, func(e *sluice.LogEntry) { e.Gateway = "other" }))
		}
		f.add(slices.Concat(mine, others)...)
		for _, step := range []struct{ keep, removed, left int64 }{{100, 0, 60}, {60, 0, 60}, {20, 40, 20}, {20, 0, 20}, {0, 20, 0}} {
			if n, err := f.TrimGateway(t.Context(), "acme", "main", step.keep); n != step.removed || err != nil {
				t.Errorf("to %d: %d removed, %v; want %d", step.keep, n, err, step.removed)
			}
			if n, err := f.Rows(t.Context(), "acme", "main"); n != step.left || err != nil {
				t.Errorf("to %d: %d left, %v; want %d", step.keep, n, err, step.left)
			}
			page := f.list(reqlog.Query{Gateway: "main"})
			if page.Total != step.left || !sameIDs(pageIDs(page), entryIDs(mine[60-step.left:])) {
				t.Errorf("to %d: %d rows of %d", step.keep, len(page.Rows), page.Total)
			}
		}
		if n, err := f.Rows(t.Context(), "acme", "other"); n != 60 || err != nil {
			t.Errorf("the other gateway has %d rows, %v", n, err)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 120 {
			t.Errorf("%d requests", total.Requests)
		}
		if rows, _, err := f.Size(t.Context()); rows != 60 || err != nil {
			t.Errorf("%d rows stored, %v", rows, err)
		}
	})
}
