package translate

import (
	"strings"

	"github.com/tidwall/gjson"
)

// responsesCodec is OpenAI's Responses, as clients speak it.
func responsesCodec() *codec {
	return &codec{decode: decodeResponses, write: newResponsesEncoder, failed: chatError}
}

// responsesReader reads a request of OpenAI's Responses. What it shares with chats, a reader of those reads.
type responsesReader struct{ chatReader }

// decodeResponses reads a request of OpenAI's Responses, which a client speaks. What only a server that keeps
// responses can do is refused.
func decodeResponses(body []byte) (*Request, error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	c := &responsesReader{chatReader{r: &Request{MaxTokens: -1, N: -1, TopLogprobs: -1, Budget: -1, IncludeUsage: true}}}
	shared := chatFields()
	m := members(v)
	if text := c.textAt(m["instructions"], "instructions"); text != "" {
		c.r.use(FeatureSystem, "instructions")
		c.r.Messages = append(c.r.Messages, Message{Role: System, Parts: []Part{{Kind: Text, Text: text}}, Path: "instructions"})
	}
	c.input(m["input"])
	v.ForEach(func(key, value gjson.Result) bool {
		if !null(value) {
			c.field(key.Str, value, shared)
		}
		return c.err == nil
	})
	c.r.unmark()
	c.r.arrange(&c.reader)
	return c.r, c.failed()
}

func (c *responsesReader) field(name string, v gjson.Result, shared map[string]func(c *chatReader, v gjson.Result)) {
	switch name {
	case "input", "instructions":
	case "model", "stream", "temperature", "top_p", "user", "safety_identifier", "service_tier", "parallel_tool_calls":
		shared[name](&c.chatReader, v)
	case "max_output_tokens":
		c.r.MaxTokens = c.count(v, name)
		c.r.use(FeatureMaxTokens, name)
	case "reasoning":
		c.object(v, name)
		if c.r.Effort = c.textAt(v.Get("effort"), "reasoning.effort"); c.r.Effort != "" {
			c.r.use(FeatureEffort, "reasoning.effort")
		}
	case "text":
		c.object(v, name)
		c.textFormat(v.Get("format"))
	case "tools":
		c.flatTools(v)
	case "tool_choice":
		c.flatChoice(v)
	case "previous_response_id", "conversation", "prompt":
		c.refuse(name, "names what only OpenAI keeps", "send the whole conversation in input")
	case "background":
		if on, _ := c.truth(v, name); on {
			c.refuse(name, "is not something that a translated model can do", "leave it out")
		}
	default:
		c.r.extra = append(c.r.extra, field{name, v.Raw})
	}
}

func (c *responsesReader) textFormat(v gjson.Result) {
	switch kind := c.textAt(v.Get("type"), "text.format.type"); kind {
	case "", "text":
		return
	case "json_object":
		c.r.Format.Kind = kind
	case "json_schema":
		if !v.Get("schema").IsObject() {
			c.bad("text.format.schema", "is missing, or no object")
		}
		c.r.Format = Format{Kind: kind, Name: c.textAt(v.Get("name"), "text.format.name"), Schema: v.Get("schema").Raw}
		c.r.Format.Strict, _ = c.truth(v.Get("strict"), "text.format.strict")
	default:
		c.bad("text.format.type", "is none of text, json_object, json_schema")
	}
	c.r.use(FeatureFormat, "text.format")
}

func (c *responsesReader) flatTools(v gjson.Result) {
	c.each(v, "tools", func(v gjson.Result, path string) {
		m := members(v)
		switch kind := c.textAt(m["type"], path+".type"); kind {
		case "function":
			c.function(v, path, "")
		case "custom":
			c.addTool(&ToolSpec{
				Name: c.textAt(m["name"], path+".name"), Description: c.textAt(m["description"], path+".description"), Custom: true,
				Schema: `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`, Path: path,
			})
		default:
			c.refuse(path+".type", "names a tool that only OpenAI runs: "+quoted(cutText(kind, 64)), "leave it out, or call an OpenAI model")
		}
	})
}

func (c *responsesReader) flatChoice(v gjson.Result) {
	if name := v.Get("name"); v.IsObject() && name.Exists() {
		c.r.use(FeatureToolChoice, "tool_choice")
		c.r.Choice = Choice{Mode: "named", Name: c.textAt(name, "tool_choice.name")}
		return
	}
	if v.IsObject() {
		c.refuse("tool_choice", "names a tool that only OpenAI runs", "name a function")
		return
	}
	c.toolChoice(v)
}

