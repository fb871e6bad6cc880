package translate

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

// geminiDecoder reads an answer of Google's generateContent. It has no mark for its end: it is whole when each
// candidate has a finish reason and the bytes end.
type geminiDecoder struct {
	ctx     *Context
	in      events
	emit    func(Event)
	started bool
	id      string
	choices []*geminiChoice
	failed  bool
	blocked string
}

// geminiChoice is a candidate.
type geminiChoice struct {
	index    int
	calls    int
	thoughts int
	finish   string
}

func newGeminiDecoder(c *Context) decoder {
	d := &geminiDecoder{ctx: c}
	d.in = events{each: func(_ string, data []byte) { d.data(data) }, whole: d.data}
	return d
}

func (d *geminiDecoder) write(p []byte, emit func(Event)) {
	d.emit = emit
	d.in.write(p)
}

// data takes a chunk, or an array of them.
func (d *geminiDecoder) data(data []byte) {
	if !gjson.ValidBytes(data) {
		return
	}
	v := gjson.ParseBytes(data)
	if !v.IsArray() {
		d.chunk(v)
		return
	}
	v.ForEach(func(_, chunk gjson.Result) bool {
		d.chunk(chunk)
		return true
	})
}

func (d *geminiDecoder) chunk(v gjson.Result) {
	if !v.IsObject() || d.failed {
		return
	}
	if e := v.Get("error"); e.Exists() {
		d.failed = true
		d.emit(Event{Kind: EventFault, Fault: googleFault(0, v)})
		return
	}
	if !d.started {
		d.started = true
		d.id = v.Get("responseId").Str
		d.emit(Event{Kind: EventStart, ID: d.id, Model: v.Get("modelVersion").Str})
	}
	if reason := v.Get("promptFeedback.blockReason").Str; reason != "" {
		d.blocked = reason
	}
	v.Get("candidates").ForEach(func(_, c gjson.Result) bool {
		choice := d.choice(int(c.Get("index").Int()))
		c.Get("content.parts").ForEach(func(_, p gjson.Result) bool {
			d.part(choice, p)
			return true
		})
		if f := c.Get("finishReason").Str; f != "" {
			choice.finish = f
		}
		return true
	})
}

// maxChoices bounds how many answers one answer holds.
const maxChoices = 128

func (d *geminiDecoder) choice(index int) *geminiChoice {
	for _, c := range d.choices {
		if c.index == index {
			return c
		}
	}
	if len(d.choices) == maxChoices {
		return d.choices[0]
	}
	c := &geminiChoice{index: index}
	d.choices = append(d.choices, c)
	return c
}

func (d *geminiDecoder) part(c *geminiChoice, p gjson.Result) {
	e := Event{Choice: c.index}
	signature := p.Get("thoughtSignature").Str
	if call := p.Get("functionCall"); call.IsObject() {
		e.Kind, e.Call, e.Signature, e.ID = EventCall, c.calls, signature, call.Get("id").Str
		e.Name = d.ctx.toolName(call.Get("name").Str)
		if e.Text = "{}"; call.Get("args").IsObject() {
			e.Text = compact(call.Get("args").Raw)
		}
		if e.ID == "" {
			e.ID = "call_" + hashOf(d.ctx.ID+d.id+strconv.Itoa(c.index)+"/"+strconv.Itoa(c.calls), 24)
		}
		d.emit(e)
		d.emit(Event{Kind: EventCallEnd, Choice: c.index, Call: c.calls})
		c.calls++
		return
	}
	switch text := p.Get("text"); {
	case text.Str != "":
		if e.Kind, e.Text = EventText, text.Str; p.Get("thought").Bool() {
			e.Kind = EventReasoning
		}
		d.emit(e)
	case p.Get("inlineData").IsObject():
		data := p.Get("inlineData")
		e.Kind, e.Media = EventMedia, &Media{Type: data.Get("mimeType").Str, Data: data.Get("data").Str}
		d.emit(e)
	case p.Get("executableCode").IsObject():
		e.Kind, e.Text = EventText, "\n```"+strings.ToLower(p.Get("executableCode.language").Str)+"\n"+p.Get("executableCode.code").Str+"\n```\n"
		d.emit(e)
	case p.Get("codeExecutionResult").IsObject():
		e.Kind, e.Text = EventText, "\n```\n"+p.Get("codeExecutionResult.output").Str+"\n```\n"
		d.emit(e)
	}
	if signature != "" {
		d.emit(Event{Kind: EventThought, Choice: c.index, Thought: &Thought{Format: formatGemini, Data: signature}, Block: c.thoughts})
		c.thoughts++
	}
}

func (d *geminiDecoder) close(emit func(Event)) {
	d.emit = emit
	d.in.close()
	if d.failed || !d.started {
		return
	}
	if len(d.choices) == 0 && d.blocked != "" {
		emit(Event{Kind: EventRefusal, Text: "blocked: " + d.blocked})
		emit(Event{Kind: EventFinish, Finish: FinishFilter, Native: d.blocked})
		emit(Event{Kind: EventEnd})
		return
	}
	for _, c := range d.choices {
		if c.finish == "" {
			return // it broke off
		}
	}
	if len(d.choices) == 0 {
		return
	}
	for _, c := range d.choices {
		emit(Event{Kind: EventFinish, Choice: c.index, Finish: geminiFinish(c), Native: c.finish})
	}
	emit(Event{Kind: EventEnd})
}

func geminiFinish(c *geminiChoice) Finish {
	switch c.finish {
	case "MAX_TOKENS", "CONTINUATION":
		return FinishLength
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "LANGUAGE":
		return FinishFilter
	case "STOP":
		if c.calls > 0 {
			return FinishTools
		}
	}
	return FinishStop
}

// geminiFault reads an error answer of Google's.
func geminiFault(status int, h sluice.Header, body []byte) *Fault {
	if !gjson.ValidBytes(body) {
		return plainFault(status, h, body)
	}
	v := gjson.ParseBytes(body)
	if v.IsArray() {
		v = v.Get("0")
	}
	f := googleFault(status, v)
	if f.After == "" {
		f.After = h.Get("Retry-After")
	}
	return f
}

// googleFault reads an error object. status 0: it came within an answer of status 200.
func googleFault(status int, v gjson.Result) *Fault {
	e := v.Get("error")
	message, name := e.Get("message").Str, e.Get("status").Str
	if message == "" {
		message = e.String()
	}
	if status == 0 {
		if status = int(e.Get("code").Int()); status < 400 || status > 599 {
			status = 502
		}
	}
	reason, after, daily := "", "", false
	e.Get("details").ForEach(func(_, d gjson.Result) bool {
		if r := d.Get("reason").Str; r != "" {
			reason = r
		}
		if delay, ok := strings.CutSuffix(d.Get("retryDelay").Str, "s"); ok {
			if s, err := strconv.ParseFloat(delay, 64); err == nil && s >= 0 && s < 1e6 {
				after = strconv.Itoa(int(math.Ceil(s)))
			}
		}
		daily = daily || strings.Contains(d.Get("violations").Raw, "PerDay")
		return true
	})
	switch {
	case reason == "API_KEY_INVALID":
		status = 401
	case name == "RESOURCE_EXHAUSTED":
		status = 429
	case name == "DEADLINE_EXCEEDED":
		status = 504
	case name == "UNAUTHENTICATED":
		status = 401
	}
	f := faultOf(status, message)
	f.After = after
	if status == 429 && daily {
		f.Code = "insufficient_quota"
	}
	return f
}
