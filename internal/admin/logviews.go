package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// logViewRoutes are those that look at the log, or at one entry, from a side: all ours.
func logViewRoutes() []route {
	const logs = scope + "/gateways/{gateway}/logs"
	return []route{
		get(RoleViewer, logs+"/histogram", "get-log-histogram", "Count requests over time by how they went (ours)", handle((*server).getHistogram)),
		get(RoleViewer, logs+"/facets", "get-log-facets", "Count requests by the values of a field (ours)", handle((*server).getFacets)),
		get(RoleViewer, logs+"/{id}/timeline", "get-log-timeline", "Tell what happened in a request, and when (ours)", handle((*server).getTimeline)),
		get(RoleViewer, logs+"/{id}/related", "list-related-logs", "List requests that belong together with one (ours)", handle((*server).listRelated)),
		opens(get(RoleEditor, logs+"/{id}/stream-events", "list-stream-events", "List the events of a stored answer that was streamed (ours)", handle((*server).listStreamEvents))),
		opens(get(RoleEditor, logs+"/{id}/cache-explain", "explain-cache", "Tell why the cache answered a request or did not, beside the nearest request before (ours)", handle((*server).explainCache))),
	}
}

// HistogramInput are the parameters of a histogram.
type HistogramInput struct {
	LogChoice
	Buckets int `query:"buckets" default:"90" minimum:"1" maximum:"500" doc:"most bars; they are as long as a usual interval of whole minutes that leaves no more"`
}

// Histogram is how many requests there were over time, by how they went. The five of a bar add up to its requests.
type Histogram struct {
	From            string   `json:"from" format:"date-time" doc:"start of the first bar"`
	To              string   `json:"to" format:"date-time" doc:"end of the last bar"`
	IntervalSeconds int64    `json:"interval_seconds"`
	T               []string `json:"t" doc:"start of each bar"`
	Requests        []int64  `json:"requests"`
	OK              []int64  `json:"ok"`
	Cached          []int64  `json:"cached"`
	Blocked         []int64  `json:"blocked" doc:"refused by Sluice, or 429"`
	Error           []int64  `json:"error"`
	Cancelled       []int64  `json:"cancelled" doc:"the client left"`
	Counted
}

// Counted says what counts are of.
type Counted struct {
	Total         int64   `json:"total" doc:"requests in all"`
	Source        string  `json:"source" enum:"rollups,rows" doc:"rollups: all traffic. rows: what the log still has of it"`
	Partial       bool    `json:"partial" doc:"there was no time to look at all rows: those before since are missing"`
	Since         *string `json:"since" doc:"null: all rows were counted"`
	CompleteUntil *string `json:"complete_until" doc:"no request will be added before this time; null: not known"`
}

// barOf tells which bars of a histogram an outcome is part of.
func barOf(h *Histogram, outcome string) []int64 {
	switch outcome {
	case "ok":
		return h.OK
	case "cached":
		return h.Cached
	case "blocked", "rate_limited":
		return h.Blocked
	case "cancelled":
		return h.Cancelled
	}
	return h.Error
}

// barSteps are the lengths of bars.
func barSteps() []time.Duration {
	const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour
	return []time.Duration{
		minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
		day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day,
	}
}

// bars cuts a range into most bars at most, which begin at multiples of their length.
func bars(from, to time.Time, most int) (first time.Time, step time.Duration, n int) {
	for _, step = range barSteps() {
		first = from.Truncate(step)
		n = int((to.Sub(first) + step - 1) / step)
		if n <= most {
			break
		}
	}
	return first, step, max(n, 1)
}

// chosenRange is the range that c names, the last day without one.
func (in *LogChoice) chosenRange(q *logsQuery, now time.Time) (from, to time.Time) {
	from, to = q.From, q.To
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	return from.UTC(), to.UTC()
}

