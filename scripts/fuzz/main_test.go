package main

import (
	"os"
	"path/filepath"
	"testing"
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
	if err != nil || len(got) != 2 || got[0] != (target{"example.test/m", "FuzzOne"}) || got[1].name != "FuzzTwo" {
		t.Errorf("find = %v, %v; want FuzzOne and FuzzTwo", got, err)
	}
}

func TestInputs(t *testing.T) {
	if got := inputs("fuzz: elapsed: 1s, execs: 10 (9/sec)\nfuzz: elapsed: 2s, execs: 25 (9/sec)\n"); got != "25" {
		t.Errorf("inputs = %s, want 25", got)
	}
}
