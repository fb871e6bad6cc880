package translate

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

// parseBody checks that a body is one JSON object.
func parseBody(body []byte) (gjson.Result, error) {
	if !gjson.ValidBytes(body) {
		return gjson.Result{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "body", Msg: "the body is not valid JSON"}
	}
	v := gjson.ParseBytes(body)
	if !v.IsObject() {
		return gjson.Result{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "body", Msg: "the body is no JSON object"}
	}
	return v, nil
}

// chatReader reads a chat completions request.
type chatReader struct {
	reader
	r *Request
}

// decodeChat reads a request of OpenAI's chat completions, the older functions and extensions of other servers
// among it.
func decodeChat(body []byte) (*Request, error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	c := &chatReader{r: &Request{MaxTokens: -1, N: -1, TopLogprobs: -1, Budget: -1}}
	read := chatFields()
	var legacyMax int64 = -1
	v.ForEach(func(key, value gjson.Result) bool {
		switch f := read[key.Str]; {
		case key.Str == "max_tokens":
			legacyMax = c.count(value, "max_tokens")
			c.r.use(FeatureMaxTokens, "max_tokens")
		case f != nil:
			if !null(value) {
				f(c, value)
			}
		case !null(value):
			c.r.extra = append(c.r.extra, field{key.Str, value.Raw})
		}
		return c.err == nil
	})
	if c.r.MaxTokens < 0 {
		c.r.MaxTokens = legacyMax
	}
	if c.err == nil && len(c.r.Messages) == 0 {
		c.bad("messages", "is missing, or has no message")
	}
	if c.r.allowed != nil {
		c.r.Tools = slices.DeleteFunc(c.r.Tools, func(t ToolSpec) bool { return !c.r.allowed[t.Name] })
	}
	c.r.arrange(&c.reader)
	return c.r, c.failed()
}

// chatFields are the top-level fields of a chat completions request.
func chatFields() map[string]func(c *chatReader, v gjson.Result) {
	number := func(to func(r *Request) *string, f Feature, name string) func(c *chatReader, v gjson.Result) {
		return func(c *chatReader, v gjson.Result) {
			*to(c.r) = c.number(v, name)
			c.r.use(f, name)
		}
	}
	return map[string]func(c *chatReader, v gjson.Result){
		"model":             func(c *chatReader, v gjson.Result) { c.r.Model = c.textAt(v, "model") },
		"stream":            func(c *chatReader, v gjson.Result) { c.r.Stream, _ = c.truth(v, "stream") },
		"stream_options":    (*chatReader).streamOptions,
		"messages":          (*chatReader).messages,
		"tools":             (*chatReader).tools,
		"functions":         (*chatReader).functions,
		"tool_choice":       (*chatReader).toolChoice,
		"function_call":     (*chatReader).toolChoice,
		"response_format":   (*chatReader).format,
		"stop":              (*chatReader).stop,
		"logprobs":          (*chatReader).logprobs,
		"modalities":        (*chatReader).modalities,
		"audio":             func(c *chatReader, _ gjson.Result) { c.r.use(FeatureAudioOut, "audio") },
		"temperature":       number(func(r *Request) *string { return &r.Temperature }, FeatureTemperature, "temperature"),
		"top_p":             number(func(r *Request) *string { return &r.TopP }, FeatureTopP, "top_p"),
		"top_k":             number(func(r *Request) *string { return &r.TopK }, FeatureTopK, "top_k"),
		"seed":              number(func(r *Request) *string { return &r.Seed }, FeatureSeed, "seed"),
		"presence_penalty":  number(func(r *Request) *string { return &r.Presence }, FeaturePenalties, "presence_penalty"),
		"frequency_penalty": number(func(r *Request) *string { return &r.Frequency }, FeaturePenalties, "frequency_penalty"),
		"top_logprobs":      func(c *chatReader, v gjson.Result) { c.r.TopLogprobs = c.count(v, "top_logprobs") },
		"user": func(c *chatReader, v gjson.Result) {
			c.r.User = c.textAt(v, "user")
			c.r.use(FeatureUser, "user")
		},
		"safety_identifier": func(c *chatReader, v gjson.Result) {
			if s := c.textAt(v, "safety_identifier"); c.r.User == "" {
				c.r.User = s
			}
			c.r.use(FeatureUser, "safety_identifier")
		},
		"service_tier": func(c *chatReader, v gjson.Result) {
			c.r.Tier = c.textAt(v, "service_tier")
			c.r.use(FeatureTier, "service_tier")
		},
		"reasoning_effort": func(c *chatReader, v gjson.Result) {
			c.r.Effort = c.textAt(v, "reasoning_effort")
			c.r.use(FeatureEffort, "reasoning_effort")
		},
		"max_completion_tokens": func(c *chatReader, v gjson.Result) {
			c.r.MaxTokens = c.count(v, "max_completion_tokens")
			c.r.use(FeatureMaxTokens, "max_completion_tokens")
		},
		"parallel_tool_calls": func(c *chatReader, v gjson.Result) {
			if b, known := c.truth(v, "parallel_tool_calls"); known {
				c.r.Parallel = &b
				c.r.use(FeatureParallel, "parallel_tool_calls")
			}
		},
		"n": func(c *chatReader, v gjson.Result) {
			if c.r.N = c.count(v, "n"); c.r.N > 1 {
				c.r.use(FeatureN, "n")
			}
		},
	}
}

