package translate

import (
	"strings"

	"github.com/tidwall/gjson"
)

// messagesReader reads a request of Anthropic's Messages.
type messagesReader struct {
	reader
	r *Request
}

// decodeMessages reads a request of Anthropic's Messages, which a client speaks.
func decodeMessages(body []byte) (*Request, error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	c := &messagesReader{r: &Request{MaxTokens: -1, N: -1, TopLogprobs: -1, Budget: -1, IncludeUsage: true}}
	read := messagesFields()
	var system, messages gjson.Result
	v.ForEach(func(key, value gjson.Result) bool {
		switch f := read[key.Str]; {
		case null(value):
		case key.Str == "system":
			system = value
		case key.Str == "messages":
			messages = value
		case f != nil:
			f(c, value)
		default:
			c.r.extra = append(c.r.extra, field{key.Str, value.Raw})
		}
		return c.err == nil
	})
	if system.Exists() {
		c.r.use(FeatureSystem, "system")
		c.r.Messages = append(c.r.Messages, Message{Role: System, Parts: c.content(system, "system"), Path: "system"})
	}
	c.each(messages, "messages", c.message)
	if c.err == nil && !messages.Exists() {
		c.bad("messages", "is missing")
	}
	c.r.unmark()
	c.r.arrange(&c.reader)
	return c.r, c.failed()
}

func messagesFields() map[string]func(c *messagesReader, v gjson.Result) {
	number := func(to func(r *Request) *string, f Feature, name string) func(c *messagesReader, v gjson.Result) {
		return func(c *messagesReader, v gjson.Result) {
			*to(c.r) = c.number(v, name)
			c.r.use(f, name)
		}
	}
	return map[string]func(c *messagesReader, v gjson.Result){
		"model":       func(c *messagesReader, v gjson.Result) { c.r.Model = c.textAt(v, "model") },
		"stream":      func(c *messagesReader, v gjson.Result) { c.r.Stream, _ = c.truth(v, "stream") },
		"temperature": number(func(r *Request) *string { return &r.Temperature }, FeatureTemperature, "temperature"),
		"top_p":       number(func(r *Request) *string { return &r.TopP }, FeatureTopP, "top_p"),
		"top_k":       number(func(r *Request) *string { return &r.TopK }, FeatureTopK, "top_k"),
		"max_tokens": func(c *messagesReader, v gjson.Result) {
			c.r.MaxTokens = c.count(v, "max_tokens")
			c.r.use(FeatureMaxTokens, "max_tokens")
		},
		"stop_sequences": func(c *messagesReader, v gjson.Result) {
			c.r.use(FeatureStop, "stop_sequences")
			c.each(v, "stop_sequences", func(v gjson.Result, path string) { c.r.Stop = append(c.r.Stop, c.textAt(v, path)) })
		},
		"metadata": func(c *messagesReader, v gjson.Result) {
			c.object(v, "metadata")
			if c.r.User = c.textAt(v.Get("user_id"), "metadata.user_id"); c.r.User != "" {
				c.r.use(FeatureUser, "metadata.user_id")
			}
		},
		"service_tier": func(c *messagesReader, v gjson.Result) {
			if c.r.Tier = c.textAt(v, "service_tier"); c.r.Tier == "standard_only" {
				c.r.Tier = "default"
			}
			c.r.use(FeatureTier, "service_tier")
		},
		"tools":         (*messagesReader).tools,
		"tool_choice":   (*messagesReader).choice,
		"thinking":      (*messagesReader).thinking,
		"output_config": (*messagesReader).output,
	}
}

func (c *messagesReader) thinking(v gjson.Result) {
	c.object(v, "thinking")
	switch kind := c.textAt(v.Get("type"), "thinking.type"); kind {
	case "disabled":
		c.r.Effort = "none"
	case "enabled":
		c.r.Budget = c.count(v.Get("budget_tokens"), "thinking.budget_tokens")
		c.r.Effort = effortOf(c.r.Budget)
	default:
		if c.r.Effort == "" {
			c.r.Effort = "medium"
		}
	}
	c.r.use(FeatureEffort, "thinking")
}

func (c *messagesReader) output(v gjson.Result) {
	c.object(v, "output_config")
	if e := c.textAt(v.Get("effort"), "output_config.effort"); e != "" {
		c.r.Effort = e
		c.r.use(FeatureEffort, "output_config.effort")
	}
	f := v.Get("format")
	if !f.Exists() {
		return
	}
	if f.Get("type").Str != "json_schema" || !f.Get("schema").IsObject() {
		c.bad("output_config.format", "is not of the type json_schema with a schema")
		return
	}
	c.r.Format = Format{Kind: "json_schema", Name: "answer", Schema: f.Get("schema").Raw, Strict: true}
	c.r.use(FeatureFormat, "output_config.format")
}

