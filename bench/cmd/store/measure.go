package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// figure is what was measured of a read, in milliseconds.
type figure struct {
	Name  string  `json:"name"`
	Times int     `json:"times"`
	First float64 `json:"first_ms"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	Max   float64 `json:"max_ms"`
	Must  float64 `json:"must_ms"`
}

// roomy is a bound on rows that is never reached.
const roomy = 1_000_000_000

// measure starts the program and asks it all there is to ask, while calls are written.
func measure(ctx context.Context, o options) (err error) {
	s, err := launch(ctx, o, roomy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	fmt.Println("waiting until the days are at rest")
	if err := s.rested(ctx, o.dir); err != nil {
		return err
	}
	show(o.dir)
	c := calls{s: s}
	during, stop := context.WithCancel(ctx)
	var writing sync.WaitGroup
	writing.Go(func() { c.run(during, o.rate) })
	began := time.Now()
	figures, err := s.all(ctx, o)
	took := time.Since(began)
	stop()
	writing.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("\n%d calls were written meanwhile, %.0f a second; %d failed\n", c.done.Load(), float64(c.done.Load())/took.Seconds(), c.failed.Load())
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o600)
}

func show(dir string) {
	d := usage(dir)
	fmt.Printf("on disk: days %s, analytics.db %s, rows %s, bodies %s\n\n", size(d.index), size(d.analytics), size(d.rows), size(d.bodies))
}

func (s *server) all(ctx context.Context, o options) ([]figure, error) {
	p, err := look(ctx, s)
	if err != nil {
		return nil, err
	}
	fmt.Printf("| %-52s | times | first ms |  p50 ms |  p95 ms |  max ms | must (p95) |\n|%s|--:|--:|--:|--:|--:|--:|\n", "what", strings.Repeat("-", 54))
	var figures []figure
	for _, r := range p.reads() {
		if !strings.Contains(r.name, o.only) {
			continue
		}
		f, err := s.repeat(ctx, r, o.each)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		mark := ""
		if f.P95 > f.Must {
			mark = " missed"
		}
		fmt.Printf("| %-52s | %5d | %8.1f | %7.1f | %7.1f | %7.1f | %.0f%s |\n", f.Name, f.Times, f.First, f.P50, f.P95, f.Max, f.Must, mark)
		figures = append(figures, f)
	}
	return figures, nil
}

const leastTimes = 10

// repeat asks for r until its time is over, with a breath in between: a page is not asked for without pause.
func (s *server) repeat(ctx context.Context, r read, each time.Duration) (figure, error) {
	var took []float64
	for end := time.Now().Add(each); len(took) < leastTimes || time.Now().Before(end); wait(ctx, 5*time.Millisecond) {
		began := time.Now()
		if err := s.once(ctx, r); err != nil {
			return figure{}, err
		}
		took = append(took, float64(time.Since(began))/1e6)
	}
	f := figure{Name: r.name, Times: len(took), First: took[0], Must: float64(r.must) / 1e6}
	slices.Sort(took)
	f.P50, f.P95, f.Max = took[len(took)/2], took[(len(took)*95+99)/100-1], took[len(took)-1]
	return f, nil
}

// once asks for all that r is made of, and waits for the last answer.
func (s *server) once(ctx context.Context, r read) error {
	if r.body != "" {
		_, err := s.do(ctx, http.MethodPost, "/client/v4/graphql", []byte(r.body))
		return err
	}
	paths := r.paths()
	errs := make([]error, len(paths))
	var asked sync.WaitGroup
	for i, path := range paths {
		asked.Go(func() { _, errs[i] = s.get(ctx, path) })
	}
	asked.Wait()
	return errors.Join(errs...)
}
