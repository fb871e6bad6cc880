package logindex

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	dayMillis    = 24 * 60 * 60 * 1000
	dayMinutes   = 24 * 60
	counterBits  = 36
	counterMask  = 1<<counterBits - 1
	lastDay      = 2932896 // 9999-12-31: the last that a file name has room for
	minuteMillis = 60 * 1000
)

// dayOf returns the day of an id, counted from 1970-01-01.
func dayOf(id sluice.ID) int64 { return id.Milli() / dayMillis }

// rowOf returns an id's row within its day: the millisecond, then the counter.
func rowOf(id sluice.ID) int64 { return id.Milli()%dayMillis<<counterBits | id.Counter() }

// rowAt returns the smallest row of a unix millisecond within day; before and after the day, the
// smallest row of all and one behind the last.
func rowAt(day, milli int64) int64 {
	return min(max(milli-day*dayMillis, 0), dayMillis) << counterBits
}

// dayName is the file name of a day.
func dayName(day int64) string {
	return time.UnixMilli(day*dayMillis).UTC().Format(time.DateOnly) + ".db"
}

// dayFromName reads what dayName writes.
func dayFromName(name string) (int64, bool) {
	base, ok := strings.CutSuffix(name, ".db")
	t, err := time.Parse(time.DateOnly, base)
	if !ok || err != nil || t.UnixMilli() < 0 {
		return 0, false
	}
	return t.UnixMilli() / dayMillis, true
}

// textKind tells apart the texts of a file. Values are stored: never renumber.
type textKind int64

const (
	textScope    textKind = 1 + iota // account, separator, gateway
	textProvider                     //
	textModel                        // asked for, or served
	textEndpoint
	textType
	textCaller
	textAgent
	textError
	textContentType
	textMeta     // a whole metadata object, encoded; the schema knows its number
	textQuestion // a metadata key that has roll-ups
	textValue    // a value of it
	textGateway  // a gateway as a roll-up's value
	textAccount  // an account, as the scope of all its gateways
	textPair     // two texts, separated by pairSeparator
	textCourse   // the number of an outcome and two texts, separated likewise
)

// scopeSeparator stands in no account or gateway: both are path segments.
const scopeSeparator = "\x1f"

func scopeText(account, gateway string) string { return account + scopeSeparator + gateway }

// scopeOf is the scope that an account's or a gateway's roll-ups have.
func scopeOf(account, gateway string) textKey {
	if gateway == "" {
		return textKey{textAccount, account}
	}
	return textKey{textScope, scopeText(account, gateway)}
}

func splitScope(text string) (account, gateway string) {
	account, gateway, _ = strings.Cut(text, scopeSeparator)
	return account, gateway
}

type textKey struct {
	kind textKind
	text string
}

// maxTexts bounds what a file interns and, with it, the cost of a search through its texts. What comes
// later is kept with the row, as spilled. Scopes and questions are always interned.
const maxTexts = 100_000

// spilled stands in a text's column when the text is kept with the row.
const spilled = -1

// texts interns the texts of one file on behalf of its writer.
type texts struct {
	f     *file
	known map[textKey]int64
	tried bool // whether loadAll was called
	whole bool // known has all texts of the file
	last  int64
	room  int64 // ids up to here are given to anything
	bytes int   // of the texts in known
	args  [3]driver.NamedValue
}

const maxKnownBytes = 16 << 20

// load learns how many texts the file has.
func (t *texts) load(ctx context.Context) error {
	t.known, t.bytes, t.whole, t.tried = map[textKey]int64{}, 0, false, false
	var last int64
	_, err := t.f.one(ctx, "SELECT ifnull(max(id), 0) FROM texts", nil, &last)
	t.last = max(t.last, last) // a reader may know an id that is no longer used
	return err
}

// loadAll reads the file's texts before the first is asked for, if they are not too many to read at
// once. Files that are only read never come here.
func (t *texts) loadAll(ctx context.Context) error {
	t.tried = true
	if t.last > maxTexts/4 {
		return nil
	}
	t.whole = true
	return all(ctx, t.f.conn, func(r *sql.Rows) error {
		var id int64
		var k textKey
		err := r.Scan(&id, &k.kind, &k.text)
		t.remember(k, id)
		return err
	}, "SELECT id, kind, text FROM texts")
}

func (t *texts) remember(k textKey, id int64) {
	if t.bytes += len(k.text) + 64; t.bytes > maxKnownBytes {
		clear(t.known)
		t.bytes, t.whole = len(k.text), false
	}
	t.known[k] = id
}

