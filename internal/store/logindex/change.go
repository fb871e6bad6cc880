package logindex

import (
	"context"
	"database/sql"
	"fmt"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// patchOf reads what was said of a row; changes 0: nothing.
func (p *part) patchOf(ctx context.Context, id int64) (changes reqlog.Changes, said sluice.LogEntry, err error) {
	if id > p.patched {
		return 0, said, nil
	}
	var b []byte
	found, err := p.one(ctx, "SELECT changes, entry FROM patches WHERE id = ?", []any{id}, &changes, &b)
	if err != nil || !found {
		return 0, said, err
	}
	if err := reqlog.DecodeEntry(b, &said); err != nil {
		return 0, said, fmt.Errorf("patch of row %d: %w", id, err)
	}
	return changes, said, nil
}

// repatch applies to a version of an exchange what was said of it.
func (p *part) repatch(ctx context.Context, id int64, r *reqlog.Record) error {
	changes, said, err := p.patchOf(ctx, id)
	if err != nil || changes == 0 || said.ID != r.Entry.ID || said.Account != r.Entry.Account {
		return err
	}
	changes.Apply(&r.Entry, &said)
	r.Fields = "" // they say something else now
	return nil
}

// patch keeps what is said of an exchange, and changes its row if there is one.
func (b *batch) patch(ctx context.Context, r *reqlog.Record) error {
	if r.Changes == 0 {
		return nil // what is left of the patch of a deleted exchange
	}
	if err := b.insert(ctx); err != nil {
		return err
	}
	id := rowOf(r.Entry.ID)
	if erased, err := b.p.isErased(ctx, id); err != nil || erased {
		return err
	}
	changes, said, err := b.p.patchOf(ctx, id)
	if err != nil {
		return err
	}
	if changes == 0 || said.ID != r.Entry.ID {
		changes, said = 0, r.Entry
	}
	r.Changes.Apply(&said, &r.Entry)
	changes |= r.Changes
	if err := b.p.exec(ctx, "INSERT OR REPLACE INTO patches VALUES (?, ?, ?)", id, int64(changes), reqlog.AppendEntry(nil, &said)); err != nil {
		return err
	}
	b.p.patched = max(b.p.patched, id)
	old, found, err := b.p.find(ctx, id)
	if err != nil || !found || old.Entry.ID != r.Entry.ID || old.Entry.Account != r.Entry.Account {
		return err
	}
	changed := reqlog.Record{Kind: reqlog.KindEntry, Entry: old.Entry, Parts: old.Parts}
	r.Changes.Apply(&changed.Entry, &r.Entry)
	one, err := b.enc.encode(ctx, &changed)
	if err != nil {
		return err
	}
	return b.insertOne(ctx, []row{one})
}

// isErased reports whether a row was deleted.
func (p *part) isErased(ctx context.Context, id int64) (bool, error) {
	if id > p.erased {
		return false, nil
	}
	return p.one(ctx, "SELECT id FROM erased WHERE id = ?", []any{id}, &id)
}

func (b *batch) noteErased(ctx context.Context, id int64) error {
	b.p.erased = max(b.p.erased, id)
	return b.p.exec(ctx, "INSERT OR IGNORE INTO erased VALUES (?)", id)
}

// erase removes the rows that a record of deletion names, and keeps what they counted. What else the file
// has of them goes with Scrub.
func (b *batch) erase(ctx context.Context, r *reqlog.Record) error {
	if err := b.insert(ctx); err != nil {
		return err
	}
	b.p.erasures++
	for _, id := range r.IDs {
		if dayOf(id) != b.p.day {
			continue
		}
		if err := b.eraseRow(ctx, r.Entry.Account, id); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) eraseRow(ctx context.Context, account string, exchange sluice.ID) error {
	id := rowOf(exchange)
	var scope int64
	found, err := b.p.one(ctx, "SELECT scope FROM rows WHERE id = ?", []any{id}, &scope)
	if err != nil {
		return err
	}
	if found {
		text, err := b.p.texts.text(ctx, scope)
		if err != nil {
			return err
		}
		owner, gateway := splitScope(text)
		if owner != account {
			return nil
		}
		if err := b.uncount(ctx, exchange.Milli()/minuteMillis, owner, gateway); err != nil {
			return err
		}
		if err := b.p.exec(ctx, "DELETE FROM rows WHERE id = ?", id); err != nil {
			return err
		}
		b.state.rows--
	}
	b.state.dirty = true
	if id <= b.p.patched {
		if err := b.p.exec(ctx, "DELETE FROM patches WHERE id = ?", id); err != nil {
			return err
		}
	}
	return b.noteErased(ctx, id)
}

// uncount takes a row out of how many there are. That is asked of the totals only.
func (b *batch) uncount(ctx context.Context, minute int64, account, gateway string) error {
	e := sluice.LogEntry{Account: account, Gateway: gateway}
	k := kindKey{at: minute}
	var err error
	if k.scopes, err = b.gather.scopesOf(ctx, &e); err != nil {
		return err
	}
	if gateway == "" {
		k.scopes.gateway = 0
	}
	return b.gather.both(ctx, &k, questionTotal, 0, func(c *cell) { c.n[nRows]-- })
}

// Erased implements reqlog.Index.
func (x *Index) Erased(ctx context.Context, ids []sluice.ID) ([]bool, error) {
	erased := make([]bool, len(ids))
	byDay := map[int64][]int{}
	for i, id := range ids {
		byDay[dayOf(id)] = append(byDay[dayOf(id)], i)
	}
	for day, places := range byDay {
		err := x.with(ctx, day, func(p *part) error { return p.erasedOf(ctx, ids, places, erased) })
		if err != nil {
			return nil, fmt.Errorf("ask what was deleted: %w", err)
		}
	}
	return erased, nil
}

// erasedBatch is how many rows one query asks for.
const erasedBatch = 500

// erasedOf sets those places of erased whose ids were deleted.
func (p *part) erasedOf(ctx context.Context, ids []sluice.ID, places []int, erased []bool) error {
	var any bool
	if err := p.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erased)").Scan(&any); err != nil || !any {
		return err
	}
	for len(places) > 0 {
		some := places[:min(len(places), erasedBatch)]
		places = places[len(some):]
		rows := make([]int64, len(some))
		at := make(map[int64][]int, len(some))
		for i, place := range some {
			rows[i] = rowOf(ids[place])
			at[rows[i]] = append(at[rows[i]], place)
		}
		err := all(ctx, p.read, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			for _, place := range at[id] {
				erased[place] = true
			}
			return err
		}, "SELECT id FROM erased WHERE "+in("id", rows))
		if err != nil {
			return err
		}
	}
	return nil
}
