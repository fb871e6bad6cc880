package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// where is a query's conditions in terms of one file.
type where struct {
	none   bool     // no row of the file can pass
	and    []string // conditions on r, the table rows, and s, their shapes
	narrow bool     // and has a condition on the scope
	hints  []hint
	// after must be asked of the whole entry, which columns cannot answer; spill only of rows that keep
	// a text with their data.
	after []reqlog.Cond
	spill []reqlog.Cond
}

// hint says that rows which pass are counted under one of values of a question.
type hint struct {
	question int32
	values   []int64
}

// text returns the conditions as SQL.
func (w *where) text() string {
	if len(w.and) == 0 {
		return "1"
	}
	return strings.Join(w.and, " AND ")
}

// compile translates a query's conditions for one file.
func (p *part) compile(ctx context.Context, q *reqlog.Query, conds []reqlog.Cond) (*where, error) {
	w := &where{}
	if err := p.compileScope(ctx, q, conds, w); err != nil || w.none {
		return w, err
	}
	for i := range conds {
		if err := p.compileCond(ctx, &conds[i], w); err != nil || w.none {
			return w, err
		}
	}
	return w, nil
}

// compileScope finds the scopes of the account, of its gateway and of conditions on gateways.
func (p *part) compileScope(ctx context.Context, q *reqlog.Query, conds []reqlog.Cond, w *where) error {
	scopes, err := p.match(ctx, textScope, "", func(string) bool { return true })
	if err != nil {
		return err
	}
	var mine []int64
	for _, id := range scopes {
		text, err := p.resolve(ctx, id)
		if err != nil {
			return err
		}
		var e sluice.LogEntry
		e.Account, e.Gateway = splitScope(text)
		ok := e.Account == q.Account && (q.Gateway == "" || e.Gateway == q.Gateway)
		for i := range conds {
			ok = ok && (conds[i].Field != reqlog.FieldGateway || conds[i].Match(&e))
		}
		if ok {
			mine = append(mine, id)
		}
	}
	w.none = len(mine) == 0
	if w.narrow = len(mine) < len(scopes); w.narrow {
		w.and = append(w.and, in("r.scope", mine))
	}
	return nil
}

// in returns the condition that a column has one of ids.
func in(column string, ids []int64) string {
	if len(ids) == 1 {
		return column + " = " + strconv.FormatInt(ids[0], 10)
	}
	var b strings.Builder
	b.WriteString(column + " IN (")
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(')')
	return b.String()
}

// matches remembers which texts of a file met a condition, so that the next page need only look at
// texts that came since.
type matches struct {
	mu    sync.Mutex
	known map[textKey]match
	size  int // ids in known
}

type match struct {
	upTo int64 // the last text that was looked at
	ids  []int64
}

const maxMatches = 200_000

// match returns the ids of the texts of a kind that fn accepts. key names fn among those of a kind. The
// ids must not be changed.
func (p *part) match(ctx context.Context, kind textKind, key string, fn func(string) bool) ([]int64, error) {
	k, last := textKey{kind, key}, p.lastText.Load()
	p.matches.mu.Lock()
	m := p.matches.known[k]
	p.matches.mu.Unlock()
	if m.upTo == last {
		return m.ids, nil
	}
	// An index knows the texts of each kind but the metadata, and most texts are metadata. From a text on that was looked
	// at it is better to read on.
	where := "id > ? AND id <= ? AND +kind = ?"
	if m.upTo == 0 && kind != textMeta {
		where = "+id > ? AND +id <= ? AND kind = ? AND kind <> 10"
	}
	ids := slices.Clip(m.ids)
	err := all(ctx, p.read, func(r *sql.Rows) error {
		var id int64
		var text string
		err := r.Scan(&id, &text)
		if fn(text) {
			ids = append(ids, id)
		}
		return err
	}, "SELECT id, text FROM texts WHERE "+where, m.upTo, last, int64(kind))
	if err != nil {
		return nil, fmt.Errorf("texts of %s: %w", dayName(p.day), err)
	}
	p.matches.mu.Lock()
	defer p.matches.mu.Unlock()
	if p.matches.size += len(ids) + 16; p.matches.size > maxMatches || p.matches.known == nil {
		p.matches.known, p.matches.size = map[textKey]match{}, len(ids)
	}
	p.matches.known[k] = match{last, ids}
	return ids, nil
}

// textID returns the id of a text, or 0.
func (f *file) textID(ctx context.Context, k textKey) (int64, error) {
	var id int64
	err := all(ctx, f.read, func(r *sql.Rows) error { return r.Scan(&id) },
		"SELECT id FROM texts WHERE kind = ? AND text = ? AND kind <> 10", int64(k.kind), k.text)
	return id, err
}

