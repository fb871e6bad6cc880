// fuzz finds every fuzz target of a module and runs each for a while, one after another.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

// network matches the packages whose parsers read bytes from the network; they get more time.
const network = `/internal/(wire|upstream|front)(/|$)`

type target struct{ pkg, name string }

func main() {
	root := flag.String("root", ".", "the module's directory")
	each := flag.Duration("time", 2*time.Minute, "time for each target")
	long := flag.Duration("network-time", 10*time.Minute, "time for each target that reads network bytes")
	match := flag.String("match", "", "only targets whose package and name match this regular expression")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *match, *each, *long); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, match string, each, long time.Duration) error {
	pattern, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	targets, err := find(ctx, root)
	if err != nil {
		return err
	}
	isNetwork := regexp.MustCompile(network)
	failed := 0
	for _, t := range targets {
		if !pattern.MatchString(t.pkg + " " + t.name) {
			continue
		}
		d := each
		if isNetwork.MatchString(t.pkg) {
			d = long
		}
		if !fuzz(ctx, root, t, d) {
			failed++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets failed", failed, len(targets))
	}
	return nil
}

// find lists the targets by the names of functions in test files: cheaper than building each test
// binary only to ask it.
func find(ctx context.Context, root string) ([]target, error) {
	const format = `{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}` +
		`{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-f", format, "./...")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	var targets []target
	for line := range strings.Lines(string(out)) {
		pkg, file, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			targets = append(targets, target{pkg, string(m[1])})
		}
	}
	return targets, nil
}

// minimize is how often an input that is new is tried in a shorter form. By default that goes on for a
// minute for each, and those tries do not count: of 3 seconds nothing was left to look for others.
const minimize = "20x"

// fuzz runs one target and reports whether it held.
func fuzz(ctx context.Context, root string, t target, d time.Duration) bool {
	began := time.Now()
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(),
		"-fuzzminimizetime", minimize, t.pkg)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil && (ctx.Err() != nil || !timeUp(out.String(), t.name, d)) {
		fmt.Printf("FAIL  %s %s\n%s\n", t.pkg, t.name, out.Bytes())
		return false
	}
	fmt.Printf("ok    %s %s   %.0f s, %s inputs\n", t.pkg, t.name, time.Since(began).Seconds(), inputs(out.String()))
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
