package client

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Entry is a log entry. Null is nil: not known.
type Entry struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID            string                     `json:"id"`
	CreatedAt     time.Time                  `json:"created_at"`
	Provider      string                     `json:"provider"`
	Model         string                     `json:"model"`
	ServedModel   *string                    `json:"served_model"`
	Path          string                     `json:"path"`
	Method        string                     `json:"method"`
	Endpoint      *string                    `json:"endpoint"`
	Gateway       string                     `json:"gateway"`
	Duration      int64                      `json:"duration"` // milliseconds
	StatusCode    *int                       `json:"status_code"`
	Success       bool                       `json:"success"`
	Cached        bool                       `json:"cached"`
	Streamed      bool                       `json:"streamed"`
	TokensIn      *int64                     `json:"tokens_in"`
	TokensOut     *int64                     `json:"tokens_out"`
	Cost          *json.Number               `json:"cost"` // US dollars
	Metadata      map[string]json.RawMessage `json:"metadata"`
	Ending        string                     `json:"ending"`
	ErrorKind     *string                    `json:"error_kind"`
	ErrorText     *string                    `json:"error_text"`
	TTFT          *float64                   `json:"ttft"` // milliseconds
	AttemptCount  int                        `json:"attempt_count"`
	UsageBasis    string                     `json:"usage_basis"`
	Key           *string                    `json:"key"`
	UserAgent     *string                    `json:"user_agent"`
	Finish        *string                    `json:"finish"`
	Feedback      *int                       `json:"feedback"` // 1, -1; nil: none
	Score         *float64                   `json:"score"`
	Notes         []string                   `json:"notes"`
	Timeline      *Timeline                  `json:"timeline"`
	Attempts      []Attempt                  `json:"attempts"`
	Usage         map[string]any             `json:"usage"`
	Charges       []Charge                   `json:"charges"`
	Request       *Body                      `json:"request"`
	Response      *Body                      `json:"response"`
	RequestHeader []HeaderField              `json:"request_headers"`
	AnswerHeader  []HeaderField              `json:"response_headers"`
	RequestHead   *string                    `json:"request_head"`
	RequestWhole  bool                       `json:"request_head_complete"`
	ResponseHead  *string                    `json:"response_head"`
	ResponseWhole bool                       `json:"response_head_complete"`
}

// UnmarshalJSON reads an entry and keeps its text.
func (e *Entry) UnmarshalJSON(text []byte) error {
	type plain Entry
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.Raw = append(json.RawMessage{}, text...)
	return nil
}

// FeedbackWord says in a word or two what people think of the request, "" when they have said nothing.
func (e *Entry) FeedbackWord() string {
	word := ""
	if e.Feedback != nil {
		word = map[int]string{1: "up", -1: "down"}[*e.Feedback]
	}
	if e.Score != nil {
		word = strings.TrimPrefix(word+", score "+strconv.FormatFloat(*e.Score, 'g', -1, 64), ", ")
	}
	return word
}

// Timeline holds moments since the exchange's start, in milliseconds.
type Timeline struct {
	Received   *float64 `json:"received_ms"`
	Connected  *float64 `json:"connected_ms"`
	Sent       *float64 `json:"sent_ms"`
	FirstByte  *float64 `json:"first_byte_ms"`
	FirstToken *float64 `json:"first_token_ms"`
	End        *float64 `json:"end_ms"`
}

// Attempt is one try at one target. Times but Start count from its own start, in milliseconds.
type Attempt struct {
	Provider string   `json:"provider"`
	Model    string   `json:"model"`
	Host     string   `json:"host"`
	Status   *int     `json:"status"`
	Cause    *string  `json:"cause"`
	Start    *float64 `json:"start_ms"`
	First    *float64 `json:"first_byte_ms"`
	End      *float64 `json:"end_ms"`
	Reused   bool     `json:"reused"`
	Usage    Counts   `json:"usage"`
}

// Charge is what another model used for an answer, beside the entry's Usage.
type Charge struct {
	Model string  `json:"model"` // "": not told
	Tier  *string `json:"service_tier"`
	Usage Counts  `json:"usage"`
}

// Counts are counts by class, and under "basis" where they come from, each as it stands in the answer.
type Counts map[string]json.RawMessage

// Body tells what is known of a body.
type Body struct {
	Size      int64   `json:"size"`
	Stored    int64   `json:"stored"`
	Type      *string `json:"type"`
	Encoding  *string `json:"encoding"`
	Truncated bool    `json:"truncated"`
	Dropped   bool    `json:"dropped"`
	Off       bool    `json:"off"`
}

// HeaderField is one field line.
type HeaderField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
