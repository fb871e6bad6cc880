package openai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Quirk is what a provider's counts mean where the numbers alone cannot tell. Quirks may be joined; the
// zero Quirk is how OpenAI counts.
type Quirk uint8

const (
	// ReasoningApart says that usage.reasoning_tokens are billed apart and no part of completion_tokens, although
	// the total leaves them out too (Perplexity).
	ReasoningApart Quirk = 1 << iota
	// TotalHoldsAll says that completion_tokens leave thoughts out without saying so, and only total_tokens have
	// them (Google's layer in this dialect; Kong/kong issue 14816 is about 10 tokens in place of 298).
	TotalHoldsAll
)

// Chat makes the meter of POST /chat/completions at a provider that counts so.
func (q Quirk) Chat(stream bool) wire.Meter {
	m := newMeter(&chat, stream)
	m.quirk = q
	return m
}

// apply makes Output include what the provider counts beside it.
func (q Quirk) apply(u *sluice.Usage, total int64, totalKnown, flatReasoning bool) {
	in, inKnown := u.Get(sluice.Input)
	out, outKnown := u.Get(sluice.Output)
	reasoning, _ := u.Get(sluice.Reasoning)
	switch {
	case q&ReasoningApart != 0 && flatReasoning && outKnown:
		u.Set(sluice.Output, out+reasoning)
	case q&TotalHoldsAll != 0 && inKnown && totalKnown && total-in > out:
		u.Set(sluice.Output, total-in)
	// Reasoning that is more than the whole output is no part of it.
	case outKnown && (reasoning > out || inKnown && totalKnown && reasoning > 0 && total == in+out+reasoning):
		u.Set(sluice.Output, out+reasoning)
	}
}
