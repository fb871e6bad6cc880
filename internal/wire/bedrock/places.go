package bedrock

import (
	"slices"

	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
)

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

// place is a place in a text and what stands there.
type place = answer.Place[what]

//nolint:gochecknoglobals // immutable: the places, compiled once
var plan = answer.Compile(slices.Concat(conversePlaces(), modelPlaces(), chatPlaces(), errorPlaces()))

// conversePlaces are those of Converse and its events, and of Nova, which answers InvokeModel nearly the
// same; its events stand in a member that is named after them.
func conversePlaces() []place {
	places := []place{
		{At: "output.message.content", How: jsonpick.Some, Tells: content},
		{At: "usage", Tells: usage},
		{At: "serviceTier.type", Tells: tier},
		{At: "performanceConfig.latency", Tells: speed},
		{At: "trace.promptRouter.invokedModelId", Tells: model},
		{At: "metrics", How: jsonpick.Some, Tells: closing},
		{At: "stopReason", Tells: finish},
		{At: "messageStop.stopReason", Tells: finish},
		{At: "metadata.usage", Tells: usage},
	}
	for _, in := range []string{"", "contentBlockDelta.", "contentBlockStart."} {
		places = append(places,
			place{At: in + "delta.*", How: jsonpick.Some, Tells: content},
			place{At: in + "start.*", How: jsonpick.Some, Tells: content})
	}
	return places
}

// modelPlaces are those of the families that have a form of their own.
func modelPlaces() []place {
	return []place{
		// Titan's texts, whole and in events, and its embeddings.
		{At: "inputTextTokenCount", Tells: input},
		{At: "totalOutputTextTokenCount", Tells: output},
		{At: "outputText", How: jsonpick.Some, Tells: content},
		{At: "completionReason", Tells: finish},
		{At: "results.[].tokenCount", Tells: outputPart},
		{At: "results.[].outputText", How: jsonpick.Some, Tells: content},
		{At: "results.[].completionReason", Tells: finish},
		{At: "embedding", How: jsonpick.Some, Tells: content},
		{At: "embeddingsByType", How: jsonpick.Some, Tells: content},
		// Llama.
		{At: "prompt_token_count", Tells: input},
		{At: "generation_token_count", Tells: output},
		{At: "generation", How: jsonpick.Some, Tells: content},
		// Mistral.
		{At: "outputs.[].text", How: jsonpick.Some, Tells: content},
		{At: "outputs.[].stop_reason", Tells: finish},
		// Cohere's texts and embeddings, and the ranking of documents.
		{At: "text", How: jsonpick.Some, Tells: content},
		{At: "finish_reason", Tells: finish},
		{At: "generations.[].text", How: jsonpick.Some, Tells: content},
		{At: "generations.[].finish_reason", Tells: finish},
		{At: "embeddings", How: jsonpick.Some, Tells: content},
		{At: "results.[].relevance_score", Tells: content},
		// Pictures of Titan, Nova Canvas and Stability.
		{At: "images.[]", How: jsonpick.Some, Tells: picture},
		{At: "artifacts.[].base64", How: jsonpick.Some, Tells: picture},
	}
}

// chatPlaces are those of whole answers in Anthropic's and OpenAI's dialects.
func chatPlaces() []place {
	const choice = "choices.[]."
	return []place{
		{At: "model", Tells: model},
		{At: "stop_reason", Tells: finish},
		{At: "content", How: jsonpick.Some, Tells: content},
		{At: "service_tier", Tells: tier},
		{At: choice + "finish_reason", Tells: finish},
		{At: choice + "stop_reason", Tells: finish},
		{At: choice + "text", How: jsonpick.Some, Tells: content},
		{At: choice + "message.*", How: jsonpick.Some, Tells: content},
		{At: choice + "message.role", How: jsonpick.Never},
	}
}

// errorPlaces are those of errors: Bedrock's {"message"}, {"Message"} of what stands in front of it,
// {"Output":{"__type"}} where that knows no such path, and what the models say.
func errorPlaces() []place {
	return []place{
		{At: "message", Tells: flat},
		{At: "Message", Tells: flat},
		{At: "__type", Tells: failed},
		{At: "Output.__type", Tells: failed},
		{At: "error", Tells: failure},
		{At: "error.message", Tells: message},
		{At: "error.type", Tells: code},
	}
}
