package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/bench/internal/hist"
	"github.com/sluicehq/sluice/bench/internal/load"
)

// results are the rounds of one workload by target.
type results map[string][]*load.Result

// measure fills the table.
func (s *stage) measure(ctx context.Context) (*report, error) {
	r := newReport(s.targets)
	if err := s.restart(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *report) error{
		s.measureRequests, s.measureCache, s.measureStreams, s.measureMemory, s.measureOpenLoop,
	} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	r.add("start to first served request", "150 ms", "50 ms", s.each(func(v *server) string {
		return fmt.Sprintf("%.0f ms", float64(v.start.Microseconds())/1e3)
	}))
	r.add("idle memory", "40 MB", "25 MB", s.each(func(v *server) string { return fmt.Sprintf("%.0f MB", float64(v.idle)/1e6) }))
	r.add("binary", "50 MB", "30 MB", s.each(func(v *server) string {
		fi, err := os.Stat(v.binary)
		if err != nil {
			return "?"
		}
		return fmt.Sprintf("%.1f MB", float64(fi.Size())/1e6)
	}))
	return r, nil
}

func (s *stage) each(f func(*server) string) []string {
	var all []string
	for _, v := range s.targets {
		all = append(all, f(v))
	}
	return all
}

func (r *report) add(what, must, aim string, values []string) {
	r.Lines = append(r.Lines, line{What: what, Must: must, Aim: aim, Values: values})
}

// measureRequests measures plain calls: at saturation, with long prompts, and one at a time.
func (s *stage) measureRequests(ctx context.Context, r *report) error {
	seconds := s.options.seconds
	for _, w := range []struct {
		load.Workload
		what, must, aim string
	}{
		{load.Workload{Name: "chat 1 KB", Conns: 64, Prompt: 1 << 10, Seconds: seconds, Warmup: 1}, "CPU per request, 1 KB chat, 64 connections", "2.5", "1.3"},
		{load.Workload{Name: "chat 30 KB", Conns: 64, Prompt: 30 << 10, Seconds: seconds, Warmup: 1}, "CPU per request, 30 KB prompt", "6", "3"},
	} {
		all, err := s.alternate(ctx, r, &w.Workload, false)
		if err != nil {
			return err
		}
		dropped, err := s.dropped(ctx)
		if err != nil {
			return err
		}
		r.add(w.what, w.must, w.aim, s.each(func(v *server) string { return all.ratio(v.name, cpuPerRequest) + dropped[v.name] }))
	}
	one := &load.Workload{Name: "one connection", Conns: 1, Prompt: 1 << 10, Seconds: seconds, Warmup: 1}
	all, err := s.alternate(ctx, r, one, true)
	if err != nil {
		return err
	}
	direct, nginx := median(all["direct"], p50), median(all["nginx"], p50)
	r.add("added p50 at one connection", "2.0", "1.2", s.each(func(v *server) string {
		return fmt.Sprintf("%.2f (%.0f µs)", (median(all[v.name], p50)-direct)/(nginx-direct), median(all[v.name], p50)-direct)
	}))
	return nil
}

// measureCache measures answers from the response cache, through a gateway that has it on. nginx forwards
// them, as it does all.
func (s *stage) measureCache(ctx context.Context, r *report) error {
	w := &load.Workload{Name: "cache hit", Conns: 64, Prompt: 1 << 10, Distinct: 1, Seconds: s.options.seconds, Warmup: 1}
	cached := &stage{options: s.options, nginx: s.nginx}
	values := map[string]string{}
	for _, v := range s.targets {
		at, err := v.withCache(ctx)
		if err != nil { // a revision that has no cache yet
			values[v.name] = "–"
			continue
		}
		cached.targets = append(cached.targets, at)
	}
	before, err := s.mockRequests(ctx)
	if err != nil {
		return err
	}
	all, err := cached.alternate(ctx, r, w, false)
	if err != nil {
		return err
	}
	after, err := s.mockRequests(ctx)
	if err != nil {
		return err
	}
	var forwarded int64
	for _, got := range all["nginx"] {
		forwarded += got.Requests
	}
	for _, v := range cached.targets {
		values[v.name] = all.ratio(v.name, cpuPerRequest)
	}
	// What nginx sent in its warm-up is not in its count; Sluice's own calls are one for each.
	fmt.Fprintf(os.Stderr, "cache hit: the mock answered %d calls, %d of them counted by nginx's load\n", after-before, forwarded)
	r.add("CPU per cache hit, 1 KB, logged, 64 connections", "2.0", "1.2", s.each(func(v *server) string { return values[v.name] }))
	return nil
}

