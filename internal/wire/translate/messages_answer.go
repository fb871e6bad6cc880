package translate

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

// messagesDecoder reads an answer of Anthropic's Messages.
type messagesDecoder struct {
	ctx      *Context
	in       events
	emit     func(Event)
	blocks   map[int64]*messagesBlock
	calls    int
	thoughts int
	text     bool
	stop     string
	refusal  string
}

// messagesBlock is a block of content that is open.
type messagesBlock struct {
	kind   string
	number int    // of the call, or of the block of reasoning
	input  string // of a call, as it came with the block's start
	pieces bool   // pieces of the call's input have come
	answer bool   // it is the tool that stands for the schema of the answer
}

func newMessagesDecoder(c *Context) decoder {
	d := &messagesDecoder{ctx: c, blocks: map[int64]*messagesBlock{}}
	d.in = events{each: d.event, whole: d.whole}
	return d
}

func (d *messagesDecoder) write(p []byte, emit func(Event)) {
	d.emit = emit
	d.in.write(p)
}

func (d *messagesDecoder) close(emit func(Event)) {
	d.emit = emit
	d.in.close()
}

// event takes an event of a stream. What it does not know, it leaves out.
func (d *messagesDecoder) event(_ string, data []byte) {
	v, ok := parse(data)
	if !ok {
		return
	}
	switch v.Get("type").Str {
	case "message_start":
		m := v.Get("message")
		d.emit(Event{Kind: EventStart, ID: m.Get("id").Str, Model: m.Get("model").Str})
		m.Get("content").ForEach(func(_, b gjson.Result) bool {
			d.block(b)
			return true
		})
	case "content_block_start":
		d.begin(v.Get("index").Int(), v.Get("content_block"))
	case "content_block_delta":
		d.delta(v.Get("index").Int(), v.Get("delta"))
	case "content_block_stop":
		d.end(v.Get("index").Int())
	case "message_delta":
		d.stopped(v.Get("delta"))
	case "message_stop":
		d.finish()
	case "ping":
		d.emit(Event{Kind: EventKeepAlive})
	case "error":
		d.emit(Event{Kind: EventFault, Fault: anthropicFault(0, v)})
	}
}

func (d *messagesDecoder) begin(index int64, block gjson.Result) {
	b := &messagesBlock{kind: block.Get("type").Str}
	d.blocks[index] = b
	switch b.kind {
	case "text":
		d.say(EventText, block.Get("text").Str, 0)
	case "thinking":
		b.number = d.thoughts
		d.thoughts++
		d.say(EventReasoning, block.Get("thinking").Str, b.number)
		d.sign(block.Get("signature").Str, b.number)
	case "redacted_thinking":
		d.emit(Event{Kind: EventThought, Thought: &Thought{Format: formatClaude, Data: block.Get("data").Str}, Block: d.thoughts})
		d.thoughts++
	case "tool_use":
		if b.answer = d.ctx.jsonTool && block.Get("name").Str == jsonTool; b.answer {
			break
		}
		b.number = d.calls
		d.calls++
		d.emit(Event{Kind: EventCall, Call: b.number, ID: block.Get("id").Str, Name: block.Get("name").Str})
		if input := block.Get("input"); input.IsObject() && len(compact(input.Raw)) > 2 {
			b.input = compact(input.Raw)
		}
	}
}

// say emits a text, unless it is empty.
func (d *messagesDecoder) say(kind EventKind, text string, block int) {
	if text != "" {
		d.text = d.text || kind == EventText
		d.emit(Event{Kind: kind, Text: text, Block: block})
	}
}

func (d *messagesDecoder) sign(signature string, block int) {
	if signature != "" {
		d.emit(Event{Kind: EventThought, Thought: &Thought{Format: formatClaude, Signature: signature}, Block: block})
	}
}

