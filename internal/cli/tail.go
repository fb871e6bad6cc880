package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) tailCommand() *cobra.Command {
	var since string
	c := a.command("tail [filter]", "Follow the log", func(cmd *cobra.Command, given []string) error {
		return a.tail(cmd.Context(), strings.Join(given, " "), since)
	})
	c.Long = "One line per request, when it has ended. It resumes where it stood when the connection drops, and catches up\n" +
		"first with --since. Ctrl-C ends it."
	c.Example = "sluice logs tail\nsluice logs tail 'status:error'\nsluice logs tail --jsonl --since 10m 'meta.user_id:42' | jq .cost"
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
}

func (a *commands) tail(ctx context.Context, filter, since string) error {
	if !contains([]string{"table", "wide", "json", "jsonl"}, a.flags.output) {
		return usage("a tail is a table or -o jsonl, not %s", a.flags.output)
	}
	f := &follower{app: a, filter: filter, wide: a.flags.output == "wide", shown: map[string]struct{}{}}
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
	for event, err := range f.client.Tail(ctx, client.TailQuery{Filter: f.filter, Fields: f.app.flags.fields}) {
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
	switch e.Kind {
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
		return a.writeLine(a.pick(e.Raw))
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
