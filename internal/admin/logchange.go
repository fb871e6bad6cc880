package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// logChangeRoutes are those that change log entries.
func logChangeRoutes() []route {
	const logs = scope + "/gateways/{gateway}/logs"
	return []route{
		edit(http.MethodPatch, logs+"/{id}", "patch-log", "Say what people think of a request: feedback, score, metadata", handle((*server).patchLog)),
		change(http.MethodDelete, logs, "delete-logs", "Delete log entries by filter", handle((*server).deleteLogs)),
		change(http.MethodDelete, logs+"/{id}", "delete-log", "Delete a log entry (ours)", handle((*server).deleteLog)),
	}
}

// LogChange is what people say of a request. What is left out stays as it is.
type LogChange struct {
	_        struct{}        `additionalProperties:"true"`
	Feedback json.RawMessage `json:"feedback,omitempty"`
	Score    json.RawMessage `json:"score,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// Schema describes a LogChange for the OpenAPI document.
func (LogChange) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, Description: "what is left out stays as it is; null takes back", AdditionalProperties: true,
		Properties: map[string]*huma.Schema{
			"feedback": {Description: "1, -1, or null", Enum: []any{1.0, -1.0, nil}},
			"score":    {Description: "a number, or null"},
			"metadata": {Description: "takes the place of the whole object; a flat one, by the rules of the header cf-aig-metadata"},
		},
	}
	s.PrecomputeMessages()
	return s
}

// UnmarshalJSON reads the fields as they came.
func (c *LogChange) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	c.Feedback, c.Score, c.Metadata = fields["feedback"], fields["score"], fields["metadata"]
	return nil
}

// apply sets in e what c says; most is how many metadata entries count.
func (c *LogChange) apply(e *sluice.LogEntry, most int) (changes reqlog.Changes, err error) {
	fault := func(field, msg, hint string) error {
		return newFailure(http.StatusBadRequest, Fault{Code: codeInvalid, Message: msg, Path: []string{"body", field}, Field: field, Hint: hint})
	}
	if len(c.Feedback) > 0 {
		changes |= reqlog.ChangeFeedback
		feedback, known := map[string]int8{"1": 1, "-1": -1, "null": 0}[string(c.Feedback)]
		if !known {
			return 0, fault("feedback", "feedback is 1, -1 or null", "1: thumbs up, -1: thumbs down, null: neither")
		}
		e.Feedback = feedback
	}
	if len(c.Score) > 0 {
		changes |= reqlog.ChangeScore
		e.Score, e.Scored = 0, false
		if string(c.Score) != "null" {
			score, err := strconv.ParseFloat(string(c.Score), 64)
			if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
				return 0, fault("score", "score is a number or null", "")
			}
			e.Score, e.Scored = score, true
		}
	}
	if len(c.Metadata) > 0 {
		changes |= reqlog.ChangeMetadata
		text := string(c.Metadata)
		if text == "null" {
			text = "{}"
		}
		meta, valid := sluice.AppendMetadata(nil, text, most)
		if e.Metadata = meta; !valid {
			return 0, fault("metadata", "metadata is an object whose values are texts, numbers and booleans", `for example {"user": "42"}`)
		}
	}
	if changes == 0 {
		return 0, fault("feedback", "nothing is changed", "one of feedback, score, metadata at least")
	}
	return changes, nil
}

// PatchLogInput are the parameters of a change to one entry.
type PatchLogInput struct {
	LogPath
	Body LogChange
}

func (s *server) patchLog(ctx context.Context, in *PatchLogInput) (*output[Envelope[Row]], error) {
	row, it, err := s.findAnswer(ctx, &in.LogPath)
	if err != nil {
		return nil, err
	}
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	e := row.Entry
	changes, err := in.Body.apply(&e, int(g.MetadataEntries))
	if err != nil {
		return nil, err
	}
	if err := s.Log.Patch(ctx, changes, &e); err != nil {
		return nil, fmt.Errorf("change log entry %s: %w", it.entry.ID, err)
	}
	s.audit(ctx, "", audit.Object{Kind: "log", ID: e.ID.String()}, saidOf(&row.Entry), saidOf(&e))
	return answer(Row{viewEntry(&e, basisRequests), &s.fields, s.fields.list}), nil
}

// saidOf is what people have said of an entry, for the audit log. Of metadata it has the keys: the values would outlive
// the entry there.
func saidOf(e *sluice.LogEntry) any {
	v := viewEntry(e, basisRequests)
	keys := make([]string, len(e.Metadata))
	for i := range e.Metadata {
		keys[i] = e.Metadata[i].Key
	}
	return struct {
		Feedback *int     `json:"feedback"`
		Score    *float64 `json:"score"`
		Keys     []string `json:"metadata_keys"`
	}{v.Feedback, v.Score, keys}
}

// fieldsOf names what a filter asks for, without the values: they would outlive what is deleted.
func fieldsOf(f reqlog.Filter) []string {
	names := make([]string, len(f.Terms))
	for i := range f.Terms {
		t := &f.Terms[i]
		names[i] = string(t.Field)
		if t.Key != "" {
			names[i] += "." + t.Key
		}
	}
	return names
}

// findAnswer is find for what belongs to a request as a whole.
func (s *server) findAnswer(ctx context.Context, p *LogPath) (reqlog.Row, *item, error) {
	row, it, err := s.find(ctx, p, basisRequests)
	if err == nil && it.entry.ID.Attempt() != 0 {
		return row, it, &sluice.Error{
			Kind: sluice.KindInvalid, Msg: "this is an attempt of a request, and belongs to it",
			Hint: "use the request's own id: " + it.entry.ID.WithAttempt(0).String(),
		}
	}
	return row, it, err
}

// DeleteLogInput names an entry to delete.
type DeleteLogInput struct{ LogPath }

func (s *server) deleteLog(ctx context.Context, in *DeleteLogInput) (*output[Envelope[DeletedLog]], error) {
	row, _, err := s.findAnswer(ctx, &in.LogPath)
	if err != nil {
		return nil, err
	}
	if row.Entry.Ending == sluice.EndingInFlight {
		return nil, &sluice.Error{Kind: sluice.KindConflict, Msg: "the request is still running", Hint: "delete it when it has ended"}
	}
	if err := s.Log.Delete(ctx, row.Entry.Account, []sluice.ID{row.Entry.ID}); err != nil {
		return nil, fmt.Errorf("delete log entry %s: %w", row.Entry.ID, err)
	}
	id := row.Entry.ID.String()
	s.audit(ctx, "", audit.Object{Kind: "log", ID: id}, DeletedLog{id}, nil)
	return answer(DeletedLog{id}), nil
}

// DeletedLog names what was deleted.
type DeletedLog struct {
	ID string `json:"id"`
}

// DeleteLogsInput say which entries to delete.
type DeleteLogsInput struct {
	LogChoice
	LogOrder
	Limit int `query:"limit" default:"10000" minimum:"1" maximum:"10000" doc:"most requests to delete, the first in the order"`
}

// DeletedLogs is the answer to a deletion, as the reference has it.
type DeletedLogs struct {
	Deleted int64 `header:"X-Sluice-Deleted" doc:"ours: how many requests were deleted"`
	More    bool  `header:"X-Sluice-More" doc:"ours: there are more that the filter takes"`
	Body    struct {
		Success bool `json:"success"`
	}
}

// deleteLogs deletes what a list of the same parameters shows, page by page.
func (s *server) deleteLogs(ctx context.Context, in *DeleteLogsInput) (*DeletedLogs, error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	q, err := in.choose(&in.LogOrder, time.Now())
	if err != nil {
		return nil, err
	}
	q.Account, q.Gateway = a.ID, g.ID
	out := &DeletedLogs{}
	out.Body.Success = true
	if !q.never {
		if out.Deleted, out.More, err = s.deleteMatching(ctx, &q.Query, int64(in.Limit)); err != nil {
			return nil, err
		}
	}
	s.audit(ctx, "", audit.Object{Kind: "logs", ID: g.ID}, struct {
		Fields  []string `json:"fields"`
		Range   string   `json:"range,omitempty"`
		Deleted int64    `json:"deleted"`
	}{fieldsOf(q.Filter), in.Range, out.Deleted}, nil)
	return out, nil
}

// deleteMatching deletes the first rows of q, limit at most. more: there are others. After an error some may be
// deleted.
func (s *server) deleteMatching(ctx context.Context, q *reqlog.Query, limit int64) (deleted int64, more bool, err error) {
	for deleted < limit {
		q.Limit = int(min(limit-deleted, maxPerPage))
		p, err := s.Log.List(ctx, *q)
		if err != nil {
			return deleted, true, fmt.Errorf("list log entries to delete: %w", err)
		}
		ids := make([]sluice.ID, len(p.Rows))
		for i := range p.Rows {
			ids[i] = p.Rows[i].Entry.ID
		}
		if err := s.Log.Delete(ctx, q.Account, ids); err != nil {
			return deleted, true, fmt.Errorf("delete log entries: %w", err)
		}
		deleted += int64(len(ids))
		more = p.Next != "" || p.Partial
		if !more || len(ids) == 0 && q.Order != reqlog.OrderTime {
			return deleted, more, nil
		}
		if q.Order == reqlog.OrderTime { // in another order what is left is listed anew
			q.Cursor = p.Next
		}
	}
	return deleted, more, nil
}
