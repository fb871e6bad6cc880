package translate

import (
	"strings"

	"github.com/tidwall/gjson"
)

func geminiCodec() *codec {
	return &codec{
		encode: encodeGemini, answer: newGeminiDecoder, fault: geminiFault,
		features: map[Feature]Support{
			FeatureSystem: Kept, FeatureLateSystem: Adapted, FeatureImage: Adapted, FeatureAudio: Kept, FeatureFile: Kept,
			FeatureTools: Kept, FeatureToolChoice: Kept, FeatureStrict: Adapted, FeatureFormat: Adapted, FeatureMaxTokens: Kept,
			FeatureTemperature: Kept, FeatureTopP: Kept, FeatureTopK: Kept, FeatureStop: Adapted, FeatureSeed: Kept,
			FeatureN: Adapted, FeatureLogprobs: Refused, FeatureEffort: Adapted, FeatureReasoning: Kept, FeatureTier: Adapted,
			FeatureAudioOut: Refused,
		},
	}
}

// skipSignature stands for a thought signature that the client has lost; without one, Gemini 3 refuses the call.
const skipSignature = "skip_thought_signature_validator"

// geminiWriter writes a request of Google's generateContent.
type geminiWriter struct {
	*encoding
	r     *Request
	model gemini
	names map[string]string // of tools, as Gemini takes them
}

// encodeGemini writes r as a request of Google's generateContent. Model and streaming stand in the URL.
func encodeGemini(r *Request, e *encoding) {
	w := &geminiWriter{encoding: e, r: r, model: geminiOf(e.target.Model), names: map[string]string{}}
	note := ""
	schema := r.Format.Kind != "" && (w.model.levels() || len(r.Tools) == 0)
	if r.Format.Kind != "" && !schema {
		note = "Answer with one JSON object and nothing else."
		if r.Format.Schema != "" {
			note += " It must match this JSON Schema: " + compact(r.Format.Schema)
		}
	}
	e.open('{')
	w.conversation(note)
	w.tools()
	w.config(schema)
	for extra, name := range map[string]string{"safety_settings": "safetySettings", "cached_content": "cachedContent"} {
		if v := r.take(extra); v != "" {
			e.rest(name, v)
		}
	}
	switch r.Tier {
	case "":
	case "flex", "priority":
		e.key("serviceTier").str(r.Tier)
	case "default", "standard":
		e.key("serviceTier").str("standard")
	default:
		e.drop("service_tier")
	}
	e.close('}')
}

// conversation writes the system prompt and the messages.
func (w *geminiWriter) conversation(note string) {
	messages := w.r.Messages
	n := 0
	for n < len(messages) && messages[n].Role == System {
		n++
	}
	var system []string
	for i := range messages[:n] {
		for _, p := range messages[i].Parts {
			if p.Text != "" {
				system = append(system, p.Text)
			}
		}
	}
	if note != "" {
		system = append(system, note)
	}
	messages = messages[n:]
	if len(messages) == 0 {
		w.bad("messages", "has only system messages: "+nameOf(w.target)+" wants a message of the user, too")
		return
	}
	prefix := ""
	if w.model.noSystem {
		prefix = strings.Join(system, "\n\n")
	} else if len(system) > 0 {
		w.key("systemInstruction").open('{')
		w.key("parts").open('[')
		for _, s := range system {
			w.textPart(s)
		}
		w.close(']')
		w.close('}')
	}
	w.key("contents").open('[')
	open := ""
	for i := range messages {
		open = w.message(&messages[i], open, &prefix)
	}
	if open != "" {
		w.close(']')
		w.close('}')
	}
	w.close(']')
}

func (w *geminiWriter) textPart(s string) {
	w.open('{')
	w.key("text").str(s)
	w.close('}')
}

// message writes one message, into the one before where both have the same role. Results of tools have one of
// their own. It returns what is open now: user, model, results, system.
func (w *geminiWriter) message(m *Message, open string, prefix *string) string {
	role := [...]string{System: "system", User: "user", Assistant: "model", Tools: "results"}[m.Role]
	begin := func() {
		if open == role {
			return
		}
		if open != "" {
			w.close(']')
			w.close('}')
		}
		w.open('{')
		name := role
		if role != "model" {
			name = "user"
		}
		w.key("role").str(name)
		w.key("parts").open('[')
		open = role
		if *prefix != "" && role == "user" {
			w.textPart(*prefix)
			*prefix = ""
		}
	}
	first := true
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Kind {
		case Text:
			if p.Text != "" {
				begin()
				text := p.Text
				if m.Role == System {
					text = "[system] " + text
				}
				w.textPart(text)
			}
		case Image, Audio, File:
			begin()
			w.media(p)
		case Reasoning:
			if p.Thought.Format == formatGemini && p.Thought.Data != "" {
				begin()
				w.open('{')
				w.key("text").str("")
				w.key("thoughtSignature").str(p.Thought.Data)
				w.close('}')
			}
		case CallPart:
			begin()
			w.call(p, first)
			first = false
		case Result:
			begin()
			w.result(p)
		}
	}
	return open
}

