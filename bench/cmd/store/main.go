// Command store measures how quick the management API is over a large log: it generates a month of traffic, starts
// the program on it, has calls written, and asks what lists, entries and charts ask.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/bench/internal/traffic"
)

// options are the command's flags.
type options struct {
	binary   string
	dir      string
	rows     int
	bodies   int
	rate     int
	days     int
	each     time.Duration
	only     string
	json     string
	retire   bool
	generate bool
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sluice", "program to measure")
	flag.StringVar(&o.dir, "dir", "", "data directory to use, and to keep; what is in it is not generated again. Empty: one that is removed at the end")
	flag.IntVar(&o.rows, "rows", 10_000_000, "rows to generate")
	flag.IntVar(&o.days, "days", 30, "days that the rows are spread over")
	flag.IntVar(&o.bodies, "bodies", 100_000, "the newest rows, which have bodies")
	flag.IntVar(&o.rate, "rate", 200, "calls a second while reads are measured; 0: none")
	flag.DurationVar(&o.each, "each", 4*time.Second, "how long each read is repeated, ten times at least")
	flag.StringVar(&o.only, "only", "", "measure the reads whose names hold this")
	flag.StringVar(&o.json, "json", "", "file for the figures, too")
	flag.BoolVar(&o.retire, "retire", false, "at the end have retention drop a tenth of the rows, also in a directory that is kept")
	flag.BoolVar(&o.generate, "generate", false, "generate only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "sluice-store-"); err != nil {
			return err
		}
		o.retire = true
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if err := fill(ctx, o); err != nil || o.generate {
		return err
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if err := measure(ctx, o); err != nil || !o.retire {
		return err
	}
	return retire(ctx, o)
}

// doneName is the file that says that a directory was filled.
const doneName = "generated"

// fill generates the log, unless it is there.
func fill(ctx context.Context, o options) error {
	done := filepath.Join(o.dir, doneName)
	if text, err := os.ReadFile(done); err == nil {
		fmt.Printf("found: %s", text)
		return nil
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	if entries, err := os.ReadDir(o.dir); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("%s is neither empty nor whole: choose another, or remove it", o.dir))
	}
	began := time.Now()
	fmt.Printf("generating %d rows, %d with bodies\n", o.rows, o.bodies)
	err := traffic.Write(ctx, o.dir, traffic.Plan{Seed: 1, Rows: o.rows, Bodies: o.bodies, Days: o.days, End: began}, func(rows int) {
		if rows%1_000_000 == 0 && rows > 0 {
			fmt.Printf("  %d after %v\n", rows, time.Since(began).Round(time.Second))
		}
	})
	if err == nil {
		err = traffic.Rest(o.dir)
	}
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%d rows in %v, %s on disk, until %s\n", o.rows, time.Since(began).Round(time.Second), size(usage(o.dir).all()), began.UTC().Format(time.RFC3339))
	fmt.Print("generated: ", note)
	return os.WriteFile(done, []byte(note), 0o600)
}
