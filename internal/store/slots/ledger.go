package slots

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/spend"
)

const (
	// labelBytes is how much of a key a budget's slot keeps, so that a list can name it.
	labelBytes = 240

	// defaultMaxBudgets bounds the file of budgets to 800 MB, defaultMaxHolds that of holds to 50 MB.
	defaultMaxBudgets = 1 << 20
	defaultMaxHolds   = 1 << 16

	// pendingFor is how long a cost may be corrected.
	pendingFor = time.Hour
)

// budgetSlot is what a budget has in the file. A zero check: it is free, and all else is zero too. Its counts are
// nano-USD.
type budgetSlot struct {
	check  check
	counts limit.Counts
	length uint64 // of the label
	label  [labelBytes]byte
}

// holdSlot is a hold in the file. A zero id: it is free.
//
// Booking writes into several budgets, and a kill may come between any two writes. So what is to be written stands
// here first, and the state says that it does: the next start does it again, which changes nothing that was done.
type holdSlot struct {
	id     [2]uint64
	state  holdState
	then   holdState // booking: what follows; heldFree ends it
	amount int64     // held: reserved; pending: booked
	delta  int64     // booking: what is added in each budget
	after  int64     // booking: amount, when it is done
	at     int64     // of the last change, in nanoseconds since 1970
	n      uint64    // claims
	claims [spend.MostClaims]claimSlot
}

// claimSlot is a hold's part in one budget.
type claimSlot struct {
	budget uint64 // number of its slot
	check  uint64 // the first half of the budget's
	part   uint64 // where it is or was booked
	before uint64 // booking: what stood there
}

// holdState is what a hold is for. Values stand in files: never renumber.
type holdState uint32

const (
	heldFree holdState = iota // it has ended
	held                      // amount is reserved
	booking                   // what is to be written stands in the slot
	pending                   // amount is booked, and may be corrected
)

// nowhere is the part of a claim that is booked no more.
const nowhere = ^uint64(0)

// budget is a budget in memory.
type budget struct {
	slot     *budgetSlot
	reserved int64 // by holds, nano-USD
	holds    int   // slots of holds that name it: it cannot be taken back
}

// LedgerOptions make a Ledger.
type LedgerOptions struct {
	Budgets string // path of the file of budgets; "": in memory only
	Holds   string // path of the file of holds; "": in memory only
	Logger  *slog.Logger

	MaxBudgets int // most in use at one time; 0: 2^20. Beyond, Reserve fails for new ones
	MaxHolds   int // most calls under way that hold something; 0: 2^16
}

// Ledger is a spend.Store for one process. OpenLedger makes one, Close ends it.
type Ledger struct {
	maxBudgets, maxHolds int

	mu       sync.Mutex // guards what follows, and all slots
	budgets  pool[budgetSlot]
	holds    pool[holdSlot]
	byKey    map[check]*budget
	byNumber []*budget // nil: the slot is free
	byID     map[sluice.ID]*holdSlot
	closed   bool
	swept    time.Time // when budgets were looked through for want of room

	dead map[sluice.ID]sluice.NanoUSD // what a dead process had reserved, by exchange
}

var _ spend.Store = (*Ledger)(nil)

// OpenLedger opens the files, or makes them, and books what a dead process had reserved. It always gives a ledger:
// where a file cannot be had it is in memory, and where one cannot be read it is moved aside. now is the time of
// the start.
func OpenLedger(o LedgerOptions, now time.Time) *Ledger { return openLedger(o, now, allocate) }

