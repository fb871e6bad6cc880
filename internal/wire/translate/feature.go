package translate

// Feature is something that a request can ask for.
type Feature string

// The features, in the order of the fidelity table.
const (
	FeatureSystem      Feature = "system messages"
	FeatureLateSystem  Feature = "system messages in the middle"
	FeatureImage       Feature = "images"
	FeatureAudio       Feature = "audio"
	FeatureFile        Feature = "files"
	FeatureTools       Feature = "tools, parallel calls, results"
	FeatureToolChoice  Feature = "tool_choice"
	FeatureParallel    Feature = "parallel_tool_calls"
	FeatureStrict      Feature = "strict tools"
	FeatureFormat      Feature = "response_format"
	FeatureMaxTokens   Feature = "max_tokens"
	FeatureTemperature Feature = "temperature"
	FeatureTopP        Feature = "top_p"
	FeatureTopK        Feature = "top_k"
	FeatureStop        Feature = "stop"
	FeatureSeed        Feature = "seed"
	FeaturePenalties   Feature = "penalties"
	FeatureN           Feature = "n > 1"
	FeatureLogprobs    Feature = "logprobs"
	FeatureEffort      Feature = "reasoning_effort"
	FeatureReasoning   Feature = "reasoning passed back"
	FeatureCache       Feature = "prompt-cache marks"
	FeatureUser        Feature = "user"
	FeatureTier        Feature = "service_tier"
	FeatureAudioOut    Feature = "audio output"
	FeatureStreamUsage Feature = "stream_options"
)

// Features lists all features, in the order of the fidelity table.
func Features() []Feature {
	return []Feature{
		FeatureSystem, FeatureLateSystem, FeatureImage, FeatureAudio, FeatureFile, FeatureTools, FeatureToolChoice,
		FeatureParallel, FeatureStrict, FeatureFormat, FeatureMaxTokens, FeatureTemperature, FeatureTopP, FeatureTopK,
		FeatureStop, FeatureSeed, FeaturePenalties, FeatureN, FeatureLogprobs, FeatureEffort, FeatureReasoning,
		FeatureCache, FeatureUser, FeatureTier, FeatureAudioOut, FeatureStreamUsage,
	}
}

// Support says what becomes of a feature in a dialect.
type Support uint8

// The supports. A feature that a dialect does not list is dropped.
const (
	Dropped Support = iota // it only tunes: the target does not get it, and the log says so
	Kept                   // said in the target's words
	Adapted                // said in the target's words, within its bounds or by other means
	Refused                // dropping it would change what is asked for: 400
)

// String returns the support as the fidelity table shows it.
func (s Support) String() string { return [...]string{"dropped", "yes", "adapted", "refused"}[s] }

// judge drops and refuses what a dialect's features say, of what the request uses.
func (e *encoding) judge(r *Request, features map[Feature]Support) {
	for _, u := range r.said {
		switch features[u.feature] {
		case Dropped:
			e.drop(u.path)
		case Refused:
			e.refuse(u.path, "is not something that "+nameOf(e.target)+" can do", "leave it out, or call another model")
		}
	}
}

// nameOf names a target for people.
func nameOf(t Target) string {
	if t.Provider != "" {
		return t.Provider
	}
	return string(t.Dialect)
}

// Fidelity returns what becomes of each feature in requests that are written in d.
func Fidelity(d Dialect) map[Feature]Support {
	all := map[Feature]Support{}
	for f, s := range codecOf(d).features {
		all[f] = s
	}
	return all
}

// Targets are the dialects that requests can be written in.
func Targets() []Dialect { return []Dialect{Chat, Messages, Gemini, Converse, Cohere} }
