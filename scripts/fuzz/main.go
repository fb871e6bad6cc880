// fuzz finds every fuzz target of a module and runs each for a while. The test binary of a package is built once for
// all its targets: linking took as long as a short run.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// network matches the packages whose parsers read bytes from the network; they get more time.
const network = `/internal/(wire|upstream|front)(/|$)`

// pkg is a package with fuzz targets.
type pkg struct {
	path, dir string
	targets   []string
}

// runner runs targets.
type runner struct {
	match      *regexp.Regexp // of package and name; others are left out
	each, long time.Duration  // for a target, and for one that reads network bytes
	jobs       int            // packages at once; more than 1 have one worker each, instead of one for each core
	cache      string         // of inputs that were found, as go test keeps it
	bin        string         // directory of test binaries
	print      sync.Mutex
}

func main() {
	root := flag.String("root", ".", "the module's directory")
	each := flag.Duration("time", 2*time.Minute, "time for each target")
	long := flag.Duration("network-time", 10*time.Minute, "time for each target that reads network bytes")
	match := flag.String("match", "", "only targets whose package and name match this regular expression")
	jobs := flag.Int("jobs", 1, "targets at once; when there are several, each has one worker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *match, &runner{each: *each, long: *long, jobs: *jobs}); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, match string, r *runner) error {
	var err error
	if r.match, err = regexp.Compile(match); err != nil {
		return err
	}
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env GOCACHE: %w", err)
	}
	r.cache = filepath.Join(strings.TrimSpace(string(cache)), "fuzz")
	if r.bin, err = os.MkdirTemp("", "fuzz"); err != nil {
		return err
	}
	defer os.RemoveAll(r.bin)
	packages, err := find(ctx, root)
	if err != nil {
		return err
	}
	return r.all(ctx, packages)
}

// all runs the targets of packages, those of a package one after another.
func (r *runner) all(ctx context.Context, packages []pkg) error {
	// The longest first: else they would run alone at the end.
	slices.SortStableFunc(packages, func(a, b pkg) int { return cmp.Compare(len(b.targets), len(a.targets)) })
	queue := make(chan *pkg, len(packages))
	total := 0
	for i := range packages {
		p := &packages[i]
		p.targets = slices.DeleteFunc(p.targets, func(name string) bool { return !r.match.MatchString(p.path + " " + name) })
		if len(p.targets) > 0 {
			queue <- p
			total += len(p.targets)
		}
	}
	close(queue)
	var failed atomic.Int64
	var working sync.WaitGroup
	for range max(r.jobs, 1) {
		working.Go(func() {
			for p := range queue {
				failed.Add(int64(r.pkg(ctx, p)))
			}
		})
	}
	working.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d of %d targets failed", n, total)
	}
	return nil
}

// pkg runs the targets of one package and returns how many failed.
func (r *runner) pkg(ctx context.Context, p *pkg) (failed int) {
	if ctx.Err() != nil {
		return 0
	}
	bin := filepath.Join(r.bin, strings.ReplaceAll(p.path, "/", "_"))
	build := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz", ".", "-o", bin, ".") // -fuzz: with the counters that guide the search
	build.Dir = p.dir
	if out, err := build.CombinedOutput(); err != nil {
		r.say("FAIL  %s\n%s\n", p.path, out)
		return len(p.targets)
	}
	defer os.Remove(bin)
	d := r.each
	if regexp.MustCompile(network).MatchString(p.path) {
		d = r.long
	}
	for _, name := range p.targets {
		if ctx.Err() == nil && !r.fuzz(ctx, p, bin, name, d) {
			failed++
		}
	}
	return failed
}

func (r *runner) say(format string, args ...any) {
	r.print.Lock()
	defer r.print.Unlock()
	fmt.Printf(format, args...)
}

// find lists the targets by the names of functions in test files: cheaper than building each test
// binary only to ask it.
func find(ctx context.Context, root string) ([]pkg, error) {
	const format = `{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-f", format, "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	var packages []pkg
	for line := range strings.Lines(string(out)) {
		path, file, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			if len(packages) == 0 || packages[len(packages)-1].path != path {
				packages = append(packages, pkg{path: path, dir: filepath.Dir(file)})
			}
			last := &packages[len(packages)-1]
			last.targets = append(last.targets, string(m[1]))
		}
	}
	return packages, nil
}

// minimize is how often an input that is new is tried in a shorter form. By default that goes on for a
// minute for each, and those tries do not count: of 3 seconds nothing was left to look for others.
const minimize = "20x"

// fuzz runs one target of a package's test binary and reports whether it held.
func (r *runner) fuzz(ctx context.Context, p *pkg, bin, name string, d time.Duration) bool {
	began := time.Now()
	args := []string{
		"-test.run=^$", "-test.fuzz=^" + name + "$", "-test.fuzztime=" + d.String(), "-test.fuzzminimizetime=" + minimize,
		"-test.fuzzcachedir=" + filepath.Join(r.cache, filepath.FromSlash(p.path)),
	}
	if r.jobs > 1 {
		args = append(args, "-test.parallel=1")
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = p.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil && (ctx.Err() != nil || !timeUp(out.String(), name, d)) {
		r.say("FAIL  %s %s\n%s\n", p.path, name, out.Bytes())
		return false
	}
	r.say("ok    %s %s   %.0f s, %s inputs\n", p.path, name, time.Since(began).Seconds(), inputs(out.String()))
	return true
}

// inputs takes the number of tried inputs from the last line that tells it.
func inputs(out string) string {
	all := regexp.MustCompile(`execs: (\d+)`).FindAllStringSubmatch(out, -1)
	if len(all) == 0 {
		return "?"
	}
	return all[len(all)-1][1]
}
