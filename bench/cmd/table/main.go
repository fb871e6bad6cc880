// table measures Sluice beside nginx on this machine and prints one table of ratios. It starts all
// that it needs (mock upstream, nginx, Sluice) on loopback, alternates between them, and stops them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

type options struct {
	root    string
	base    string
	json    string
	profile string
	rounds  int
	seconds float64
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository, with bin/sluice built")
	flag.StringVar(&o.base, "base", "", "revision to build and measure beside it")
	flag.StringVar(&o.json, "json", "", "write all results to this file")
	flag.StringVar(&o.profile, "profile", "", "take a CPU profile of the request path into this file instead")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each workload; medians are shown")
	flag.Float64Var(&o.seconds, "seconds", 4, "measured seconds of each workload")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) error {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{dir: dir, options: o}
	defer s.stop()
	if err := s.open(ctx); err != nil {
		return err
	}
	if o.profile != "" {
		return s.takeProfile(ctx)
	}
	report, err := s.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Print(report.markdown())
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, text, 0o644)
}

// stage is what the measuring happens on: the programs and where they lie.
type stage struct {
	dir     string
	options *options
	mock    *server
	nginx   *server
	targets []*server // Sluice, and a former revision of it
	mockBin string
	running []*server
	undo    []func()
}

// open builds what is measured and starts the mock and nginx.
func (s *stage) open(ctx context.Context) error {
	s.mockBin = filepath.Join(s.dir, "mockllm")
	if err := command(ctx, ".", "go", "build", "-o", s.mockBin, "./cmd/mockllm"); err != nil {
		return err
	}
	current := filepath.Join(s.options.root, "bin", "sluice")
	if _, err := os.Stat(current); err != nil {
		return fmt.Errorf("no program to measure: %w", err)
	}
	s.targets = []*server{{name: "sluice", binary: current}}
	if s.options.base != "" {
		base, err := s.buildBase(ctx)
		if err != nil {
			return fmt.Errorf("build %s: %w", s.options.base, err)
		}
		s.targets = append(s.targets, &server{name: "base", binary: base})
	}
	var err error
	if s.mock, err = s.startMock(ctx); err != nil {
		return err
	}
	s.nginx, err = s.startNginx(ctx)
	return err
}

// buildBase builds a former revision from a work tree of its own.
func (s *stage) buildBase(ctx context.Context) (string, error) {
	tree, out := filepath.Join(s.dir, "base-tree"), filepath.Join(s.dir, "base-sluice")
	if err := command(ctx, s.options.root, "git", "worktree", "add", "--detach", tree, s.options.base); err != nil {
		return "", err
	}
	s.undo = append(s.undo, func() {
		_ = command(context.Background(), s.options.root, "git", "worktree", "remove", "--force", tree)
	})
	return out, command(ctx, tree, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", out, "./cmd/sluice")
}

// stop ends all that runs, the last started first.
func (s *stage) stop() {
	for i := len(s.running) - 1; i >= 0; i-- {
		s.running[i].stop()
	}
	for _, undo := range s.undo {
		undo()
	}
}

// report is what one run found out.
type report struct {
	At      time.Time      `json:"at"`
	CPUs    int            `json:"cpus"`
	Go      string         `json:"go"`
	Targets []string       `json:"targets"`
	Lines   []line         `json:"lines"`
	Results map[string]any `json:"results"` // by workload and target
}

// line is a row of the table.
type line struct {
	What   string   `json:"what"`
	Must   string   `json:"must"`
	Aim    string   `json:"aim"`
	Values []string `json:"values"` // by target
	Note   string   `json:"note,omitempty"`
}

func newReport(targets []*server) *report {
	r := &report{At: time.Now().UTC(), CPUs: runtime.NumCPU(), Go: runtime.Version(), Results: map[string]any{}}
	for _, t := range targets {
		r.Targets = append(r.Targets, t.name)
	}
	return r
}
