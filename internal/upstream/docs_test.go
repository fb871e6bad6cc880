package upstream

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs holds that every row of docs/upstream.md names tests, and that they exist.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/upstream.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := filepath.Glob("../wire/http1/*_test.go") // what both sides of HTTP have in common
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, parser...)
	var source strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| what") || strings.HasPrefix(line, "|-") {
			continue
		}
		rows++
		names := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`").FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, n := range names {
			if !strings.Contains(source.String(), "func "+n[1]+"(") {
				t.Errorf("%s is no test here: %s", n[1], line)
			}
		}
	}
	if rows == 0 {
		t.Error("no rows")
	}
}
