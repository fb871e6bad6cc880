package translate

import (
	"strings"
)

// chatCodec is OpenAI's chat completions.
func chatCodec() *codec {
	return &codec{
		decode: decodeChat, encode: encodeChat, answer: newChatDecoder, write: newChatEncoder, fault: chatFault, failed: chatError,
		features: map[Feature]Support{
			FeatureSystem: Kept, FeatureLateSystem: Kept, FeatureImage: Kept, FeatureAudio: Kept, FeatureFile: Kept, FeatureTools: Kept,
			FeatureToolChoice: Kept, FeatureParallel: Kept, FeatureStrict: Kept, FeatureFormat: Kept, FeatureMaxTokens: Kept,
			FeatureTemperature: Kept, FeatureTopP: Kept, FeatureStop: Adapted, FeatureSeed: Kept, FeaturePenalties: Kept, FeatureN: Kept,
			FeatureLogprobs: Kept, FeatureEffort: Adapted, FeatureReasoning: Adapted, FeatureUser: Adapted, FeatureTier: Kept,
			FeatureAudioOut: Refused, FeatureStreamUsage: Kept,
		},
	}
}

// chatWriter writes a request of OpenAI's chat completions.
type chatWriter struct {
	*encoding
	r     *Request
	edits *Edits
}

// encodeChat writes r as a request of OpenAI's chat completions, by the newer names of its fields.
func encodeChat(r *Request, e *encoding) {
	w := &chatWriter{encoding: e, r: r, edits: e.target.Edits}
	if w.edits == nil {
		w.edits = &Edits{}
	}
	e.open('{')
	e.key("model").str(e.target.Model)
	e.key("messages").open('[')
	for i := range r.Messages {
		w.message(&r.Messages[i])
	}
	e.close(']')
	if r.MaxTokens >= 0 {
		e.key("max_completion_tokens").int(r.MaxTokens)
	}
	e.rest("temperature", r.Temperature)
	e.rest("top_p", r.TopP)
	e.rest("seed", r.Seed)
	e.rest("presence_penalty", r.Presence)
	e.rest("frequency_penalty", r.Frequency)
	if s := r.Stop; len(s) > 0 {
		if len(s) > 4 {
			e.drop("stop")
			s = s[:4]
		}
		e.key("stop").open('[')
		for _, text := range s {
			e.str(text)
		}
		e.close(']')
	}
	if r.N > 1 {
		e.key("n").int(r.N)
	}
	if r.Logprobs {
		e.key("logprobs").raw("true")
		if r.TopLogprobs >= 0 {
			e.key("top_logprobs").int(r.TopLogprobs)
		}
	}
	w.tools()
	w.format()
	if effort := r.Effort; effort != "" {
		if own, ok := w.edits.Efforts[effort]; ok {
			effort = own
		}
		e.key("reasoning_effort").str(effort)
	}
	if r.User != "" {
		user := r.User
		if len(user) > 64 {
			user = hashOf(user, 32)
		}
		e.key("user").str(user)
	}
	e.text("service_tier", r.Tier)
	if r.Stream {
		e.key("stream").raw("true")
		e.key("stream_options").raw(`{"include_usage":true}`)
	}
	e.close('}')
}

func (w *chatWriter) format() {
	f := w.r.Format
	if f.Kind == "" {
		return
	}
	w.key("response_format").open('{')
	w.key("type").str(f.Kind)
	if f.Kind == "json_schema" {
		w.key("json_schema").open('{')
		w.key("name").str(f.Name)
		w.text("description", f.Description)
		w.key("schema").raw(compact(f.Schema))
		if f.Strict {
			w.key("strict").raw("true")
		}
		w.close('}')
	}
	w.close('}')
}

func (w *chatWriter) message(m *Message) {
	switch m.Role {
	case Tools:
		w.results(m)
	case Assistant:
		w.assistant(m)
	case System:
		w.open('{')
		w.key("role").str("system")
		w.key("content").str(paragraphs(m.Parts))
		w.close('}')
	default:
		w.open('{')
		w.key("role").str("user")
		w.content(m.Parts)
		w.close('}')
	}
}

// paragraphs is the text of parts with blank lines between.
func paragraphs(parts []Part) string {
	var all []string
	for i := range parts {
		if parts[i].Kind == Text && parts[i].Text != "" {
			all = append(all, parts[i].Text)
		}
	}
	return strings.Join(all, "\n\n")
}

// content writes what a user says: text alone as a text.
func (w *chatWriter) content(parts []Part) {
	if len(parts) == 1 && parts[0].Kind == Text {
		w.key("content").str(parts[0].Text)
		return
	}
	w.key("content").open('[')
	for i := range parts {
		w.part(&parts[i])
	}
	w.close(']')
}

