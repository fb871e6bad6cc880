package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) jobCommand() *cobra.Command {
	c := a.command("job", "Look at long work on the server: exports, backups and the like", nil)
	c.Example = "sluice job list\nsluice job watch 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice job cancel 019a7b3e-5f2c-7d10-8a4e-0123456789c0"
	c.AddCommand(a.jobListCommand(), a.jobWatchCommand(), a.jobCancelCommand(), a.jobResumeCommand(), a.jobGetCommand(), a.jobDeleteCommand())
	return c
}

func (a *commands) jobListCommand() *cobra.Command {
	var q client.JobQuery
	c := a.command("list", "List jobs, the newest first", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		list, more, err := api.Jobs(cmd.Context(), q)
		if err != nil {
			return err
		}
		if err := a.showJobs(list); err != nil {
			return err
		}
		if more {
			a.say("… %d shown, and there are more: --limit", len(list))
		}
		return nil
	})
	c.Args = args(0, 0)
	c.Aliases = []string{"ls"}
	c.Example = "sluice job list\nsluice job list --state running\nsluice job list --json --fields id,state,done"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&q.Kind, "kind", "", "only those of a `kind`: export-logs, backup, …")
	f.StringVar(&q.State, "state", "", "only those in a `state`: queued, running, done, failed or canceled")
	f.IntVar(&q.Limit, "limit", 50, "most jobs, 1 to 1000")
	return c
}

func (a *commands) showJobs(list []client.Job) error {
	rows := make([]json.RawMessage, 0, len(list))
	for i := range list {
		rows = append(rows, list[i].Raw)
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	now := time.Now()
	return a.show(view{raw: raw, rows: rows, csv: []string{"id", "kind", "state", "gateway", "done", "total", "created_at", "ended_at", "error"}, table: func(wide bool) *table {
		t := &table{columns: []column{{title: "ID"}, {title: "KIND"}, {title: "STATE"}, {title: "DONE", right: true}, {title: "CREATED"}, {title: "NOTE", flex: 20}}}
		for i := range list {
			j := &list[i]
			created := a.ago(j.CreatedAt, now)
			if wide || !a.OutTerminal {
				created = a.stamp(j.CreatedAt)
			}
			t.rows = append(t.rows, []cell{{text: j.ID}, {text: printable(j.Kind, false)}, {j.State, jobColor(j.State)}, {text: a.jobDone(j)}, {text: created}, {text: a.jobNote(j)}})
		}
		return t
	}})
}

func jobColor(state string) color {
	return map[string]color{"done": green, "failed": red, "canceled": dim}[state]
}

// jobDone is how far a job has come.
func (a *commands) jobDone(j *client.Job) string {
	text := a.count(j.Done)
	if j.Total != nil && *j.Total > 0 && !j.Ended() {
		text = fmt.Sprintf("%d %%", min(100*j.Done / *j.Total, 100))
	}
	return text
}

// jobNote is what else is to be known of a job.
func (a *commands) jobNote(j *client.Job) string {
	switch {
	case j.Error != nil:
		return printable(*j.Error, false)
	case j.File != nil:
		return printable(j.File.Name, false) + ", " + a.size(j.File.Bytes)
	case j.Message != nil && !j.Ended():
		return printable(*j.Message, false)
	}
	return ""
}

func (a *commands) jobWatchCommand() *cobra.Command {
	c := a.command("watch <id>", "Wait until a job has ended", func(cmd *cobra.Command, given []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		j, err := a.wait(cmd.Context(), api, given[0])
		if err != nil {
			return err
		}
		return a.jobEnded(j)
	})
	c.Args = args(1, 1)
	c.Long = "Ctrl-C ends the watching, not the job."
	c.Example = "sluice job watch 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice job watch 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --json"
	return c
}

// wait waits for a job's end and shows how far it is.
func (a *commands) wait(ctx context.Context, api *client.Client, id string) (*client.Job, error) {
	p := a.newProgress("")
	defer p.end()
	return api.WaitJob(ctx, id, func(j *client.Job) {
		p.verb = j.Kind
		if j.State == "queued" {
			p.verb = "waits for its turn: " + j.Kind
		}
		p.job(j)
	})
}

// job tells how far a job is, by what the server says of it.
func (p *progress) job(j *client.Job) {
	now := time.Now()
	if p.app.flags.quiet || j.Ended() || now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every())
	text := p.verb + "   " + p.app.count(j.Done)
	if j.Total != nil {
		text += " of " + p.app.count(*j.Total)
	}
	if j.Rate != nil {
		text += fmt.Sprintf("   %.0f/s", *j.Rate)
	}
	if j.Left != nil {
		text += "   " + (time.Duration(*j.Left) * time.Millisecond).Round(time.Second).String() + " left"
	}
	if j.Message != nil {
		text += "   " + printable(*j.Message, false)
	}
	p.put(text)
}

