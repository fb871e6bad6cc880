package translate

import (
	"strconv"

	sluice "github.com/sluicehq/sluice"
)

func newResponsesEncoder(c *Context) encoder {
	return &responsesEncoder{ctx: c, calls: map[int]*responseItem{}}
}

// responsesEncoder writes an answer of OpenAI's Responses. Each item has its own index and id, so that calls may be
// open side by side; of texts, one is open at a time.
type responsesEncoder struct {
	out
	ctx    *Context
	head   Event
	number int64 // of the next event
	items  []*responseItem
	open   *responseItem // a message, or reasoning; nil: none
	calls  map[int]*responseItem
	finish Finish
	done   bool
}

// responseItem is an item of the output.
type responseItem struct {
	kind      string // message, reasoning, function_call, custom_tool_call
	index     int
	id        string
	text      []byte // of a call: its arguments
	refusal   bool
	callID    string
	name      string
	encrypted string
	done      bool
}

func (w *responsesEncoder) bytes() []byte {
	b := w.b
	w.b = w.b[:0]
	return b
}

// send writes an event of a stream; a whole answer has none.
func (w *responsesEncoder) send(kind string, body func()) {
	if !w.ctx.Stream {
		return
	}
	w.b = append(append(append(w.b, "event: "...), kind...), "\ndata: "...)
	w.out.open('{')
	w.key("type").str(kind)
	body()
	w.key("sequence_number").int(w.number)
	w.number++
	w.close('}')
	w.b = append(w.b, "\n\n"...)
}

func (w *responsesEncoder) event(e *Event) {
	if w.done || e.Choice != 0 {
		return
	}
	switch e.Kind {
	case EventStart:
		w.head = *e
		w.send("response.created", func() { w.response("in_progress", nil) })
		w.send("response.in_progress", func() { w.response("in_progress", nil) })
	case EventKeepAlive:
		if w.ctx.Stream {
			w.b = append(w.b, ": keep-alive\n\n"...)
		}
	case EventText, EventRefusal:
		w.say(e)
	case EventReasoning:
		w.think(e.Text)
	case EventThought:
		if e.Text != "" {
			w.think(e.Text)
		}
		if w.open == nil || w.open.kind != "reasoning" || w.open.encrypted != "" {
			w.begin("reasoning", "rs_")
		}
		w.open.encrypted = marked(e.Thought)
		w.endOpen()
	case EventCall:
		w.call(e)
	case EventArgs:
		if i := w.calls[e.Call]; i != nil && !i.done {
			w.args(i, e.Text)
		}
	case EventCallEnd:
		if i := w.calls[e.Call]; i != nil {
			w.end(i)
		}
	case EventFinish:
		w.finish = e.Finish
	case EventFault:
		w.done = true
		w.send("response.failed", func() { w.response("failed", e.Fault) })
	case EventEnd:
		w.complete()
	}
}

// begin opens an item of text.
func (w *responsesEncoder) begin(kind, prefix string) {
	w.endOpen()
	w.open = w.add(&responseItem{kind: kind}, prefix)
}

func (w *responsesEncoder) add(i *responseItem, prefix string) *responseItem {
	i.index = len(w.items)
	i.id = prefix + hashOf(w.head.ID+"/"+strconv.Itoa(i.index), 24)
	w.items = append(w.items, i)
	w.send("response.output_item.added", func() {
		w.key("output_index").int(int64(i.index))
		w.key("item")
		w.item(i, "in_progress")
	})
	return i
}

// place writes where an event belongs.
func (w *responsesEncoder) place(i *responseItem) {
	w.key("item_id").str(i.id)
	w.key("output_index").int(int64(i.index))
}

func (w *responsesEncoder) say(e *Event) {
	refusal := e.Kind == EventRefusal
	if e.Text == "" {
		return
	}
	if w.open == nil || w.open.kind != "message" || w.open.refusal != refusal {
		w.begin("message", "msg_")
		w.open.refusal = refusal
		w.send("response.content_part.added", func() {
			w.place(w.open)
			w.key("content_index").int(0)
			w.key("part")
			w.part(w.open, "")
		})
	}
	w.open.text = append(w.open.text, e.Text...)
	w.send(kindOf(w.open)+".delta", func() {
		w.place(w.open)
		w.key("content_index").int(0)
		w.key("delta").str(e.Text)
		if !refusal {
			w.key("logprobs").raw("[]")
		}
	})
}

