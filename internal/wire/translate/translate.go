// Package translate turns a request of one dialect into one of another, and the answer back: whole answers,
// streams, errors. All goes through one neutral form (Request, Event), so that each dialect has a decoder and
// an encoder and no pair of dialects has code of its own.
//
// What cannot be said in the target's dialect is dropped where it only tunes, and named in Call.Dropped; where
// dropping it would change what is asked for, the request is refused with the field's name. JSON that callers
// wrote (schemas, arguments) is never decoded and written anew: keys keep their order, numbers their digits.
//
// The package knows no network, no clock and no logger.
package translate

import (
	"slices"

	sluice "github.com/sluicehq/sluice"
)

// Dialect is a form of requests and answers.
type Dialect string

// The dialects.
const (
	Chat     Dialect = "chat"     // OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat
	Messages Dialect = "messages" // Anthropic's Messages: https://docs.anthropic.com/en/api/messages
	Gemini   Dialect = "gemini"   // Google's generateContent: https://ai.google.dev/api/generate-content
	Converse Dialect = "converse" // Bedrock's Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
	Cohere   Dialect = "cohere"   // Cohere's v2 chat: https://docs.cohere.com/reference/chat
)

// Dialects of clients. Providers that speak them get what the client sent; others are called in their own where
// there is a translation: of Responses there is, of Embeddings not.
const (
	Responses  Dialect = "responses"  // OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses
	Embeddings Dialect = "embeddings" // OpenAI's embeddings: https://platform.openai.com/docs/api-reference/embeddings
)

// codec is a dialect's two directions. A nil function: that direction does not exist.
type codec struct {
	// decode reads a client's request.
	decode func(body []byte) (*Request, error)
	// encode writes the request for a target. It may change r.
	encode func(r *Request, e *encoding)
	// answer reads a provider's answer.
	answer func(c *Context) decoder
	// write writes the answer for a client.
	write func(c *Context) encoder
	// fault reads an error answer.
	fault func(status int, h sluice.Header, body []byte) *Fault
	// failed writes an error answer.
	failed func(f *Fault) []byte
	// features are what becomes of each field of the neutral form.
	features map[Feature]Support
}

// codecOf is the table of dialects.
func codecOf(d Dialect) *codec {
	switch d {
	case Chat:
		return chatCodec()
	case Messages:
		return messagesCodec()
	case Gemini:
		return geminiCodec()
	case Converse:
		return converseCodec()
	case Cohere:
		return cohereCodec()
	case Responses:
		return responsesCodec()
	}
	return nil
}

// Reads reports whether requests of d can be translated for other dialects.
func Reads(d Dialect) bool { c := codecOf(d); return c != nil && c.decode != nil }

// Call is a request in the target's dialect.
type Call struct {
	Body []byte
	// Header are fields that the dialect wants beside the provider's own.
	Header sluice.Header
	// Dropped names the fields of the client's request that the target does not get, in order.
	Dropped []string
	Context Context
}

// Context is what an answer's translation must know of its request.
type Context struct {
	From Dialect // the provider's
	To   Dialect // the client's
	// Model is the one that stands in the answer when the provider names none.
	Model  string
	Stream bool
	// ID is the answer's, when the provider gives none; Created its time, in seconds.
	ID      string
	Created int64
	// IncludeUsage: the client wants usage at the end of a stream.
	IncludeUsage bool
	// Usage tells what the answer has used so far, as the meter of the same bytes has read it.
	Usage func() sluice.Usage

	pass     bool              // both speak the same: only usage that nobody asked for is kept back
	legacy   bool              // functions in place of tools
	jsonTool bool              // a tool stands for the schema of the answer
	custom   map[string]bool   // tools that take text in place of an object
	renamed  map[string]string // names of tools as the client knows them
}

// Same reports whether both speak the same dialect.
func (c *Context) Same() bool { return c.pass }

// Target is who a request is written for.
type Target struct {
	Dialect  Dialect
	Provider string // slug
	Model    string // as the provider knows it
	Edits    *Edits // of OpenAI's dialect; nil: none
}

// encoding is a request being written.
type encoding struct {
	reader
	out
	target  Target
	header  sluice.Header
	dropped []string
	asked   bool // the client's request has stream_options
	ctx     Context
}

// drop notes that the target does not get a field.
func (e *encoding) drop(field string) {
	for _, d := range e.dropped {
		if d == field {
			return
		}
	}
	e.dropped = append(e.dropped, field)
}

// Decode reads a client's request. Its error has sluice.KindInvalid and names the field.
func Decode(d Dialect, body []byte) (*Request, error) {
	r, err := codecOf(d).decode(body)
	if err != nil {
		return nil, err
	}
	r.dialect = d
	return r, nil
}

// Encode writes r for t. Its error has sluice.KindInvalid and names the field that t cannot do. r is used up.
func (r *Request) Encode(t Target) (*Call, error) {
	c := codecOf(t.Dialect)
	e := &encoding{target: t, asked: slices.ContainsFunc(r.said, func(u use) bool { return u.feature == FeatureStreamUsage })}
	e.ctx = Context{From: t.Dialect, To: r.dialect, Model: t.Model, Stream: r.Stream, IncludeUsage: r.IncludeUsage, legacy: r.legacy}
	for _, tool := range r.Tools {
		if tool.Custom {
			if e.ctx.custom == nil {
				e.ctx.custom = map[string]bool{}
			}
			e.ctx.custom[tool.Name] = true
		}
	}
	e.judge(r, c.features)
	c.encode(r, e)
	if e.err != nil {
		return nil, e.err
	}
	for _, name := range r.extra {
		e.drop(name.name)
	}
	return e.edited()
}

// edited is the request as it was written, with what a provider wants otherwise of OpenAI's dialect.
func (e *encoding) edited() (*Call, error) {
	c := &Call{Body: e.b, Header: e.header, Dropped: e.dropped, Context: e.ctx}
	if e.target.Dialect != Chat || e.target.Edits == nil {
		return c, nil
	}
	again, _, err := Splice(e.b, e.target, e.target.Edits)
	if err != nil {
		return nil, err
	}
	c.Body = again.Body
	for _, d := range again.Dropped {
		if d != "stream_options" || e.asked {
			c.Dropped = append(c.Dropped, d)
		}
	}
	return c, nil
}