func (c *messagesReader) tools(v gjson.Result) {
	c.each(v, "tools", func(v gjson.Result, path string) {
		m := members(v)
		if kind := c.textAt(m["type"], path+".type"); kind != "" && kind != "custom" {
			c.refuse(path+".type", "names a tool that only Anthropic runs: "+quoted(cutText(kind, 64)), "leave it out, or call a Claude model")
			return
		}
		t := ToolSpec{
			Name: c.textAt(m["name"], path+".name"), Description: c.textAt(m["description"], path+".description"),
			Schema: m["input_schema"].Raw, Path: path,
		}
		if t.Name == "" {
			c.bad(path+".name", "is missing")
		}
		if !m["input_schema"].IsObject() && m["input_schema"].Exists() {
			c.bad(path+".input_schema", "is no object")
		}
		if t.Strict, _ = c.truth(m["strict"], path+".strict"); t.Strict {
			c.r.use(FeatureStrict, path+".strict")
		}
		t.Cache = c.mark(m, path)
		c.r.use(FeatureTools, "tools")
		c.r.Tools = append(c.r.Tools, t)
	})
}

func (c *messagesReader) mark(m map[string]gjson.Result, path string) string {
	if m["cache_control"].IsObject() {
		c.r.use(FeatureCache, path+".cache_control")
		return m["cache_control"].Raw
	}
	return ""
}

func (c *messagesReader) choice(v gjson.Result) {
	c.object(v, "tool_choice")
	c.r.use(FeatureToolChoice, "tool_choice")
	switch kind := c.textAt(v.Get("type"), "tool_choice.type"); kind {
	case "auto", "none":
		c.r.Choice.Mode = kind
	case "any":
		c.r.Choice.Mode = "required"
	case "tool":
		c.r.Choice = Choice{Mode: "named", Name: c.textAt(v.Get("name"), "tool_choice.name")}
	default:
		c.bad("tool_choice.type", "is none of auto, any, tool, none")
	}
	if alone, known := c.truth(v.Get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use"); known {
		several := !alone
		c.r.Parallel = &several
		c.r.use(FeatureParallel, "tool_choice.disable_parallel_tool_use")
	}
}

// message reads one message. Results of tools become a message of their own, before what the user says.
func (c *messagesReader) message(v gjson.Result, path string) {
	if !v.IsObject() {
		c.bad(path, "is no object")
		return
	}
	m := members(v)
	parts := c.content(m["content"], path+".content")
	switch role := c.textAt(m["role"], path+".role"); role {
	case "assistant":
		c.r.Messages = append(c.r.Messages, Message{Role: Assistant, Parts: parts, Path: path})
	case "system":
		c.r.use(FeatureLateSystem, path)
		c.r.Messages = append(c.r.Messages, Message{Role: System, Parts: parts, Path: path})
	case "user":
		results, rest := Message{Role: Tools, Path: path}, Message{Role: User, Path: path}
		for _, p := range parts {
			if p.Kind == Result {
				results.Parts = append(results.Parts, p)
			} else {
				rest.Parts = append(rest.Parts, p)
			}
		}
		if len(results.Parts) > 0 {
			c.r.Messages = append(c.r.Messages, results)
		}
		if len(rest.Parts) > 0 {
			c.r.Messages = append(c.r.Messages, rest)
		}
	default:
		c.bad(path+".role", "is neither user nor assistant")
	}
}

func (c *messagesReader) content(v gjson.Result, path string) []Part {
	if null(v) {
		return nil
	}
	if v.Type == gjson.String {
		return []Part{{Kind: Text, Text: v.Str, Path: path}}
	}
	var parts []Part
	c.each(v, path, func(v gjson.Result, path string) {
		if !v.IsObject() {
			c.bad(path, "is no object")
			return
		}
		m := members(v)
		p := c.block(m, path)
		p.Path, p.Cache = path, c.mark(m, path)
		parts = append(parts, p)
	})
	return parts
}