func (c *chatReader) streamOptions(v gjson.Result) {
	c.object(v, "stream_options")
	c.r.IncludeUsage, _ = c.truth(members(v)["include_usage"], "stream_options.include_usage")
	c.r.use(FeatureStreamUsage, "stream_options")
}

func (c *chatReader) logprobs(v gjson.Result) {
	if c.r.Logprobs, _ = c.truth(v, "logprobs"); c.r.Logprobs {
		c.r.use(FeatureLogprobs, "logprobs")
	}
}

func (c *chatReader) modalities(v gjson.Result) {
	c.each(v, "modalities", func(v gjson.Result, path string) {
		if c.textAt(v, path) == "audio" {
			c.r.use(FeatureAudioOut, "modalities")
		}
	})
}

func (c *chatReader) stop(v gjson.Result) {
	c.r.use(FeatureStop, "stop")
	add := func(v gjson.Result, path string) {
		if s := c.textAt(v, path); s != "" {
			c.r.Stop = append(c.r.Stop, s)
		}
	}
	if v.Type == gjson.String {
		add(v, "stop")
		return
	}
	c.each(v, "stop", add)
}

func (c *chatReader) format(v gjson.Result) {
	if !c.object(v, "response_format") {
		return
	}
	m := members(v)
	kind := c.textAt(m["type"], "response_format.type")
	switch kind {
	case "text", "":
		return
	case "json_object":
	case "json_schema":
		c.object(m["json_schema"], "response_format.json_schema")
		s := members(m["json_schema"])
		f := &c.r.Format
		f.Name = c.textAt(s["name"], "response_format.json_schema.name")
		f.Description = c.textAt(s["description"], "response_format.json_schema.description")
		f.Strict, _ = c.truth(s["strict"], "response_format.json_schema.strict")
		if !s["schema"].IsObject() {
			c.bad("response_format.json_schema.schema", "is missing, or no object")
		}
		f.Schema = s["schema"].Raw
	default:
		c.bad("response_format.type", "is none of text, json_object, json_schema")
	}
	c.r.Format.Kind = kind
	c.r.use(FeatureFormat, "response_format")
}

func (c *chatReader) tools(v gjson.Result) {
	c.each(v, "tools", func(v gjson.Result, path string) {
		if !c.object(v, path) {
			return
		}
		m := members(v)
		switch kind := c.textAt(m["type"], path+".type"); kind {
		case "function", "":
			cache := m["cache_control"]
			if !cache.Exists() {
				cache = m["function"].Get("cache_control")
			}
			c.function(m["function"], path+".function", cache.Raw)
		case "custom":
			t := members(m["custom"])
			c.addTool(&ToolSpec{
				Name: c.textAt(t["name"], path+".custom.name"), Description: c.textAt(t["description"], path+".custom.description"), Custom: true,
				Schema: `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`, Path: path,
			})
		default:
			c.bad(path+".type", "is neither function nor custom")
		}
	})
}

