package translate

import (
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"
)

// anthropicVersion is the version of the Messages API that requests are written for.
const anthropicVersion = "2023-06-01"

// jsonTool is the name of the tool that stands for the schema of an answer where a model takes none.
const jsonTool = "json_output"

func messagesCodec() *codec {
	return &codec{
		decode: decodeMessages, encode: encodeMessages, answer: newMessagesDecoder, write: newMessagesEncoder,
		fault: messagesFault, failed: messagesError,
		features: map[Feature]Support{
			FeatureSystem: Kept, FeatureLateSystem: Adapted, FeatureImage: Kept, FeatureAudio: Refused, FeatureFile: Kept,
			FeatureTools: Kept, FeatureToolChoice: Kept, FeatureParallel: Kept, FeatureStrict: Adapted, FeatureFormat: Adapted,
			FeatureMaxTokens: Kept, FeatureTemperature: Adapted, FeatureTopP: Adapted, FeatureTopK: Adapted, FeatureStop: Kept,
			FeatureN: Refused, FeatureLogprobs: Refused, FeatureEffort: Adapted, FeatureReasoning: Kept, FeatureCache: Kept,
			FeatureUser: Kept, FeatureTier: Adapted, FeatureAudioOut: Refused,
		},
	}
}

// messagesWriter writes a request of Anthropic's Messages.
type messagesWriter struct {
	*encoding
	r     *Request
	model claude
	// think is the budget of reasoning; 0: none.
	think int64
	max   int64
}

// encodeMessages writes r as a request of Anthropic's Messages.
func encodeMessages(r *Request, e *encoding) {
	w := &messagesWriter{encoding: e, r: r, model: claudeOf(e.target.Model)}
	e.header.Add("anthropic-version", anthropicVersion)
	fewerMarks(r, 4)
	w.limits()
	e.open('{')
	e.key("model").str(e.target.Model)
	e.key("max_tokens").int(w.max)
	w.conversation()
	w.tools()
	w.sampling()
	w.reasoning()
	if s := stops(r.Stop); len(s) > 0 {
		e.key("stop_sequences").open('[')
		for _, text := range s {
			e.str(text)
		}
		e.close(']')
	}
	if r.User != "" {
		e.key("metadata").open('{')
		e.key("user_id").str(cutBytes(r.User, 256))
		e.close('}')
	}
	switch r.Tier {
	case "":
	case "auto":
		e.key("service_tier").str("auto")
	case "default":
		e.key("service_tier").str("standard_only")
	default:
		e.drop("service_tier")
	}
	if r.Stream {
		e.key("stream").raw("true")
	}
	e.close('}')
}

