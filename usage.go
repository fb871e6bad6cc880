package sluice

// Basis says where a number comes from.
type Basis uint8

// The bases. The zero Basis is BasisNone: nothing was reported, which is neither zero nor free.
const (
	BasisNone      Basis = iota // not known
	BasisProvider               // reported by the provider
	BasisEstimated              // counted by us
	BasisPartial                // of an exchange that ended early: what was seen or counted until then
	BasisCached                 // of a cache hit: what the first answer used; nothing was spent
)

// String returns the basis as the API shows it.
func (b Basis) String() string {
	switch b {
	case BasisProvider:
		return "provider"
	case BasisEstimated:
		return "estimated"
	case BasisPartial:
		return "partial"
	case BasisCached:
		return "cached"
	}
	return "none"
}

// Class is one kind of count in a Usage. All are LLM tokens unless the name says otherwise.
type Class uint8

// The classes. Input includes CacheRead and both CacheWrites; Output includes Reasoning.
// OpenAI reports it that way (prompt_tokens, completion_tokens,
// https://platform.openai.com/docs/api-reference/chat/object); Anthropic does not (input_tokens
// excludes both cache classes, https://docs.anthropic.com/en/api/messages), so wire/anthropic adds
// them up. Values are stored in logs: never renumber.
const (
	Input              Class = iota
	Output                   //
	CacheRead                // part of Input
	CacheWrite5m             // part of Input
	CacheWrite1h             // part of Input
	Reasoning                // part of Output
	AudioIn                  // part of Input
	AudioOut                 // part of Output
	ImageIn                  // part of Input
	ImageOut                 // part of Output
	AcceptedPrediction       // part of Output
	RejectedPrediction       // part of Output
	WebSearches              // calls of a server-side search, not tokens
	AudioCacheRead           // part of CacheRead and of AudioIn
	Citations                // tokens of cited text that are billed apart (Perplexity); no part of another class
	BilledInput              // input tokens that the provider bills, where it says so beside Input (Cohere)
	BilledOutput             // output tokens that the provider bills, where it says so beside Output (Cohere)
	SearchUnits              // units of ranking and search that the provider bills, not tokens
	Images                   // images made, not tokens
	Milliseconds             // of hardware time or of audio, as the provider bills it
	Characters               // of text, where it is billed so: made into speech, or at Vertex AI embedded
	Pages                    // of documents read
	ClassCount               // how many classes there are
)

// String returns the class as the API shows it.
func (c Class) String() string {
	return [...]string{
		"input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "audio_input",
		"audio_output", "image_input", "image_output", "accepted_prediction", "rejected_prediction", "web_searches",
		"audio_cache_read", "citations", "billed_input", "billed_output", "search_units", "images", "milliseconds", "characters", "pages", "",
	}[min(c, ClassCount)]
}

// Usage counts one exchange, class by class. A class that was not reported is unknown, which differs
// from zero. The zero Usage knows nothing. Usage values compare with ==.
type Usage struct {
	Basis Basis
	known uint32
	n     [ClassCount]int64
}

// Set records n for c; negative counts are refused and leave c as it was.
func (u *Usage) Set(c Class, n int64) {
	if n >= 0 && c < ClassCount {
		u.known |= 1 << c
		u.n[c] = n
	}
}

// Get returns c's count, and whether it is known.
func (u *Usage) Get(c Class) (n int64, known bool) {
	return u.n[c], u.known&(1<<c) != 0
}

// Known reports whether any class is known.
func (u *Usage) Known() bool { return u.known != 0 }

// Charge is what another model used for an answer: one that the provider asked on behalf of the model that
// answered, such as an adviser. It is billed at that model's own price, and no Usage of the answer includes it.
type Charge struct {
	Model string // as the answer names it; "" when it does not, and for what was left over beyond MaxCharges: it has no price
	Tier  string // service tier, as in a LogEntry
	Usage Usage
	// Cost is this charge's part of the LogEntry's Cost, rounded by itself; the rest is of the model that answered.
	Cost   NanoUSD
	Priced bool // Cost is known; otherwise all of the cost stays with the model that answered
}

// MaxCharges bounds the charges of one answer.
const MaxCharges = 16

// NanoUSD is an amount of money: a billionth of a US dollar.
type NanoUSD int64

// CostBasis says where a cost comes from. Values are stored in logs: never renumber.
type CostBasis uint8

// The bases of costs. CostUnknown: there is none; it is null, never 0.
const (
	CostUnknown   CostBasis = iota
	CostCatalogue           // usage times the price catalogue's prices
	CostReported            // the provider's own figure
	CostCustom              // usage times the prices that the request or a setting gave
	CostCached              // of a cache hit: nothing was spent
	CostReserved            // of an exchange that ended with its process: what a budget had reserved for it
)

// String returns the basis as the API shows it.
func (b CostBasis) String() string {
	return [...]string{"unknown", "catalogue", "reported", "custom", "cached", "reserved", "unknown"}[min(b, CostReserved+1)]
}
