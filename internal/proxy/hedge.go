package proxy

import (
	"context"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/route"
)

// hedgeAt is the share of calls that a hedge waits out: one that is slower than these gets a second try
// beside it.
const hedgeAt = 0.95

// causeHedge stands in the log for the slower one of two tries that ran side by side.
const causeHedge = "hedge"

// hedged is attempt with a second try beside the first, where the gateway's owner wants that: when the first
// has brought nothing after the time within which 95 % of such calls answer. The first content wins, the
// other try is cancelled; both stand in the log.
func (x *exchange) hedged(ctx context.Context, hold, final bool) outcome {
	if !x.mayHedge() {
		return x.attempt(ctx, hold, final)
	}
	key := x.latencyKey()
	x.proxy.hedges.First(key, time.Now())
	patience, known := x.proxy.latency.Quantile(key, hedgeAt)
	var o outcome
	if known {
		o = x.race(ctx, key, patience, final)
	} else {
		o = x.attempt(ctx, true, final)
	}
	if o.cause == "" {
		x.proxy.latency.Observe(key, x.since()-o.start)
	}
	return o
}

// mayHedge reports whether the call may be made twice at once.
func (x *exchange) mayHedge() bool {
	_, whole := x.sending()
	return x.gateway.Hedge > 0 && x.provider.Serve == nil && whole && x.repeatable()
}

// latencyKey names calls that take about as long as each other.
func (x *exchange) latencyKey() string {
	e := x.entry()
	return e.Provider + "\x00" + e.Model + "\x00" + e.Endpoint + "\x00" + strconv.FormatBool(e.Streamed)
}

// racer is one of two tries.
type racer struct {
	stop context.CancelFunc
	o    outcome
}

// race makes the first try, and the second one when the first is late and the share of hedges allows it.
func (x *exchange) race(ctx context.Context, key string, patience time.Duration, final bool) outcome {
	results := make(chan *racer, 2)
	start := func() *racer {
		own, stop := context.WithCancel(ctx)
		r := &racer{stop: stop}
		go func() {
			r.o = x.contained(own, final)
			results <- r
		}()
		return r
	}
	first := start()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-results:
		return first.won(nil)
	case <-timer.C:
	}
	if !x.proxy.hedges.Take(key, x.gateway.Hedge, time.Now()) || !x.reserveAnother(ctx, x.usedTries()+1) {
		<-results
		return first.won(nil)
	}
	second := start()
	winner := <-results
	loser := first
	if winner == first {
		loser = second
	}
	if winner.o.cause == "" {
		loser.stop()
	}
	<-results
	if winner.o.cause != "" {
		winner, loser = loser, winner // the one that took longer may serve
	}
	for i := range loser.o.tries {
		try := &loser.o.tries[i]
		try.End = x.since() - loser.o.start
		if winner.o.cause == "" {
			try.Cause = causeHedge
		} else {
			try.Cause = loser.o.cause
		}
	}
	return winner.won(loser)
}

// won is the outcome of the race. Its context ends with its answer.
func (r *racer) won(loser *racer) outcome {
	if loser != nil {
		loser.o.drop()
		loser.stop()
		r.o.tries = append(loser.o.tries, r.o.tries...)
	}
	if r.o.answer.body == nil {
		r.stop()
	} else {
		r.o.answer.body = &cancelled{ReadCloser: r.o.answer.body, stop: func(error) { r.stop() }}
	}
	return r.o
}

// contained is attempt in a goroutine of its own, where a panic would end the process.
func (x *exchange) contained(ctx context.Context, final bool) (o outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			x.proxy.panicked(x.id, cause)
			o = outcome{
				err:   &sluice.Error{Kind: sluice.KindInternal, Msg: "internal error"},
				cause: "panic", ending: sluice.EndingPanic, kind: "internal", part: route.Advice{After: -1},
			}
			o.tries = append(o.tries, x.attemptOf(&o, o.cause))
		}
	}()
	return x.attempt(ctx, true, final)
}
