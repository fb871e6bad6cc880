package provider

import "github.com/sluicehq/sluice/internal/wire"

// meters are the readers of answers that the endpoint tables name.
type meters struct {
	chat, completions, responses, embeddings, images, audio, moderations func(stream bool) wire.Meter // OpenAI's dialect
	messages, countTokens                                                func(stream bool) wire.Meter // Anthropic's
}

// wireMeters returns the readers that exist.
func wireMeters() meters {
	return meters{}
}