// compileCond adds one condition to w.
func (p *part) compileCond(ctx context.Context, c *reqlog.Cond, w *where) error {
	switch c.Form {
	case reqlog.FormNumber:
		w.numbers(c, p.day)
	case reqlog.FormStatus:
		w.statuses(c)
	case reqlog.FormID:
		w.ids(c, p.day)
	case reqlog.FormMeta:
		return p.compileTexts(ctx, c, w, "r.meta", textMeta, 0, func(text string) bool {
			meta, err := readMeta(text)
			return err == nil && c.MatchMeta(meta)
		})
	case reqlog.FormText:
		return p.compileText(ctx, c, w)
	default:
		w.after = append(w.after, *c)
	}
	return nil
}

// compileText adds a condition on a text: one that has a column, one that is made of few known names,
// or one that only the whole entry answers.
func (p *part) compileText(ctx context.Context, c *reqlog.Cond, w *where) error {
	if c.Field == reqlog.FieldGateway {
		return nil // compileScope has seen to it
	}
	if names := namesOf(c.Field); names != nil {
		var codes []int64
		for code, name := range names.names {
			if c.MatchText(name) {
				codes = append(codes, int64(code))
			}
		}
		w.addIn(names.column, codes, c.Not)
		return nil
	}
	column, ok := columnOf(c.Field)
	if !ok {
		w.hashes(c)
		w.after = append(w.after, *c)
		return nil
	}
	return p.compileTexts(ctx, c, w, "s."+column.name, column.kind, questionOf(c.Field), c.MatchText)
}

// questionOf returns the roll-up whose values are a field's texts, or 0.
func questionOf(f reqlog.Field) int32 {
	switch f {
	case reqlog.FieldProvider:
		return questionProvider
	case reqlog.FieldModel:
		return questionModel
	case reqlog.FieldKey:
		return questionCaller
	}
	return 0
}

// compileTexts adds the condition that a column has the id of a text that matches. question, if not 0,
// is the roll-up whose values these texts are.
func (p *part) compileTexts(ctx context.Context, c *reqlog.Cond, w *where, column string, kind textKind, question int32, fn func(string) bool) error {
	ids, err := p.match(ctx, kind, c.String(), fn)
	if err != nil {
		return err
	}
	if fn("") {
		ids = append(slices.Clip(ids), 0)
	}
	full := p.lastText.Load() >= p.texts.room
	if !full {
		w.addIn(column, ids, c.Not)
		w.none = w.none || len(ids) == 0 && !c.Not
	} else {
		cond := "(" + condIn(column, ids, c.Not) + " OR s.flags & " + strconv.Itoa(flagSpilled) + ")"
		w.and = append(w.and, cond)
		w.spill = append(w.spill, *c)
	}
	if question != 0 && !c.Not && len(ids) < maxHinted {
		w.hints = append(w.hints, hint{question, ids})
	}
	return nil
}

// hashes adds what a hash says of a text that must be equal; equal hashes do not say it all.
func (w *where) hashes(c *reqlog.Cond) {
	column := map[reqlog.Field]string{reqlog.FieldEventID: "r.event", reqlog.FieldTraceID: "r.trace"}[c.Field]
	literals, ok := c.Literals()
	if column == "" || !ok || c.Not || slices.Contains(literals, "") {
		return
	}
	var list []int64
	for _, text := range literals {
		if hash, ok := hashOf(text).(int64); ok {
			list = append(list, hash)
		}
	}
	w.addIn(column, list, false)
}

func condIn(column string, ids []int64, not bool) string {
	switch {
	case len(ids) == 0 && not:
		return "1"
	case len(ids) == 0:
		return "0"
	case not:
		return "NOT (" + in(column, ids) + ")"
	}
	return in(column, ids)
}

func (w *where) addIn(column string, ids []int64, not bool) {
	w.and = append(w.and, condIn(column, ids, not))
}

// codes are the names of a small number in the flags.
type codes struct {
	column string
	names  []string
}

func namesOf(f reqlog.Field) *codes {
	switch f {
	case reqlog.FieldEnding:
		c := &codes{column: endingColumn}
		for e := range sluice.EndingInFlight + 1 {
			c.names = append(c.names, e.String())
		}
		return c
	case reqlog.FieldCache:
		return &codes{cacheColumn, []string{reqlog.CacheName(sluice.CacheOff), reqlog.CacheName(sluice.CacheMiss), reqlog.CacheName(sluice.CacheHit)}}
	case reqlog.FieldBasis:
		c := &codes{column: "(s.flags >> 8 & 7)"}
		for b := range sluice.BasisCached + 1 {
			c.names = append(c.names, b.String())
		}
		return c
	}
	return nil
}

