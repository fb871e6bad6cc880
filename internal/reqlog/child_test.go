package reqlog

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// childVariable makes the test binary a child that logs until it is killed: "durability directory".
const childVariable = "SLUICE_REQLOG_TEST_CHILD"

// runChild logs under load. For each exchange that has ended (and, in strict mode, is waited for) it
// writes "id time" to its standard output, and "tick time" every 2 ms, so that its parent sees when it ran.
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
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		say("tick")
	}
}

// life is what a child told before it was killed.
type life struct {
	ended map[sluice.ID]time.Time
	told  []time.Time // when it said something
	end   time.Time   // when it was killed
}

// breath is how long a child may say nothing and yet count as running.
const breath = 5 * time.Millisecond

// ranAfter returns for how long the child ran from when to its end. The promise of 50 ms is one of a process that
// runs: what the machine was too busy to run it is not counted. A child that goes on talking and does not write has
// no such excuse.
func (c *life) ranAfter(when time.Time) (d time.Duration) {
	for _, next := range append(c.told, c.end) {
		if gap := next.Sub(when); gap > 0 {
			d += min(gap, breath)
			when = next
		}
	}
	return d
}

// killed runs a child for a while and kills it.
func killed(t *testing.T, d Durability, dir string, after time.Duration) *life {
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
	c := &life{ended: map[sluice.ID]time.Time{}}
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
		c.told = append(c.told, time.Unix(0, nano))
		if what == "tick" {
			continue
		}
		id, err := sluice.ParseID(what)
		if err != nil {
			t.Fatal(err)
		}
		c.ended[id] = time.Unix(0, nano)
	}
	_ = cmd.Wait()
	if kill == nil {
		t.Fatal("the child said nothing")
	}
	c.end = <-killedAt
	slices.SortFunc(c.told, time.Time.Compare)
	return c
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
			for range 20 {
				c := killed(t, mode.durability, dir, time.Duration(50+rand.IntN(250))*time.Millisecond)
				for id, when := range c.ended {
					if mode.loses == 0 || c.ranAfter(when) > mode.loses {
						owed[id] = true
					}
				}
				l := openLog(t, Options{Dir: dir}, store)
				for id := range owed {
					row, err := l.Get(reading(t), "a", id)
					if err != nil || row.Entry.Ending == sluice.EndingCrashed {
						t.Fatalf("%s, ended %v before the kill: ending %v, %v", id, c.end.Sub(c.ended[id]), row.Entry.Ending, err)
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
