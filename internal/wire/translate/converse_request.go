package translate

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

func converseCodec() *codec {
	return &codec{
		encode: encodeConverse, answer: newConverseDecoder, fault: converseFault,
		features: map[Feature]Support{
			FeatureSystem: Kept, FeatureLateSystem: Adapted, FeatureImage: Adapted, FeatureAudio: Refused, FeatureFile: Kept,
			FeatureTools: Kept, FeatureToolChoice: Adapted, FeatureParallel: Adapted, FeatureStrict: Adapted, FeatureTopK: Adapted, FeatureFormat: Adapted, FeatureMaxTokens: Kept,
			FeatureTemperature: Adapted, FeatureTopP: Adapted, FeatureStop: Kept, FeatureN: Refused, FeatureLogprobs: Refused,
			FeatureEffort: Adapted, FeatureReasoning: Kept, FeatureCache: Adapted, FeatureTier: Adapted, FeatureAudioOut: Refused,
		},
	}
}

// converseWriter writes a request of Bedrock's Converse
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, read 2026-11).
type converseWriter struct {
	*encoding
	r      *Request
	claude *messagesWriter // for Claude's rules; nil: another model
	marks  bool            // the model takes marks of a prompt cache
	files  map[string]int  // names of documents
}

// encodeConverse writes r as a request of Converse. Model and streaming stand in the URL.
func encodeConverse(r *Request, e *encoding) {
	model := strings.ToLower(e.target.Model)
	w := &converseWriter{encoding: e, r: r, files: map[string]int{}}
	if strings.Contains(model, "claude") {
		w.claude = &messagesWriter{encoding: e, r: r, model: claudeOf(model)}
		w.claude.limits()
	}
	w.marks = w.claude != nil || strings.Contains(model, "nova")
	e.open('{')
	w.conversation()
	w.config()
	w.tools()
	w.format()
	w.extra(model)
	switch r.Tier {
	case "":
	case "priority", "flex", "default":
		e.key("serviceTier").open('{')
		e.key("type").str(r.Tier)
		e.close('}')
	default:
		e.drop("service_tier")
	}
	e.close('}')
}

func (w *converseWriter) conversation() {
	messages := w.r.Messages
	n := 0
	for n < len(messages) && messages[n].Role == System {
		n++
	}
	note := ""
	if w.r.Format.Kind == "json_object" || w.r.Format.Kind == "json_schema" && !w.schema() {
		note = "Answer with one JSON object and nothing else."
		if w.r.Format.Schema != "" {
			note += " It must match this JSON Schema: " + compact(w.r.Format.Schema)
		}
	}
	if w.r.Choice.Mode == "none" && (len(w.r.Tools) > 0 || w.r.usesTools()) {
		note = strings.TrimSpace(note + "\nDo not call a tool.")
	}
	w.system(messages[:n], note)
	w.key("messages").open('[')
	open := Role(255)
	for i := range messages[n:] {
		open = w.message(&messages[n+i], open)
	}
	if open != 255 {
		w.close(']')
		w.close('}')
	}
	w.close(']')
}

