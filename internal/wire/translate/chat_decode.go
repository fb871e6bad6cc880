package translate

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

// chatDecoder reads an answer of OpenAI's chat completions, and what the servers that copy it make of it.
type chatDecoder struct {
	ctx     *Context
	in      events
	emit    func(Event)
	started bool
	ended   bool
	choices []*chatIn
}

// chatIn is a choice.
type chatIn struct {
	index  int
	calls  []*chatInCall
	finish string
}

// chatInCall is a call: a server may give several calls one index, which their ids tell apart.
type chatInCall struct {
	slot  int64
	id    string
	input completion
}

func newChatDecoder(c *Context) decoder {
	d := &chatDecoder{ctx: c}
	d.in = events{each: d.event, whole: d.whole}
	d.in.alive = func() { d.emit(Event{Kind: EventKeepAlive}) }
	return d
}

func (d *chatDecoder) write(p []byte, emit func(Event)) {
	d.emit = emit
	d.in.write(p)
}

func (d *chatDecoder) event(_ string, data []byte) {
	if d.ended {
		return
	}
	if strings.TrimSpace(string(data)) == "[DONE]" {
		d.finish()
		return
	}
	v, ok := parse(data)
	if !ok || d.failed(v) {
		return
	}
	d.begin(v)
	v.Get("choices").ForEach(func(_, c gjson.Result) bool {
		d.choice(c, c.Get("delta"))
		return true
	})
}

func (d *chatDecoder) whole(data []byte) {
	v, ok := parse(data)
	if !ok || d.failed(v) {
		return
	}
	d.begin(v)
	v.Get("choices").ForEach(func(_, c gjson.Result) bool {
		d.choice(c, c.Get("message"))
		return true
	})
	if len(d.choices) > 0 {
		d.finish()
	}
}

// failed reports whether a chunk is an error.
func (d *chatDecoder) failed(v gjson.Result) bool {
	e := v.Get("error")
	if null(e) || e.Type == gjson.False {
		return false
	}
	d.ended = true
	d.emit(Event{Kind: EventFault, Fault: openAIFault(0, v)})
	return true
}

func (d *chatDecoder) begin(v gjson.Result) {
	if d.started || !v.Get("choices").IsArray() {
		return
	}
	d.started = true
	created := v.Get("created").Num
	if !(created > 0 && created < 1<<53) {
		created = 0
	}
	d.emit(Event{Kind: EventStart, ID: v.Get("id").String(), Model: v.Get("model").Str, Created: int64(created)})
}

func (d *chatDecoder) inChoice(index int) *chatIn {
	for _, c := range d.choices {
		if c.index == index {
			return c
		}
	}
	if len(d.choices) == maxChoices {
		return d.choices[0]
	}
	c := &chatIn{index: index}
	d.choices = append(d.choices, c)
	return c
}

// choice takes a delta, or a whole message.
func (d *chatDecoder) choice(v, m gjson.Result) {
	c := d.inChoice(int(v.Get("index").Int()))
	for _, name := range []string{"reasoning_content", "reasoning"} {
		if text := m.Get(name); text.Type == gjson.String && text.Str != "" {
			d.emit(Event{Kind: EventReasoning, Choice: c.index, Text: text.Str})
			break
		}
	}
	m.Get("reasoning_details").ForEach(func(_, t gjson.Result) bool {
		d.thought(c, t)
		return true
	})
	d.content(c, m.Get("content"))
	if text := m.Get("refusal"); text.Type == gjson.String && text.Str != "" {
		d.emit(Event{Kind: EventRefusal, Choice: c.index, Text: text.Str})
	}
	if f := m.Get("function_call"); f.IsObject() {
		d.call(c, 0, "", f, "")
	}
	n := int64(0)
	m.Get("tool_calls").ForEach(func(_, t gjson.Result) bool {
		slot := n
		if i := t.Get("index"); i.Type == gjson.Number {
			slot = i.Int()
		}
		f := t.Get("function")
		if t.Get("custom").IsObject() {
			f = t.Get("custom")
		}
		d.call(c, slot, t.Get("id").Str, f, t.Get("extra_content.google.thought_signature").Str)
		n++
		return true
	})
	if f := v.Get("finish_reason").Str; f != "" {
		c.finish = f
	}
}

// content takes a text, or Mistral's list of texts and thoughts.
func (d *chatDecoder) content(c *chatIn, v gjson.Result) {
	if v.Type == gjson.String {
		if v.Str != "" {
			d.emit(Event{Kind: EventText, Choice: c.index, Text: v.Str})
		}
		return
	}
	if !v.IsArray() {
		return
	}
	v.ForEach(func(_, p gjson.Result) bool {
		kind, from := EventText, []gjson.Result{p.Get("text")}
		if p.Get("type").Str == "thinking" {
			kind, from = EventReasoning, p.Get("thinking.#.text").Array()
			if p.Get("thinking").Type == gjson.String {
				from = []gjson.Result{p.Get("thinking")}
			}
		}
		for _, text := range from {
			if text.Str != "" {
				d.emit(Event{Kind: kind, Choice: c.index, Text: text.Str})
			}
		}
		return true
	})
}

