package gemini

import "github.com/sluicehq/sluice/internal/wire/jsonpick"

// what is what the value of a path tells.
type what uint8

const (
	nothing what = iota
	model        // the model that answered
	usage        // a usage object
	choice       // a candidate begins
	index        // which candidate it is
	finish       // why it ended
	block        // why the prompt was blocked
	content      // a part of the answer itself
	failure      // an error
	message      // what it says
	code         // its status, for want of a message

	predicted    // a prediction begins
	mime         // the type of its bytes
	bytes        // it has some
	inputTokens  // a part of them
	outputTokens // a part of them
	characters   // a part of those that are billed
)

// path is a place in a text and what stands there.
type path struct {
	at   string
	how  jsonpick.How
	what what
}

// endpoint is what the meters of a kind of endpoint look for.
type endpoint struct {
	set   *jsonpick.Set
	tells []what // by path
}

// The endpoints. They do not change: picks are compiled once.
var (
	generate = newEndpoint(generatePaths()) //nolint:gochecknoglobals // immutable
	predict  = newEndpoint(predictPaths())  //nolint:gochecknoglobals // immutable
)

// newEndpoint compiles paths: of an answer, and of an array of such. A stream that was not asked for as
// server-sent events is one array, and sometimes an error is wrapped in one.
func newEndpoint(paths []path) endpoint {
	var e endpoint
	var compiled []jsonpick.Path
	for _, in := range []string{"", "[]."} {
		for _, p := range paths {
			compiled = append(compiled, jsonpick.Path{At: in + p.at, How: p.how})
			e.tells = append(e.tells, p.what)
		}
	}
	e.set = jsonpick.Compile(compiled)
	return e
}

func errorPaths() []path {
	return []path{
		{"error", jsonpick.Whole, failure},
		{"error.message", jsonpick.Whole, message},
		{"error.status", jsonpick.Whole, code},
	}
}

// generatePaths are those of generateContent and of embeddings. Every member of a part may be the first
// token (text, functionCall, inlineData, executableCode, …), but not what only accompanies one.
func generatePaths() []path {
	const part = "candidates.[].content.parts.[]."
	return append(errorPaths(),
		path{"modelVersion", jsonpick.Whole, model},
		path{"usageMetadata", jsonpick.Whole, usage},
		path{"promptFeedback.blockReason", jsonpick.Whole, block},
		path{"candidates.[]", jsonpick.Some, choice},
		path{"candidates.[].index", jsonpick.Whole, index},
		path{"candidates.[].finishReason", jsonpick.Whole, finish},
		path{part + "*", jsonpick.Some, content},
		path{part + "thought", jsonpick.Never, nothing},
		path{part + "thoughtSignature", jsonpick.Never, nothing},
		path{part + "videoMetadata", jsonpick.Never, nothing},
		path{part + "mediaResolution", jsonpick.Never, nothing},
		path{"embedding", jsonpick.Some, content},
		path{"embeddings", jsonpick.Some, content},
	)
}

// predictPaths are those of predictions
// (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api and
// …/imagen-api, read 2026-11). Each embedding tells its tokens, and the metadata the characters. The
// models before Gemini told both in the metadata.
func predictPaths() []path {
	const tokens = "metadata.tokenMetadata."
	return append(errorPaths(),
		path{"predictions", jsonpick.Some, content},
		path{"predictions.[]", jsonpick.Some, predicted},
		path{"predictions.[].mimeType", jsonpick.Whole, mime},
		path{"predictions.[].bytesBase64Encoded", jsonpick.Some, bytes},
		path{"predictions.[].embeddings.statistics.token_count", jsonpick.Whole, inputTokens},
		path{"metadata.billableCharacterCount", jsonpick.Whole, characters},
		path{tokens + "inputTokenCount.totalTokens", jsonpick.Whole, inputTokens},
		path{tokens + "inputTokenCount.totalBillableCharacters", jsonpick.Whole, characters},
		path{tokens + "outputTokenCount.totalTokens", jsonpick.Whole, outputTokens},
		path{tokens + "outputTokenCount.totalBillableCharacters", jsonpick.Whole, characters},
	)
}
