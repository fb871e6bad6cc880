package translate

import (
	"strconv"

	sluice "github.com/sluicehq/sluice"
)

func newMessagesEncoder(c *Context) encoder {
	return &messagesEncoder{ctx: c, stream: c.Stream, calls: map[int]*messagesCall{}, open: noBlock}
}

// messagesEncoder writes an answer of Anthropic's Messages. One block is open at a time: while the input of a call
// is not whole, all else waits, in its order.
type messagesEncoder struct {
	out
	ctx     *Context
	stream  bool
	begun   bool
	done    bool
	head    Event
	index   int // of the block that is open, or comes next
	open    blockKind
	call    int // that is open
	block   messagesBody
	content out // blocks of a whole answer
	calls   map[int]*messagesCall
	called  bool
	finish  Finish
	waiting []Event
}

type blockKind uint8

const (
	noBlock blockKind = iota
	textBlock
	thinkingBlock
	callBlock
)

// messagesBody is the block that is open, as far as a whole answer needs it.
type messagesBody struct {
	text      []byte
	signature string
	id, name  string
}

// messagesCall is a call that is open.
type messagesCall struct {
	input completion
	ended bool
}

func (w *messagesEncoder) bytes() []byte {
	b := w.b
	w.b = w.b[:0]
	return b
}

// send writes an event of a stream.
func (w *messagesEncoder) send(name string, body func()) {
	w.b = append(append(append(w.b, "event: "...), name...), "\ndata: "...)
	w.out.open('{')
	w.key("type").str(name)
	body()
	w.out.close('}')
	w.b = append(w.b, "\n\n"...)
}

func (w *messagesEncoder) event(e *Event) {
	if w.done || e.Choice != 0 {
		return
	}
	switch e.Kind {
	case EventStart:
		w.start(e)
	case EventKeepAlive:
		if w.stream {
			w.send("ping", func() {})
		}
	case EventFinish:
		w.finish = e.Finish
	case EventFault:
		w.done = true
		if w.stream {
			w.b = append(append(append(w.b, "event: error\ndata: "...), messagesError(e.Fault)...), "\n\n"...)
		}
	case EventEnd:
		w.end()
	default:
		switch {
		case w.busy() && !w.ofOpenCall(e):
			w.waiting = append(w.waiting, *e)
		default:
			w.take(e)
			if len(w.waiting) > 0 && !w.busy() {
				w.proceed()
			}
		}
	}
}

func (w *messagesEncoder) start(e *Event) {
	w.begun, w.head = true, *e
	if !w.stream {
		return
	}
	w.send("message_start", func() {
		w.key("message").open('{')
		w.message(func() { w.key("content").raw("[]") }, "null")
		w.out.close('}')
	})
}

// message writes the members of a message.
func (w *messagesEncoder) message(content func(), stop string) {
	w.key("id").str(w.head.ID)
	w.key("type").str("message")
	w.key("role").str("assistant")
	w.key("model").str(w.head.Model)
	content()
	w.key("stop_reason").raw(stop)
	w.key("stop_sequence").raw("null")
	w.usage()
}

func (w *messagesEncoder) usage() {
	u := w.ctx.used()
	get := func(c sluice.Class) int64 { n, _ := u.Get(c); return n }
	read, write := get(sluice.CacheRead), get(sluice.CacheWrite5m)+get(sluice.CacheWrite1h)
	w.key("usage").open('{')
	w.key("input_tokens").int(max(get(sluice.Input)-read-write, 0))
	w.key("cache_creation_input_tokens").int(write)
	w.key("cache_read_input_tokens").int(read)
	w.key("output_tokens").int(get(sluice.Output))
	w.out.close('}')
}

// proceed takes what waits, until a call is open whose input is not whole.
func (w *messagesEncoder) proceed() {
	for {
		waiting := w.waiting
		w.waiting = nil
		for i := range waiting {
			e := &waiting[i]
			if len(w.waiting) > 0 && !w.busy() {
				w.waiting = append(w.waiting, waiting[i:]...) // what has waited longer comes first
				break
			}
			if w.busy() && !w.ofOpenCall(e) {
				w.waiting = append(w.waiting, *e)
			} else {
				w.take(e)
			}
		}
		if len(w.waiting) == 0 || w.busy() {
			return
		}
	}
}

// busy reports whether a call is open whose input is not whole.
func (w *messagesEncoder) busy() bool { return w.open == callBlock && !w.calls[w.call].ended }

func (w *messagesEncoder) ofOpenCall(e *Event) bool {
	return (e.Kind == EventArgs || e.Kind == EventCallEnd) && e.Call == w.call
}

// take writes an event whose turn it is.
func (w *messagesEncoder) take(e *Event) {
	switch e.Kind {
	case EventText, EventRefusal:
		if e.Text != "" {
			w.begin(textBlock, nil)
			w.delta("text_delta", "text", e.Text)
		}
	case EventReasoning:
		if e.Text != "" {
			w.begin(thinkingBlock, nil)
			w.delta("thinking_delta", "thinking", e.Text)
		}
	case EventThought:
		w.thought(e)
	case EventCall:
		if w.calls[e.Call] != nil {
			return
		}
		w.calls[e.Call] = &messagesCall{}
		w.called = true
		if e.Signature != "" {
			w.redacted(markCall + base64Of(w.callID(e)) + "." + base64Of(e.Signature))
		}
		w.begin(callBlock, e)
		w.input(e.Text)
	case EventArgs:
		if w.open == callBlock && w.call == e.Call {
			w.input(e.Text)
		}
	case EventCallEnd:
		if w.open == callBlock && w.call == e.Call {
			w.calls[e.Call].ended = true
		}
	}
}

