package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Row is a log entry as the management API gives it, one per request.
type Row struct {
	ID          string         `json:"id"`
	CreatedAt   time.Time      `json:"created_at"`
	Provider    string         `json:"provider"`
	Model       string         `json:"model"`
	Path        string         `json:"path"`
	StatusCode  *int           `json:"status_code"`
	Success     bool           `json:"success"`
	Cached      bool           `json:"cached"`
	TokensIn    *int64         `json:"tokens_in"`
	TokensOut   *int64         `json:"tokens_out"`
	Metadata    map[string]any `json:"metadata"`
	UserAgent   string         `json:"user_agent"`
	Endpoint    string         `json:"endpoint"`
	Streamed    bool           `json:"streamed"`
	Ending      string         `json:"ending"`
	ErrorKind   string         `json:"error_kind"`
	ErrorText   string         `json:"error_text"`
	Notes       []string       `json:"notes"`
	RequestHead string         `json:"request_head"`
	Attempts    []Attempt      `json:"attempts"`
	Request     *Body          `json:"request"`
	Response    *Body          `json:"response"`
	Step        int            `json:"step"`
	Cost        *float64       `json:"cost"`
	UsageBasis  string         `json:"usage_basis"`
	CacheStatus string         `json:"cache_status"`
	CacheReason string         `json:"cache_reason"`
	EventID     string         `json:"event_id"`
	Key         string         `json:"key"`
}

// Attempt is one try at one target.
type Attempt struct {
	Provider string `json:"provider"`
	Status   *int   `json:"status"`
	Cause    string `json:"cause"`
}

// Body tells what the log knows of a body.
type Body struct {
	Size      int64  `json:"size"`
	Stored    int64  `json:"stored"`
	Type      string `json:"type"`
	Encoding  string `json:"encoding"`
	Truncated bool   `json:"truncated"`
	Dropped   bool   `json:"dropped"`
	Off       bool   `json:"off"`
}

// Status returns the status, 0 when there is none.
func (r *Row) Status() int {
	if r.StatusCode == nil {
		return 0
	}
	return *r.StatusCode
}

// String shows the row in failures.
func (r *Row) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

const api = "/client/v4/accounts/default/ai-gateway"

// Get fetches a path of the management API, which begins after ai-gateway.
func (g *Gateway) Get(path string) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Addr+api+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// getJSON fetches a path and reads result and result_info of its envelope into the two.
func (g *Gateway) getJSON(path string, result, info any) error {
	status, _, body, err := g.Get(path)
	if err != nil {
		return err
	}
	envelope := struct {
		Success bool `json:"success"`
		Result  any  `json:"result"`
		Info    any  `json:"result_info"`
	}{Result: result, Info: info}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return fmt.Errorf("GET %s: %d %.500s: %w", path, status, body, err)
	}
	if status != http.StatusOK || !envelope.Success {
		return fmt.Errorf("GET %s: %d %.500s", path, status, body)
	}
	return nil
}

// Page is one page of the list.
type Page struct {
	Rows  []Row
	Next  string
	Total int64
}

// List fetches one page of gateway default's log.
func (g *Gateway) List(query string) (Page, error) {
	var p Page
	var info struct {
		Next  string `json:"next"`
		Total int64  `json:"total_count"`
	}
	err := g.getJSON("/gateways/default/logs?basis=requests&"+query, &p.Rows, &info)
	p.Next, p.Total = info.Next, info.Total
	return p, err
}

// Rows fetches the whole log of gateway default, newest first, down to the first row for which until
// is true; nil: to the end.
func (g *Gateway) Rows(until func(*Row) bool) ([]Row, error) {
	var rows []Row
	query := "per_page=1000"
	for {
		p, err := g.List(query)
		if err != nil {
			return nil, err
		}
		for i := range p.Rows {
			if until != nil && until(&p.Rows[i]) {
				return rows, nil
			}
			rows = append(rows, p.Rows[i])
		}
		if p.Next == "" {
			return rows, nil
		}
		query = "per_page=1000&cursor=" + url.QueryEscape(p.Next)
	}
}

// Row waits for the whole entry of a request by its id; it fails the test when there is none.
func (g *Gateway) Row(id string) *Row {
	g.t.Helper()
	return g.RowOf("default", id)
}

// RowOf is Row of another gateway of account default.
func (g *Gateway) RowOf(gateway, id string) *Row {
	g.t.Helper()
	if id == "" {
		g.t.Fatal("the answer names no log id")
	}
	var row Row
	var err error
	g.Eventually("a log entry "+id+" that has ended", func() bool {
		row = Row{}
		err = g.getJSON("/gateways/"+gateway+"/logs/"+id+"?basis=requests", &row, nil)
		return err == nil && row.Ending != "in_flight"
	}, func() string { return fmt.Sprintf("%v %s", err, &row) })
	return &row
}

// LastRow waits until the newest row satisfies ok and returns the whole entry.
func (g *Gateway) LastRow(what string, ok func(*Row) bool) *Row {
	g.t.Helper()
	var page Page
	var err error
	g.Eventually(what, func() bool {
		page, err = g.List("per_page=1")
		return err == nil && len(page.Rows) > 0 && page.Rows[0].Ending != "in_flight" && ok(&page.Rows[0])
	}, func() string { return fmt.Sprintf("%v %+v", err, page.Rows) })
	return g.Row(page.Rows[0].ID)
}

// StoredBody fetches a stored body, side is "request" or "response", as it was stored.
func (g *Gateway) StoredBody(id, side string) ([]byte, error) {
	status, _, body, err := g.Get("/gateways/default/logs/" + id + "/" + side)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s body: %d %.500s", side, status, body)
	}
	return body, err
}

// Status fetches the status document as raw JSON.
func (g *Gateway) Status() string {
	g.t.Helper()
	var raw json.RawMessage
	if err := g.getJSON("/status", &raw, nil); err != nil {
		g.t.Fatal(err)
	}
	return string(raw)
}

// Eventually waits until ok is true, and fails the test with detail when that takes too long.
func (g *Gateway) Eventually(what string, ok func() bool, detail func() string) {
	g.t.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			g.t.Fatalf("there is not %s after %v: %s", what, Patience, detail())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ErrorCode returns the code of a gateway error in the reference's shape, 0 when body is none.
func ErrorCode(body []byte) int {
	var e struct {
		Success *bool
		Error   []struct{ Code int }
		Name    string
	}
	if json.Unmarshal(body, &e) != nil || e.Success == nil || *e.Success || len(e.Error) == 0 || !strings.Contains(e.Name, "AiGateway") {
		return 0
	}
	return e.Error[0].Code
}
