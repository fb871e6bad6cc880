package provider

import (
	"context"
	"encoding/json"
)

// chatRequest is a chat completions request, as far as echo reads it:
// https://platform.openai.com/docs/api-reference/chat/create 2026-11.
type chatRequest struct {
	Model         string        `json:"model"`
	Messages      []echoMessage `json:"messages"`
	Stream        bool          `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int `json:"max_tokens"`
	MaxCompletionTokens *int `json:"max_completion_tokens"`
	N                   *int `json:"n"`
}

// chatUsage is the usage object of a chat completion.
type chatUsage struct {
	PromptTokens        int `json:"prompt_tokens"`
	CompletionTokens    int `json:"completion_tokens"`
	TotalTokens         int `json:"total_tokens"`
	PromptTokensDetails struct {
		CachedTokens int `json:"cached_tokens"`
		AudioTokens  int `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionTokensDetails struct {
		ReasoningTokens          int `json:"reasoning_tokens"`
		AudioTokens              int `json:"audio_tokens"`
		AcceptedPredictionTokens int `json:"accepted_prediction_tokens"`
		RejectedPredictionTokens int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

// chatMessage is a message of an answer, or a delta of one: what is nil is left out of a delta.
type chatMessage struct {
	Role    string          `json:"role,omitempty"`
	Content *string         `json:"content,omitempty"`
	Refusal json.RawMessage `json:"refusal,omitempty"`
}

// chatChoice is a choice of an answer or of a chunk.
type chatChoice struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatMessage `json:"delta,omitempty"`
	Logprobs     *struct{}    `json:"logprobs"`
	FinishReason *string      `json:"finish_reason"`
}

// chatCompletion is an answer or a chunk of one.
type chatCompletion struct {
	ID                string          `json:"id"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	Choices           []chatChoice    `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
	ServiceTier       string          `json:"service_tier"`
	SystemFingerprint string          `json:"system_fingerprint"`
}

// echoChat answers chat/completions.
func echoChat(ctx context.Context, r *echoRequest) (Answer, *echoError) {
	var q chatRequest
	if e := echoDecode(r.body, &q); e != nil {
		return Answer{}, e
	}
	if e := r.use(q.Model); e != nil {
		return Answer{}, e
	}
	if len(q.Messages) == 0 {
		return Answer{}, echoBad("messages", "is missing or empty: give at least one message")
	}
	if q.N != nil && *q.N != 1 {
		return Answer{}, echoBad("n", "must be 1: echo gives one choice")
	}
	limit, e := echoLimit(tokenLimit{"max_tokens", q.MaxTokens}, tokenLimit{"max_completion_tokens", q.MaxCompletionTokens})
	if e != nil {
		return Answer{}, e
	}
	prompt, size := echoPrompt(q.Messages)
	text, cut := echoAnswer(prompt, limit)
	finish := "stop"
	if cut {
		finish = "length"
	}
	var u chatUsage
	u.PromptTokens, u.CompletionTokens = echoTokens(size), echoTokens(len(text))
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	c := chatCompletion{
		ID: "chatcmpl-" + r.id, Object: "chat.completion", Created: echoCreated, Model: q.Model,
		ServiceTier: "default", SystemFingerprint: "fp_echo",
	}
	if q.Stream {
		return r.stream(ctx, chatEvents(c, r.cuts(text), finish, u, q.StreamOptions.IncludeUsage)), nil
	}
	c.Usage = echoJSON(u)
	c.Choices = []chatChoice{{
		Message: &chatMessage{Role: "assistant", Content: &text, Refusal: json.RawMessage("null")}, FinishReason: &finish,
	}}
	return r.unary(ctx, c), nil
}

// tokenLimit is a member of a request that bounds the answer.
type tokenLimit struct {
	name string
	n    *int
}

// echoLimit returns the smallest of the limits that are set, 0 when none is.
func echoLimit(limits ...tokenLimit) (int, *echoError) {
	limit := 0
	for _, l := range limits {
		if l.n == nil {
			continue
		}
		if *l.n < 1 {
			return 0, echoBad(l.name, "must be at least 1")
		}
		if limit == 0 || *l.n < limit {
			limit = *l.n
		}
	}
	return limit, nil
}

// chatEvents returns the maker of a stream's events: role, the pieces, finish, usage when wanted, end.
func chatEvents(c chatCompletion, pieces []string, finish string, u chatUsage, withUsage bool) func(i int) []byte {
	c.Object = "chat.completion.chunk"
	if withUsage {
		c.Usage = json.RawMessage("null")
	}
	chunk := func(delta chatMessage, finish *string) []byte {
		c.Choices = []chatChoice{{Delta: &delta, FinishReason: finish}}
		return echoEvent("", echoJSON(c))
	}
	n, empty := len(pieces), ""
	return func(i int) []byte {
		if i > n+1 && !withUsage {
			i++ // no usage event
		}
		switch {
		case i == 0:
			return chunk(chatMessage{Role: "assistant", Content: &empty, Refusal: json.RawMessage("null")}, nil)
		case i <= n:
			return chunk(chatMessage{Content: &pieces[i-1]}, nil)
		case i == n+1:
			return chunk(chatMessage{}, &finish)
		case i == n+2:
			c.Choices, c.Usage = []chatChoice{}, echoJSON(u)
			return echoEvent("", echoJSON(c))
		case i == n+3:
			return echoEvent("", []byte("[DONE]"))
		}
		return nil
	}
}
