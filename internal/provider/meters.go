package provider

import (
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/bedrock"
	"github.com/sluicehq/sluice/internal/wire/cohere"
	"github.com/sluicehq/sluice/internal/wire/gemini"
	"github.com/sluicehq/sluice/internal/wire/huggingface"
	"github.com/sluicehq/sluice/internal/wire/ollama"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/replicate"
	"github.com/sluicehq/sluice/internal/wire/speech"
	"github.com/sluicehq/sluice/internal/wire/workersai"
)

// meters are the readers of answers that the endpoint tables name. An endpoint of a dialect that has
// none has a nil meter.
type meters struct {
	chat, completions, responses, embeddings, images, audio, moderations meter // OpenAI's dialect
	messages, countTokens                                                meter // Anthropic's
	generate, embed, countGemini, predict                                meter // Google's
	converse, invoke, countBedrock                                       meter // Amazon's
	ocr                                                                  meter // Mistral's, beside OpenAI's
	chatCohere, embedCohere                                              meter // Cohere's
	generateHF                                                           meter // Hugging Face's
	createPrediction, pollPrediction, streamPrediction                   meter // Replicate's
	chatOllama, embedOllama                                              meter // Ollama's
	deepgram, elevenLabs                                                 meter // those of speech
	run                                                                  meter // Workers AI's
}

// wireMeters returns the readers that exist.
func wireMeters() meters {
	return meters{
		chat: openai.Chat, completions: openai.Completions, responses: openai.Responses,
		embeddings: openai.Embeddings, images: openai.Images, audio: openai.Audio, moderations: openai.Moderations,
		messages: anthropic.Messages, countTokens: anthropic.CountTokens,
		converse: bedrock.Converse, invoke: bedrock.Invoke, countBedrock: bedrock.CountTokens,
		run:      workersai.Run,
		generate: gemini.Generate, embed: gemini.Embed, countGemini: gemini.CountTokens, predict: gemini.Predict,
		ocr:        openai.Documents,
		chatCohere: cohere.Chat, embedCohere: cohere.Embed,
		generateHF:       huggingface.Generate,
		createPrediction: replicate.Create, pollPrediction: replicate.Poll, streamPrediction: replicate.Stream,
		chatOllama: ollama.Chat, embedOllama: ollama.Embed,
		deepgram: speech.Deepgram, elevenLabs: speech.ElevenLabs,
	}
}

// counting returns the readers for a provider whose chat completions count in ways of their own.
func (m meters) counting(q openai.Quirk) meters {
	m.chat = q.Chat
	return m
}
