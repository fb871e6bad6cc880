package translate

import (
	"strconv"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

func newChatEncoder(c *Context) encoder {
	if c.Stream {
		return &chatStream{chatHead: chatHead{ctx: c}}
	}
	return &chatWhole{chatHead: chatHead{ctx: c}}
}

// chatHead is what a whole answer and each chunk have in common.
type chatHead struct {
	out
	ctx     *Context
	id      string
	model   string
	created int64
}

func (h *chatHead) start(e *Event) { h.id, h.model, h.created = e.ID, e.Model, e.Created }

func (h *chatHead) head(object string) {
	h.open('{')
	h.key("id").str(h.id)
	h.key("object").str(object)
	h.key("created").int(h.created)
	h.key("model").str(h.model)
}

// chatSaid is what an answer of one choice has said so far.
type chatSaid struct {
	calls  map[int]*chatCall
	order  []int
	finish Finish
}

// chatCall is a call as far as it is known.
type chatCall struct {
	id, name, signature string
	args                []byte
	custom              bool
	begun, ended        bool
}

func (s *chatSaid) call(e *Event, ctx *Context) *chatCall {
	if s.calls == nil {
		s.calls = map[int]*chatCall{}
	}
	c := s.calls[e.Call]
	if c == nil {
		c = &chatCall{}
		s.calls[e.Call] = c
		s.order = append(s.order, e.Call)
	}
	if e.Kind == EventCall {
		c.id, c.name, c.signature, c.custom = e.ID, e.Name, e.Signature, ctx.custom[e.Name]
		if c.id == "" {
			c.id = "call_" + hashOf(ctx.ID+strconv.Itoa(e.Choice)+"/"+strconv.Itoa(e.Call), 24)
		}
	}
	return c
}

// reason is the finish reason that OpenAI's clients expect: with calls it is tool_calls, whatever a provider
// says that has simply stopped.
func (s *chatSaid) reason(legacy bool) string {
	r := s.finish
	if r == "" {
		r = FinishStop
	}
	if r == FinishStop && len(s.order) > 0 {
		r = FinishTools
	}
	if r == FinishTools && len(s.order) == 0 {
		r = FinishStop
	}
	if r == FinishTools && legacy {
		return "function_call"
	}
	return string(r)
}

// customInput is the text that a custom tool takes, out of the object that stands for it.
func customInput(args []byte) string {
	if v := gjson.GetBytes(args, "input"); v.Type == gjson.String && gjson.ValidBytes(args) {
		return v.Str
	}
	return string(args)
}

// chatStream writes a stream of chunks: a first one with the role, deltas, one with the finish reason for each
// choice, usage, [DONE]. Nothing follows the end.
type chatStream struct {
	chatHead
	choices map[int]*chatSaid
	order   []int
	done    bool
}

func (s *chatStream) bytes() []byte {
	b := s.b
	s.b = s.b[:0]
	return b
}

// choice begins a choice with its first event.
func (s *chatStream) choice(n int) *chatSaid {
	if s.choices == nil {
		s.choices = map[int]*chatSaid{}
	}
	c := s.choices[n]
	if c == nil {
		c = &chatSaid{}
		s.choices[n] = c
		s.order = append(s.order, n)
		s.chunk(n, func() {
			s.key("role").str("assistant")
			s.key("content").str("")
		}, "")
	}
	return c
}

// chunk writes a chunk of one delta.
func (s *chatStream) chunk(choice int, delta func(), finish string) {
	s.b = append(s.b, "data: "...)
	s.head("chat.completion.chunk")
	s.key("choices").open('[')
	s.open('{')
	s.key("index").int(int64(choice))
	s.key("delta").open('{')
	delta()
	s.close('}')
	s.key("logprobs").raw("null")
	s.key("finish_reason").raw(orNull(finish))
	s.close('}')
	s.close(']')
	if s.ctx.IncludeUsage {
		s.key("usage").raw("null")
	}
	s.close('}')
	s.b = append(s.b, "\n\n"...)
}

func (s *chatStream) event(e *Event) {
	if s.done {
		return
	}
	switch e.Kind {
	case EventStart:
		s.start(e)
		s.choice(e.Choice)
	case EventKeepAlive:
		s.b = append(s.b, ": keep-alive\n\n"...)
	case EventText:
		s.say(e, "content")
	case EventRefusal:
		s.say(e, "refusal")
	case EventReasoning:
		s.say(e, "reasoning_content")
	case EventThought:
		s.choice(e.Choice)
		s.chunk(e.Choice, func() {
			s.key("reasoning_details").open('[')
			writeThought(&s.out, e.Thought, e.Text, e.Block)
			s.close(']')
		}, "")
	case EventCall, EventArgs, EventCallEnd:
		s.call(e)
	case EventMedia:
		s.choice(e.Choice)
		s.chunk(e.Choice, func() {
			s.key("images").open('[')
			writeImage(&s.out, e.Media)
			s.close(']')
		}, "")
	case EventExtra:
		s.choice(e.Choice)
		s.chunk(e.Choice, func() { s.key(e.Name).raw(e.Text) }, "")
	case EventFinish:
		s.choice(e.Choice).finish = e.Finish
	case EventFault:
		s.done = true
		s.b = append(append(append(s.b, "data: "...), chatError(e.Fault)...), "\n\n"...)
	case EventEnd:
		s.end()
	}
}

func (s *chatStream) say(e *Event, member string) {
	s.choice(e.Choice)
	if e.Text != "" {
		s.chunk(e.Choice, func() { s.key(member).str(e.Text) }, "")
	}
}

// call writes what is new of a call. That of a custom tool waits until it is whole.
func (s *chatStream) call(e *Event) {
	said := s.choice(e.Choice)
	c := said.call(e, s.ctx)
	if c.ended {
		return
	}
	if c.custom {
		c.args = append(c.args, e.Text...)
		if c.ended = e.Kind == EventCallEnd; c.ended {
			s.chunk(e.Choice, func() {
				s.key("tool_calls").open('[')
				s.open('{')
				s.key("index").int(int64(e.Call))
				writeCustom(&s.out, c)
				s.close('}')
				s.close(']')
			}, "")
		}
		return
	}
	switch {
	case e.Kind == EventCallEnd:
		s.endCall(e.Choice, e.Call, c)
	case !c.begun:
		c.begun = true
		c.args = append(c.args, e.Text...)
		s.toolChunk(e.Choice, func() {
			s.key("index").int(int64(e.Call))
			s.key("id").str(c.id)
			s.key("type").str("function")
			s.key("function").open('{')
			s.key("name").str(c.name)
			s.key("arguments").str(e.Text)
			s.close('}')
			writeSignature(&s.out, c)
		}, func() {
			s.key("name").str(c.name)
			s.key("arguments").str(e.Text)
		})
	case e.Text != "":
		c.args = append(c.args, e.Text...)
		s.piece(e.Choice, e.Call, e.Text)
	}
}

// endCall makes sure that a call has arguments: clients parse them.
func (s *chatStream) endCall(choice, call int, c *chatCall) {
	if c.ended || c.custom {
		return
	}
	c.ended = true
	if len(c.args) == 0 {
		s.piece(choice, call, "{}")
	}
	c.args = nil
}

func (s *chatStream) piece(choice, call int, text string) {
	s.toolChunk(choice, func() {
		s.key("index").int(int64(call))
		s.key("function").open('{')
		s.key("arguments").str(text)
		s.close('}')
	}, func() { s.key("arguments").str(text) })
}

// toolChunk writes a delta of a call, in the form that the request had.
func (s *chatStream) toolChunk(choice int, modern, legacy func()) {
	s.chunk(choice, func() {
		if s.ctx.legacy {
			s.key("function_call").open('{')
			legacy()
			s.close('}')
			return
		}
		s.key("tool_calls").open('[')
		s.open('{')
		modern()
		s.close('}')
		s.close(']')
	}, "")
}

func (s *chatStream) end() {
	s.done = true
	s.choice(firstOf(s.order))
	for _, n := range s.order {
		said := s.choices[n]
		for _, call := range said.order {
			s.endCall(n, call, said.calls[call])
		}
		s.chunk(n, func() {}, said.reason(s.ctx.legacy))
	}
	if u := s.ctx.used(); s.ctx.IncludeUsage && u.Known() {
		s.b = append(s.b, "data: "...)
		s.head("chat.completion.chunk")
		s.key("choices").raw("[]")
		s.key("usage")
		writeChatUsage(&s.out, &u)
		s.close('}')
		s.b = append(s.b, "\n\n"...)
	}
	s.b = append(s.b, "data: [DONE]\n\n"...)
}

func firstOf(order []int) int {
	if len(order) > 0 {
		return order[0]
	}
	return 0
}

// used is the answer's usage, as far as it is known.
func (c *Context) used() sluice.Usage {
	if c.Usage == nil {
		return sluice.Usage{}
	}
	return c.Usage()
}

// writeChatUsage writes usage as OpenAI does: cached tokens are part of the prompt's.
func writeChatUsage(o *out, u *sluice.Usage) {
	get := func(c sluice.Class) int64 { n, _ := u.Get(c); return n }
	input, output := get(sluice.Input), get(sluice.Output)
	o.open('{')
	o.key("prompt_tokens").int(input)
	o.key("completion_tokens").int(output)
	o.key("total_tokens").int(input + output)
	o.key("prompt_tokens_details").open('{')
	o.key("cached_tokens").int(get(sluice.CacheRead))
	o.key("cache_write_tokens").int(get(sluice.CacheWrite5m) + get(sluice.CacheWrite1h))
	known := func(name string, c sluice.Class) {
		if n, ok := u.Get(c); ok {
			o.key(name).int(n)
		}
	}
	known("audio_tokens", sluice.AudioIn)
	known("image_tokens", sluice.ImageIn)
	o.close('}')
	o.key("completion_tokens_details").open('{')
	o.key("reasoning_tokens").int(get(sluice.Reasoning))
	known("audio_tokens", sluice.AudioOut)
	o.close('}')
	o.close('}')
}

// writeThought writes an element of reasoning_details, in the form that OpenRouter gave it.
func writeThought(o *out, t *Thought, text string, index int) {
	o.open('{')
	switch {
	case t.Data != "":
		o.key("type").str("reasoning.encrypted")
		o.key("data").str(t.Data)
	case t.Summary:
		o.key("type").str("reasoning.summary")
		o.key("summary").str(text)
	default:
		o.key("type").str("reasoning.text")
		o.text("text", text)
		o.text("signature", t.Signature)
	}
	o.text("id", t.ID)
	o.text("format", t.Format)
	o.key("index").int(int64(index))
	o.close('}')
}

// writeImage writes a picture that the model made, in the form that OpenRouter gave it.
func writeImage(o *out, m *Media) {
	o.open('{')
	o.key("type").str("image_url")
	o.key("image_url").open('{')
	o.key("url").str(dataURLOf(m))
	o.close('}')
	o.close('}')
}

// writeSignature writes Google's thought signature where Google's own clients look for it.
func writeSignature(o *out, c *chatCall) {
	if c.signature == "" {
		return
	}
	o.key("extra_content").open('{')
	o.key("google").open('{')
	o.key("thought_signature").str(c.signature)
	o.close('}')
	o.close('}')
}

func writeCustom(o *out, c *chatCall) {
	o.key("id").str(c.id)
	o.key("type").str("custom")
	o.key("custom").open('{')
	o.key("name").str(c.name)
	o.key("input").str(customInput(c.args))
	o.close('}')
}

// chatWhole writes a whole answer.
type chatWhole struct {
	chatHead
	choices map[int]*chatMessage
	order   []int
}

// chatMessage is a choice being gathered.
type chatMessage struct {
	chatSaid
	content, refusal, reasoning []byte
	said, refused               bool
	blocks                      []chatThought
	images                      []*Media
	extra                       []field
}

// chatThought is a block of reasoning.
type chatThought struct {
	index   int
	text    []byte
	thought *Thought
}

func (w *chatWhole) bytes() []byte {
	b := w.b
	w.b = nil
	return b
}

func (w *chatWhole) choice(n int) *chatMessage {
	if w.choices == nil {
		w.choices = map[int]*chatMessage{}
	}
	m := w.choices[n]
	if m == nil {
		m = &chatMessage{}
		w.choices[n] = m
		w.order = append(w.order, n)
	}
	return m
}

// block returns the block of reasoning of an event.
func (m *chatMessage) block(index int) *chatThought {
	for i := range m.blocks {
		if m.blocks[i].index == index {
			return &m.blocks[i]
		}
	}
	m.blocks = append(m.blocks, chatThought{index: index})
	return &m.blocks[len(m.blocks)-1]
}

func (w *chatWhole) event(e *Event) {
	switch e.Kind {
	case EventStart:
		w.start(e)
		return
	case EventEnd:
		w.end()
		return
	case EventFault, EventKeepAlive:
		return
	}
	m := w.choice(e.Choice)
	switch e.Kind {
	case EventText:
		m.said = true
		m.content = append(m.content, e.Text...)
	case EventRefusal:
		m.refused = true
		m.refusal = append(m.refusal, e.Text...)
	case EventReasoning:
		m.reasoning = append(m.reasoning, e.Text...)
		b := m.block(e.Block)
		b.text = append(b.text, e.Text...)
	case EventThought:
		m.block(e.Block).thought = e.Thought
		if e.Text != "" {
			b := m.block(e.Block)
			b.text = append(b.text, e.Text...)
		}
	case EventCall, EventArgs, EventCallEnd:
		c := m.call(e, w.ctx)
		c.args = append(c.args, e.Text...)
	case EventMedia:
		m.images = append(m.images, e.Media)
	case EventExtra:
		m.extra = append(m.extra, field{e.Name, e.Text})
	case EventFinish:
		m.finish = e.Finish
	}
}

func (w *chatWhole) end() {
	w.choice(firstOf(w.order))
	w.head("chat.completion")
	w.key("choices").open('[')
	for _, n := range w.order {
		m := w.choices[n]
		w.open('{')
		w.key("index").int(int64(n))
		w.key("message").open('{')
		w.message(m)
		w.close('}')
		w.key("logprobs").raw("null")
		w.key("finish_reason").str(m.reason(w.ctx.legacy))
		w.close('}')
	}
	w.close(']')
	if u := w.ctx.used(); u.Known() {
		w.key("usage")
		writeChatUsage(&w.out, &u)
	}
	w.close('}')
}

func (w *chatWhole) message(m *chatMessage) {
	w.key("role").str("assistant")
	switch {
	case m.said || len(m.order) == 0 && !m.refused && len(m.images) == 0:
		w.key("content").str(string(m.content))
	default:
		w.key("content").raw("null")
	}
	w.key("refusal").raw(orNull(string(m.refusal)))
	w.text("reasoning_content", string(m.reasoning))
	w.thoughts(m)
	if len(m.images) > 0 {
		w.key("images").open('[')
		for _, i := range m.images {
			writeImage(&w.out, i)
		}
		w.close(']')
	}
	for _, f := range m.extra {
		w.key(f.name).raw(f.json)
	}
	w.calls(m)
}

func (w *chatWhole) thoughts(m *chatMessage) {
	begun := false
	for _, b := range m.blocks {
		if b.thought == nil {
			continue // text alone is of no use to a machine
		}
		if !begun {
			w.key("reasoning_details").open('[')
			begun = true
		}
		writeThought(&w.out, b.thought, string(b.text), b.index)
	}
	if begun {
		w.close(']')
	}
}

func (w *chatWhole) calls(m *chatMessage) {
	if len(m.order) == 0 {
		return
	}
	if w.ctx.legacy {
		c := m.calls[m.order[0]]
		w.key("function_call").open('{')
		w.key("name").str(c.name)
		w.key("arguments").str(argsOf(c))
		w.close('}')
		return
	}
	w.key("tool_calls").open('[')
	for _, n := range m.order {
		c := m.calls[n]
		w.open('{')
		if c.custom {
			writeCustom(&w.out, c)
		} else {
			w.key("id").str(c.id)
			w.key("type").str("function")
			w.key("function").open('{')
			w.key("name").str(c.name)
			w.key("arguments").str(argsOf(c))
			w.close('}')
			writeSignature(&w.out, c)
		}
		w.close('}')
	}
	w.close(']')
}

// argsOf are the arguments of a call: an object, if only an empty one.
func argsOf(c *chatCall) string {
	if len(c.args) == 0 {
		return "{}"
	}
	return string(c.args)
}
