package admin

import (
	"encoding/json"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Entry is a log entry as the API shows it: the reference's fields first, then ours. The tag list
// marks what a list shows when nobody asks for other fields, the tag detail what only a single entry has,
// and the tag body what is read from a stored body: event streams and exports do without.
type Entry struct {
	ID                  string   `json:"id" list:"+" doc:"id of the request; an attempt that did not answer has its own"`
	CreatedAt           string   `json:"created_at" list:"+" format:"date-time"`
	Provider            string   `json:"provider" list:"+" doc:"slug; empty when the request never named one that exists"`
	Model               string   `json:"model" list:"+" doc:"as the request asked for it, else as the answer names it"`
	ModelType           *string  `json:"model_type" list:"+"`
	Path                string   `json:"path" list:"+" doc:"after the provider, with the query, credentials redacted"`
	Duration            int64    `json:"duration" list:"+" doc:"milliseconds"`
	RequestType         *string  `json:"request_type" list:"+" doc:"surface that it came by; null: a provider endpoint"`
	RequestContentType  *string  `json:"request_content_type" list:"+"`
	ResponseContentType *string  `json:"response_content_type" list:"+"`
	StatusCode          *int     `json:"status_code" list:"+" doc:"what the client got; 499 when it left before; null: no answer"`
	Success             bool     `json:"success" list:"+"`
	Cached              bool     `json:"cached" list:"+"`
	TokensIn            *int64   `json:"tokens_in" list:"+" doc:"null: not known"`
	TokensOut           *int64   `json:"tokens_out" list:"+" doc:"null: not known"`
	Cost                Money    `json:"cost" list:"+"`
	CustomCost          bool     `json:"custom_cost" list:"+"`
	Metadata            Metadata `json:"metadata" list:"+"`
	Step                int      `json:"step" list:"+" doc:"place in the chain of targets, from 0"`

	Gateway      string   `json:"gateway" list:"+"`
	ServedModel  *string  `json:"served_model" list:"+" doc:"model that the answer names"`
	Endpoint     *string  `json:"endpoint" list:"+" doc:"name in the endpoint table; null: not a known one"`
	Ending       string   `json:"ending" list:"+" doc:"how the exchange ended: complete, refused, unreachable, timeout, cut, stalled, error_event, client_gone, client_slow, shutdown, crashed, panic, in_flight"`
	ErrorKind    *string  `json:"error_kind" list:"+"`
	ErrorText    *string  `json:"error_text" list:"+"`
	Streamed     bool     `json:"streamed" list:"+"`
	TTFT         Millis   `json:"ttft" list:"+"`
	AttemptCount int      `json:"attempt_count" list:"+"`
	Key          *string  `json:"key" list:"+" doc:"gateway token, by name"`
	UsageBasis   string   `json:"usage_basis" list:"+" enum:"none,provider,estimated,partial,cached"`
	CacheStatus  string   `json:"cache_status" enum:"off,miss,hit"`
	CacheReason  *string  `json:"cache_reason" doc:"why the cache did not answer, or how it did; null: it was not asked, or answered from an entry"`
	Finish       *string  `json:"finish" doc:"why the answer ended, in the provider's word"`
	Method       string   `json:"method"`
	UserAgent    *string  `json:"user_agent"`
	EventID      *string  `json:"event_id"`
	TraceID      *string  `json:"trace_id"`
	Feedback     *int     `json:"feedback" doc:"-1 or 1; null: none"`
	Score        *float64 `json:"score"`

	CostBasis string  `json:"cost_basis" enum:"unknown,catalogue,reported,custom,cached,reserved" doc:"where the cost comes from"`
	Prices    *string `json:"prices" doc:"version of the price catalogue that the cost was made with"`
	Tier      *string `json:"service_tier" doc:"as the answer names it; null: the ordinary one"`
	Geo       *string `json:"inference_geo" doc:"as the answer names it"`

	Usage           Counts        `json:"usage" doc:"of the model that answered"`
	Saved           *SavingView   `json:"saved" doc:"by a cache hit; null: it was none"`
	Charges         []ChargeView  `json:"charges" doc:"what other models used for the answer, beside usage; part of the cost"`
	Timeline        TimelineView  `json:"timeline"`
	Attempts        []AttemptView `json:"attempts"`
	Request         BodyView      `json:"request"`
	Response        BodyView      `json:"response"`
	RequestHeaders  []HeaderField `json:"request_headers" doc:"as received, credentials redacted"`
	ResponseHeaders []HeaderField `json:"response_headers" doc:"as sent"`
	Notes           []string      `json:"notes"`

	RequestHead          *string `json:"request_head" detail:"+" doc:"beginning of the request body, decoded; null: not text, or not stored"`
	RequestHeadComplete  bool    `json:"request_head_complete" detail:"+" doc:"whether the head is all of the body"`
	RequestSize          int64   `json:"request_size" doc:"bytes"`
	ResponseHead         *string `json:"response_head" detail:"+" doc:"beginning of the response body, decoded; null: not text, or not stored"`
	ResponseHeadComplete bool    `json:"response_head_complete" detail:"+" doc:"whether the head is all of the body"`
	ResponseSize         int64   `json:"response_size" doc:"bytes"`

	Preview *string `json:"preview" body:"+" doc:"beginning of what the last message of a user says, else of the prompt, 120 characters at most; a list has it when fields names it. null: there is none, the body is not stored or larger than 256 KB, or the caller may not see bodies"`

	Cut []string `json:"cut,omitempty" list:"+" doc:"fields that this list shows in part; ask for them by fields, or get the entry"`
}

// TimelineView holds the moments of an exchange, in milliseconds since its start.
type TimelineView struct {
	Received   Millis `json:"received_ms" doc:"the request body was read"`
	Connected  Millis `json:"connected_ms" doc:"a connection to the upstream was at hand"`
	Sent       Millis `json:"sent_ms" doc:"the request was written to it"`
	FirstByte  Millis `json:"first_byte_ms" doc:"the answer's head was read"`
	FirstToken Millis `json:"first_token_ms" doc:"the first event with content passed"`
	End        Millis `json:"end_ms" doc:"the last byte was handed to the client, or the exchange ended otherwise"`
}

// AttemptView is one try at one target. Times but start_ms count from the attempt's start.
type AttemptView struct {
	ID       string  `json:"id" doc:"id that the attempt has where attempts are listed"`
	Provider string  `json:"provider"`
	Model    string  `json:"model"`
	Host     string  `json:"host"`
	Status   *int    `json:"status" doc:"null: no answer"`
	Cause    *string `json:"cause" doc:"why there was no answer or it did not serve; null: it served"`
	Start    Millis  `json:"start_ms" doc:"since the exchange's start"`
	Connect  Millis  `json:"connect_ms"`
	First    Millis  `json:"first_byte_ms"`
	End      Millis  `json:"end_ms"`
	Reused   bool    `json:"reused" doc:"the connection had carried a request before"`
	Usage    Counts  `json:"usage"`
	Cost     Money   `json:"cost"`
}

// ChargeView is what another model used for an answer, such as an adviser.
type ChargeView struct {
	Model string  `json:"model" doc:"empty: not told, or of several; it has no price"`
	Tier  *string `json:"service_tier" doc:"null: the ordinary one"`
	Usage Counts  `json:"usage"`
	Cost  Money   `json:"cost" doc:"its part of the entry's cost; null: not told apart from the rest"`
}

// SavingView is what a cache hit has spared.
type SavingView struct {
	Cost Money  `json:"cost" doc:"what the answer would have cost by the price catalogue"`
	Time Millis `json:"time_ms" doc:"how much sooner it was there; null: not known, or no sooner"`
}

// BodyView tells what is known of a body.
type BodyView struct {
	Size      int64   `json:"size" doc:"bytes on the wire"`
	Stored    int64   `json:"stored" doc:"bytes that the log kept, from the beginning"`
	Type      *string `json:"type"`
	Encoding  *string `json:"encoding" doc:"content encoding; stored bytes have it still"`
	Truncated bool    `json:"truncated" doc:"the log's cap cut it"`
	Dropped   bool    `json:"dropped" doc:"not stored for lack of room"`
	Off       bool    `json:"off" doc:"not stored because a setting or a header said so"`
}

// HeaderField is one field line.
type HeaderField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Metadata is an exchange's metadata; in JSON it is an object with the values as they were sent.
type Metadata []sluice.MetaValue

// MarshalJSON writes the object. Of a repeated key the last entry counts, as for who sent it.
func (m Metadata) MarshalJSON() ([]byte, error) {
	object := make(map[string]json.RawMessage, len(m))
	for _, v := range m {
		raw := json.RawMessage(v.Value)
		if v.Kind == sluice.MetaString || !json.Valid(raw) {
			text, err := json.Marshal(v.Value)
			if err != nil {
				return nil, err
			}
			raw = text
		}
		object[v.Key] = raw
	}
	return json.Marshal(object)
}

// Schema describes Metadata for the OpenAPI document.
func (Metadata) Schema(huma.Registry) *huma.Schema {
	value := &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}}
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: value}
}

