package estimate

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

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
		"documents", "arguments", "preamble", "output", "reasoning_content", "thinking", "suffix")
}

// answerNames are the members of an answer whose strings the model wrote, in all dialects. "delta" is
// a string in the events of OpenAI's responses, and an object elsewhere.
func answerNames() map[string]bool {
	return set("content", "text", "reasoning_content", "reasoning", "thinking", "arguments", "partial_json", "generated_text",
		"response", "delta", "refusal", "input_json")
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// prompt gathers the text of a request body. Definitions of tools are returned apart, as JSON.
func prompt(body []byte) (t *text, tools []byte) {
	t = &text{}
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil {
		return t, nil
	}
	for _, name := range [...]string{"tools", "functions"} {
		tools = append(tools, top[name]...)
		delete(top, name)
	}
	wanted := promptNames()
	for name, value := range top {
		if name == "model" {
			continue
		}
		w := walker{text: t, wanted: wanted, prompt: true}
		w.value(json.NewDecoder(bytes.NewReader(value)), name)
	}
	return t, tools
}

// answer gathers the text of an answer, whole or a stream of events.
func answer(body []byte) *text {
	t := &text{}
	wanted := answerNames()
	if first := bytes.TrimLeft(body, "\xef\xbb\xbf \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[') {
		for dec := json.NewDecoder(bytes.NewReader(first)); ; { // one text, or one a line
			w := walker{text: t, wanted: wanted}
			if !w.value(dec, "") {
				return t
			}
		}
	}
	var s sse.Splitter
	e := &events{text: t, wanted: wanted}
	s.Write(body, e)
	s.Close(e)
	return t
}

// events takes the text of stream events as they come.
type events struct {
	text   *text
	wanted map[string]bool
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
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &kind) != nil {
		return // [DONE], or cut
	}
	for _, again := range [...]string{".done", ".added", ".completed", ".incomplete", ".created", ".in_progress", ".failed"} {
		if strings.HasPrefix(kind.Type, "response.") && strings.HasSuffix(kind.Type, again) {
			return
		}
	}
	w := walker{text: e.text, wanted: e.wanted, joined: true}
	w.value(json.NewDecoder(bytes.NewReader(data)), "")
}

// maxDepth bounds the nesting that is followed.
const maxDepth = 200

// walker takes strings of wanted members out of a JSON text.
type walker struct {
	text   *text
	wanted map[string]bool
	prompt bool // count messages, names and token ids
	joined bool // pieces of one text: nothing between them
	depth  int
}

// value reads one value that is the member name of something. false: there is none, or it is broken.
func (w *walker) value(dec *json.Decoder, name string) bool {
	token, err := dec.Token()
	if err != nil {
		return false
	}
	switch v := token.(type) {
	case json.Delim:
		w.depth++
		defer func() { w.depth-- }()
		if w.depth > maxDepth {
			_, _ = io.Copy(io.Discard, dec.Buffered())
			return false
		}
		if v == '{' {
			return w.object(dec)
		}
		for dec.More() {
			if !w.value(dec, name) {
				return false
			}
		}
		_, err = dec.Token()
		return err == nil
	case string:
		w.take(name, v)
	case float64:
		if w.prompt && (name == "input" || name == "prompt") {
			w.text.numbers++
		}
	}
	return true
}

// object reads the members of an object that has been opened.
func (w *walker) object(dec *json.Decoder) bool {
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false
		}
		name, _ := key.(string)
		if w.prompt && name == "role" {
			w.text.messages++
		}
		if w.prompt && name == "name" && w.depth == 2 {
			w.text.names++
		}
		if !w.value(dec, name) {
			return false
		}
	}
	_, err := dec.Token()
	return err == nil
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
