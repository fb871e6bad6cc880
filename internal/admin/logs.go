package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// logRoutes are those of log entries.
func logRoutes() []route {
	const logs = scope + "/gateways/{gateway}/logs"
	return []route{
		get(RoleViewer, logs, "list-logs", "List log entries", handle((*server).listLogs)),
		// An entry's details hold the heads of its bodies, so they need what bodies need.
		opens(get(RoleEditor, logs+"/{id}", "get-log", "Get a log entry", handle((*server).getLog))),
		opens(get(RoleEditor, logs+"/{id}/request", "get-log-request", "Get the stored request body", handle((*server).getRequestBody))),
		opens(get(RoleEditor, logs+"/{id}/response", "get-log-response", "Get the stored response body", handle((*server).getResponseBody))),
	}
}

// LogChoice says which entries are meant, in all the ways in which the parameters filter.
type LogChoice struct {
	GatewayPath
	FlatFilters
	Search  string `query:"search" doc:"text in metadata"`
	Filters string `query:"filters" doc:"JSON array of {key, operator, value}; the dotted form filters.key, filters.operator, filters.value serves too"`
	Q       string `query:"q" doc:"ours: the filter language, for example status:error provider:openai duration:>2s"`
	Range   string `query:"range" doc:"ours: 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing"`

	rawQuery string
}

// Resolve takes the query as it came.
func (in *LogChoice) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.rawQuery = u.RawQuery
	return nil
}

// LogOrder says in which order entries come.
type LogOrder struct {
	OrderBy          string `query:"order_by" enum:"created_at,provider,model,model_type,success,cached,cost,tokens_in,tokens_out,duration,feedback" doc:"created_at pages without end; the others order the first 1,000 of the range"`
	OrderByDirection string `query:"order_by_direction" enum:"asc,desc" doc:"desc when left out"`
	Direction        string `query:"direction" enum:"asc,desc" deprecated:"true"`
}

// maxPerPage is the longest page.
const maxPerPage = 1000

// ListLogsInput are the parameters of a list of entries: the reference's, its older ones, and ours.
type ListLogsInput struct {
	LogChoice
	Page    int `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1; a page past the end is empty"`
	PerPage int `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"requests per page"`
	LogOrder
	MetaInfo bool   `query:"meta_info" doc:"adds the least and the greatest values to result_info"`
	Cursor   string `query:"cursor" doc:"ours: next or prev of another page, in place of page"`
	Fields   string `query:"fields" doc:"ours: names of fields with commas between; all texts are whole then. preview is only there when it is named"`
	Basis    string `query:"basis" default:"attempts" enum:"attempts,requests" doc:"ours: one item per attempt, as in the reference, or one per request with its attempts inside"`
}

// LogsInfo says where in a list of entries a page lies. Numbers that nobody knows are null: the total of a
// filtered list is not counted out, but taken from roll-ups where those know what it filters by.
type LogsInfo struct {
	Page          int     `json:"page"`
	PerPage       int     `json:"per_page"`
	Count         int     `json:"count" doc:"items on this page"`
	TotalCount    *int64  `json:"total_count" doc:"requests in all. Of a filtered list it is from roll-ups: where it filters by one of provider, model, status, outcome, key, cache, error_type or a rolled-up metadata key, and on pages without cursor; null otherwise"`
	TotalPages    *int64  `json:"total_pages"`
	ApproxTotal   *int64  `json:"approx_total" doc:"ours: the same"`
	TotalExact    bool    `json:"total_exact" doc:"ours: whether the total is counted; it is from roll-ups otherwise, which know whole minutes, and count what was deleted since"`
	Next          *string `json:"next" doc:"ours: cursor of the page behind this one; null: none"`
	Prev          *string `json:"prev" doc:"ours: cursor of the page before this one; null: none"`
	CompleteUntil *string `json:"complete_until" doc:"ours: no entry will be added before this time"`
	Partial       bool    `json:"partial" doc:"ours: the search ran out of its time before the page was full; next goes on"`

	MinCost      *Money `json:"min_cost,omitempty"`
	MaxCost      *Money `json:"max_cost,omitempty"`
	MinDuration  *int64 `json:"min_duration,omitempty"`
	MaxDuration  *int64 `json:"max_duration,omitempty"`
	MinTokensIn  *int64 `json:"min_tokens_in,omitempty"`
	MaxTokensIn  *int64 `json:"max_tokens_in,omitempty"`
	MinTokensOut *int64 `json:"min_tokens_out,omitempty"`
	MaxTokensOut *int64 `json:"max_tokens_out,omitempty"`

	MinTotalTokens *int64 `json:"min_total_tokens,omitempty"`
	MaxTotalTokens *int64 `json:"max_total_tokens,omitempty"`
}

// logsQuery is what a list's parameters ask the log for.
type logsQuery struct {
	reqlog.Query
	never bool // the filter lets nothing pass
	conds []reqlog.Cond
	keep  []int
	whole bool // texts are not cut
	basis basis
}

func orders() map[string]reqlog.Order {
	return map[string]reqlog.Order{
		"": reqlog.OrderTime, "created_at": reqlog.OrderTime, "provider": reqlog.OrderProvider, "model": reqlog.OrderModel,
		"model_type": reqlog.OrderEndpoint, "success": reqlog.OrderSuccess, "cached": reqlog.OrderCached, "cost": reqlog.OrderCost,
		"tokens_in": reqlog.OrderTokensIn, "tokens_out": reqlog.OrderTokensOut, "duration": reqlog.OrderDuration,
		"feedback": reqlog.OrderFeedback,
	}
}