// basis says what an item of a list stands for.
type basis string

const (
	basisRequests basis = "requests" // a request, its attempts inside
	basisAttempts basis = "attempts" // an attempt, as in the reference
)

// viewEntry shows all of e.
func viewEntry(e *sluice.LogEntry, b basis) *Entry {
	v := viewRow(e, b)
	v.Usage, v.Timeline, v.Attempts, v.Charges = Counts(e.Usage), viewTimeline(e.Timeline), viewAttempts(e), viewCharges(e.Charges)
	v.Request, v.Response = viewBody(e.Request), viewBody(e.Response)
	v.RequestHeaders, v.ResponseHeaders = viewHeader(e.ReqHeader), viewHeader(e.RespHeader)
	v.Notes = append([]string{}, e.Notes...)
	return v
}

// viewRow shows of e what a list does by default, and single values besides. In basisAttempts a cache
// hit has no tokens, as in the reference.
func viewRow(e *sluice.LogEntry, b basis) *Entry {
	v := &Entry{
		ID: e.ID.String(), CreatedAt: stamp(e.Start), Provider: e.Provider, Model: e.Model,
		ModelType: optional(modelType(e.Endpoint)), Path: e.Path, Duration: e.Timeline.End.Milliseconds(),
		RequestType: optional(e.Type), RequestContentType: optional(e.Request.Type), ResponseContentType: optional(e.Response.Type),
		StatusCode: optionalStatus(e.Status), Success: e.Success, Cached: e.Cache == sluice.CacheHit,
		TokensIn: tokens(&e.Usage, sluice.Input), TokensOut: tokens(&e.Usage, sluice.Output),
		Cost: Money{e.Cost, e.Priced}, Metadata: e.Metadata, Step: e.Step,

		Gateway: e.Gateway, ServedModel: optional(e.Served), Endpoint: optional(e.Endpoint),
		Ending: e.Ending.String(), ErrorKind: optional(e.ErrorKind), ErrorText: optional(e.ErrorText),
		Streamed: e.Streamed, TTFT: Millis(e.Timeline.FirstToken), AttemptCount: len(e.Attempts), Key: optional(e.Key),
		UsageBasis: e.Usage.Basis.String(), CacheStatus: reqlog.CacheName(e.Cache), CacheReason: optional(e.CacheReason), Finish: optional(e.Finish), Method: e.Method,
		UserAgent: optional(e.UserAgent), EventID: optional(e.EventID), TraceID: optional(e.TraceID),
		RequestSize: e.Request.Size, ResponseSize: e.Response.Size,
		CustomCost: e.CostBasis == sluice.CostCustom, CostBasis: e.CostBasis.String(), Prices: optional(e.Prices),
		Tier: optional(e.Tier), Geo: optional(e.Geo),
	}
	if v.Model == "" {
		v.Model = e.Served
	}
	if e.Feedback != 0 {
		n := int(e.Feedback)
		v.Feedback = &n
	}
	if e.Cache == sluice.CacheHit || e.Saved != (sluice.Saving{}) {
		v.Saved = &SavingView{Cost: Money{e.Saved.Cost, e.Saved.Priced}, Time: Millis(e.Saved.Time)}
	}
	if e.Scored {
		v.Score = &e.Score
	}
	if v.Cached && b == basisAttempts {
		var in, out int64
		v.TokensIn, v.TokensOut = &in, &out
	}
	return v
}

