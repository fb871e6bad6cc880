package provider

import (
	"context"
	"encoding/json"
)

// responsesRequest is a Responses request, as far as echo reads it:
// https://platform.openai.com/docs/api-reference/responses/create 2026-11.
type responsesRequest struct {
	Model           string         `json:"model"`
	Input           responsesInput `json:"input"`
	Stream          bool           `json:"stream"`
	MaxOutputTokens *int           `json:"max_output_tokens"`
}

// responsesInput is a list of items; a string is one user message.
type responsesInput []echoMessage

// UnmarshalJSON reads a string or a list.
func (in *responsesInput) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		m := echoMessage{Role: "user"}
		if err := json.Unmarshal(b, &m.Content); err != nil {
			return err
		}
		*in = responsesInput{m}
		return nil
	}
	return json.Unmarshal(b, (*[]echoMessage)(in))
}

// responsePart is a part of an output message.
type responsePart struct {
	Type        string     `json:"type"`
	Text        string     `json:"text"`
	Annotations []struct{} `json:"annotations"`
	Logprobs    []struct{} `json:"logprobs"`
}

// responseItem is an output message.
type responseItem struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Status  string         `json:"status"`
	Role    string         `json:"role"`
	Content []responsePart `json:"content"`
}

// responseUsage is the usage object of a response.
type responseUsage struct {
	InputTokens        int `json:"input_tokens"`
	InputTokensDetails struct {
		CachedTokens int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens        int `json:"output_tokens"`
	OutputTokensDetails struct {
		ReasoningTokens int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens int `json:"total_tokens"`
}

// reason says why a response is incomplete.
type reason struct {
	Reason string `json:"reason"`
}

// response is an answer of the Responses API. What echo does not do has the value of its absence.
type response struct {
	ID                 string         `json:"id"`
	Object             string         `json:"object"`
	CreatedAt          int64          `json:"created_at"`
	Status             string         `json:"status"`
	Background         bool           `json:"background"`
	Error              *struct{}      `json:"error"`
	IncompleteDetails  *reason        `json:"incomplete_details"`
	Instructions       *string        `json:"instructions"`
	MaxOutputTokens    *int           `json:"max_output_tokens"`
	Model              string         `json:"model"`
	Output             []responseItem `json:"output"`
	ParallelToolCalls  bool           `json:"parallel_tool_calls"`
	PreviousResponseID *string        `json:"previous_response_id"`
	Reasoning          struct {
		Effort  *string `json:"effort"`
		Summary *string `json:"summary"`
	} `json:"reasoning"`
	ServiceTier string  `json:"service_tier"`
	Store       bool    `json:"store"`
	Temperature float64 `json:"temperature"`
	Text        struct {
		Format struct {
			Type string `json:"type"`
		} `json:"format"`
	} `json:"text"`
	ToolChoice string         `json:"tool_choice"`
	Tools      []struct{}     `json:"tools"`
	TopP       float64        `json:"top_p"`
	Truncation string         `json:"truncation"`
	Usage      *responseUsage `json:"usage"`
	User       *string        `json:"user"`
	Metadata   struct{}       `json:"metadata"`
}

// echoResponses answers responses. Nothing is stored: there is no GET of what it answered.
func echoResponses(ctx context.Context, r *echoRequest) (Answer, *echoError) {
	var q responsesRequest
	if e := echoDecode(r.body, &q); e != nil {
		return Answer{}, e
	}
	if e := r.use(q.Model); e != nil {
		return Answer{}, e
	}
	if len(q.Input) == 0 {
		return Answer{}, echoBad("input", "is missing or empty: give a string or a list of messages")
	}
	limit, e := echoLimit(tokenLimit{"max_output_tokens", q.MaxOutputTokens})
	if e != nil {
		return Answer{}, e
	}
	prompt, size := echoPrompt(q.Input)
	text, cut := echoAnswer(prompt, limit)
	o := response{
		ID: "resp_" + r.id, Object: "response", CreatedAt: echoCreated, Status: "in_progress",
		MaxOutputTokens: q.MaxOutputTokens, Model: q.Model, Output: []responseItem{}, ParallelToolCalls: true,
		ServiceTier: "default", Temperature: 1, ToolChoice: "auto", Tools: []struct{}{}, TopP: 1, Truncation: "disabled",
	}
	o.Text.Format.Type = "text"
	done := o
	done.Status = "completed"
	if cut {
		done.Status, done.IncompleteDetails = "incomplete", &reason{"max_output_tokens"}
	}
	done.Output = []responseItem{{
		ID: "msg_" + r.id, Type: "message", Status: done.Status, Role: "assistant", Content: []responsePart{outputText(text)},
	}}
	done.Usage = &responseUsage{InputTokens: echoTokens(size), OutputTokens: echoTokens(len(text))}
	done.Usage.TotalTokens = done.Usage.InputTokens + done.Usage.OutputTokens
	if q.Stream {
		return r.stream(ctx, responseEvents(o, done, r.cuts(text))), nil
	}
	return r.unary(ctx, done), nil
}

func outputText(text string) responsePart {
	return responsePart{Type: "output_text", Text: text, Annotations: []struct{}{}, Logprobs: []struct{}{}}
}

// responseEvent is any event of a stream; each kind has some of the members.
type responseEvent struct {
	Type           string        `json:"type"`
	SequenceNumber int           `json:"sequence_number"`
	Response       *response     `json:"response,omitempty"`
	ItemID         string        `json:"item_id,omitempty"`
	OutputIndex    *int          `json:"output_index,omitempty"`
	ContentIndex   *int          `json:"content_index,omitempty"`
	Item           *responseItem `json:"item,omitempty"`
	Part           *responsePart `json:"part,omitempty"`
	Delta          *string       `json:"delta,omitempty"`
	Text           *string       `json:"text,omitempty"`
	Logprobs       *[]struct{}   `json:"logprobs,omitempty"`
}

// responseEvents returns the maker of a stream's events, in OpenAI's order: the response opens, its
// message, its part; the pieces; part, message and response close.
func responseEvents(opened, done response, pieces []string) func(i int) []byte {
	item, zero, n, none := done.Output[0], 0, len(pieces), []struct{}{}
	part := item.Content[0]
	inItem := func(kind string, e responseEvent) responseEvent {
		e.Type, e.OutputIndex = kind, &zero
		return e
	}
	inPart := func(kind string, e responseEvent) responseEvent {
		e.ItemID, e.ContentIndex = item.ID, &zero
		return inItem(kind, e)
	}
	event := func(i int) (responseEvent, bool) {
		switch {
		case i == 0:
			return responseEvent{Type: "response.created", Response: &opened}, true
		case i == 1:
			return responseEvent{Type: "response.in_progress", Response: &opened}, true
		case i == 2:
			open := item
			open.Status, open.Content = "in_progress", []responsePart{}
			return inItem("response.output_item.added", responseEvent{Item: &open}), true
		case i == 3:
			empty := outputText("")
			return inPart("response.content_part.added", responseEvent{Part: &empty}), true
		case i < 4+n:
			return inPart("response.output_text.delta", responseEvent{Delta: &pieces[i-4], Logprobs: &none}), true
		case i == 4+n:
			return inPart("response.output_text.done", responseEvent{Text: &part.Text, Logprobs: &none}), true
		case i == 5+n:
			return inPart("response.content_part.done", responseEvent{Part: &part}), true
		case i == 6+n:
			return inItem("response.output_item.done", responseEvent{Item: &item}), true
		case i == 7+n:
			return responseEvent{Type: "response." + done.Status, Response: &done}, true
		}
		return responseEvent{}, false
	}
	return func(i int) []byte {
		e, ok := event(i)
		if !ok {
			return nil
		}
		e.SequenceNumber = i
		return echoEvent(e.Type, echoJSON(e))
	}
}