func (w *chatWriter) part(p *Part) {
	member := func(kind string, body func()) {
		w.open('{')
		w.key("type").str(kind)
		w.key(kind).open('{')
		body()
		w.close('}')
		w.close('}')
	}
	switch p.Kind {
	case Text:
		w.open('{')
		w.key("type").str("text")
		w.key("text").str(p.Text)
		w.close('}')
	case Image:
		member("image_url", func() {
			w.key("url").str(dataURLOf(p.Media))
			w.text("detail", p.Media.Detail)
		})
	case Audio:
		member("input_audio", func() {
			w.key("data").str(p.Media.Data)
			w.key("format").str(strings.TrimPrefix(p.Media.Type, "audio/"))
		})
	case File:
		if p.Media.Data == "" {
			w.refuse(p.Path, "is a document by its address, which "+nameOf(w.target)+" does not fetch", "send the document itself")
			return
		}
		if p.Media.Type == "text/plain" {
			w.part(&Part{Kind: Text, Text: fromBase64(p.Media.Data)})
			return
		}
		member("file", func() {
			name := p.Media.Name
			if name == "" {
				name = "document.pdf"
			}
			w.key("filename").str(name)
			w.key("file_data").str(dataURLOf(p.Media))
		})
	}
}

func (w *chatWriter) assistant(m *Message) {
	w.open('{')
	w.key("role").str("assistant")
	var thoughts []string
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind == Reasoning && p.Text != "" && p.Thought.Signature == "" && p.Thought.Data == "" {
			thoughts = append(thoughts, p.Text)
		}
	}
	text := joined(m.Parts)
	if text == "" && m.hasCalls() && !w.edits.ShortIDs {
		w.key("content").raw("null")
	} else {
		w.key("content").str(text)
	}
	// Several makers of models want their reasoning back amid tool calls, as text (maximhq/bifrost issue 5887).
	if !w.edits.Anew {
		w.text("reasoning_content", strings.Join(thoughts, ""))
		w.details(m)
	}
	if m.hasCalls() {
		w.key("tool_calls").open('[')
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Kind == CallPart {
				w.call(p.Call)
			}
		}
		w.close(']')
	}
	w.close('}')
}

// details writes what only machines read of reasoning, where it is not Claude's own.
func (w *chatWriter) details(m *Message) {
	begun := false
	n := 0
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != Reasoning || p.Thought.Format == formatClaude || p.Thought.Signature == "" && p.Thought.Data == "" {
			continue
		}
		if !begun {
			w.key("reasoning_details").open('[')
			begun = true
		}
		writeThought(&w.out, p.Thought, p.Text, n)
		n++
	}
	if begun {
		w.close(']')
	}
}

// maxChatID is how long an id of a call may be at OpenAI.
const maxChatID = 40

func (w *chatWriter) call(c *ToolCall) {
	w.open('{')
	w.key("id").str(w.id(c.ID))
	if c.Custom {
		w.key("type").str("custom")
		w.key("custom").open('{')
		w.key("name").str(c.Name)
		w.key("input").str(c.Args)
		w.close('}')
	} else {
		w.key("type").str("function")
		w.key("function").open('{')
		w.key("name").str(c.Name)
		args := c.Args
		if strings.TrimSpace(args) == "" {
			args = "{}"
		}
		w.key("arguments").str(args)
		w.close('}')
		if !w.edits.ShortIDs {
			writeSignature(&w.out, &chatCall{signature: c.Signature})
		}
	}
	w.close('}')
}

func (w *chatWriter) id(id string) string {
	if w.edits.ShortIDs {
		return mistralID(id)
	}
	if len(id) <= maxChatID && id != "" {
		return id
	}
	return "call_" + hashOf(id, 24)
}

// results writes the results of a turn, and what of them is no text behind them as the user's.
func (w *chatWriter) results(m *Message) {
	var media []Part
	for i := range m.Parts {
		p := &m.Parts[i]
		text := joined(p.Parts)
		if p.Failed && text != "" {
			text = "Error: " + text
		}
		w.open('{')
		w.key("role").str("tool")
		if w.edits.ShortIDs {
			w.key("name").str(p.Call.Name)
		}
		w.key("tool_call_id").str(w.id(p.Call.ID))
		w.key("content").str(text)
		w.close('}')
		for _, q := range p.Parts {
			if q.Kind != Text {
				media = append(media, q)
			}
		}
	}
	if len(media) > 0 {
		w.open('{')
		w.key("role").str("user")
		w.content(media)
		w.close('}')
	}
}

func (w *chatWriter) tools() {
	r := w.r
	if len(r.Tools) == 0 {
		return
	}
	w.key("tools").open('[')
	for i := range r.Tools {
		t := &r.Tools[i]
		w.open('{')
		if t.Custom {
			w.key("type").str("custom")
			w.key("custom").open('{')
			w.key("name").str(t.Name)
			w.text("description", t.Description)
		} else {
			w.key("type").str("function")
			w.key("function").open('{')
			w.key("name").str(t.Name)
			w.text("description", t.Description)
			schema := t.Schema
			if schema == "" {
				schema = `{"type":"object","properties":{}}`
			}
			w.key("parameters").raw(compact(schema))
			if t.Strict {
				w.key("strict").raw("true")
			}
		}
		w.close('}')
		w.close('}')
	}
	w.close(']')
	switch r.Choice.Mode {
	case "":
	case "named":
		w.key("tool_choice").open('{')
		w.key("type").str("function")
		w.key("function").open('{')
		w.key("name").str(r.Choice.Name)
		w.close('}')
		w.close('}')
	default:
		w.key("tool_choice").str(r.Choice.Mode)
	}
	if r.Parallel != nil {
		w.key("parallel_tool_calls").raw(map[bool]string{true: "true", false: "false"}[*r.Parallel])
	}
}
