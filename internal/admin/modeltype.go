package admin

import "slices"

// modelTypes tells the kind of model that an endpoint is for. The reference shows and filters by it;
// nothing stores it, because the endpoint says it.
func modelTypes() []modelTypeRow {
	return []modelTypeRow{
		{"text generation", []string{
			"chat/completions", "completions", "responses", "messages", "generateContent", "streamGenerateContent",
			"converse", "converse-stream", "chat", "generate", "text-generation",
		}},
		{"embeddings", []string{"embeddings", "embed", "embedContent", "batchEmbedContents", "feature-extraction"}},
		{"text to image", []string{"images/generations", "images/edits", "images/variations", "text-to-image"}},
		{"text to speech", []string{"audio/speech", "text-to-speech"}},
		{"speech recognition", []string{"audio/transcriptions", "audio/translations", "speech-to-text"}},
		{"moderation", []string{"moderations"}},
		{"reranking", []string{"rerank"}},
	}
}

type modelTypeRow struct {
	name      string
	endpoints []string
}

// modelType returns the kind of model that endpoint is for, "" when it is not known.
func modelType(endpoint string) string {
	for _, row := range modelTypes() {
		if slices.Contains(row.endpoints, endpoint) {
			return row.name
		}
	}
	return ""
}

// endpointsOf returns the endpoints for models of a type that match accepts.
func endpointsOf(match func(modelType string) bool) []string {
	var endpoints []string
	for _, row := range modelTypes() {
		if match(row.name) {
			endpoints = append(endpoints, row.endpoints...)
		}
	}
	return endpoints
}
