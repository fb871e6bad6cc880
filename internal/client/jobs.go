package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Job is a piece of long work on the server.
type Job struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	State     string          `json:"state"` // queued, running, done, failed, canceled
	Account   *string         `json:"account_id"`
	Gateway   *string         `json:"gateway"`
	Actor     string          `json:"actor"`
	Done      int64           `json:"done"`
	Total     *int64          `json:"total"`
	Rate      *float64        `json:"rate"`    // in a second
	Left      *int64          `json:"left_ms"` // to the end
	Message   *string         `json:"message"`
	Result    json.RawMessage `json:"result"`
	File      *JobFile        `json:"file"`
	Error     *string         `json:"error"`
	Resumable bool            `json:"resumable"`
	CreatedAt time.Time       `json:"created_at"`
	StartedAt *time.Time      `json:"started_at"`
	EndedAt   *time.Time      `json:"ended_at"`
}

// JobFile is what a job has left for download.
type JobFile struct {
	Name      string    `json:"name"`
	Bytes     int64     `json:"bytes"`
	SHA256    string    `json:"sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ended reports whether nothing more comes of the job.
func (j *Job) Ended() bool { return j.State != "queued" && j.State != "running" }

// JobQuery asks for jobs.
type JobQuery struct {
	Kind, State string // "": any
	Limit       int
}

// Jobs lists the newest jobs; more: there are others behind them.
func (c *Client) Jobs(ctx context.Context, q JobQuery) (list []Job, more bool, err error) {
	query := url.Values{"per_page": {strconv.Itoa(q.Limit)}}
	for name, value := range map[string]string{"kind": q.Kind, "state": q.State} {
		if value != "" {
			query.Set(name, value)
		}
	}
	e, err := c.fetch(ctx, c.api(query, "jobs"))
	if err != nil {
		return nil, false, err
	}
	var rows []json.RawMessage
	var info struct {
		Next *string `json:"next"`
	}
	if err := json.Unmarshal(e.Result, &rows); err != nil {
		return nil, false, fmt.Errorf("read jobs: %w", err)
	}
	if err := json.Unmarshal(e.Info, &info); err != nil {
		return nil, false, fmt.Errorf("read result_info: %w", err)
	}
	for _, row := range rows {
		j, err := readJob(row)
		if err != nil {
			return nil, false, err
		}
		list = append(list, *j)
	}
	return list, info.Next != nil, nil
}

// Job returns one job.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	e, err := c.fetch(ctx, c.api(nil, "jobs", id))
	if err != nil {
		return nil, err
	}
	return readJob(e.Result)
}

// CancelJob ends a job that has not ended; it does not wait until it has.
func (c *Client) CancelJob(ctx context.Context, id string) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "jobs", id, "cancel"), nil)
}

// ResumeJob goes on with a job that has failed or was canceled.
func (c *Client) ResumeJob(ctx context.Context, id string) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "jobs", id, "resume"), nil)
}

// DeleteJob removes a job that has ended, and its file.
func (c *Client) DeleteJob(ctx context.Context, id string) (*Job, error) {
	return c.jobCall(ctx, http.MethodDelete, c.api(nil, "jobs", id), nil)
}

// jobCall sends a call that answers with a job.
func (c *Client) jobCall(ctx context.Context, method, address string, body any) (*Job, error) {
	e, err := c.tokenCall(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	return readJob(e.Result)
}

func readJob(doc json.RawMessage) (*Job, error) {
	j := &Job{Raw: doc}
	if err := json.Unmarshal(doc, j); err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	return j, nil
}

// pollEvery is how often a job is asked after.
const pollEvery = 300 * time.Millisecond

// WaitJob asks after a job until it has ended, and tells each what it hears.
func (c *Client) WaitJob(ctx context.Context, id string, each func(*Job)) (*Job, error) {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for {
		j, err := c.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		each(j)
		if j.Ended() {
			return j, nil
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return j, ctx.Err()
		}
	}
}

// JobResult opens the file that a job has left, from its byte from on. The caller closes it.
func (c *Client) JobResult(ctx context.Context, id string, from int64) (io.ReadCloser, error) {
	header := http.Header{}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := c.get(ctx, c.api(nil, "jobs", id, "result"), header)
	if err != nil {
		return nil, err
	}
	if from > 0 && resp.StatusCode != http.StatusPartialContent {
		_ = resp.Body.Close()
		return nil, &APIError{Status: resp.StatusCode, Message: "the server sends the file from its beginning only"}
	}
	return resp.Body, nil
}

// LogSelection picks log entries for a job.
type LogSelection struct {
	Filter string `json:"q,omitempty"`     // in the filter language; "": all
	Range  string `json:"range,omitempty"` // "": all until now
}

// LogExport says what an export holds.
type LogExport struct {
	LogSelection
	Format  string   `json:"format,omitempty"` // jsonl, csv, parquet
	Columns []string `json:"columns,omitempty"`
	Gzip    bool     `json:"gzip,omitempty"`
	Basis   string   `json:"basis,omitempty"` // requests, attempts
	Bodies  bool     `json:"bodies,omitempty"`
}

// ExportLogs starts a job that exports log entries of the client's gateway.
func (c *Client) ExportLogs(ctx context.Context, what LogExport) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "gateways", c.gateway, "logs", "export"), what)
}

// Backup starts a job that backs up the server's data directory; masterKey: with the file that holds the master key.
func (c *Client) Backup(ctx context.Context, masterKey bool) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "backup"), map[string]bool{"master_key": masterKey})
}

// Repricing is what a job that makes costs anew has changed, or would change. Amounts are nano-USD.
type Repricing struct {
	DryRun   bool  `json:"dry_run"`
	Requests int64 `json:"requests"`
	Changed  int64 `json:"changed"`
	Priced   int64 `json:"priced"`
	Before   int64 `json:"nano_usd_before"`
	After    int64 `json:"nano_usd_after"`
	Delta    int64 `json:"nano_usd_delta"`
}

// Reprice starts a job that makes the costs of log entries anew: of the client's gateway, or of all of the account.
func (c *Client) Reprice(ctx context.Context, what LogSelection, all, dryRun bool) (*Job, error) {
	address := c.api(nil, "gateways", c.gateway, "logs", "reprice")
	if all {
		address = c.api(nil, "logs", "reprice")
	}
	return c.jobCall(ctx, http.MethodPost, address, struct {
		LogSelection
		DryRun bool `json:"dry_run,omitempty"`
	}{what, dryRun})
}
