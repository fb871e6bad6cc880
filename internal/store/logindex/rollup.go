package logindex

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	sluice "github.com/sluicehq/sluice"
)

// What a roll-up is kept for. Stored: never renumber. A metadata key's question is questionMeta more
// than the id of its text.
const (
	questionTotal int32 = 1 + iota
	questionProvider
	questionModel
	questionCaller
	questionStatus // its values are the codes themselves
	questionCache  // its values are sluice.CacheStatus
	questionGateway

	questionMeta int32 = 16
)

// The grains of roll-ups, in minutes. There are time zones of 30 and 45 minutes, so hours would not do.
const (
	grainMinute  = 1
	grainQuarter = 15
	grainHour    = 60
)

// otherValue gathers the values beyond maxValues.
const otherValue int32 = -1

// maxValues bounds the values of one question, scope and hour.
const maxValues = 1000

// cellKey is the place of a cell of a minute.
type cellKey struct {
	question, scope, value int32
	at                     int64 // unix minute
}

// setKey is what maxValues holds for.
type setKey struct {
	question, scope int32
	hour            int64 // unix minute of its beginning
}

// valueSet is the values that have cells of their own. It only grows, so that what was counted under a
// value is always taken away there too.
type valueSet struct{ ids map[int32]struct{} }

// gather collects what one transaction counts. Exchanges that are counted under the same values are
// summed up first, and spread over their cells at the end: most traffic is of few kinds.
type gather struct {
	p        *part
	metadata []string // keys that have roll-ups
	kinds    []kindSum
	kindAt   map[kindKey]int // in kinds
	cells    map[cellKey]*cell
	free     []*cell
	admitted []admission
	share    share
	scopes   map[[2]string]scopeIDs // by account and gateway
	recent   [2]string              // of scopes
	recentID scopeIDs
}

// kindKey is all that an exchange is counted under, but for metadata.
type kindKey struct {
	at                              int64 // unix minute
	scopes                          scopeIDs
	provider, model, caller, status int32
	cache                           sluice.CacheStatus
}

// kindSum is the exchanges of one kind.
type kindSum struct {
	kindKey
	cell
}

type admission struct {
	set   *valueSet
	value int32
}

// scopeIDs are the ids that an account's gateway is counted under; gateway is 0 for an account alone.
type scopeIDs struct{ gateway, account, value int64 }

// newGather returns an empty gather, with the room of the last one.
func (p *part) newGather(metadata []string) *gather {
	g := p.gather
	if g == nil {
		g = &gather{p: p, kindAt: map[kindKey]int{}, cells: map[cellKey]*cell{}, scopes: map[[2]string]scopeIDs{}}
		p.gather = g
	}
	g.metadata = metadata
	g.reset()
	return g
}

func (g *gather) reset() {
	for _, c := range g.cells {
		g.release(c)
	}
	clear(g.cells)
	clear(g.kindAt)
	clear(g.scopes)
	g.kinds, g.admitted = g.kinds[:0], g.admitted[:0]
	g.recent, g.recentID = [2]string{}, scopeIDs{}
}

const maxFree = 1000 // cells that are kept for use

func (g *gather) release(c *cell) {
	if len(g.free) < maxFree {
		c.reset()
		g.free = append(g.free, c)
	}
}

// newCell returns an empty cell.
func (g *gather) newCell() *cell {
	n := len(g.free)
	if n == 0 {
		return &cell{}
	}
	c := g.free[n-1]
	g.free = g.free[:n-1]
	return c
}

// undo takes back what a failed transaction has changed in memory.
func (g *gather) undo() {
	for _, a := range g.admitted {
		delete(a.set.ids, a.value)
	}
	g.reset()
}

