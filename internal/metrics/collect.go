package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Gauges are what the process knows of itself at the moment.
type Gauges struct {
	Version     string
	InFlight    int64
	MemoryUsed  int64 // of bodies, bytes
	MemoryLimit int64
	Panics      int64
	Log         reqlog.Stats
	Upstreams   []Upstream
}

// Upstream is the connections to one host.
type Upstream struct {
	Host                         string
	Open, Idle, Dialing, Waiting int
}

// Handler answers scrapes with what r has counted and with what gauges returns, which is called for each.
func Handler(r *Recorder, gauges func() Gauges) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{r, gauges},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// collector turns counters into metrics. Which series there are is known only when it is asked.
type collector struct {
	r      *Recorder
	gauges func() Gauges
}

// Describe implements prometheus.Collector: nothing is told ahead.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := sender{to}
	c.r.mu.RLock()
	defer c.r.mu.RUnlock()
	for k, n := range c.r.calls {
		n.collect(out, &k)
	}
	for k, t := range c.r.times {
		labels := []string{k.account, k.gateway, k.provider}
		out.histogram("gen_ai_client_operation_duration_seconds", "Time from the request to the last byte of its answer.", &t.duration, placeLabels(), labels)
		out.histogram("gen_ai_server_time_to_first_token_seconds", "Time from the request to the first content of its answer.", &t.firstToken, placeLabels(), labels)
		out.histogram("sluice_overhead_seconds", "Time that requests were in Sluice's own hands.", &t.overhead, placeLabels(), labels)
	}
	for k, n := range c.r.faults {
		out.count("sluice_errors_total", "Requests with an error, by its kind.", float64(n.Load()),
			append(placeLabels(), "error_type"), []string{k.account, k.gateway, k.provider, k.kind})
	}
	c.process(out)
}

// placeLabels are the labels that nearly everything has.
func placeLabels() []string { return []string{"account", "gateway", "gen_ai_provider_name"} }

func (c *calls) collect(out sender, k *callKey) {
	class := "none"
	if k.class > 0 {
		class = strconv.Itoa(int(k.class)) + "xx"
	}
	names := append(placeLabels(), "gen_ai_request_model", "outcome", "status_class")
	values := []string{k.account, k.gateway, k.provider, k.model, k.outcome, class}
	for _, m := range []struct {
		name, help string
		n          float64
	}{
		{"sluice_requests_total", "Requests that have ended.", float64(c.requests.Load())},
		{"sluice_streamed_requests_total", "Requests whose answers were streams.", float64(c.streamed.Load())},
		{"sluice_attempts_total", "Tries at providers.", float64(c.attempts.Load())},
		{"sluice_cost_usd_total", "What requests with a known price cost, in US dollars.", float64(c.cost.Load()) / 1e9},
		{"sluice_cache_saved_cost_usd_total", "What answers from the cache would have cost, in US dollars.", float64(c.savedCost.Load()) / 1e9},
		{"sluice_unpriced_requests_total", "Requests with usage and no known price.", float64(c.unpriced.Load())},
		{"sluice_estimated_requests_total", "Requests whose tokens are estimated, or counted in part.", float64(c.estimated.Load())},
		{"sluice_cache_hits_total", "Requests that the cache answered.", float64(c.cacheHits.Load())},
		{"sluice_cache_misses_total", "Requests that the cache was asked for and had not.", float64(c.cacheMisses.Load())},
		{"sluice_rate_limited_total", "Requests that a limit of Sluice's refused.", float64(c.limited.Load())},
		{"sluice_request_bytes_total", "Bytes of request bodies.", float64(c.requestBytes.Load())},
		{"sluice_response_bytes_total", "Bytes of answers' bodies.", float64(c.responseBytes.Load())},
	} {
		if m.n != 0 {
			out.count(m.name, m.help, m.n, names, values)
		}
	}
	const used, saved = "LLM tokens, and other units, that were used.", "LLM tokens that answers from the cache spared."
	token := append(names, "gen_ai_token_type")
	for class := range sluice.ClassCount {
		if n := c.tokens[class].Load(); n != 0 {
			out.count("sluice_tokens_total", used, float64(n), token, append(values, class.String()))
		}
	}
	for class, n := range map[sluice.Class]int64{sluice.Input: c.savedIn.Load(), sluice.Output: c.savedOut.Load()} {
		if n != 0 {
			out.count("sluice_cache_saved_tokens_total", saved, float64(n), token, append(values, class.String()))
		}
	}
}