func (d *messagesDecoder) delta(index int64, delta gjson.Result) {
	b := d.blocks[index]
	if b == nil {
		b = &messagesBlock{kind: "text"} // of servers that leave the start out
		d.blocks[index] = b
	}
	switch delta.Get("type").Str {
	case "text_delta":
		d.say(EventText, delta.Get("text").Str, 0)
	case "thinking_delta":
		d.say(EventReasoning, delta.Get("thinking").Str, b.number)
	case "signature_delta":
		d.sign(delta.Get("signature").Str, b.number)
	case "input_json_delta":
		piece := delta.Get("partial_json").Str
		if b.kind != "tool_use" || piece == "" {
			return // a server's own tool, whose input is not for the client
		}
		b.pieces = true
		d.args(b, piece)
	}
}

func (d *messagesDecoder) args(b *messagesBlock, piece string) {
	if b.answer {
		d.say(EventText, piece, 0)
		return
	}
	d.emit(Event{Kind: EventArgs, Call: b.number, Text: piece})
}

func (d *messagesDecoder) end(index int64) {
	b := d.blocks[index]
	if b == nil {
		return
	}
	delete(d.blocks, index)
	if b.kind != "tool_use" {
		return
	}
	if !b.pieces && b.input != "" {
		d.args(b, b.input)
	}
	if !b.answer {
		d.emit(Event{Kind: EventCallEnd, Call: b.number})
	}
}

// block takes a whole block.
func (d *messagesDecoder) block(v gjson.Result) {
	d.begin(-1, v)
	d.end(-1)
}

func (d *messagesDecoder) stopped(v gjson.Result) {
	if s := v.Get("stop_reason").Str; s != "" {
		d.stop = s
	}
	if s := v.Get("stop_details.explanation").Str; s != "" {
		d.refusal = s
	}
}

// finish ends the answer.
func (d *messagesDecoder) finish() {
	for index := range d.blocks { // of servers that leave the stop out
		d.end(index)
	}
	if d.stop == "refusal" && !d.text && d.refusal != "" {
		d.emit(Event{Kind: EventRefusal, Text: d.refusal})
	}
	d.emit(Event{Kind: EventFinish, Finish: d.reason(), Native: d.stop})
	d.emit(Event{Kind: EventEnd})
}

func (d *messagesDecoder) reason() Finish {
	switch d.stop {
	case "max_tokens", "model_context_window_exceeded":
		return FinishLength
	case "refusal":
		return FinishFilter
	case "tool_use":
		if d.calls > 0 {
			return FinishTools
		}
	}
	return FinishStop
}

// whole takes an answer that is no stream.
func (d *messagesDecoder) whole(data []byte) {
	v, ok := parse(data)
	if !ok {
		return
	}
	if v.Get("type").Str == "error" || v.Get("error").Exists() && !v.Get("content").Exists() {
		d.emit(Event{Kind: EventFault, Fault: anthropicFault(0, v)})
		return
	}
	d.emit(Event{Kind: EventStart, ID: v.Get("id").Str, Model: v.Get("model").Str})
	v.Get("content").ForEach(func(_, b gjson.Result) bool {
		d.block(b)
		return true
	})
	d.stopped(v)
	d.finish()
}

// messagesFault reads an error answer of Anthropic's.
func messagesFault(status int, h sluice.Header, body []byte) *Fault {
	if v, ok := parse(body); ok {
		f := anthropicFault(status, v)
		f.After = h.Get("Retry-After")
		return f
	}
	return plainFault(status, h, body)
}

// anthropicFault reads an error object. status 0: it came within an answer of status 200.
func anthropicFault(status int, v gjson.Result) *Fault {
	kind, message := v.Get("error.type").Str, v.Get("error.message").Str
	own := map[string]int{
		"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
		"not_found_error": 404, "conflict_error": 409, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
		"timeout_error": 504, "overloaded_error": 529,
	}[kind]
	if status == 0 {
		if status = own; status == 0 {
			status = 502
		}
	}
	if message == "" {
		message = strings.Trim(v.Get("error").String()+v.Get("message").Str, `" `)
	}
	if message == "" {
		message = "the provider answered with status " + strconv.Itoa(status)
	}
	f := faultOf(status, message)
	if kind == "overloaded_error" {
		f.Type, f.Code = "overloaded_error", "overloaded"
	}
	return f
}
