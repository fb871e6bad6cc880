package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// dimension is one thing that a roll-up's value tells of an exchange.
type dimension string

const (
	byProvider dimension = "provider"
	byModel    dimension = "model"
	byCaller   dimension = "key"
	byOutcome  dimension = "outcome" // status, success, ending, what the cache did
	byFault    dimension = "error_type"
	byGateway  dimension = "gateway"
	byMeta     dimension = "meta:" // with a key behind it
)

// answerable is a question with what its values tell.
type answerable struct {
	question int32
	tells    []dimension
}

// answerables are the questions, those with the fewest values first. That of a metadata key is none of them.
func answerables() []answerable {
	return []answerable{
		{questionTotal, nil},
		{questionProvider, []dimension{byProvider}},
		{questionModel, []dimension{byModel}},
		{questionCaller, []dimension{byCaller}},
		{questionOutcome, []dimension{byOutcome}},
		{questionGateway, []dimension{byGateway}},
		{questionTarget, []dimension{byProvider, byModel}},
		{questionFault, []dimension{byProvider, byFault}},
		{questionCourse, []dimension{byOutcome, byProvider, byModel}},
	}
}

// dimensionOfGroup returns what a roll-up must tell for a group.
func dimensionOfGroup(g reqlog.Group) dimension {
	switch g {
	case reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupGateway, reqlog.GroupErrorType:
		return dimension(g)
	case reqlog.GroupStatus, reqlog.GroupCache, reqlog.GroupOutcome:
		return byOutcome
	}
	key, _ := g.Meta()
	return byMeta + dimension(key)
}

// dimensionOfCond returns what a roll-up must tell for a condition; false: none tells it.
func dimensionOfCond(c *reqlog.Cond) (dimension, bool) {
	switch c.Field {
	case reqlog.FieldProvider, reqlog.FieldModel, reqlog.FieldKey, reqlog.FieldGateway, reqlog.FieldErrorType:
		return dimension(c.Field), true
	case reqlog.FieldStatus, reqlog.FieldSuccess, reqlog.FieldEnding, reqlog.FieldCached, reqlog.FieldCache:
		return byOutcome, true
	case reqlog.FieldMeta:
		return byMeta + dimension(c.Key), c.Key != ""
	}
	return "", false
}

// totaling is one call of Totals.
type totaling struct {
	*tally
	x        *Index
	question int32
	key      string // of metadata
	charges  bool   // those of other models are moved to them
	attempts bool
	account  string
	gateway  string
	each     bool // the cells of each gateway are read, for the account's
	conds    []reqlog.Cond
	packs    map[int64]bool // sealed days that are packed, as of the piece that is read
}

// wholeDay reports whether a day lies in one interval.
func (t *totaling) wholeDay(day int64) bool {
	return t.intervalOf(day*dayMinutes) == t.intervalOf((day+1)*dayMinutes-1)
}

// Totals implements reqlog.Store. The range is widened to whole minutes; two days after they happened,
// exchanges are no longer known by the minute but for GroupNone, and the ends move to quarters of an
// hour. Sums of a group come with the intervals that have any; those of GroupNone with all.
//
// Where what a question has does not add up to what happened, it was not asked all the while, or some values
// have no place of their own: the answer is reqlog.ErrNotRolledUp.
func (x *Index) Totals(ctx context.Context, q reqlog.TotalsQuery) ([]reqlog.Total, error) {
	t, err := x.newTotaling(&q)
	if err != nil {
		return nil, err
	}
	var list []piece
	for i := range len(t.edges) - 1 {
		list = pieces(list, t.edges[i], t.edges[i+1])
	}
	for _, one := range list {
		if err := t.read(ctx, one); err != nil {
			return nil, fmt.Errorf("totals: %w", err)
		}
	}
	return t.result(), nil
}

func (x *Index) newTotaling(q *reqlog.TotalsQuery) (*totaling, error) {
	t := &totaling{x: x, attempts: q.PerAttempt, account: q.Account, gateway: q.Gateway}
	var err error
	if t.tally, err = x.newTally(q); err != nil {
		return nil, err
	}
	if t.conds, err = q.Filter.Compile(time.Now()); err != nil {
		return nil, err
	}
	return t, t.choose()
}