func (w *geminiWriter) call(p *Part, first bool) {
	args := w.objectArgs(p.Call, p.Path)
	w.open('{')
	w.key("functionCall").open('{')
	if w.model.levels() {
		w.key("id").str(p.Call.ID)
	}
	w.key("name").str(w.name(p.Call.Name))
	w.key("args").raw(args)
	w.close('}')
	signature := p.Call.Signature
	if signature == "" && first && w.model.levels() {
		signature = skipSignature
	}
	w.text("thoughtSignature", signature)
	w.close('}')
}

func (w *geminiWriter) result(p *Part) {
	text := joined(p.Parts)
	var media []Part
	for _, q := range p.Parts {
		if q.Kind != Text {
			media = append(media, q)
		}
	}
	w.open('{')
	w.key("functionResponse").open('{')
	if w.model.levels() {
		w.key("id").str(p.Call.ID)
	}
	w.key("name").str(w.name(p.Call.Name))
	w.key("response")
	switch v := gjson.Parse(text); {
	case p.Failed:
		w.raw(`{"error":` + quoted(text) + `}`)
	case gjson.Valid(text) && v.IsObject():
		w.raw(text)
	case gjson.Valid(text) && v.IsArray():
		w.raw(`{"result":` + text + `}`)
	default:
		w.raw(`{"result":` + quoted(text) + `}`)
	}
	if len(media) > 0 && w.model.levels() {
		w.key("parts").open('[')
		for i := range media {
			w.media(&media[i])
		}
		w.close(']')
		media = nil
	}
	w.close('}')
	w.close('}')
	for i := range media {
		w.media(&media[i])
	}
}

func (w *geminiWriter) media(p *Part) {
	m := p.Media
	if m.Detail != "" && m.Detail != "auto" {
		w.drop(p.Path + ".image_url.detail")
	}
	w.open('{')
	if m.Data != "" {
		w.key("inlineData").open('{')
		w.key("mimeType").str(m.Type)
		w.key("data").str(m.Data)
		w.close('}')
	} else {
		video := strings.Contains(m.URL, "youtube.com/") || strings.Contains(m.URL, "youtu.be/")
		if !strings.HasPrefix(m.URL, "gs://") && !strings.HasPrefix(m.URL, "https://generativelanguage.googleapis.com/") && !video {
			w.refuse(p.Path+".url", "is an address that "+nameOf(w.target)+" does not fetch from", "send the data itself as a data: URL")
		}
		w.key("fileData").open('{')
		w.key("fileUri").str(m.URL)
		if !video {
			w.text("mimeType", typeOf(m))
		}
		w.close('}')
	}
	w.close('}')
}

// typeOf is media's type, if only by its name's ending.
func typeOf(m *Media) string {
	if m.Type != "" {
		return m.Type
	}
	i := strings.LastIndexByte(m.URL, '.')
	return map[string]string{
		"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "pdf": "application/pdf",
		"mp4": "video/mp4", "mp3": "audio/mp3", "wav": "audio/wav",
	}[strings.ToLower(m.URL[i+1:])]
}

// name is a tool's name as Gemini takes it; the answer turns it back.
func (w *geminiWriter) name(name string) string {
	if n, ok := w.names[name]; ok {
		return n
	}
	b := []byte(name)
	changed := len(b) > 64
	for i, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_.:-", rune(c)) {
			b[i], changed = '_', true
		}
	}
	plain := string(b)
	if changed {
		plain = plain[:min(len(plain), 57)] + "_" + hashOf(name, 6)
		w.rename(plain, name)
	}
	w.names[name] = plain
	return plain
}

// rename notes that the provider knows a tool by another name than the client.
func (e *encoding) rename(provider, client string) {
	if e.ctx.renamed == nil {
		e.ctx.renamed = map[string]string{}
	}
	e.ctx.renamed[provider] = client
}

// toolName is the client's name of a tool that a provider calls.
func (c *Context) toolName(name string) string {
	if own, ok := c.renamed[name]; ok {
		return own
	}
	return name
}

func (w *geminiWriter) tools() {
	r := w.r
	search := r.take("web_search_options")
	if len(r.Tools) > 0 && !w.model.levels() && search != "" {
		w.drop("web_search_options")
		search = ""
	}
	if len(r.Tools) == 0 && search == "" {
		return
	}
	w.key("tools").open('[')
	strict := false
	if len(r.Tools) > 0 {
		w.open('{')
		w.key("functionDeclarations").open('[')
		for i := range r.Tools {
			t := &r.Tools[i]
			strict = strict || t.Strict
			w.open('{')
			w.key("name").str(w.name(t.Name))
			w.text("description", t.Description)
			if !takesNothing(t.Schema) || t.Schema != "" && w.model.levels() {
				w.key("parametersJsonSchema").raw(withoutConst(compact(t.Schema)))
			}
			w.close('}')
		}
		w.close(']')
		w.close('}')
	}
	if search != "" {
		w.raw(`{"googleSearch":{}}`)
	}
	w.close(']')
	w.choice(strict)
}

