package truth

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// planField carries what the provider is to answer, a list with one entry for each try.
const planField = "X-Truth-Plan"

// answer is what a provider answers one try with.
type answer struct {
	Dialect string // openai, anthropic, gemini
	Status  int    // 0: 200
	Stream  bool
	Model   string // as it names it
	Usage   usage
	// Adviser is another model that took part, and Advice what it used; "": none did.
	Adviser string
	Advice  usage
	// How it goes wrong: "error_event" instead of content, "cut" behind content, "hang" behind content until the
	// caller leaves. "": it does not.
	Wrong string
}

// providers plays all providers.
type providers struct {
	mu    sync.Mutex
	tries map[string]int // by call
}

// play starts them.
func play(t *testing.T) (address string) {
	t.Helper()
	p := &providers{tries: map[string]int{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

func (p *providers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the caller is gone
	}
	var plan []answer
	if err := json.Unmarshal([]byte(r.Header.Get(planField)), &plan); err != nil || len(plan) == 0 {
		http.Error(w, "no plan", http.StatusTeapot)
		return
	}
	p.mu.Lock()
	call := r.Header.Get("X-Truth-Call")
	n := p.tries[call]
	p.tries[call]++
	p.mu.Unlock()
	plan[min(n, len(plan)-1)].send(w, r)
}

func (a *answer) send(w http.ResponseWriter, r *http.Request) {
	if a.Status >= 400 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, `{"error":{"message":"as planned","type":"server_error"}}`)
		return
	}
	if !a.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, a.whole())
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	first, rest := a.events()
	_, _ = io.WriteString(w, first)
	switch a.Wrong {
	case "":
		_, _ = io.WriteString(w, rest)
		return
	case "error_event":
		return
	}
	_ = http.NewResponseController(w).Flush()
	if a.Wrong == "hang" {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// whole is the answer as one JSON text.
func (a *answer) whole() string {
	switch a.Dialect {
	case "anthropic":
		return `{"id":"msg","type":"message","role":"assistant","model":"` + a.Model + `","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":` + a.anthropicUsage(a.Usage["output"], true) + `}`
	case "gemini":
		return `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"modelVersion":"` + a.Model + `","usageMetadata":` + a.geminiUsage() + `}`
	}
	return `{"id":"c","object":"chat.completion","model":"` + a.Model + `","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":` + a.openaiUsage() + `}`
}

// events is the answer as a stream: first goes up to the first content, or to the error in its place.
func (a *answer) events() (first, rest string) {
	switch a.Dialect {
	case "anthropic":
		first = event("message_start", `{"type":"message_start","message":{"id":"msg","type":"message","role":"assistant","model":"`+a.Model+`","content":[],"usage":`+a.anthropicUsage(1, false)+`}}`)
		if a.Wrong == "error_event" {
			return first + event("error", `{"type":"error","error":{"type":"overloaded_error","message":"as planned"}}`), ""
		}
		first += event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`)
		return first, event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", fmt.Sprintf(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":%d%s}}`, a.Usage["output"], a.turns())) +
			event("message_stop", `{"type":"message_stop"}`)
	case "gemini":
		return event("", `{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"modelVersion":"`+a.Model+`"}`),
			event("", `{"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"STOP"}],"modelVersion":"`+a.Model+`","usageMetadata":`+a.geminiUsage()+`}`)
	}
	chunk := func(choices, usage string) string {
		return event("", `{"id":"c","object":"chat.completion.chunk","model":"`+a.Model+`","choices":[`+choices+`]`+usage+`}`)
	}
	return chunk(`{"index":0,"delta":{"role":"assistant","content":"Hi"}}`, ""),
		chunk(`{"index":0,"delta":{},"finish_reason":"stop"}`, "") + chunk("", `,"usage":`+a.openaiUsage()) + event("", "[DONE]")
}

func event(name, data string) string {
	if name != "" {
		name = "event: " + name + "\n"
	}
	return name + "data: " + data + "\n\n"
}

// openaiUsage is https://platform.openai.com/docs/api-reference/chat/object, where input has all of it.
func (a *answer) openaiUsage() string {
	s := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d`, a.Usage["input"], a.Usage["output"], a.Usage["input"]+a.Usage["output"])
	if n, known := a.Usage["cache_read"]; known {
		s += `,"prompt_tokens_details":{"cached_tokens":` + strconv.FormatInt(n, 10) + `}`
	}
	if n, known := a.Usage["reasoning"]; known {
		s += `,"completion_tokens_details":{"reasoning_tokens":` + strconv.FormatInt(n, 10) + `}`
	}
	return s + "}"
}

// anthropicUsage is https://docs.anthropic.com/en/api/messages, where input lacks what was read from the cache
// and written to it.
func (a *answer) anthropicUsage(output int64, final bool) string {
	u := a.Usage
	read, w5, w1 := u["cache_read"], u["cache_write_5m"], u["cache_write_1h"]
	s := fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d`, u["input"]-read-w5-w1, output)
	if _, known := u["cache_read"]; known {
		s += fmt.Sprintf(`,"cache_read_input_tokens":%d`, read)
	}
	if _, known := u["cache_write_5m"]; known {
		s += fmt.Sprintf(`,"cache_creation_input_tokens":%d,"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d}`, w5+w1, w5, w1)
	}
	if final {
		s += a.turns()
	}
	return s + "}"
}

// turns are those of another model.
func (a *answer) turns() string {
	if a.Adviser == "" {
		return ""
	}
	return fmt.Sprintf(`,"iterations":[{"type":"advisor_message","model":%q,"input_tokens":%d,"output_tokens":%d}]`, a.Adviser, a.Advice["input"], a.Advice["output"])
}

// geminiUsage is https://ai.google.dev/api/generate-content#UsageMetadata, where candidates lack the thoughts.
func (a *answer) geminiUsage() string {
	u := a.Usage
	s := fmt.Sprintf(`{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d`, u["input"], u["output"]-u["reasoning"], u["input"]+u["output"])
	if n, known := u["reasoning"]; known {
		s += `,"thoughtsTokenCount":` + strconv.FormatInt(n, 10)
	}
	if n, known := u["cache_read"]; known {
		s += `,"cachedContentTokenCount":` + strconv.FormatInt(n, 10)
	}
	return s + "}"
}
