package reqlog

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// childVariable makes the test binary a child that logs until it is killed: "durability directory".
const childVariable = "SLUICE_REQLOG_TEST_CHILD"

// runChild logs under load. For each exchange that has ended (and, in strict mode, is waited for) it
// writes "id time" to its standard output, and "tick time" every 5 ms, after a write to the disk, so
// that its parent sees when the machine or its disk held everybody up.
func runChild(how string) int {
	var d Durability
	var dir string
	if _, err := fmt.Sscan(how, &d, &dir); err != nil {
		return 2
	}
	ctx := context.Background()
	l, err := Open(ctx, Options{Dir: dir, Durability: d}, newMemory())
	if err != nil {
		return 3
	}
	var out sync.Mutex
	say := func(what string) {
		now := time.Now().UnixNano()
		out.Lock()
		defer out.Unlock()
		fmt.Printf("%s %d\n", what, now)
	}
	for range 3 {
		go func() {
			var ids sluice.IDs
			var x Exchange
			pace := time.NewTicker(200 * time.Microsecond)
			for {
				x.Reset()
				x.Entry.ID, x.Entry.Start, x.Entry.Account = ids.New(time.Now()), time.Now(), "a"
				l.Begin(&x)
				l.Capture(&x.Bodies[ResponseSide], 1<<20)
				x.Described()
				x.Bodies[ResponseSide].Whole(bytes.Repeat(x.Entry.ID[:], 100))
				if err := l.Wait(ctx, l.End(&x, false)); err == nil {
					say(x.Entry.ID.String())
				}
				<-pace.C // a load, not a race for the machine
			}
		}()
	}
	go func() { // long exchanges: their marks must not get lost, nor entries be made up
		var ids sluice.IDs
		slow := time.NewTicker(20 * time.Millisecond)
		for {
			begin(l, ids.New(time.Now()), time.Now().Add(-openAfter)).Described()
			<-slow.C
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	probe, err := os.Create(dir + "/probe")
	if err != nil {
		return 4
	}
	for end := int64(0); ; end += 4096 {
		if err := preallocate(probe, end, end+4096); err != nil {
			return 5
		}
		if _, err := probe.WriteAt(make([]byte, 4096), end); err != nil {
			return 6
		}
		say("tick")
		<-tick.C
	}
}

// killed runs a child for a while and kills it. It returns what the child reported, by id, when it was
// killed, and for how long at most it was held up.
func killed(t *testing.T, d Durability, dir string, after time.Duration) (ended map[sluice.ID]time.Time, at time.Time, stall time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childVariable, d, dir))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = map[sluice.ID]time.Time{}
	var last time.Time
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	killedAt := make(chan time.Time, 1)
	for lines.Scan() {
		what, when, ok := strings.Cut(lines.Text(), " ")
		var nano int64
		if _, err := fmt.Sscan(when, &nano); !ok || err != nil {
			continue // cut by the kill
		}
		if kill == nil { // counted from the first sign of life
			kill = time.AfterFunc(after, func() {
				killedAt <- time.Now()
				_ = cmd.Process.Kill()
			})
		}
		now := time.Unix(0, nano)
		if what != "tick" {
			id, err := sluice.ParseID(what)
			if err != nil {
				t.Fatal(err)
			}
			ended[id] = now
			continue
		}
		if !last.IsZero() {
			stall = max(stall, now.Sub(last))
		}
		last = now
	}
	_ = cmd.Wait()
	if kill == nil {
		t.Fatal("the child said nothing")
	}
	at = <-killedAt
	return ended, at, max(stall, at.Sub(last))
}

func TestKilledProcessKeepsItsPromise(t *testing.T) {
	for _, mode := range []struct {
		name       string
		durability Durability
		loses      time.Duration
	}{
		{"batched loses at most the last 50 ms", Batched, 50 * time.Millisecond},
		{"strict loses nothing that was waited for", Strict, 0},
	} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			dir, store := t.TempDir(), newMemory()
			owed := map[sluice.ID]bool{}
			for range 10 {
				ended, at, stall := killed(t, mode.durability, dir, time.Duration(50+rand.IntN(250))*time.Millisecond)
				for id, when := range ended {
					if mode.loses == 0 || when.Before(at.Add(-mode.loses-stall)) {
						owed[id] = true
					}
				}
				l := openLog(t, Options{Dir: dir}, store)
				for id := range owed {
					row, err := l.Get(reading(t), "a", id)
					if err != nil || row.Entry.Ending == sluice.EndingCrashed {
						t.Fatalf("%s, ended %v before the kill (held up for %v): ending %v, %v",
							id, at.Sub(ended[id]), stall, row.Entry.Ending, err)
					}
					if b := readBody(t, l, row, ResponseSide); !bytes.Equal(b, bytes.Repeat(id[:], 100)) {
						t.Fatalf("body of %s is %x", id, b)
					}
				}
				closeLog(t, l)
				clear(owed) // what was there once stays: the next start indexes only what is new
			}
			if store.again != 0 {
				t.Errorf("%d records were applied twice", store.again)
			}
			if open, _ := store.Open(t.Context()); len(open) != 0 {
				t.Errorf("%d exchanges are still open", len(open))
			}
		})
	}
}
