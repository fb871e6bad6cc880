package traffic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
)

// Plan says what is written.
type Plan struct {
	Seed   uint64
	Rows   int
	Bodies int       // the newest rows, which have bodies
	Days   int       // that the rows are spread over
	End    time.Time // of the newest
}

// queueBytes is the log's queue; half full, the writer waits: it must lose nothing.
const queueBytes = 256 << 20

// Write writes what p says to the data directory dir, whose log is empty, and tells progress now and then.
func Write(ctx context.Context, dir string, p Plan, progress func(rows int)) (err error) {
	index, err := logindex.Open(ctx, indexDir(dir), logindex.Options{Metadata: []string{Metadata}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	log, err := reqlog.Open(ctx, reqlog.Options{Dir: filepath.Join(dir, "log", "segments"), QueueBytes: queueBytes}, index)
	if err != nil {
		return err
	}
	if err := write(ctx, log, p, progress); err != nil {
		return errors.Join(err, log.Close(ctx))
	}
	stats := log.Stats()
	if stats.DroppedRows+stats.DroppedBodies+stats.LostCounts > 0 {
		err = fmt.Errorf("%d rows and %d bodies were dropped", stats.DroppedRows, stats.DroppedBodies)
	}
	return errors.Join(err, log.Close(ctx))
}

func write(ctx context.Context, log *reqlog.Log, p Plan, progress func(rows int)) error {
	m, x := NewMaker(p.Seed), &reqlog.Exchange{}
	clock := newClock(p)
	for i := range p.Rows {
		if i%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			for log.Stats().QueueBytes > queueBytes/2 {
				time.Sleep(time.Millisecond)
			}
		}
		if i%100_000 == 0 {
			progress(i)
		}
		m.Entry(&x.Entry, clock.next())
		log.Begin(x)
		x.Described()
		x.Entry.Request.Off, x.Entry.Response.Off = true, true
		if i >= p.Rows-p.Bodies {
			x.Entry.Request.Off, x.Entry.Response.Off = false, false
			request, response := m.Bodies(&x.Entry)
			for side, body := range [...][]byte{reqlog.RequestSide: request, reqlog.ResponseSide: response} {
				log.Capture(&x.Bodies[side], int64(len(body)))
				x.Bodies[side].Write(body)
			}
		}
		log.End(x, false)
		x.Reset()
	}
	return nil
}

// clock gives the rows their times: by day there is four times as much traffic as at night.
type clock struct {
	at   time.Time
	step time.Duration // on average
}

func newClock(p Plan) *clock {
	length := time.Duration(p.Days) * 24 * time.Hour
	return &clock{at: p.End.Add(-length), step: length / time.Duration(max(p.Rows, 1))}
}

func (c *clock) next() time.Time {
	at := c.at
	hour := float64(at.UnixMilli()%(24*3600*1000)) / (3600 * 1000)
	busy := 1 - 0.6*math.Cos(2*math.Pi*(hour-2)/24) // 1 on average
	c.at = at.Add(time.Duration(float64(c.step) / busy))
	return at
}

func indexDir(dir string) string { return filepath.Join(dir, "log", "index") }

// Rest makes the days' files as old as what is in them, so that the program that opens them next takes the days for
// what they would be, had they been written in their time: at rest.
func Rest(dir string) error {
	files, err := filepath.Glob(filepath.Join(indexDir(dir), "????-??-??.db"))
	if err != nil {
		return err
	}
	for _, file := range files {
		day, err := time.Parse(time.DateOnly, filepath.Base(file)[:len(time.DateOnly)])
		if err != nil {
			return err
		}
		if end := day.Add(24 * time.Hour); end.Before(time.Now()) {
			if err := os.Chtimes(file, end, end); err != nil {
				return err
			}
		}
	}
	return nil
}
