package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Cursors of the API are the log's own, with a mark that says which way they lead.
const (
	cursorNext = "n."
	cursorPrev = "p."
)

// page is one page of rows with its neighbours.
type page struct {
	rows       []reqlog.Row
	next, prev string
	total      int64 // -1: not known
	exact      bool
	partial    bool
}

// page fetches the page that in asks for.
func (s *server) page(ctx context.Context, q *logsQuery, in *ListLogsInput) (*page, error) {
	if q.never {
		return &page{exact: true}, nil
	}
	if in.Cursor == "" {
		q.Offset = int64(in.Page-1) * int64(in.PerPage)
	} else if err := setCursor(&q.Query, in.Cursor); err != nil {
		return nil, err
	}
	found, err := s.Log.List(ctx, q.Query)
	if in.Cursor != "" && sluice.KindOf(err) == sluice.KindInvalid {
		return nil, badCursor() // the other parameters were read before: only the cursor can be at fault
	}
	if err != nil {
		return nil, fmt.Errorf("list log entries: %w", err)
	}
	p := &page{rows: found.Rows, total: found.Total, exact: found.TotalExact, partial: found.Partial}
	if found.Next != "" {
		p.next = cursorNext + found.Next
	}
	if found.Prev != "" {
		p.prev = cursorPrev + found.Prev
	}
	if p.total < 0 && in.Cursor == "" {
		p.total, err = s.rolledUpTotal(ctx, q)
	}
	return p, err
}

// rolledUpTotal counts the requests that a filter lets pass by roll-ups; -1: those cannot tell. They know whole
// minutes and count traffic, so that what was deleted since still counts.
func (s *server) rolledUpTotal(ctx context.Context, q *logsQuery) (int64, error) {
	from, to := q.From, q.To
	if from.IsZero() { // then from the first row on: what is older is in no list
		first, err := s.Log.List(ctx, reqlog.Query{Account: q.Account, Gateway: q.Gateway, To: to, Limit: 1})
		if err != nil {
			return -1, fmt.Errorf("find the oldest log entry: %w", err)
		}
		if len(first.Rows) == 0 {
			return -1, nil
		}
		from = first.Rows[0].Entry.Start
	}
	if to.IsZero() {
		to = time.Now()
	}
	from, to = from.Truncate(time.Minute), to.Add(time.Minute-1).Truncate(time.Minute)
	if !from.Before(to) {
		return -1, nil
	}
	totals, err := s.Log.Totals(ctx, reqlog.TotalsQuery{
		Account: q.Account, Gateway: q.Gateway, Edges: []time.Time{from, to}, NoTimes: true, Filter: q.Filter,
	})
	if errors.Is(err, reqlog.ErrNotRolledUp) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("count log entries: %w", err)
	}
	var n int64
	for i := range totals {
		n += totals[i].Requests
	}
	return n, nil
}

// setCursor reads one of our cursors into q.
func setCursor(q *reqlog.Query, text string) error {
	if inner, ok := strings.CutPrefix(text, cursorNext); ok && inner != "" {
		q.Cursor, q.Back = inner, false
		return nil
	}
	if inner, ok := strings.CutPrefix(text, cursorPrev); ok && inner != "" {
		q.Cursor, q.Back = inner, true
		return nil
	}
	return badCursor()
}

func badCursor() error {
	return invalid("cursor", "this is no cursor of this list", "take result_info.next or result_info.prev of another page, or begin without")
}
