// Package metrics counts what passes, for Prometheus: names and units follow OpenTelemetry's, where it has some.
//
// Observe is called with each exchange as it ends. It finds the exchange's counters by one look-up and adds to
// them, without a lock that anybody waits for and without allocating. What a scrape reads is added up then.
// Names that callers choose become labels up to a bound, and "other" beyond it: a scrape stays small whatever is
// sent.
package metrics

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Bounds of what becomes a label.
const (
	maxModels = 100
	maxSeries = 5000
	maxFaults = 500
	maxLabel  = 128 // bytes
)

// other is the label of what is beyond a bound.
const other = reqlog.OtherValue

// Recorder counts exchanges. Safe for concurrent use.
type Recorder struct {
	mu     sync.RWMutex
	models map[string]struct{}
	calls  map[callKey]*calls
	times  map[timeKey]*times
	faults map[faultKey]*atomic.Int64
}

// callKey is what counters are kept for.
type callKey struct {
	account, gateway, provider, model string
	outcome                           string // reqlog.Outcome's
	class                             uint8  // of the status: 2 is 2xx; 0: there was none
}

// calls are counters of exchanges.
type calls struct {
	requests, streamed, attempts    atomic.Int64
	tokens                          [sluice.ClassCount]atomic.Int64
	savedIn, savedOut               atomic.Int64
	cost, savedCost                 atomic.Int64 // nano-USD
	unpriced, estimated             atomic.Int64
	cacheHits, cacheMisses, limited atomic.Int64
	requestBytes, responseBytes     atomic.Int64
}

// timeKey is what histograms are kept for: not models, which would make too many.
type timeKey struct{ account, gateway, provider string }

// times are the histograms of durations.
type times struct{ duration, firstToken, overhead histogram }

type faultKey struct{ account, gateway, provider, kind string }

// New returns a Recorder that has counted nothing.
func New() *Recorder {
	return &Recorder{
		models: map[string]struct{}{}, calls: map[callKey]*calls{}, times: map[timeKey]*times{}, faults: map[faultKey]*atomic.Int64{},
	}
}

// Observe counts an exchange that has ended. It keeps nothing of e.
func (r *Recorder) Observe(e *sluice.LogEntry) {
	k := callKey{account: e.Account, gateway: e.Gateway, provider: e.Provider, model: e.Model, outcome: reqlog.Outcome(e)}
	if e.Status >= 100 && e.Status < 600 {
		k.class = uint8(e.Status / 100)
	}
	at := timeKey{e.Account, e.Gateway, e.Provider}
	r.mu.RLock()
	if _, known := r.models[k.model]; !known && k.model != "" {
		k.model = other
	}
	c, t := r.calls[k], r.times[at]
	// A model's name is anybody's text until a call with it went well.
	fresh := k.model == other && admissible(e) && len(r.models) < maxModels
	r.mu.RUnlock()
	if c == nil || t == nil || fresh {
		c, t = r.admit(k, at, e)
	}
	c.add(e)
	t.add(e)
	if e.ErrorKind != "" {
		r.fault(faultKey{e.Account, e.Gateway, e.Provider, e.ErrorKind}).Add(1)
	}
}

func (c *calls) add(e *sluice.LogEntry) {
	c.requests.Add(1)
	c.attempts.Add(int64(len(e.Attempts)))
	addIf(&c.streamed, e.Streamed)
	addIf(&c.cacheHits, e.Cache == sluice.CacheHit)
	addIf(&c.cacheMisses, e.Cache == sluice.CacheMiss)
	addIf(&c.limited, e.Status == 429 && e.Ending == sluice.EndingRefused)
	addIf(&c.estimated, e.Usage.Basis == sluice.BasisEstimated || e.Usage.Basis == sluice.BasisPartial)
	addIf(&c.unpriced, !e.Priced && e.Usage.Known() && e.Usage.Basis != sluice.BasisCached)
	c.requestBytes.Add(e.Request.Size)
	c.responseBytes.Add(e.Response.Size)
	if e.Priced {
		c.cost.Add(int64(e.Cost))
	}
	c.savedCost.Add(int64(e.Saved.Cost))
	c.usage(&e.Usage)
	for i := range e.Charges {
		c.usage(&e.Charges[i].Usage)
	}
}

