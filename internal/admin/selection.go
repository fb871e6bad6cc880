package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// LogSelection are the parameters that pick log entries for a job, as the list's do.
type LogSelection struct {
	Q       string         `json:"q,omitempty" maxLength:"8192" doc:"the filter language, for example status:error provider:openai"`
	Filters []LogCondition `json:"filters,omitempty" nullable:"true" maxItems:"64" doc:"the reference's filters; an entry has to meet q too"`
	Range   string         `json:"range,omitempty" maxLength:"100" doc:"24h, 7d, or two RFC 3339 times with .. between, either of which may be missing; left out: all until now"`
}

// LogCondition is one of the reference's filters.
type LogCondition struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Value    any    `json:"value" doc:"a text, number or boolean, or a list of them"`
}

// selection is a LogSelection as a job keeps it: times are fixed, and what it is about is named.
type selection struct {
	Q       string         `json:"q,omitempty"`
	Filters []LogCondition `json:"filters,omitempty"`
	From    time.Time      `json:"from,omitzero"`
	To      time.Time      `json:"to"` // excluded
}

// fix checks what was asked for and fixes it: entries that begin from now on are not part of it.
func (in *LogSelection) fix(now time.Time) (selection, error) {
	from, to, err := parseRange(in.Range, now)
	if err != nil {
		return selection{}, err
	}
	if end := now.Truncate(time.Millisecond).Add(time.Millisecond); to.IsZero() || to.After(end) {
		to = end // with what has just begun
	}
	s := selection{Q: in.Q, Filters: in.Filters, From: from.UTC().Truncate(time.Millisecond), To: to.UTC().Truncate(time.Millisecond)}
	_, err = s.query(now)
	return s, err
}

// query is what s asks the log for, without account and gateway, oldest first.
func (s *selection) query(now time.Time) (*logsQuery, error) {
	text := ""
	if len(s.Filters) > 0 {
		b, err := json.Marshal(s.Filters)
		if err != nil {
			return nil, fmt.Errorf("encode filters: %w", err)
		}
		text = string(b)
	}
	in := LogChoice{Q: s.Q, rawQuery: url.Values{"filters": {text}}.Encode()}
	b, err := in.filter(now)
	if err != nil {
		return nil, err
	}
	q := &logsQuery{Query: reqlog.Query{From: s.From, To: s.To, Limit: selectionPage}, never: b.never}
	q.Filter = b.filter
	q.conds, err = b.done()
	return q, err
}

// selectionPage is how many rows a job reads at a time.
const selectionPage = 1000

// eachPage calls do with the rows of a query, page by page, from q.Cursor on; next is the cursor behind them, "" at the
// end. Each page is read by itself: between two of them nothing of the index is held. It ends with do's error,
// or when ctx ends.
func eachPage(ctx context.Context, log Log, q *logsQuery, do func(rows []reqlog.Row, total int64, next string) error) error {
	for !q.never {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		page, err := log.List(ctx, q.Query)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("list log entries: %w", err)
		}
		if err := do(page.Rows, page.Total, page.Next); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		q.Cursor = page.Next
	}
	return nil
}