// forget drops what a failed transaction may have left behind.
func (t *texts) forget(ctx context.Context) error { return t.load(ctx) }

// id returns the id of a text: 0 for the empty one, spilled when there is no room.
func (t *texts) id(ctx context.Context, kind textKind, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if id, ok := t.known[textKey{kind, text}]; ok {
		return id, nil
	}
	if !t.tried {
		if err := t.loadAll(ctx); err != nil {
			return 0, fmt.Errorf("read texts: %w", err)
		}
		return t.id(ctx, kind, text)
	}
	if !t.whole {
		var id int64
		found, err := t.f.one(ctx, "SELECT id FROM texts WHERE kind = ? AND text = ? AND kind <> 10", []any{int64(kind), text}, &id)
		if err != nil {
			return 0, fmt.Errorf("look a text up: %w", err)
		}
		if found {
			t.remember(textKey{kind, strings.Clone(text)}, id)
			return id, nil
		}
	}
	return t.add(ctx, textKey{kind, strings.Clone(text)})
}

// metaID is id for an encoded metadata object. One that is no longer known gets another id: what is asked
// of metadata is asked of each text.
func (t *texts) metaID(ctx context.Context, meta []byte) (int64, error) {
	if id, ok := t.known[textKey{textMeta, string(meta)}]; ok {
		return id, nil
	}
	if !t.tried {
		if err := t.loadAll(ctx); err != nil {
			return 0, fmt.Errorf("read texts: %w", err)
		}
		return t.metaID(ctx, meta)
	}
	return t.add(ctx, textKey{textMeta, string(meta)})
}