// jobEnded shows how a job has ended; the error is that of one that is not done.
func (a *commands) jobEnded(j *client.Job) error {
	if !contains([]string{"table", "wide"}, a.flags.output) || len(a.flags.fields) > 0 {
		if err := a.show(view{raw: j.Raw}); err != nil {
			return err
		}
	} else if j.State == "done" {
		a.say("%s %s is done: %s%s", j.Kind, j.ID, a.count(j.Done), a.resultNote(j))
	}
	return jobFailure(j)
}

// resultNote tells of a job's result.
func (a *commands) resultNote(j *client.Job) string {
	if j.File != nil {
		return fmt.Sprintf("; sluice job get %s -O %s (%s, until %s)", j.ID, j.File.Name, a.size(j.File.Bytes), a.stamp(j.File.ExpiresAt))
	}
	if len(j.Result) > 0 && string(j.Result) != "null" {
		return "; " + string(j.Result)
	}
	return ""
}

// jobFailure is the error of a job that has ended and is not done.
func jobFailure(j *client.Job) error {
	if j.State == "done" || !j.Ended() {
		return nil
	}
	f := &failure{code: exitFailed, what: fmt.Sprintf("job %s %s", j.ID, j.State)}
	if j.Error != nil {
		f.what += ": " + printable(*j.Error, false)
	}
	if j.Resumable {
		f.hint = "go on with it: sluice job resume " + j.ID
	}
	return f
}

// jobChange makes a command that changes a job.
func (a *commands) jobChange(use, short, done string, change func(*client.Client, context.Context, string) (*client.Job, error)) *cobra.Command {
	c := a.command(use+" <id>", short, func(cmd *cobra.Command, given []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		j, err := change(api, cmd.Context(), given[0])
		if err != nil {
			return err
		}
		if !contains([]string{"table", "wide"}, a.flags.output) {
			return a.show(view{raw: j.Raw})
		}
		a.say("job %s %s", j.ID, done)
		return nil
	})
	c.Args = args(1, 1)
	c.Example = "sluice job " + use + " 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice job " + use + " 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --json"
	return c
}

func (a *commands) jobCancelCommand() *cobra.Command {
	return a.jobChange("cancel", "Cancel a job that has not ended", "is being canceled; sluice job list", (*client.Client).CancelJob)
}

func (a *commands) jobResumeCommand() *cobra.Command {
	return a.jobChange("resume", "Go on with a job that has failed or was canceled", "goes on; sluice job watch", (*client.Client).ResumeJob)
}

func (a *commands) jobDeleteCommand() *cobra.Command {
	c := a.jobChange("delete", "Remove a job that has ended, and its file", "is deleted", (*client.Client).DeleteJob)
	c.Aliases = []string{"rm"}
	return c
}

func (a *commands) jobGetCommand() *cobra.Command {
	var file string
	c := a.command("get <id>", "Show a job, or download its file", func(cmd *cobra.Command, given []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		j, err := api.Job(cmd.Context(), given[0])
		if err != nil {
			return err
		}
		if file != "" {
			return a.download(cmd.Context(), api, j, file)
		}
		return a.show(view{raw: j.Raw, table: func(bool) *table { return a.jobTable(j) }})
	})
	c.Args = args(1, 1)
	c.Long = "A download that broke off goes on where it ended when the command is given again."
	c.Example = "sluice job get 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice job get 019a7b3e-5f2c-7d10-8a4e-0123456789c0 -O logs.jsonl"
	c.Flags().StringVarP(&file, "output-file", "O", "", "`file` to download the job's file to; - for stdout")
	return c
}

