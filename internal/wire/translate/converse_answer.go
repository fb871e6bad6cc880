package translate

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/eventstream"
)

// converseDecoder reads an answer of Bedrock's Converse: JSON, or frames of Amazon's event stream.
type converseDecoder struct {
	ctx     *Context
	emit    func(Event)
	split   eventstream.Splitter
	json    []byte
	begun   bool
	whole   bool // it is no stream
	blocks  map[int64]*messagesBlock
	calls   int
	thought int
	stop    string
	stopped bool
	failed  bool
}

func newConverseDecoder(c *Context) decoder {
	return &converseDecoder{ctx: c, blocks: map[int64]*messagesBlock{}}
}

func (d *converseDecoder) write(p []byte, emit func(Event)) {
	d.emit = emit
	if !d.begun {
		if len(d.json) == 0 {
			p = bytes.TrimLeft(p, " \t\r\n")
		}
		if len(p) == 0 {
			return
		}
		d.begun, d.whole = true, p[0] == '{'
	}
	switch {
	case d.failed:
	case !d.whole:
		d.split.Write(p, d)
		if d.split.Broken() {
			d.fail(faultOf(502, "the provider's stream is damaged"))
		}
	case len(d.json)+len(p) <= maxEvent:
		d.json = append(d.json, p...)
	}
}

func (d *converseDecoder) fail(f *Fault) {
	if !d.failed {
		d.failed = true
		d.emit(Event{Kind: EventFault, Fault: f})
	}
}

// Message implements eventstream.Handler.
func (d *converseDecoder) Message(m eventstream.Message) {
	if d.failed {
		return
	}
	v, _ := parse(m.Payload)
	switch string(m.Header(":message-type")) {
	case "exception":
		kind := string(m.Header(":exception-type"))
		d.fail(exception(kind, v.Get("message").Str+v.Get("originalMessage").Str))
		return
	case "error":
		d.fail(exception(string(m.Header(":error-code")), string(m.Header(":error-message"))))
		return
	}
	index := v.Get("contentBlockIndex").Int()
	switch string(m.Header(":event-type")) {
	case "messageStart":
		d.emit(Event{Kind: EventStart})
	case "contentBlockStart":
		if use := v.Get("start.toolUse"); use.IsObject() {
			d.begin(index, use)
		}
	case "contentBlockDelta":
		d.delta(index, v.Get("delta"))
	case "contentBlockStop":
		d.end(index)
	case "messageStop":
		d.stop, d.stopped = v.Get("stopReason").Str, true
	}
}

func (d *converseDecoder) begin(index int64, use gjson.Result) {
	d.blocks[index] = &messagesBlock{kind: "tool_use", number: d.calls}
	d.emit(Event{Kind: EventCall, Call: d.calls, ID: use.Get("toolUseId").Str, Name: use.Get("name").Str})
	d.calls++
}

func (d *converseDecoder) delta(index int64, v gjson.Result) {
	if text := v.Get("text").Str; text != "" {
		d.emit(Event{Kind: EventText, Text: text})
	}
	if b := d.blocks[index]; b != nil && b.kind == "tool_use" {
		if input := v.Get("toolUse.input").Str; input != "" {
			d.emit(Event{Kind: EventArgs, Call: b.number, Text: input})
		}
		return
	}
	if r := v.Get("reasoningContent"); r.IsObject() {
		b := d.blocks[index]
		if b == nil {
			b = &messagesBlock{kind: "thinking", number: d.thought}
			d.blocks[index] = b
			d.thought++
		}
		d.reasoning(b.number, r.Get("text").Str, r.Get("signature").Str, r.Get("redactedContent").Str)
	}
}

func (d *converseDecoder) reasoning(block int, text, signature, redacted string) {
	if text != "" {
		d.emit(Event{Kind: EventReasoning, Text: text, Block: block})
	}
	if signature != "" || redacted != "" {
		d.emit(Event{Kind: EventThought, Thought: &Thought{Format: formatClaude, Signature: signature, Data: redacted}, Block: block})
	}
}

