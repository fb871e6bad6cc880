// Package demo makes up a day of traffic to look around in: the log of some applications that never were, a
// provider that answers without a network, and a trickle of calls that goes on while somebody looks.
//
// The past is written through the log as the log of real calls is, so that lists, totals, costs and bodies agree
// with each other; equal seeds make equal days. The present is real: calls of the trickle pass through the gateway
// like any other.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
)

// Marker is the file that tells a data directory of made-up traffic from a real one.
const Marker = "demo"

// MetadataKey is the key of metadata whose values are summed up for charts, because the made-up applications
// send it.
const MetadataKey = "team"

// Options say what day to make up.
type Options struct {
	DataDir  string
	Seed     uint64
	Now      time.Time // the end of the day
	Requests int       // about how many; 0: 6,000
	Logger   *slog.Logger
}

// defaultRequests is enough for charts without gaps, and few enough to be written at once.
const defaultRequests = 6000

// Marked reports whether dir holds made-up traffic.
func Marked(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, Marker))
	return err == nil
}

// ErrNotEmpty is why Fill does not write: what is made up must never be mixed with what is true.
var ErrNotEmpty = errors.New("the directory holds other things than made-up traffic")

// Fill writes a day of traffic that ends at o.Now into the log below o.DataDir, which it makes. A directory that
// has such a day keeps it: then nothing is written. The error is ErrNotEmpty where it holds anything else.
func Fill(ctx context.Context, o Options) (err error) {
	if o.Requests == 0 {
		o.Requests = defaultRequests
	}
	switch list, err := os.ReadDir(o.DataDir); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("data directory of the demo: %w", err)
	case Marked(o.DataDir):
		return nil
	case len(list) > 0:
		return fmt.Errorf("%s: %w", o.DataDir, ErrNotEmpty)
	}
	dir := filepath.Join(o.DataDir, "log")
	index, err := logindex.Open(ctx, filepath.Join(dir, "index"), logindex.Options{Logger: o.Logger, Metadata: []string{MetadataKey}})
	if err != nil {
		return fmt.Errorf("open the index of the demo's log: %w", err)
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	log, err := reqlog.Open(ctx, reqlog.Options{Dir: filepath.Join(dir, "segments"), Logger: o.Logger}, index)
	if err != nil {
		return fmt.Errorf("open the demo's log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close(ctx)) }()
	if err := write(ctx, log, o); err != nil {
		return err
	}
	// Last: a day that was cut short is made anew, not taken for a whole one.
	return os.WriteFile(filepath.Join(o.DataDir, Marker), []byte("The traffic in this directory is made up (sluice demo).\n"), 0o600)
}

// write hands the day's calls to the log, in the order in which they began.
func write(ctx context.Context, log *reqlog.Log, o Options) error {
	prices := price.Embedded()
	var last reqlog.Ticket
	for i, c := range newDay(o).calls() {
		x := &reqlog.Exchange{Entry: c.entry}
		x.Entry.Metadata = append(x.Entry.Metadata[:len(x.Entry.Metadata):len(x.Entry.Metadata)], c.app.metadata(c)...)
		prices.Settle(&x.Entry, price.Reported{}, nil)
		for side, body := range [...][]byte{reqlog.RequestSide: c.request, reqlog.ResponseSide: c.response} {
			log.Capture(&x.Bodies[side], int64(len(body)))
			x.Bodies[side].Whole(body)
		}
		log.Begin(x)
		x.Described()
		last = log.End(x, false)
		if i%500 == 499 { // the queue has room for some thousands
			if err := log.Wait(ctx, last); err != nil {
				return fmt.Errorf("write the demo's log: %w", err)
			}
		}
	}
	if err := log.Wait(ctx, last); err != nil {
		return fmt.Errorf("write the demo's log: %w", err)
	}
	return nil
}