func (s *stage) measureStreams(ctx context.Context, r *report) error {
	if err := s.control(ctx, "chunks=150&gap=20ms"); err != nil {
		return err
	}
	w := &load.Workload{Name: "200 streams", Conns: 200, Stream: true, Prompt: 1 << 10, Seconds: max(s.options.seconds, 5), Warmup: 4, Ramp: 3}
	all, err := s.alternate(ctx, r, w, false)
	if err != nil {
		return err
	}
	r.add("CPU per SSE event, 200 streams, 20 ms apart", "1.9", "1.5", s.each(func(v *server) string { return all.ratio(v.name, cpuPerEvent) }))
	return s.control(ctx, "")
}

// measureMemory counts what 1,000 open streams take in a process that has done nothing else.
func (s *stage) measureMemory(ctx context.Context, r *report) error {
	const streams = 1000
	if err := s.restart(ctx); err != nil {
		return err
	}
	if err := s.control(ctx, "chunks=40&gap=250ms"); err != nil {
		return err
	}
	w := &load.Workload{Name: "1,000 streams", Conns: streams, Stream: true, Prompt: 1 << 10, Seconds: 4, Warmup: 5, Ramp: 4}
	var values []string
	for _, v := range s.targets {
		got, err := s.one(ctx, r, v, w)
		if err != nil {
			return err
		}
		values = append(values, fmt.Sprintf("%.0f KB%s", float64(got.RSS-v.idle)/streams/1e3, errorsOf(got)))
	}
	r.add("memory per open stream, 1,000 streams", "100 KB", "50 KB", values)
	return s.control(ctx, "")
}

// measureOpenLoop sends at a fixed rate whatever the answers do, and then looks for each request's row.
func (s *stage) measureOpenLoop(ctx context.Context, r *report) error {
	if err := s.restart(ctx); err != nil {
		return err
	}
	w := &load.Workload{Name: "5,000/s", Conns: 256, Rate: 5000, Prompt: 1 << 10, Seconds: 2 * s.options.seconds, Warmup: 1}
	var values []string
	for _, v := range s.targets {
		before, err := s.mockRequests(ctx)
		if err != nil {
			return err
		}
		logged, err := logTotal(ctx, v)
		if err != nil {
			return err
		}
		got, err := s.one(ctx, r, v, w)
		if err != nil {
			return err
		}
		after, err := s.mockRequests(ctx)
		if err != nil {
			return err
		}
		rows, err := logTotal(ctx, v)
		if err != nil {
			return err
		}
		values = append(values, fmt.Sprintf("%d, %d of %d", got.Failed(), (after-before)-(rows-logged), after-before))
	}
	r.add("5,000 req/s open loop: errors, lost rows", "0, 0", "0, 0", values)
	return nil
}

// alternate runs w on nginx and each Sluice (and the mock alone) in turn, the order reversed from round
// to round, so that what the machine does meanwhile hits all alike.
func (s *stage) alternate(ctx context.Context, r *report, w *load.Workload, direct bool) (results, error) {
	order := append([]*server{s.nginx}, s.targets...)
	if direct {
		order = append(order, s.mock)
	}
	all := results{}
	for range s.options.rounds {
		for _, v := range order {
			got, err := s.one(ctx, r, v, w)
			if err != nil {
				return nil, err
			}
			all[v.name] = append(all[v.name], got)
		}
		slices.Reverse(order)
	}
	return all, nil
}