func (d *converseDecoder) end(index int64) {
	if b := d.blocks[index]; b != nil {
		delete(d.blocks, index)
		if b.kind == "tool_use" {
			d.emit(Event{Kind: EventCallEnd, Call: b.number})
		}
	}
}

func (d *converseDecoder) close(emit func(Event)) {
	d.emit = emit
	if d.whole && !d.failed {
		d.answer()
	}
	if !d.stopped || d.failed {
		return
	}
	emit(Event{Kind: EventFinish, Finish: d.reason(), Native: d.stop})
	emit(Event{Kind: EventEnd})
}

func (d *converseDecoder) reason() Finish {
	switch d.stop {
	case "max_tokens", "model_context_window_exceeded":
		return FinishLength
	case "guardrail_intervened", "content_filtered":
		return FinishFilter
	case "tool_use":
		if d.calls > 0 {
			return FinishTools
		}
	}
	return FinishStop
}

// answer takes an answer that is no stream.
func (d *converseDecoder) answer() {
	v, ok := parse(d.json)
	if !ok {
		return
	}
	content := v.Get("output.message.content")
	if !content.IsArray() {
		if m := v.Get("message"); m.Type == gjson.String {
			d.fail(exception("", m.Str))
		}
		return
	}
	d.emit(Event{Kind: EventStart})
	content.ForEach(func(_, b gjson.Result) bool {
		switch {
		case b.Get("toolUse").IsObject():
			use := b.Get("toolUse")
			d.begin(-1, use)
			if in := use.Get("input"); in.IsObject() {
				d.emit(Event{Kind: EventArgs, Call: d.calls - 1, Text: compact(in.Raw)})
			}
			d.end(-1)
		case b.Get("reasoningContent").IsObject():
			r := b.Get("reasoningContent")
			d.reasoning(d.thought, r.Get("reasoningText.text").Str, r.Get("reasoningText.signature").Str, r.Get("redactedContent").Str)
			d.thought++
		case b.Get("citationsContent").IsObject():
			b.Get("citationsContent.content.#.text").ForEach(func(_, t gjson.Result) bool {
				d.emit(Event{Kind: EventText, Text: t.Str})
				return true
			})
		case b.Get("text").Str != "":
			d.emit(Event{Kind: EventText, Text: b.Get("text").Str})
		}
		return true
	})
	d.stop, d.stopped = v.Get("stopReason").Str, true
}

// converseFault reads an error answer of Bedrock's: its kind stands in a header.
func converseFault(status int, h sluice.Header, body []byte) *Fault {
	v, ok := parse(body)
	if !ok {
		return plainFault(status, h, body)
	}
	kind, _, _ := strings.Cut(h.Get("x-amzn-errortype"), ":")
	message := v.Get("message").Str + v.Get("Message").Str
	if message == "" {
		message = kind
	}
	f := faultOf(statusOf(status, kind), message)
	f.After = h.Get("Retry-After")
	return f
}

// exception is an error within an answer of status 200, by the name of its kind.
func exception(kind, message string) *Fault {
	if message == "" {
		message = kind
	}
	f := faultOf(statusOf(0, kind), message)
	if kind != "" {
		f.Code = kind
	}
	return f
}

// statusOf is the status of an error by the name of its kind. status is the one that it came with; 0: none.
func statusOf(status int, kind string) int {
	own := map[string]int{
		"throttling": 429, "modelstreamerror": 424, "modelerror": 424, "internalserver": 500, "validation": 400, "serviceunavailable": 503,
		"modeltimeout": 408, "accessdenied": 403, "resourcenotfound": 404, "unrecognizedclient": 401, "invalidsignature": 401, "expiredtoken": 401,
		"modelnotready": 503, "servicequotaexceeded": 429,
	}[strings.ToLower(strings.TrimSuffix(kind, "Exception"))]
	switch {
	case own != 0 && (status == 0 || own == 401):
		return own
	case status == 0:
		return 502
	}
	return status
}