func (s *server) getHistogram(ctx context.Context, in *HistogramInput) (*output[Envelope[Histogram]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	q, err := in.choose(&LogOrder{}, now)
	if err != nil {
		return nil, err
	}
	from, to := in.chosenRange(q, now)
	first, step, n := bars(from, to, in.Buckets)
	last := first.Add(time.Duration(n) * step)
	h := Histogram{From: stamp(first), To: stamp(last), IntervalSeconds: int64(step / time.Second)}
	for i := range n {
		h.T = append(h.T, stamp(first.Add(time.Duration(i)*step)))
	}
	for _, column := range []*[]int64{&h.Requests, &h.OK, &h.Cached, &h.Blocked, &h.Error, &h.Cancelled} {
		*column = make([]int64, n)
	}
	counts, err := s.countBy(ctx, q, &h.Counted, reqlog.CountQuery{
		Account: a.ID, Gateway: g.ID, From: first, To: last, Filter: q.Filter, Field: reqlog.FieldOutcome, Every: step,
	})
	if err != nil {
		return nil, err
	}
	for _, one := range counts {
		if i := int(one.Start.Sub(first) / step); i >= 0 && i < n {
			h.Requests[i] += one.Rows
			barOf(&h, one.Value)[i] += one.Rows
		}
	}
	return answer(h), nil
}

// countBy counts requests: from roll-ups where these can answer, else from rows.
func (s *server) countBy(ctx context.Context, chosen *logsQuery, about *Counted, q reqlog.CountQuery) ([]reqlog.RowCount, error) {
	about.Source = "rollups"
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask until when the log is complete: %w", err)
	}
	about.CompleteUntil = knownStamp(until)
	if chosen.never {
		return nil, nil
	}
	counts, err := s.countRolledUp(ctx, q)
	if errors.Is(err, reqlog.ErrNotRolledUp) {
		counts, err = s.countQuarters(ctx, q)
	}
	if errors.Is(err, reqlog.ErrNotRolledUp) {
		var rows reqlog.RowCounts
		rows, err = s.Log.CountRows(ctx, q)
		counts = rows.Counts
		about.Source, about.Partial, about.Since = "rows", rows.Partial, knownStamp(rows.Since)
	}
	if err != nil {
		return nil, fmt.Errorf("count requests: %w", err)
	}
	for _, one := range counts {
		about.Total += one.Rows
	}
	return counts, nil
}

// rolledUp are the fields that roll-ups are split by.
func rolledUp(q *reqlog.CountQuery) (reqlog.Group, bool) {
	group, known := map[reqlog.Field]reqlog.Group{
		reqlog.FieldOutcome: reqlog.GroupOutcome, reqlog.FieldProvider: reqlog.GroupProvider, reqlog.FieldModel: reqlog.GroupModel,
		reqlog.FieldKey: reqlog.GroupKey, reqlog.FieldStatus: reqlog.GroupStatus, reqlog.FieldCache: reqlog.GroupCache,
		reqlog.FieldErrorType: reqlog.GroupErrorType,
	}[q.Field]
	if q.Field == reqlog.FieldMeta {
		return reqlog.GroupMeta(q.Key), true
	}
	return group, known
}

func (s *server) countRolledUp(ctx context.Context, q reqlog.CountQuery) ([]reqlog.RowCount, error) {
	group, known := rolledUp(&q)
	if !known {
		return nil, reqlog.ErrNotRolledUp
	}
	totals, err := s.Log.Totals(ctx, reqlog.TotalsQuery{
		Account: q.Account, Gateway: q.Gateway, From: q.From, To: q.To, Group: group, Every: q.Every, Filter: q.Filter, NoTimes: true,
	})
	if err != nil {
		return nil, err
	}
	counts := make([]reqlog.RowCount, 0, len(totals))
	for i := range totals {
		if t := &totals[i]; t.Requests != 0 {
			counts = append(counts, reqlog.RowCount{Start: t.Start, Value: t.Value, Rows: t.Requests})
		}
	}
	return counts, nil
}

// rollupQuarter is what some roll-ups know of time.
const rollupQuarter = 15 * time.Minute

