package gemini

import (
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
)

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

// place is a place in a text and what stands there.
type place = answer.Place[what]

// The plans of the endpoints. They do not change. Each place is that of an answer, and of one in an array:
// a stream that was not asked for as server-sent events is one array, and sometimes an error is wrapped in
// one.
var (
	generate = answer.Compile(answer.Under(generatePlaces(), "", "[].")) //nolint:gochecknoglobals // immutable
	predict  = answer.Compile(answer.Under(predictPlaces(), "", "[]."))  //nolint:gochecknoglobals // immutable
)

func errorPlaces() []place {
	return []place{
		{At: "error", Tells: failure},
		{At: "error.message", Tells: message},
		{At: "error.status", Tells: code},
	}
}

// generatePlaces are those of generateContent and of embeddings. Every member of a part may be the first
// token (text, functionCall, inlineData, executableCode, …), but not what only accompanies one.
func generatePlaces() []place {
	const part = "candidates.[].content.parts.[]."
	return append(errorPlaces(),
		place{At: "modelVersion", Tells: model},
		place{At: "usageMetadata", Tells: usage},
		place{At: "promptFeedback.blockReason", Tells: block},
		place{At: "candidates.[]", How: jsonpick.Some, Tells: choice},
		place{At: "candidates.[].index", Tells: index},
		place{At: "candidates.[].finishReason", Tells: finish},
		place{At: part + "*", How: jsonpick.Some, Tells: content},
		place{At: part + "thought", How: jsonpick.Never},
		place{At: part + "thoughtSignature", How: jsonpick.Never},
		place{At: part + "videoMetadata", How: jsonpick.Never},
		place{At: part + "mediaResolution", How: jsonpick.Never},
		place{At: "embedding", How: jsonpick.Some, Tells: content},
		place{At: "embeddings", How: jsonpick.Some, Tells: content},
	)
}

// predictPlaces are those of predictions
// (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api and
// …/imagen-api, read 2026-11). Each embedding tells its tokens, and the metadata the characters. The
// models before Gemini told both in the metadata.
func predictPlaces() []place {
	const tokens = "metadata.tokenMetadata."
	return append(errorPlaces(),
		place{At: "predictions", How: jsonpick.Some, Tells: content},
		place{At: "predictions.[]", How: jsonpick.Some, Tells: predicted},
		place{At: "predictions.[].mimeType", Tells: mime},
		place{At: "predictions.[].bytesBase64Encoded", How: jsonpick.Some, Tells: bytes},
		place{At: "predictions.[].embeddings.statistics.token_count", Tells: inputTokens},
		place{At: "metadata.billableCharacterCount", Tells: characters},
		place{At: tokens + "inputTokenCount.totalTokens", Tells: inputTokens},
		place{At: tokens + "inputTokenCount.totalBillableCharacters", Tells: characters},
		place{At: tokens + "outputTokenCount.totalTokens", Tells: outputTokens},
		place{At: tokens + "outputTokenCount.totalBillableCharacters", Tells: characters},
	)
}
