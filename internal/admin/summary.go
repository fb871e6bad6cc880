package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// SummaryInput asks for a gateway's summary.
type SummaryInput struct {
	GatewayPath
	Range string `query:"range" default:"24h" doc:"24h, 7d, or two RFC 3339 times with .. between"`
	TZ    string `query:"tz" default:"UTC" doc:"IANA time zone of the sparkline's intervals"`
}

// Summary is a gateway in a few numbers.
type Summary struct {
	Gateway       string    `json:"gateway"`
	From          string    `json:"from" format:"date-time"`
	To            string    `json:"to" format:"date-time"`
	TZ            string    `json:"tz"`
	Requests      int64     `json:"requests"`
	Errors        int64     `json:"errors"`
	Cached        int64     `json:"cached"`
	ErrorRate     Value     `json:"error_rate" doc:"errors by requests; null: there was no request"`
	CacheRate     Value     `json:"cache_rate" doc:"answers from the cache by requests; null: there was no request"`
	Cost          Value     `json:"cost"`
	Tokens        Value     `json:"tokens" doc:"input and output"`
	Unpriced      int64     `json:"unpriced" doc:"requests with usage and no known cost: cost lacks them"`
	Estimated     int64     `json:"estimated" doc:"requests whose tokens are estimated or partial"`
	LastRequest   *string   `json:"last_request" format:"date-time" doc:"start of the newest one that the log has; null: it has none"`
	Sparkline     Sparkline `json:"sparkline"`
	CompleteUntil *string   `json:"complete_until" doc:"no request will be added before this time; null: not known"`
}

// Sparkline is how a gateway's numbers went.
type Sparkline struct {
	T        []string `json:"t" doc:"start of each interval"`
	Requests []Value  `json:"requests"`
	Errors   []Value  `json:"errors"`
	Cost     []Value  `json:"cost"`
}

func (s *server) getSummary(ctx context.Context, in *SummaryInput) (*output[Envelope[Summary]], error) {
	// sums holds the metrics in this order.
	picked, err := pickMetrics("requests,errors,cost,error_rate,cache_rate,tokens")
	if err != nil {
		return nil, err
	}
	ask := AnalyticsInput{AccountPath: in.AccountPath, Gateway: in.Gateway, Range: in.Range, TZ: in.TZ, Interval: "auto"}
	q, err := ask.read(s.Settings(), time.Now().UTC())
	if err != nil {
		return nil, err
	}
	q.NoTimes = true
	r, err := s.sum(ctx, q.TotalsQuery)
	if err != nil {
		return nil, fmt.Errorf("sum up the gateway: %w", err)
	}
	c := newColumns(&q, picked, 1)
	c.take(r.totals)
	c.series()
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask until when the log is complete: %w", err)
	}
	page, err := s.Log.List(ctx, reqlog.Query{Account: q.Account, Gateway: q.Gateway, Desc: true, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("find the last request: %w", err)
	}
	columns := c.v.Series
	v := Summary{
		Gateway: q.Gateway, From: c.v.From, To: c.v.To, TZ: c.v.TZ, Cost: columns[2].Total, ErrorRate: columns[3].Total,
		CacheRate: columns[4].Total, Tokens: columns[5].Total, Unpriced: c.v.Unpriced, Estimated: c.v.Estimated, CompleteUntil: knownStamp(until),
		Sparkline: Sparkline{T: c.v.T, Requests: columns[0].Values, Errors: columns[1].Values, Cost: columns[2].Values},
	}
	if t := c.group(groupKey{}).whole; t != nil {
		v.Requests, v.Errors, v.Cached = t.Requests, t.Errors, t.Cached
	}
	if len(page.Rows) > 0 {
		v.LastRequest = knownStamp(page.Rows[0].Entry.Start)
	}
	return answer(v), nil
}
