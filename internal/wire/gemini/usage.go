package gemini

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// counts are an answer's counts as the wire has them. Each chunk of a stream has cumulative ones, so each
// is the last one that was reported; one that a later chunk leaves out stays as it was.
type counts struct {
	prompt, toolPrompt, cached  answer.Count
	candidates, thoughts, total answer.Count
	audio, image, cachedAudio   answer.Count // parts of prompt and cached
	toolAudio, toolImage        answer.Count // parts of toolPrompt
	audioOut, imageOut          answer.Count // parts of candidates
	sums
	serviceTier, trafficType string
}

// sums are counts of predictions, which a text has in parts.
type sums struct {
	input, output, characters, images answer.Count
}

// take notes what a usageMetadata object reports.
func (c *counts) take(v jsonscan.Value) {
	keys := [...]string{
		"promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "totalTokenCount",
		"thoughtsTokenCount", "promptTokensDetails", "toolUsePromptTokensDetails", "cacheTokensDetails",
		"candidatesTokensDetails", "serviceTier", "trafficType",
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, to := range [...]*answer.Count{&c.prompt, &c.toolPrompt, &c.cached, &c.candidates, &c.total} {
		to.Set(out[i])
	}
	// Later chunks are known to lose the thoughts of earlier ones.
	c.thoughts.Raise(out[5])
	var cachedImage answer.Count
	details(out[6], &c.audio, &c.image)
	details(out[7], &c.toolAudio, &c.toolImage)
	details(out[8], &c.cachedAudio, &cachedImage)
	details(out[9], &c.audioOut, &c.imageOut)
	answer.Remember(&c.serviceTier, out[10])
	answer.Remember(&c.trafficType, out[11])
}

// details reads the parts of a count by modality. The other modalities (TEXT, VIDEO, DOCUMENT) are no
// classes of their own.
func details(v jsonscan.Value, audio, image *answer.Count) {
	for part := range v.Elements() {
		var out [2]jsonscan.Value
		if part.Kind != jsonscan.Object || !jsonscan.Top(part.Raw, []string{"modality", "tokenCount"}, out[:]).Valid {
			continue
		}
		switch string(out[0].Raw) {
		case `"AUDIO"`:
			audio.Set(out[1])
		case `"IMAGE"`:
			image.Set(out[1])
		}
	}
}

// usage turns the counts into a Usage: the only place where this dialect's do. promptTokenCount includes
// what was read from the cache, but not the results of tools that were given back to the model, which are
// input too (QuantumNous/new-api issue 2935). candidatesTokenCount leaves thoughts out. Counts of zero
// are missing on this wire: of an answer that has ended, the total tells that there was no output.
func (c *counts) usage(ended bool) sluice.Usage {
	input, output := answer.Sum(c.prompt, c.toolPrompt), answer.Sum(c.candidates, c.thoughts)
	if !output.Known && ended && c.prompt.Known && c.total.Known {
		output = answer.Count{N: max(0, c.total.N-input.N), Known: true}
	}
	var u sluice.Usage
	for _, p := range [...]struct {
		class sluice.Class
		count answer.Count
	}{
		{sluice.Input, answer.Sum(input, c.input)},
		{sluice.Output, answer.Sum(output, c.output)},
		{sluice.CacheRead, c.cached},
		{sluice.Reasoning, c.thoughts},
		{sluice.AudioIn, answer.Sum(c.audio, c.toolAudio)},
		{sluice.AudioOut, c.audioOut},
		{sluice.ImageIn, answer.Sum(c.image, c.toolImage)},
		{sluice.ImageOut, c.imageOut},
		{sluice.AudioCacheRead, c.cachedAudio},
		{sluice.Characters, c.characters},
		{sluice.Images, c.images},
	} {
		p.count.To(&u, p.class)
	}
	return u
}

// served returns the service tier. The Gemini API calls it serviceTier, Vertex AI trafficType
// ("ON_DEMAND", "ON_DEMAND_FLEX", "PROVISIONED_THROUGHPUT").
func (c *counts) served() string {
	for _, name := range [...]string{c.serviceTier, c.trafficType} {
		name = strings.ToLower(name)
		if strings.HasSuffix(name, "_unspecified") {
			continue
		}
		if tier := wire.Tier(strings.TrimPrefix(name, "on_demand_")); tier != "" {
			return tier
		}
	}
	return ""
}
