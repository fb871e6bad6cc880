package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"
)

// legalResponses checks the grammar of a stream of Responses: numbers rise, items are added before and done after
// what belongs to them, deltas make up what is said at the end. It returns the response that the stream ends with.
func legalResponses(t failer, stream string) gjson.Result {
	type item struct {
		id, text string
		done     bool
	}
	var items []*item
	var last gjson.Result
	number := int64(0)
	for _, block := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		if strings.HasPrefix(block, ":") {
			continue
		}
		name, data, ok := strings.Cut(block, "\ndata: ")
		v := gjson.Parse(data)
		kind := v.Get("type").Str
		if !ok || name != "event: "+kind || !gjson.Valid(data) || v.Get("sequence_number").Int() != number || last.Exists() {
			t.Fatalf("no event %d: %q", number, block)
		}
		number++
		index := int(v.Get("output_index").Int())
		if v.Get("output_index").Exists() && kind != "response.output_item.added" && (index >= len(items) || items[index].done) {
			t.Fatalf("%q of an item that is not open", block)
		}
		switch {
		case kind == "response.output_item.added":
			if index != len(items) {
				t.Fatalf("item %d comes as %d", index, len(items))
			}
			items = append(items, &item{id: v.Get("item.id").Str})
		case kind == "response.output_item.done":
			items[index].done = true
		case strings.HasSuffix(kind, ".delta"):
			items[index].text += v.Get("delta").Str
		case strings.HasSuffix(kind, "text.done"), strings.HasSuffix(kind, "refusal.done"):
			if said := v.Get("text").Str + v.Get("refusal").Str; said != items[index].text {
				t.Fatalf("%q; the deltas say %q", block, items[index].text)
			}
		case kind == "response.completed" || kind == "response.incomplete":
			last = v.Get("response")
		}
		if id := v.Get("item_id"); id.Exists() && id.Str != items[index].id {
			t.Fatalf("%q; the item's id is %s", block, items[index].id)
		}
	}
	if !last.Exists() || len(last.Get("output").Array()) != len(items) {
		t.Fatalf("no end, or not all %d items in it: %s", len(items), stream)
	}
	for i, it := range items {
		if !it.done {
			t.Fatalf("item %d is not done", i)
		}
	}
	return last
}

// ofResponse is what a response says.
func ofResponse(v gjson.Result) said {
	s := said{ended: true, finish: FinishStop}
	v.Get("output").ForEach(func(_, i gjson.Result) bool {
		switch i.Get("type").Str {
		case "message":
			s.text += i.Get("content.0.text").Str
		case "reasoning":
			s.reasoning += i.Get("summary.0.text").Str
		case "function_call":
			s.calls = append(s.calls, i.Get("name").Str+" "+i.Get("arguments").Str)
			s.finish = FinishTools
		}
		return true
	})
	switch v.Get("incomplete_details.reason").Str {
	case "max_output_tokens":
		s.finish = FinishLength
	case "content_filter":
		s.finish = FinishFilter
	}
	return s
}

func TestResponsesSayWhatIsSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := answerEvents(t)
		want := fmt.Sprint(gather(events))
		if got := fmt.Sprint(ofResponse(legalResponses(t, written(Responses, true, events)))); got != want {
			t.Fatalf("the stream says %s; want %s", got, want)
		}
		if got := fmt.Sprint(ofResponse(gjson.Parse(written(Responses, false, events)))); got != want {
			t.Fatalf("the whole answer says %s; want %s", got, want)
		}
	})
}

// TestResponsesGoRoundWithThoughts: a three-turn conversation of a Responses client, whose items are passed back as
// they came, reaches each provider with its own signatures.
func TestResponsesGoRoundWithThoughts(t *testing.T) {
	for target, thought := range map[Dialect]*Thought{
		Messages: {Format: formatClaude, Signature: "c2lnbmVk"}, Gemini: {Format: formatGemini, Data: "c2lnbmVk"},
	} {
		events := []Event{
			{Kind: EventStart, ID: "resp_1", Model: "m"},
			{Kind: EventReasoning, Text: "think"},
			{Kind: EventThought, Thought: thought},
			{Kind: EventText, Text: "Let me look."},
			{Kind: EventCall, Call: 0, ID: "c1", Name: "f", Text: `{"n":12345678901234567890}`},
			{Kind: EventCallEnd, Call: 0},
			{Kind: EventCall, Call: 1, ID: "c2", Name: "g"},
			{Kind: EventCallEnd, Call: 1},
			{Kind: EventFinish, Finish: FinishTools},
			{Kind: EventEnd},
		}
		items := gjson.Get(written(Responses, false, events), "output").Raw
		body := `{"model":"m","instructions":"s","input":[{"role":"user","content":"x"},` + strings.Trim(items, "[]") + `,` +
			`{"type":"function_call_output","call_id":"c2","output":"two"},{"type":"function_call_output","call_id":"c1","output":"one"}],` +
			`"tools":[{"type":"function","name":"f","parameters":{"type":"object"}},{"type":"function","name":"g"}],"max_output_tokens":99,"store":false,"reasoning":{"effort":"low"}}`
		r, err := Decode(Responses, []byte(body))
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if len(r.Messages) != 4 || len(r.Messages[2].Parts) != 4 || r.MaxTokens != 99 || r.Effort != "low" {
			t.Errorf("request = %+v", r)
		}
		call, err := r.Encode(Target{Dialect: target, Model: "gemini-3.5-flash claude-sonnet-4-5"})
		if err != nil {
			t.Fatal(err)
		}
		text := string(call.Body)
		one, two := strings.Index(text, "one"), strings.Index(text, "two")
		if !strings.Contains(text, `"c2lnbmVk"`) || !strings.Contains(text, `{"n":12345678901234567890}`) || one < 0 || two < one {
			t.Errorf("%s gets %s", target, text)
		}
		if fmt.Sprint(call.Dropped) != "[store]" {
			t.Errorf("dropped %q", call.Dropped)
		}
	}
}

func TestResponsesThatOnlyOpenAIKeepsAreRefused(t *testing.T) {
	for field, body := range map[string]string{
		"previous_response_id":     `{"input":"x","previous_response_id":"resp_1"}`,
		"background":               `{"input":"x","background":true}`,
		"tools[0].type":            `{"input":"x","tools":[{"type":"web_search"}]}`,
		"input[0].type":            `{"input":[{"type":"item_reference","id":"x"}]}`,
		"input[0].content[0].text": `{"input":[{"role":"user","content":[{"type":"input_text","text":1}]}]}`,
		"input":                    `{}`,
	} {
		_, err := Decode(Responses, []byte(body))
		if err == nil || !named(err) || !strings.HasPrefix(err.Error(), field+" ") {
			t.Errorf("%s: %v; want one that names %s", body, err, field)
		}
	}
}
