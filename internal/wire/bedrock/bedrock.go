// Package bedrock reads the dialects of Amazon Bedrock: Converse, and what the models behind InvokeModel
// answer in their own forms; whole, or as frames of an event stream
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html,
// …/API_runtime_InvokeModelWithResponseStream.html and
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, read 2026-11).
package bedrock

import "github.com/sluicehq/sluice/internal/wire"

// Converse makes the meter of a model's converse and converse-stream. stream says, here and below,
// whether the request asked for a stream; the meters find out from the bytes what they are given, and
// also read error bodies and exceptions.
func Converse(stream bool) wire.Meter { return newMeter(stream) }

// Invoke makes the meter of a model's invoke and invoke-with-response-stream. The body is the model's
// own: of Anthropic's dialect, of OpenAI's, or one of the forms that are found in places.go. The meter is
// a wire.HeadReader: some models are counted in the answer's head only.
func Invoke(stream bool) wire.Meter { return newMeter(stream) }

// CountTokens makes the meter of a model's count-tokens. What it counts was not spent: usage stays
// unknown.
func CountTokens(stream bool) wire.Meter { return newTexts(stream) }
