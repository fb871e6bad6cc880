package cli

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

// line is a request in a list, a tail or behind a running server.
type line struct {
	id       string
	time     time.Time
	status   int // 0: no answer
	success  bool
	cached   bool
	ending   string
	model    string // with its provider
	duration float64
	ttft     *float64
	in, out  *int64
	cost     *json.Number
	note     string
}

// lineOf reads what the API gave.
func lineOf(e *client.Entry) line {
	l := line{
		id: e.ID, time: e.CreatedAt, success: e.Success, cached: e.Cached, ending: e.Ending,
		model: named(e.Provider, e.Model), duration: float64(e.Duration), ttft: e.TTFT,
		in: e.TokensIn, out: e.TokensOut, cost: e.Cost,
	}
	if e.StatusCode != nil {
		l.status = *e.StatusCode
	}
	if e.Timeline != nil && e.Timeline.End != nil { // finer than the reference's whole milliseconds
		l.duration = *e.Timeline.End
	}
	l.note = note(e.AttemptCount, e.Ending, text(e.ErrorKind), text(e.ErrorText))
	return l
}

// lineOfLog reads what the log gave in this process.
func lineOfLog(e *sluice.LogEntry) line {
	l := line{
		id: e.ID.String(), time: e.Start, status: e.Status, success: e.Success, cached: e.Cache == sluice.CacheHit,
		ending: e.Ending.String(), model: named(e.Provider, e.Model), duration: ms(e.Timeline.End),
		note: note(len(e.Attempts), e.Ending.String(), e.ErrorKind, e.ErrorText),
	}
	if t := e.Timeline.FirstToken; t > 0 {
		f := ms(t)
		l.ttft = &f
	}
	if n, known := e.Usage.Get(sluice.Input); known {
		l.in = &n
	}
	if n, known := e.Usage.Get(sluice.Output); known {
		l.out = &n
	}
	if e.Priced {
		n := json.Number(strconv.FormatFloat(float64(e.Cost)/1e9, 'f', -1, 64)) // shown, not added up
		l.cost = &n
	}
	return l
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func named(provider, model string) string {
	switch {
	case provider == "":
		return model
	case model == "":
		return provider
	}
	return provider + "/" + model
}

// note says in a few words what is not ordinary.
func note(attempts int, ending, kind, msg string) string {
	var parts []string
	if attempts > 1 {
		parts = append(parts, strconv.Itoa(attempts)+" attempts")
	}
	if ending != "complete" && ending != "" && ending != "in_flight" && (ending != "refused" || msg == "") {
		parts = append(parts, strings.ReplaceAll(ending, "_", " "))
	}
	switch {
	case msg != "":
		parts = append(parts, msg)
	case kind != "":
		parts = append(parts, kind)
	}
	return strings.Join(parts, ", ")
}

// word is sign, word and colour of a request's outcome.
func (l *line) word() (sign, word string, c color) {
	switch {
	case l.ending == "in_flight":
		return "◌", "running", cyan
	case l.cached && l.success:
		return "⟲", "cached", cyan
	case l.success:
		return "✓", "", green
	case l.ending == "client_gone" || l.ending == "client_slow":
		return "⊘", "cancelled", yellow
	case l.status == 429:
		return "⚠", "limited", yellow
	case l.ending == "refused" && l.status < 500:
		return "⚠", "refused", yellow
	case l.status >= 400 && l.status < 500 && l.ending != "unreachable" && l.ending != "timeout":
		return "⚠", "client", yellow
	case l.ending == "refused" || l.ending == "panic" || l.ending == "shutdown" || l.ending == "crashed":
		return "✕", "sluice", red
	}
	return "✕", "provider", red
}

// lineColumns are the columns of requests. width is for tails, which print before they know.
func (a *commands) lineColumns(wide, tail bool) []column {
	w := func(n int) int {
		if tail {
			return n
		}
		return 0
	}
	clock, status := len("15:04:05"), len("x 499 cancelled")
	if !a.human() {
		clock, status = len("2006-01-02T15:04:05.000Z"), len("STATUS")
	}
	columns := []column{
		{title: "TIME", width: w(clock)},
		{title: "STATUS", width: w(status)},
		{title: "MODEL", flex: 20, width: w(24)},
		{title: "DUR", right: true, width: w(7)},
		{title: "TTFT", right: true, spare: !tail, width: w(7)},
		{title: "TOK IN", right: true, width: w(6)},
		{title: "OUT", right: true, width: w(6)},
		{title: "COST", right: true, spare: !tail, width: w(6)},
	}
	if !tail || wide {
		columns = append(columns, column{title: "ID", width: w(36)})
	}
	return append(columns, column{title: "NOTE", flex: 12})
}

// cells are l's values for lineColumns.
func (a *commands) cells(l *line, when string, wide, tail bool) []cell {
	sign, word, c := l.word()
	status := a.none()
	if l.status > 0 {
		status = strconv.Itoa(l.status)
	}
	if a.human() {
		status = strings.TrimSpace(a.sign(sign) + " " + status + " " + word)
	}
	row := []cell{
		{text: when},
		{status, c},
		{text: l.model},
		{text: a.millis(l.duration)},
		{text: a.optionalMillis(l.ttft)},
		{text: a.optionalCount(l.in)},
		{text: a.optionalCount(l.out)},
		{text: a.money(l.cost)},
	}
	if !tail || wide {
		row = append(row, cell{text: l.id})
	}
	return append(row, cell{text: l.note})
}

// tailLine writes one request as a line of its own.
func (a *commands) tailLine(l *line, wide bool) string {
	t := &table{columns: a.lineColumns(wide, true), rows: [][]cell{a.cells(l, a.clock(l.time), wide, true)}}
	for i := range t.columns {
		t.columns[i].title = ""
	}
	return a.layout(t)
}

// accessLines returns what prints a line for each request of a server on a terminal.
func (a *commands) accessLines() func(e *sluice.LogEntry) {
	first := true
	return func(e *sluice.LogEntry) {
		l := lineOfLog(e)
		if first {
			first = false
			l.note = strings.TrimPrefix(l.note+", first request received: sluice logs get "+l.id, ", ")
		}
		_ = a.write(a.tailLine(&l, false)) // the terminal is gone: the server runs on
	}
}