const (
	endingColumn = "(s.flags >> 4 & 15)" // by shiftEnding
	cacheColumn  = "(s.flags >> 2 & 3)"  // by shiftCache
)

func columnOf(f reqlog.Field) (textColumn, bool) {
	at, ok := map[reqlog.Field]int{
		reqlog.FieldProvider: columnProvider, reqlog.FieldModel: columnModel, reqlog.FieldServed: columnServed,
		reqlog.FieldEndpoint: columnEndpoint, reqlog.FieldType: columnType, reqlog.FieldKey: columnCaller,
		reqlog.FieldUserAgent: columnAgent, reqlog.FieldErrorType: columnError,
		reqlog.FieldRequestType: columnRequestType, reqlog.FieldResponseType: columnResponseType,
	}[f]
	if !ok {
		return textColumn{}, false
	}
	return columnTexts()[at], true
}

// numberColumn is the expression of a field that has an order.
func numberColumn(f reqlog.Field, day int64) string {
	switch f {
	case reqlog.FieldDuration:
		return "r.duration"
	case reqlog.FieldTTFT:
		return "r.first_token"
	case reqlog.FieldCost:
		return "r.cost"
	case reqlog.FieldTokens:
		return "CASE WHEN r.tokens_in IS NULL THEN r.tokens_out ELSE r.tokens_in + ifnull(r.tokens_out, 0) END"
	case reqlog.FieldTokensIn:
		return "r.tokens_in"
	case reqlog.FieldTokensOut:
		return "r.tokens_out"
	case reqlog.FieldAttempts:
		return "s.attempts"
	case reqlog.FieldFeedback:
		return fmt.Sprintf("nullif((s.flags >> %d & 3) - 1, 0)", shiftFeedback)
	case reqlog.FieldSuccess:
		return "(s.flags & 1)"
	case reqlog.FieldStream:
		return "(s.flags >> 1 & 1)"
	case reqlog.FieldCached:
		return fmt.Sprintf("(%s = %d)", cacheColumn, sluice.CacheHit)
	case reqlog.FieldCreated, reqlog.FieldRange:
		return fmt.Sprintf("((r.id >> %d) + %d)", counterBits, day*dayMillis)
	case reqlog.FieldStatus:
		return "s.status"
	}
	return ""
}

// numbers adds a condition on a number. It is made two-valued: what is unknown is in no range.
func (w *where) numbers(c *reqlog.Cond, day int64) {
	column := numberColumn(c.Field, day)
	if column == "" {
		w.after = append(w.after, *c)
		return
	}
	w.addAny(rangeConds(column, c.Ranges), c.Not)
}

func rangeConds(column string, ranges []reqlog.Range) []string {
	var any []string
	for _, r := range ranges {
		if r.None {
			any = append(any, "("+column+") IS NULL")
		} else {
			any = append(any, fmt.Sprintf("ifnull((%s) BETWEEN %s AND %s, 0)", column, integer(r.Lo), integer(r.Hi)))
		}
	}
	return any
}

// integer writes n so that SQLite reads an integer: it has no literal for the smallest.
func integer(n int64) string { return strconv.FormatInt(max(n, math.MinInt64+1), 10) }

func (w *where) addAny(any []string, not bool) {
	cond := "(" + strings.Join(any, " OR ") + ")"
	if len(any) == 0 {
		cond = "0"
	}
	if not {
		cond = "NOT " + cond
	}
	w.and = append(w.and, cond)
}

func (w *where) statuses(c *reqlog.Cond) {
	any := rangeConds("s.status", c.Ranges)
	for _, class := range c.Classes {
		for _, one := range class.Cases {
			var and []string
			if one.MinStatus > 0 {
				and = append(and, fmt.Sprintf("ifnull(s.status BETWEEN %d AND %d, 0)", one.MinStatus, one.MaxStatus))
			}
			if one.Success != 0 {
				and = append(and, fmt.Sprintf("s.flags & 1 = %d", count(one.Success > 0)))
			}
			if one.Endings != 0 {
				and = append(and, fmt.Sprintf("%d >> %s & 1", one.Endings, endingColumn))
			}
			if one.Hit {
				and = append(and, fmt.Sprintf("%s = %d", cacheColumn, sluice.CacheHit))
			}
			any = append(any, "("+strings.Join(and, " AND ")+")")
		}
	}
	w.addAny(any, c.Not)
}

// ids adds a condition on ids. Their random part is in the entry only.
func (w *where) ids(c *reqlog.Cond, day int64) {
	w.after = append(w.after, *c)
	if c.Not {
		return
	}
	var rows []int64
	for _, id := range c.IDs {
		if dayOf(id) == day {
			rows = append(rows, rowOf(id))
		}
	}
	w.addIn("r.id", rows, false)
	w.none = w.none || len(rows) == 0
}