func (c *messagesReader) block(m map[string]gjson.Result, path string) Part {
	switch kind := c.textAt(m["type"], path+".type"); kind {
	case "text":
		return Part{Kind: Text, Text: c.textAt(m["text"], path+".text")}
	case "image":
		c.r.use(FeatureImage, path)
		return Part{Kind: Image, Media: c.source(m["source"], path+".source")}
	case "document":
		c.r.use(FeatureFile, path)
		media := c.source(m["source"], path+".source")
		media.Name = c.textAt(m["title"], path+".title")
		return Part{Kind: File, Media: media}
	case "thinking":
		c.r.use(FeatureReasoning, path)
		t := unmarkThought(c.textAt(m["signature"], path+".signature"))
		return Part{Kind: Reasoning, Text: c.textAt(m["thinking"], path+".thinking"), Thought: t}
	case "redacted_thinking":
		c.r.use(FeatureReasoning, path)
		t := unmarkThought(c.textAt(m["data"], path+".data"))
		if t.Format == formatClaude {
			t.Data, t.Signature = t.Signature, ""
		}
		return Part{Kind: Reasoning, Thought: t}
	case "tool_use":
		c.r.use(FeatureTools, path)
		call := &ToolCall{ID: c.textAt(m["id"], path+".id"), Name: c.textAt(m["name"], path+".name"), Args: "{}"}
		if in := m["input"]; in.IsObject() {
			call.Args = compact(in.Raw)
		} else if !null(in) {
			c.bad(path+".input", "is no object")
		}
		if call.ID == "" || call.Name == "" {
			c.bad(path, "has no id, or no name")
		}
		return Part{Kind: CallPart, Call: call}
	case "tool_result":
		p := Part{Kind: Result, Call: &ToolCall{ID: c.textAt(m["tool_use_id"], path+".tool_use_id")}, Parts: c.content(m["content"], path+".content")}
		p.Failed, _ = c.truth(m["is_error"], path+".is_error")
		return p
	default:
		c.refuse(path+".type", "is a kind of block that only Anthropic knows: "+quoted(cutText(kind, 64)), "leave it out, or call a Claude model")
	}
	return Part{}
}

func (c *messagesReader) source(v gjson.Result, path string) *Media {
	media := &Media{}
	if !c.object(v, path) {
		c.bad(path, "is missing")
		return media
	}
	m := members(v)
	switch kind := c.textAt(m["type"], path+".type"); kind {
	case "base64":
		media.Type = c.textAt(m["media_type"], path+".media_type")
		var ok bool
		if media.Data, ok = standardBase64(c.textAt(m["data"], path+".data")); !ok {
			c.bad(path+".data", "is no base64")
		}
	case "text":
		media.Type, media.Data = "text/plain", base64Of(c.textAt(m["data"], path+".data"))
	case "url":
		media.URL = c.textAt(m["url"], path+".url")
	default:
		c.refuse(path+".type", "cannot be translated: "+quoted(cutText(kind, 32)), "send the data itself")
	}
	return media
}

// Reasoning of other providers goes through clients of Anthropic's dialect in places that those pass back as they
// are: the signature of a block of thinking, the data of a redacted one. The mark tells it from Claude's own.
const (
	markThought = "sluice.thought."
	markCall    = "sluice.call."
)

// marked packs a thought that is not Claude's.
func marked(t *Thought) string {
	return markThought + t.Format + "." + base64Of(t.ID) + "." + base64Of(t.Signature) + "." + base64Of(t.Data)
}

// unmarkThought unpacks it. What has no mark is Claude's own signature; nothing at all is nobody's.
func unmarkThought(s string) *Thought {
	if s == "" {
		return &Thought{}
	}
	if call, ok := strings.CutPrefix(s, markCall); ok {
		id, signature, _ := strings.Cut(call, ".")
		return &Thought{Format: markCall, ID: fromBase64(id), Data: fromBase64(signature)}
	}
	rest, ok := strings.CutPrefix(s, markThought)
	if !ok {
		return &Thought{Format: formatClaude, Signature: s}
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 4 {
		return &Thought{Format: "unknown"}
	}
	return &Thought{Format: parts[0], ID: fromBase64(parts[1]), Signature: fromBase64(parts[2]), Data: fromBase64(parts[3])}
}

// unmark gives calls their signatures back.
func (r *Request) unmark() {
	for i := range r.Messages {
		m := &r.Messages[i]
		kept := m.Parts[:0:0]
		signatures := map[string]string{}
		for _, p := range m.Parts {
			if p.Kind == Reasoning && p.Thought.Format == markCall {
				signatures[p.Thought.ID] = p.Thought.Data
				continue
			}
			if p.Kind == CallPart && signatures[p.Call.ID] != "" {
				p.Call.Signature = signatures[p.Call.ID]
			}
			kept = append(kept, p)
		}
		m.Parts = kept
	}
}
