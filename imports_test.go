package sluice_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluicehq/sluice"

// level is one row of the map in doc.go.
type level struct {
	number  int
	pattern string // package path below the module; "…/..." covers all below
}

// readMap reads the map of the module from the package documentation, so that it cannot lie.
func readMap(t *testing.T, doc string) []level {
	t.Helper()
	var levels []level
	row := regexp.MustCompile(`(?m)^\s*(\d)  (\S.*?)(?:  |$)`)
	for _, m := range row.FindAllStringSubmatch(doc, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		levels = append(levels, level{n, m[2]})
	}
	if len(levels) < 10 {
		t.Fatalf("the map in doc.go has %d rows; want at least 10", len(levels))
	}
	return levels
}

// levelOf returns the level of a package below the module, -1 when the map does not have it.
func levelOf(levels []level, pkg string) int {
	for _, l := range levels {
		if l.pattern == pkg {
			return l.number
		}
		if stem, ok := strings.CutSuffix(l.pattern, "/..."); ok && (pkg == stem || strings.HasPrefix(pkg, stem+"/")) {
			return l.number
		}
	}
	return -1
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Doc        string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// relative is a package's path below the module, "sluice" for its root.
func relative(path string) string {
	if path == module {
		return "sluice"
	}
	return strings.TrimPrefix(path, module+"/")
}

// TestImportOrder holds the map in doc.go: each package has a level there, imports smaller levels
// only, and the vocabulary imports nothing but the standard library. Inside wire, dialects may use
// the framings beside them.
func TestImportOrder(t *testing.T) {
	doc, err := exec.CommandContext(t.Context(), "go", "doc", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	levels := readMap(t, string(doc))
	seen := map[int]bool{}
	for _, p := range listPackages(t) {
		name := relative(p.ImportPath)
		own := levelOf(levels, name)
		if own < 0 {
			t.Errorf("package %s is not in the map in doc.go", name)
			continue
		}
		seen[own] = true
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				if own == 0 && strings.Contains(imported, ".") {
					t.Errorf("%s imports %s: the vocabulary has the standard library only", name, imported)
				}
				continue
			}
			other := relative(imported)
			within := strings.HasPrefix(name, "internal/wire/") && strings.HasPrefix(other, "internal/wire")
			if to := levelOf(levels, other); to >= own && !within {
				t.Errorf("%s (level %d) imports %s (level %d)", name, own, other, to)
			}
		}
	}
	for n := range 7 {
		if !seen[n] {
			t.Errorf("no package has level %d", n)
		}
	}
}

// TestImportOrderCatches proves that the rules can fail.
func TestImportOrderCatches(t *testing.T) {
	levels := []level{{0, "sluice"}, {1, "internal/wire/..."}, {3, "internal/proxy"}}
	for pkg, want := range map[string]int{"sluice": 0, "internal/wire": 1, "internal/wire/sse": 1, "internal/proxy": 3, "internal/wired": -1, "internal/x": -1} {
		if got := levelOf(levels, pkg); got != want {
			t.Errorf("level of %s = %d; want %d", pkg, got, want)
		}
	}
}