func viewTimeline(t sluice.Timeline) TimelineView {
	return TimelineView{
		Received: Millis(t.Received), Connected: Millis(t.Connected), Sent: Millis(t.Sent),
		FirstByte: Millis(t.FirstByte), FirstToken: Millis(t.FirstToken), End: Millis(t.End),
	}
}

func viewAttempts(e *sluice.LogEntry) []AttemptView {
	views := make([]AttemptView, len(e.Attempts))
	for i := range e.Attempts {
		a := &e.Attempts[i]
		views[i] = AttemptView{
			ID: reqlog.AttemptID(e, i).String(), Provider: a.Provider, Model: a.Model, Host: a.Host,
			Status: optionalStatus(a.Status), Cause: optional(a.Cause), Start: Millis(a.Start), Connect: Millis(a.Connect),
			First: Millis(a.First), End: Millis(a.End), Reused: a.Reused, Usage: Counts(a.Usage), Cost: Money{a.Cost, a.Priced},
		}
	}
	return views
}

func viewCharges(charges []sluice.Charge) []ChargeView {
	views := make([]ChargeView, len(charges))
	for i := range charges {
		c := &charges[i]
		views[i] = ChargeView{Model: c.Model, Tier: optional(c.Tier), Usage: Counts(c.Usage), Cost: Money{c.Cost, c.Priced}}
	}
	return views
}

