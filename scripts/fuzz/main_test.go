package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.test/m\n\ngo 1.26\n",
		"a.go":      "package m\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\nfunc FuzzOne(f *testing.F) {}\n\n// func FuzzNot(f *testing.F)\n",
		"x_test.go": "package m_test\n\nimport \"testing\"\n\nfunc FuzzTwo(f *testing.F) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := find(t.Context(), dir)
	if err != nil || len(got) != 1 || got[0].path != "example.test/m" || got[0].dir != dir || !slices.Equal(got[0].targets, []string{"FuzzOne", "FuzzTwo"}) {
		t.Errorf("find = %v, %v; want FuzzOne and FuzzTwo", got, err)
	}
}

// TestRun fuzzes a module of two packages, in one of which a target fails.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	const file = "package %s\n\nimport \"testing\"\n\nfunc Fuzz%s(f *testing.F) {\n\tf.Fuzz(func(t *testing.T, b []byte) {\n\t\tif len(b) %s {\n\t\t\tt.Error(\"bad\")\n\t\t}\n\t})\n}\n"
	for name, text := range map[string]string{
		"go.mod":      "module example.test/m\n\ngo 1.26\n",
		"a/a_test.go": fmt.Sprintf(file, "a", "Holds", "< 0"),
		"b/b_test.go": fmt.Sprintf(file, "b", "Fails", "> 0"),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "")
	r := func() *runner { return &runner{each: 200 * time.Millisecond, long: time.Hour, jobs: 2} }
	if err := run(t.Context(), dir, "Holds", r()); err != nil {
		t.Errorf("what holds: %v", err)
	}
	if err := run(t.Context(), dir, "", r()); err == nil || err.Error() != "1 of 2 targets failed" {
		t.Errorf("with one that fails: %v", err)
	}
	if found, err := os.ReadDir(filepath.Join(dir, "b/testdata/fuzz/FuzzFails")); err != nil || len(found) != 1 {
		t.Errorf("the input that failed is not kept: %v, %v", found, err)
	}
}

func TestInputs(t *testing.T) {
	if got := inputs("fuzz: elapsed: 1s, execs: 10 (9/sec)\nfuzz: elapsed: 2s, execs: 25 (9/sec)\n"); got != "25" {
		t.Errorf("inputs = %s, want 25", got)
	}
}

func TestNetwork(t *testing.T) {
	pattern := regexp.MustCompile(network)
	for pkg, want := range map[string]bool{
		"m/internal/wire/http1": true, "m/internal/front": true, "m/internal/upstream": true,
		"m/internal/price": false, "m/internal/wired": false,
	} {
		if got := pattern.MatchString(pkg); got != want {
			t.Errorf("%s reads network bytes: %v, want %v", pkg, got, want)
		}
	}
}

// TestTimeUp judges what the engine printed in runs of 4 s (the hang: 9 s). "minimizing" is put together from
// its texts: the run ended while a failing input was made smaller.
func TestTimeUp(t *testing.T) {
	record := func(name string) string {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	deadline := record("deadline")
	for _, c := range []struct {
		name, out, target string
		asked             time.Duration
		want              bool
	}{
		{"the end of the time", deadline, "FuzzRecord", 4 * time.Second, true},
		{"too early to be the end of the time", deadline, "FuzzRecord", 5 * time.Second, false},
		{"another target", deadline, "FuzzOther", 4 * time.Second, false},
		{"a second complaint", strings.Replace(deadline, "    context", "    close: bad\n    context", 1), "FuzzRecord", 4 * time.Second, false},
		{"a test's own use of a deadline", strings.Replace(deadline, "    context", "        a_test.go:3: context", 1), "FuzzRecord", 4 * time.Second, false},
		{"the end of the time while an input that failed is minimised", record("minimizing"), "FuzzRecord", 4 * time.Second, false},
		{"a panic", record("panic"), "FuzzCrash", 0, false},
		{"an input that fails", record("error"), "FuzzError", 0, false},
		{"a seed that fails", record("seed"), "FuzzSeed", 0, false},
		{"a process that ends", record("exit"), "FuzzExit", 0, false},
		{"a hang", record("hang"), "FuzzLoop", 0, false},
		{"no build", "# m\n./a_test.go:3:1: syntax error\nFAIL\tm [build failed]\nFAIL\n", "FuzzRecord", 0, false},
		{"nothing", "", "FuzzRecord", 0, false},
	} {
		if got := timeUp(c.out, c.target, c.asked); got != c.want {
			t.Errorf("%s: time up = %v, want %v", c.name, got, c.want)
		}
	}
}
