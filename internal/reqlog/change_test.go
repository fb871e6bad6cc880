package reqlog

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// said makes what is said of x.
func said(x *Exchange, feedback int8) *sluice.LogEntry {
	return &sluice.LogEntry{
		ID: x.Entry.ID, Start: x.Entry.Start, Account: x.Entry.Account, Feedback: feedback, Score: 7.5, Scored: true,
		Metadata: []sluice.MetaValue{{Key: "team", Value: "blue"}},
	}
}

func TestPatchesAreKept(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	l := openLog(t, Options{Dir: dir}, store)
	var ids sluice.IDs
	x := begin(l, ids.New(time.Now()), time.Now().UTC())
	l.End(x, false)
	running := begin(l, ids.New(time.Now()), time.Now().UTC())
	for _, of := range []*Exchange{x, running} {
		if err := l.Patch(t.Context(), ChangeFeedback|ChangeScore, said(of, 1)); err != nil {
			t.Fatal(err)
		}
	}
	appended := Pos{}
	l.progress.get(func(p *progress) { appended = p.head })
	if appended == (Pos{}) {
		t.Error("the answer came before the record was in a file")
	}
	l.End(running, false)
	l.o.Durability = Fsync
	if err := l.Patch(t.Context(), ChangeFeedback, said(x, -1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for of, feedback := range map[*Exchange]int8{x: -1, running: 1} {
			row, err := l.Get(reading(t), "a", of.Entry.ID)
			if e := row.Entry; err != nil || e.Feedback != feedback || !e.Scored || e.Score != 7.5 || len(e.Metadata) > 0 {
				t.Errorf("%+v, %v; want feedback %d, a score, and no metadata", e, err, feedback)
			}
		}
		closeLog(t, l)
		store = newMemory()
		l = openLog(t, Options{Dir: dir}, store) // and once more from the segments alone
	}
	closeLog(t, l)
	if err := l.Patch(t.Context(), ChangeFeedback, said(x, 1)); kindOf(err) != sluice.KindUnavailable {
		t.Errorf("a patch after the end: %v", err)
	}
}

// unpacked returns all that a log's segments say, unpacked.
func unpacked(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	u := newUnpacker()
	for _, suffix := range []string{rowsSuffix, bodiesSuffix} {
		for _, path := range filesIn(t, dir, "*"+suffix) {
			b, err := os.ReadFile(filepath.Join(dir, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			n, _ := segmentNumber(filepath.Base(path), suffix)
			r := bytes.NewReader(b)
			for off := int64(fileHeaderSize); ; {
				h, err := readHeader(r, off, unknownEnd, n)
				if err != nil || h.kind == kindEnd {
					break
				}
				stored, err := readStored(r, off, h, nil)
				if err != nil {
					t.Fatal(err)
				}
				payload, err := u.unpack(nil, h, stored)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				all.Write(payload)
				off += blockHeaderSize + int64(h.stored)
			}
		}
	}
	return all.String()
}

func TestDeletedBytesAreInNoFile(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	l := openLog(t, Options{Dir: dir}, store)
	l.stopEarly()
	l.early.Wait() // the test is the keeper now
	var ids sluice.IDs
	write := func(word string, size int) *Exchange {
		x := begin(l, ids.New(time.Now()), time.Now().UTC())
		x.Entry.ErrorText, x.Entry.UserAgent = word+"-error", word+"-agent"
		x.Entry.Metadata = []sluice.MetaValue{{Key: "k", Value: word + "-meta"}}
		l.mark(x)
		for side := range x.Bodies {
			l.Capture(&x.Bodies[side], 10<<20)
			x.Bodies[side].Write(bytes.Repeat([]byte(word+"-body "), size))
		}
		l.End(x, false)
		return x
	}
	settle := func() {
		t.Helper()
		if !l.catchUp(reading(t)) {
			t.Fatal("the index does not come")
		}
	}
	kept, gone := write("kept", 30_000), write("gone", 30_000)
	if err := l.Patch(t.Context(), ChangeMetadata, &sluice.LogEntry{
		ID: gone.Entry.ID, Account: "a", Start: gone.Entry.Start, Metadata: []sluice.MetaValue{{Key: "k", Value: "gone-patch"}},
	}); err != nil {
		t.Fatal(err)
	}
	settle()
	l.append.rollSoon.Store(true)
	alsoKept := write("kept", 10)
	settle()
	if err := l.keeper.pack(t.Context(), l.catalog.from(0)); err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), "a", []sluice.ID{gone.Entry.ID}); err != nil {
		t.Fatal(err)
	}
	settle()
	if _, err := l.Get(reading(t), "a", gone.Entry.ID); kindOf(err) != sluice.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
	words := []string{"gone-error", "gone-agent", "gone-meta", "gone-patch", "gone-body"}
	for _, word := range words {
		if !strings.Contains(unpacked(t, dir), word) {
			t.Fatalf("%s is not found where it is", word)
		}
	}
	l.keeper.erase(t.Context())
	if !strings.Contains(unpacked(t, dir), words[0]) {
		t.Error("it was carried out while somebody may be reading")
	}
	mark := func() (p Pos) { l.progress.get(func(s *progress) { p = s.deleted }); return p }
	if err := l.keeper.carryOut(t.Context(), mark()); err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		if strings.Contains(unpacked(t, dir), word) {
			t.Errorf("%s is still there", word)
		}
	}
	check := func(store *memory) {
		t.Helper()
		for x, size := range map[*Exchange]int{kept: 30_000, alsoKept: 10} {
			row, err := l.Get(reading(t), "a", x.Entry.ID)
			if err != nil || row.Entry.ErrorText != "kept-error" {
				t.Fatalf("%+v, %v", row.Entry, err)
			}
			for side := range row.Parts {
				if b := readBody(t, l, row, Side(side)); !bytes.Equal(b, bytes.Repeat([]byte("kept-body "), size)) {
					t.Errorf("body of %d bytes", len(b))
				}
			}
		}
		if _, err := l.Get(reading(t), "a", gone.Entry.ID); kindOf(err) != sluice.KindNotFound {
			t.Errorf("deleted: %v", err)
		}
	}
	check(store)
	if v := l.catalog.view(l.catalog.from(0)); v.clean.Less(mark()) || store.scrubs == 0 {
		t.Errorf("clean to %v; scrubbed %d times", v.clean, store.scrubs)
	}
	closeLog(t, l)
	store = newMemory()
	l = openLog(t, Options{Dir: dir}, store) // from the segments alone
	check(store)
	if n := store.counted[gone.Entry.ID]; n != 1 {
		t.Errorf("it counts %d times", n)
	}
	// Deletions of an earlier process, which may not have come to them, are found again.
	l.stopEarly()
	l.early.Wait()
	l.keeper.erasing.begun = false
	l.progress.update(func(p *progress) { p.deleted, p.deletedAt = Pos{}, time.Time{} })
	l.keeper.erase(t.Context())
	if at := mark(); at.Segment == 0 || l.catalog.view(l.catalog.from(0)).clean != at {
		t.Errorf("earlier deletions: %v", at)
	}
	closeLog(t, l)
}

