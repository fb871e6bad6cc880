package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheTestsThatRetriesNames exist: a row of docs/retries.md without its test is a claim.
func TestTheTestsThatRetriesNames(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "retries.md"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, pattern := range []string{"*_test.go", filepath.Join("..", "edges", "*_test.go")} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(page, -1)
	if len(named) < 20 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, name := range named {
		if !strings.Contains(source.String(), "func "+string(name[1])+"(t *testing.T)") {
			t.Errorf("there is no %s", name[1])
		}
	}
	for row := range strings.Lines(string(page)) {
		if strings.Count(row, "|") == 5 && strings.Contains(row, "`status`") && !strings.Contains(row, "`Test") {
			t.Errorf("a row without a test: %s", row)
		}
	}
}