// one runs w on v.
func (s *stage) one(ctx context.Context, r *report, v *server, w *load.Workload) (*load.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got, err := load.Run(&load.Target{Name: v.name, URL: v.url, Pids: v.pids()}, w)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(os.Stderr, got.Line())
	key := w.Name + " / " + v.name
	rounds, _ := r.Results[key].([]*load.Result)
	r.Results[key] = append(rounds, got)
	return got, nil
}

func median(rs []*load.Result, f func(*load.Result) float64) float64 {
	var values []float64
	for _, r := range rs {
		values = append(values, f(r))
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

func cpuPerRequest(r *load.Result) float64 { return r.CPUPerRq }
func cpuPerEvent(r *load.Result) float64   { return r.CPUPerEv }

func p50(r *load.Result) float64 {
	l := r.Latency
	if l == nil {
		l = &hist.Summary{}
	}
	return l.P50
}

// ratio gives the median of f in nginx's, and what went wrong.
func (all results) ratio(name string, f func(*load.Result) float64) string {
	return fmt.Sprintf("%.2f (%.1f / %.1f µs)%s", median(all[name], f)/median(all["nginx"], f), median(all[name], f), median(all["nginx"], f), errorsOf(all[name]...))
}

// errorsOf tells of failed requests; "" when there were none.
func errorsOf(rs ...*load.Result) string {
	counts := map[string]int64{}
	for _, r := range rs {
		for kind, n := range r.Errors {
			counts[kind] += n
		}
	}
	if len(counts) == 0 {
		return ""
	}
	return fmt.Sprintf(" errors %v", counts)
}

func (s *stage) mockRequests(ctx context.Context) (int64, error) {
	var stats struct{ Requests int64 }
	text, err := fetch(ctx, "http://"+s.mock.addr+"/stats")
	if err == nil {
		err = json.Unmarshal(text, &stats)
	}
	return stats.Requests, err
}

const api = "/client/v4/accounts/default/ai-gateway"

// logTotal counts the log's rows: it waits until the number stands still, since the last answers may
// have been received before they were settled.
func logTotal(ctx context.Context, v *server) (int64, error) {
	var list struct {
		Info struct {
			Total int64 `json:"total_count"`
		} `json:"result_info"`
	}
	last := int64(-1)
	for range 50 {
		text, err := fetch(ctx, "http://"+v.addr+api+"/gateways/default/logs?basis=requests&per_page=1")
		if err == nil {
			err = json.Unmarshal(text, &list)
		}
		if err != nil {
			return 0, err
		}
		if list.Info.Total == last {
			return last, nil
		}
		last = list.Info.Total
		time.Sleep(300 * time.Millisecond)
	}
	return last, nil
}

// dropped tells of what each log has lost so far; "" where nothing.
func (s *stage) dropped(ctx context.Context) (map[string]string, error) {
	lost := map[string]string{}
	for _, v := range s.targets {
		var status struct {
			Result struct {
				Log struct {
					DroppedBodies int64 `json:"dropped_bodies"`
					DroppedRows   int64 `json:"dropped_rows"`
				} `json:"log"`
			} `json:"result"`
		}
		text, err := fetch(ctx, "http://"+v.addr+api+"/status")
		if err == nil {
			err = json.Unmarshal(text, &status)
		}
		if err != nil {
			return nil, err
		}
		if l := status.Result.Log; l.DroppedBodies+l.DroppedRows > 0 {
			lost[v.name] = fmt.Sprintf(" dropped: %d bodies, %d rows", l.DroppedBodies, l.DroppedRows)
		}
	}
	return lost, nil
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Unit: nginx (one worker, proxy_pass, keep-alive, no log) in the same run; %d CPUs, %s, %s.\n\n",
		r.CPUs, r.Go, r.At.Format(time.DateOnly))
	fmt.Fprintf(&b, "| | must | aim | %s |\n|---|--:|--:|%s\n", strings.Join(r.Targets, " | "), strings.Repeat("--:|", len(r.Targets)))
	for _, l := range r.Lines {
		fmt.Fprintf(&b, "| %s | ≤ %s | ≤ %s | %s |\n", l.What, l.Must, l.Aim, strings.Join(l.Values, " | "))
	}
	return b.String()
}
