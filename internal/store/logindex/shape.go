package logindex

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// shape is what a row has in common with the rows of like calls: the columns of the table shapes.
type shape struct {
	texts                   [textColumns]int64 // ids
	flags, status, attempts int64              // status 0: none
}

const (
	shapeValues = textColumns + 4 // of a row of shapes
	maxShapes   = 20_000          // that are known at once
)

// shapes numbers the shapes of a file on behalf of its writer. One that is no longer known gets another number.
type shapes struct {
	f        *file
	loaded   bool
	known    map[shape]int64
	last     int64
	recent   shape
	recentID int64 // 0: none
	args     [shapeValues]driver.NamedValue
}

// forget drops what a failed transaction may have left behind.
func (s *shapes) forget() { s.loaded, s.recentID = false, 0 }

// load reads the newest shapes, when the first is asked for: files that are only read need none.
func (s *shapes) load(ctx context.Context) error {
	s.known, s.last, s.recentID = map[shape]int64{}, 0, 0
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	err := all(ctx, s.f.conn, func(r *sql.Rows) error {
		var one shape
		var id int64
		into := []any{&id}
		for i := range one.texts {
			into = append(into, &one.texts[i])
		}
		err := r.Scan(append(into, &one.flags, &one.status, &one.attempts)...)
		s.known[one], s.last = id, max(s.last, id)
		return err
	}, `SELECT id, provider, model, served, endpoint, type, caller, agent, error, request_type, response_type, flags, ifnull(status, 0), attempts
		FROM shapes ORDER BY id DESC LIMIT ?`, maxShapes)
	if err != nil {
		return fmt.Errorf("read shapes: %w", err)
	}
	s.loaded = true
	return nil
}

// id returns the number of a shape, which it keeps if it is new.
func (s *shapes) id(ctx context.Context, one *shape) (int64, error) {
	if s.recentID != 0 && s.recent == *one {
		return s.recentID, nil
	}
	if !s.loaded {
		if err := s.load(ctx); err != nil {
			return 0, err
		}
	}
	id, ok := s.known[*one]
	if !ok {
		id = s.last + 1
		s.args[0].Value = id
		for i, text := range one.texts {
			s.args[1+i].Value = text
		}
		rest := s.args[1+textColumns:]
		rest[0].Value, rest[1].Value, rest[2].Value = one.flags, known(one.status, one.status != 0), one.attempts
		if err := s.f.insert(ctx, "shapes", shapeValues, s.args[:]); err != nil {
			return 0, fmt.Errorf("keep a shape: %w", err)
		}
		if len(s.known) >= maxShapes {
			clear(s.known)
		}
		s.known[*one], s.last = id, id
	}
	s.recent, s.recentID = *one, id
	return id, nil
}
