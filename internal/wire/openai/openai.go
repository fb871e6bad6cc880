// Package openai reads OpenAI's dialect, as OpenAI and the many servers that copy it speak it. The
// wire is described at https://platform.openai.com/docs/api-reference (read 2026-11); what the others
// do differently stands beside the code that copes with it.
package openai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Chat makes the meter of POST /chat/completions. stream says, here and below, whether the request
// asked for a stream; every meter also copes with the other kind of answer, and with error bodies.
func Chat(stream bool) wire.Meter { return newMeter(&chat, stream) }

// Completions makes the meter of POST /completions.
func Completions(stream bool) wire.Meter { return newMeter(&chat, stream) }

// Responses makes the meter of POST /responses and of what reads a stored response.
func Responses(stream bool) wire.Meter { return newMeter(&responses, stream) }

// Embeddings makes the meter of POST /embeddings and of rankings by tokens.
func Embeddings(stream bool) wire.Meter { return newMeter(&embeddings, stream) }

// Images makes the meter of POST /images/…. It counts pictures, beside tokens where those are reported.
func Images(stream bool) wire.Meter { return newMeter(&images, stream) }

// Audio makes the meter of POST /audio/…. It reads usage in tokens or in seconds. Answers in plain text
// and spoken ones leave the counts unknown: the characters of speech stand in the request.
func Audio(stream bool) wire.Meter { return newMeter(&audio, stream) }

// Documents makes the meter of POST /ocr, which counts pages.
func Documents(stream bool) wire.Meter { return newMeter(&documents, stream) }

// Moderations makes the meter of POST /moderations, which reports no usage.
func Moderations(stream bool) wire.Meter { return newMeter(&media, stream) }

// Usage reads a usage object of this dialect that stands in an answer of another one.
func Usage(v jsonscan.Value) sluice.Usage {
	var u sluice.Usage
	reported, _ := usageOf(v, 0)
	merge(&u, reported)
	return u
}

// ErrorText returns what the body of an error answer says, at most 1 KB, and "" when that is none of
// the forms that providers of any dialect use. It is for answers that no meter has read.
func ErrorText(body []byte) string {
	m := newMeter(&media, false)
	m.Write(body)
	return m.Close().Error
}
