package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// ChatRequest is one message to a model through the data plane.
type ChatRequest struct {
	Provider string        // slug
	Model    string        // as the provider names it
	System   string        // "" none
	Prompt   string        // the user's message
	Key      sluice.Secret // the provider's key; zero: none is sent
	Unary    bool          // ask for one answer, not a stream
	Header   http.Header   // further headers: cf-aig-metadata, …
}

// ChatResult tells how a chat went.
type ChatResult struct {
	Text      string
	Model     string // that answered
	Finish    string
	LogID     string // "" when no log entry was written
	Status    int
	In, Out   *int64 // tokens, nil when not reported
	FirstByte time.Duration
	Duration  time.Duration
}

// maxChatTokens is what providers that demand a bound are asked for.
const maxChatTokens = 1024

// chatDialect is how a provider's chat is called and read.
type chatDialect struct {
	path   string
	header func(h http.Header, key sluice.Secret)
	body   func(r *ChatRequest) any
	read   func(data []byte, out *chatPart) error
}

// chatPart is what one event, or a whole answer, adds.
type chatPart struct {
	text, model, finish string
	in, out             *int64
}

// dialectOf gives Anthropic's API to its provider; all others are called by the OpenAI-compatible one.
func dialectOf(provider string) chatDialect {
	if provider == "anthropic" {
		return chatDialect{path: "v1/messages", header: anthropicHeader, body: anthropicBody, read: readAnthropic}
	}
	return chatDialect{path: "chat/completions", header: bearerHeader, body: openAIBody, read: readOpenAI}
}

// Chat sends one message and calls text with each piece of the answer as it comes. The result is what
// was seen, also beside an error.
func (c *Client) Chat(ctx context.Context, r ChatRequest, text func(string)) (*ChatResult, error) {
	d := dialectOf(r.Provider)
	body, err := json.Marshal(d.body(&r))
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for name, values := range r.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	d.header(h, r.Key)
	start := time.Now()
	resp, err := c.send(ctx, http.MethodPost, c.Endpoint(c.gateway, r.Provider)+"/"+d.path, h, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	result := &ChatResult{Status: resp.StatusCode, LogID: resp.Header.Get("cf-aig-log-id"), FirstByte: time.Since(start)}
	var all strings.Builder
	take := func(data []byte) error {
		var p chatPart
		if err := d.read(data, &p); err != nil {
			return err
		}
		if p.text != "" {
			all.WriteString(p.text)
			text(p.text)
		}
		result.take(&p)
		return nil
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		err = readStream(resp.Body, take)
	} else {
		err = readWhole(resp.Body, take)
	}
	result.Text, result.Duration = all.String(), time.Since(start)
	if err != nil {
		return result, fmt.Errorf("read the answer: %w", err)
	}
	return result, nil
}

// take keeps what p knows.
func (r *ChatResult) take(p *chatPart) {
	if p.model != "" {
		r.Model = p.model
	}
	if p.finish != "" {
		r.Finish = p.finish
	}
	if p.in != nil {
		r.In = p.in
	}
	if p.out != nil {
		r.Out = p.out
	}
}

func readStream(body io.Reader, take func([]byte) error) error {
	events := newEventReader(body)
	for {
		e, err := events.next(true)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if string(bytes.TrimSpace(e.data)) == "[DONE]" {
			continue
		}
		if err := take(e.data); err != nil {
			return err
		}
	}
}

func readWhole(body io.Reader, take func([]byte) error) error {
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return err
	}
	return take(text)
}

func bearerHeader(h http.Header, key sluice.Secret) {
	if !key.IsZero() {
		h.Set("Authorization", "Bearer "+key.Reveal())
	}
}

func anthropicHeader(h http.Header, key sluice.Secret) {
	h.Set("Anthropic-Version", "2023-06-01")
	if !key.IsZero() {
		h.Set("X-Api-Key", key.Reveal())
	}
}

// message is a chat message in both dialects.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func openAIBody(r *ChatRequest) any {
	type options struct {
		Usage bool `json:"include_usage"`
	}
	body := struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream"`
		Options  *options  `json:"stream_options,omitempty"`
	}{Model: r.Model, Stream: !r.Unary}
	if r.System != "" {
		body.Messages = append(body.Messages, message{"system", r.System})
	}
	body.Messages = append(body.Messages, message{"user", r.Prompt})
	if body.Stream {
		body.Options = &options{Usage: true}
	}
	return body
}

func anthropicBody(r *ChatRequest) any {
	return struct {
		Model     string    `json:"model"`
		MaxTokens int       `json:"max_tokens"`
		System    string    `json:"system,omitempty"`
		Messages  []message `json:"messages"`
		Stream    bool      `json:"stream"`
	}{r.Model, maxChatTokens, r.System, []message{{"user", r.Prompt}}, !r.Unary}
}

// errorShape is an error in place of, or within, an answer.
type errorShape struct {
	Error json.RawMessage `json:"error"`
}

func (e errorShape) err() error {
	if len(e.Error) == 0 || string(e.Error) == "null" {
		return nil
	}
	var object struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(e.Error, &object) == nil && object.Message != "" {
		return errors.New(object.Message)
	}
	return errors.New(string(e.Error))
}

// readOpenAI reads a chunk or a whole answer.
func readOpenAI(data []byte, p *chatPart) error {
	var v struct {
		errorShape
		Model   string `json:"model"`
		Choices []struct {
			Delta   struct{ Content string } `json:"delta"`
			Message struct{ Content string } `json:"message"`
			Finish  string                   `json:"finish_reason"`
		} `json:"choices"`
		Usage *struct {
			In  *int64 `json:"prompt_tokens"`
			Out *int64 `json:"completion_tokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	p.model = v.Model
	for _, c := range v.Choices {
		p.text += c.Delta.Content + c.Message.Content
		p.finish = c.Finish
	}
	if v.Usage != nil {
		p.in, p.out = v.Usage.In, v.Usage.Out
	}
	return v.err()
}

// readAnthropic reads an event or a whole answer.
func readAnthropic(data []byte, p *chatPart) error {
	type usage struct {
		In  *int64 `json:"input_tokens"`
		Out *int64 `json:"output_tokens"`
	}
	type answer struct {
		Model   string                  `json:"model"`
		Content []struct{ Text string } `json:"content"`
		Stop    string                  `json:"stop_reason"`
		Usage   usage                   `json:"usage"`
	}
	var v struct {
		errorShape
		answer
		Message answer `json:"message"`
		Delta   struct {
			Text string
			Stop string `json:"stop_reason"`
		} `json:"delta"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	p.text = v.Delta.Text
	for _, c := range v.Content {
		p.text += c.Text
	}
	p.model, p.finish = v.Model+v.Message.Model, v.Stop+v.Delta.Stop
	p.in, p.out = v.Message.Usage.In, v.Message.Usage.Out
	if v.Usage.In != nil {
		p.in = v.Usage.In
	}
	if v.Usage.Out != nil {
		p.out = v.Usage.Out
	}
	return v.err()
}