func (c *chatReader) functions(v gjson.Result) {
	c.r.legacy = true
	c.each(v, "functions", func(v gjson.Result, path string) { c.function(v, path, "") })
}

func (c *chatReader) function(v gjson.Result, path, cache string) {
	if !v.IsObject() {
		c.bad(path, "is missing, or no object")
		return
	}
	m := members(v)
	t := &ToolSpec{Name: c.textAt(m["name"], path+".name"), Description: c.textAt(m["description"], path+".description"), Cache: cache, Path: path}
	t.Strict, _ = c.truth(m["strict"], path+".strict")
	if p := m["parameters"]; !null(p) {
		if !p.IsObject() {
			c.bad(path+".parameters", "is no object")
		}
		t.Schema = p.Raw
	}
	c.addTool(t)
}

func (c *chatReader) addTool(t *ToolSpec) {
	if t.Name == "" {
		c.bad(t.Path+".name", "is missing")
		return
	}
	c.r.use(FeatureTools, "tools")
	if t.Strict {
		c.r.use(FeatureStrict, t.Path+".strict")
	}
	if t.Cache != "" {
		c.r.use(FeatureCache, t.Path+".cache_control")
	}
	c.r.Tools = append(c.r.Tools, *t)
}

func (c *chatReader) toolChoice(v gjson.Result) {
	c.r.use(FeatureToolChoice, "tool_choice")
	if v.Type == gjson.String {
		switch v.Str {
		case "auto", "none", "required":
			c.r.Choice.Mode = v.Str
		default:
			c.bad("tool_choice", "is none of auto, none, required, and no object")
		}
		return
	}
	if !c.object(v, "tool_choice") {
		return
	}
	m := members(v)
	if m["type"].Str == "allowed_tools" {
		c.allowed(m["allowed_tools"])
		return
	}
	named := m["function"]
	if m["type"].Str == "custom" {
		named = m["custom"]
	}
	name := members(named)["name"]
	if null(named) {
		name = m["name"] // of function_call
	}
	c.r.Choice = Choice{Mode: "named", Name: c.textAt(name, "tool_choice.function.name")}
	if c.r.Choice.Name == "" {
		c.bad("tool_choice.function.name", "is missing")
	}
}

// allowed keeps only the tools that the request allows.
func (c *chatReader) allowed(v gjson.Result) {
	m := members(v)
	c.r.Choice.Mode = c.textAt(m["mode"], "tool_choice.allowed_tools.mode")
	if c.r.Choice.Mode != "required" {
		c.r.Choice.Mode = "auto"
	}
	names := map[string]bool{}
	c.each(m["tools"], "tool_choice.allowed_tools.tools", func(v gjson.Result, path string) {
		names[c.textAt(v.Get("function.name"), path+".function.name")+c.textAt(v.Get("custom.name"), path+".custom.name")] = true
	})
	c.r.allowed = names
}

// messages reads the conversation.
func (c *chatReader) messages(v gjson.Result) {
	leading := true
	c.each(v, "messages", func(v gjson.Result, path string) {
		if !v.IsObject() {
			c.bad(path, "is no object")
			return
		}
		m := members(v)
		msg := Message{Path: path}
		switch role := c.textAt(m["role"], path+".role"); role {
		case "system", "developer":
			msg.Role = System
			if leading {
				c.r.use(FeatureSystem, path)
			} else {
				c.r.use(FeatureLateSystem, path)
			}
			msg.Parts = c.content(m["content"], path+".content")
		case "user":
			msg.Role = User
			msg.Parts = c.content(m["content"], path+".content")
		case "assistant":
			msg.Role = Assistant
			msg.Parts = c.assistant(m, path)
		case "tool", "function":
			msg.Role = Tools
			call := &ToolCall{ID: c.textAt(m["tool_call_id"], path+".tool_call_id")}
			if role == "function" {
				call.ID, call.Name = "", c.textAt(m["name"], path+".name")
			}
			msg.Parts = []Part{{Kind: Result, Call: call, Parts: c.content(m["content"], path+".content"), Cache: m["cache_control"].Raw, Path: path}}
		default:
			c.bad(path+".role", "is none of system, developer, user, assistant, tool, function")
		}
		leading = leading && msg.Role == System
		if cache := m["cache_control"]; cache.IsObject() && len(msg.Parts) > 0 && msg.Role != Tools {
			msg.Parts[len(msg.Parts)-1].Cache = cache.Raw
			c.r.use(FeatureCache, path+".cache_control")
		}
		c.r.Messages = append(c.r.Messages, msg)
	})
}