func viewBody(b sluice.Body) BodyView {
	return BodyView{
		Size: b.Size, Stored: b.Stored, Type: optional(b.Type), Encoding: optional(b.Encoding),
		Truncated: b.Truncated, Dropped: b.Dropped, Off: b.Off,
	}
}

func viewHeader(h sluice.Header) []HeaderField {
	fields := make([]HeaderField, len(h))
	for i, f := range h {
		fields[i] = HeaderField(f)
	}
	return fields
}

func tokens(u *sluice.Usage, c sluice.Class) *int64 {
	if n, known := u.Get(c); known {
		return &n
	}
	return nil
}

func optionalStatus(status int) *int {
	if status == 0 {
		return nil
	}
	return &status
}

// cutForList shortens v's texts so that a row of a list stays small whatever a caller sent, and notes
// which it cut.
func (v *Entry) cutForList() {
	cut := func(name string, text *string, n int) {
		if text != nil && len(*text) > n {
			*text = clip(*text, n)
			v.Cut = append(v.Cut, name)
		}
	}
	cut("provider", &v.Provider, 64)
	cut("model", &v.Model, 100)
	cut("path", &v.Path, 120)
	cut("request_content_type", v.RequestContentType, 60)
	cut("response_content_type", v.ResponseContentType, 60)
	cut("served_model", v.ServedModel, 100)
	cut("error_text", v.ErrorText, 160)
	cut("key", v.Key, 64)
	room := 400
	for i, m := range v.Metadata {
		// Quotes, colon and comma of an entry.
		room -= len(strconv.Quote(m.Key)) + len(strconv.Quote(m.Value)) + 2
		if room < 0 {
			v.Metadata = v.Metadata[:i]
			v.Cut = append(v.Cut, "metadata")
			break
		}
	}
}
