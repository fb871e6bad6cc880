package provider

import (
	"net/url"
	"strings"

	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// Unified is how the unified endpoint (/compat) calls a provider's models. The zero Unified: by
// chat/completions in OpenAI's dialect, where the provider has such an endpoint.
type Unified struct {
	Dialect translate.Dialect // "" means translate.Chat
	// Path is where chats go. "{model}" stands for the model; "{resource}", "{region}" and "{project}" for what a
	// stored key knows of its account; "{publisher}" for what stands before the model's first "/".
	Path string
	// Stream is where chats go whose answer is to be a stream. "": the same.
	Stream string
	// Layer is the prefix of OpenAI's dialect at a provider whose own is another one; "": it has none. Endpoints
	// other than chats are called there.
	Layer string
	// Edits are what a provider wants otherwise of requests in OpenAI's dialect.
	Edits translate.Edits
}

// chatPath is the path of OpenAI's chat completions.
const chatPath = "chat/completions"

// vertexModel is a model at Vertex AI: "google/gemini-2.5-pro" has the publisher google.
const vertexModel = "v1/projects/{project}/locations/{region}/publishers/{publisher}/models/{model}"

// Call is where a call of a client's surface goes by the unified endpoint: a chat, or an endpoint of OpenAI's that the
// provider must have in that dialect. ok is false where the provider serves none.
// missing names what the path needs and key does not know. key is a stored one; nil: there is none.
func (p *Provider) Call(surface translate.Dialect, model string, stream bool, key *credential.Key) (to Unified, path, query string, missing string, ok bool) {
	to = p.Unified
	if to.Dialect == "" {
		to.Dialect = translate.Chat
	}
	if surface == translate.Responses || surface == translate.Embeddings {
		return p.beside(to, string(surface), model, key)
	}
	path = to.Path
	if stream && to.Stream != "" {
		path = to.Stream
	}
	if path == "" {
		if ep, _ := p.Match("POST", chatPath); ep == nil || ep.Name != chatPath {
			return to, "", "", "", false
		}
		path = chatPath
	}
	return p.filled(to, path, model, key)
}

// beside is where a call goes that is no chat.
func (p *Provider) beside(to Unified, name, model string, key *credential.Key) (_ Unified, path, query string, missing string, ok bool) {
	path = name
	switch {
	case to.Layer != "":
		path = to.Layer + name
	case to.Dialect != translate.Chat:
		return to, "", "", "", false
	case to.Path != "":
		path = strings.Replace(to.Path, chatPath, name, 1)
	}
	to.Dialect, to.Edits = translate.Dialect(name), translate.Edits{}
	if to, path, query, missing, ok = p.filled(to, path, model, key); !ok || missing != "" {
		return to, path, query, missing, ok
	}
	ep, _ := p.Match("POST", path)
	return to, path, query, "", ep != nil && ep.Name == name
}

// filled fills in what a path leaves open.
func (p *Provider) filled(to Unified, path, model string, key *credential.Key) (_ Unified, _, query string, missing string, ok bool) {
	path, query, _ = strings.Cut(path, "?")
	known := credential.Key{}
	if key != nil {
		known = *key
	}
	publisher := "google"
	if first, rest, found := strings.Cut(model, "/"); found && strings.Contains(path, "{publisher}") {
		publisher, model = first, rest
	}
	if publisher != "google" {
		return to, "", "", "", false // other publishers' models speak other dialects there
	}
	for _, part := range [...]struct{ name, value string }{
		{"{publisher}", publisher}, {"{resource}", known.Resource}, {"{region}", known.Region}, {"{project}", known.Project}, {"{model}", model},
	} {
		if !strings.Contains(path, part.name) {
			continue
		}
		if part.value == "" {
			return to, "", "", strings.Trim(part.name, "{}"), true
		}
		path = strings.ReplaceAll(path, part.name, escapeSegments(part.value))
	}
	return to, path, query, "", true
}

// escapeSegments escapes what a path's segments may not hold; slashes between them stay.
func escapeSegments(s string) string {
	parts := strings.Split(s, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(parts[i]), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

// oneBound renames the newer field of a bound on the answer, which many servers do not know.
func oneBound() translate.Edits {
	return translate.Edits{Rename: map[string]string{"max_completion_tokens": "max_tokens"}}
}

// mistralEdits are those of Mistral, which refuses fields that it does not know (422) and always reports usage:
// https://docs.mistral.ai/api 2026-11.
func mistralEdits() translate.Edits {
	return translate.Edits{
		Rename: map[string]string{"max_completion_tokens": "max_tokens", "seed": "random_seed"},
		Drop: []string{
			"user", "logit_bias", "logprobs", "top_logprobs", "store", "metadata", "service_tier", "verbosity", "modalities", "audio",
			"functions", "function_call", "web_search_options", "safety_identifier", "prompt_cache_key",
		},
		NoStreamOptions: true, Anew: true, ShortIDs: true,
		Efforts: map[string]string{"minimal": "none", "low": "high", "medium": "high", "xhigh": "high", "max": "high"},
	}
}
