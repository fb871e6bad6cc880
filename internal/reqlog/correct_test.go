package reqlog

import (
	"bytes"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

func TestCorrectChangesAnEntryAndKeepsItsBodies(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	l := openLog(t, Options{Dir: dir}, store)
	var ids sluice.IDs
	body := bytes.Repeat([]byte("tokens "), 30_000) // four parts
	x := begin(l, ids.New(time.Now()), time.Now().UTC())
	l.Capture(&x.Bodies[ResponseSide], 10<<20)
	x.Bodies[ResponseSide].Write(body)
	l.End(x, false)
	id := x.Entry.ID

	for record, err := range l.Follow(reading(t), Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		record.Entry.Usage.Set(sluice.Output, 42)
		record.Entry.Usage.Basis = sluice.BasisEstimated
		if l.Correct(&record) == 0 {
			t.Fatal("no room in an empty queue")
		}
		break
	}
	var told []bool
	for record, err := range l.Follow(reading(t), Pos{}) {
		if told = append(told, record.Corrects); err != nil || record.Kind != KindEntry || len(told) == 2 {
			break
		}
	}
	if len(told) != 2 || told[0] || !told[1] {
		t.Errorf("corrections among the records: %v; want the second", told)
	}
	for range 2 {
		row, err := l.Get(reading(t), "a", id)
		if err != nil {
			t.Fatal(err)
		}
		if n, known := row.Entry.Usage.Get(sluice.Output); n != 42 || !known || row.Entry.Usage.Basis != sluice.BasisEstimated {
			t.Errorf("usage = %+v", row.Entry.Usage)
		}
		if got := readBody(t, l, row, ResponseSide); !bytes.Equal(got, body) {
			t.Errorf("body of %d bytes; want %d", len(got), len(body))
		}
		closeLog(t, l)
		store = newMemory()
		l = openLog(t, Options{Dir: dir}, store) // and once more from the segments alone
	}
	closeLog(t, l)
}

func TestCorrectWithoutRoomLeavesTheEntry(t *testing.T) {
	q := newRing(minQueueBytes, 1)
	e := &sluice.LogEntry{Account: "a"}
	q.used = q.limit // full
	if ticket, _ := q.put(&record{kind: KindEntry, entry: e, whole: true, bound: 1000}); ticket != 0 || q.tickets != 0 {
		t.Errorf("ticket %d: a count was kept of what had been counted", ticket)
	}
}
