package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"math/bits"
	"sync"

	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	maxBases     = 512     // of a file
	maxBaseBytes = 4 << 10 // of one
	maxSeen      = 4096
)

// numberedBase is a base as a file keeps it. Number 0 is the empty one, which no file keeps.
type numberedBase struct {
	id   int64
	base *reqlog.Base
}

// bases finds what rows are told by, on behalf of a file's writer. What calls alike have in common is their
// likeness; its second call becomes the base of all that follow, so that what comes once costs nothing.
type bases struct {
	f      *file
	empty  *reqlog.Base
	loaded bool
	known  map[uint64]numberedBase
	seen   map[uint64]struct{}
	last   int64 // it only grows: a reader may know a number that is no longer used
	// banned are made of rows that were deleted: none is told by them any more.
	banned map[int64]bool
}

// forget drops what a failed transaction may have left behind.
func (s *bases) forget() { s.loaded = false }

// load reads the file's bases, when the first is asked for: files that are only read need none of this.
func (s *bases) load(ctx context.Context) error {
	s.known, s.seen = map[uint64]numberedBase{}, map[uint64]struct{}{}
	err := all(ctx, s.f.conn, func(r *sql.Rows) error {
		var one numberedBase
		var likeness int64
		var b sql.RawBytes
		err := r.Scan(&one.id, &likeness, &b)
		if err == nil {
			one.base, err = reqlog.NewBase(string(b))
		}
		if s.last = max(s.last, one.id); !s.banned[one.id] {
			s.known[uint64(likeness)] = one
		}
		return err
	}, "SELECT id, likeness, entry FROM bases")
	s.loaded = err == nil
	return err
}

// of returns what the entry of a row, which has a likeness, is told by.
func (s *bases) of(ctx context.Context, likeness uint64, row int64, entry string) (numberedBase, error) {
	if !s.loaded {
		if err := s.load(ctx); err != nil {
			return numberedBase{}, fmt.Errorf("read bases: %w", err)
		}
	}
	if one, ok := s.known[likeness]; ok {
		return one, nil
	}
	none := numberedBase{0, s.empty}
	if len(entry) > maxBaseBytes || s.last >= maxBases {
		return none, nil
	}
	if _, ok := s.seen[likeness]; !ok {
		if len(s.seen) >= maxSeen {
			clear(s.seen)
		}
		s.seen[likeness] = struct{}{}
		return none, nil
	}
	base, err := reqlog.NewBase(entry)
	if err != nil {
		return none, err
	}
	one := numberedBase{s.last + 1, base}
	if err := s.f.exec(ctx, "INSERT INTO bases VALUES (?, ?, ?, ?)", one.id, int64(likeness), []byte(base.Bytes()), row); err != nil {
		return none, fmt.Errorf("keep a base: %w", err)
	}
	s.known[likeness], s.last = one, one.id
	delete(s.seen, likeness)
	return one, nil
}

// likenessOf sums up what calls that differ in little have in common. Where two that differ have the same,
// their rows are longer and no less right.
func likenessOf(r *row, record *reqlog.Record) uint64 {
	e := &record.Entry
	var h uint64
	mix := func(n uint64) { h = bits.RotateLeft64((h^n)*0x9e3779b97f4a7c15, 29) }
	mix(uint64(r.scopes.gateway))
	for _, column := range [...]int{columnProvider, columnEndpoint, columnCaller, columnAgent, columnError, columnRequestType, columnResponseType} {
		mix(uint64(r.shape.texts[column]))
	}
	mix(uint64(len(e.ReqHeader))<<32 | uint64(len(e.RespHeader))<<16 | uint64(e.Status&0xfff)<<4 | uint64(count(e.Streamed)))
	return h
}

// readBases keeps a file's bases for its readers.
type readBases struct {
	mu   sync.Mutex
	byID map[int64]*reqlog.Base
}

func (n *readBases) get(ctx context.Context, q querier, id int64) (*reqlog.Base, error) {
	n.mu.Lock()
	base := n.byID[id]
	n.mu.Unlock()
	if base != nil {
		return base, nil
	}
	base, err := readBase(ctx, q, id)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil {
		n.byID = map[int64]*reqlog.Base{}
	}
	n.byID[id] = base
	return base, nil
}

func readBase(ctx context.Context, q querier, id int64) (base *reqlog.Base, err error) {
	if id == 0 {
		return reqlog.NewBase("")
	}
	err = all(ctx, q, func(r *sql.Rows) error {
		var b sql.RawBytes
		err := r.Scan(&b)
		if err == nil {
			base, err = reqlog.NewBase(string(b))
		}
		return err
	}, "SELECT entry FROM bases WHERE id = ?", id)
	if err == nil && base == nil {
		err = errData
	}
	if err != nil {
		return nil, fmt.Errorf("base %d: %w", id, err)
	}
	return base, nil
}