// kindOf is the name of the events of a message's text.
func kindOf(i *responseItem) string {
	if i.refusal {
		return "response.refusal"
	}
	return "response.output_text"
}

func (w *responsesEncoder) think(text string) {
	if text == "" {
		return
	}
	if w.open == nil || w.open.kind != "reasoning" {
		w.begin("reasoning", "rs_")
		w.send("response.reasoning_summary_part.added", func() {
			w.place(w.open)
			w.key("summary_index").int(0)
			w.key("part").raw(`{"type":"summary_text","text":""}`)
		})
	}
	w.open.text = append(w.open.text, text...)
	w.send("response.reasoning_summary_text.delta", func() {
		w.place(w.open)
		w.key("summary_index").int(0)
		w.key("delta").str(text)
	})
}

func (w *responsesEncoder) call(e *Event) {
	if w.calls[e.Call] != nil {
		return
	}
	id := e.ID
	if id == "" {
		id = "call_" + hashOf(w.ctx.ID+"/"+strconv.Itoa(e.Call), 24)
	}
	if e.Signature != "" {
		w.begin("reasoning", "rs_")
		w.open.encrypted = markCall + base64Of(id) + "." + base64Of(e.Signature)
	}
	w.endOpen()
	i := &responseItem{kind: "function_call", callID: id, name: e.Name}
	prefix := "fc_"
	if w.ctx.custom[e.Name] {
		i.kind, prefix = "custom_tool_call", "ctc_"
	}
	w.calls[e.Call] = w.add(i, prefix)
	w.args(i, e.Text)
}

func (w *responsesEncoder) args(i *responseItem, text string) {
	if text == "" {
		return
	}
	i.text = append(i.text, text...)
	if i.kind == "function_call" {
		w.send("response.function_call_arguments.delta", func() {
			w.place(i)
			w.key("delta").str(text)
		})
	}
}

func (w *responsesEncoder) endOpen() {
	if w.open != nil {
		w.end(w.open)
		w.open = nil
	}
}

// end closes an item.
func (w *responsesEncoder) end(i *responseItem) {
	if i.done {
		return
	}
	i.done = true
	text := string(i.text)
	switch i.kind {
	case "message":
		member := "text"
		if i.refusal {
			member = "refusal"
		}
		w.send(kindOf(i)+".done", func() {
			w.place(i)
			w.key("content_index").int(0)
			w.key(member).str(text)
			if !i.refusal {
				w.key("logprobs").raw("[]")
			}
		})
		w.send("response.content_part.done", func() {
			w.place(i)
			w.key("content_index").int(0)
			w.key("part")
			w.part(i, text)
		})
	case "reasoning":
		if text != "" {
			w.send("response.reasoning_summary_text.done", func() {
				w.place(i)
				w.key("summary_index").int(0)
				w.key("text").str(text)
			})
			w.send("response.reasoning_summary_part.done", func() {
				w.place(i)
				w.key("summary_index").int(0)
				w.key("part").raw(`{"type":"summary_text","text":` + quoted(text) + `}`)
			})
		}
	case "function_call":
		if text == "" {
			i.text = []byte("{}")
		}
		w.send("response.function_call_arguments.done", func() {
			w.place(i)
			w.key("name").str(i.name)
			w.key("arguments").str(string(i.text))
		})
	default:
		i.text = []byte(customInput(i.text))
		w.send("response.custom_tool_call_input.done", func() {
			w.place(i)
			w.key("input").str(string(i.text))
		})
	}
	w.send("response.output_item.done", func() {
		w.key("output_index").int(int64(i.index))
		w.key("item")
		w.item(i, "completed")
	})
}