func (w *messagesEncoder) callID(e *Event) string {
	if e.ID != "" {
		return plainID(e.ID, 128)
	}
	return "toolu_" + hashOf(w.ctx.ID+e.Name+strconv.Itoa(e.Call), 24)
}

// input takes a piece of the open call's input.
func (w *messagesEncoder) input(text string) {
	c := w.calls[w.call]
	if text == "" || c.ended {
		return
	}
	c.input.feed(text)
	w.delta("input_json_delta", "partial_json", text)
	c.ended = c.input.whole
}

func (w *messagesEncoder) thought(e *Event) {
	t := e.Thought
	if t.Format != formatClaude {
		if w.open == thinkingBlock && t.Signature != "" {
			w.sign(marked(t))
		} else if t.Signature != "" || t.Data != "" {
			w.redacted(marked(t))
		}
		return
	}
	if t.Data != "" {
		w.redacted(t.Data)
		return
	}
	w.begin(thinkingBlock, nil)
	if e.Text != "" {
		w.delta("thinking_delta", "thinking", e.Text)
	}
	w.sign(t.Signature)
}

// sign ends the open block of thinking with its signature.
func (w *messagesEncoder) sign(signature string) {
	w.block.signature = signature
	if w.stream {
		w.delta("signature_delta", "signature", signature)
	}
	w.endBlock()
}

func (w *messagesEncoder) redacted(data string) {
	w.endBlock()
	if w.stream {
		w.send("content_block_start", func() {
			w.key("index").int(int64(w.index))
			w.key("content_block").open('{')
			w.key("type").str("redacted_thinking")
			w.key("data").str(data)
			w.out.close('}')
		})
		w.send("content_block_stop", func() { w.key("index").int(int64(w.index)) })
	} else {
		w.content.open('{')
		w.content.key("type").str("redacted_thinking")
		w.content.key("data").str(data)
		w.content.close('}')
	}
	w.index++
}

// begin opens a block, unless one of its kind is open; calls have one each.
func (w *messagesEncoder) begin(kind blockKind, call *Event) {
	if w.open == kind && kind != callBlock {
		return
	}
	w.endBlock()
	w.open, w.block = kind, messagesBody{}
	if call != nil {
		w.call = call.Call
		w.block.id, w.block.name = w.callID(call), call.Name
	}
	if !w.stream {
		return
	}
	w.send("content_block_start", func() {
		w.key("index").int(int64(w.index))
		w.key("content_block").open('{')
		switch kind {
		case textBlock:
			w.key("type").str("text")
			w.key("text").str("")
		case thinkingBlock:
			w.key("type").str("thinking")
			w.key("thinking").str("")
			w.key("signature").str("")
		default:
			w.key("type").str("tool_use")
			w.key("id").str(w.block.id)
			w.key("name").str(w.block.name)
			w.key("input").raw("{}")
		}
		w.out.close('}')
	})
}

func (w *messagesEncoder) delta(kind, member, text string) {
	if !w.stream {
		w.block.text = append(w.block.text, text...)
		return
	}
	w.send("content_block_delta", func() {
		w.key("index").int(int64(w.index))
		w.key("delta").open('{')
		w.key("type").str(kind)
		w.key(member).str(text)
		w.out.close('}')
	})
}

// endBlock closes the open block, if there is one.
func (w *messagesEncoder) endBlock() {
	kind := w.open
	if kind == noBlock {
		return
	}
	w.open = noBlock
	if w.stream {
		w.send("content_block_stop", func() { w.key("index").int(int64(w.index)) })
		w.index++
		return
	}
	w.index++
	o, b := &w.content, &w.block
	o.open('{')
	switch kind {
	case textBlock:
		o.key("type").str("text")
		o.key("text").str(string(b.text))
	case thinkingBlock:
		o.key("type").str("thinking")
		o.key("thinking").str(string(b.text))
		o.key("signature").str(b.signature)
	default:
		o.key("type").str("tool_use")
		o.key("id").str(b.id)
		o.key("name").str(b.name)
		input := string(b.text)
		if _, ok := parse(b.text); !ok {
			input = "{}"
		}
		o.key("input").raw(input)
	}
	o.close('}')
}

func (w *messagesEncoder) end() {
	for w.busy() { // a call whose input never became whole ends where the answer does
		w.calls[w.call].ended = true
		w.proceed()
	}
	w.endBlock()
	w.done = true
	stop := quoted(w.stop())
	if w.stream {
		w.send("message_delta", func() {
			w.key("delta").open('{')
			w.key("stop_reason").raw(stop)
			w.key("stop_sequence").raw("null")
			w.out.close('}')
			w.usage()
		})
		w.send("message_stop", func() {})
		return
	}
	w.out.open('{')
	w.message(func() { w.key("content").raw("[" + string(w.content.b) + "]") }, stop)
	w.out.close('}')
}

func (w *messagesEncoder) stop() string {
	switch {
	case w.finish == FinishLength:
		return "max_tokens"
	case w.finish == FinishFilter:
		return "refusal"
	case w.called:
		return "tool_use"
	}
	return "end_turn"
}

// messagesError writes an error as Anthropic does.
func messagesError(f *Fault) []byte {
	kind := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
		409: "conflict_error", 413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
	}[f.Status]
	if kind == "" {
		kind = "api_error"
	}
	o := &out{}
	o.open('{')
	o.key("type").str("error")
	o.key("error").open('{')
	o.key("type").str(kind)
	o.key("message").str(f.Message)
	o.close('}')
	o.close('}')
	return o.b
}
