package provider

import (
	"slices"

	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// meter makes the reader of an endpoint's answers.
type meter = func(stream bool) wire.Meter

// call is an endpoint by POST that may be sent twice: it costs money, and leaves nothing behind. Its
// name is its path.
func call(path string, m meter) Endpoint {
	return Endpoint{Name: path, Method: "POST", Pattern: path, Repeatable: true, Meter: m}
}

// calls are such endpoints without a meter.
func calls(paths ...string) []Endpoint { return read(nil, paths...) }

// read are such endpoints with the same meter.
func read(m meter, paths ...string) []Endpoint {
	var es []Endpoint
	for _, path := range paths {
		es = append(es, call(path, m))
	}
	return es
}

// things are collections: all methods, all paths below. What changes them is not sent twice.
func things(paths ...string) []Endpoint {
	var es []Endpoint
	for _, path := range paths {
		es = append(es, Endpoint{Name: path, Pattern: path + "/{rest...}"})
	}
	return es
}

// named gives e the name and the pattern.
func (e Endpoint) named(name, pattern string) Endpoint {
	e.Name, e.Pattern = name, pattern
	return e
}

// of says which part of the pattern names the model.
func (e Endpoint) of(model string) Endpoint {
	e.Model = model
	return e
}

// streamed marks an endpoint whose path asks for a stream.
func (e Endpoint) streamed() Endpoint {
	e.Stream = true
	return e
}

// once marks an endpoint that leaves something behind, so that it is not sent twice.
func (e Endpoint) once() Endpoint {
	e.Repeatable = false
	return e
}

// free marks an endpoint that costs nothing.
func (e Endpoint) free() Endpoint {
	e.Free = true
	return e
}

// freeThings are collections that cost nothing.
func freeThings(paths ...string) []Endpoint {
	es := things(paths...)
	for i := range es {
		es[i] = es[i].free()
	}
	return es
}

// under puts a prefix before the patterns. model, when not empty, is the prefix's part that names it.
func under(prefix, model string, es []Endpoint) []Endpoint {
	es = slices.Clone(es)
	for i := range es {
		es[i].Pattern = prefix + es[i].Pattern
		if model != "" {
			es[i].Model = model
		}
	}
	return es
}

// openAIEndpoints are those of OpenAI's dialect, from
// https://platform.openai.com/docs/api-reference 2026-11 and its compatible servers.
func openAIEndpoints(m meters) []Endpoint {
	return slices.Concat(
		[]Endpoint{
			call("chat/completions", m.chat),
			call("responses", m.responses),
			call("embeddings", m.embeddings),
			call("completions", m.completions),
			call("images/generations", m.images),
			call("images/edits", m.images),
			call("images/variations", m.images),
			call("audio/speech", m.audio),
			call("audio/transcriptions", m.audio),
			call("audio/translations", m.audio),
			call("moderations", m.moderations),
			call("responses/input_tokens", nil).free(),
			call("responses/compact", m.responses),
			{Name: "models", Method: "GET", Pattern: "models/{model...}"},
			{Name: "realtime", Method: "GET", Pattern: "realtime"},
		},
		read(m.embeddings, "rerank"),
		read(m.chat, "fim/completions"),
		calls("decisions"),
		things(
			"chat/completions", "responses", "models", "realtime", "batches", "assistants", "threads",
			"vector_stores", "conversations", "containers", "evals", "fine_tuning", "videos", "skills", "chatkit", "audio",
			"images", "organization",
		),
		freeThings("files", "uploads"),
	)
}

// messagesEndpoints are Anthropic's Messages API, with its version stripped.
func messagesEndpoints(m meters) []Endpoint {
	return slices.Concat(
		[]Endpoint{call("messages", m.messages), call("messages/count_tokens", m.countTokens).free()},
		things("messages/batches"),
	)
}

// anthropicEndpoints are all of Anthropic's, from https://docs.anthropic.com/en/api 2026-11.
func anthropicEndpoints(m meters) []Endpoint {
	return slices.Concat(
		messagesEndpoints(m),
		[]Endpoint{
			call("complete", nil),
			call("chat/completions", m.chat),
			{Name: "models", Method: "GET", Pattern: "models/{model...}"},
		},
		things("skills", "organizations"),
		freeThings("files"),
	)
}

// geminiVerbs are the calls of a model in Google's dialect, below a pattern that ends in "{model}".
func geminiVerbs(m meters, pattern string) []Endpoint {
	verb := func(name string, mt meter) Endpoint {
		return call(name, mt).named(name, pattern+":"+name).of("model")
	}
	return []Endpoint{
		verb("generateContent", m.generate),
		verb("streamGenerateContent", m.generate).streamed(),
		verb("countTokens", m.countGemini).free(),
		verb("computeTokens", m.countGemini).free(),
		verb("embedContent", m.embed),
		verb("batchEmbedContents", m.embed),
		verb("asyncBatchEmbedContent", nil).once(),
		verb("batchGenerateContent", nil).once(),
		verb("generateMessage", nil),
		verb("generateText", nil),
		verb("predict", m.predict),
		verb("predictLongRunning", nil).once(),
		verb("fetchPredictOperation", nil),
		verb("serverStreamingPredict", nil).streamed(),
	}
}

// geminiEndpoints are Google AI Studio's, from https://ai.google.dev/api 2026-11.
func geminiEndpoints(m meters) []Endpoint {
	return slices.Concat(
		geminiVerbs(m, "{v}/models/{model}"),
		geminiVerbs(m, "{v}/tunedModels/{model}"),
		[]Endpoint{{Name: "models", Method: "GET", Pattern: "{v}/models/{model...}"}},
		under("{v}/openai/", "", openAIEndpoints(m.counting(openai.TotalHoldsAll))),
		[]Endpoint{{Name: "files", Pattern: "upload/{v}/files/{rest...}", Free: true}},
		under("{v}/", "", freeThings("files")),
		under("{v}/", "", things("cachedContents", "batches", "operations", "corpora", "tunedModels", "models")),
	)
}

// vertexEndpoints are Vertex AI's, from https://cloud.google.com/vertex-ai/docs/reference/rest 2026-11.
// Other vendors' models speak their own dialects there.
func vertexEndpoints(m meters) []Endpoint {
	const place = "{v}/projects/{project}/locations/{location}/"
	raw := func(publisher string, mt meter) []Endpoint {
		model := place + "publishers/" + publisher + "/models/{model}:"
		return []Endpoint{
			call("rawPredict", mt).named("rawPredict", model+"rawPredict").of("model"),
			call("streamRawPredict", mt).named("streamRawPredict", model+"streamRawPredict").of("model").streamed(),
		}
	}
	return slices.Concat(
		geminiVerbs(m, place+"publishers/{publisher}/models/{model}"),
		raw("anthropic", m.messages),
		raw("mistralai", m.chat),
		raw("{publisher}", m.chat), // AI21, Meta, DeepSeek, …: all of them OpenAI's dialect
		under(place+"endpoints/openapi/", "", openAIEndpoints(m.counting(openai.TotalHoldsAll))),
		geminiVerbs(m, place+"endpoints/{model}"),
		geminiVerbs(m, "{v}/publishers/{publisher}/models/{model}"),
		under(place, "", things("cachedContents", "batchPredictionJobs", "operations", "endpoints", "models")),
	)
}

// bedrockEndpoints are Bedrock's, from https://docs.aws.amazon.com/bedrock/latest/APIReference 2026-11.
func bedrockEndpoints(m meters) []Endpoint {
	const runtime, mantle = "{service}/{region}/", "bedrock-mantle/{region}/"
	verb := func(name string, mt meter) Endpoint {
		return call(name, mt).named(name, runtime+"model/{model}/"+name).of("model")
	}
	return slices.Concat(
		under(mantle+"anthropic/v1/", "", messagesEndpoints(m)),
		under(mantle+"v1/", "", openAIEndpoints(m)),
		[]Endpoint{
			verb("converse", m.converse),
			verb("converse-stream", m.converse).streamed(),
			verb("invoke", m.invoke),
			verb("invoke-with-response-stream", m.invoke).streamed(),
			verb("invoke-with-bidirectional-stream", nil).streamed().once(),
			verb("count-tokens", m.countBedrock).free(),
			call("guardrail", nil).named("guardrail", runtime+"guardrail/{id}/version/{version}/apply"),
		},
		under(runtime+"openai/v1/", "", openAIEndpoints(m)),
		under(runtime+"v1/", "", openAIEndpoints(m)),
		under(runtime, "", things("async-invoke")),
	)
}

// azureOpenAIEndpoints are those below a deployment, which names the model, and the resource's own.
func azureOpenAIEndpoints(m meters) []Endpoint {
	es := slices.DeleteFunc(openAIEndpoints(m), func(e Endpoint) bool { return e.Name == "models" })
	return slices.Concat(
		under("{resource}/{deployment}/", "deployment", es),
		under("{resource}/openai/deployments/{deployment}/", "deployment", es),
		under("{resource}/openai/v1/", "", openAIEndpoints(m)),
	)
}

// foundryEndpoints are the dialects that an Azure resource serves.
func foundryEndpoints(m meters) []Endpoint {
	return slices.Concat(
		under("{resource}/anthropic/v1/", "", anthropicEndpoints(m)),
		under("{resource}/openai/v1/", "", openAIEndpoints(m)),
		under("{resource}/openai/deployments/{deployment}/", "deployment", []Endpoint{
			call("chat/completions", m.chat), call("completions", m.completions), call("embeddings", m.embeddings),
		}),
		under("{resource}/models/", "", []Endpoint{
			call("chat/completions", m.chat), call("embeddings", m.embeddings), call("images/embeddings", m.embeddings),
		}),
	)
}

// mistralEndpoints are Mistral's own, beside OpenAI's: https://docs.mistral.ai/api 2026-11.
func mistralEndpoints(m meters) []Endpoint {
	return slices.Concat(
		[]Endpoint{
			call("agents/completions", m.chat),
			call("ocr", m.ocr),
			call("conversations", m.chat).once(),
			call("conversations", m.chat).named("conversations", "conversations/{id}").once(),
		},
		read(m.moderations, "chat/moderations", "classifications", "chat/classifications"),
		things("agents", "libraries", "batch", "fine_tuning"),
	)
}

// cohereEndpoints are Cohere's, from https://docs.cohere.com/reference/about 2026-11; version 1 is
// stripped.
func cohereEndpoints(m meters) []Endpoint {
	return slices.Concat(
		read(m.chatCohere, "v2/chat", "chat", "generate", "summarize"),
		read(m.embedCohere, "v2/embed", "v2/rerank", "v2/audio/transcriptions", "embed", "rerank", "classify"),
		calls("tokenize", "detokenize", "check-api-key"),
		[]Endpoint{{Name: "models", Method: "GET", Pattern: "models/{model...}"}},
		under("compatibility/v1/", "", openAIEndpoints(m)),
		things("v2/batches", "datasets", "embed-jobs", "connectors", "finetuning"),
	)
}

// perplexityEndpoints are Perplexity's, its own and OpenAI's: https://docs.perplexity.ai/api-reference 2026-11.
func perplexityEndpoints(m meters) []Endpoint {
	return slices.Concat(calls("search"), things("async/chat/completions"), openAIEndpoints(m))
}

// deepseekEndpoints are DeepSeek's other surfaces: https://api-docs.deepseek.com 2026-11.
func deepseekEndpoints(m meters) []Endpoint {
	return slices.Concat(
		under("anthropic/v1/", "", messagesEndpoints(m)),
		under("beta/", "", []Endpoint{call("chat/completions", m.chat), call("completions", m.completions)}),
		[]Endpoint{{Name: "user/balance", Method: "GET", Pattern: "user/balance"}},
	)
}

// openRouterEndpoints are OpenRouter's own: https://openrouter.ai/docs/api-reference 2026-11.
func openRouterEndpoints() []Endpoint {
	return things("generation", "credits", "key", "keys", "providers")
}

// workersEndpoints are Workers AI's: https://developers.cloudflare.com/workers-ai 2026-11. A path that
// is none of its API is a model to run.
func workersEndpoints(m meters) []Endpoint {
	run := call("run", m.run).of("model")
	run.Method = "" // some models are called by WebSocket
	return slices.Concat(
		under("v1/", "", []Endpoint{
			call("chat/completions", m.chat), call("completions", m.completions), call("embeddings", m.embeddings),
			call("responses", m.responses), call("messages", m.messages), call("messages/count_tokens", m.countTokens).free(),
		}),
		things("v1", "models"),
		calls("tomarkdown"),
		[]Endpoint{run.named("run", "run/{model...}"), run.named("run", "{model...}")},
	)
}

// huggingFaceEndpoints are the old Inference API, where the model is the path, and the OpenAI dialect
// that its heirs put below the model: https://huggingface.co/docs/api-inference 2023-10.
func huggingFaceEndpoints(m meters) []Endpoint {
	return []Endpoint{
		call("chat/completions", m.chat).named("chat/completions", "{model...}/v1/chat/completions").of("model"),
		call("completions", m.completions).named("completions", "{model...}/v1/completions").of("model"),
		{Name: "inference", Pattern: "{model...}", Model: "model", Repeatable: true, Meter: m.generateHF},
	}
}

// replicateEndpoints are Replicate's: https://replicate.com/docs/reference/http 2026-11. Creating a
// prediction twice would call its webhook twice. The last segment of a stream's address is its file.
func replicateEndpoints(m meters) []Endpoint {
	create := call("predictions", m.createPrediction).once()
	return slices.Concat(
		[]Endpoint{
			create.named("predictions", "models/{model...}/predictions").of("model"),
			create.named("predictions", "deployments/{model...}/predictions").of("model"),
			create,
			call("predictions", m.pollPrediction).named("predictions", "predictions/{id}/cancel"),
			{Name: "predictions", Method: "GET", Pattern: "predictions/{id}", Meter: m.pollPrediction},
			{Name: "files", Method: "GET", Pattern: "files/{id}", Meter: m.streamPrediction},
			call("search", nil),
		},
		things("predictions", "models", "deployments", "trainings", "files", "account", "hardware", "collections", "webhooks"),
	)
}

// basetenEndpoints are the dedicated deployments: https://docs.baseten.co/reference 2026-11.
func basetenEndpoints() []Endpoint {
	return []Endpoint{call("predict", nil).named("predict", "model/{model}/{rest...}").of("model").once()}
}

// parallelEndpoints are Parallel's: https://docs.parallel.ai/api-reference 2026-11.
func parallelEndpoints(m meters) []Endpoint {
	chat := call("chat/completions", m.chat)
	return slices.Concat(
		[]Endpoint{
			chat,
			chat.named("chat/completions", "{v}/chat/completions"),
			call("search", nil).named("search", "{v}/search"),
			call("extract", nil).named("extract", "{v}/extract"),
		},
		under("{v}/", "", things("tasks", "findall", "monitors")),
	)
}

// falEndpoints: the path is the app. https://docs.fal.ai/model-apis 2026-11. Calls may be put into a
// queue, so they are not sent twice.
func falEndpoints() []Endpoint {
	return []Endpoint{{Name: "run", Pattern: "{model...}", Model: "model"}}
}

// ideogramEndpoints are Ideogram's: https://developer.ideogram.ai/api-reference 2026-11.
func ideogramEndpoints(m meters) []Endpoint {
	return slices.Concat(
		[]Endpoint{call("images", m.images).named("images", "v1/{model}/{action}").of("model")},
		read(m.images, "generate", "edit", "remix", "upscale", "reframe"),
		calls("describe"),
		things("datasets", "models", "manage"),
	)
}

// cartesiaEndpoints are Cartesia's: https://docs.cartesia.ai/api-reference 2026-11.
func cartesiaEndpoints() []Endpoint {
	return slices.Concat(
		[]Endpoint{call("tts/bytes", nil), call("tts/sse", nil).streamed(), call("stt", nil)},
		calls("infill/bytes", "voice-changer/bytes", "voice-changer/sse", "access-token"),
		things("tts", "stt", "voices", "datasets", "fine-tunes", "pronunciation-dicts", "agents"),
	)
}

// elevenLabsEndpoints are ElevenLabs': https://elevenlabs.io/docs/api-reference 2026-11.
func elevenLabsEndpoints(m meters) []Endpoint {
	say := func(name string) Endpoint {
		return call(name, m.elevenLabs).named(name, "{v}/"+name+"/{voice}/{rest...}")
	}
	post := func(name string) Endpoint {
		return call(name, m.elevenLabs).named(name, "{v}/"+name+"/{rest...}")
	}
	return slices.Concat(
		[]Endpoint{
			say("text-to-speech"), say("speech-to-speech"), post("text-to-dialogue"), post("speech-to-text"),
			post("sound-generation"), post("music"), post("audio-isolation"),
		},
		under("{v}/", "", things("voices", "models", "user", "history", "convai", "dubbing", "studio")),
	)
}

// deepgramEndpoints are Deepgram's: https://developers.deepgram.com/reference 2026-11.
func deepgramEndpoints(m meters) []Endpoint {
	all := func(name string, mt meter) Endpoint { // by WebSocket too
		return Endpoint{Name: name, Pattern: "{v}/" + name, Repeatable: true, Meter: mt}
	}
	return slices.Concat(
		[]Endpoint{all("listen", m.deepgram), all("speak", m.deepgram), all("read", nil)},
		under("{v}/", "", things("models", "projects", "auth", "agent")),
	)
}

// ollamaEndpoints are Ollama's own: https://docs.ollama.com/api 2026-11.
func ollamaEndpoints(m meters) []Endpoint {
	return slices.Concat(
		read(m.chatOllama, "api/chat", "api/generate"),
		read(m.embedOllama, "api/embed", "api/embeddings"),
		calls("api/show"),
		things("api"),
	)
}

// vllmEndpoints are vLLM's own:
// https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html 2026-11.
func vllmEndpoints(m meters) []Endpoint {
	return slices.Concat(
		read(m.embeddings, "pooling", "classify", "score", "rerank", "v2/rerank"),
		read(m.embedCohere, "v2/embed"),
		calls("tokenize", "detokenize"),
		things("health", "version", "metrics"),
	)
}

// llamaEndpoints are the llama.cpp server's own:
// https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md 2026-11.
func llamaEndpoints(m meters) []Endpoint {
	return slices.Concat(
		read(m.completions, "completion", "infill"),
		read(m.embeddings, "rerank", "reranking"),
		calls("embedding", "tokenize", "detokenize", "apply-template"),
		things("health", "props", "slots", "metrics", "lora-adapters", "api"),
	)
}

// lmStudioEndpoints are LM Studio's own: https://lmstudio.ai/docs/developer 2026-11.
func lmStudioEndpoints() []Endpoint {
	return slices.Concat(
		[]Endpoint{call("api/chat", nil).named("api/chat", "api/{v}/chat"), call("api/embeddings", nil).named("api/embeddings", "api/{v}/embeddings")},
		things("api"),
	)
}