// choose finds the question that tells what the groups and conditions ask for.
func (t *totaling) choose() error {
	var wanted []dimension
	want := func(d dimension) {
		if !slices.Contains(wanted, d) && (d != byGateway || t.gateway == "") {
			wanted = append(wanted, d)
		}
	}
	for _, g := range t.groups {
		want(dimensionOfGroup(g))
	}
	models := slices.Contains(t.groups, reqlog.GroupModel)
	for i := range t.conds {
		d, ok := dimensionOfCond(&t.conds[i])
		if !ok {
			return reqlog.ErrNotRolledUp
		}
		want(d)
		models = models && d != byModel
	}
	if t.find(wanted) {
		t.charges = models
		return nil
	}
	// The account's gateways have cells of their own, which tell of one thing more.
	t.each = slices.Contains(wanted, byGateway)
	wanted = slices.DeleteFunc(wanted, func(d dimension) bool { return d == byGateway })
	if t.charges = models; t.each && t.find(wanted) {
		return nil
	}
	return reqlog.ErrNotRolledUp
}

// find sets the first question that tells all that is wanted.
func (t *totaling) find(wanted []dimension) bool {
	if len(wanted) == 1 && strings.HasPrefix(string(wanted[0]), string(byMeta)) {
		t.question, t.key = questionMeta, strings.TrimPrefix(string(wanted[0]), string(byMeta))
		return slices.Contains(t.x.metadata, t.key)
	}
	for _, a := range answerables() {
		if a.question == questionCourse && (t.times || !t.quarters(time.Now())) {
			continue // it knows neither times nor minutes
		}
		if !slices.ContainsFunc(wanted, func(d dimension) bool { return !slices.Contains(a.tells, d) }) {
			t.question = a.question
			return true
		}
	}
	return false
}

// quarters reports whether the intervals are of whole quarters of an hour; the last may end now.
func (t *totaling) quarters(now time.Time) bool {
	ends := t.edges
	if t.to() >= now.UnixMilli()/minuteMillis {
		ends = ends[:len(ends)-1]
	}
	return !slices.ContainsFunc(ends, func(at int64) bool { return at%grainQuarter != 0 })
}

