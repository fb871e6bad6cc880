package bedrock

import "github.com/sluicehq/sluice/internal/wire/jsonpick"

// what is what the value of a path tells.
type what uint8

const (
	nothing    what = iota
	model           // the model that answered
	usage           // a usage object
	closing         // an event that is the last one
	finish          // why the answer ended
	tier            // the service tier
	speed           // the latency that was paid for
	content         // a part of the answer itself
	failure         // an error
	message         // what it says
	code            // its type, for want of a message
	flat            // text that is an error's when there is nothing else
	failed          // an error's type, which stands for one
	input           // a count
	output          // a count
	outputPart      // a part of a count
	picture         // a picture
)

// path is a place in a text and what stands there.
type path struct {
	at   string
	how  jsonpick.How
	what what
}

// endpoint is what the meter looks for.
type endpoint struct {
	set   *jsonpick.Set
	tells []what // by path
}

//nolint:gochecknoglobals // immutable: the paths, compiled once
var all = newEndpoint(conversePaths(), modelPaths(), chatPaths(), errorPaths())

func newEndpoint(parts ...[]path) endpoint {
	var e endpoint
	var compiled []jsonpick.Path
	for _, part := range parts {
		for _, p := range part {
			compiled = append(compiled, jsonpick.Path{At: p.at, How: p.how})
			e.tells = append(e.tells, p.what)
		}
	}
	e.set = jsonpick.Compile(compiled)
	return e
}

// conversePaths are those of Converse and its events, and of Nova, which answers InvokeModel nearly the
// same; its events stand in a member that is named after them.
func conversePaths() []path {
	paths := []path{
		{"output.message.content", jsonpick.Some, content},
		{"usage", jsonpick.Whole, usage},
		{"serviceTier.type", jsonpick.Whole, tier},
		{"performanceConfig.latency", jsonpick.Whole, speed},
		{"trace.promptRouter.invokedModelId", jsonpick.Whole, model},
		{"metrics", jsonpick.Some, closing},
		{"stopReason", jsonpick.Whole, finish},
		{"messageStop.stopReason", jsonpick.Whole, finish},
		{"metadata.usage", jsonpick.Whole, usage},
	}
	for _, in := range []string{"", "contentBlockDelta.", "contentBlockStart."} {
		paths = append(paths, path{in + "delta.*", jsonpick.Some, content}, path{in + "start.*", jsonpick.Some, content})
	}
	return paths
}

// modelPaths are those of the families that have a form of their own.
func modelPaths() []path {
	return []path{
		// Titan's texts, whole and in events, and its embeddings.
		{"inputTextTokenCount", jsonpick.Whole, input},
		{"totalOutputTextTokenCount", jsonpick.Whole, output},
		{"outputText", jsonpick.Some, content},
		{"completionReason", jsonpick.Whole, finish},
		{"results.[].tokenCount", jsonpick.Whole, outputPart},
		{"results.[].outputText", jsonpick.Some, content},
		{"results.[].completionReason", jsonpick.Whole, finish},
		{"embedding", jsonpick.Some, content},
		{"embeddingsByType", jsonpick.Some, content},
		// Llama.
		{"prompt_token_count", jsonpick.Whole, input},
		{"generation_token_count", jsonpick.Whole, output},
		{"generation", jsonpick.Some, content},
		// Mistral.
		{"outputs.[].text", jsonpick.Some, content},
		{"outputs.[].stop_reason", jsonpick.Whole, finish},
		// Cohere's texts and embeddings, and the ranking of documents.
		{"text", jsonpick.Some, content},
		{"finish_reason", jsonpick.Whole, finish},
		{"generations.[].text", jsonpick.Some, content},
		{"generations.[].finish_reason", jsonpick.Whole, finish},
		{"embeddings", jsonpick.Some, content},
		{"results.[].relevance_score", jsonpick.Whole, content},
		// Pictures of Titan, Nova Canvas and Stability.
		{"images.[]", jsonpick.Some, picture},
		{"artifacts.[].base64", jsonpick.Some, picture},
	}
}

// chatPaths are those of whole answers in Anthropic's and OpenAI's dialects.
func chatPaths() []path {
	const choice = "choices.[]."
	return []path{
		{"model", jsonpick.Whole, model},
		{"stop_reason", jsonpick.Whole, finish},
		{"content", jsonpick.Some, content},
		{"service_tier", jsonpick.Whole, tier},
		{choice + "finish_reason", jsonpick.Whole, finish},
		{choice + "stop_reason", jsonpick.Whole, finish},
		{choice + "text", jsonpick.Some, content},
		{choice + "message.*", jsonpick.Some, content},
		{choice + "message.role", jsonpick.Never, nothing},
	}
}

// errorPaths are those of errors: Bedrock's {"message"}, {"Message"} of what stands in front of it,
// {"Output":{"__type"}} where that knows no such path, and what the models say.
func errorPaths() []path {
	return []path{
		{"message", jsonpick.Whole, flat},
		{"Message", jsonpick.Whole, flat},
		{"__type", jsonpick.Whole, failed},
		{"Output.__type", jsonpick.Whole, failed},
		{"error", jsonpick.Whole, failure},
		{"error.message", jsonpick.Whole, message},
		{"error.type", jsonpick.Whole, code},
	}
}
