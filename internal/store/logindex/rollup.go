package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// What a roll-up is kept for. Stored: never renumber. A metadata key's question is questionMeta more
// than the id of its text. The cells of a question below zero are added to those of the question above it where
// attempts are counted in place of requests: most requests have one attempt, and need none.
const (
	questionTotal int32 = 1 + iota
	questionProvider
	questionModel
	questionCaller
	questionOldStatus // its values are the codes; no longer counted
	questionOldCache  // its values are sluice.CacheStatus; no longer counted
	questionGateway
	questionOutcome // its values are outcomes
	questionTarget  // provider and model
	questionFault   // provider and kind of error
	questionCharge  // as questionTarget: what is taken from there where models are told apart, and put elsewhere
	questionCourse  // outcome, provider and model: no minutes, and no histograms

	questionMeta int32 = 16
)

// The grains of roll-ups, in minutes. There are time zones of 30 and 45 minutes, so hours would not do.
const (
	grainMinute  = 1
	grainQuarter = 15
	grainHour    = 60
)

const (
	otherValue int32 = -1 // gathers the values beyond maxValues
	emptyValue int32 = -2 // of metadata that is there and empty
)

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

// gather collects what one transaction counts. Exchanges that are counted under the same values are one
// kind, and summed up as such: most traffic is of few kinds, and each is counted in 15 cells, over which it is
// spread only when the roll-ups are written.
type gather struct {
	p        *part
	metadata []string // keys that have roll-ups
	kinds    []kindSum
	kindAt   map[kindKey]int // in kinds
	last     int             // the kind that an exchange was counted under last
	cells    map[cellKey]*cell
	free     []*cell
	admitted []admission
	share    share
	charge   share
	text     []byte                 // course's
	scopes   map[[2]string]scopeIDs // by account and gateway
	recent   [2]string              // of scopes
	recentID scopeIDs
}

// kindKey is all that an exchange is counted under, but for metadata.
type kindKey struct {
	at                      int64 // unix minute
	scopes                  scopeIDs
	provider, model, caller int32
	outcome                 outcome
	fault                   int32 // kind of error
	attempts                bool  // of a question below zero
	narrow                  bool  // read from a delta that does not tell what is asked from questionOutcome on
}

// outcome is how an exchange went, as far as words of status, success, ending and cache tell it. Stored: bits
// never move.
type outcome int32

const (
	outcomeSuccess  = 1 << 10
	outcomeEnding   = 11 // four bits
	outcomeCache    = 15 // two bits
	outcomeStatuses = outcomeSuccess - 1
)

func outcomeOf(e *sluice.LogEntry) outcome {
	o := outcome(min(max(e.Status, 0), outcomeStatuses)) | outcome(e.Ending&15)<<outcomeEnding | outcome(e.Cache&3)<<outcomeCache
	if e.Success {
		o |= outcomeSuccess
	}
	return o
}

// tell sets in e what o says.
func (o outcome) tell(e *sluice.LogEntry) {
	e.Status, e.Success = int(o&outcomeStatuses), o&outcomeSuccess != 0
	e.Ending, e.Cache = sluice.Ending(o>>outcomeEnding&15), sluice.CacheStatus(o>>outcomeCache&3)
}

// pairSeparator stands between the two texts of a pair; no provider has it.
const pairSeparator = "\x1f"

// value returns what a kind is counted under for a question.
func (k *kindKey) value(question int32) int32 {
	switch question {
	case questionProvider:
		return k.provider
	case questionModel:
		return k.model
	case questionCaller:
		return k.caller
	case questionGateway:
		return int32(k.scopes.value)
	case questionOutcome:
		return int32(k.outcome)
	}
	return 0
}

// kindQuestions are those that kinds have cells of.
func kindQuestions() [9]int32 {
	return [...]int32{
		questionTotal, questionProvider, questionModel, questionCaller, questionGateway,
		questionOutcome, questionTarget, questionFault, questionCourse,
	}
}

// signed returns the question, below zero if the kind is one of attempts.
func (k *kindKey) signed(question int32) int32 {
	if k.attempts {
		return -question
	}
	return question
}

// The scopes that a kind is counted for: every exchange is counted for its account and for its gateway, so
// that neither has to be summed up from the other.
const (
	sideAccount = iota
	sideGateway
	sides
)

// scope returns one of the two; false: the kind is not counted for it.
func (k *kindKey) scope(question int32, side int) (int32, bool) {
	if side == sideAccount {
		return int32(k.scopes.account), true
	}
	return int32(k.scopes.gateway), k.scopes.gateway != 0 && question != questionGateway
}

// others tells which values of a kind are counted as other, a bit for each question and scope.
type others uint32

func otherBit(question int32, side int) others { return 1 << (int(question)*sides + side) }