// content reads a message's content: a text, or parts.
func (c *chatReader) content(v gjson.Result, path string) []Part {
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
		p := c.part(members(v), path)
		p.Path = path
		if cache := v.Get("cache_control"); cache.IsObject() {
			p.Cache = cache.Raw
			c.r.use(FeatureCache, path+".cache_control")
		}
		parts = append(parts, p)
	})
	return parts
}

func (c *chatReader) part(m map[string]gjson.Result, path string) Part {
	switch kind := c.textAt(m["type"], path+".type"); kind {
	case "text", "input_text", "output_text":
		return Part{Kind: Text, Text: c.textAt(m["text"], path+".text")}
	case "refusal":
		return Part{Kind: Text, Text: c.textAt(m["refusal"], path+".refusal")}
	case "image_url", "video_url":
		c.r.use(FeatureImage, path)
		return c.image(m[kind], path+"."+kind)
	case "input_audio":
		c.r.use(FeatureAudio, path)
		a := members(m["input_audio"])
		media := &Media{Type: "audio/" + c.textAt(a["format"], path+".input_audio.format")}
		var ok bool
		if media.Data, ok = standardBase64(c.textAt(a["data"], path+".input_audio.data")); !ok {
			c.bad(path+".input_audio.data", "is no base64")
		}
		return Part{Kind: Audio, Media: media}
	case "file":
		c.r.use(FeatureFile, path)
		return c.file(members(m["file"]), path+".file")
	default:
		c.bad(path+".type", "is not a kind of content that can be translated: "+quoted(cutText(kind, 32)))
	}
	return Part{}
}

func (c *chatReader) image(v gjson.Result, path string) Part {
	at := path + ".url"
	u, detail := v, ""
	if v.IsObject() {
		m := members(v)
		u, detail = m["url"], c.textAt(m["detail"], path+".detail")
	} else {
		at = path // some clients send the address alone
	}
	address := c.textAt(u, at)
	media := &Media{URL: address}
	if strings.HasPrefix(strings.ToLower(cutText(address, 8)), "data:") {
		var ok bool
		if media, ok = dataURL(address); !ok {
			c.bad(at, "is a data: URL that cannot be read")
			return Part{}
		}
	} else if address == "" {
		c.bad(at, "is missing")
	}
	media.Detail = detail
	return Part{Kind: Image, Media: media}
}

func (c *chatReader) file(m map[string]gjson.Result, path string) Part {
	if id := c.textAt(m["file_id"], path+".file_id"); id != "" {
		c.refuse(path+".file_id", "names a file that only its own provider knows", "send the file itself in file_data")
		return Part{}
	}
	data := c.textAt(m["file_data"], path+".file_data")
	media, ok := dataURL(data)
	if !ok {
		raw, fine := standardBase64(data)
		if !fine || data == "" {
			c.bad(path+".file_data", "is no data: URL")
			return Part{}
		}
		media = &Media{Data: raw, Type: sniff(raw)}
	}
	media.Name = c.textAt(m["filename"], path+".filename")
	return Part{Kind: File, Media: media}
}