func TestManyAreDeletedAtOnce(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	var g sluice.IDs
	var ids []sluice.ID
	for i := range 2500 {
		at := time.Now().AddDate(0, 0, -i%3)
		x := begin(l, g.New(at), at)
		l.End(x, false)
		ids = append(ids, x.Entry.ID.WithAttempt(i%4))
	}
	if err := l.Delete(t.Context(), "a", ids[:2400]); err != nil {
		t.Fatal(err)
	}
	if page, err := l.List(reading(t), Query{}); err != nil || len(page.Rows) != 100 {
		t.Errorf("%d rows, %v; want 100", len(page.Rows), err)
	}
	closeLog(t, l)
	if err := l.Delete(t.Context(), "a", ids[2400:]); kindOf(err) != sluice.KindUnavailable {
		t.Errorf("a deletion after the end: %v", err)
	}
}

func TestAFullDiskKeepsChanges(t *testing.T) {
	q := newRing(minQueueBytes, 1)
	e := &sluice.LogEntry{ID: sluice.ID{1}, Account: "a", Feedback: 1}
	q.put(&record{kind: KindEntry, entry: &sluice.LogEntry{ID: sluice.ID{1}, ErrorText: "long"}, bound: 1000})
	q.put(&record{kind: KindPatch, entry: e, changes: ChangeFeedback, bound: 1000})
	q.put(&record{kind: KindDelete, entry: e, ids: []sluice.ID{{1}, {2}}, bound: 1000})
	batch := q.next(nil, time.Now(), true)
	a := appender{log: &Log{}}
	a.thin(batch)
	var kinds []Kind
	for left := batch[0].buf; len(left) > 0; {
		var fields []byte
		var err error
		if fields, left, err = splitRecord(left); err != nil {
			t.Fatal(err)
		}
		var r Record
		if err := decodeRecord(string(fields), &r, func(uint64) (uint64, uint32) { return 0, 0 }); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, r.Kind)
		if r.Kind == KindPatch && (r.Changes != ChangeFeedback || r.Entry.Feedback != 1) || r.Kind == KindDelete && len(r.IDs) != 2 ||
			r.Kind == KindEntry && (!r.CountOnly || r.Entry.ErrorText != "") {
			t.Errorf("%+v", r)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds %v", kinds)
	}
}