func openLedger(o LedgerOptions, now time.Time, allocate func(*os.File, int64, int64) error) *Ledger {
	l := &Ledger{
		maxBudgets: o.MaxBudgets, maxHolds: o.MaxHolds,
		byKey: map[check]*budget{}, byID: map[sluice.ID]*holdSlot{}, dead: map[sluice.ID]sluice.NanoUSD{},
	}
	if l.maxBudgets <= 0 {
		l.maxBudgets = defaultMaxBudgets
	}
	if l.maxHolds <= 0 {
		l.maxHolds = defaultMaxHolds
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budgets = pool[budgetSlot]{
		kind: kind{magic: "sluice budgets", what: "budgets"},
		path: o.Budgets, logger: o.Logger, allocate: allocate, still: l.whileStill,
	}
	l.holds = pool[holdSlot]{
		kind: kind{magic: "sluice holds", what: "reservations"},
		path: o.Holds, logger: o.Logger, allocate: allocate, still: l.whileStill,
	}
	l.budgets.open(l.indexBudgets)
	l.holds.open(func(chunk []holdSlot) ([]*holdSlot, int) { return l.indexHolds(chunk, now) })
	l.budgets.written()
	l.holds.written()
	return l
}

// whileStill runs do while nobody writes.
func (l *Ledger) whileStill(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// indexBudgets finds the budgets of a chunk, and its free slots.
func (l *Ledger) indexBudgets(chunk []budgetSlot) (free []*budgetSlot, damaged int) {
	for i := range chunk {
		s := &chunk[i]
		_, twice := l.byKey[s.check]
		var b *budget
		switch {
		case s.check == check{}:
		case twice || !s.counts.Sound() || s.length > labelBytes:
			damaged++
		default:
			b = &budget{slot: s}
			l.byKey[s.check] = b
		}
		if b == nil {
			if *s != (budgetSlot{}) { // written to, its page would have to go to the disk
				clearBudget(s)
			}
			free = append(free, s)
		}
		l.byNumber = append(l.byNumber, b)
	}
	return free, damaged
}

func clearBudget(s *budgetSlot) {
	s.counts.Clear()
	s.check, s.length = check{}, 0
}

// indexHolds ends what a dead process left: a booking that was under way is done, what was reserved is booked. What
// may still be corrected stays.
func (l *Ledger) indexHolds(chunk []holdSlot, now time.Time) (free []*holdSlot, damaged int) {
	for i := range chunk {
		h := &chunk[i]
		if h.id == [2]uint64{} {
			free = append(free, h)
			continue
		}
		if !h.sound() {
			damaged++
			l.clearHold(h)
			free = append(free, h)
			continue
		}
		l.forget(h)
		if h.state == booking {
			l.carryOut(h)
		}
		if h.state == held {
			id := h.exchange().WithAttempt(0)
			l.dead[id] = addUp(l.dead[id], sluice.NanoUSD(h.amount))
			l.bookDead(h, now)
		}
		_, twice := l.byID[h.exchange()]
		if h.state == heldFree || twice || now.UnixNano()-h.at > int64(pendingFor) {
			l.clearHold(h)
			free = append(free, h)
			continue
		}
		l.byID[h.exchange()] = h
		for _, c := range h.claims[:h.n] {
			if b := l.budget(&c); b != nil {
				b.holds++
			}
		}
	}
	return free, damaged
}

// sound reports whether the words can be a hold.
func (h *holdSlot) sound() bool {
	return h.state <= pending && h.n <= spend.MostClaims && h.amount >= 0 && h.after >= 0 && h.then <= pending && h.then != booking
}

// forget drops the claims whose budgets are not there any more: the disk may have one file's newer state than the
// other's when the power failed.
func (l *Ledger) forget(h *holdSlot) {
	kept := h.claims[:0]
	for _, c := range h.claims[:h.n] {
		if l.budget(&c) != nil {
			kept = append(kept, c)
		}
	}
	h.n = uint64(len(kept))
}

// budget finds the budget of a claim; nil: it is gone.
func (l *Ledger) budget(c *claimSlot) *budget {
	if c.budget >= uint64(len(l.byNumber)) {
		return nil
	}
	if b := l.byNumber[c.budget]; b != nil && b.slot.check[0] == c.check {
		return b
	}
	return nil
}

func (h *holdSlot) exchange() sluice.ID { return *(*sluice.ID)(unsafe.Pointer(&h.id)) }

// bookDead books what a dead process had reserved, in those windows that have not ended since.
func (l *Ledger) bookDead(h *holdSlot, now time.Time) {
	for i := range h.claims[:h.n] {
		c := &h.claims[i]
		counts := &l.budget(c).slot.counts
		c.part = nowhere
		rule, on := counts.Rule()
		if on && time.Duration(now.UnixNano()-h.at) < rule.Per {
			c.part = counts.Open(rule, now)
		}
	}
	l.book(h, h.amount, heldFree, 0)
}

// book adds delta in all budgets of a hold, where their parts say, and then makes the hold what follows. A kill at
// any point leaves all of it or nothing.
func (l *Ledger) book(h *holdSlot, delta int64, then holdState, after int64) {
	for i := range h.claims[:h.n] {
		c := &h.claims[i]
		c.before = 0
		if word := l.budget(c).slot.counts.At(c.part); word != nil {
			c.before = *word
		} else {
			c.part = nowhere
		}
	}
	h.delta, h.then, h.after = delta, then, after
	h.setState(booking)
	l.carryOut(h)
}

// carryOut does what stands in the slot of a booking.
func (l *Ledger) carryOut(h *holdSlot) {
	for i := range h.claims[:h.n] {
		c := &h.claims[i]
		if word := l.budget(c).slot.counts.At(c.part); word != nil {
			atomic.StoreUint64(word, bounded(c.before, h.delta))
		}
	}
	atomic.StoreInt64(&h.amount, h.after)
	h.setState(h.then)
}

// setState writes after all that was written before it.
func (h *holdSlot) setState(s holdState) { atomic.StoreUint32((*uint32)(&h.state), uint32(s)) }

// bounded is a count with delta added, within what counts may be.
func bounded(n uint64, delta int64) uint64 {
	if delta < 0 {
		return n - min(n, uint64(-delta))
	}
	return min(n+uint64(delta), limit.MostCounted)
}

func addUp(a, b sluice.NanoUSD) sluice.NanoUSD {
	if a > limit.MostCounted-b {
		return limit.MostCounted
	}
	return a + b
}

// clearHold makes a slot zero, its id first: without one it is free, whatever else is in it.
func (l *Ledger) clearHold(h *holdSlot) {
	atomic.StoreUint64(&h.id[0], 0)
	h.id[1] = 0
	*h = holdSlot{}
}

// end takes a hold from memory and file. Its reservation has been given back.
func (l *Ledger) end(h *holdSlot) {
	delete(l.byID, h.exchange())
	for i := range h.claims[:h.n] {
		l.budget(&h.claims[i]).holds--
	}
	l.clearHold(h)
	l.holds.give(h)
}

// Dead returns what an exchange of a dead process had reserved when the ledger was opened. false: nothing.
func (l *Ledger) Dead(exchange sluice.ID) (sluice.NanoUSD, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	amount, ok := l.dead[exchange]
	return amount, ok
}

// Reserve implements spend.Store.
func (l *Ledger) Reserve(_ context.Context, id sluice.ID, claims []spend.Claim, amount sluice.NanoUSD, now time.Time) (spend.Decision, error) {
	var checks [spend.MostClaims]check
	for i := range claims {
		checks[i] = checkOf(claims[i].Key)
	}
	amount = min(max(amount, 0), limit.MostCounted)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return spend.Decision{}, errLedgerClosed()
	}
	h, more := l.byID[id], int64(amount)
	if h != nil {
		if h.state != held {
			return spend.Decision{}, errors.New("the hold has been settled")
		}
		more -= h.amount
	}
	d := spend.Decision{OK: true}
	if h == nil || more > 0 {
		var err error
		if d, err = l.decide(claims, checks[:len(claims)], sluice.NanoUSD(more), now); err != nil || !d.OK {
			return d, err
		}
	}
	if h == nil {
		var err error
		if h, err = l.newHold(id, claims, checks[:len(claims)], now); err != nil {
			return spend.Decision{}, err
		}
		more = int64(amount)
	}
	for i := range h.claims[:h.n] {
		b := l.budget(&h.claims[i])
		b.reserved = int64(addUp(sluice.NanoUSD(b.reserved), sluice.NanoUSD(more)))
	}
	h.at = now.UnixNano()
	atomic.StoreInt64(&h.amount, int64(amount))
	l.holds.written()
	return d, nil
}

// decide asks all budgets.
func (l *Ledger) decide(claims []spend.Claim, checks []check, more sluice.NanoUSD, now time.Time) (spend.Decision, error) {
	d := spend.Decision{OK: true}
	for i := range claims {
		rule := claims[i].Rule
		b, err := l.open(claims[i].Key, checks[i], now)
		if err != nil {
			return spend.Decision{}, err
		}
		b.slot.counts.Open(spend.Window(rule), now)
		l.budgets.written()
		s := b.state(rule, now)
		switch {
		case s.Open(rule, more):
		case rule.Alert:
			d.Over |= 1 << i
		case d.OK:
			d.OK, d.Claim, d.After = false, i, b.wait(rule, s, more, now)
		}
	}
	return d, nil
}

// state is how a budget stands, whose window is that of now.
func (b *budget) state(rule *sluice.SpendRule, now time.Time) spend.State {
	counts := &b.slot.counts
	return spend.State{
		Spent: sluice.NanoUSD(counts.Used()), Reserved: sluice.NanoUSD(b.reserved), Reset: counts.Wait(spend.Window(rule), 1, now),
	}
}

// wait is how long until more may fit in a budget that has no room.
func (b *budget) wait(rule *sluice.SpendRule, s spend.State, more sluice.NanoUSD, now time.Time) time.Duration {
	if s.Reserved = 0; s.Open(rule, more) {
		return time.Second // what is reserved may become free at any time
	}
	if !rule.Hard {
		return s.Reset
	}
	return b.slot.counts.Wait(spend.Window(rule), max(int64(more), 1), now)
}

// open finds a budget, or takes a slot for it.
func (l *Ledger) open(key string, c check, now time.Time) (*budget, error) {
	if b := l.byKey[c]; b != nil {
		return b, nil
	}
	s := l.budgets.take()
	if s == nil {
		if err := l.budgetRoom(now); err != nil {
			return nil, err
		}
		s = l.budgets.take()
	}
	s.length = uint64(copy(s.label[:], key))
	s.check[1] = c[1]
	s.check[0] = c[0] // last: without it the slot is nobody's
	b := &budget{slot: s}
	l.byKey[c] = b
	l.byNumber[numberOf(&l.budgets, s)] = b
	return b, nil
}

// numberOf is the number of a slot among all of its pool.
func numberOf[S any](p *pool[S], s *S) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := uintptr(unsafe.Pointer(s))
	for i, chunk := range p.chunks {
		first := uintptr(unsafe.Pointer(&chunk[0]))
		if at >= first && at < first+uintptr(bytesPerChunk[S]()) {
			return i*chunkSlots + int((at-first)/unsafe.Sizeof(*s))
		}
	}
	panic("slots: a slot of no chunk") // cannot be: slots come from chunks
}