func (a *commands) jobTable(j *client.Job) *table {
	stamp := func(at *time.Time) string {
		if at == nil {
			return a.none()
		}
		return a.stamp(*at)
	}
	rows := [][2]string{{"id", j.ID}, {"kind", j.Kind}, {"state", j.State}, {"by", j.Actor}, {"done", a.jobDone(j)}, {"created", a.stamp(j.CreatedAt)}, {"started", stamp(j.StartedAt)}, {"ended", stamp(j.EndedAt)}}
	if note := a.jobNote(j); note != "" {
		rows = append(rows, [2]string{"note", note})
	}
	if len(j.Result) > 0 && string(j.Result) != "null" {
		rows = append(rows, [2]string{"result", string(j.Result)})
	}
	return pairs(rows...)
}

// partSuffix is that of a file that is not downloaded whole.
const partSuffix = ".part"

// download fetches a job's file, goes on where a former download broke off, and checks the whole by its hash.
func (a *commands) download(ctx context.Context, api *client.Client, j *client.Job, file string) error {
	if j.File == nil {
		return &failure{code: exitNotFound, what: "job " + j.ID + " has no file to download: it is " + j.State, hint: "sluice job get " + j.ID}
	}
	if file == "-" {
		body, err := api.JobResult(ctx, j.ID, 0)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		_, err = io.Copy(a.Stdout, body)
		return err
	}
	if _, err := os.Lstat(file); err == nil {
		return &failure{code: exitConflict, what: file + " exists", hint: "another name, or remove it"}
	}
	part := file + partSuffix
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = a.fetchFile(ctx, api, j, f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	switch {
	case errors.Is(err, errOtherFile):
		return errors.Join(&failure{code: exitFailed, what: "what was downloaded is not the job's file", hint: "try again: the file was removed"}, os.Remove(part))
	case err != nil:
		return &failure{code: exitPartial, what: "the download broke off: " + err.Error(), hint: "go on with it: sluice job get " + j.ID + " -O " + file, err: err}
	}
	if err := os.Rename(part, file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.say("%s: %s, SHA-256 %s", file, a.size(j.File.Bytes), j.File.SHA256)
	return nil
}

// errOtherFile says that a file's hash is not the one that it should have.
var errOtherFile = errors.New("another file")

// fetchFile fetches what f lacks of a job's file.
func (a *commands) fetchFile(ctx context.Context, api *client.Client, j *client.Job, f *os.File) error {
	hash := sha256.New()
	have, err := io.Copy(hash, f)
	if err != nil {
		return err
	}
	if have < j.File.Bytes {
		body, err := api.JobResult(ctx, j.ID, have)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		p := a.newProgress("downloaded bytes")
		defer p.end()
		counted := writerFunc(func(b []byte) (int, error) {
			have += int64(len(b))
			p.at(have, &j.File.Bytes)
			return len(b), nil
		})
		if _, err := io.Copy(io.MultiWriter(f, hash, counted), body); err != nil {
			return err
		}
	}
	if have < j.File.Bytes {
		return io.ErrUnexpectedEOF
	}
	if hex.EncodeToString(hash.Sum(nil)) != j.File.SHA256 {
		return errOtherFile
	}
	return nil
}

// writerFunc is a function as a writer.
type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// stopGrace is how long an interrupted command has to stop its job.
const stopGrace = 5 * time.Second

// stopJob cancels a job whose command was interrupted, and says how to go on with it.
func (a *commands) stopJob(ctx context.Context, api *client.Client, id, resume string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	j, err := api.CancelJob(ctx, id)
	if err == nil {
		j, err = api.WaitJob(ctx, id, func(*client.Job) {})
	}
	f := &failure{code: exitInterrupted, what: "interrupted; the job " + id + " may still run", hint: "sluice job list"}
	if err == nil {
		f.what, f.hint = fmt.Sprintf("interrupted after %s", a.count(j.Done)), "go on: "+resume
	}
	return f
}
