package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Role is whose a message is.
type Role uint8

// The roles. Results of tools have one of their own; dialects that have none put them into a user's message.
const (
	System Role = iota
	User
	Assistant
	Tools
)

// Kind is what a Part holds.
type Kind uint8

// The kinds of parts.
const (
	Text      Kind = iota
	Image          // Media
	Audio          // Media
	File           // Media
	Reasoning      // Text, Thought
	CallPart       // Call
	Result         // Call.ID and Name of the call that it answers, Parts
)

// Part is a piece of a message.
type Part struct {
	Kind    Kind
	Text    string
	Media   *Media
	Thought *Thought
	Call    *ToolCall
	Parts   []Part // of a result: text and media
	Failed  bool   // a result that is an error
	Cache   string // the mark that a prompt cache is to reach until here, as JSON; "": none
	Path    string // where it stands in the client's request
}

// Media is what is no text: by its address, or by its bytes in base64.
type Media struct {
	Type   string // MIME type; "": not known
	URL    string // "" when Data holds it
	Data   string // base64, padded, the standard alphabet
	Name   string // of a file
	Detail string // OpenAI's level of detail of a picture
}

// Thought is what only machines read of reasoning: it goes back to whom it came from, or to nobody.
type Thought struct {
	Format    string // who can read it: "anthropic-claude-v1", "google-gemini-v1", …
	Signature string // of the part's Text
	Data      string // encrypted reasoning, in place of Text
	ID        string
	Summary   bool // Text is a summary
}

// The formats of thoughts that we read.
const (
	formatClaude = "anthropic-claude-v1"
	formatGemini = "google-gemini-v1"
	formatOpenAI = "openai-responses-v1"
)

// ToolCall is a call of a tool.
type ToolCall struct {
	ID        string
	Name      string
	Args      string // JSON text of an object, or of a custom tool plain text
	Custom    bool
	Signature string // Google's thought signature
}

// Message is one of a conversation.
type Message struct {
	Role  Role
	Parts []Part
	Path  string
}

// ToolSpec is a tool that the model may call.
type ToolSpec struct {
	Name        string
	Description string
	Schema      string // JSON; "": it takes nothing
	Strict      bool
	Custom      bool // it takes text
	Cache       string
	Path        string
}

// Choice says which tools the model may or must call.
type Choice struct {
	Mode string // "" nothing said, "auto", "none", "required", "named"
	Name string
}

// Format is the form that the answer must have.
type Format struct {
	Kind        string // "" any, "json_object", "json_schema"
	Name        string
	Description string
	Schema      string // JSON
	Strict      bool
}

// Request is a request in the neutral form. Numbers are kept as they were written; "" means that nothing was
// said, as it does for texts.
type Request struct {
	Model        string
	Stream       bool
	IncludeUsage bool
	Messages     []Message
	Tools        []ToolSpec
	Choice       Choice
	Parallel     *bool
	MaxTokens    int64 // -1: not said
	Temperature  string
	TopP         string
	TopK         string
	Seed         string
	Presence     string
	Frequency    string
	Stop         []string
	N            int64 // -1: not said
	Logprobs     bool
	TopLogprobs  int64 // -1: not said
	Format       Format
	Effort       string // of reasoning: none, minimal, low, medium, high, xhigh, max
	Budget       int64  // of reasoning, in tokens; -1: not said
	User         string
	Tier         string

	dialect Dialect
	legacy  bool
	allowed map[string]bool // the only tools that may be called; nil: all
	// said are the features that the request uses, each with the field that says so.
	said []use
	// extra are top-level fields that the neutral form has no word for.
	extra []field
}

type field struct{ name, json string }

type use struct {
	feature Feature
	path    string
}

// take returns the JSON of an extra field, and takes it away: it is not dropped.
func (r *Request) take(name string) string {
	for i, f := range r.extra {
		if f.name == name {
			r.extra = append(r.extra[:i], r.extra[i+1:]...)
			return f.json
		}
	}
	return ""
}

// use notes that the request uses a feature, in the field at path.
func (r *Request) use(f Feature, path string) {
	u := use{f, path}
	if !slices.Contains(r.said, u) {
		r.said = append(r.said, u)
	}
}