// budgetRoom makes at least one slot of a budget free.
func (l *Ledger) budgetRoom(now time.Time) error {
	slots, _ := l.budgets.size()
	full, freed := slots >= l.maxBudgets, 0
	if !full || now.Sub(l.swept).Abs() >= time.Second { // sweeping for each new budget would be slow
		freed = l.sweep(now)
	}
	switch {
	case full && freed == 0:
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "too many budgets are in use at one time"}
	case !full && freed < chunkSlots/4:
		l.budgets.grow()
		l.byNumber = append(l.byNumber, make([]*budget, chunkSlots)...)
	}
	return nil
}

// sweep frees the slots of budgets in which nothing counts any more.
func (l *Ledger) sweep(now time.Time) (freed int) {
	for i, b := range l.byNumber {
		if b == nil || b.holds > 0 || !b.slot.counts.Expire(now) {
			continue
		}
		delete(l.byKey, b.slot.check)
		l.byNumber[i] = nil
		clearBudget(b.slot)
		l.budgets.give(b.slot)
		freed++
	}
	l.swept = now
	return freed
}

// newHold takes a slot for a hold that keeps nothing yet.
func (l *Ledger) newHold(id sluice.ID, claims []spend.Claim, checks []check, now time.Time) (*holdSlot, error) {
	h := l.holds.take()
	if h == nil {
		if err := l.holdRoom(now); err != nil {
			return nil, err
		}
		h = l.holds.take()
	}
	for i := range claims {
		b := l.byKey[checks[i]]
		b.holds++
		h.claims[i] = claimSlot{budget: uint64(numberOf(&l.budgets, b.slot)), check: checks[i][0], part: nowhere}
	}
	h.n, h.state, h.at, h.amount = uint64(len(claims)), held, now.UnixNano(), 0
	words := *(*[2]uint64)(unsafe.Pointer(&id))
	h.id[1] = words[1]
	atomic.StoreUint64(&h.id[0], words[0]) // last: without it the slot is nobody's
	l.byID[id] = h
	return h, nil
}

