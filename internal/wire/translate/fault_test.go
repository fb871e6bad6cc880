package translate_test

import (
	"testing"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// TestErrorsSayTheSameInBothForms follows the table of openai-translation.md, 11.
func TestErrorsSayTheSameInBothForms(t *testing.T) {
	for _, c := range []struct {
		from                translate.Dialect
		file                string
		in, status          int
		kind, code, claudes string
		header              sluice.Header
		after               string
	}{
		{from: translate.Messages, file: "anthropic/error.400.json", in: 400, status: 400, kind: "invalid_request_error", claudes: "invalid_request_error"},
		{from: translate.Messages, file: "anthropic/error.413.json", in: 413, status: 413, kind: "invalid_request_error", code: "request_too_large", claudes: "request_too_large"},
		{from: translate.Messages, file: "anthropic/error.529.json", in: 529, status: 529, kind: "overloaded_error", code: "overloaded", claudes: "overloaded_error"},
		{from: translate.Gemini, file: "google-ai-studio/error.429.json", in: 429, status: 429, kind: "rate_limit_error", code: "insufficient_quota", claudes: "rate_limit_error", after: "36"},
		{from: translate.Gemini, file: "google-ai-studio/error.400.json", in: 400, status: 401, kind: "authentication_error", code: "invalid_api_key", claudes: "authentication_error"},
		{from: translate.Gemini, file: "google-ai-studio/error.503.array.json", in: 503, status: 503, kind: "server_error", code: "overloaded", claudes: "api_error"},
		{from: translate.Converse, file: "aws-bedrock/error.400.json", in: 400, status: 400, kind: "invalid_request_error", claudes: "invalid_request_error", header: sluice.Header{{Name: "x-amzn-errortype", Value: "ValidationException:http://x"}}},
		{from: translate.Converse, file: "aws-bedrock/error.403.json", in: 403, status: 401, kind: "authentication_error", code: "invalid_api_key", claudes: "authentication_error", header: sluice.Header{{Name: "x-amzn-errortype", Value: "UnrecognizedClientException"}}},
		{from: translate.Converse, file: "aws-bedrock/error.424.json", in: 424, status: 502, kind: "server_error", code: "model_error", claudes: "api_error"},
		{from: translate.Converse, file: "aws-bedrock/error.429.json", in: 429, status: 429, kind: "rate_limit_error", code: "rate_limit_exceeded", claudes: "rate_limit_error"},
		{from: translate.Cohere, file: "cohere/error.400.json", in: 400, status: 400, kind: "invalid_request_error", claudes: "invalid_request_error"},
		{from: translate.Chat, file: "openai/error.429.quota.json", in: 429, status: 429, kind: "insufficient_quota", code: "insufficient_quota", claudes: "rate_limit_error"},
		{from: translate.Chat, file: "mistral/error.422.json", in: 422, status: 422, kind: "invalid_request_error", claudes: "invalid_request_error"},
	} {
		t.Run(c.file, func(t *testing.T) {
			f := translate.ReadError(c.from, c.in, c.header, read(t, examples+"/"+c.file))
			chat, claude := gjson.ParseBytes(translate.ErrorBody(translate.Chat, f)), gjson.ParseBytes(translate.ErrorBody(translate.Messages, f))
			if f.Status != c.status || chat.Get("error.type").Str != c.kind || chat.Get("error.code").Str != c.code || f.After != c.after {
				t.Errorf("%d %s, after %q; want %d %s %s after %q", f.Status, chat.Raw, f.After, c.status, c.kind, c.code, c.after)
			}
			if claude.Get("error.type").Str != c.claudes || claude.Get("error.message").Str == "" || chat.Get("error.message").Str != claude.Get("error.message").Str {
				t.Errorf("for Anthropic's clients %s; want %s", claude.Raw, c.claudes)
			}
		})
	}
	page := translate.ReadError(translate.Messages, 502, nil, []byte("<html><body><h1>Bad   Gateway</h1></body></html>"))
	if page.Message != "Bad Gateway" || page.Status != 503 {
		t.Errorf("of a page: %+v", page)
	}
}