func (d *chatDecoder) thought(c *chatIn, v gjson.Result) {
	t := &Thought{Format: v.Get("format").Str, Signature: v.Get("signature").Str, Data: v.Get("data").Str, ID: v.Get("id").Str}
	if t.Signature == "" && t.Data == "" {
		return // its text has come as reasoning
	}
	index := v.Get("index").Num
	if !(index >= 0 && index < math.MaxInt32) {
		index = 0
	}
	d.emit(Event{Kind: EventThought, Choice: c.index, Thought: t, Block: int(index)})
}

// maxCalls bounds the calls of one answer; more are left out.
const maxCalls = 1024

// call takes a piece of a call.
func (d *chatDecoder) call(c *chatIn, slot int64, id string, f gjson.Result, signature string) {
	name, args := f.Get("name").Str, f.Get("arguments")
	text := args.Str
	if args.IsObject() {
		text = compact(args.Raw) // of servers that do not quote it
	}
	if v := f.Get("input"); v.Type == gjson.String {
		text = `{"input":` + quoted(v.Str) + `}`
	}
	if id == "" && name == "" && text == "" {
		return
	}
	n := -1
	for i := len(c.calls) - 1; i >= 0; i-- {
		if k := c.calls[i]; k.slot == slot && (id == "" || k.id == id || name == "") {
			n = i
			break
		}
	}
	if n >= 0 && id == "" && name != "" && c.calls[n].input.whole {
		n = -1 // another call of a server that gives all of them one index and no id
	}
	if n < 0 {
		if len(c.calls) == maxCalls || name == "" {
			return
		}
		if id == "" {
			id = "call_" + hashOf(d.ctx.ID+strconv.Itoa(c.index)+"/"+strconv.Itoa(len(c.calls)), 24)
		}
		n = len(c.calls)
		c.calls = append(c.calls, &chatInCall{slot: slot, id: id})
		c.calls[n].input.feed(text)
		d.emit(Event{Kind: EventCall, Choice: c.index, Call: n, ID: id, Name: d.ctx.toolName(name), Signature: signature, Text: text})
		return
	}
	if text != "" {
		c.calls[n].input.feed(text)
		d.emit(Event{Kind: EventArgs, Choice: c.index, Call: n, Text: text})
	}
}

func (d *chatDecoder) finish() {
	if d.ended {
		return
	}
	d.ended = true
	for _, c := range d.choices {
		for n := range c.calls {
			d.emit(Event{Kind: EventCallEnd, Choice: c.index, Call: n})
		}
		d.emit(Event{Kind: EventFinish, Choice: c.index, Finish: chatFinish(c), Native: c.finish})
	}
	d.emit(Event{Kind: EventEnd})
}

// close ends an answer that has no [DONE]: it is whole when each choice has finished. NVIDIA's servers leave out
// the finish reason behind calls (earendil-works/pi pull 6225).
func (d *chatDecoder) close(emit func(Event)) {
	d.emit = emit
	d.in.close()
	if d.ended || len(d.choices) == 0 {
		return
	}
	for _, c := range d.choices {
		whole := len(c.calls) > 0
		for _, k := range c.calls {
			whole = whole && k.input.whole
		}
		if c.finish == "" && !whole {
			return
		}
	}
	d.finish()
}

func chatFinish(c *chatIn) Finish {
	switch c.finish {
	case "length", "model_length", "insufficient_system_resource", "model_context_window_exceeded":
		return FinishLength
	case "content_filter", "sensitive":
		return FinishFilter
	case "tool_calls", "function_call":
		return FinishTools
	}
	if len(c.calls) > 0 {
		return FinishTools
	}
	return FinishStop
}

// chatFault reads an error answer of OpenAI's dialect.
func chatFault(status int, h sluice.Header, body []byte) *Fault {
	v, ok := parse(body)
	if !ok {
		return plainFault(status, h, body)
	}
	f := openAIFault(status, v)
	f.After = h.Get("Retry-After")
	return f
}

// openAIFault reads an error object. status 0: it came within an answer of status 200.
func openAIFault(status int, v gjson.Result) *Fault {
	e := v.Get("error")
	message := e.Get("message").String()
	if !e.IsObject() {
		message = e.String()
	}
	if message == "" {
		message = v.Get("message").String()
	}
	if detail := v.Get("detail"); message == "" && detail.Exists() {
		message = detailText(detail)
	}
	if message == "" {
		message = "the provider answered with an error"
	}
	if status == 0 {
		if status = int(e.Get("code").Int()); status < 400 || status > 599 {
			status = 502
		}
	}
	f := faultOf(status, message)
	if kind := e.Get("type").Str; kind != "" {
		f.Type = kind
	}
	if code := e.Get("code"); code.Type == gjson.String && code.Str != "" {
		f.Code = code.Str
	}
	f.Param = e.Get("param").Str
	return f
}

// detailText is the text of what FastAPI says is wrong.
func detailText(v gjson.Result) string {
	if !v.IsArray() {
		return v.String()
	}
	var all []string
	v.ForEach(func(_, d gjson.Result) bool {
		var at []string
		d.Get("loc").ForEach(func(_, l gjson.Result) bool {
			at = append(at, l.String())
			return true
		})
		all = append(all, strings.Join(at, ".")+": "+d.Get("msg").String())
		return true
	})
	return strings.Join(all, "; ")
}