// add keeps a text, if there is room.
func (t *texts) add(ctx context.Context, k textKey) (int64, error) {
	if t.last >= t.room && k.kind != textScope && k.kind != textAccount && k.kind != textQuestion {
		return spilled, nil
	}
	for i, v := range [...]any{t.last + 1, int64(k.kind), k.text} {
		t.args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	if err := t.f.insert(ctx, "texts", len(t.args), t.args[:]); err != nil {
		return 0, fmt.Errorf("keep a text: %w", err)
	}
	t.last++
	t.remember(k, t.last)
	return t.last, nil
}

// key returns the text of an id with its kind.
func (t *texts) key(ctx context.Context, id int64) (k textKey, err error) {
	found, err := t.f.one(ctx, "SELECT kind, text FROM texts WHERE id = ?", []any{id}, &k.kind, &k.text)
	if err == nil && !found {
		err = fmt.Errorf("text %d is missing", id)
	}
	return k, err
}

// text returns the text of an id, of this transaction's too.
func (t *texts) text(ctx context.Context, id int64) (text string, err error) {
	if id <= 0 {
		return "", nil
	}
	found, err := t.f.one(ctx, "SELECT text FROM texts WHERE id = ?", []any{id}, &text)
	if err == nil && !found {
		err = fmt.Errorf("text %d is missing", id)
	}
	return text, err
}

// names resolves ids of texts for readers.
type names struct {
	mu    sync.Mutex
	byID  map[int64]string
	bytes int
}

// get returns the text of id.
func (n *names) get(ctx context.Context, f *file, id int64) (string, error) {
	if id <= 0 {
		return "", nil
	}
	n.mu.Lock()
	text, ok := n.byID[id]
	n.mu.Unlock()
	if ok {
		return text, nil
	}
	if err := f.read.QueryRowContext(ctx, "SELECT text FROM texts WHERE id = ?", id).Scan(&text); err != nil {
		return "", fmt.Errorf("text %d: %w", id, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bytes += len(text) + 64; n.bytes > maxKnownBytes || n.byID == nil {
		n.byID, n.bytes = map[int64]string{}, len(text)
	}
	n.byID[id] = text
	return text, nil
}

// part is the open file of one day.
type part struct {
	*file
	day  int64
	path string
	refs int // guarded by Index.mu
	used uint64

	// What follows up to rollMu is the writer's: Index.write guards it.
	texts    texts
	bases    bases
	shapes   shapes
	lastMore int64              // the last id of more
	open     map[int64]struct{} // rows of the open marks
	patched  int64              // the largest row that has a patch, -1: none
	erased   int64              // the largest row that was deleted, -1: none
	erasures int                // grows with each record that deletes
	values   map[setKey]*valueSet
	state    state
	flushed  int64 // the last unix minute that has stored cells
	room     room
	gather   *gather // kept for its room

	names     names
	readBases readBases
	matches   matches
	lastText  atomic.Int64 // the last id of a text that is committed

	// rollMu makes the stored roll-ups and pending one thing to readers.
	rollMu  sync.RWMutex
	pending pending
}

// state is what a day's file says of itself.
type state struct {
	applied, safe reqlog.Pos
	rows          int64
	trimmed       int64
	dirty         bool // something is left of deleted rows
}

// openPart opens the file of a day, or makes it. seed fills a new file in the transaction that makes it.
func openPart(ctx context.Context, dir string, day int64, room int64, seed func(p *part) error) (*part, error) {
	p := &part{day: day, path: filepath.Join(dir, dayName(day))}
	var err error
	if p.file, err = openFile(ctx, p.path, "day"); err != nil {
		return nil, err
	}
	p.texts.f, p.texts.room, p.bases.f = p.file, room, p.file
	p.shapes.f = p.file
	if err = p.load(ctx, seed); err != nil {
		return nil, fmt.Errorf("open day %s: %w", dayName(day), errors.Join(err, p.close()))
	}
	return p, nil
}

func (p *part) load(ctx context.Context, seed func(p *part) error) (err error) {
	if p.bases.empty, err = reqlog.NewBase(""); err != nil {
		return err
	}
	if err := p.texts.load(ctx); err != nil {
		return err
	}
	if err := p.loadMore(ctx); err != nil {
		return err
	}
	found, err := p.loadState(ctx)
	if err != nil {
		return err
	}
	if !found {
		err := p.tx(ctx, func() error {
			if err := p.exec(ctx, "INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0)"); err != nil || seed == nil {
				return err
			}
			return seed(p)
		})
		if err != nil {
			return err
		}
	}
	p.lastText.Store(p.texts.last)
	p.values = map[setKey]*valueSet{}
	if err := p.loadChanges(ctx); err != nil {
		return err
	}
	return p.loadPending(ctx)
}

func (p *part) loadMore(ctx context.Context) error {
	_, err := p.one(ctx, "SELECT ifnull(max(id), 0) FROM more", nil, &p.lastMore)
	return err
}

// loadChanges learns which rows are open, patched or deleted.
func (p *part) loadChanges(ctx context.Context) error {
	_, err := p.one(ctx, "SELECT ifnull((SELECT max(id) FROM patches), -1), ifnull((SELECT max(id) FROM erased), -1)", nil, &p.patched, &p.erased)
	if err != nil {
		return err
	}
	return p.loadOpen(ctx)
}

func (p *part) loadOpen(ctx context.Context) error {
	p.open = map[int64]struct{}{}
	return all(ctx, p.conn, func(r *sql.Rows) error {
		var row int64
		err := r.Scan(&row)
		p.open[row] = struct{}{}
		return err
	}, "SELECT id FROM open")
}

// openEntries calls fn for each open mark.
func (p *part) openEntries(ctx context.Context, fn func(*sluice.LogEntry)) error {
	return all(ctx, p.read, func(r *sql.Rows) error {
		var b sql.RawBytes
		var row reqlog.Row
		if err := r.Scan(&b); err != nil {
			return err
		}
		if err := readData(b, p.lookup(ctx).base, &row); err != nil {
			return err
		}
		fn(&row.Entry)
		return nil
	}, "SELECT data FROM open ORDER BY id")
}

func (p *part) loadState(ctx context.Context) (found bool, err error) {
	s := &p.state
	return p.one(ctx, `SELECT applied_segment, applied_block, applied_record, safe_segment, safe_block, safe_record, row_count, trimmed, dirty FROM state`, nil,
		&s.applied.Segment, &s.applied.Block, &s.applied.Record, &s.safe.Segment, &s.safe.Block, &s.safe.Record, &s.rows, &s.trimmed, &s.dirty)
}

func (p *part) saveState(ctx context.Context, s state) error {
	return p.exec(ctx, `UPDATE state SET applied_segment = ?, applied_block = ?, applied_record = ?, safe_segment = ?, safe_block = ?, safe_record = ?, row_count = ?, trimmed = ?, dirty = ?`,
		int64(s.applied.Segment), s.applied.Block, s.applied.Record, int64(s.safe.Segment), s.safe.Block, s.safe.Record, s.rows, s.trimmed, s.dirty)
}

// removeFiles deletes the files of a day that nobody writes any more.
func removeFiles(path string) error {
	for _, suffix := range [...]string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// sizeOf returns the disk space of a day's files.
func sizeOf(path string) int64 {
	var n int64
	for _, suffix := range [...]string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}