func (w *converseWriter) system(messages []Message, note string) {
	begun := false
	block := func(text, cache string) {
		if !begun {
			w.key("system").open('[')
			begun = true
		}
		w.textBlock(text)
		w.mark(cache)
	}
	for i := range messages {
		for _, p := range messages[i].Parts {
			if strings.TrimSpace(p.Text) != "" {
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

func (w *converseWriter) textBlock(text string) {
	w.open('{')
	w.key("text").str(text)
	w.close('}')
}

// mark writes the mark of a prompt cache behind what it covers.
func (w *converseWriter) mark(cache string) {
	if cache == "" || !w.marks {
		return
	}
	w.open('{')
	w.key("cachePoint").open('{')
	w.key("type").str("default")
	w.text("ttl", gjson.Get(cache, "ttl").Str)
	w.close('}')
	w.close('}')
}

// message writes one message, into the one before where both have the same role.
func (w *converseWriter) message(m *Message, open Role) Role {
	role := m.Role
	if role == Tools || role == System {
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
			w.raw(`{"role":"user","content":[{"text":"."}]}`)
		}
		w.open('{')
		w.key("role").str(map[Role]string{User: "user", Assistant: "assistant"}[role])
		w.key("content").open('[')
		open = role
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		if m.Role == System {
			if strings.TrimSpace(p.Text) != "" {
				begin()
				w.textBlock("[system] " + p.Text)
			}
			continue
		}
		w.part(p, begin)
		if p.Kind != Reasoning {
			w.mark(p.Cache)
		}
	}
	return open
}

func (w *converseWriter) part(p *Part, begin func()) {
	switch p.Kind {
	case Text:
		if strings.TrimSpace(p.Text) != "" {
			begin()
			w.textBlock(p.Text)
		}
	case Image, File, Audio:
		begin()
		w.media(p)
	case Reasoning:
		if !claudes(p.Thought) || w.claude == nil {
			return
		}
		begin()
		w.open('{')
		w.key("reasoningContent").open('{')
		if p.Thought.Data != "" {
			w.key("redactedContent").str(p.Thought.Data)
		} else {
			w.key("reasoningText").open('{')
			w.key("text").str(p.Text)
			w.key("signature").str(p.Thought.Signature)
			w.close('}')
		}
		w.close('}')
		w.close('}')
	case CallPart:
		begin()
		args := w.objectArgs(p.Call, p.Path)
		w.open('{')
		w.key("toolUse").open('{')
		w.key("toolUseId").str(plainID(p.Call.ID, 64))
		w.key("name").str(p.Call.Name)
		w.key("input").raw(args)
		w.close('}')
		w.close('}')
	case Result:
		begin()
		w.result(p)
	}
}

func (w *converseWriter) result(p *Part) {
	w.open('{')
	w.key("toolResult").open('{')
	w.key("toolUseId").str(plainID(p.Call.ID, 64))
	w.key("content").open('[')
	empty := true
	for i := range p.Parts {
		w.part(&p.Parts[i], func() { empty = false })
	}
	if empty {
		w.raw(`{"json":{}}`)
	}
	w.close(']')
	if p.Failed && w.marks {
		w.key("status").str("error")
	}
	w.close('}')
	w.close('}')
}

// media writes a picture or a document.
func (w *converseWriter) media(p *Part) {
	m := p.Media
	if m.Detail != "" {
		w.drop(p.Path + ".image_url.detail")
	}
	s3 := strings.HasPrefix(m.URL, "s3://")
	if m.Data == "" && !s3 {
		w.refuse(p.Path+".url", "is an address that "+nameOf(w.target)+" does not fetch from", "send the data itself as a data: URL")
		return
	}
	kind, format := "image", strings.TrimPrefix(m.Type, "image/")
	if p.Kind == File && !strings.HasPrefix(m.Type, "image/") {
		kind = "document"
		format = map[string]string{
			"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/html": "html", "text/markdown": "md",
			"application/msword": "doc", "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
			"application/vnd.ms-excel": "xls", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
		}[m.Type]
	}
	if format == "" || p.Kind == Audio {
		w.refuse(p.Path, "is of a type that cannot be sent on: "+quoted(cutText(m.Type, 64)), "send PNG, JPEG, GIF, WebP, PDF or text")
		return
	}
	name := ""
	if kind == "document" {
		name = w.fileName(m.Name)
		w.textBlock("File: " + name) // a document needs a text beside it
	}
	w.open('{')
	w.key(kind).open('{')
	w.key("format").str(format)
	w.text("name", name)
	w.key("source").open('{')
	if s3 {
		w.key("s3Location").open('{')
		w.key("uri").str(m.URL)
		w.close('}')
	} else {
		w.key("bytes").str(m.Data)
	}
	w.close('}')
	w.close('}')
	w.close('}')
}

// fileName makes a name that Bedrock takes, and that no other document has.
func (w *converseWriter) fileName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" -()[]", r) {
			return r
		}
		return -1
	}, name)
	if plain = strings.Join(strings.Fields(plain), " "); plain == "" {
		plain = "document"
	}
	plain = plain[:min(len(plain), 180)]
	w.files[plain]++
	if n := w.files[plain]; n > 1 {
		plain += " (" + strconv.Itoa(n) + ")"
	}
	return plain
}

func (w *converseWriter) config() {
	r := w.r
	o := &out{b: w.b}
	at := len(o.b)
	o.key("inferenceConfig").open('{')
	empty := len(o.b)
	thinking := w.claude != nil && w.claude.think > 0
	switch {
	case thinking:
		o.key("maxTokens").int(w.claude.max)
	case r.MaxTokens >= 0:
		o.key("maxTokens").int(r.MaxTokens)
	}
	take := func(field, name, value string, ok bool) {
		if value != "" && ok {
			o.key(name).raw(value)
		} else if value != "" {
			w.drop(field)
		}
	}
	free := w.claude == nil || !w.claude.model.noSample && !thinking
	take("temperature", "temperature", clamp(r.Temperature, 0, 1), free)
	take("top_p", "topP", r.TopP, free && (w.claude == nil || !w.claude.model.oneSample || r.Temperature == ""))
	if s := stops(r.Stop); len(s) > 0 {
		o.key("stopSequences").open('[')
		for _, text := range s {
			o.str(text)
		}
		o.close(']')
	}
	if len(o.b) == empty {
		w.b = o.b[:at]
		return
	}
	o.close('}')
	w.b = o.b
}

