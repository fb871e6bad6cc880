package estimate

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/sluicehq/sluice/internal/wire/eventstream"
	"github.com/sluicehq/sluice/internal/wire/sse"
)

// text is what of a body counts as tokens.
type text struct {
	strings.Builder
	messages int   // entries with a role: each costs a few tokens beside its text
	names    int   // names of authors
	numbers  int64 // tokens that the caller has counted itself: arrays of token ids
}

// full reports whether no more is taken: what is longer is estimated by its length.
func (t *text) full() bool { return t.Len() > maxText }

// add takes s in.
func (t *text) add(s string) {
	if !t.full() {
		t.WriteString(s)
		t.WriteByte('\n')
	}
}

// promptNames are the members of a request whose strings the model reads, in all dialects.
func promptNames() map[string]bool {
	return set("content", "text", "prompt", "input", "system", "instructions", "inputs", "query", "message", "messages",
		"documents", "arguments", "preamble", "output", "reasoning_content", "thinking", "suffix", "inputText")
}

// answerNames are the members of an answer whose strings the model wrote, in all dialects. "delta" is
// a string in the events of OpenAI's responses, and an object elsewhere.
func answerNames() map[string]bool {
	return set("content", "text", "reasoning_content", "reasoning", "thinking", "arguments", "partial_json", "generated_text",
		"response", "delta", "refusal", "input_json", "generation", "outputText", "completion")
}

// hasRun reports whether the answer to a turn of a conversation holds what a model wrote
// (https://docs.mistral.ai/api, conversations).
func hasRun(response []byte) bool {
	return bytes.Contains(response, []byte(`"outputs"`)) || bytes.Contains(response, []byte(`"message.output.`))
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// prompt gathers the text of a request body. Definitions of tools are returned apart, as JSON.
func prompt(body []byte) (t *text, tools string) {
	t = &text{}
	if !gjson.ValidBytes(body) {
		return t, ""
	}
	w := walker{text: t, wanted: promptNames(), prompt: true}
	gjson.ParseBytes(body).ForEach(func(key, value gjson.Result) bool {
		switch name := key.String(); name {
		case "tools", "functions":
			tools += value.Raw
		default:
			w.value(name, value, 1)
		}
		return true
	})
	return t, tools
}

// answer gathers the text of an answer: one JSON text, lines of them, or a stream of events or frames.
func answer(body []byte) *text {
	t := &text{}
	w := walker{text: t, wanted: answerNames()}
	if first := bytes.TrimLeft(body, "\xef\xbb\xbf \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[') {
		if gjson.ValidBytes(first) {
			w.value("", gjson.ParseBytes(first), 0)
			return t
		}
		w.joined = true
		for line := range bytes.Lines(first) {
			w.value("", gjson.ParseBytes(line), 0)
		}
		return t
	}
	w.joined = true
	if len(body) > 0 && body[0] == 0 { // the upper byte of a frame's length: no text begins so
		var s eventstream.Splitter
		s.Write(body, &frames{walker: w})
		return t
	}
	var s sse.Splitter
	e := &events{walker: w}
	s.Write(body, e)
	s.Close(e)
	return t
}

// events takes the text of stream events as they come.
type events struct {
	walker walker
	data   []byte
}

// Data implements sse.Handler.
func (e *events) Data(piece []byte) {
	if len(e.data) < maxText {
		e.data = append(e.data, piece...)
	}
}

// End implements sse.Handler. Events that repeat what came in pieces before are left out: those of
// OpenAI's responses that say "done", "added" or "completed".
func (e *events) End([]byte) {
	data := e.data
	e.data = e.data[:0]
	if bytes.Contains(data, []byte(`"response.`)) {
		kind := gjson.GetBytes(data, "type").String()
		for _, again := range [...]string{".done", ".added", ".completed", ".incomplete", ".created", ".in_progress", ".failed"} {
			if strings.HasPrefix(kind, "response.") && strings.HasSuffix(kind, again) {
				return
			}
		}
	}
	e.walker.value("", gjson.ParseBytes(data), 0)
}

// frames takes the text of an AWS event stream's frames as they come.
type frames struct{ walker walker }

// Message implements eventstream.Handler. What InvokeModel streams is JSON in base64 within JSON.
func (f *frames) Message(m eventstream.Message) {
	payload := m.Payload
	if inner := gjson.GetBytes(payload, "bytes"); inner.Type == gjson.String {
		decoded, err := base64.StdEncoding.DecodeString(inner.Str)
		if err != nil {
			return
		}
		payload = decoded
	}
	f.walker.value("", gjson.ParseBytes(payload), 0)
}

// maxDepth bounds the nesting that is followed.
const maxDepth = 200

// walker takes strings of wanted members out of a JSON text.
type walker struct {
	text   *text
	wanted map[string]bool
	prompt bool // count messages, names and token ids
	joined bool // pieces of one text: nothing between them
}

// value takes what v holds, which is the member name of something.
func (w *walker) value(name string, v gjson.Result, depth int) {
	switch v.Type {
	case gjson.String:
		w.take(name, v.Str)
	case gjson.Number:
		if w.prompt && (name == "input" || name == "prompt") {
			w.text.numbers++
		}
	case gjson.JSON:
		if depth > maxDepth {
			return
		}
		object := v.IsObject()
		v.ForEach(func(key, value gjson.Result) bool {
			member := name
			if object {
				member = key.Str
				w.count(member, depth)
			}
			w.value(member, value, depth+1)
			return true
		})
	default: // true, false and null are no text
	}
}

// count counts the members that cost tokens beside their text.
func (w *walker) count(member string, depth int) {
	if !w.prompt {
		return
	}
	switch member {
	case "role":
		w.text.messages++
	case "name":
		if depth == 2 { // of a message, not of something inside it
			w.text.names++
		}
	}
}

// take takes a string in if its member is wanted. Encoded files are no text.
func (w *walker) take(name, s string) {
	if !w.wanted[name] || strings.HasPrefix(s, "data:") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		return
	}
	if w.joined {
		if !w.text.full() {
			w.text.WriteString(s)
		}
		return
	}
	w.text.add(s)
}