// process tells of the process.
func (c *collector) process(out sender) {
	g := c.gauges()
	l := &g.Log
	out.gauge("sluice_build_info", "Always 1; the version is a label.", 1, []string{"version"}, []string{g.Version})
	healthy := 0.0
	if l.State == "ok" {
		healthy = 1
	}
	for _, m := range []struct {
		name, help string
		n          float64
	}{
		{"sluice_requests_in_flight", "Requests that are under way.", float64(g.InFlight)},
		{"sluice_body_memory_bytes", "Memory that bodies hold.", float64(g.MemoryUsed)},
		{"sluice_body_memory_limit_bytes", "Memory that bodies may hold.", float64(g.MemoryLimit)},
		{"sluice_log_healthy", "1 while the log's state is ok.", healthy},
		{"sluice_log_queue_bytes", "Bytes that wait for the log's disk.", float64(l.QueueBytes)},
		{"sluice_log_append_lag_seconds", "Age of the oldest record that is in no file yet.", l.AppendLag.Seconds()},
		{"sluice_log_index_lag_seconds", "Age of the oldest record that is not indexed yet.", l.IndexLag.Seconds()},
		{"sluice_log_disk_bytes", "Bytes of the log's segments.", float64(l.DiskBytes)},
		{"sluice_log_disk_free_bytes", "Bytes free on the log's file system.", float64(l.DiskFree)},
	} {
		out.gauge(m.name, m.help, m.n, nil, nil)
	}
	for _, m := range []struct {
		name, help string
		n          int64
	}{
		{"sluice_log_rows_total", "Entries that were handed to the log.", l.Rows},
		{"sluice_log_dropped_bodies_total", "Entries whose bodies were dropped for lack of room.", l.DroppedBodies},
		{"sluice_log_dropped_rows_total", "Entries that are only counted, for lack of room.", l.DroppedRows},
		{"sluice_log_lost_counts_total", "Entries that are not even counted.", l.LostCounts},
		{"sluice_log_late_total", "Records that may have been longer than 50 ms on their way to a file.", l.Late},
		{"sluice_log_not_indexed_total", "Records that the index could not take.", l.NotIndexed},
		{"sluice_panics_total", "Panics that were contained, outside of the log.", g.Panics},
		{"sluice_log_panics_total", "Panics that were contained in the log.", l.Panics},
	} {
		out.count(m.name, m.help, float64(m.n), nil, nil)
	}
	c.upstreams(out, g.Upstreams)
}

// maxHosts bounds the hosts that are told apart.
const maxHosts = 100

func (c *collector) upstreams(out sender, list []Upstream) {
	type key struct{ host, state string }
	sums := map[key]int{}
	for i, u := range list {
		host := u.Host
		if i >= maxHosts {
			host = other
		}
		for state, n := range map[string]int{"open": u.Open, "idle": u.Idle, "dialing": u.Dialing, "waiting": u.Waiting} {
			sums[key{host, state}] += n
		}
	}
	for k, n := range sums {
		out.gauge("sluice_upstream_connections", "Connections to providers; waiting: calls that wait for one.", float64(n),
			[]string{"server_address", "state"}, []string{k.host, k.state})
	}
}

// sender makes metrics.
type sender struct{ to chan<- prometheus.Metric }

func (s sender) count(name, help string, n float64, labels, values []string) {
	s.to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, n, values...)
}

func (s sender) gauge(name, help string, n float64, labels, values []string) {
	s.to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, n, values...)
}

func (s sender) histogram(name, help string, h *histogram, labels, values []string) {
	count := uint64(h.count.Load()) // first: what is counted meanwhile is in a bucket, not here
	if count == 0 {
		return
	}
	buckets, below := make(map[float64]uint64, len(h.buckets)), uint64(0)
	for i, bound := range bounds() {
		below += uint64(h.buckets[i].Load())
		buckets[bound.Seconds()] = min(below, count)
	}
	desc := prometheus.NewDesc(name, help, labels, nil)
	s.to <- prometheus.MustNewConstHistogram(desc, count, time.Duration(h.sum.Load()).Seconds(), buckets, values...)
}
