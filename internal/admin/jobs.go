package admin

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/price"
)

// jobRoutes are those of long work. A job belongs to an account, and perhaps to one gateway of it: then tokens for
// that gateway see it, too. Those of the whole process are shown to who may see that.
func jobRoutes() []route {
	const jobs = scope + "/jobs"
	return []route{
		sifted(get(RoleViewer, jobs, "list-jobs", "List jobs, the newest first (ours)", handle((*server).listJobs))),
		sifted(get(RoleViewer, jobs+"/{id}", "get-job", "Get a job (ours)", handle((*server).getJob))),
		// What is exported holds what log entries and bodies hold.
		sifted(opens(get(RoleEditor, jobs+"/{id}/result", "get-job-result", "Download the file that a job has left (ours)", handle((*server).getJobResult)))),
		sifted(edit(http.MethodPost, jobs+"/{id}/cancel", "cancel-job", "Cancel a job that has not ended (ours)", handle((*server).cancelJob))),
		sifted(edit(http.MethodPost, jobs+"/{id}/resume", "resume-job", "Go on with a job that has failed or was canceled (ours)", handle((*server).resumeJob))),
		process(change(http.MethodPost, scope+"/backup", "start-backup", "Start a job that backs up the whole data directory (ours)", handle((*server).startBackup))),
		sifted(edit(http.MethodDelete, jobs+"/{id}", "delete-job", "Remove a job that has ended, and its file (ours)", handle((*server).deleteJob))),
	}
}

// KindBackup is the kind of jobs that back up the data directory; who makes the job.Runner brings it.
const KindBackup = "backup"

// JobLog is what the kinds of jobs need of the log; *reqlog.Log is one.
type JobLog interface {
	Log
	Corrector
}

// JobKinds are the kinds of jobs that the API can start, over log. Who makes a job.Runner gives it these. prices returns
// the catalogue that holds for an account now.
func JobKinds(log JobLog, prices func(account string) *price.Catalogue) []job.Kind {
	return []job.Kind{exportKind(log), repriceKind(log, log, prices), deleteKind(log)}
}

// JobView is a job as the API shows it.
type JobView struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	State     string          `json:"state" enum:"queued,running,done,failed,canceled"`
	AccountID *string         `json:"account_id" doc:"null: of the whole process"`
	Gateway   *string         `json:"gateway" doc:"null: of no single one"`
	Actor     string          `json:"actor" doc:"who started it"`
	Input     json.RawMessage `json:"input" doc:"what it was asked for; an object that depends on the kind"`
	Done      int64           `json:"done" doc:"how much of total is done, in rows or bytes"`
	Total     *int64          `json:"total" doc:"null: not known"`
	Rate      *float64        `json:"rate" doc:"done in a second; null: not known, or it does not run"`
	Left      *int64          `json:"left_ms" doc:"milliseconds to the end at that rate; null: not known"`
	Message   *string         `json:"message" doc:"what it is doing, in a few words"`
	Result    json.RawMessage `json:"result" nullable:"true" doc:"what it tells of its outcome; an object that depends on the kind"`
	File      *JobFile        `json:"file" doc:"what can be downloaded; null: nothing, or no longer"`
	Error     *string         `json:"error" doc:"why it failed"`
	Resumable bool            `json:"resumable" doc:"it has failed or was canceled, and can go on"`
	CreatedAt string          `json:"created_at" format:"date-time"`
	StartedAt *string         `json:"started_at" format:"date-time" doc:"when it was last started"`
	EndedAt   *string         `json:"ended_at" format:"date-time"`
}