// assistant reads what the model has said before.
func (c *chatReader) assistant(m map[string]gjson.Result, path string) []Part {
	parts := c.thoughts(m, path)
	parts = append(parts, c.content(m["content"], path+".content")...)
	if refusal := c.textAt(m["refusal"], path+".refusal"); refusal != "" {
		parts = append(parts, Part{Kind: Text, Text: refusal, Path: path + ".refusal"})
	}
	if call := m["function_call"]; call.IsObject() {
		c.r.legacy = true
		parts = append(parts, c.call(members(call), "call_"+hashOf(path+call.Raw, 24), path+".function_call"))
	}
	c.each(m["tool_calls"], path+".tool_calls", func(v gjson.Result, path string) {
		if !v.IsObject() {
			c.bad(path, "is no object")
			return
		}
		t := members(v)
		id := c.textAt(t["id"], path+".id")
		if id == "" {
			c.bad(path+".id", "is missing")
		}
		if t["type"].Str == "custom" {
			custom := members(t["custom"])
			call := &ToolCall{ID: id, Name: c.textAt(custom["name"], path+".custom.name"), Args: c.textAt(custom["input"], path+".custom.input"), Custom: true}
			parts = append(parts, Part{Kind: CallPart, Call: call, Path: path})
			return
		}
		p := c.call(members(t["function"]), id, path)
		p.Call.Signature = c.textAt(v.Get("extra_content.google.thought_signature"), path+".extra_content.google.thought_signature")
		parts = append(parts, p)
	})
	return parts
}

func (c *chatReader) call(m map[string]gjson.Result, id, path string) Part {
	c.r.use(FeatureTools, path)
	call := &ToolCall{ID: id, Name: c.textAt(m["name"], path+".function.name")}
	if args := m["arguments"]; args.IsObject() {
		call.Args = args.Raw // of clients that write it so
	} else {
		call.Args = c.textAt(args, path+".function.arguments")
	}
	if call.Name == "" {
		c.bad(path+".function.name", "is missing")
	}
	return Part{Kind: CallPart, Call: call, Path: path}
}

// thoughts reads reasoning that the client passes back: in the form that answers have here, or in that of other
// gateways; text alone where nothing else is there.
func (c *chatReader) thoughts(m map[string]gjson.Result, path string) []Part {
	var parts []Part
	text := c.textAt(m["reasoning_content"], path+".reasoning_content")
	if reasoning := m["reasoning"]; text == "" && reasoning.Type == gjson.String {
		text = reasoning.Str
	}
	c.each(m["reasoning_details"], path+".reasoning_details", func(v gjson.Result, path string) {
		d := members(v)
		t := &Thought{
			Format: c.textAt(d["format"], path+".format"), Signature: c.textAt(d["signature"], path+".signature"),
			Data: c.textAt(d["data"], path+".data"), ID: c.textAt(d["id"], path+".id"), Summary: d["type"].Str == "reasoning.summary",
		}
		said := c.textAt(d["text"], path+".text") + c.textAt(d["summary"], path+".summary")
		parts = append(parts, Part{Kind: Reasoning, Text: said, Thought: t, Path: path})
	})
	if len(parts) == 0 {
		c.each(m["thinking_blocks"], path+".thinking_blocks", func(v gjson.Result, path string) {
			d := members(v)
			t := &Thought{Format: formatClaude, Signature: c.textAt(d["signature"], path+".signature"), Data: c.textAt(d["data"], path+".data")}
			parts = append(parts, Part{Kind: Reasoning, Text: c.textAt(d["thinking"], path+".thinking"), Thought: t, Path: path})
		})
	}
	parts = withText(parts, text)
	if len(parts) > 0 {
		c.r.use(FeatureReasoning, path+".reasoning_content")
	}
	return parts
}

// withText gives a signature its text back: in a stream, the text comes as reasoning_content, and the signature
// alone in reasoning_details.
func withText(parts []Part, text string) []Part {
	if text == "" {
		return parts
	}
	bare := -1
	for i := range parts {
		switch t := parts[i].Thought; {
		case parts[i].Text != "":
			return parts
		case t.Signature != "" && bare >= 0:
			return append(parts[:0], Part{Kind: Reasoning, Text: text, Thought: &Thought{}}) // whose text is whose cannot be told
		case t.Signature != "":
			bare = i
		}
	}
	if bare >= 0 {
		parts[bare].Text = text
		return parts
	}
	return append([]Part{{Kind: Reasoning, Text: text, Thought: &Thought{}}}, parts...)
}
