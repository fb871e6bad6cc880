// count adds up the results of test runs, `go test -json` events or the one line of vitest's JSON report, and prints
// one line.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: count DIRECTORY")
		os.Exit(2)
	}
	sum, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	fmt.Println(sum)
}

type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	s := fmt.Sprintf("check: %d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		s += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return s
}

func run(dir string) (counts, error) {
	var sum counts
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return sum, err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return sum, err
		}
		err = add(&sum, f)
		_ = f.Close()
		if err != nil {
			return sum, fmt.Errorf("%s: %w", name, err)
		}
	}
	if sum == (counts{}) {
		return sum, errors.New("no test ran")
	}
	return sum, nil
}

// add counts the tests and subtests whose end is told in r.
func add(sum *counts, r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var event struct {
			Action, Test                                    string
			NumPassedTests, NumFailedTests, NumPendingTests int // vitest's
		}
		if json.Unmarshal(line, &event) == nil {
			sum.passed += event.NumPassedTests
			sum.failed += event.NumFailedTests
			sum.skipped += event.NumPendingTests
		}
		if event.Test != "" {
			switch event.Action {
			case "pass":
				sum.passed++
			case "fail":
				sum.failed++
			case "skip":
				sum.skipped++
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