// takesNothing reports whether a schema is that of an object without members, which older models refuse.
func takesNothing(schema string) bool {
	nothing := true
	gjson.Parse(schema).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "type", "additionalProperties", "$schema", "required":
		case "properties":
			nothing = nothing && len(members(v)) == 0
		default:
			nothing = false
		}
		return nothing
	})
	return nothing
}

func (w *geminiWriter) choice(strict bool) {
	c := w.r.Choice
	if len(w.r.Tools) == 0 || c.Mode == "" && !strict {
		return
	}
	mode := map[string]string{"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}[c.Mode]
	if strict && (c.Mode == "" || c.Mode == "auto") {
		mode = "VALIDATED"
	}
	w.key("toolConfig").open('{')
	w.key("functionCallingConfig").open('{')
	w.key("mode").str(mode)
	if c.Mode == "named" {
		w.key("allowedFunctionNames").open('[')
		w.str(w.name(c.Name))
		w.close(']')
	}
	w.close('}')
	w.close('}')
}

// withoutConst rewrites const, which Gemini does not know, as an enum of one.
func withoutConst(schema string) string {
	if !strings.Contains(schema, `"const":`) {
		return schema
	}
	o := &out{}
	rewriteConst(o, gjson.Parse(schema), 0)
	return string(o.b)
}

func rewriteConst(o *out, v gjson.Result, depth int) {
	switch {
	case depth > maxSchemaDepth || !v.IsObject() && !v.IsArray():
		o.raw(v.Raw)
	case v.IsArray():
		o.open('[')
		v.ForEach(func(_, e gjson.Result) bool {
			rewriteConst(o, e, depth+1)
			return true
		})
		o.close(']')
	default:
		o.open('{')
		v.ForEach(func(key, e gjson.Result) bool {
			if key.Str == "const" {
				o.key("enum").raw("[" + e.Raw + "]")
				return true
			}
			o.sep()
			o.b = append(append(o.b, key.Raw...), ':')
			rewriteConst(o, e, depth+1)
			return true
		})
		o.close('}')
	}
}

// config writes generationConfig.
func (w *geminiWriter) config(schema bool) {
	r := w.r
	o := &out{b: w.b}
	at := len(o.b)
	o.key("generationConfig").open('{')
	empty := len(o.b)
	if r.MaxTokens >= 0 {
		o.key("maxOutputTokens").int(r.MaxTokens)
	}
	o.rest("temperature", r.Temperature)
	o.rest("topP", r.TopP)
	o.rest("topK", r.TopK)
	if len(r.Stop) > 5 {
		w.refuse("stop", "has more than 5 sequences, which is all that "+nameOf(w.target)+" takes", "leave some out")
	}
	if len(r.Stop) > 0 {
		o.key("stopSequences").open('[')
		for _, s := range r.Stop {
			o.str(s)
		}
		o.close(']')
	}
	o.rest("seed", r.Seed)
	if r.N > 8 {
		w.refuse("n", "is more than 8, which is all that "+nameOf(w.target)+" takes", "")
	}
	if r.N > 1 {
		o.key("candidateCount").int(r.N)
	}
	if schema {
		o.key("responseMimeType").str("application/json")
		if r.Format.Schema != "" {
			o.key("responseJsonSchema").raw(withoutConst(compact(r.Format.Schema)))
		}
	}
	w.thinking(o)
	if len(o.b) == empty {
		w.b = o.b[:at]
		return
	}
	o.close('}')
	w.b = o.b
}

func (w *geminiWriter) thinking(o *out) {
	r := w.r
	if own := gjson.Get(r.take("extra_body"), "google.thinking_config"); own.IsObject() {
		o.key("thinkingConfig").raw(own.Raw)
		return
	}
	if r.Effort == "" && r.Budget < 0 {
		return
	}
	if !w.model.thinks() {
		w.drop("reasoning_effort")
		return
	}
	o.key("thinkingConfig").open('{')
	if w.model.levels() {
		effort := r.Effort
		if effort == "" {
			effort = effortOf(r.Budget)
		}
		o.key("thinkingLevel").str(w.model.level(effort))
	} else {
		budget := r.Budget
		if budget < 0 {
			budget = w.model.budget(r.Effort)
		}
		if r.MaxTokens >= 0 && budget > r.MaxTokens*8/10 {
			budget = r.MaxTokens * 8 / 10
		}
		o.key("thinkingBudget").int(budget)
	}
	if r.Effort != "none" {
		o.key("includeThoughts").raw("true")
	}
	o.close('}')
}
