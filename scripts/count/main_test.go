package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	if _, err := run(dir); err == nil {
		t.Error("no results count as a success")
	}
	const events = `{"Action":"run","Test":"A"}
{"Action":"pass","Test":"A"}
not json
{"Action":"fail","Test":"B"}
{"Action":"skip","Test":"C"}
{"Action":"pass","Package":"p"}
`
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	const report = `{"numTotalTests":9,"numPassedTests":6,"numFailedTests":2,"numPendingTests":1,"testResults":[]}`
	if err := os.WriteFile(filepath.Join(dir, "web.json"), []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := run(dir)
	if err != nil || sum.String() != "check: 7 passed, 3 failed, 2 skipped" {
		t.Errorf("run = %v, %v", sum, err)
	}
}
