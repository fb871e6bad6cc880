package openai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// what is what the value of a path tells.
type what uint8

const (
	nothing  what = iota
	model         // the model that answered
	usage         // a usage object
	choices       // the chunk has at least one choice
	finish        // a finish reason
	status        // of a response
	reason        // why a response is incomplete
	content       // a part of the answer itself
	kind          // the type of an event
	delta         // a delta with something in it
	failure       // an error, or what contains one
	message       // what an error says
	code          // its code or type, for want of a message
	flat          // a message that is an error's when the text holds nothing else
	object        // the type of an object
	tier          // the service tier that the answer was given
	timings       // what llama.cpp says of its work
	duration      // of speech, in seconds
	picture       // one that was made
	pictured      // a picture's bytes, or those of a part of one
	pages         // how many were read
	item          // the type of an item of a response
	action        // the type of what a tool did
	index         // of the item that an event is about
)

// place is a place in a text and what stands there.
type place = answer.Place[what]

// endpoint is what the meters of a kind of endpoint look for.
type endpoint struct {
	answer.Plan[what]
	// typed: a stream's events say by their type what they are.
	typed bool
	// ends are the types that end a stream, in addition to the sentinel.
	ends []string
	// fill sets what a usage object leaves out because the endpoint makes it clear. nil: nothing.
	fill func(u *sluice.Usage, usage jsonscan.Value)
}

// The endpoints. They do not change: picks are compiled once.
var (
	chat = with(chatPlaces()) //nolint:gochecknoglobals // immutable

	responses = typed(with(responsePlaces()), //nolint:gochecknoglobals // immutable
		"response.completed", "response.incomplete", "response.failed", "response.cancelled")

	embeddings = filled(with(mediaPlaces()), allInput) //nolint:gochecknoglobals // immutable

	images = filled(typed(with(imagePlaces()), //nolint:gochecknoglobals // immutable
		"image_generation.completed", "image_edit.completed"), allPicture)

	audio = typed(with(audioPlaces()), //nolint:gochecknoglobals // immutable
		"transcript.text.done", "speech.audio.done", "transcription.done")

	documents = with(documentPlaces()) //nolint:gochecknoglobals // immutable

	media = with(mediaPlaces()) //nolint:gochecknoglobals // immutable
)

// with makes an endpoint of places, beside those that all have.
func with(places []place) endpoint {
	return endpoint{Plan: answer.Compile(append(shared(), places...))}
}

func typed(e endpoint, ends ...string) endpoint {
	e.typed, e.ends = true, ends
	return e
}

func filled(e endpoint, fill func(*sluice.Usage, jsonscan.Value)) endpoint {
	e.fill = fill
	return e
}

// shared is what all endpoints have, the forms of errors above all. Beside OpenAI's
// {"error":{"message","type","code"}} there are {"error":"text"} (Ollama, xAI, LM Studio),
// {"error":["a","b"]} and {"error","error_type"} (Hugging Face), {"object":"error","message"} (Mistral,
// older vLLM), {"message","code"} (Cerebras, Azure's front), {"detail"} (Mistral, NVIDIA) and
// {"errors":[{"message"}]} (Workers AI).
func shared() []place {
	return []place{
		{At: "model", Tells: model},
		{At: "usage", Tells: usage},
		{At: "service_tier", Tells: tier},
		{At: "error", Tells: failure},
		{At: "error.message", Tells: message},
		{At: "error.code", Tells: code},
		{At: "error.type", Tells: code},
		{At: "error.[]", Tells: message},
		{At: "object", Tells: object},
		{At: "message", Tells: flat},
		{At: "detail", Tells: flat},
		{At: "detail.[].msg", Tells: flat},
		{At: "errors.[].message", Tells: flat},
	}
}

// chatPlaces are those of chat completions and of the older completions. Usage stands at the top level;
// in x_groq of the last chunk (Groq); in a choice of the last chunk (Moonshot). Every member of a delta
// may be the first token (content, reasoning, reasoning_content, tool_calls, refusal, audio, images, …),
// except those that only announce one.
func chatPlaces() []place {
	places := []place{
		{At: "x_groq.usage", Tells: usage},
		{At: "timings", Tells: timings},
		{At: "content", How: jsonpick.Some, Tells: content}, // llama.cpp's own completions
		{At: "stop_type", Tells: finish},
		{At: "x_groq.error", Tells: failure},
		{At: "x_groq.error.message", Tells: message},
		{At: "choices", How: jsonpick.Some, Tells: choices},
		{At: "choices.[].usage", Tells: usage},
		{At: "choices.[].finish_reason", Tells: finish},
		{At: "choices.[].text", How: jsonpick.Some, Tells: content},
	}
	for _, in := range []string{"choices.[].delta.", "choices.[].message."} {
		places = append(places, place{At: in + "*", How: jsonpick.Some, Tells: content})
		for _, name := range []string{"role", "name", "channel", "id", "type", "object", "status"} {
			places = append(places, place{At: in + name, How: jsonpick.Never})
		}
	}
	return places
}

func responsePlaces() []place {
	places := []place{{At: "type", Tells: kind}, {At: "delta", How: jsonpick.Some, Tells: delta}, {At: "code", Tells: code}}
	for _, in := range []string{"", "response."} {
		places = append(places,
			place{At: in + "status", Tells: status},
			place{At: in + "incomplete_details.reason", Tells: reason},
			place{At: in + "output", How: jsonpick.Some, Tells: content},
			place{At: in + "output.[].type", Tells: item},
			place{At: in + "output.[].action.type", Tells: action})
	}
	return append(places,
		place{At: "item.type", Tells: item},
		place{At: "item.action.type", Tells: action},
		place{At: "output_index", Tells: index},
		place{At: "response.model", Tells: model},
		place{At: "response.usage", Tells: usage},
		place{At: "response.service_tier", Tells: tier},
		place{At: "response.error", Tells: failure},
		place{At: "response.error.message", Tells: message},
		place{At: "response.error.code", Tells: code},
	)
}

// mediaPlaces are those of embeddings, rankings and moderations.
func mediaPlaces() []place {
	return []place{
		{At: "data", How: jsonpick.Some, Tells: content},
		{At: "results", How: jsonpick.Some, Tells: content},
	}
}

// imagePlaces are those of images. A stream has each picture in an event of its own, which is told by its
// bytes from the one before.
func imagePlaces() []place {
	return []place{
		{At: "type", Tells: kind},
		{At: "b64_json", Tells: pictured},
		{At: "data", How: jsonpick.Some, Tells: content},
		{At: "data.[]", How: jsonpick.Some, Tells: picture},
	}
}

// audioPlaces are those of speech and of its transcriptions, which tell their duration when they are
// verbose.
func audioPlaces() []place {
	return []place{
		{At: "type", Tells: kind},
		{At: "delta", How: jsonpick.Some, Tells: delta},
		{At: "audio", How: jsonpick.Some, Tells: delta},
		{At: "text", How: jsonpick.Some, Tells: content},
		{At: "duration", Tells: duration},
	}
}

// documentPlaces are those of Mistral's reading of documents (https://docs.mistral.ai/api, read 2026-11).
func documentPlaces() []place {
	return []place{
		{At: "pages", How: jsonpick.Some, Tells: content},
		{At: "usage_info.pages_processed", Tells: pages},
	}
}
