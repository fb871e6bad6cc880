package cli

import (
	"fmt"
	"time"
)

// progress tells how far a long command is, on stderr: a redrawn line on a terminal, after a while; else
// a line now and then.
type progress struct {
	app   *commands
	verb  string
	start time.Time
	next  time.Time
	drawn bool
}

const (
	redrawEvery = 500 * time.Millisecond
	plainEvery  = 10 * time.Second
)

func (a *commands) newProgress(verb string) *progress {
	p := &progress{app: a, verb: verb, start: time.Now()}
	p.next = p.start.Add(p.every())
	return p
}

func (p *progress) every() time.Duration {
	if p.app.ErrTerminal {
		return redrawEvery
	}
	return plainEvery
}

// at tells that done things are done, of total where that is known.
func (p *progress) at(done int64, total *int64) {
	now := time.Now()
	if p.app.flags.quiet || now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every())
	of := ""
	if total != nil && *total >= done {
		of = p.app.sign(" of ≈ ") + p.app.count(*total)
	}
	rate := float64(done) / now.Sub(p.start).Seconds()
	p.put(fmt.Sprintf("%s %s%s   %.0f/s", p.verb, p.app.count(done), of, rate))
}

// put shows a line in place of the one before.
func (p *progress) put(text string) {
	if p.app.ErrTerminal {
		p.drawn = true
		fmt.Fprintf(p.app.Stderr, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintf(p.app.Stderr, "%s\n", text)
}

// end clears the redrawn line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.app.Stderr, "\r\x1b[K")
	}
}
