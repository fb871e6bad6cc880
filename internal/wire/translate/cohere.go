package translate

import (
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

func cohereCodec() *codec {
	return &codec{
		encode: encodeCohere, answer: newCohereDecoder, fault: cohereFault,
		features: map[Feature]Support{
			FeatureSystem: Kept, FeatureLateSystem: Kept, FeatureImage: Kept, FeatureAudio: Refused, FeatureFile: Refused,
			FeatureTools: Kept, FeatureToolChoice: Adapted, FeatureStrict: Adapted, FeatureFormat: Adapted, FeatureMaxTokens: Kept,
			FeatureTemperature: Adapted, FeatureTopP: Adapted, FeatureTopK: Kept, FeatureStop: Adapted, FeatureSeed: Kept,
			FeaturePenalties: Adapted, FeatureN: Refused, FeatureLogprobs: Dropped, FeatureEffort: Adapted, FeatureReasoning: Adapted,
			FeatureAudioOut: Refused,
		},
	}
}

// cohereWriter writes a request of Cohere's v2 chat (https://docs.cohere.com/reference/chat, read 2026-11).
type cohereWriter struct {
	*encoding
	r *Request
}

// encodeCohere writes r as a request of Cohere's v2 chat.
func encodeCohere(r *Request, e *encoding) {
	w := &cohereWriter{e, r}
	e.open('{')
	e.key("model").str(e.target.Model)
	e.key("messages").open('[')
	for i := range r.Messages {
		w.message(&r.Messages[i])
	}
	e.close(']')
	if r.MaxTokens >= 0 {
		e.key("max_tokens").int(r.MaxTokens)
	}
	e.rest("temperature", clamp(r.Temperature, 0, 1))
	if r.TopP != "" && float(r.TopP) < 1 {
		e.key("p").raw(clamp(r.TopP, 0.01, 0.99))
	}
	e.rest("k", r.TopK)
	e.rest("seed", r.Seed)
	w.penalty("frequency_penalty", r.Frequency)
	w.penalty("presence_penalty", r.Presence)
	if len(r.Stop) > 5 {
		w.refuse("stop", "has more than 5 sequences, which is all that "+nameOf(w.target)+" takes", "leave some out")
	}
	if len(r.Stop) > 0 {
		e.key("stop_sequences").open('[')
		for _, s := range r.Stop {
			e.str(s)
		}
		e.close(']')
	}
	w.tools()
	w.format()
	w.thinking()
	e.key("stream").raw(map[bool]string{true: "true", false: "false"}[r.Stream])
	e.close('}')
}

func (w *cohereWriter) penalty(name, value string) {
	switch {
	case value == "":
	case float(value) < 0:
		w.drop(name)
	default:
		w.key(name).raw(clamp(value, 0, 1))
	}
}

func (w *cohereWriter) message(m *Message) {
	if m.Role == Tools {
		for i := range m.Parts {
			p := &m.Parts[i]
			w.open('{')
			w.key("role").str("tool")
			w.key("tool_call_id").str(p.Call.ID)
			w.key("content").str(joined(p.Parts))
			w.close('}')
		}
		return
	}
	w.open('{')
	w.key("role").str([...]string{System: "system", User: "user", Assistant: "assistant"}[m.Role])
	switch {
	case m.Role == Assistant:
		w.assistant(m)
	case m.Role == System:
		w.key("content").str(paragraphs(m.Parts))
	case len(m.Parts) == 1 && m.Parts[0].Kind == Text:
		w.key("content").str(m.Parts[0].Text)
	default:
		w.key("content").open('[')
		for i := range m.Parts {
			p := &m.Parts[i]
			w.open('{')
			if p.Kind == Image {
				w.key("type").str("image_url")
				w.key("image_url").open('{')
				w.key("url").str(dataURLOf(p.Media))
				w.text("detail", p.Media.Detail)
				w.close('}')
			} else {
				w.key("type").str("text")
				w.key("text").str(p.Text)
			}
			w.close('}')
		}
		w.close(']')
	}
	w.close('}')
}

// assistant writes what the model has said: beside calls, as its plan.
func (w *cohereWriter) assistant(m *Message) {
	text := joined(m.Parts)
	if !m.hasCalls() {
		w.key("content").str(text)
		return
	}
	plan := ""
	for i := range m.Parts {
		if p := &m.Parts[i]; p.Kind == Reasoning && p.Thought.Signature == "" && p.Thought.Data == "" {
			plan += p.Text
		}
	}
	if plan == "" {
		plan = text
	}
	w.text("tool_plan", plan)
	w.key("tool_calls").open('[')
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != CallPart {
			continue
		}
		args := w.objectArgs(p.Call, p.Path)
		w.open('{')
		w.key("id").str(p.Call.ID)
		w.key("type").str("function")
		w.key("function").open('{')
		w.key("name").str(w.name(p.Call.Name))
		w.key("arguments").str(args)
		w.close('}')
		w.close('}')
	}
	w.close(']')
}