// hasCalls reports whether a message calls tools.
func (m *Message) hasCalls() bool {
	for i := range m.Parts {
		if m.Parts[i].Kind == CallPart {
			return true
		}
	}
	return false
}

// usesTools reports whether any message holds a call or a result.
func (r *Request) usesTools() bool {
	for i := range r.Messages {
		if r.Messages[i].Role == Tools || r.Messages[i].hasCalls() {
			return true
		}
	}
	return false
}

// noResult answers calls that the history leaves open: several providers refuse gaps.
const noResult = "no result was given"

// arrange puts the results of tools where all dialects can have them: all results of a turn in one message
// behind it, in the order of its calls. What stood between goes behind them.
func (r *Request) arrange(in *reader) {
	messages := make([]Message, 0, len(r.Messages))
	for i := 0; i < len(r.Messages); i++ {
		m := r.Messages[i]
		if m.Role == Tools {
			in.bad(m.Path, "answers no tool call: no assistant message before it has calls")
			return
		}
		messages = append(messages, m)
		if m.Role != Assistant || !m.hasCalls() {
			continue
		}
		results := map[string]Part{}
		var between []Message
		j := i + 1
		for ; j < len(r.Messages) && (r.Messages[j].Role == Tools || r.Messages[j].Role == System); j++ {
			if r.Messages[j].Role == System {
				between = append(between, r.Messages[j])
				continue
			}
			for _, p := range r.Messages[j].Parts {
				r.pair(&m, &p, results)
				if _, ok := callOf(&m, p.Call.ID); !ok {
					in.bad(p.Path, "answers no tool call: the assistant message before it has none with the id "+quoted(cutText(p.Call.ID, 64)))
					return
				}
				results[p.Call.ID] = p
			}
		}
		messages = append(messages, answers(&m, results))
		messages = append(messages, between...)
		i = j - 1
	}
	r.Messages = messages
}

// pair finds the call that a result of an older client answers, which knows names only.
func (r *Request) pair(m *Message, p *Part, answered map[string]Part) {
	if p.Call.ID != "" || p.Call.Name == "" {
		return
	}
	for i := range m.Parts {
		c := m.Parts[i].Call
		if c == nil || c.Name != p.Call.Name {
			continue
		}
		if _, ok := answered[c.ID]; !ok {
			p.Call.ID = c.ID
		}
	}
}

// answers is the message that answers all calls of m.
func answers(m *Message, results map[string]Part) Message {
	a := Message{Role: Tools, Path: m.Path}
	for i := range m.Parts {
		c := m.Parts[i].Call
		if m.Parts[i].Kind != CallPart {
			continue
		}
		p, ok := results[c.ID]
		if !ok {
			p = Part{Kind: Result, Failed: true, Parts: []Part{{Kind: Text, Text: noResult}}}
		}
		p.Call = &ToolCall{ID: c.ID, Name: c.Name}
		a.Parts = append(a.Parts, p)
	}
	return a
}

func callOf(m *Message, id string) (*ToolCall, bool) {
	for i := range m.Parts {
		if c := m.Parts[i].Call; c != nil && m.Parts[i].Kind == CallPart && c.ID == id {
			return c, true
		}
	}
	return nil, false
}

// cutText shortens a text for a message.
func cutText(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// joined is the text of parts, one behind the other.
func joined(parts []Part) string {
	var b strings.Builder
	for i := range parts {
		if parts[i].Kind == Text {
			b.WriteString(parts[i].Text)
		}
	}
	return b.String()
}

// objectArgs returns the arguments of a call as a JSON object.
func (r *reader) objectArgs(c *ToolCall, path string) string {
	switch {
	case c.Custom:
		return `{"input":` + quoted(c.Args) + `}`
	case strings.TrimSpace(c.Args) == "":
		return "{}"
	case gjson.Valid(c.Args) && gjson.Parse(c.Args).IsObject():
		return c.Args
	}
	r.bad(path+".function.arguments", "are no JSON object, which the model's provider needs")
	return "{}"
}

// float is a number's value, for rules that compare it.
func float(number string) float64 {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	return f
}
