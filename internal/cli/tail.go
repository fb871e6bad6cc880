package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) tailCommand() *cobra.Command {
	var since string
	var events bool
	c := a.command("tail [filter]", "Follow the log", func(cmd *cobra.Command, given []string) error {
		return a.tail(cmd.Context(), strings.Join(given, " "), since, events)
	})
	c.Long = "One line per request, when it has ended. It resumes where it stood when the connection drops, and catches up\n" +
		"first with --since. Calls that came to nothing before they were in the log are told on standard error. Ctrl-C\n" +
		"ends it."
	c.Example = "sluice logs tail\nsluice logs tail 'status:error'\nsluice logs tail --jsonl --since 10m 'meta.user_id:42' | jq .cost"
	c.Flags().BoolVar(&events, "events", false, "show requests when their answer begins, corrections and deletions, too; with --jsonl, each event as it comes")
	c.Flags().StringVar(&since, "since", "", "`time` to catch up from: 10m, 2h, or a date and time")
	return c
}

// follower prints a tail.
type follower struct {
	app    *commands
	client *client.Client
	filter string
	from   time.Time           // where to catch up from; zero: nowhere
	shown  map[string]struct{} // entries of catching up, which the stream may bring again
	wide   bool
	titled bool
	all    bool // every event is shown
}

func (a *commands) tail(ctx context.Context, filter, since string, events bool) error {
	if !contains([]string{"table", "wide", "json", "jsonl"}, a.flags.output) {
		return usage("a tail is a table or -o jsonl, not %s", a.flags.output)
	}
	f := &follower{app: a, filter: filter, wide: a.flags.output == "wide", all: events, shown: map[string]struct{}{}}
	var err error
	if since != "" {
		if f.from, err = sinceTime(since, time.Now()); err != nil {
			return err
		}
	}
	if f.client, err = a.client(); err != nil {
		return err
	}
	if err := f.run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how a tail ends
}

func (f *follower) run(ctx context.Context) error {
	for event, err := range f.client.Tail(ctx, client.TailQuery{Filter: f.filter, Fields: f.app.flags.fields, Kinds: []string{"logs", "hello"}}) {
		if err != nil {
			return err
		}
		if err := f.event(ctx, &event); err != nil {
			return err
		}
	}
	return nil
}

// event acts on one event.
func (f *follower) event(ctx context.Context, e *client.Event) error {
	if shown, err := f.asItCame(e); shown || err != nil {
		return err
	}
	switch e.Kind {
	case client.EventOpen, client.EventUpdate:
		if f.all {
			return f.print(&e.Entry)
		}
	case client.EventDelete:
		if f.all {
			f.app.say("%s", f.app.sign("… deleted: "+strings.Join(e.IDs, ", ")))
		}
	case client.EventHello:
		f.hello(e.Miss)
	case client.EventConnected:
		// The stream stands: what comes from now on is in it, what came before is in the list.
		return f.catchUp(ctx)
	case client.EventClose:
		if !e.Matches {
			return nil
		}
		if _, seen := f.shown[e.Entry.ID]; seen {
			delete(f.shown, e.Entry.ID)
			return nil
		}
		return f.print(&e.Entry)
	case client.EventDrop:
		f.app.say("%s", f.app.sign("… "+f.app.count(e.Dropped)+" requests skipped: they come faster than they can be shown"))
	case client.EventResync:
		f.app.say("%s", f.app.sign("… some requests were missed; sluice logs list has them"))
	case client.EventLost:
		reason := "the connection ended"
		if e.Err != nil && !errors.Is(e.Err, context.Canceled) {
			reason = e.Err.Error()
		}
		f.app.say("%s", f.app.sign("… "+reason+"; trying again"))
	}
	return nil
}

// asItCame writes an event as it came, where that was asked for. shown: it was one of the stream's own.
func (f *follower) asItCame(e *client.Event) (shown bool, err error) {
	asJSON := f.app.flags.output == "json" || f.app.flags.output == "jsonl"
	if !f.all || !asJSON || len(e.Raw) == 0 {
		return false, nil
	}
	line := append([]byte(`{"event":"`+string(e.Kind)+`",`), e.Raw[1:]...)
	if string(e.Raw) == "{}" {
		line = []byte(`{"event":"` + string(e.Kind) + `"}`)
	}
	return true, f.app.writeLine(line)
}

// hello tells of a call that has no line, and what would have been right.
func (f *follower) hello(m *client.Miss) {
	if m.LogID != nil {
		return
	}
	what := m.Method + " " + m.Path
	if m.Path == "" {
		what = m.Message
	}
	f.app.say("%s", f.app.sign("✕ "+strconv.Itoa(m.StatusCode)+" "+printable(what, false)+": "+printable(m.Hint, false)))
	if m.Snippet != nil {
		f.app.say("  %s", printable(*m.Snippet, false))
	}
}

// catchUp lists what came before the stream, once.
func (f *follower) catchUp(ctx context.Context) error {
	if f.from.IsZero() {
		return nil
	}
	q := client.LogQuery{
		Filter: f.filter, Fields: f.app.flags.fields, Range: f.from.UTC().Format(time.RFC3339Nano) + "..", Oldest: true, Limit: maxPage,
	}
	f.from = time.Time{}
	for e, err := range f.client.All(ctx, q, 0) {
		if err != nil {
			return err
		}
		f.shown[e.ID] = struct{}{}
		if err := f.print(&e); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) print(e *client.Entry) error {
	a := f.app
	if a.flags.output == "json" || a.flags.output == "jsonl" {
		row := a.pick(e.Raw)
		if f.all { // of catching up: as the stream would have told it
			row = append(append([]byte(`{"event":"close","matches":true,"log":`), row...), '}')
		}
		return a.writeLine(row)
	}
	if len(a.flags.fields) > 0 {
		row := csvRow(a.flags.fields, members(e.Raw))
		for i := range row {
			row[i] = printable(row[i], false)
		}
		return a.write(strings.Join(row, gap) + "\n")
	}
	l := lineOf(e)
	if !f.titled && !a.flags.noHeader {
		f.titled = true
		if err := a.write(a.layout(&table{columns: a.lineColumns(f.wide, true)})); err != nil {
			return err
		}
	}
	return a.write(a.tailLine(&l, f.wide))
}