// name is a tool's name as Cohere takes it; the answer turns it back.
func (w *cohereWriter) name(name string) string {
	b := []byte(name)
	changed := len(b) > 0 && b[0] >= '0' && b[0] <= '9'
	for i, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			b[i], changed = '_', true
		}
	}
	if !changed {
		return name
	}
	plain := "t_" + string(b) + "_" + hashOf(name, 6)
	w.rename(plain, name)
	return plain
}

func (w *cohereWriter) tools() {
	r := w.r
	var tools []ToolSpec
	strict := len(r.Tools) > 0
	for _, t := range r.Tools {
		if r.Choice.Mode != "named" || t.Name == r.Choice.Name {
			tools = append(tools, t)
			strict = strict && t.Strict
		}
	}
	if len(tools) == 0 {
		return
	}
	w.key("tools").open('[')
	for _, t := range tools {
		schema := t.Schema
		if schema == "" {
			schema = `{"type":"object","properties":{}}`
		}
		w.open('{')
		w.key("type").str("function")
		w.key("function").open('{')
		w.key("name").str(w.name(t.Name))
		w.text("description", t.Description)
		w.key("parameters").raw(compact(schema))
		w.close('}')
		w.close('}')
	}
	w.close(']')
	if strict {
		w.key("strict_tools").raw("true")
	}
	switch r.Choice.Mode {
	case "none":
		w.key("tool_choice").str("NONE")
	case "required", "named":
		w.key("tool_choice").str("REQUIRED")
	case "auto":
		w.drop("tool_choice")
	}
}

func (w *cohereWriter) format() {
	f := w.r.Format
	if f.Kind == "" {
		return
	}
	w.key("response_format").open('{')
	w.key("type").str("json_object")
	if f.Schema != "" {
		w.key("json_schema").raw(compact(f.Schema))
	}
	w.close('}')
}

func (w *cohereWriter) thinking() {
	r := w.r
	if r.Effort == "" {
		return
	}
	if !strings.Contains(w.target.Model, "reasoning") {
		if r.Effort != "none" {
			w.drop("reasoning_effort")
		}
		return
	}
	budget := map[string]int64{"minimal": 512, "low": 1024, "medium": 4096}[r.Effort]
	w.key("thinking").open('{')
	if r.Effort == "none" {
		w.key("type").str("disabled")
	} else {
		w.key("type").str("enabled")
		if r.MaxTokens >= 0 {
			budget = min(budget, r.MaxTokens*8/10)
		}
		if budget > 0 {
			w.key("token_budget").int(budget)
		}
	}
	w.close('}')
}

// cohereDecoder reads an answer of Cohere's v2 chat.
type cohereDecoder struct {
	ctx      *Context
	in       events
	emit     func(Event)
	calls    int
	finish   string
	finished bool
	ended    bool
}

func newCohereDecoder(c *Context) decoder {
	d := &cohereDecoder{ctx: c}
	d.in = events{each: d.event, whole: d.whole}
	return d
}

func (d *cohereDecoder) write(p []byte, emit func(Event)) {
	d.emit = emit
	d.in.write(p)
}

