package spend

import (
	"math"
	"sync"
)

const (
	outputBuckets = 160  // a tenth apart, from 1 token to millions
	outputFade    = 1000 // counts are halved when so many answers were taken in
	outputKnown   = 20   // fewer answers say nothing
	outputShare   = 0.99 // of the past answers are not longer than what is reserved
	maxModels     = 4096 // that are remembered
)

// LeastOutput is how many LLM tokens of output are reserved at least where a request sets no bound.
const LeastOutput = 1000

// Outputs remembers how long the answers of each model were, so that what a request without a bound may use can be
// reserved: the length that 99 of 100 past answers did not pass. It forgets slowly. Safe for concurrent use.
type Outputs struct {
	mu     sync.Mutex
	models map[model]*lengths
}

type model struct{ provider, name string }

type lengths struct {
	n      int
	counts [outputBuckets]uint16
}

// NewOutputs makes Outputs.
func NewOutputs() *Outputs { return &Outputs{models: map[model]*lengths{}} }

// Observe takes in the length of an answer, in LLM tokens.
func (o *Outputs) Observe(provider, name string, tokens int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.models[model{provider, name}]
	if l == nil {
		if len(o.models) >= maxModels {
			clear(o.models)
		}
		l = &lengths{}
		o.models[model{provider, name}] = l
	}
	l.counts[outputBucket(tokens)]++
	if l.n++; l.n >= outputFade {
		l.n = 0
		for i := range l.counts {
			l.counts[i] /= 2
			l.n += int(l.counts[i])
		}
	}
}

// Typical returns the LLM tokens to reserve for an answer.
func (o *Outputs) Typical(provider, name string) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.models[model{provider, name}]
	if l == nil || l.n < outputKnown {
		return LeastOutput
	}
	want, seen := int(math.Ceil(outputShare*float64(l.n))), 0
	for i, c := range l.counts {
		if seen += int(c); seen >= want {
			return max(int64(math.Ceil(math.Pow(1.1, float64(i)))), LeastOutput)
		}
	}
	return LeastOutput
}

// outputBucket is the first whose edge is not below tokens.
func outputBucket(tokens int64) int {
	if tokens <= 1 {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(tokens))/math.Log(1.1))), outputBuckets-1)
}