// usage counts tokens. Of a cache hit they were saved.
func (c *calls) usage(u *sluice.Usage) {
	if u.Basis == sluice.BasisCached {
		in, _ := u.Get(sluice.Input)
		out, _ := u.Get(sluice.Output)
		c.savedIn.Add(in)
		c.savedOut.Add(out)
		return
	}
	for class := range sluice.ClassCount {
		if n, known := u.Get(class); known {
			c.tokens[class].Add(n)
		}
	}
}

func addIf(n *atomic.Int64, yes bool) {
	if yes {
		n.Add(1)
	}
}

func (t *times) add(e *sluice.LogEntry) {
	t.duration.observe(e.Timeline.End)
	t.firstToken.observe(e.Timeline.FirstToken)
	if own, known := reqlog.Overhead(e); known {
		t.overhead.observe(own)
	}
}

// admissible reports whether an exchange's model may become a label.
func admissible(e *sluice.LogEntry) bool {
	return e.Success && e.Model != other && len(e.Model) <= maxLabel && utf8.ValidString(e.Model)
}

// admit makes the counters of a key that has none, or of a model that may have its own now.
func (r *Recorder) admit(k callKey, at timeKey, e *sluice.LogEntry) (*calls, *times) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.model == other && admissible(e) && len(r.models) < maxModels {
		k.model = strings.Clone(e.Model)
		r.models[k.model] = struct{}{}
	}
	c := r.calls[k]
	if c == nil {
		if len(r.calls) >= maxSeries {
			k = callKey{other, other, other, other, k.outcome, k.class}
		}
		k.account, k.gateway, k.provider, k.model = label(k.account), label(k.gateway), label(k.provider), label(k.model)
		if c = r.calls[k]; c == nil {
			c = &calls{}
			r.calls[k] = c
		}
	}
	t := r.times[at]
	if t == nil {
		if len(r.times) >= maxSeries/10 {
			at = timeKey{other, other, other}
		}
		at = timeKey{label(at.account), label(at.gateway), label(at.provider)}
		if t = r.times[at]; t == nil {
			t = &times{}
			r.times[at] = t
		}
	}
	return c, t
}

// fault returns the counter of a kind of error.
func (r *Recorder) fault(k faultKey) *atomic.Int64 {
	r.mu.RLock()
	n := r.faults[k]
	r.mu.RUnlock()
	if n != nil {
		return n
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) >= maxFaults {
		k = faultKey{other, other, other, other}
	}
	k = faultKey{label(k.account), label(k.gateway), label(k.provider), label(k.kind)}
	if n = r.faults[k]; n == nil {
		n = &atomic.Int64{}
		r.faults[k] = n
	}
	return n
}

// label makes a text of a label that outlives the exchange that it is of.
func label(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return strings.Clone(strings.ToValidUTF8(s, "\uFFFD"))
}

// bounds are the upper bounds of histograms: those that OpenTelemetry's conventions for generative AI name for the
// duration of an operation, and some below, since Sluice's own part is far shorter.
func bounds() [18]time.Duration {
	const ms = time.Millisecond
	return [...]time.Duration{
		ms / 10, ms / 4, ms, 5 * ms / 2, 5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms,
		1280 * ms, 2560 * ms, 5120 * ms, 10240 * ms, 40960 * ms, 81920 * ms,
	}
}

// histogram counts durations by bounds; what is above the last is in none of them.
type histogram struct {
	buckets [18]atomic.Int64 // not cumulative
	count   atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

// observe counts d; zero is what never came.
func (h *histogram) observe(d time.Duration) {
	if d <= 0 {
		return
	}
	h.count.Add(1)
	h.sum.Add(int64(d))
	for i, bound := range bounds() {
		if d <= bound {
			h.buckets[i].Add(1)
			return
		}
	}
}