// JobFile is what a job has left for download.
type JobFile struct {
	Name      string `json:"name"`
	Type      string `json:"type" doc:"media type"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	ExpiresAt string `json:"expires_at" format:"date-time" doc:"when it is removed"`
}

func viewJob(j *job.Job) JobView {
	v := JobView{
		ID: j.ID, Kind: j.Kind, State: string(j.State), AccountID: optional(j.Account), Gateway: optional(j.Gateway), Actor: j.Actor,
		Input: j.Input, Done: j.Done, Message: optional(j.Message), Result: j.Result, Error: optional(j.Error), Resumable: j.Resumable,
		CreatedAt: stamp(j.Created), StartedAt: knownStamp(j.Started), EndedAt: knownStamp(j.Ended),
	}
	if j.Total != job.Unknown {
		v.Total = &j.Total
	}
	if j.Rate > 0 {
		v.Rate = &j.Rate
	}
	if j.Left >= 0 {
		left := j.Left.Milliseconds()
		v.Left = &left
	}
	if f := j.File; f != nil {
		v.File = &JobFile{Name: f.Name, Type: f.Type, Bytes: f.Bytes, SHA256: f.SHA256, ExpiresAt: stamp(f.Expires)}
	}
	return v
}

// JobsInfo says where in the list of jobs a page lies.
type JobsInfo struct {
	Count   int     `json:"count" doc:"items on this page"`
	PerPage int     `json:"per_page"`
	Next    *string `json:"next" doc:"cursor of the page behind this one; null: none"`
}

type listJobsInput struct {
	AccountPath
	Kind    string `query:"kind" maxLength:"64" doc:"only those of this kind"`
	State   string `query:"state" enum:"queued,running,done,failed,canceled" doc:"only those in this state"`
	PerPage int    `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"jobs per page"`
	Cursor  string `query:"cursor" maxLength:"64" doc:"next of another page"`
}

func (s *server) listJobs(ctx context.Context, in *listJobsInput) (*output[ListEnvelope[JobView, JobsInfo]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	if _, err := sluice.ParseID(in.Cursor); err != nil && in.Cursor != "" {
		return nil, badCursor()
	}
	jobs, err := s.jobs()
	if err != nil {
		return nil, err
	}
	c, q := callerOf(ctx), job.Query{
		Account: a.ID, Process: mayProcess(ctx), Kind: in.Kind, State: job.State(in.State), Before: in.Cursor, Limit: in.PerPage + 1,
	}
	var list []job.Job
	for more := true; more && len(list) <= in.PerPage; {
		found, err := jobs.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if more = len(found) == q.Limit; more {
			q.Before = found[len(found)-1].ID
		}
		for i := range found {
			if c.seesJob(&found[i]) {
				list = append(list, found[i])
			}
		}
	}
	info := JobsInfo{PerPage: in.PerPage}
	if len(list) > in.PerPage {
		list = list[:in.PerPage]
		info.Next = &list[in.PerPage-1].ID
	}
	views := make([]JobView, len(list))
	for i := range list {
		views[i] = viewJob(&list[i])
	}
	info.Count = len(views)
	return listAnswer(views, info), nil
}

// seesJob reports whether c may see j, which is of an account that it may see: a token for some gateways sees the
// jobs of these.
func (c *caller) seesJob(j *job.Job) bool {
	return c.token == nil || c.token.Gateways == nil || j.Gateway != "" && slices.Contains(c.token.Gateways, j.Gateway)
}

// jobs returns the runner of jobs.
func (s *server) jobs() (*job.Runner, error) {
	if s.Jobs == nil {
		return nil, notFound("there are no jobs here")
	}
	return s.Jobs, nil
}

// mayProcess reports whether the caller of a handler may see what is of the whole process.
func mayProcess(ctx context.Context) bool {
	c := callerOf(ctx)
	return c.process()
}

// actorName names the caller, for people.
func actorName(ctx context.Context) string {
	c := callerOf(ctx)
	a := c.actor()
	return strings.TrimSpace(strings.ReplaceAll(string(a.Type), "_", " ") + " " + a.Name)
}

// JobPath names one job.
type JobPath struct {
	AccountPath
	ID string `path:"id" doc:"id of the job"`
}

// find returns the job that p names, of its account or of the process. Any other is as one that is not there.
func (s *server) findJob(ctx context.Context, p *JobPath) (*job.Runner, job.Job, error) {
	a, err := p.account(s.Settings())
	if err != nil {
		return nil, job.Job{}, err
	}
	jobs, err := s.jobs()
	if err != nil {
		return nil, job.Job{}, err
	}
	j, err := jobs.Get(ctx, p.ID)
	other := j.Account != a.ID && (j.Account != "" || !mayProcess(ctx))
	if err == nil && (other || !callerOf(ctx).seesJob(&j)) {
		err = notFound("job not found")
	}
	return jobs, j, err
}

func (s *server) getJob(ctx context.Context, in *JobPath) (*output[Envelope[JobView]], error) {
	_, j, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	return answer(viewJob(&j)), nil
}

func (s *server) cancelJob(ctx context.Context, in *JobPath) (*output[Envelope[JobView]], error) {
	return s.changeJob(ctx, in, "job canceled", (*job.Runner).Cancel)
}

func (s *server) resumeJob(ctx context.Context, in *JobPath) (*output[Envelope[JobView]], error) {
	return s.changeJob(ctx, in, "job resumed", (*job.Runner).Resume)
}

func (s *server) deleteJob(ctx context.Context, in *JobPath) (*output[Envelope[JobView]], error) {
	return s.changeJob(ctx, in, "job deleted", func(jobs *job.Runner, ctx context.Context, id string) (job.Job, error) {
		j, err := jobs.Get(ctx, id)
		if err == nil {
			err = jobs.Delete(ctx, id)
		}
		j.File = nil
		return j, err
	})
}

func (s *server) changeJob(ctx context.Context, in *JobPath, done string, change func(*job.Runner, context.Context, string) (job.Job, error)) (*output[Envelope[JobView]], error) {
	jobs, _, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	j, err := change(jobs, ctx, in.ID)
	if err != nil {
		return nil, err
	}
	s.Logger.InfoContext(ctx, "job changed", "change", done, "job", j.ID, "kind", j.Kind, "actor", actorName(ctx))
	return answer(viewJob(&j)), nil
}

// startJob starts a job and shows it.
func (s *server) startJob(ctx context.Context, spec job.Spec) (*output[Envelope[JobView]], error) {
	jobs, err := s.jobs()
	if err != nil {
		return nil, err
	}
	spec.Actor = actorName(ctx)
	j, err := jobs.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	s.Logger.InfoContext(ctx, "job started", "job", j.ID, "kind", j.Kind, "actor", spec.Actor)
	return answer(viewJob(&j)), nil
}

func (s *server) getJobResult(ctx context.Context, in *JobPath) (*huma.StreamResponse, error) {
	jobs, _, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	f, j, err := jobs.OpenResult(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer f.Close()
		r, w := humachi.Unwrap(hc)
		h := w.Header()
		// Its content is whatever callers and providers sent: no browser may render it.
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": j.File.Name}))
		h.Set("Content-Type", j.File.Type)
		h.Set("ETag", `"`+j.File.SHA256+`"`)
		http.ServeContent(w, r, "", time.Time{}, f)
	}}, nil
}

type startBackupInput struct {
	AccountPath
	Body struct {
		MasterKey bool `json:"master_key,omitempty" doc:"take the file with the key that seals the stored provider keys in, too: who has the backup can then read them"`
	}
}

func (s *server) startBackup(ctx context.Context, in *startBackupInput) (*output[Envelope[JobView]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	return s.startJob(ctx, job.Spec{Kind: KindBackup, Input: in.Body})
}
