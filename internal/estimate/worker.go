package estimate

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
)

// Log is what a Worker needs of the log; *reqlog.Log is one.
type Log interface {
	Body(ctx context.Context, row reqlog.Row, side reqlog.Side) (io.ReadCloser, error)
	Correct(r *reqlog.Record) reqlog.Ticket
}

// queued bounds how many exchanges wait for their estimate.
const queued = 4096

// Worker corrects the log entries of exchanges whose provider reported no usage, or whose answer broke
// off before it did. It reads what the log stored, behind the requests: none waits for it. Without
// stored bodies nothing can be counted, and usage stays unknown. NewWorker makes one.
type Worker struct {
	prices func(account string) *price.Catalogue
	tell   func(e *sluice.LogEntry)
	logger *slog.Logger

	counter Counter
	queue   chan *reqlog.Record
	lost    atomic.Int64 // found no room in the queue
}

// NewWorker makes a Worker. prices returns an account's catalogue of the moment. corrected is told each entry that was
// corrected, which it does not keep; nil: nobody asks.
func NewWorker(prices func(account string) *price.Catalogue, corrected func(e *sluice.LogEntry), logger *slog.Logger) *Worker {
	return &Worker{prices: prices, tell: corrected, logger: logger, queue: make(chan *reqlog.Record, queued)}
}

// Watch returns store, with the worker looking at what goes into it: the log's records have been read and
// decoded there anyway. What a dead process left behind passes there too.
func (w *Worker) Watch(store reqlog.Store) reqlog.Store { return &watched{store, w} }

type watched struct {
	reqlog.Store
	worker *Worker
}

// Apply implements reqlog.Store.
func (s *watched) Apply(ctx context.Context, records []reqlog.Record, next reqlog.Pos) error {
	if err := s.Store.Apply(ctx, records, next); err != nil {
		return err
	}
	for i := range records {
		if wanted(&records[i]) {
			s.worker.offer(&records[i])
		}
	}
	return nil
}

// offer queues a copy: the log uses its records, and the memory of their texts, again.
func (w *Worker) offer(r *reqlog.Record) {
	c := *r
	c.Entry, c.Fields = sluice.LogEntry{}, ""
	if err := reqlog.DecodeEntry([]byte(r.Fields), &c.Entry); err != nil {
		return // it was decoded a moment ago: cannot be
	}
	c.Parts = [2][]reqlog.Part{slices.Clone(r.Parts[0]), slices.Clone(r.Parts[1])}
	select {
	case w.queue <- &c:
	default:
		if w.lost.Add(1) == 1 {
			w.logger.Warn("too many exchanges wait for an estimate of tokens: the usage of some stays unknown")
		}
	}
}

// Run estimates until ctx ends.
func (w *Worker) Run(ctx context.Context, log Log) {
	for {
		select {
		case r := <-w.queue:
			w.estimate(ctx, log, r)
		case <-ctx.Done():
			return
		}
	}
}

// wanted reports whether a record's usage is to be estimated: a paid call by the endpoint's kind, that
// was answered, and of which a class is unknown that its bodies can tell.
func wanted(r *reqlog.Record) bool {
	e := &r.Entry
	if r.Kind != reqlog.KindEntry || r.CountOnly || e.Method != "POST" || e.Cache == sluice.CacheHit ||
		KindOf(e.Endpoint) == KindNone || e.Status < 200 || e.Status >= 300 || e.Request.Stored == 0 {
		return false
	}
	switch e.Usage.Basis {
	case sluice.BasisNone:
		return true
	case sluice.BasisPartial: // what was seen of a stream that broke off counts the input, and little of the output
		return e.Finish == "" && !slices.Contains(e.Notes, noteEstimated)
	}
	return false
}

// noteEstimated stands in an entry of which a part, the output at least, was counted by us.
const noteEstimated = "output estimated"

// maxBody bounds what is read of a body, in bytes, decoded.
const maxBody = 16 << 20