// scopesOf returns what an entry's account and gateway are called.
func (g *gather) scopesOf(ctx context.Context, e *sluice.LogEntry) (ids scopeIDs, err error) {
	k := [2]string{e.Account, e.Gateway}
	if k == g.recent {
		return g.recentID, nil
	}
	ids, ok := g.scopes[k]
	if !ok {
		t := &g.p.texts
		if ids.gateway, err = t.id(ctx, textScope, scopeText(e.Account, e.Gateway)); err != nil {
			return ids, err
		}
		if ids.account, err = t.id(ctx, textAccount, e.Account); err != nil {
			return ids, err
		}
		if ids.value, err = t.id(ctx, textGateway, e.Gateway); err != nil {
			return ids, err
		}
		g.scopes[k] = ids
	}
	g.recent, g.recentID = k, ids
	return ids, nil
}

// row counts an exchange that has a row.
func (g *gather) row(ctx context.Context, r *row) error {
	e := &r.record.Entry
	return g.add(ctx, e, kindKey{
		at: e.ID.Milli() / minuteMillis, scopes: r.scopes, status: int32(e.Status), cache: e.Cache,
		provider: int32(r.texts[columnProvider]), model: int32(r.texts[columnModel]), caller: int32(r.texts[columnCaller]),
	}, 1, true)
}

// entry counts e, sign times; stored: it has a row.
func (g *gather) entry(ctx context.Context, e *sluice.LogEntry, sign int64, stored bool) error {
	scopes, err := g.scopesOf(ctx, e)
	if err != nil {
		return err
	}
	var ids [3]int32
	for i, named := range [...]textKey{{textProvider, e.Provider}, {textModel, e.Model}, {textCaller, e.Key}} {
		id, err := g.p.texts.id(ctx, named.kind, named.text)
		if err != nil {
			return err
		}
		ids[i] = int32(id)
	}
	k := kindKey{
		at: e.ID.Milli() / minuteMillis, scopes: scopes, status: int32(e.Status), cache: e.Cache,
		provider: ids[0], model: ids[1], caller: ids[2],
	}
	return g.add(ctx, e, k, sign, stored)
}

func (g *gather) add(ctx context.Context, e *sluice.LogEntry, k kindKey, sign int64, stored bool) error {
	if e.Gateway == "" {
		k.scopes.gateway = 0
	}
	g.share.set(e, stored)
	i, ok := g.kindAt[k]
	if !ok {
		i = len(g.kinds)
		g.kindAt[k] = i
		if i < cap(g.kinds) {
			g.kinds = g.kinds[:i+1]
			g.kinds[i].cell.reset()
		} else {
			g.kinds = append(g.kinds, kindSum{})
		}
		g.kinds[i].kindKey = k
	}
	g.kinds[i].cell.add(&g.share, sign)
	if len(g.metadata) == 0 || len(e.Metadata) == 0 {
		return nil
	}
	kind := k // the function would have k allocated for every exchange
	return g.addMeta(ctx, e, func(question int32, value int64) error {
		return g.both(ctx, &kind, question, int32(value), func(c *cell) { c.add(&g.share, sign) })
	})
}

// spread adds the sums of kinds to the cells. Every exchange is counted for its account and for its
// gateway, so that neither has to be summed up from the other.
func (g *gather) spread(ctx context.Context) error {
	for i := range g.kinds {
		sum := &g.kinds[i]
		merge := func(c *cell) { c.merge(&sum.cell) }
		k := &sum.kindKey
		if err := g.put(ctx, cellKey{questionGateway, int32(k.scopes.account), int32(k.scopes.value), k.at}, merge); err != nil {
			return err
		}
		for _, one := range [...]struct{ question, value int32 }{
			{questionTotal, 0},
			{questionStatus, k.status},
			{questionCache, int32(k.cache)},
			{questionProvider, k.provider},
			{questionModel, k.model},
			{questionCaller, k.caller},
		} {
			if err := g.both(ctx, k, one.question, one.value, merge); err != nil {
				return err
			}
		}
	}
	return nil
}

