package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

const jobsPath = accountPath + "/jobs"

// newJobs makes a runner of kinds, over a real store.
func newJobs(t *testing.T, kinds ...job.Kind) *job.Runner {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	jobs, err := job.Open(t.Context(), job.Options{
		Store: db, Dir: filepath.Join(dir, "jobs"), Kinds: kinds, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := jobs.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the jobs: %v", err)
		}
	})
	return jobs
}

// ended waits until a job has ended and returns it as the API shows it.
func (b *bench) ended(id string) map[string]any {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		v := b.call(jobsPath + "/" + id)
		if j := v.object(b.t); job.State(fmt.Sprint(j["state"])).Ended() {
			return j
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("job %s has not ended: %s", id, v.Result)
		}
	}
}

// object reads a single result.
func (v *reply) object(t *testing.T) map[string]any {
	t.Helper()
	items := reply{Result: append(append([]byte("["), v.Result...), ']')}
	return items.items(t)[0]
}

// greeter is a kind that leaves a file and tells what it read.
func greeter(_ context.Context, r *job.Run) error {
	var in struct{ Name string }
	if err := r.Input(&in); err != nil {
		return err
	}
	f, err := r.Create("hello \"you\".txt", "text/plain", 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(f, "0123456789"); err != nil {
		return err
	}
	r.Progress(10, 10)
	return r.Result(map[string]string{"said": in.Name})
}

func TestJobsAreShownToTheirAccount(t *testing.T) {
	jobs := newJobs(t, job.Kind{Name: "hello", Run: greeter, AtOnce: 2})
	b := newBench(t, func(d *Deps) { d.Jobs = jobs })
	var ids []string
	for _, account := range []string{"default", "other", "", "default"} {
		j, err := jobs.Start(t.Context(), job.Spec{Account: account, Kind: "hello", Actor: "test", Input: map[string]string{"name": "x"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	mine, theirs, process, last := ids[0], ids[1], ids[2], ids[3]
	for _, id := range []string{mine, process, last} {
		if j := b.ended(id); j["state"] != "done" || fmt.Sprint(j["result"]) != "map[said:x]" || j["file"] == nil || j["error"] != nil {
			t.Errorf("%v", j)
		}
	}
	list := func(query string, header ...string) string {
		r := b.get(jobsPath+query, header...)
		v := readReply(t, r)
		return fmt.Sprint(idsOf(v.items(t)), v.ResultInfo["next"])
	}
	if got, want := list(""), fmt.Sprint([]string{last, process, mine}, nil); got != want {
		t.Errorf("the list is %s, want %s", got, want)
	}
	if got, want := list("?per_page=2"), fmt.Sprint([]string{last, process}, process); got != want {
		t.Errorf("the first page is %s, want %s", got, want)
	}
	if got, want := list("?per_page=2&cursor="+process), fmt.Sprint([]string{mine}, nil); got != want {
		t.Errorf("the second page is %s, want %s", got, want)
	}
	b.fails(jobsPath+"?cursor=x", http.StatusBadRequest, codeInvalid, "cursor")
	b.fails(jobsPath+"/"+theirs, http.StatusNotFound, codeNotFound, "job not found")
	b.fails(jobsPath+"/nothing", http.StatusNotFound, codeNotFound, "job not found")

	// A gateway token sees what is of its account, and nothing of the process.
	_, value, err := b.deps.Tokens.Create(t.Context(), auth.New{Account: "default", Name: "reads", Permissions: auth.Read | auth.Edit}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + value.Reveal()
	if got, want := list("", "Authorization", bearer), fmt.Sprint([]string{last, mine}, nil); got != want {
		t.Errorf("a token's list is %s, want %s", got, want)
	}
	for _, path := range []string{"/" + process, "/" + process + "/result"} {
		if r := b.get(jobsPath+path, "Authorization", bearer); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s with a token: %d", path, r.StatusCode)
		}
	}
}

func TestAJobsResultIsDownloaded(t *testing.T) {
	jobs := newJobs(t, job.Kind{Name: "hello", Run: greeter})
	b := newBench(t, func(d *Deps) { d.Jobs = jobs })
	j, err := jobs.Start(t.Context(), job.Spec{Account: "default", Kind: "hello", Input: struct{}{}})
	if err != nil {
		t.Fatal(err)
	}
	sum := b.ended(j.ID)["file"].(map[string]any)["sha256"].(string)
	read := func(header ...string) (*http.Response, string) {
		r := b.get(jobsPath+"/"+j.ID+"/result", header...)
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(text)
	}
	r, text := read()
	if h := r.Header; text != "0123456789" || h.Get("Content-Type") != "text/plain" || h.Get("Etag") != `"`+sum+`"` ||
		h.Get("Content-Disposition") != `attachment; filename="hello \"you\".txt"` || h.Get("Content-Security-Policy") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%q %v", text, h)
	}
	if r, text := read("Range", "bytes=7-", "If-Range", `"`+sum+`"`); r.StatusCode != http.StatusPartialContent || text != "789" {
		t.Errorf("a range: %d %q", r.StatusCode, text)
	}
	if r, text := read("Range", "bytes=7-", "If-Range", `"other"`); r.StatusCode != http.StatusOK || text != "0123456789" {
		t.Errorf("a range of another file: %d %q", r.StatusCode, text)
	}
	if v := b.send(http.MethodPost, jobsPath+"/"+j.ID+"/cancel", ""); v.status != http.StatusConflict {
		t.Errorf("canceling what is done: %d", v.status)
	}
	if v := b.send(http.MethodPost, jobsPath+"/"+j.ID+"/resume", ""); v.status != http.StatusConflict {
		t.Errorf("resuming what is done: %d", v.status)
	}
	if v := b.send(http.MethodDelete, jobsPath+"/"+j.ID, ""); v.status != http.StatusOK {
		t.Errorf("deleting: %d", v.status)
	}
	b.fails(jobsPath+"/"+j.ID+"/result", http.StatusNotFound, codeNotFound, "job not found")
}

func TestAJobIsCanceledAndResumed(t *testing.T) {
	open := make(chan struct{})
	jobs := newJobs(t, job.Kind{Name: "waits", Resumable: true, Run: func(ctx context.Context, r *job.Run) error {
		r.Progress(1, 4)
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}})
	b := newBench(t, func(d *Deps) { d.Jobs = jobs })
	j, err := jobs.Start(t.Context(), job.Spec{Account: "default", Kind: "waits"})
	if err != nil {
		t.Fatal(err)
	}
	path := jobsPath + "/" + j.ID
	if v := b.send(http.MethodPost, path+"/cancel", ""); v.status != http.StatusOK {
		t.Errorf("cancel: %d %s", v.status, v.Result)
	}
	if got := b.ended(j.ID); got["state"] != "canceled" || got["resumable"] != true {
		t.Errorf("%v", got)
	}
	b.fails(path+"/result", http.StatusNotFound, codeNotFound, "canceled")
	if v := b.send(http.MethodPost, path+"/resume", ""); v.status != http.StatusOK {
		t.Errorf("resume: %d", v.status)
	}
	close(open)
	if got := b.ended(j.ID); got["state"] != "done" {
		t.Errorf("%v", got)
	}
}

func TestWithoutARunnerThereAreNoJobs(t *testing.T) {
	b := newBench(t)
	b.fails(jobsPath, http.StatusNotFound, codeNotFound, "no jobs")
}

// readReply reads an answer's envelope.
func readReply(t *testing.T, r *http.Response) reply {
	t.Helper()
	v := reply{status: r.StatusCode}
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestATokenForSomeGatewaysSeesTheirJobs, and no others: an account's, a process's and another gateway's are as
// jobs that are not there.
func TestATokenForSomeGatewaysSeesTheirJobs(t *testing.T) {
	jobs := newJobs(t, job.Kind{Name: "hello", Run: greeter, AtOnce: 2})
	b := newBench(t, func(d *Deps) { d.Jobs = jobs })
	start := func(account, gateway string) string {
		j, err := jobs.Start(t.Context(), job.Spec{Account: account, Gateway: gateway, Kind: "hello", Actor: "test", Input: map[string]string{}})
		if err != nil {
			t.Fatal(err)
		}
		b.ended(j.ID)
		return j.ID
	}
	first := start("default", "default")
	hidden := []string{start("default", ""), start("default", "prod"), start("", "")}
	last := start("default", "default")
	_, value := b.token(func(n *auth.New) { n.Gateways, n.Permissions = []string{"default"}, auth.Edit })

	v := b.as(value, http.MethodGet, jobsPath, "")
	if got := fmt.Sprint(idsOf(v.items(t)), v.ResultInfo["next"]); got != fmt.Sprint([]string{last, first}, nil) {
		t.Errorf("the list: %s", got)
	}
	v = b.as(value, http.MethodGet, jobsPath+"?per_page=1", "")
	if got := fmt.Sprint(idsOf(v.items(t)), v.ResultInfo["next"]); got != fmt.Sprint([]string{last}, last) {
		t.Errorf("the first page: %s", got)
	}
	v = b.as(value, http.MethodGet, jobsPath+"?per_page=1&cursor="+last, "")
	if got := fmt.Sprint(idsOf(v.items(t)), v.ResultInfo["next"]); got != fmt.Sprint([]string{first}, nil) {
		t.Errorf("the second page: %s", got)
	}
	for _, id := range hidden {
		for _, call := range [][2]string{{http.MethodGet, ""}, {http.MethodGet, "/result"}, {http.MethodPost, "/cancel"}, {http.MethodDelete, ""}} {
			if v := b.as(value, call[0], jobsPath+"/"+id+call[1], ""); v.status != http.StatusNotFound {
				t.Errorf("%s %s: %d", call[0], call[1], v.status)
			}
		}
	}
	if v := b.as(value, http.MethodDelete, jobsPath+"/"+first, ""); v.status != http.StatusOK {
		t.Errorf("its own: %d %+v", v.status, v.Errors)
	}
}
