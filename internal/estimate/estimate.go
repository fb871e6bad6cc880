// Package estimate counts LLM tokens where a provider reported none: off the request path, from the
// bodies that the log stored. What it finds is marked as an estimate wherever it is shown, and is a
// lower bound where a model reasons unseen or reads images and sound.
package estimate

import (
	"strings"
	"sync"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// maxText bounds what is tokenized of one body, in bytes; what is longer is taken in proportion.
const maxText = 4 << 20

// Tokens that a chat costs beside its texts, by OpenAI's own count
// (https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken).
const (
	perMessage = 3
	perName    = 1
	perAnswer  = 3 // the answer's start
)

// Counter counts tokens. The zero Counter is ready; it loads a vocabulary when it is first needed
// (some 40 ms of a core, 4 MB). Safe for concurrent use.
type Counter struct {
	o200k, cl100k lazy
}

type lazy struct {
	once       sync.Once
	vocabulary *vocabulary
}

func (l *lazy) get(file []byte, piece func(string) int) *vocabulary {
	l.once.Do(func() { l.vocabulary = newVocabulary(file, piece) })
	return l.vocabulary
}

// Kind is what an endpoint makes of its input.
type Kind uint8

// The kinds. KindNone: nothing that tokens could be counted of.
const (
	KindNone      Kind = iota
	KindText           // text in, text out
	KindEmbedding      // text in, vectors out: only input is counted
	KindTurn           // text in; text out only if a model has run: the same call may just store a conversation
)

// KindOf returns the kind of an endpoint by its name in the endpoint table.
func KindOf(endpoint string) Kind {
	switch endpoint {
	case "chat/completions", "completions", "responses", "messages", "generateContent", "streamGenerateContent", "converse",
		"converse-stream", "invoke", "invoke-with-response-stream", "chat", "v2/chat", "generate", "summarize", "api/chat", "api/generate",
		"run", "inference", "fim/completions", "agents/completions", "completion", "infill", "rawPredict", "streamRawPredict":
		return KindText
	case "embeddings", "embed", "v2/embed", "embedContent", "batchEmbedContents", "api/embed":
		return KindEmbedding
	case "conversations": // Mistral's run a model, OpenAI's keep items
		return KindTurn
	}
	return KindNone
}

// Usage estimates an exchange's usage from its bodies, decoded. A body that is empty is not counted:
// its class stays unknown. The Basis is BasisEstimated when anything was counted.
func (c *Counter) Usage(kind Kind, model string, request, response []byte) sluice.Usage {
	var u sluice.Usage
	if kind == KindNone || kind == KindTurn && !hasRun(response) {
		return u
	}
	if len(request) > 0 {
		t, tools := prompt(request)
		if n := c.prompt(model, t, tools); n > 0 {
			u.Set(sluice.Input, n)
		}
	}
	if len(response) > 0 && kind != KindEmbedding {
		if t := answer(response); t.Len() > 0 {
			u.Set(sluice.Output, c.count(model, strings.TrimSuffix(t.String(), "\n"), t.full()))
		}
	}
	if u.Known() {
		u.Basis = sluice.BasisEstimated
	}
	return u
}

// prompt counts a request's tokens.
func (c *Counter) prompt(model string, t *text, tools string) int64 {
	n := c.count(model, strings.TrimSuffix(t.String(), "\n"), t.full()) + t.numbers
	if t.messages > 0 {
		n += int64(perMessage*t.messages + perName*t.names + perAnswer)
	}
	if len(tools) > 0 {
		n += c.count(model, tools, false) * 10 / 12 // providers write definitions tighter than JSON
	}
	return n
}

// count counts the tokens of s as model would. cut: s is the beginning of something longer, so that
// the count is a lower bound.
func (c *Counter) count(model, s string, cut bool) int64 {
	if s == "" {
		return 0
	}
	if cut {
		s = s[:maxText]
	}
	return int64(c.vocabulary(model).count(s)) * factor(model) / 100
}

// vocabulary returns the tokenizer of model, or the newest for one that has no public tokenizer.
func (c *Counter) vocabulary(model string) *vocabulary {
	for _, older := range [...]string{"gpt-4-", "gpt-3.5", "text-embedding-", "davinci", "babbage"} {
		if strings.Contains(model, older) || strings.HasSuffix(model, "gpt-4") {
			return c.cl100k.get(cl100kFile, cl100kPiece)
		}
	}
	return c.o200k.get(o200kFile, o200kPiece)
}

// factor is how many percent of OpenAI's newest tokenizer's count a model's own count is, as far as
// its vendor has said: Claude's is 10 to 20 percent higher.
func factor(model string) int64 {
	if strings.Contains(model, "claude") {
		return 115
	}
	return 100
}

// Rough counts without a tokenizer: a token for each character of the dense scripts, and for each
// four bytes of the rest.
func Rough(s string) int64 {
	dense, rest := int64(0), int64(0)
	for _, r := range s {
		if r > 0x2e80 {
			dense++
			continue
		}
		rest += int64(utf8.RuneLen(r))
	}
	return dense + (rest+3)/4
}
