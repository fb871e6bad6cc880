package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// said is one request and its answer, whatever the dialect.
type said struct {
	model      *model
	topic      *topic
	id         string // hexadecimal
	stream     bool
	asksTool   bool // the answer is a call of the topic's tool
	in, out    int64
	cachedIn   int64 // of in
	hasResult  bool  // the tool's result is part of the request
	createdSec int64
}

// object is JSON whose keys are sorted, so that equal calls have equal bytes.
type object = map[string]any

// text is JSON without the escapes that HTML wants.
func text(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // maps, slices, strings and numbers
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// request is the body of the request.
func (s *said) request() []byte {
	if s.model.dialect == anthropic {
		return text(s.anthropicRequest())
	}
	return text(s.openAIRequest())
}

func (s *said) openAIRequest() object {
	messages := []object{{"role": "system", "content": s.topic.system}, {"role": "user", "content": s.topic.ask}}
	r := object{"model": s.model.name}
	if s.topic.tool != "" {
		r["tools"] = []object{{"type": "function", "function": object{"name": s.topic.tool, "parameters": object{"type": "object"}}}}
	}
	if s.hasResult {
		messages = append(messages, object{"role": "assistant", "content": nil, "tool_calls": []object{s.openAITool()}},
			object{"role": "tool", "tool_call_id": s.toolID(), "content": s.topic.result})
	}
	if s.stream {
		r["stream"], r["stream_options"] = true, object{"include_usage": true}
	}
	r["messages"] = messages
	return r
}

func (s *said) anthropicRequest() object {
	messages := []object{{"role": "user", "content": s.topic.ask}}
	r := object{"model": s.model.name, "max_tokens": 2048, "system": s.topic.system}
	if s.topic.tool != "" {
		r["tools"] = []object{{"name": s.topic.tool, "input_schema": object{"type": "object"}}}
	}
	if s.hasResult {
		messages = append(messages, object{"role": "assistant", "content": []object{s.anthropicTool()}},
			object{"role": "user", "content": []object{{"type": "tool_result", "tool_use_id": s.toolID(), "content": s.topic.result}}})
	}
	if s.stream {
		r["stream"] = true
	}
	r["messages"] = messages
	return r
}

func (s *said) toolID() string {
	if s.model.dialect == anthropic {
		return "toolu_" + s.id
	}
	return "call_" + s.id
}

func (s *said) openAITool() object {
	return object{"id": s.toolID(), "type": "function", "function": object{"name": s.topic.tool, "arguments": s.topic.arguments}}
}

func (s *said) anthropicTool() object {
	return object{"type": "tool_use", "id": s.toolID(), "name": s.topic.tool, "input": json.RawMessage(s.topic.arguments)}
}

// answer is the body of the answer: one part, or the events of the stream, one after the other.
func (s *said) answer() [][]byte {
	switch {
	case s.model.dialect == anthropic && s.stream:
		return s.anthropicStream()
	case s.model.dialect == anthropic:
		return [][]byte{text(s.anthropicMessage())}
	case s.stream:
		return s.openAIStream()
	}
	return [][]byte{text(s.openAICompletion())}
}

// contentType is the answer's.
func (s *said) contentType() string {
	if s.stream {
		return "text/event-stream; charset=utf-8"
	}
	return "application/json"
}

// pieces cuts the answer's text as a provider's stream does: between words.
func (s *said) pieces() []string {
	return strings.SplitAfter(s.topic.answer, " ")
}

func (s *said) openAIUsage() object {
	return object{
		"prompt_tokens": s.in, "completion_tokens": s.out, "total_tokens": s.in + s.out,
		"prompt_tokens_details": object{"cached_tokens": s.cachedIn},
	}
}

func (s *said) openAIFinish() string {
	if s.asksTool {
		return "tool_calls"
	}
	return "stop"
}

func (s *said) openAICompletion() object {
	message := object{"role": "assistant", "content": s.topic.answer}
	if s.asksTool {
		message = object{"role": "assistant", "content": nil, "tool_calls": []object{s.openAITool()}}
	}
	return object{
		"id": "chatcmpl-" + s.id, "object": "chat.completion", "created": s.createdSec, "model": s.model.name,
		"choices": []object{{"index": 0, "message": message, "finish_reason": s.openAIFinish()}}, "usage": s.openAIUsage(),
	}
}

func (s *said) openAIStream() (events [][]byte) {
	event := func(choices []object, usage any) {
		v := object{"id": "chatcmpl-" + s.id, "object": "chat.completion.chunk", "created": s.createdSec, "model": s.model.name, "choices": choices}
		if usage != nil {
			v["usage"] = usage
		}
		events = append(events, fmt.Appendf(nil, "data: %s\n\n", text(v)))
	}
	delta := func(d object, finish any) { event([]object{{"index": 0, "delta": d, "finish_reason": finish}}, nil) }
	delta(object{"role": "assistant", "content": ""}, nil)
	if s.asksTool {
		call := s.openAITool()
		call["index"] = 0
		delta(object{"tool_calls": []object{call}}, nil)
	} else {
		for _, p := range s.pieces() {
			delta(object{"content": p}, nil)
		}
	}
	delta(object{}, s.openAIFinish())
	event([]object{}, s.openAIUsage())
	return append(events, []byte("data: [DONE]\n\n"))
}

func (s *said) anthropicUsage() object {
	return object{"input_tokens": s.in - s.cachedIn, "cache_read_input_tokens": s.cachedIn, "cache_creation_input_tokens": 0, "output_tokens": s.out}
}

func (s *said) anthropicFinish() string {
	if s.asksTool {
		return "tool_use"
	}
	return "end_turn"
}

func (s *said) anthropicMessage() object {
	content := object{"type": "text", "text": s.topic.answer}
	if s.asksTool {
		content = s.anthropicTool()
	}
	return object{
		"id": "msg_" + s.id, "type": "message", "role": "assistant", "model": s.model.name, "content": []object{content},
		"stop_reason": s.anthropicFinish(), "stop_sequence": nil, "usage": s.anthropicUsage(),
	}
}

func (s *said) anthropicStream() (events [][]byte) {
	event := func(v object) {
		events = append(events, fmt.Appendf(nil, "event: %s\ndata: %s\n\n", v["type"], text(v)))
	}
	start := s.anthropicMessage()
	start["content"], start["stop_reason"] = []object{}, nil
	event(object{"type": "message_start", "message": start})
	if s.asksTool {
		block := s.anthropicTool()
		block["input"] = object{}
		event(object{"type": "content_block_start", "index": 0, "content_block": block})
		event(object{"type": "content_block_delta", "index": 0, "delta": object{"type": "input_json_delta", "partial_json": s.topic.arguments}})
	} else {
		event(object{"type": "content_block_start", "index": 0, "content_block": object{"type": "text", "text": ""}})
		for _, p := range s.pieces() {
			event(object{"type": "content_block_delta", "index": 0, "delta": object{"type": "text_delta", "text": p}})
		}
	}
	event(object{"type": "content_block_stop", "index": 0})
	event(object{"type": "message_delta", "delta": object{"stop_reason": s.anthropicFinish(), "stop_sequence": nil}, "usage": object{"output_tokens": s.out}})
	event(object{"type": "message_stop"})
	return events
}

// refusal is an error's body in a provider's shape.
func refusal(d dialect, kind, message string) []byte {
	if d == anthropic {
		return text(object{"type": "error", "error": object{"type": kind, "message": message}})
	}
	return text(object{"error": object{"message": message, "type": kind, "param": nil, "code": kind}})
}

// own is the body of an error that the gateway itself answers with.
func own(status, code int, message, description string) []byte {
	return text(object{
		"success": false, "result": []string{}, "messages": []string{}, "error": []object{{"code": code, "message": message}},
		"name": "AiGatewayError", "httpCode": status, "internalCode": code, "message": message, "description": description,
	})
}