// countQuarters counts whole quarters of an hour from roll-ups, and what lies before the first by its rows, as long as
// all that happened there has a row.
func (s *server) countQuarters(ctx context.Context, q reqlog.CountQuery) ([]reqlog.RowCount, error) {
	edge := q
	edge.To = q.From.Add(rollupQuarter - time.Nanosecond).Truncate(rollupQuarter)
	if q.Every != 0 || !edge.From.Before(edge.To) || !edge.To.Before(q.To) {
		return nil, reqlog.ErrNotRolledUp
	}
	q.From = edge.To
	counts, err := s.countRolledUp(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := s.Log.CountRows(ctx, edge)
	if err != nil {
		return nil, err
	}
	stored, err := s.allStored(ctx, edge)
	if err != nil {
		return nil, err
	}
	if rows.Partial || !stored {
		return nil, reqlog.ErrNotRolledUp
	}
	for _, one := range rows.Counts {
		i := slices.IndexFunc(counts, func(have reqlog.RowCount) bool { return have.Value == one.Value })
		if i < 0 {
			counts = append(counts, one)
		} else {
			counts[i].Rows += one.Rows
		}
	}
	return counts, nil
}

// allStored reports whether all requests of a range have rows. A minute that the range begins within counts as whole.
func (s *server) allStored(ctx context.Context, q reqlog.CountQuery) (bool, error) {
	q.Filter, q.Field, q.Key, q.From = reqlog.Filter{}, reqlog.FieldOutcome, "", q.From.Truncate(time.Minute)
	rows, err := s.Log.CountRows(ctx, q)
	if err != nil || rows.Partial {
		return false, err
	}
	totals, err := s.Log.Totals(ctx, reqlog.TotalsQuery{Account: q.Account, Gateway: q.Gateway, From: q.From, To: q.To, NoTimes: true})
	var n int64
	for _, one := range rows.Counts {
		n -= one.Rows
	}
	for i := range totals {
		n += totals[i].Requests
	}
	return n == 0, err
}

// FacetsInput are the parameters of facets.
type FacetsInput struct {
	LogChoice
	Field string `query:"field" required:"true" doc:"a field of the filter language: provider, model, served, endpoint, type, status, outcome, error_type, ending, cache, stream, key, ua, basis, attempts, feedback, request_content_type, response_content_type, or meta.NAME"`
	Limit int    `query:"limit" default:"20" minimum:"1" maximum:"1000" doc:"most values, those with the most requests"`
}

// Facets are the values of a field with how many requests have them.
type Facets struct {
	Field  string  `json:"field"`
	Values []Facet `json:"values" doc:"the most frequent first"`
	Others int64   `json:"others" doc:"requests with further values"`
	Counted
}

// Facet is one value.
type Facet struct {
	Value    string `json:"value" doc:"empty: requests without such a thing"`
	Requests int64  `json:"requests"`
}

func (s *server) getFacets(ctx context.Context, in *FacetsInput) (*output[Envelope[Facets]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	q, err := in.choose(&LogOrder{}, now)
	if err != nil {
		return nil, err
	}
	field, key := reqlog.Field(in.Field), ""
	if name, ok := strings.CutPrefix(in.Field, "meta."); ok {
		field, key = reqlog.FieldMeta, name
	}
	from, to := in.chosenRange(q, now)
	f := Facets{Field: in.Field, Values: []Facet{}}
	counts, err := s.countBy(ctx, q, &f.Counted, reqlog.CountQuery{
		Account: a.ID, Gateway: g.ID, From: from, To: to, Filter: q.Filter, Field: field, Key: key,
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(counts, func(a, b reqlog.RowCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Value, b.Value))
	})
	for i, one := range counts {
		if i < in.Limit {
			f.Values = append(f.Values, Facet{one.Value, one.Rows})
		} else {
			f.Others += one.Rows
		}
	}
	return answer(f), nil
}

// LogTimeline tells what happened in a request, and when.
type LogTimeline struct {
	ID       string   `json:"id"`
	Start    string   `json:"start" format:"date-time"`
	Duration Millis   `json:"duration_ms" doc:"null: it is still running"`
	Overhead Millis   `json:"overhead_ms" doc:"what of it was Sluice's own; null: not known"`
	Steps    []Moment `json:"steps" doc:"in order of their start"`
}

// Moment is a part of a request: from its start for its length.
type Moment struct {
	Name    string  `json:"name" doc:"receive, cache, attempt, connect, wait, stream, backoff, deliver"`
	Start   float64 `json:"start_ms" doc:"since the request's start"`
	Length  float64 `json:"length_ms"`
	Attempt int     `json:"attempt,omitempty" doc:"number of the attempt that it is part of, from 1"`
	Target  string  `json:"target,omitempty" doc:"of an attempt: provider and model"`
	Status  *int    `json:"status,omitempty"`
	Note    string  `json:"note,omitempty" doc:"in a word or two: why a cache did not answer, why an attempt did not serve"`
	Cost    *Money  `json:"cost,omitempty"`
}

func (s *server) getTimeline(ctx context.Context, in *GetLogInput) (*output[Envelope[LogTimeline]], error) {
	row, _, err := s.find(ctx, &in.LogPath, basisRequests)
	if err != nil {
		return nil, err
	}
	return answer(timelineOf(&row.Entry)), nil
}

func timelineOf(e *sluice.LogEntry) LogTimeline {
	t := &e.Timeline
	v := LogTimeline{ID: e.ID.String(), Start: stamp(e.Start), Duration: Millis(t.End), Steps: []Moment{}}
	if own, known := reqlog.Overhead(e); known {
		v.Overhead = Millis(own)
	}
	add := func(m Moment, from, to time.Duration) {
		if to >= from {
			m.Start, m.Length = millis(from), millis(to-from)
			v.Steps = append(v.Steps, m)
		}
	}
	if t.Received > 0 {
		add(Moment{Name: "receive"}, 0, t.Received)
	}
	if e.Cache != sluice.CacheOff {
		end := t.Received
		if len(e.Attempts) > 0 {
			end = max(end, e.Attempts[0].Start)
		}
		note := reqlog.CacheName(e.Cache)
		if e.CacheReason != "" {
			note += ": " + e.CacheReason
		}
		add(Moment{Name: "cache", Note: note}, t.Received, end)
	}
	for i := range e.Attempts {
		a := &e.Attempts[i]
		if i > 0 {
			if before := &e.Attempts[i-1]; a.Start > before.Start+before.End {
				add(Moment{Name: "backoff"}, before.Start+before.End, a.Start)
			}
		}
		attemptSteps(a, i+1, i == len(e.Attempts)-1, t, add)
	}
	if n := len(e.Attempts); n > 0 {
		if end := e.Attempts[n-1].Start + e.Attempts[n-1].End; end < t.End {
			add(Moment{Name: "deliver"}, end, t.End)
		}
	} else if t.End > t.Received {
		add(Moment{Name: "deliver"}, t.Received, t.End)
	}
	slices.SortStableFunc(v.Steps, func(a, b Moment) int { return cmp.Compare(a.Start, b.Start) })
	return v
}

// attemptSteps adds an attempt, and what it is made of.
func attemptSteps(a *sluice.Attempt, number int, last bool, t *sluice.Timeline, add func(m Moment, from, to time.Duration)) {
	whole := Moment{Name: "attempt", Attempt: number, Target: strings.Trim(a.Provider+"/"+a.Model, "/"), Status: optionalStatus(a.Status), Note: a.Cause}
	if a.Priced {
		whole.Cost = &Money{a.Cost, true}
	}
	add(whole, a.Start, a.Start+a.End)
	if a.Connect > 0 {
		add(Moment{Name: "connect", Attempt: number}, a.Start, a.Start+a.Connect)
	}
	if a.First == 0 {
		return
	}
	add(Moment{Name: "wait", Attempt: number}, a.Start+a.Connect, a.Start+a.First)
	stream := Moment{Name: "stream", Attempt: number}
	if last && t.FirstToken > 0 {
		stream.Note = fmt.Sprintf("first token at %g ms", millis(t.FirstToken))
	}
	add(stream, a.Start+a.First, a.Start+a.End)
}

// millis is d in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// RelatedInput are the parameters of what belongs together with a request.
type RelatedInput struct {
	LogPath
	Limit int `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"most requests for each reason, the newest"`
}

// Related is a request that belongs together with another.
type Related struct {
	Reasons []string `json:"reasons" doc:"event, trace, or metadata.NAME with the same value"`
	Log     Row      `json:"log"`
}

// relatedSpan is how far from a request others are looked for, before and after.
const relatedSpan = 24 * time.Hour

// sessionKeys are the metadata keys that name a conversation, as clients spell them.
func sessionKeys() []string {
	return []string{"session_id", "session", "sessionId", "conversation_id", "conversation", "conversationId", "thread_id", "threadId", "chat_id", "chatId"}
}

// reasons are why others would belong to e, each with the condition for that.
func reasons(e *sluice.LogEntry) map[string]reqlog.Term {
	equal := func(f reqlog.Field, key, value string) reqlog.Term {
		return reqlog.Term{Field: f, Key: key, Op: reqlog.OpEq, Values: []string{reqlog.Literal(value)}}
	}
	found := map[string]reqlog.Term{}
	if e.EventID != "" {
		found["event"] = equal(reqlog.FieldEventID, "", e.EventID)
	}
	if e.TraceID != "" {
		found["trace"] = equal(reqlog.FieldTraceID, "", e.TraceID)
	}
	for _, m := range e.Metadata {
		if slices.Contains(sessionKeys(), m.Key) && m.Value != "" {
			found["metadata."+m.Key] = equal(reqlog.FieldMeta, m.Key, m.Value)
		}
	}
	return found
}

func (s *server) listRelated(ctx context.Context, in *RelatedInput) (*output[Envelope[[]Related]], error) {
	row, _, err := s.find(ctx, &in.LogPath, basisRequests)
	if err != nil {
		return nil, err
	}
	e := &row.Entry
	show := &logsQuery{keep: s.fields.list, basis: basisRequests}
	at := map[sluice.ID]int{}
	list := []Related{}
	for reason, term := range reasons(e) {
		p, err := s.Log.List(ctx, reqlog.Query{
			Account: e.Account, Gateway: e.Gateway, From: e.Start.Add(-relatedSpan), To: e.Start.Add(relatedSpan),
			Filter: reqlog.Filter{Terms: []reqlog.Term{term}}, Desc: true, Limit: in.Limit + 1,
		})
		if err != nil {
			return nil, fmt.Errorf("list what has the same %s: %w", reason, err)
		}
		for i := range p.Rows {
			other := &p.Rows[i].Entry
			if other.ID == e.ID {
				continue
			}
			n, seen := at[other.ID]
			if !seen {
				n = len(list)
				at[other.ID] = n
				list = append(list, Related{Log: s.row(&item{*other}, show)})
			}
			list[n].Reasons = append(list[n].Reasons, reason)
		}
	}
	for i := range list {
		slices.Sort(list[i].Reasons)
	}
	slices.SortFunc(list, func(a, b Related) int { return strings.Compare(b.Log.entry.ID, a.Log.entry.ID) })
	return answer(list), nil
}
