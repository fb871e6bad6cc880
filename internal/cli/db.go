package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) dbCommand() *cobra.Command {
	check := a.command("check", "Look whether databases, index and segments are sound", func(cmd *cobra.Command, _ []string) error {
		return a.dbCheck(cmd.Context())
	})
	check.Args = args(0, 0)
	check.Long = "The server reads all of its data directory, as a job, while it runs: the databases by SQLite's own check, the log's segments by\n" +
		"their checksums; and it compares counts and totals. Exit code 1: something is not as it was written."
	check.Example = "sluice db check\nsluice db check --json"
	compact := a.command("compact", "Give back the room that lies unused in databases", func(cmd *cobra.Command, _ []string) error {
		return a.dbCompact(cmd.Context())
	})
	compact.Args = args(0, 0)
	compact.Long = "The server writes the files of the log's index anew in which much lies unused, as a job, while it runs. Retention needs none of\n" +
		"this: it removes whole files. What a day's file loses after two days, totals by the minute, comes back so."
	compact.Example = "sluice db compact\nsluice db compact --json"
	c := a.command("db", "Check and compact the server's databases", nil)
	c.Example = "sluice db check\nsluice db compact"
	c.AddCommand(check, compact)
	return c
}

func (a *commands) dbCheck(ctx context.Context) error {
	var found client.DatabaseCheck
	j, err := a.dbJob(ctx, (*client.Client).CheckDatabases, "sluice db check", &found)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) || len(a.flags.fields) > 0 {
		if err := a.show(view{raw: j.Raw}); err != nil {
			return err
		}
	} else {
		var text strings.Builder
		fmt.Fprintf(&text, "looked at %s: %s databases, %s rows, %s segments\n", a.size(found.Bytes), a.count(int64(found.Databases)), a.count(found.Rows), a.count(int64(found.Segments)))
		for _, p := range found.Problems {
			fmt.Fprintf(&text, "%s: %s\n", p.File, p.What)
		}
		if err := a.write(text.String()); err != nil {
			return err
		}
	}
	switch n := len(found.Problems) + found.More; {
	case n == 0:
		return nil
	case n == 1:
		return &failure{code: exitFailed, what: "one thing is not as it was written", hint: dbHint}
	default:
		return &failure{code: exitFailed, what: fmt.Sprintf("%d things are not as they were written", n), hint: dbHint}
	}
}

const dbHint = "look at the disk; an index that is damaged can be made anew from the segments (docs/log.md)"

func (a *commands) dbCompact(ctx context.Context) error {
	var done client.DatabaseCompaction
	j, err := a.dbJob(ctx, (*client.Client).CompactDatabases, "sluice db compact", &done)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) || len(a.flags.fields) > 0 {
		return a.show(view{raw: j.Raw})
	}
	return a.write(fmt.Sprintf("%s files were written anew; %s were given back\n", a.count(int64(done.Files)), a.size(done.Freed)))
}

// dbJob runs a job to its end, and reads its result.
func (a *commands) dbJob(ctx context.Context, start func(*client.Client, context.Context) (*client.Job, error), again string, result any) (*client.Job, error) {
	api, err := a.client()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	j, err := start(api, ctx)
	if err != nil {
		return nil, err
	}
	id := j.ID
	if j, err = a.wait(ctx, api, id); err != nil {
		if ctx.Err() != nil {
			return nil, a.stopJob(ctx, api, id, again)
		}
		return nil, err
	}
	if err := jobFailure(j); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(j.Result, result); err != nil {
		return nil, fmt.Errorf("read the result of job %s: %w", id, err)
	}
	return j, nil
}
