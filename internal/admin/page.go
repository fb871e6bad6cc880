package admin

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// cursor says where a page begins. The log's own cursors go one way only; the other way is found from
// the id at a page's edge, by asking in the opposite order.
type cursor struct {
	kind cursorKind
	text string    // of cursorNext and cursorBack: the log's cursor
	id   sluice.ID // of cursorAfter and cursorBefore
}

type cursorKind byte

const (
	cursorNext   cursorKind = 'n' // on from the log's cursor
	cursorAfter  cursorKind = 'a' // on behind id
	cursorBefore cursorKind = 'b' // the page that ends before id
	cursorBack   cursorKind = 'r' // the same, on from the log's cursor in the opposite order
)

// String returns the text that parseCursor reads.
func (c cursor) String() string {
	if c.kind == cursorAfter || c.kind == cursorBefore {
		return string(rune(c.kind)) + "." + c.id.String()
	}
	return string(rune(c.kind)) + "." + c.text
}

func parseCursor(s string) (cursor, error) {
	kind, text, ok := strings.Cut(s, ".")
	if ok && text != "" && len(kind) == 1 {
		switch k := cursorKind(kind[0]); k {
		case cursorNext, cursorBack:
			return cursor{kind: k, text: text}, nil
		case cursorAfter, cursorBefore:
			if id, err := sluice.ParseID(text); err == nil {
				return cursor{kind: k, id: id}, nil
			}
		}
	}
	return cursor{}, invalid("cursor", "this is no cursor of ours", "take result_info.next or result_info.prev of another page")
}

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
		return s.forward(ctx, q.Query, in.Page > 1)
	}
	c, err := parseCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if c.kind != cursorNext && q.Order != reqlog.OrderTime {
		return nil, invalid("cursor", "only lists in order of time go both ways", "leave out order_by, or use next")
	}
	switch c.kind {
	case cursorNext:
		q.Cursor = c.text
		p, err := s.forward(ctx, q.Query, true)
		if sluice.KindOf(err) == sluice.KindInvalid {
			return nil, invalid("cursor", "this cursor does not fit the log", "begin again without one")
		}
		return p, err
	case cursorAfter:
		return s.after(ctx, q.Query, c.id)
	default:
		return s.before(ctx, q.Query, c)
	}
}

// forward fetches a page where q begins. inside: something lies before it.
func (s *server) forward(ctx context.Context, q reqlog.Query, inside bool) (*page, error) {
	found, err := s.Log.List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list log entries: %w", err)
	}
	p := &page{rows: found.Rows, total: found.Total, exact: found.TotalExact, partial: found.Partial}
	if found.Next != "" {
		p.next = cursor{kind: cursorNext, text: found.Next}.String()
	}
	if inside && len(p.rows) > 0 && q.Order == reqlog.OrderTime {
		p.prev = cursor{kind: cursorBefore, id: p.rows[0].Entry.ID}.String()
	}
	return p, nil
}

// after fetches the page behind id.
func (s *server) after(ctx context.Context, q reqlog.Query, id sluice.ID) (*page, error) {
	found, more, err := s.behind(ctx, q, id)
	if err != nil {
		return nil, err
	}
	p := &page{rows: found.Rows, total: found.Total, exact: found.TotalExact, partial: found.Partial}
	if n := len(p.rows); n > 0 {
		p.prev = cursor{kind: cursorBefore, id: p.rows[0].Entry.ID}.String()
		if more {
			p.next = cursor{kind: cursorAfter, id: p.rows[n-1].Entry.ID}.String()
		}
	}
	if p.partial {
		p.next = cursor{kind: cursorNext, text: found.Next}.String()
	}
	return p, nil
}

// before fetches the page that ends before c.
func (s *server) before(ctx context.Context, q reqlog.Query, c cursor) (*page, error) {
	q.Desc = !q.Desc
	var found reqlog.Page
	var more bool
	var err error
	if c.kind == cursorBefore {
		found, more, err = s.behind(ctx, q, c.id)
	} else {
		q.Cursor = c.text
		found, err = s.Log.List(ctx, q)
		more = found.Next != ""
	}
	if err != nil {
		return nil, fmt.Errorf("list log entries backwards: %w", err)
	}
	p := &page{rows: found.Rows, total: found.Total, exact: found.TotalExact, partial: found.Partial}
	slices.Reverse(p.rows)
	if n := len(p.rows); n > 0 {
		p.next = cursor{kind: cursorAfter, id: p.rows[n-1].Entry.ID}.String()
		if more {
			p.prev = cursor{kind: cursorBefore, id: p.rows[0].Entry.ID}.String()
		}
	}
	if p.partial {
		p.prev = cursor{kind: cursorBack, text: found.Next}.String()
	}
	return p, nil
}

// behind lists what comes after id in q's order, and tells whether there is more than fits. Rows of
// id's millisecond are fetched too, because a range of time is all that a query has, and left out.
func (s *server) behind(ctx context.Context, q reqlog.Query, id sluice.ID) (reqlog.Page, bool, error) {
	if q.Desc {
		if to := id.Time().Add(time.Millisecond); q.To.IsZero() || to.Before(q.To) {
			q.To = to
		}
	} else if from := id.Time(); from.After(q.From) {
		q.From = from
	}
	var all reqlog.Page
	for {
		p, err := s.Log.List(ctx, q)
		if err != nil {
			return reqlog.Page{}, false, fmt.Errorf("list log entries from an id: %w", err)
		}
		rows := slices.DeleteFunc(p.Rows, func(r reqlog.Row) bool {
			order := bytes.Compare(r.Entry.ID[:], id[:])
			return order == 0 || (order > 0) == q.Desc
		})
		// The range was cut for this page alone, so the log's total is not that of the list.
		all = reqlog.Page{Rows: append(all.Rows, rows...), Next: p.Next, Total: -1, Partial: p.Partial}
		if len(all.Rows) >= q.Limit || p.Partial || p.Next == "" {
			break
		}
		q.Cursor = p.Next
	}
	more := all.Next != "" || len(all.Rows) > q.Limit
	if len(all.Rows) > q.Limit {
		// What is cut off here is found again from the id of the last row, not from the log's cursor.
		all.Rows, all.Partial = all.Rows[:q.Limit], false
	}
	return all, more, nil
}
