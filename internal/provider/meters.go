package provider

import (
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/bedrock"
	"github.com/sluicehq/sluice/internal/wire/gemini"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/workersai"
)

// meters are the readers of answers that the endpoint tables name. An endpoint of a dialect that has
// none has a nil meter.
type meters struct {
	chat, completions, responses, embeddings, images, audio, moderations meter // OpenAI's dialect
	messages, countTokens                                                meter // Anthropic's
	generate, embed, countGemini, predict                                meter // Google's
	converse, invoke, countBedrock                                       meter // Amazon's
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
	}
}