func (w *converseWriter) tools() {
	r := w.r
	tools := r.Tools
	if len(tools) == 0 {
		for _, name := range r.toolNames() {
			tools = append(tools, ToolSpec{Name: name, Schema: `{"type":"object"}`})
		}
	}
	if len(tools) == 0 {
		return
	}
	w.key("toolConfig").open('{')
	w.key("tools").open('[')
	for i := range tools {
		t := &tools[i]
		schema := t.Schema
		if schema == "" {
			schema = `{"type":"object","properties":{}}`
		}
		w.open('{')
		w.key("toolSpec").open('{')
		w.key("name").str(t.Name)
		w.text("description", t.Description)
		w.key("inputSchema").open('{')
		strict := t.Strict && w.claude != nil && w.claude.model.schema
		if strict {
			schema = strictSchema(schema)
		} else if t.Strict {
			w.drop(t.Path + ".strict")
		}
		w.key("json").raw(compact(schema))
		w.close('}')
		if strict {
			w.key("strict").raw("true")
		}
		w.close('}')
		w.close('}')
		w.mark(t.Cache)
	}
	w.close(']')
	mode := r.Choice.Mode
	if w.claude != nil && !w.claude.forces() && (mode == "required" || mode == "named") || len(r.Tools) == 0 {
		mode = "auto"
	}
	switch mode {
	case "auto":
		w.key("toolChoice").raw(`{"auto":{}}`)
	case "required":
		w.key("toolChoice").raw(`{"any":{}}`)
	case "named":
		w.key("toolChoice").raw(`{"tool":{"name":` + quoted(r.Choice.Name) + `}}`)
	}
	w.close('}')
}

// schema reports whether the model takes a schema for its answer.
func (w *converseWriter) schema() bool { return w.claude != nil && w.claude.model.schema }

func (w *converseWriter) format() {
	f := w.r.Format
	if f.Kind != "json_schema" || !w.schema() {
		return
	}
	w.key("outputConfig").open('{')
	w.key("textFormat").open('{')
	w.key("type").str("json_schema")
	w.key("structure").open('{')
	w.key("jsonSchema").open('{')
	w.key("schema").str(strictSchema(f.Schema))
	w.text("name", f.Name)
	for range 4 {
		w.close('}')
	}
}

// extra writes what Converse has no field for, and the model's own interface has.
func (w *converseWriter) extra(model string) {
	r := w.r
	var fields []string
	add := func(json string) { fields = append(fields, json) }
	thinks := r.Effort != "" && r.Effort != "none"
	switch {
	case w.claude != nil && w.claude.think > 0:
		add(`"thinking":{"type":"enabled","budget_tokens":` + strconv.FormatInt(w.claude.think, 10) + `}`)
	case w.claude != nil && w.claude.model.adaptive && thinks:
		add(`"thinking":{"type":"adaptive"},"output_config":{"effort":` + quoted(w.claude.model.effort(r.Effort)) + `}`)
	case w.claude == nil && strings.Contains(model, "nova-2") && thinks:
		level := map[string]string{"minimal": "low", "low": "low", "medium": "medium"}[r.Effort]
		if level == "" {
			level = "high"
		}
		add(`"reasoningConfig":{"type":"enabled","maxReasoningEffort":"` + level + `"}`)
	case w.claude == nil && strings.Contains(model, "gpt-oss") && r.Effort != "":
		level := map[string]string{"medium": "medium", "high": "high", "xhigh": "high", "max": "high"}[r.Effort]
		if level == "" {
			level = "low"
		}
		add(`"reasoning_effort":"` + level + `"`)
	case w.claude == nil && thinks:
		w.drop("reasoning_effort")
	}
	mode := r.Choice.Mode
	if r.Parallel != nil {
		if !*r.Parallel && w.claude != nil && len(r.Tools) > 0 && (mode == "" || mode == "auto") {
			add(`"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`)
		} else if !*r.Parallel {
			w.drop("parallel_tool_calls")
		}
	}
	if r.TopK != "" && w.claude != nil && !w.claude.model.noSample && w.claude.think == 0 {
		add(`"top_k":` + r.TopK)
	} else if r.TopK != "" {
		w.drop("top_k")
	}
	if len(fields) > 0 {
		w.key("additionalModelRequestFields").raw("{" + strings.Join(fields, ",") + "}")
	}
}