// query reads the parameters.
func (in *ListLogsInput) query(fields *fieldSet, now time.Time) (*logsQuery, error) {
	q, err := in.choose(&in.LogOrder, now)
	if err != nil {
		return nil, err
	}
	q.Limit, q.keep, q.basis = in.PerPage, fields.list, basis(in.Basis)
	if in.Fields != "" {
		q.whole = true
		q.keep, err = fields.pick(in.Fields, true)
	}
	return q, err
}

// choose makes a query of what selects and orders.
func (in *LogChoice) choose(order *LogOrder, now time.Time) (*logsQuery, error) {
	direction := order.OrderByDirection
	if direction == "" {
		direction = order.Direction
	}
	q := &logsQuery{Query: reqlog.Query{Order: orders()[order.OrderBy], Desc: direction != "asc"}}
	if q.Order == reqlog.OrderEndpoint {
		q.By = modelType
	}
	var err error
	if q.From, q.To, err = parseRange(in.Range, now); err != nil {
		return nil, err
	}
	b, err := in.filter(now)
	if err != nil {
		return nil, err
	}
	q.Filter, q.never = b.filter, b.never
	q.conds, err = b.done()
	return q, err
}

// filter joins all the ways in which the parameters filter.
func (in *LogChoice) filter(now time.Time) (*filterBuilder, error) {
	b := &filterBuilder{now: now}
	if err := b.query(in.Q); err != nil {
		return nil, err
	}
	conditions, err := parseConditions(in.rawQuery)
	if err != nil {
		return nil, err
	}
	for i, c := range conditions {
		if err := b.add("filters", fmt.Sprintf("filters[%d]: ", i), c); err != nil {
			return nil, err
		}
	}
	for _, c := range in.conditions() {
		if err := b.add(c.param, "", c.condition); err != nil {
			return nil, err
		}
	}
	if in.Search != "" {
		b.filter.Terms = append(b.filter.Terms, reqlog.Term{
			Field: reqlog.FieldMeta, Op: reqlog.OpContains, Values: []string{reqlog.Literal(in.Search)},
		})
	}
	return b, nil
}

func (s *server) listLogs(ctx context.Context, in *ListLogsInput) (*output[ListEnvelope[Row, LogsInfo]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	q, err := in.query(&s.fields, time.Now())
	if err != nil {
		return nil, err
	}
	q.Account, q.Gateway = a.ID, g.ID
	p, err := s.page(ctx, q, in)
	if err != nil {
		return nil, err
	}
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask until when the log is complete: %w", err)
	}
	rows := s.rows(p.rows, q)
	if slices.Contains(q.keep, s.fields.preview) && callerOf(ctx).bodies(a.ID) {
		s.previews(ctx, p.rows, rows)
	}
	info := LogsInfo{
		Page: in.Page, PerPage: in.PerPage, Count: len(rows), TotalExact: p.exact, Partial: p.partial,
		Next: optional(p.next), Prev: optional(p.prev), CompleteUntil: knownStamp(until),
	}
	if p.total >= 0 {
		n := pages(p.total, in.PerPage)
		info.TotalCount, info.ApproxTotal, info.TotalPages = &p.total, &p.total, &n
	}
	if in.MetaInfo && !q.never {
		if err := s.extremes(ctx, q, &info); err != nil {
			return nil, err
		}
	}
	return listAnswer(rows, info), nil
}

// rows makes items of stored rows, each request's together and in the list's direction. An attempt is
// shown when it meets the filter itself.
func (s *server) rows(stored []reqlog.Row, q *logsQuery) []Row {
	var rows []Row
	for i := range stored {
		items := itemsOf(&stored[i].Entry, q.basis)
		for j := range items {
			it := &items[j]
			if q.Desc {
				it = &items[len(items)-1-j]
			}
			if len(items) > 1 && !reqlog.MatchAll(q.conds, &it.entry) {
				continue
			}
			rows = append(rows, s.row(it, q))
		}
	}
	return rows
}

func (s *server) row(it *item, q *logsQuery) Row {
	if q.whole {
		return Row{viewEntry(&it.entry, q.basis), &s.fields, q.keep}
	}
	v := viewRow(&it.entry, q.basis)
	v.cutForList()
	return Row{v, &s.fields, q.keep}
}

// extremes finds the least and the greatest of what meta_info asks for. They stay unset when there are none,
// or when looking at all entries took too long.
func (s *server) extremes(ctx context.Context, q *logsQuery, info *LogsInfo) error {
	x, err := s.Log.Extremes(ctx, q.Query)
	if err != nil || x.Partial {
		return err
	}
	if x.Cost.Known {
		info.MinCost, info.MaxCost = &Money{x.Cost.Least, true}, &Money{x.Cost.Greatest, true}
	}
	if x.Duration.Known {
		least, greatest := x.Duration.Least.Milliseconds(), x.Duration.Greatest.Milliseconds()
		info.MinDuration, info.MaxDuration = &least, &greatest
	}
	for _, one := range []struct {
		span      *reqlog.Span[int64]
		low, high **int64
	}{
		{&x.TokensIn, &info.MinTokensIn, &info.MaxTokensIn},
		{&x.TokensOut, &info.MinTokensOut, &info.MaxTokensOut},
		{&x.Tokens, &info.MinTotalTokens, &info.MaxTotalTokens},
	} {
		if one.span.Known {
			*one.low, *one.high = &one.span.Least, &one.span.Greatest
		}
	}
	return nil
}