// kindSum is the exchanges of one kind.
type kindSum struct {
	kindKey
	others others
	told
	before *kindSum // what the part has counted of this kind before the transaction, or nil
	cell
}

// told is the values of the questions that tell of several things.
type told struct{ target, faultPair, course int32 }

// counted returns the value that the kind is counted under.
func (s *kindSum) counted(question int32, side int) int32 {
	if s.others&otherBit(question, side) != 0 {
		return otherValue
	}
	return s.value(question)
}

// value returns what the kind is counted under for a question.
func (s *kindSum) value(question int32) int32 {
	switch question {
	case questionTarget:
		return s.target
	case questionFault:
		return s.faultPair
	case questionCourse:
		return s.course
	}
	return s.kindKey.value(question)
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
	g.kinds, g.last, g.admitted = g.kinds[:0], -1, g.admitted[:0]
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
		at: e.ID.Milli() / minuteMillis, scopes: r.scopes, outcome: outcomeOf(e),
		provider: int32(r.shape.texts[columnProvider]), model: int32(r.shape.texts[columnModel]), caller: int32(r.shape.texts[columnCaller]),
		fault: int32(r.shape.texts[columnError]),
	}, 1, true)
}

// entry counts e, sign times; stored: it has a row.
func (g *gather) entry(ctx context.Context, e *sluice.LogEntry, sign int64, stored bool) error {
	k, err := g.kindOf(ctx, e)
	if err != nil {
		return err
	}
	return g.add(ctx, e, k, sign, stored)
}

// kindOf returns what e is counted under.
func (g *gather) kindOf(ctx context.Context, e *sluice.LogEntry) (k kindKey, err error) {
	if k.scopes, err = g.scopesOf(ctx, e); err != nil {
		return k, err
	}
	k.at, k.outcome = e.ID.Milli()/minuteMillis, outcomeOf(e)
	for _, named := range [...]struct {
		to *int32
		textKey
	}{
		{&k.provider, textKey{textProvider, e.Provider}},
		{&k.model, textKey{textModel, e.Model}},
		{&k.caller, textKey{textCaller, e.Key}},
		{&k.fault, textKey{textError, e.ErrorKind}},
	} {
		id, err := g.p.texts.id(ctx, named.kind, named.text)
		if err != nil {
			return k, err
		}
		*named.to = int32(id)
	}
	return k, nil
}

// add counts e under k, and its attempts if they are more than the request itself.
func (g *gather) add(ctx context.Context, e *sluice.LogEntry, k kindKey, sign int64, stored bool) error {
	g.share.set(e, stored)
	g.share.setRequest(e)
	if err := g.addShare(ctx, e, k, sign); err != nil || !severalAttempts(e) {
		return err
	}
	g.share.set(e, false)
	k.attempts = true
	if err := g.addShare(ctx, e, k, -sign); err != nil {
		return err
	}
	items := reqlog.PerAttempt(e)
	for i := range items {
		one := &items[i]
		own, err := g.kindOf(ctx, one)
		if err != nil {
			return err
		}
		one.Attempts = one.Attempts[:1]
		own.attempts = true
		g.share.set(one, false)
		if err := g.addShare(ctx, one, own, sign); err != nil {
			return err
		}
	}
	return nil
}

// severalAttempts reports whether e counts otherwise where attempts are counted. Of exchanges that were only
// counted, older records tell no more than how many there were.
func severalAttempts(e *sluice.LogEntry) bool {
	n := len(e.Attempts)
	switch {
	case n == 0 || n == 1 && reqlog.Answering(e) == 0:
		return false
	case n > 1 && e.Attempts[0] == (sluice.Attempt{}):
		return false
	}
	return true
}

// addShare adds g.share, which is e's, to the kind k.
func (g *gather) addShare(ctx context.Context, e *sluice.LogEntry, k kindKey, sign int64) error {
	if e.Gateway == "" {
		k.scopes.gateway = 0
	}
	if g.last < 0 || g.kinds[g.last].kindKey != k {
		if err := g.turnTo(ctx, e, &k); err != nil {
			return err
		}
	}
	g.kinds[g.last].cell.add(&g.share, sign)
	if len(g.metadata) == 0 && len(e.Charges) == 0 {
		return nil
	}
	kind := k // the functions would have k allocated for every exchange
	if err := g.addMeta(ctx, e, &kind, sign); err != nil {
		return err
	}
	return g.addCharges(ctx, e, &kind, sign)
}