// holdRoom makes at least one slot of a hold free: of a cost that cannot be corrected any more, or, before calls are
// refused, of one that could.
func (l *Ledger) holdRoom(now time.Time) error {
	slots, _ := l.holds.size()
	full, freed := slots >= l.maxHolds, 0
	for _, h := range l.byID {
		if h.state == pending && (full || now.UnixNano()-h.at > int64(pendingFor)) {
			l.end(h)
			freed++
		}
	}
	switch {
	case full && freed == 0:
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "too many calls are under way that hold money of budgets"}
	case !full && freed < chunkSlots/4:
		l.holds.grow()
	}
	return nil
}

// Settle implements spend.Store.
func (l *Ledger) Settle(_ context.Context, id sluice.ID, cost sluice.NanoUSD, how spend.How, now time.Time) error {
	cost = min(max(cost, 0), limit.MostCounted)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errLedgerClosed()
	}
	h := l.byID[id]
	if h == nil || h.state != held {
		return nil
	}
	for i := range h.claims[:h.n] {
		c := &h.claims[i]
		c.part = nowhere
		counts := &l.budget(c).slot.counts
		if rule, on := counts.Rule(); on {
			c.part = counts.Open(rule, now)
		}
	}
	reserved := h.amount
	h.at = now.UnixNano()
	switch how {
	case spend.Part:
		l.book(h, int64(cost), held, reserved)
		reserved = 0
	case spend.Pending:
		l.book(h, int64(cost), pending, int64(cost))
	default:
		l.book(h, int64(cost), heldFree, 0)
	}
	for i := range h.claims[:h.n] {
		b := l.budget(&h.claims[i])
		b.reserved = max(b.reserved-reserved, 0)
	}
	if h.state == heldFree {
		l.end(h)
	}
	l.budgets.written()
	l.holds.written()
	return nil
}