// input reads the conversation: a text, or items.
func (c *responsesReader) input(v gjson.Result) {
	if v.Type == gjson.String {
		c.r.Messages = append(c.r.Messages, Message{Role: User, Parts: []Part{{Kind: Text, Text: v.Str, Path: "input"}}, Path: "input"})
		return
	}
	if null(v) {
		c.bad("input", "is missing")
		return
	}
	c.each(v, "input", c.item)
}

func (c *responsesReader) item(v gjson.Result, path string) {
	if !v.IsObject() {
		c.bad(path, "is no object")
		return
	}
	m := members(v)
	switch kind := c.textAt(m["type"], path+".type"); kind {
	case "message", "":
		c.message(m, path)
	case "function_call", "custom_tool_call":
		call := &ToolCall{ID: c.textAt(m["call_id"], path+".call_id"), Name: c.textAt(m["name"], path+".name")}
		if call.Custom = kind == "custom_tool_call"; call.Custom {
			call.Args = c.textAt(m["input"], path+".input")
		} else {
			call.Args = c.textAt(m["arguments"], path+".arguments")
		}
		if call.ID == "" || call.Name == "" {
			c.bad(path, "has no call_id, or no name")
		}
		c.r.use(FeatureTools, path)
		c.said(Part{Kind: CallPart, Call: call, Path: path}, path)
	case "function_call_output", "custom_tool_call_output":
		p := Part{Kind: Result, Call: &ToolCall{ID: c.textAt(m["call_id"], path+".call_id")}, Path: path}
		p.Parts = c.parts(m["output"], path+".output")
		c.r.Messages = append(c.r.Messages, Message{Role: Tools, Parts: []Part{p}, Path: path})
	case "reasoning":
		c.reasoning(m, path)
	default:
		c.refuse(path+".type", "is an item that only OpenAI knows: "+quoted(cutText(kind, 64)), "leave it out")
	}
}

// said adds a part to what the model has said: neighbours are one message.
func (c *responsesReader) said(p Part, path string) {
	if n := len(c.r.Messages); n > 0 && c.r.Messages[n-1].Role == Assistant {
		c.r.Messages[n-1].Parts = append(c.r.Messages[n-1].Parts, p)
		return
	}
	c.r.Messages = append(c.r.Messages, Message{Role: Assistant, Parts: []Part{p}, Path: path})
}

func (c *responsesReader) reasoning(m map[string]gjson.Result, path string) {
	c.r.use(FeatureReasoning, path)
	text := ""
	c.each(m["summary"], path+".summary", func(v gjson.Result, path string) { text += c.textAt(v.Get("text"), path+".text") })
	t := &Thought{}
	if data := c.textAt(m["encrypted_content"], path+".encrypted_content"); strings.HasPrefix(data, markThought) || strings.HasPrefix(data, markCall) {
		t = unmarkThought(data)
	} else if data != "" {
		t = &Thought{Format: formatOpenAI, Data: data, ID: c.textAt(m["id"], path+".id")}
	}
	c.said(Part{Kind: Reasoning, Text: text, Thought: t, Path: path}, path)
}

func (c *responsesReader) message(m map[string]gjson.Result, path string) {
	parts := c.parts(m["content"], path+".content")
	switch role := c.textAt(m["role"], path+".role"); role {
	case "assistant":
		for _, p := range parts {
			c.said(p, path)
		}
	case "user":
		c.r.Messages = append(c.r.Messages, Message{Role: User, Parts: parts, Path: path})
	case "system", "developer":
		c.r.use(FeatureSystem, path)
		c.r.Messages = append(c.r.Messages, Message{Role: System, Parts: parts, Path: path})
	default:
		c.bad(path+".role", "is none of user, assistant, system, developer")
	}
}

// parts reads content: a text, or parts by the names that Responses has for them.
func (c *responsesReader) parts(v gjson.Result, path string) []Part {
	if null(v) {
		return nil
	}
	if v.Type == gjson.String {
		return []Part{{Kind: Text, Text: v.Str, Path: path}}
	}
	var parts []Part
	c.each(v, path, func(v gjson.Result, path string) {
		m := members(v)
		var p Part
		switch kind := c.textAt(m["type"], path+".type"); kind {
		case "input_image":
			c.r.use(FeatureImage, path)
			p = c.image(m["image_url"], path+".image_url")
			if p.Media != nil {
				p.Media.Detail = c.textAt(m["detail"], path+".detail")
			}
		case "input_file":
			c.r.use(FeatureFile, path)
			p = c.file(m, path)
		default:
			p = c.part(m, path)
		}
		p.Path = path
		parts = append(parts, p)
	})
	return parts
}