func (d *cohereDecoder) event(_ string, data []byte) {
	if d.ended {
		return
	}
	if strings.TrimSpace(string(data)) == "[DONE]" {
		d.end()
		return
	}
	v, ok := parse(data)
	if !ok {
		return
	}
	m := v.Get("delta.message")
	switch v.Get("type").Str {
	case "message-start":
		d.emit(Event{Kind: EventStart, ID: v.Get("id").Str})
	case "content-start", "content-delta":
		d.part(m.Get("content"))
	case "tool-plan-delta":
		d.say(EventReasoning, m.Get("tool_plan").Str)
	case "tool-call-start":
		d.call(m.Get("tool_calls"))
	case "tool-call-delta":
		if text := m.Get("tool_calls.function.arguments").Str; text != "" && d.calls > 0 {
			d.emit(Event{Kind: EventArgs, Call: d.calls - 1, Text: text})
		}
	case "tool-call-end":
		if d.calls > 0 {
			d.emit(Event{Kind: EventCallEnd, Call: d.calls - 1})
		}
	case "message-end":
		d.stopped(v.Get("delta.finish_reason").Str, v.Get("delta.error").String())
	}
}

func (d *cohereDecoder) say(kind EventKind, text string) {
	if text != "" {
		d.emit(Event{Kind: kind, Text: text})
	}
}

func (d *cohereDecoder) part(v gjson.Result) {
	d.say(EventReasoning, v.Get("thinking").Str)
	d.say(EventText, v.Get("text").Str)
}

func (d *cohereDecoder) call(v gjson.Result) {
	d.emit(Event{
		Kind: EventCall, Call: d.calls, ID: v.Get("id").Str, Name: d.ctx.toolName(v.Get("function.name").Str),
		Text: v.Get("function.arguments").Str,
	})
	d.calls++
}

// stopped takes the finish reason, which may be an error.
func (d *cohereDecoder) stopped(reason, text string) {
	d.finish, d.finished = reason, true
	if text == "" && reason != "ERROR" && reason != "TIMEOUT" {
		return
	}
	if text == "" {
		text = "the provider ended with " + reason
	}
	d.ended = true
	status := 502
	if reason == "TIMEOUT" {
		status = 504
	}
	f := faultOf(status, text)
	d.emit(Event{Kind: EventFault, Fault: f})
}

func (d *cohereDecoder) end() {
	if d.ended || !d.finished {
		return
	}
	d.ended = true
	finish := FinishStop
	switch d.finish {
	case "MAX_TOKENS":
		finish = FinishLength
	case "TOOL_CALL":
		finish = FinishTools
	case "ERROR_TOXIC":
		finish = FinishFilter
	}
	d.emit(Event{Kind: EventFinish, Finish: finish, Native: d.finish})
	d.emit(Event{Kind: EventEnd})
}

func (d *cohereDecoder) whole(data []byte) {
	v, ok := parse(data)
	if !ok {
		return
	}
	m := v.Get("message")
	if !m.IsObject() {
		d.ended = true
		d.emit(Event{Kind: EventFault, Fault: faultOf(502, m.String())})
		return
	}
	d.emit(Event{Kind: EventStart, ID: v.Get("id").Str})
	d.say(EventReasoning, m.Get("tool_plan").Str)
	m.Get("content").ForEach(func(_, p gjson.Result) bool {
		d.part(p)
		return true
	})
	m.Get("tool_calls").ForEach(func(_, c gjson.Result) bool {
		d.call(c)
		d.emit(Event{Kind: EventCallEnd, Call: d.calls - 1})
		return true
	})
	d.stopped(v.Get("finish_reason").Str, "")
	d.end()
}

func (d *cohereDecoder) close(emit func(Event)) {
	d.emit = emit
	d.in.close()
	d.end()
}

// cohereFault reads an error answer of Cohere's.
func cohereFault(status int, h sluice.Header, body []byte) *Fault {
	v, ok := parse(body)
	if !ok {
		return plainFault(status, h, body)
	}
	message := v.Get("message").String()
	if message == "" {
		message = detailText(v.Get("detail"))
	}
	f := faultOf(status, message)
	f.After = h.Get("Retry-After")
	return f
}