// Correct implements spend.Store.
func (l *Ledger) Correct(_ context.Context, id sluice.ID, cost sluice.NanoUSD, now time.Time) error {
	cost = min(max(cost, 0), limit.MostCounted)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errLedgerClosed()
	}
	h := l.byID[id]
	if h == nil || h.state != pending || now.UnixNano()-h.at > int64(pendingFor) {
		return nil
	}
	l.book(h, int64(cost)-h.amount, heldFree, 0)
	l.end(h)
	l.budgets.written()
	l.holds.written()
	return nil
}

// Peek implements spend.Store.
func (l *Ledger) Peek(_ context.Context, claim spend.Claim, now time.Time) (spend.State, error) {
	c := checkOf(claim.Key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return spend.State{}, errLedgerClosed()
	}
	b := l.byKey[c]
	if b == nil {
		b = &budget{slot: &budgetSlot{}}
	}
	return b.peek(claim.Rule, now), nil
}

// peek is state without a change.
func (b *budget) peek(rule *sluice.SpendRule, now time.Time) spend.State {
	copied := budget{slot: &budgetSlot{counts: b.slot.counts}, reserved: b.reserved}
	copied.slot.counts.Open(spend.Window(rule), now)
	return copied.state(rule, now)
}

// listBatch is how many budgets are looked at while others wait.
const listBatch = 4096

// List implements spend.Store.
func (l *Ledger) List(_ context.Context, prefix string, rule *sluice.SpendRule, most int, now time.Time) (list []spend.Budget, total int, err error) {
	for from, more := 0, true; more; from += listBatch {
		if list, more, err = l.listSome(list, from, []byte(prefix), rule, now); err != nil {
			return nil, 0, err
		}
	}
	total = len(list)
	slices.SortFunc(list, func(a, b spend.Budget) int {
		if a.Spent != b.Spent {
			if a.Spent > b.Spent {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Key, b.Key)
	})
	return list[:min(len(list), max(most, 0))], total, nil
}

// listSome appends the budgets in use among the slots from a number on; more: there are slots behind.
func (l *Ledger) listSome(list []spend.Budget, from int, prefix []byte, rule *sluice.SpendRule, now time.Time) (_ []spend.Budget, more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, false, errLedgerClosed()
	}
	end := min(from+listBatch, len(l.byNumber))
	for _, b := range l.byNumber[min(from, end):end] {
		if b == nil || !bytes.HasPrefix(b.slot.label[:b.slot.length], prefix) {
			continue
		}
		if s := b.peek(rule, now); s.Spent > 0 || s.Reserved > 0 {
			list = append(list, spend.Budget{Key: string(b.slot.label[:b.slot.length]), State: s})
		}
	}
	return list, end < len(l.byNumber), nil
}

func errLedgerClosed() error {
	return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the budgets are closed"}
}

// Health returns how the ledger is: of budgets, with the trouble of holds where there is only that.
func (l *Ledger) Health() Health {
	h, holds := l.budgets.health(), l.holds.health()
	h.Persistent = h.Persistent && holds.Persistent
	if h.Trouble == "" {
		h.Trouble = holds.Trouble
	}
	return h
}

// Close brings everything to the disk. Calls to the ledger fail from then on. It may be called again.
func (l *Ledger) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	l.budgets.halt()
	l.holds.halt()
	return errors.Join(l.budgets.close(), l.holds.close())
}