// read adds a piece to the sums: day by day where the days' files must be asked, and at once for
// stretches of days that analytics.db has.
func (t *totaling) read(ctx context.Context, one piece) error {
	stretch := piece{grain: one.grain}
	flush := func() error {
		done := stretch
		stretch.from, stretch.to = 0, 0
		return t.readCopies(ctx, done)
	}
	days := t.x.dayList()
	t.packs = map[int64]bool{}
	for i := range days {
		if days[i].sealed && days[i].packed {
			t.packs[days[i].day] = true
		}
	}
	for _, d := range days {
		part := piece{one.grain, max(one.from, d.day*dayMinutes), min(one.to, (d.day+1)*dayMinutes)}
		if part.from >= part.to {
			continue
		}
		if d.minutes == noMinutes || d.minutes == totalMinutes && t.question != questionTotal || t.question == questionCourse {
			part.grain = max(part.grain, grainQuarter)
		}
		if d.sealed && part.grain != grainMinute && part.grain == stretch.grain {
			if stretch.to == 0 {
				stretch.from = part.from
			}
			stretch.to = part.to
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if err := t.readDay(ctx, d, part); err != nil {
			return err
		}
	}
	return flush()
}

// readDay adds what one day has.
func (t *totaling) readDay(ctx context.Context, d dayInfo, one piece) error {
	if d.sealed && one.grain != grainMinute {
		return t.readCopies(ctx, one)
	}
	asked := false
	err := t.x.with(ctx, d.day, func(p *part) error {
		asked = true
		p.rollMu.RLock()
		defer p.rollMu.RUnlock()
		return t.readFile(ctx, storedCells{f: p.file}, &p.names, &p.pending, one)
	})
	if err == nil && !asked { // removed meanwhile: what is left of it is in analytics.db
		one.grain = max(one.grain, grainQuarter)
		return t.readCopies(ctx, one)
	}
	return err
}

func (t *totaling) readCopies(ctx context.Context, one piece) error {
	if one.from >= one.to {
		return nil
	}
	return t.readFile(ctx, storedCells{f: t.x.copies.file, packs: t.packs, whole: t.wholeDay}, &t.x.copies.names, nil, one)
}

// fileTotaling is what a call of Totals knows of one file.
type fileTotaling struct {
	*totaling
	f       *file
	stored  storedCells // of f
	n       *names
	pending *pending // nil: there is none
	one     piece
	gateway string // whose cells are read
	places  map[int32]*filePlace
	counted int64 // requests, whatever the conditions say
}

// filePlace is where a value of a file is counted.
type filePlace struct {
	group [maxLevels]string
	out   bool // its conditions do not hold
}

// readFile adds what a file, and what is pending for it, has in a piece.
func (t *totaling) readFile(ctx context.Context, stored storedCells, n *names, waiting *pending, one piece) error {
	f := stored.f
	whole, err := f.textID(ctx, scopeOf(t.account, t.gateway))
	if err != nil || whole == 0 {
		return err
	}
	question := t.question
	if question == questionMeta {
		id, err := f.textID(ctx, textKey{textQuestion, t.key})
		if err != nil {
			return err
		}
		question += int32(id)
	}
	scopes := []fileScope{{int32(whole), t.gateway}}
	if t.each {
		if scopes, err = gatewayScopes(ctx, f, t.account); err != nil {
			return err
		}
	}
	ft := fileTotaling{totaling: t, f: f, stored: stored, n: n, pending: waiting, one: one}
	for _, scope := range scopes {
		ft.gateway, ft.places = scope.gateway, map[int32]*filePlace{}
		if err := ft.readScope(ctx, question, scope.id); err != nil {
			return err
		}
	}
	if question < questionOutcome && !t.each {
		return nil // asked since there are roll-ups
	}
	happened, err := ft.happened(ctx, int32(whole))
	if err == nil && happened != ft.counted {
		err = reqlog.ErrNotRolledUp
	}
	return err
}

// fileScope is a scope of a file and the gateway that it stands for.
type fileScope struct {
	id      int32
	gateway string
}

// gatewayScopes returns the gateways of an account.
func gatewayScopes(ctx context.Context, f *file, account string) ([]fileScope, error) {
	var list []fileScope
	err := all(ctx, f.read, func(r *sql.Rows) error {
		var id int32
		var text string
		err := r.Scan(&id, &text)
		_, gateway := splitScope(text)
		list = append(list, fileScope{id, gateway})
		return err
	}, "SELECT id, text FROM texts WHERE kind = ? AND text > ? AND text < ? AND kind <> 10",
		int64(textScope), account+scopeSeparator, account+string(scopeSeparator[0]+1))
	return list, err
}

// readScope adds a scope's cells.
func (t *fileTotaling) readScope(ctx context.Context, question, scope int32) error {
	questions := []int32{question}
	if t.charges && question == questionCourse {
		if err := t.noCharges(ctx, scope); err != nil {
			return err
		}
	} else if t.charges {
		questions = append(questions, questionCharge)
	}
	if t.attempts {
		for _, q := range slices.Clone(questions) {
			questions = append(questions, -q)
		}
	}
	for _, q := range questions {
		counts := q == question
		if err := t.readPending(ctx, q, scope, counts); err != nil {
			return err
		}
		if err := t.readStored(ctx, q, scope, counts); err != nil {
			return err
		}
	}
	return nil
}

// noCharges holds that there are none of other models: which outcome they are of, nobody knows.
func (t *fileTotaling) noCharges(ctx context.Context, scope int32) error {
	found := false
	if t.pending != nil {
		t.pending.each(questionCharge, scope, func(int64, int32, *cell) { found = true })
	}
	err := t.stored.each(ctx, group{questionCharge, scope}, t.one, func(int64, int32, []byte) error {
		found = true
		return nil
	})
	if found && err == nil {
		err = reqlog.ErrNotRolledUp
	}
	return err
}

func (t *fileTotaling) readPending(ctx context.Context, question, scope int32, counts bool) (err error) {
	if t.pending == nil {
		return nil
	}
	t.pending.each(question, scope, func(at int64, value int32, c *cell) {
		if at -= at % t.one.grain; err != nil || at < t.one.from || at >= t.one.to {
			return
		}
		if counts {
			t.counted += c.n[nRequests]
		}
		var sum *cell
		if sum, err = t.place(ctx, question, at, value); sum != nil {
			t.merge(sum, c)
		}
	})
	return err
}

func (t *fileTotaling) readStored(ctx context.Context, question, scope int32, counts bool) error {
	return t.stored.each(ctx, group{question, scope}, t.one, func(at int64, value int32, b []byte) error {
		if counts {
			n, err := (&cellReader{left: b}).number(nRequests)
			if err != nil {
				return err
			}
			t.counted += n
		}
		sum, err := t.place(ctx, question, at, value)
		if err != nil || sum == nil {
			return err
		}
		r := cellReader{left: b}
		if t.times {
			return r.add(sum)
		}
		r.addNumbers(sum)
		if r.bad {
			return errCell
		}
		return nil
	})
}

// happened returns how many requests there were.
func (t *fileTotaling) happened(ctx context.Context, scope int32) (n int64, err error) {
	if t.pending != nil {
		t.pending.each(questionTotal, scope, func(at int64, _ int32, c *cell) {
			if at -= at % t.one.grain; t.one.from <= at && at < t.one.to {
				n += c.n[nRequests]
			}
		})
	}
	err = t.stored.each(ctx, group{questionTotal, scope}, t.one, func(_ int64, _ int32, b []byte) error {
		one, err := (&cellReader{left: b}).number(nRequests)
		n += one
		return err
	})
	return n, err
}

// place returns the sum that a cell belongs to; nil: the conditions leave it out.
func (t *fileTotaling) place(ctx context.Context, question int32, at int64, value int32) (*cell, error) {
	kind := question
	if kind == questionCharge || kind == -questionCharge {
		value += chargeValues // its values are others
	}
	known := t.places[value]
	if known == nil {
		var err error
		if known, err = t.newPlace(ctx, max(kind, -kind), value); err != nil {
			return nil, err
		}
		t.places[value] = known
	}
	if known.out {
		return nil, nil
	}
	return t.cell(t.intervalOf(at), known.group), nil
}

// newPlace finds out where a value is counted.
func (t *fileTotaling) newPlace(ctx context.Context, question, value int32) (*filePlace, error) {
	if question == questionCharge {
		value -= chargeValues
	}
	e := sluice.LogEntry{Gateway: t.gateway}
	known, err := t.tell(ctx, question, value, &e)
	if err != nil {
		return nil, err
	}
	if !known {
		if len(t.conds) > 0 {
			return nil, reqlog.ErrNotRolledUp
		}
		p := &filePlace{group: t.other()}
		for i, g := range t.groups {
			if g == reqlog.GroupGateway && question != questionGateway {
				p.group[i] = t.gateway
			}
		}
		return p, nil
	}
	return &filePlace{group: t.groupOf(&e), out: !reqlog.MatchAll(t.conds, &e)}, nil
}

// tell sets in e what a value tells of an exchange; false: it stands for several values.
func (t *fileTotaling) tell(ctx context.Context, question, value int32, e *sluice.LogEntry) (known bool, err error) {
	switch question {
	case questionTotal:
		return true, nil
	case questionOutcome:
		outcome(value).tell(e)
		return true, nil
	}
	if value == otherValue {
		return false, nil
	}
	text, err := t.n.get(ctx, t.f, int64(value))
	if err != nil {
		return false, err
	}
	first, second, _ := strings.Cut(text, pairSeparator)
	switch question {
	case questionProvider:
		e.Provider = text
	case questionModel:
		e.Model = text
	case questionCaller:
		e.Key = text
	case questionGateway:
		e.Gateway = text
	case questionTarget, questionCharge:
		e.Provider, e.Model = first, second
	case questionFault:
		e.Provider, e.ErrorKind = first, second
	case questionCourse:
		n, err := strconv.Atoi(first)
		if err != nil {
			return false, errCell
		}
		outcome(n).tell(e)
		e.Provider, e.Model, _ = strings.Cut(second, pairSeparator)
	default:
		if value != 0 {
			e.Metadata = []sluice.MetaValue{{Key: t.key, Value: text}}
		}
	}
	return true, nil
}

// SumRows implements reqlog.Store. The range is widened as in Totals, to whole minutes.
func (x *Index) SumRows(ctx context.Context, q reqlog.TotalsQuery) (reqlog.RowSums, error) {
	s, err := x.newTally(&q)
	if err != nil {
		return reqlog.RowSums{}, err
	}
	from, to := time.UnixMilli(s.from()*minuteMillis), time.UnixMilli(s.to()*minuteMillis)
	l, err := x.newListing(reqlog.Query{Account: q.Account, Gateway: q.Gateway, From: from, To: to, Filter: q.Filter, Desc: true, Limit: maxLimit})
	if err != nil {
		return reqlog.RowSums{}, err
	}
	s.times = true // they cost little beside the rows
	a := adding{tally: s, attempts: q.PerAttempt, conds: l.conds}
	a.charges = slices.Contains(s.groups, reqlog.GroupModel) && !slices.ContainsFunc(l.conds, func(c reqlog.Cond) bool { return c.Field == reqlog.FieldModel })
	if a.attempts {
		l.conds = anyAttempt(l.conds)
	}
	l.each = a.row
	if err := l.walk(ctx); err != nil {
		return reqlog.RowSums{}, fmt.Errorf("sum up rows: %w", err)
	}
	sums := reqlog.RowSums{Totals: s.result(), Partial: l.partial}
	if l.partial {
		sums.Since = time.UnixMilli(l.at.day*dayMillis + l.at.row>>counterBits).UTC()
	}
	return sums, nil
}

// anyAttempt leaves out the conditions that an attempt may meet although its request does not.
func anyAttempt(conds []reqlog.Cond) []reqlog.Cond {
	return slices.DeleteFunc(slices.Clone(conds), func(c reqlog.Cond) bool {
		d, ok := dimensionOfCond(&c)
		return !ok || d != byGateway && d != byCaller && !strings.HasPrefix(string(d), string(byMeta))
	})
}

// adding adds rows to sums.
type adding struct {
	*tally
	attempts bool
	charges  bool
	conds    []reqlog.Cond
	share    share
}

func (a *adding) row(row *reqlog.Row) error {
	e := &row.Entry
	at := e.ID.Milli() / minuteMillis
	if !a.attempts || !severalAttempts(e) {
		if !a.attempts || reqlog.MatchAll(a.conds, e) {
			a.add(e, at, func() { a.share.set(e, true); a.share.setRequest(e) })
		}
		return nil
	}
	items := reqlog.PerAttempt(e)
	for i := range items {
		if one := &items[i]; reqlog.MatchAll(a.conds, one) {
			one.Attempts = one.Attempts[:1]
			a.add(one, at, func() { a.share.set(one, false) })
		}
	}
	return nil
}

// add adds what set makes of a.share.
func (a *adding) add(e *sluice.LogEntry, at int64, set func()) {
	set()
	interval := a.intervalOf(at)
	a.cell(interval, a.groupOf(e)).add(&a.share, 1)
	for i := range e.Charges {
		c := &e.Charges[i]
		if !a.charges || c.Model == e.Model {
			continue
		}
		a.share.setCharge(c)
		a.cell(interval, a.groupOf(e)).add(&a.share, -1)
		other := *e
		other.Model = c.Model
		a.cell(interval, a.groupOf(&other)).add(&a.share, 1)
	}
}