// stops are the sequences that Anthropic takes: not those of white space alone.
func stops(all []string) []string {
	var kept []string
	for _, s := range all {
		if strings.TrimSpace(s) != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// cutBytes shortens s to n bytes of whole runes.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// unaryMax bounds what is asked for without a stream where the caller names no bound, so that the answer ends
// within ten minutes.
const unaryMax = 16_384

// limits finds max_tokens, which must be there, and the budget of reasoning, which must be smaller.
func (w *messagesWriter) limits() {
	r := w.r
	w.max = r.MaxTokens
	if w.max < 0 {
		w.max = w.model.maxOutput
		if !r.Stream {
			w.max = min(w.max, unaryMax)
		}
	}
	if w.model.adaptive {
		return
	}
	budget := r.Budget
	if budget < 0 {
		budget = claudeBudget(r.Effort)
	}
	if budget <= 0 {
		return
	}
	switch {
	case w.unsignedLoop():
		w.drop("reasoning_effort") // Claude wants to see its own reasoning before the results that it asked for
	case r.MaxTokens < 0:
		w.think = min(budget, max(w.max-1024, 1024))
		w.max = max(w.max, w.think+1024)
	case !w.model.known || w.max+budget <= w.model.maxOutput:
		w.think, w.max = budget, w.max+budget
	case w.model.maxOutput-w.max >= 1024:
		w.think, w.max = w.model.maxOutput-w.max, w.model.maxOutput
	case w.max > 2048:
		w.think = max(min(budget, w.max/2), 1024)
	default:
		w.drop("reasoning_effort")
	}
}

// unsignedLoop reports whether the conversation stands amid tool calls whose reasoning is not there any more.
func (w *messagesWriter) unsignedLoop() bool {
	for i := len(w.r.Messages) - 1; i >= 0; i-- {
		m := &w.r.Messages[i]
		switch {
		case m.Role == User:
			return false
		case m.Role != Assistant || !m.hasCalls():
			continue
		}
		for j := range m.Parts {
			if t := m.Parts[j].Thought; t != nil && claudes(t) {
				return false
			}
		}
		return true
	}
	return false
}

// claudes reports whether a thought is one that Claude can read.
func claudes(t *Thought) bool {
	return (t.Format == formatClaude || t.Format == "") && (t.Signature != "" || t.Data != "")
}

func (w *messagesWriter) reasoning() {
	r, format := w.r, w.r.Format
	if own := r.take("thinking"); own != "" {
		w.key("thinking").raw(own)
	} else if r.Effort == "none" && !w.model.noOff && w.model.known && w.model.version >= 37 {
		w.key("thinking").raw(`{"type":"disabled"}`)
		r.Effort = ""
	} else if w.model.adaptive && (r.Effort != "" || r.Budget > 0) {
		w.key("thinking").raw(`{"type":"adaptive"}`)
	} else if w.think > 0 {
		w.key("thinking").open('{')
		w.key("type").str("enabled")
		w.key("budget_tokens").int(w.think)
		w.close('}')
	}
	schema := format.Kind == "json_schema" && (w.model.schema || !w.model.known)
	effort := ""
	if w.model.adaptive {
		effort = r.Effort
		if effort == "" && r.Budget > 0 {
			effort = effortOf(r.Budget)
		}
	}
	if !schema && effort == "" {
		return
	}
	w.key("output_config").open('{')
	if effort != "" {
		w.key("effort").str(w.model.effort(effort))
	}
	if schema {
		w.key("format").open('{')
		w.key("type").str("json_schema")
		w.key("schema").raw(strictSchema(format.Schema))
		w.close('}')
	}
	w.close('}')
}

// effortOf is the effort that a budget of reasoning stands for.
func effortOf(budget int64) string {
	switch {
	case budget < 2048:
		return "low"
	case budget < 12_000:
		return "medium"
	}
	return "high"
}

// sampling writes the parameters that a model takes.
func (w *messagesWriter) sampling() {
	r := w.r
	take := func(name, value string, ok bool) {
		if value != "" && ok {
			w.key(name).raw(value)
		} else if value != "" {
			w.drop(name)
		}
	}
	temperature := clamp(r.Temperature, 0, 1)
	free := !w.model.noSample
	thinking := w.think > 0
	take("temperature", temperature, free && (!thinking || float(temperature) == 1))
	take("top_p", r.TopP, free && (!thinking || float(r.TopP) >= 0.95) && (!w.model.oneSample || r.Temperature == ""))
	take("top_k", r.TopK, free && !thinking)
}

// conversation writes the system prompt and the messages.
func (w *messagesWriter) conversation() {
	messages := w.r.Messages
	n := 0
	for n < len(messages) && messages[n].Role == System {
		n++
	}
	system := messages[:n]
	note := ""
	switch format := w.r.Format; {
	case format.Kind == "json_object":
		note = "Answer with one JSON object and nothing else."
	case format.Kind == "json_schema" && w.model.known && !w.model.schema && len(w.r.Tools) > 0:
		note = "Answer with one JSON object and nothing else. It must match this JSON Schema: " + compact(format.Schema)
	}
	if w.r.Choice.Mode == "required" && !w.forces() {
		note = strings.TrimSpace(note + "\nCall one of the tools.")
	} else if w.r.Choice.Mode == "named" && !w.forces() {
		note = strings.TrimSpace(note + "\nCall the tool " + w.r.Choice.Name + ".")
	}
	w.system(system, note)
	w.key("messages").open('[')
	last := Role(255)
	for i := n; i < len(messages); i++ {
		last = w.message(&messages[i], last, i == len(messages)-1)
	}
	if last != 255 {
		w.close(']')
		w.close('}')
	}
	w.close(']')
}

func (w *messagesWriter) system(messages []Message, note string) {
	begun := false
	block := func(text, cache string) {
		if !begun {
			w.key("system").open('[')
			begun = true
		}
		w.block("text", func() { w.key("text").str(text) }, cache)
	}
	for i := range messages {
		for _, p := range messages[i].Parts {
			if p.Text != "" {
				block(p.Text, p.Cache)
			}
		}
	}
	if note != "" {
		block(note, "")
	}
	if begun {
		w.close(']')
	}
}

// block writes one block of content.
func (w *messagesWriter) block(kind string, body func(), cache string) {
	w.open('{')
	w.key("type").str(kind)
	body()
	w.rest("cache_control", cache)
	w.close('}')
}

// message writes one message, into the one before where both have the same role. It returns the role of the
// message that is open now: User, Assistant, System.
func (w *messagesWriter) message(m *Message, open Role, final bool) Role {
	role := m.Role
	if role == Tools || role == System && !w.model.midSystem {
		role = User
	}
	begin := func() {
		if open == role {
			return
		}
		if open != 255 {
			w.close(']')
			w.close('}')
		} else if role == Assistant {
			w.raw(`{"role":"user","content":[{"type":"text","text":"."}]}`) // the first message must be the user's
		}
		w.open('{')
		w.key("role").str([...]string{System: "system", User: "user", Assistant: "assistant"}[role])
		w.key("content").open('[')
		open = role
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if m.Role == System && role == User && p.Text != "" {
			q := *p
			q.Text = "[system] " + p.Text
			p = &q
		}
		if final && role == Assistant && p.Kind == Text && i == len(m.Parts)-1 {
			q := *p
			q.Text = strings.TrimRight(p.Text, " \t\r\n")
			p = &q
		}
		w.part(p, begin)
	}
	return open
}

// part writes a part; begin opens the message that it stands in, if it writes anything.
func (w *messagesWriter) part(p *Part, begin func()) {
	switch p.Kind {
	case Text:
		if p.Text != "" {
			begin()
			w.block("text", func() { w.key("text").str(p.Text) }, p.Cache)
		}
	case Image, File, Audio:
		begin()
		w.media(p)
	case Reasoning:
		if !claudes(p.Thought) {
			return // it would be refused: only Claude's own signature counts
		}
		begin()
		if p.Thought.Data != "" {
			w.block("redacted_thinking", func() { w.key("data").str(p.Thought.Data) }, "")
			return
		}
		w.block("thinking", func() {
			w.key("thinking").str(p.Text)
			w.key("signature").str(p.Thought.Signature)
		}, "")
	case CallPart:
		begin()
		args := w.objectArgs(p.Call, p.Path)
		w.block("tool_use", func() {
			w.key("id").str(plainID(p.Call.ID, 128))
			w.key("name").str(p.Call.Name)
			w.key("input").raw(args)
		}, p.Cache)
	case Result:
		begin()
		w.block("tool_result", func() { w.result(p) }, p.Cache)
	}
}

func (w *messagesWriter) result(p *Part) {
	w.key("tool_use_id").str(plainID(p.Call.ID, 128))
	var parts []Part
	for _, q := range p.Parts {
		if q.Kind != Text || q.Text != "" {
			parts = append(parts, q)
		}
	}
	switch {
	case len(parts) == 0:
	case len(parts) == 1 && parts[0].Kind == Text && parts[0].Cache == "":
		w.key("content").str(parts[0].Text)
	default:
		w.key("content").open('[')
		for i := range parts {
			w.part(&parts[i], func() {})
		}
		w.close(']')
	}
	if p.Failed {
		w.key("is_error").raw("true")
	}
}

// media writes a picture or a document.
func (w *messagesWriter) media(p *Part) {
	m := p.Media
	if m.Detail != "" {
		w.drop(p.Path + ".image_url.detail")
	}
	text := strings.HasPrefix(m.Type, "text/") || m.Type == "application/json"
	switch {
	case p.Kind == File && m.Data != "" && text:
		plain, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			w.bad(p.Path, "is no base64")
			return
		}
		w.block("document", func() {
			w.source("text", "text/plain", string(plain))
			w.text("title", m.Name)
		}, p.Cache)
	case p.Kind == File && m.Data != "" && m.Type != "application/pdf" && !strings.HasPrefix(m.Type, "image/"):
		w.refuse(p.Path, "is a file of a type that cannot be sent on: "+quoted(cutText(m.Type, 64)), "send PDF or text")
	default:
		kind := "image"
		if p.Kind == File && !strings.HasPrefix(m.Type, "image/") {
			kind = "document"
		}
		w.block(kind, func() {
			if m.Data == "" {
				w.key("source").open('{')
				w.key("type").str("url")
				w.key("url").str(m.URL)
				w.close('}')
			} else {
				w.source("base64", m.Type, m.Data)
			}
			if kind == "document" {
				w.text("title", m.Name)
			}
		}, p.Cache)
	}
}

func (w *messagesWriter) source(kind, media, data string) {
	w.key("source").open('{')
	w.key("type").str(kind)
	w.key("media_type").str(media)
	w.key("data").str(data)
	w.close('}')
}

// forces reports whether the model can be made to call a tool.
func (w *messagesWriter) forces() bool { return !w.model.noForce && w.think == 0 }

func (w *messagesWriter) tools() {
	r := w.r
	search := r.take("web_search_options")
	emulate := r.Format.Kind == "json_schema" && w.model.known && !w.model.schema && len(r.Tools) == 0 && w.forces()
	stub := len(r.Tools) == 0 && r.usesTools()
	if len(r.Tools) == 0 && search == "" && !emulate && !stub {
		return
	}
	w.key("tools").open('[')
	for i := range r.Tools {
		w.tool(&r.Tools[i])
	}
	if stub {
		for _, name := range r.toolNames() {
			w.tool(&ToolSpec{Name: name, Schema: `{"type":"object"}`})
		}
	}
	if emulate {
		w.tool(&ToolSpec{Name: jsonTool, Description: "Gives the answer.", Schema: r.Format.Schema})
		w.ctx.jsonTool = true
	}
	if search != "" {
		w.webSearch(gjson.Parse(search))
	}
	w.close(']')
	switch {
	case emulate:
		w.key("tool_choice").raw(`{"type":"tool","name":"` + jsonTool + `"}`)
	case stub:
		w.key("tool_choice").raw(`{"type":"none"}`)
	case len(r.Tools) > 0:
		w.choice()
	}
}

func (w *messagesWriter) tool(t *ToolSpec) {
	w.open('{')
	w.key("name").str(t.Name)
	w.text("description", t.Description)
	schema := t.Schema
	if schema == "" {
		schema = `{"type":"object","properties":{}}`
	}
	if t.Strict && w.model.schema {
		w.key("strict").raw("true")
		schema = strictSchema(schema)
	} else if t.Strict {
		w.drop(t.Path + ".strict")
	}
	w.key("input_schema").raw(compact(schema))
	w.rest("cache_control", t.Cache)
	w.close('}')
}

func (w *messagesWriter) webSearch(v gjson.Result) {
	w.open('{')
	w.key("type").str("web_search_20250305")
	w.key("name").str("web_search")
	if place := v.Get("user_location.approximate"); place.IsObject() {
		w.key("user_location").open('{')
		w.key("type").str("approximate")
		for _, name := range []string{"city", "region", "country", "timezone"} {
			w.text(name, place.Get(name).Str)
		}
		w.close('}')
	}
	w.close('}')
}

// choice writes tool_choice, which also says whether several tools may be called at once.
func (w *messagesWriter) choice() {
	mode := w.r.Choice.Mode
	alone := w.r.Parallel != nil && !*w.r.Parallel && mode != "none"
	if mode == "" && !alone {
		return
	}
	if !w.forces() && (mode == "required" || mode == "named") {
		mode = "auto" // the system prompt asks for it
	}
	w.key("tool_choice").open('{')
	switch mode {
	case "none":
		w.key("type").str("none")
	case "required":
		w.key("type").str("any")
	case "named":
		w.key("type").str("tool")
		w.key("name").str(w.r.Choice.Name)
	default:
		w.key("type").str("auto")
	}
	if alone {
		w.key("disable_parallel_tool_use").raw("true")
	}
	w.close('}')
}

// toolNames are the tools that the history calls.
func (r *Request) toolNames() []string {
	var names []string
	seen := map[string]bool{}
	for i := range r.Messages {
		for _, p := range r.Messages[i].Parts {
			if p.Kind == CallPart && !seen[p.Call.Name] {
				seen[p.Call.Name] = true
				names = append(names, p.Call.Name)
			}
		}
	}
	return names
}

// fewerMarks keeps the last most marks of a prompt cache: with more, a request is refused.
func fewerMarks(r *Request, most int) {
	var marks []*string
	mark := func(s *string) {
		if *s != "" {
			marks = append(marks, s)
		}
	}
	for i := range r.Tools {
		mark(&r.Tools[i].Cache)
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Parts {
			p := &r.Messages[i].Parts[j]
			mark(&p.Cache)
			for k := range p.Parts {
				mark(&p.Parts[k].Cache)
			}
		}
	}
	for i := range max(len(marks)-most, 0) {
		*marks[i] = ""
	}
}