// both has something added to the cells of an account and, if there is one, of its gateway.
func (g *gather) both(ctx context.Context, k *kindKey, question, value int32, add func(*cell)) error {
	err := g.put(ctx, cellKey{question, int32(k.scopes.account), value, k.at}, add)
	if err == nil && k.scopes.gateway != 0 {
		err = g.put(ctx, cellKey{question, int32(k.scopes.gateway), value, k.at}, add)
	}
	return err
}

// addMeta counts the metadata that has roll-ups.
func (g *gather) addMeta(ctx context.Context, e *sluice.LogEntry, put func(int32, int64) error) error {
	for _, key := range g.metadata {
		for i := range e.Metadata {
			if e.Metadata[i].Key != key {
				continue
			}
			question, err := g.p.texts.id(ctx, textQuestion, key)
			if err != nil {
				return err
			}
			value, err := g.p.texts.id(ctx, textValue, e.Metadata[i].Value)
			if err != nil {
				return err
			}
			if err := put(questionMeta+int32(question), value); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// put has something added to one cell.
func (g *gather) put(ctx context.Context, key cellKey, add func(*cell)) error {
	c := g.cells[key]
	if c == nil {
		value, err := g.admit(ctx, key)
		if err != nil {
			return err
		}
		if key.value = value; g.cells[key] == nil {
			g.cells[key] = g.newCell()
		}
		c = g.cells[key]
	}
	add(c)
	return nil
}

// admit returns the value that key is counted under: its own, or otherValue.
func (g *gather) admit(ctx context.Context, key cellKey) (int32, error) {
	switch key.question {
	case questionTotal, questionStatus, questionCache:
		return key.value, nil
	}
	if key.value == spilled {
		return otherValue, nil
	}
	set, err := g.p.valuesOf(ctx, setKey{key.question, key.scope, key.at - key.at%grainHour})
	if err != nil {
		return 0, err
	}
	if _, ok := set.ids[key.value]; ok {
		return key.value, nil
	}
	if len(set.ids) >= maxValues {
		return otherValue, nil
	}
	set.ids[key.value] = struct{}{}
	g.admitted = append(g.admitted, admission{set, key.value})
	return key.value, nil
}

// valuesOf returns the values that have cells in an hour. Sets leave memory only when pending has been
// written, so what is not in memory is in the table.
func (p *part) valuesOf(ctx context.Context, k setKey) (*valueSet, error) {
	if set := p.values[k]; set != nil {
		return set, nil
	}
	set := &valueSet{map[int32]struct{}{}}
	err := all(ctx, p.conn, func(r *sql.Rows) error {
		var value int32
		err := r.Scan(&value)
		if value != otherValue {
			set.ids[value] = struct{}{}
		}
		return err
	}, "SELECT value FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at = ?", k.question, k.scope, grainHour, k.hour)
	if err != nil {
		return nil, fmt.Errorf("values of an hour: %w", err)
	}
	p.values[k] = set
	return set, nil
}

const deltaVersion = 1

// appendDelta encodes cells with their places.
func appendDelta(b []byte, cells map[cellKey]*cell) []byte {
	b = append(b, deltaVersion)
	for k, c := range cells {
		b = binary.AppendVarint(b, int64(k.question))
		b = binary.AppendVarint(b, int64(k.scope))
		b = binary.AppendVarint(b, int64(k.value))
		b = binary.AppendVarint(b, k.at)
		b = c.append(b)
	}
	return b
}

// readDelta adds what appendDelta wrote to cells.
func readDelta(b []byte, cells map[cellKey]*cell) error {
	if len(b) == 0 || b[0] != deltaVersion {
		return errCell
	}
	r := cellReader{left: b[1:]}
	for len(r.left) > 0 {
		k := cellKey{int32(r.signed()), int32(r.signed()), int32(r.signed()), r.signed()}
		c := cells[k]
		if c == nil {
			c = &cell{}
			cells[k] = c
		}
		if err := r.add(c); err != nil {
			return err
		}
	}
	return nil
}

// loadPending reads what was counted before the file was closed, and writes it where it belongs.
func (p *part) loadPending(ctx context.Context) error {
	p.pending = map[cellKey]*cell{}
	err := all(ctx, p.conn, func(r *sql.Rows) error {
		var b sql.RawBytes
		if err := r.Scan(&b); err != nil {
			return err
		}
		return readDelta(b, p.pending)
	}, "SELECT delta FROM pending ORDER BY id")
	if err == nil {
		err = p.loadFlushed(ctx)
	}
	if err != nil {
		return fmt.Errorf("pending roll-ups: %w", err)
	}
	return p.flush(ctx)
}

// keep gives what a committed transaction has counted to its part.
func (g *gather) keep() {
	p := g.p
	p.rollMu.Lock()
	defer p.rollMu.Unlock()
	for k, c := range g.cells {
		if have := p.pending[k]; have != nil {
			have.merge(c)
			g.release(c)
		} else {
			p.pending[k] = c
		}
	}
	clear(g.cells)
	g.reset()
}

// grainKey is the place of a stored cell.
type grainKey struct {
	cellKey
	grain int64
}

// maxPending bounds what is gathered in memory, which a rebuild of the index would fill faster than a
// minute passes.
const maxPending = 60_000

// flush writes pending into the tables. To readers it happens at once.
func (p *part) flush(ctx context.Context) error {
	if len(p.pending) == 0 {
		clear(p.values)
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	sums := make(map[grainKey]*cell, 2*len(p.pending))
	flushed := p.flushed
	for k, c := range p.pending {
		flushed = max(flushed, k.at)
		for _, grain := range [...]int64{grainMinute, grainQuarter, grainHour} {
			g := grainKey{k, grain}
			g.at -= g.at % grain
			if sums[g] == nil {
				sums[g] = &cell{}
			}
			sums[g].merge(c)
		}
	}
	// In the order of the table, so that neighbours are written together.
	keys := slices.SortedFunc(maps.Keys(sums), grainKey.compare)
	p.rollMu.Lock()
	defer p.rollMu.Unlock()
	err := p.tx(ctx, func() error {
		for _, k := range keys {
			if err := p.addCell(ctx, k, sums[k]); err != nil {
				return err
			}
		}
		return p.exec(ctx, "DELETE FROM pending")
	})
	if err != nil {
		return fmt.Errorf("write roll-ups of %s: %w", dayName(p.day), err)
	}
	p.pending, p.flushed = map[cellKey]*cell{}, flushed
	clear(p.values)
	return nil
}

// compare orders keys as the table does.
func (k grainKey) compare(o grainKey) int {
	return cmp.Or(cmp.Compare(k.question, o.question), cmp.Compare(k.scope, o.scope), cmp.Compare(k.grain, o.grain),
		cmp.Compare(k.at, o.at), cmp.Compare(k.value, o.value))
}

// addCell adds c to a stored cell. Most are of a minute that has none yet.
func (p *part) addCell(ctx context.Context, k grainKey, c *cell) error {
	if k.grain != grainMinute || k.at <= p.flushed {
		var b []byte
		found, err := p.one(ctx, "SELECT cell FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at = ? AND value = ?",
			[]any{k.question, k.scope, k.grain, k.at, k.value}, &b)
		if err != nil {
			return err
		}
		if found {
			r := cellReader{left: b}
			if err := r.add(c); err != nil {
				return err
			}
		}
	}
	p.cell = c.append(p.cell[:0])
	return p.exec(ctx, "INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?)", k.question, k.scope, k.grain, k.at, k.value, p.cell)
}

// loadFlushed learns the last minute that has stored cells: that of the totals of all accounts, which
// everything is counted under.
func (p *part) loadFlushed(ctx context.Context) error {
	return all(ctx, p.conn, func(r *sql.Rows) error { return r.Scan(&p.flushed) },
		`SELECT ifnull(max((SELECT max(at) FROM rollups WHERE question = ? AND scope = texts.id AND grain = ?)), 0) FROM texts WHERE kind = ? AND kind <> 10`,
		questionTotal, grainMinute, int64(textAccount))
}