// estimate counts a record's tokens and corrects its entry.
//
// A fault in counting ends with the exchange: bodies are anybody's bytes.
func (w *Worker) estimate(ctx context.Context, log Log, r *reqlog.Record) {
	e := &r.Entry
	defer func() {
		if cause := recover(); cause != nil {
			w.logger.ErrorContext(ctx, "panic in an estimate of tokens", "id", e.ID.String(), "cause", cause)
		}
	}()
	row := reqlog.Row{Entry: *e, Parts: r.Parts}
	request := body(ctx, log, row, reqlog.RequestSide, e.Request)
	response := body(ctx, log, row, reqlog.ResponseSide, e.Response)
	counted := w.counter.Usage(KindOf(e.Endpoint), modelOf(e), request, response)
	if !counted.Known() {
		return
	}
	if e.Usage.Basis == sluice.BasisNone {
		e.Usage = counted
		if e.Ending != sluice.EndingComplete {
			e.Usage.Basis = sluice.BasisPartial
		}
	} else if !complete(&e.Usage, &counted) {
		return
	} else {
		e.Notes = append(e.Notes, noteEstimated)
	}
	if n := len(e.Attempts); n > 0 {
		e.Attempts[n-1].Usage = e.Usage
	}
	w.prices(e.Account).Settle(e, price.Reported{}, customCost(e))
	if w.tell != nil {
		w.tell(e)
	}
	if log.Correct(r) == 0 {
		w.logger.WarnContext(ctx, "no room in the log for an estimate", "id", e.ID.String())
	}
}

// complete sets in seen, the counts of a stream that broke off, what counted has more of: the output, and the
// input where nothing told it. It reports whether there was any.
func complete(seen, counted *sluice.Usage) bool {
	changed := false
	if n, counts := counted.Get(sluice.Input); counts {
		if _, known := seen.Get(sluice.Input); !known {
			seen.Set(sluice.Input, n)
			changed = true
		}
	}
	if n, counts := counted.Get(sluice.Output); counts {
		if was, known := seen.Get(sluice.Output); !known || was < n {
			seen.Set(sluice.Output, n)
			changed = true
		}
	}
	return changed
}

// customCost is the price that the request named.
func customCost(e *sluice.LogEntry) *price.CustomCost {
	text := e.ReqHeader.Get("cf-aig-custom-cost")
	if text == "" {
		return nil
	}
	cost, err := price.Custom(text)
	if err != nil {
		return nil // noted when the request came
	}
	return &cost
}

func modelOf(e *sluice.LogEntry) string {
	if e.Served != "" {
		return e.Served
	}
	return e.Model
}

// body reads a stored body, decoded; nil when there is none, or it cannot be read.
func body(ctx context.Context, log Log, row reqlog.Row, side reqlog.Side, info sluice.Body) []byte {
	if info.Stored == 0 {
		return nil
	}
	r, err := log.Body(ctx, row, side)
	if err != nil {
		return nil // gone, or the disk fails: usage stays unknown
	}
	defer func() { _ = r.Close() }() // only read
	kept := &keeper{}
	decoder, ok := inflate.Meter(info.Encoding, kept)
	if !ok {
		return nil
	}
	_, err = io.Copy(writer{decoder}, io.LimitReader(r, maxBody))
	decoder.Close()
	if err != nil {
		return nil
	}
	return kept.bytes
}

// writer makes an io.Writer of a Meter.
type writer struct{ wire.Meter }

func (w writer) Write(p []byte) (int, error) {
	w.Meter.Write(p)
	return len(p), nil
}

// keeper is a Meter that keeps the bytes.
type keeper struct{ bytes []byte }

func (k *keeper) Write(p []byte) {
	k.bytes = append(k.bytes, p[:min(len(p), maxBody-len(k.bytes))]...)
}

func (*keeper) Close() wire.Reading { return wire.Reading{} }

func (*keeper) Seen() wire.Sighting { return 0 }
