package translate

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// said is what an answer says, as a client reads it.
type said struct {
	text, reasoning string
	calls           []string // name and arguments
	finish          Finish
	fault           string
	ended           bool
}

// gather reads events as a client would.
func gather(events []Event) said {
	var s said
	at := map[int]int{}
	for _, e := range events {
		switch e.Kind {
		case EventText, EventRefusal:
			s.text += e.Text
		case EventReasoning:
			s.reasoning += e.Text
		case EventCall:
			at[e.Call] = len(s.calls)
			s.calls = append(s.calls, e.Name+" "+e.Text)
		case EventArgs:
			s.calls[at[e.Call]] += e.Text
		case EventFinish:
			s.finish = e.Finish
		case EventFault:
			s.fault = e.Fault.Message
		case EventEnd:
			s.ended = true
		}
	}
	for i, c := range s.calls {
		if strings.HasSuffix(c, " ") {
			s.calls[i] = c + "{}"
		}
	}
	return s
}

// answerEvents draws the events of an answer whose parts interleave as some servers' do: calls are begun before others
// are whole, and text comes between their pieces.
func answerEvents(t *rapid.T) []Event {
	events := []Event{{Kind: EventStart, ID: "id", Model: "m"}}
	type call struct {
		pieces []string
		begun  bool
	}
	args := rapid.SampledFrom([]string{`{}`, `{"a":"}\"{"}`, `{"n":12345678901234567890,"é":[1,{"x":null}]}`, `{"s":"\\"}`})
	calls := make([]call, rapid.IntRange(0, 3).Draw(t, "calls"))
	for i := range calls {
		text := args.Draw(t, "args")
		for text != "" {
			n := rapid.IntRange(1, len(text)).Draw(t, "piece")
			for n < len(text) && !utf8.RuneStart(text[n]) {
				n++
			}
			calls[i].pieces, text = append(calls[i].pieces, text[:n]), text[n:]
		}
	}
	next := 0
	for range rapid.IntRange(0, 30).Draw(t, "steps") {
		switch rapid.IntRange(0, 4).Draw(t, "step") {
		case 0:
			events = append(events, Event{Kind: EventText, Text: rapid.SampledFrom([]string{"a", "é\n", `"\`, " "}).Draw(t, "text")})
		case 1:
			events = append(events, Event{Kind: EventReasoning, Text: rapid.SampledFrom([]string{"hm", "\u2028"}).Draw(t, "thought")})
		case 2:
			events = append(events, Event{Kind: EventKeepAlive})
		case 3:
			if next < len(calls) {
				calls[next].begun = true
				events = append(events, Event{Kind: EventCall, Call: next, ID: fmt.Sprint("call_", next), Name: fmt.Sprint("tool", next)})
				next++
			}
		case 4:
			if next > 0 {
				i := rapid.IntRange(0, next-1).Draw(t, "which")
				if c := &calls[i]; len(c.pieces) > 0 {
					events, c.pieces = append(events, Event{Kind: EventArgs, Call: i, Text: c.pieces[0]}), c.pieces[1:]
				}
			}
		}
	}
	for i := range next {
		for _, p := range calls[i].pieces {
			events = append(events, Event{Kind: EventArgs, Call: i, Text: p})
		}
		if rapid.Bool().Draw(t, "closed") {
			events = append(events, Event{Kind: EventCallEnd, Call: i})
		}
	}
	finish := rapid.SampledFrom([]Finish{FinishStop, FinishLength, FinishFilter}).Draw(t, "finish")
	if next > 0 && finish == FinishStop {
		finish = FinishTools
	}
	return append(events, Event{Kind: EventFinish, Finish: finish}, Event{Kind: EventEnd})
}

// written is what an encoder makes of events.
func written(d Dialect, stream bool, events []Event) string {
	c := &Context{From: Chat, To: d, Stream: stream, ID: "id", Model: "m", IncludeUsage: true}
	w := codecOf(d).write(c)
	var b strings.Builder
	for i := range events {
		w.event(&events[i])
		b.Write(w.bytes())
	}
	return b.String()
}

// readBack reads an answer in pieces of n bytes.
func readBack(d Dialect, answer string, n int) []Event {
	c := &Context{From: d, To: Chat}
	in := codecOf(d).answer(c)
	var events []Event
	emit := func(e Event) { events = append(events, e) }
	for i := 0; i < len(answer); i += n {
		in.write([]byte(answer[i:min(i+n, len(answer))]), emit)
	}
	in.close(emit)
	return events
}

// TestWhatIsSaidIsSaid: whatever the order in which events come, what is written is legal, and says the same.
func TestWhatIsSaidIsSaid(t *testing.T) {
	for _, d := range []Dialect{Chat, Messages} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s stream %t", d, stream), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					events := answerEvents(t)
					text := written(d, stream, events)
					if stream {
						legal(t, d, text)
					}
					got := gather(readBack(d, text, rapid.IntRange(1, 64).Draw(t, "cut")))
					want := gather(events)
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Fatalf("said %+v; want %+v\n%s", got, want, text)
					}
				})
			})
		}
	}
}

type failer interface {
	Fatalf(format string, args ...any)
}

// legal checks the grammar of a stream.
func legal(t failer, d Dialect, stream string) {
	switch d {
	case Messages:
		legalMessages(t, stream)
	case Responses:
		legalResponses(t, stream)
	default:
		legalChunks(t, stream)
	}
}

func legalChunks(t failer, stream string) {
	finished, done := false, false
	known := map[int64]bool{}
	for i, block := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(block, "data: ")
		switch {
		case done:
			t.Fatalf("%q follows the end", block)
		case strings.HasPrefix(block, ":"):
			continue
		case !ok || strings.Contains(data, "\n"):
			t.Fatalf("no event: %q", block)
		case data == "[DONE]":
			done = true
			continue
		case !gjson.Valid(data):
			t.Fatalf("no JSON: %q", data)
		}
		c := gjson.Get(data, "choices.0")
		if !c.Exists() {
			continue
		}
		if role := c.Get("delta.role").Str; (role == "assistant") != (i == 0) {
			t.Fatalf("chunk %d has the role %q", i, role)
		}
		if finished {
			t.Fatalf("%q follows the finish reason", data)
		}
		finished = c.Get("finish_reason").Str != ""
		for _, call := range c.Get("delta.tool_calls").Array() {
			index := call.Get("index").Int()
			if first := call.Get("id").Exists(); first == known[index] || first != call.Get("function.name").Exists() || first && index != int64(len(known)) {
				t.Fatalf("call %d: %s", index, call.Raw)
			}
			known[index] = true
		}
	}
	if !finished || !done {
		t.Fatalf("no end: %s", stream)
	}
}

func legalMessages(t failer, stream string) {
	open, next, state := int64(-1), int64(0), "message_start"
	for _, block := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(block, "\ndata: ")
		kind := gjson.Get(data, "type").Str
		if !ok || name != "event: "+kind || !gjson.Valid(data) {
			t.Fatalf("no event: %q", block)
		}
		index := gjson.Get(data, "index").Int()
		switch {
		case kind == "ping":
		case kind == "message_start" && state == kind:
			state = "blocks"
		case kind == "content_block_start" && state == "blocks" && open < 0 && index == next:
			open, next = index, next+1
		case kind == "content_block_delta" && open == index && open >= 0:
		case kind == "content_block_stop" && open == index && open >= 0:
			open = -1
		case kind == "message_delta" && state == "blocks" && open < 0 && gjson.Get(data, "usage").IsObject():
			state = "message_stop"
		case kind == "message_stop" && state == kind:
			state = "end"
		default:
			t.Fatalf("%q while %s, block %d open", block, state, open)
		}
	}
	if state != "end" {
		t.Fatalf("no end: %s", stream)
	}
}

// TestThoughtsSurviveTheRoundTrip: signatures come back to whom they are of, through clients of either dialect, and
// are not shown to anybody else (openai-translation.md, 14: rows 21, 22).
func TestThoughtsSurviveTheRoundTrip(t *testing.T) {
	events := []Event{
		{Kind: EventStart, ID: "id", Model: "m"},
		{Kind: EventReasoning, Text: "think"},
		{Kind: EventThought, Thought: &Thought{Format: formatGemini, Data: "c2ln"}, Block: 1},
		{Kind: EventCall, Call: 0, ID: "c1", Name: "f", Signature: "Q0FMTA==", Text: "{}"},
		{Kind: EventCallEnd},
		{Kind: EventFinish, Finish: FinishTools},
		{Kind: EventEnd},
	}
	for _, client := range []Dialect{Chat, Messages} {
		answer := gjson.Parse(written(client, false, events))
		body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},` + answer.Get("choices.0.message").Raw + `,{"role":"tool","tool_call_id":"c1","content":"y"}]}`
		if client == Messages {
			body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":` + answer.Get("content").Raw + `},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"y"}]}]}`
		}
		for target, want := range map[Dialect]bool{Gemini: true, Messages: false} {
			r, err := Decode(client, []byte(body))
			if err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			call, err := r.Encode(Target{Dialect: target, Model: "gemini-3.5-flash"})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{`"c2ln"`, `"Q0FMTA=="`} {
				if strings.Contains(string(call.Body), s) != want {
					t.Errorf("from %s to %s: %s is there: %t; want %t\n%s", client, target, s, !want, want, call.Body)
				}
			}
		}
	}
}

// TestParallelCallsOfOneIndex: some servers give all calls of an answer the same index
// (huggingface/smolagents pull 1958).
func TestParallelCallsOfOneIndex(t *testing.T) {
	stream := `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"g","arguments":{"x":3}}}]},"finish_reason":""}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

`
	got := gather(readBack(Chat, stream, 7))
	if want := `[f {"x":1} f {"x":2} g {"x":3}]`; fmt.Sprint(got.calls) != want || got.finish != FinishTools {
		t.Errorf("calls = %q, finish = %s; want %s", got.calls, got.finish, want)
	}
}

// TestStreamsThatEndWithoutSayingSo: only an answer that has come to its end is one.
func TestStreamsThatEndWithoutSayingSo(t *testing.T) {
	call := `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":`
	for name, c := range map[string]struct {
		d      Dialect
		stream string
		ended  bool
	}{
		"a finish reason without [DONE]": {Chat, `data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n", true},
		"text only":                      {Chat, `data: {"choices":[{"index":0,"delta":{"content":"x"}}]}` + "\n\n", false},
		"whole calls":                    {Chat, call + `1}"}}]}}]}` + "\n\n", true},
		"half a call":                    {Chat, call + `"}}]}}]}` + "\n\n", false},
		"Gemini without a reason":        {Gemini, `data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}` + "\n\n", false},
		"Claude without message_stop":    {Messages, "data: {\"type\":\"message_start\",\"message\":{}}\n\n", false},
		"nothing":                        {Chat, "", false},
	} {
		if got := gather(readBack(c.d, c.stream, 1000)); got.ended != c.ended {
			t.Errorf("%s: ended = %t", name, got.ended)
		}
	}
}

// FuzzRequests: no request makes the package panic, what is written for a provider is JSON, and what is refused
// names a field.
func FuzzRequests(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}`,
		`{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"function":{"name":"f"}}]}}}`,
		`{"model":"m","max_tokens":5,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"}]}],"thinking":{"type":"enabled","budget_tokens":1024}}`,
		`{"functions":[{"name":"f"}],"messages":[{"role":"function","name":"f","content":"x"}],"reasoning_effort":"high","response_format":{"type":"json_schema","json_schema":{"schema":{"oneOf":[{"const":1}]}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"model":"m","instructions":"i","input":[{"type":"reasoning","summary":[{"text":"t"}],"encrypted_content":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"https://x"}]}],"text":{"format":{"type":"json_schema","name":"n","schema":{}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, from := range []Dialect{Chat, Messages, Responses} {
			for _, to := range encoders() {
				r, err := Decode(from, body)
				if err == nil {
					var call *Call
					if call, err = r.Encode(Target{Dialect: to, Model: "claude-sonnet-4-5", Edits: &Edits{Rename: map[string]string{"max_completion_tokens": "max_tokens"}, Drop: []string{"user"}}}); err == nil && !gjson.ValidBytes(call.Body) {
						t.Errorf("%s to %s: %s", from, to, call.Body)
					}
				}
				if err != nil && !named(err) {
					t.Errorf("%s to %s: %v names no field", from, to, err)
				}
			}
		}
		if call, _, err := Splice(body, Target{Dialect: Chat, Model: "m\"x"}, &Edits{Drop: []string{"messages"}, Rename: map[string]string{"model": "mod"}}); err == nil && !gjson.ValidBytes(call.Body) {
			t.Errorf("spliced: %s", call.Body)
		}
	})
}

// FuzzAnswers: whatever a provider answers, in whatever cuts, the client gets a legal stream, or an error.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("data: {\"type\":\"message_start\",\"message\":{\"id\":\"x\"}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"f\",\"id\":\"i\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"), 3)
	f.Add([]byte(`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n"), 9)
	f.Add([]byte(`[{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},{"text":"x","thoughtSignature":"y"}]},"finishReason":"STOP"}]}]`), 1)
	f.Add([]byte(`{"error":{}}`), 2)
	f.Add([]byte(`{"message":null}`), 2)
	f.Fuzz(func(t *testing.T, answer []byte, cut int) {
		cut = max(cut, 1)
		for _, from := range decoders() {
			for _, to := range []Dialect{Chat, Messages, Responses} {
				whole, whatWhole := translated(from, to, answer, len(answer)+1)
				pieces, whatPieces := translated(from, to, answer, cut)
				if strip(whole) != strip(pieces) || whatWhole != whatPieces {
					t.Errorf("%s to %s depends on the cuts:\n%s\n%s", from, to, whole, pieces)
				}
				if whatWhole == "" {
					legal(t, to, whole)
				}
			}
		}
	})
}

// strip leaves out signs of life.
func strip(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, ": keep-alive\n\n", ""), "event: ping\ndata: {\"type\":\"ping\"}\n\n", "")
}

func translated(from, to Dialect, answer []byte, n int) (text, fault string) {
	a := NewAnswer(Context{From: from, To: to, Stream: true, ID: "id", Model: "m"})
	var b strings.Builder
	for i := 0; i < len(answer); i += n {
		b.Write(a.Write(answer[i:min(i+n, len(answer))]))
	}
	b.Write(a.Close(false))
	if a.Fault() != nil {
		fault = a.Fault().Message
	}
	return b.String(), fault
}