// turnTo makes a kind the last one.
func (g *gather) turnTo(ctx context.Context, e *sluice.LogEntry, k *kindKey) error {
	i, ok := g.kindAt[*k]
	if !ok {
		i = len(g.kinds)
		if i < cap(g.kinds) {
			g.kinds = g.kinds[:i+1]
			g.kinds[i].cell.reset()
		} else {
			g.kinds = append(g.kinds, kindSum{})
		}
		s := &g.kinds[i]
		s.kindKey, s.others, s.before = *k, 0, g.p.pending.kinds[*k]
		if s.before != nil {
			s.others, s.told = s.before.others, s.before.told
		} else if err := g.admitKind(ctx, e, s); err != nil {
			g.kinds = g.kinds[:i]
			return err
		}
		g.kindAt[*k] = i
	}
	g.last = i
	return nil
}

// admitKind decides which values of a new kind are counted as other.
func (g *gather) admitKind(ctx context.Context, e *sluice.LogEntry, s *kindSum) (err error) {
	if s.target, err = g.pair(ctx, s.provider, e.Provider, e.Model); err != nil {
		return err
	}
	if s.faultPair, err = g.pair(ctx, s.provider, e.Provider, e.ErrorKind); err != nil {
		return err
	}
	if s.course, err = g.course(ctx, s, e); err != nil {
		return err
	}
	if s.model == spilled {
		s.target, s.course = spilled, spilled
	}
	if s.kindKey.fault == spilled {
		s.faultPair = spilled
	}
	for _, question := range [...]int32{questionProvider, questionModel, questionCaller, questionGateway, questionTarget, questionFault, questionCourse} {
		for side := range sides {
			scope, ok := s.scope(question, side)
			if !ok {
				continue
			}
			value, err := g.admit(ctx, cellKey{question, scope, s.value(question), s.at})
			if err != nil {
				return err
			}
			if value == otherValue {
				s.others |= otherBit(question, side)
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

// addMeta counts g.share under the metadata that has roll-ups.
func (g *gather) addMeta(ctx context.Context, e *sluice.LogEntry, k *kindKey, sign int64) error {
	for _, key := range g.metadata {
		question, err := g.p.texts.id(ctx, textQuestion, key)
		if err != nil {
			return err
		}
		value := int64(otherValue)
		switch text, found := reqlog.MetaOf(e, key); {
		case !found:
			value = 0
		case text == "":
			value = int64(emptyValue)
		case text != reqlog.OtherValue:
			if value, err = g.p.texts.id(ctx, textValue, text); err != nil {
				return err
			}
		}
		err = g.both(ctx, k, k.signed(questionMeta+int32(question)), int32(value), func(c *cell) { c.add(&g.share, sign) })
		if err != nil {
			return err
		}
	}
	return nil
}

// addCharges moves what other models were charged for from the model that answered to them.
func (g *gather) addCharges(ctx context.Context, e *sluice.LogEntry, k *kindKey, sign int64) error {
	for i := range e.Charges {
		c := &e.Charges[i]
		if c.Model == e.Model {
			continue
		}
		g.charge.setCharge(c)
		for _, side := range [...]struct {
			model string
			sign  int64
		}{{e.Model, -sign}, {c.Model, sign}} {
			value, err := g.pair(ctx, k.provider, e.Provider, side.model)
			if err != nil {
				return err
			}
			err = g.both(ctx, k, k.signed(questionCharge), value, func(c *cell) { c.add(&g.charge, side.sign) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// pair returns the id of a provider with another text.
func (g *gather) pair(ctx context.Context, id int32, provider, text string) (int32, error) {
	if id == spilled || strings.Contains(provider, pairSeparator) {
		return spilled, nil
	}
	pair, err := g.p.texts.id(ctx, textPair, provider+pairSeparator+text)
	return int32(pair), err
}

// course returns the id of an outcome with a provider and a model, which can have any bytes and so comes last.
func (g *gather) course(ctx context.Context, s *kindSum, e *sluice.LogEntry) (int32, error) {
	if s.provider == spilled || strings.Contains(e.Provider, pairSeparator) {
		return spilled, nil
	}
	g.text = strconv.AppendInt(g.text[:0], int64(s.outcome), 10)
	g.text = append(append(g.text, pairSeparator...), e.Provider...)
	g.text = append(append(g.text, pairSeparator...), e.Model...)
	id, err := g.p.texts.id(ctx, textCourse, string(g.text))
	return int32(id), err
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
	case questionTotal, questionOutcome:
		return key.value, nil
	}
	switch key.value {
	case spilled:
		return otherValue, nil
	case emptyValue:
		return emptyValue, nil
	}
	// Both signs have the same values, so that what one takes away the other has.
	set, err := g.p.valuesOf(ctx, setKey{max(key.question, -key.question), key.scope, key.at - key.at%grainHour})
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
	}, "SELECT value FROM rollups WHERE question IN (?, ?) AND scope = ? AND grain = ? AND at = ?", k.question, -k.question, k.scope, grainHour, k.hour)
	if err != nil {
		return nil, fmt.Errorf("values of an hour: %w", err)
	}
	p.values[k] = set
	return set, nil
}
