package e2e

import (
	"database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver, to look at the database from outside

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

func TestKilledUnderLoad(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		grace  time.Duration // what ended in the gateway's last work of this length may be missing
	}{
		"by default, all but the last 50 ms is there": {"", 50 * time.Millisecond},
		"with strict durability, all is there":        {"log: {durability: strict}\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			up := upstream.New(t, mixed)
			options := gateway.Options{Config: to("http://"+up.Addr+"/v1") + c.config, DataDir: t.TempDir()}
			random := rand.New(rand.NewPCG(7, 11))
			checked := 0
			var all, worked time.Duration
			g := gateway.Start(t, options)
			for range 20 {
				began := time.Now()
				l := drive(t, g, 8)
				pause(150*time.Millisecond + time.Duration(random.IntN(400))*time.Millisecond)
				killed := time.Now()
				g.Kill()
				l.wg.Wait()
				checkFiles(t, options.DataDir)
				g = gateway.Start(t, options)
				answers := answeredBefore(l.finished(), killed)
				owed := answers
				if c.grace > 0 {
					owed = endedBefore(answers, killed, c.grace)
				}
				checked += checkRows(t, g, owed, began, killed)
				if t.Failed() {
					return
				}
				if len(answers) > 0 {
					all += killed.Sub(answers[0].at)
					worked += work(answers, killed)
				}
			}
			if checked < 200 {
				t.Errorf("only %d answers were checked: too little load to say anything", checked)
			}
			t.Logf("%d answers checked over 20 kills; the gateway was at work for %v of %v", checked, worked, all)
		})
	}
}

// breath is how long a gateway under load may give no answer and yet count as working.
const breath = 5 * time.Millisecond

// work returns for how long the gateway that gave these answers, in order, worked from the first of them
// to the end. The promise of 50 ms is one of a process that runs: on a machine so busy that it gets no
// processor, it neither answers nor writes, and that time is not counted. A gateway that goes on answering and
// does not write has no such excuse.
func work(answers []finished, end time.Time) (d time.Duration) {
	for i, f := range answers {
		next := end
		if i+1 < len(answers) {
			next = answers[i+1].at
		}
		d += min(next.Sub(f.at), breath)
	}
	return d
}

// answeredBefore returns the answers that had ended by the end, in order.
func answeredBefore(all []finished, end time.Time) []finished {
	all = slices.DeleteFunc(all, func(f finished) bool { return f.at.After(end) })
	slices.SortFunc(all, func(a, b finished) int { return a.at.Compare(b.at) })
	return all
}

// endedBefore returns the answers after which the gateway worked for at least d until the end.
func endedBefore(answers []finished, end time.Time, d time.Duration) []finished {
	return answers[:sort.Search(len(answers), func(i int) bool { return work(answers[i:], end) < d })]
}

// checkRows fails the test when one of these answers has no row, or more than one. It returns how many
// answers it looked for.
func checkRows(t *testing.T, g *gateway.Gateway, owed []finished, began, killed time.Time) int {
	t.Helper()
	missing := map[string]time.Duration{} // how long before the kill they ended
	for _, f := range owed {
		missing[f.id] = killed.Sub(f.at)
	}
	// A list waits for what recovery has still to read, but only so long: a slow machine lists twice.
	deadline := time.Now().Add(gateway.Patience)
	for {
		rows, err := g.Rows(func(r *gateway.Row) bool { return r.CreatedAt.Before(began.Add(-time.Second)) })
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i := range rows {
			if seen[rows[i].ID] {
				t.Errorf("two rows for %s", rows[i].ID)
			}
			seen[rows[i].ID] = true
			delete(missing, rows[i].ID)
		}
		if len(missing) == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for id, before := range missing {
		t.Errorf("no row for %s, whose answer ended %v before the kill", id, before)
	}
	return len(owed)
}

// checkFiles opens a copy of each SQLite file as the dead process left it, and has SQLite check it.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	copied := t.TempDir()
	found := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".db") || strings.HasSuffix(d.Name(), "-shm") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(copied, d.Name()), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(copied, "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		found++
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		var verdict string
		if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("%s: %s %v", filepath.Base(file), verdict, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if found == 0 {
		t.Error("there is no database")
	}
}

func TestTerminatedUnderLoad(t *testing.T) {
	for i := range 5 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			up := upstream.New(t, mixed)
			options := gateway.Options{Config: to("http://" + up.Addr + "/v1"), DataDir: t.TempDir()}
			g := gateway.Start(t, options)
			l := drive(t, g, 16)
			pause(time.Duration(200+i*70) * time.Millisecond)
			if code := g.Stop(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			l.wg.Wait()
			checkFiles(t, options.DataDir)
			g = gateway.Start(t, options)
			rows, err := g.Rows(nil)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for i := range rows {
				got[fmt.Sprint(rows[i].Metadata["n"])]++
			}
			requests := up.Take()
			for _, r := range requests {
				if n := got[r.Get("X-Number")]; n != 1 {
					t.Errorf("%d rows for request %s that the upstream saw, want 1", n, r.Get("X-Number"))
				}
			}
			for n, rows := range got {
				if rows != 1 {
					t.Errorf("%d rows for request %s", rows, n)
				}
			}
			if len(l.finished()) < 50 {
				t.Errorf("only %d answers: too little load to say anything", len(l.finished()))
			}
			t.Logf("%d requests at the upstream, %d answers, %d rows", len(requests), len(l.finished()), len(rows))
		})
	}
}

func TestSecondProcessOnTheSameData(t *testing.T) {
	dir := t.TempDir()
	up := upstream.New(t, mixed)
	config := to("http://" + up.Addr + "/v1")
	g := gateway.Start(t, gateway.Options{Config: config, DataDir: dir})
	out, code := gateway.Run(t, "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
	if code == 0 || !strings.Contains(out, dir) {
		t.Errorf("the second process ended with %d: %s; want a refusal that names %s", code, out, dir)
	}
	if resp, _ := g.Post("openai", "chat/completions", chat); resp.StatusCode != 200 {
		t.Errorf("the first one answers %d", resp.StatusCode)
	}
}

// residentKB reads how much memory a process has resident.
func residentKB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Error(err)
	}
	return pages * syscall.Getpagesize() / 1024
}
