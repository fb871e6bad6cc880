package spend

import (
	"bytes"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// What an estimate of a request goes by.
const (
	bytesPerToken = 3    // a little more tokens than prose has
	mediaBytes    = 2048 // a text of JSON that is longer, and of base64 from its beginning, is no text
	mediaTokens   = 1600 // what an image costs, about
	maxInput      = 2_000_000
	maxOutput     = 2_000_000
	maxChoices    = 128
)

// Ask is what a request's body tells of its size.
type Ask struct {
	Input   int64 // LLM tokens, estimated from the bytes
	Output  int64 // most LLM tokens of one answer that the request allows; 0: it does not say
	Choices int64 // how many answers it wants; at least 1
	Bytes   int64 // of the body
	// Ambiguous: it is no JSON object that all readers read alike, in what matters here.
	Ambiguous bool
}

// outputKeys are the names under which dialects bound the answer, at the top of the body; those behind are objects
// in which further ones stand, and then the name of the model.
func outputKeys() []string {
	return []string{
		"max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample", "n",
		"generationConfig", "generation_config", "inferenceConfig", "options", "parameters", "model",
	}
}

// innerKeys are the bounds within such an object, and then the numbers of answers.
func innerKeys() []string {
	return []string{"maxOutputTokens", "max_output_tokens", "maxTokens", "num_predict", "max_new_tokens", "candidateCount", "candidate_count"}
}

const (
	outputNames = 4 // of outputKeys, that bound the answer
	innerNames  = 5 // of innerKeys
)

// ReadAsk reads a request's body. What is no JSON object is measured by its bytes alone.
func ReadAsk(body []byte) Ask {
	a := Ask{Input: inputTokens(body), Choices: 1, Bytes: int64(len(body))}
	keys := outputKeys()
	var found [11]jsonscan.Value
	scan := jsonscan.Top(body, keys, found[:])
	a.Ambiguous = !scan.Valid || scan.Repeated != "" || scan.Variant != "" || scan.BadUTF8
	for i, v := range found {
		switch {
		case i < outputNames:
			a.bound(v)
		case i == outputNames:
			a.choose(v)
		case v.Kind == jsonscan.Object:
			var inner [7]jsonscan.Value
			jsonscan.Top(v.Raw, innerKeys(), inner[:])
			for j, v := range inner {
				if j < innerNames {
					a.bound(v)
				} else {
					a.choose(v)
				}
			}
		}
	}
	return a
}

// AskOfSize is the Ask of a request of which nothing is known but how many bytes its body has: they are taken for
// text.
func AskOfSize(bytes int64) Ask {
	return Ask{Input: min(bytes/bytesPerToken+1, maxInput), Choices: 1, Bytes: bytes}
}

func (a *Ask) bound(v jsonscan.Value) {
	if n, ok := v.Count(); ok && n > 0 {
		a.Output = max(a.Output, min(n, maxOutput))
	}
}

func (a *Ask) choose(v jsonscan.Value) {
	if n, ok := v.Count(); ok {
		a.Choices = max(a.Choices, min(n, maxChoices))
	}
}

// inputTokens estimates the tokens of a body. Images and sound stand in it as base64, of which few bytes make a
// token.
func inputTokens(body []byte) int64 {
	text, media := len(body), 0
	for rest := body; len(rest) > mediaBytes; {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			if media == 0 && len(rest) == len(body) {
				break // no JSON
			}
			i = len(rest)
		}
		if i > mediaBytes && isBase64(rest[:i]) {
			text -= i
			media++
		}
		rest = rest[min(i+1, len(rest)):]
	}
	return min(int64(text)/bytesPerToken+int64(media)*mediaTokens+1, maxInput)
}

// isBase64 looks at the first bytes behind the head that a data URL has.
func isBase64(b []byte) bool {
	const look = 256
	if i := bytes.Index(b[:look], []byte(";base64,")); i >= 0 {
		b = b[i+len(";base64,"):]
	}
	for _, c := range b[:min(look, len(b))] {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '=' {
			continue
		}
		return false
	}
	return true
}

// What is reserved where the price is not by LLM tokens.
const (
	bytesPerMilli  = 4      // of sound: 32 kbit/s, as little as speech is sent with as a rule
	tokensPerMilli = 0.01   // of sound, where its LLM tokens are billed
	hardwareMillis = 60_000 // of a machine that is billed by its time
)

// Usage is the usage that is reserved for a call to an endpoint at a price: what it asks, and where it sets no bound,
// typical tokens of output. Calls that make vectors have no output. Of what p has a price for beside tokens: as many
// images as are asked for, a character for each byte of the body, and of time that of a sound of its size, or a
// minute of a machine. p is nil where there is no price.
func (a Ask) Usage(endpoint string, typical int64, p *price.Price) sluice.Usage {
	u := sluice.Usage{Basis: sluice.BasisEstimated}
	endpoint = strings.ToLower(endpoint)
	input := a.Input
	millis := int64(hardwareMillis)
	if strings.HasPrefix(endpoint, "audio/trans") {
		millis = a.Bytes/bytesPerMilli + 1
		input = int64(float64(millis)*tokensPerMilli) + 1
	}
	u.Set(sluice.Input, input)
	if p != nil {
		for class, n := range map[sluice.Class]int64{sluice.Images: max(a.Choices, 1), sluice.Characters: a.Bytes, sluice.Milliseconds: millis} {
			if _, listed := p.Rate(class); listed {
				u.Set(class, n)
			}
		}
	}
	if strings.Contains(endpoint, "embed") {
		return u
	}
	out := a.Output
	if out == 0 {
		out = typical
	}
	u.Set(sluice.Output, out*max(a.Choices, 1))
	return u
}

// Amount is what a usage costs by a price, or by the caller's own. What has a price, though not for this, is
// reserved as far as it goes. priced is false where nobody knows a price.
func Amount(u sluice.Usage, p *price.Price, custom *price.CustomCost) (amount sluice.NanoUSD, priced bool) {
	if custom != nil {
		return custom.Bill(u).Total, true
	}
	if p == nil {
		return 0, false
	}
	if cost, known := p.Cost(u, price.Factors{}); known {
		return cost, true
	}
	var listed sluice.Usage
	for class := range sluice.ClassCount {
		if n, known := u.Get(class); known {
			if _, has := p.Rate(class); has {
				listed.Set(class, n)
			}
		}
	}
	cost, _ := p.Cost(listed, price.Factors{}) // 0 where it is not known
	return cost, true
}