// part writes the content of a message.
func (w *responsesEncoder) part(i *responseItem, text string) {
	w.out.open('{')
	if i.refusal {
		w.key("type").str("refusal")
		w.key("refusal").str(text)
	} else {
		w.key("type").str("output_text")
		w.key("text").str(text)
		w.key("annotations").raw("[]")
		w.key("logprobs").raw("[]")
	}
	w.close('}')
}

func (w *responsesEncoder) item(i *responseItem, status string) {
	w.out.open('{')
	w.key("id").str(i.id)
	w.key("type").str(i.kind)
	switch i.kind {
	case "reasoning":
		w.key("summary").open('[')
		if i.done && len(i.text) > 0 {
			w.raw(`{"type":"summary_text","text":` + quoted(string(i.text)) + `}`)
		}
		w.close(']')
		if i.done {
			w.out.text("encrypted_content", i.encrypted)
		}
	case "message":
		w.key("status").str(status)
		w.key("role").str("assistant")
		w.key("content").open('[')
		if i.done {
			w.part(i, string(i.text))
		}
		w.close(']')
	default:
		w.key("status").str(status)
		w.key("call_id").str(i.callID)
		w.key("name").str(i.name)
		text := ""
		if i.done {
			text = string(i.text)
		}
		if i.kind == "function_call" {
			w.key("arguments").str(text)
		} else {
			w.key("input").str(text)
		}
	}
	w.close('}')
}

// complete ends the answer.
func (w *responsesEncoder) complete() {
	w.endOpen()
	for _, i := range w.items {
		w.end(i)
	}
	w.done = true
	status := "completed"
	if w.finish == FinishLength || w.finish == FinishFilter {
		status = "incomplete"
	}
	if !w.ctx.Stream {
		w.body(status, nil)
		return
	}
	w.send("response."+status, func() { w.response(status, nil) })
}

func (w *responsesEncoder) response(status string, f *Fault) {
	w.key("response")
	w.body(status, f)
}

// body writes the response as it is now.
func (w *responsesEncoder) body(status string, f *Fault) {
	w.out.open('{')
	w.key("id").str(w.head.ID)
	w.key("object").str("response")
	w.key("created_at").int(w.head.Created)
	w.key("status").str(status)
	if f == nil {
		w.key("error").raw("null")
	} else {
		w.key("error").raw(`{"code":` + quoted(f.Type) + `,"message":` + quoted(f.Message) + `}`)
	}
	switch {
	case status == "incomplete" && w.finish == FinishLength:
		w.key("incomplete_details").raw(`{"reason":"max_output_tokens"}`)
	case status == "incomplete":
		w.key("incomplete_details").raw(`{"reason":"content_filter"}`)
	default:
		w.key("incomplete_details").raw("null")
	}
	w.key("instructions").raw("null")
	w.key("metadata").raw("{}")
	w.key("model").str(w.head.Model)
	w.key("output").open('[')
	if status != "in_progress" {
		for _, i := range w.items {
			w.item(i, "completed")
		}
	}
	w.close(']')
	w.key("parallel_tool_calls").raw("true")
	w.key("tool_choice").str("auto")
	w.key("tools").raw("[]")
	w.key("usage")
	w.usage(status)
	w.close('}')
}

func (w *responsesEncoder) usage(status string) {
	u := w.ctx.used()
	if status == "in_progress" || !u.Known() {
		w.raw("null")
		return
	}
	get := func(c sluice.Class) int64 { n, _ := u.Get(c); return n }
	w.out.open('{')
	w.key("input_tokens").int(get(sluice.Input))
	w.key("input_tokens_details").open('{')
	w.key("cached_tokens").int(get(sluice.CacheRead))
	w.key("cache_write_tokens").int(get(sluice.CacheWrite5m) + get(sluice.CacheWrite1h))
	w.close('}')
	w.key("output_tokens").int(get(sluice.Output))
	w.key("output_tokens_details").open('{')
	w.key("reasoning_tokens").int(get(sluice.Reasoning))
	w.close('}')
	w.key("total_tokens").int(get(sluice.Input) + get(sluice.Output))
	w.close('}')
}
