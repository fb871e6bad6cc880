package openai

import (
	sluice "github.com/sluicehq/sluice"
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
	// typed: a stream's events say by their type what they are.
	typed bool
	// ends are the types that end a stream, in addition to the sentinel.
	ends []string
	// fill sets what a usage object leaves out because the endpoint makes it clear. nil: nothing.
	fill func(u *sluice.Usage, usage jsonscan.Value)
}

// The endpoints. They do not change: picks are compiled once.
var (
	chat = newEndpoint(shared(), chatPaths()) //nolint:gochecknoglobals // immutable

	responses = typed(newEndpoint(shared(), responsePaths()), //nolint:gochecknoglobals // immutable
		"response.completed", "response.incomplete", "response.failed", "response.cancelled")

	embeddings = filled(newEndpoint(shared(), mediaPaths()), allInput) //nolint:gochecknoglobals // immutable

	images = filled(typed(newEndpoint(shared(), imagePaths()), //nolint:gochecknoglobals // immutable
		"image_generation.completed", "image_edit.completed"), allPicture)

	audio = typed(newEndpoint(shared(), audioPaths()), //nolint:gochecknoglobals // immutable
		"transcript.text.done", "speech.audio.done", "transcription.done")

	documents = newEndpoint(shared(), documentPaths()) //nolint:gochecknoglobals // immutable

	media = newEndpoint(shared(), mediaPaths()) //nolint:gochecknoglobals // immutable
)

func newEndpoint(parts ...[]path) endpoint {
	var e endpoint
	var paths []jsonpick.Path
	for _, part := range parts {
		for _, p := range part {
			paths = append(paths, jsonpick.Path{At: p.at, How: p.how})
			e.tells = append(e.tells, p.what)
		}
	}
	e.set = jsonpick.Compile(paths)
	return e
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
func shared() []path {
	return []path{
		{"model", jsonpick.Whole, model},
		{"usage", jsonpick.Whole, usage},
		{"service_tier", jsonpick.Whole, tier},
		{"error", jsonpick.Whole, failure},
		{"error.message", jsonpick.Whole, message},
		{"error.code", jsonpick.Whole, code},
		{"error.type", jsonpick.Whole, code},
		{"error.[]", jsonpick.Whole, message},
		{"object", jsonpick.Whole, object},
		{"message", jsonpick.Whole, flat},
		{"detail", jsonpick.Whole, flat},
		{"detail.[].msg", jsonpick.Whole, flat},
		{"errors.[].message", jsonpick.Whole, flat},
	}
}

// chatPaths are those of chat completions and of the older completions. Usage stands at the top level;
// in x_groq of the last chunk (Groq); in a choice of the last chunk (Moonshot). Every member of a delta
// may be the first token (content, reasoning, reasoning_content, tool_calls, refusal, audio, images, …),
// except those that only announce one.
func chatPaths() []path {
	paths := []path{
		{"x_groq.usage", jsonpick.Whole, usage},
		{"timings", jsonpick.Whole, timings},
		{"content", jsonpick.Some, content}, // llama.cpp's own completions
		{"stop_type", jsonpick.Whole, finish},
		{"x_groq.error", jsonpick.Whole, failure},
		{"x_groq.error.message", jsonpick.Whole, message},
		{"choices", jsonpick.Some, choices},
		{"choices.[].usage", jsonpick.Whole, usage},
		{"choices.[].finish_reason", jsonpick.Whole, finish},
		{"choices.[].text", jsonpick.Some, content},
	}
	for _, in := range []string{"choices.[].delta.", "choices.[].message."} {
		paths = append(paths, path{in + "*", jsonpick.Some, content})
		for _, name := range []string{"role", "name", "channel", "id", "type", "object", "status"} {
			paths = append(paths, path{in + name, jsonpick.Never, nothing})
		}
	}
	return paths
}

func responsePaths() []path {
	paths := []path{{"type", jsonpick.Whole, kind}, {"delta", jsonpick.Some, delta}, {"code", jsonpick.Whole, code}}
	for _, in := range []string{"", "response."} {
		paths = append(paths,
			path{in + "status", jsonpick.Whole, status},
			path{in + "incomplete_details.reason", jsonpick.Whole, reason},
			path{in + "output", jsonpick.Some, content})
	}
	return append(paths,
		path{"response.model", jsonpick.Whole, model},
		path{"response.usage", jsonpick.Whole, usage},
		path{"response.service_tier", jsonpick.Whole, tier},
		path{"response.error", jsonpick.Whole, failure},
		path{"response.error.message", jsonpick.Whole, message},
		path{"response.error.code", jsonpick.Whole, code},
	)
}

// mediaPaths are those of embeddings, rankings and moderations.
func mediaPaths() []path {
	return []path{
		{"data", jsonpick.Some, content},
		{"results", jsonpick.Some, content},
	}
}

// imagePaths are those of images. A stream has each picture in an event of its own, which is told by its
// bytes from the one before.
func imagePaths() []path {
	return []path{
		{"type", jsonpick.Whole, kind},
		{"b64_json", jsonpick.Whole, pictured},
		{"data", jsonpick.Some, content},
		{"data.[]", jsonpick.Some, picture},
	}
}

// audioPaths are those of speech and of its transcriptions, which tell their duration when they are
// verbose.
func audioPaths() []path {
	return []path{
		{"type", jsonpick.Whole, kind},
		{"delta", jsonpick.Some, delta},
		{"audio", jsonpick.Some, delta},
		{"text", jsonpick.Some, content},
		{"duration", jsonpick.Whole, duration},
	}
}

// documentPaths are those of Mistral's reading of documents (https://docs.mistral.ai/api, read 2026-11).
func documentPaths() []path {
	return []path{
		{"pages", jsonpick.Some, content},
		{"usage_info.pages_processed", jsonpick.Whole, pages},
	}
}
