package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/wire/gemini"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/speech"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// Ways in which credentials stand in requests, shared by several providers.
func bearer() Auth { return Auth{Header: "Authorization", Scheme: "Bearer"} }

func bare(header string) Auth { return Auth{Header: header} }

func scheme(name string) Auth { return Auth{Header: "Authorization", Scheme: name} }

// with adds other headers that carry a credential at a provider.
func (a Auth) with(headers ...string) Auth {
	a.Also = headers
	return a
}

// inQuery adds the query parameter that carries a credential at a provider.
func (a Auth) inQuery(name string) Auth {
	a.Query = name
	return a
}

// Builtin lists the upstreams. One that speaks a known dialect is an entry here, recorded cases under
// testdata/<slug>, and no code. The values are new at each call; NewTable makes them usable.
//
// adobe-firefly, which the reference's types name, is missing: nobody has documented its base.
func Builtin() []Provider {
	m := wireMeters()
	return slices.Concat(makers(m), hosts(m), clouds(m), media(m), selfHosted(m), []Provider{echoProvider(m)})
}

// makers are those who make the language models that they serve.
func makers(m meters) []Provider {
	openAI := openAIEndpoints(m)
	return []Provider{
		{
			Slug: "openai", Name: "OpenAI", Base: "https://api.openai.com/v1", Strip: []string{"v1"},
			Auth: bearer(), Endpoints: openAI, Realtime: &Realtime{Path: "realtime", Session: openai.Realtime},
			Source: "https://platform.openai.com/docs/api-reference 2026-11",
		},
		{
			Slug: "anthropic", Name: "Anthropic", Base: "https://api.anthropic.com", Strip: []string{"v1"},
			Auth: bare("x-api-key").with("Authorization"), Endpoints: anthropicEndpoints(m),
			Unified: Unified{Dialect: translate.Messages, Path: "v1/messages"},
			Source:  "https://docs.anthropic.com/en/api 2026-11",
		},
		{
			Slug: "google-ai-studio", Name: "Google AI Studio", Aliases: []string{"google"},
			Base: "https://generativelanguage.googleapis.com",
			Auth: bare("x-goog-api-key").with("Authorization").inQuery("key"), Endpoints: geminiEndpoints(m),
			Realtime: &Realtime{
				Path:    "ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
				Renamed: map[string]string{"api_key": "key"}, Session: gemini.Live,
			},
			Unified: Unified{
				Dialect: translate.Gemini, Path: "v1beta/models/{model}:generateContent",
				Stream: "v1beta/models/{model}:streamGenerateContent?alt=sse",
			},
			Source: "https://ai.google.dev/api 2026-11",
		},
		{
			Slug: "mistral", Name: "Mistral", Base: "https://api.mistral.ai", Strip: []string{"v1"},
			Auth: bearer(), Endpoints: slices.Concat(mistralEndpoints(m), openAI),
			Unified: Unified{Path: "v1/chat/completions", Edits: mistralEdits()},
			Source:  "https://docs.mistral.ai/api 2026-11",
		},
		{
			Slug: "cohere", Name: "Cohere", Base: "https://api.cohere.ai/v1", Strip: []string{"v1"},
			Beside: []string{"v2", "compatibility"},
			Auth:   bearer(), Endpoints: cohereEndpoints(m),
			Unified: Unified{Dialect: translate.Cohere, Path: "v2/chat", Layer: "compatibility/v1/"},
			Source:  "https://docs.cohere.com/reference/about 2026-11",
		},
		{
			Slug: "perplexity-ai", Name: "Perplexity", Aliases: []string{"perplexity"},
			Base: "https://api.perplexity.ai", Strip: []string{"v1"},
			Auth: bearer(), Endpoints: perplexityEndpoints(m.counting(openai.ReasoningApart)),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://docs.perplexity.ai/api-reference 2026-11",
		},
		{
			Slug: "deepseek", Name: "DeepSeek", Base: "https://api.deepseek.com", Strip: []string{"v1"},
			Auth: bearer().with("x-api-key"), Endpoints: slices.Concat(deepseekEndpoints(m), openAI),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://api-docs.deepseek.com 2026-11",
		},
		{
			Slug: "grok", Name: "xAI", Aliases: []string{"xai"}, Base: "https://api.x.ai/v1", Strip: []string{"v1"},
			Auth: bearer().with("x-api-key"), Endpoints: slices.Concat(openAI, messagesEndpoints(m)),
			Realtime: &Realtime{Path: "realtime", Session: openai.Realtime},
			Source:   "https://docs.x.ai/docs/api-reference 2026-11",
		},
		{
			Slug: "parallel", Name: "Parallel", Base: "https://api.parallel.ai",
			Auth: bare("x-api-key").with("Authorization"), Endpoints: parallelEndpoints(m),
			Source: "https://docs.parallel.ai/api-reference 2026-11",
		},
	}
}

// hosts are those who serve models of many makers.
func hosts(m meters) []Provider {
	openAI := openAIEndpoints(m)
	return []Provider{
		{
			Slug: "groq", Name: "Groq", Base: "https://api.groq.com/openai/v1", Strip: []string{"openai/v1", "v1"},
			Auth: bearer(), Endpoints: openAI,
			Unified: Unified{Edits: translate.Edits{Drop: []string{"logprobs", "top_logprobs", "logit_bias"}}},
			Source:  "https://console.groq.com/docs/api-reference 2026-11",
		},
		{
			Slug: "cerebras", Name: "Cerebras", Base: "https://api.cerebras.ai/v1", Strip: []string{"v1"},
			Auth: bearer(), Endpoints: openAI,
			Source: "https://inference-docs.cerebras.ai/api-reference 2026-11",
		},
		{
			Slug: "openrouter", Name: "OpenRouter", Base: "https://openrouter.ai/api/v1", Strip: []string{"api/v1", "v1"},
			Auth: bearer().with("x-api-key"), Endpoints: slices.Concat(openAI, messagesEndpoints(m), openRouterEndpoints()),
			Source: "https://openrouter.ai/docs/api-reference 2026-11",
		},
		{
			Slug: "fireworks", Name: "Fireworks AI", Base: "https://api.fireworks.ai/inference/v1",
			Strip: []string{"inference/v1", "v1"},
			Auth:  bearer().with("x-api-key"), Endpoints: slices.Concat(openAI, messagesEndpoints(m)),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://docs.fireworks.ai/api-reference 2026-11",
		},
		{
			Slug: "baseten", Name: "Baseten", Base: "https://inference.baseten.co/v1", Strip: []string{"v1"},
			Address: basetenAddress,
			Auth:    bearer(), Endpoints: slices.Concat(basetenEndpoints(), openAI),
			Source: "https://docs.baseten.co/reference/inference-api 2026-11",
		},
		{
			Slug: "huggingface", Name: "Hugging Face", Base: "https://api-inference.huggingface.co/models",
			Auth: bearer(), Endpoints: huggingFaceEndpoints(m),
			Unified: Unified{Path: "{model}/v1/chat/completions", Edits: oneBound()},
			Source:  "https://huggingface.co/docs/api-inference 2023-10, 2026-11",
		},
		{
			Slug: "replicate", Name: "Replicate", Base: "https://api.replicate.com/v1", Strip: []string{"v1"},
			Auth: bearer(), Endpoints: replicateEndpoints(m),
			Source: "https://replicate.com/docs/reference/http 2026-11",
		},
	}
}

// clouds are those whose addresses hold a region, a resource or an account.
func clouds(m meters) []Provider {
	return []Provider{
		{
			Slug: "google-vertex-ai", Name: "Google Vertex AI", Aliases: []string{"google-vertex"},
			Base: "https://{region}-aiplatform.googleapis.com", Address: vertexAddress,
			Auth: vertexAuth(), Endpoints: vertexEndpoints(m),
			Unified: Unified{
				Dialect: translate.Gemini, Path: vertexModel + ":generateContent", Stream: vertexModel + ":streamGenerateContent?alt=sse",
			},
			Source: "https://cloud.google.com/vertex-ai/docs/reference/rest 2026-11",
		},
		{
			Slug: "aws-bedrock", Name: "Amazon Bedrock", Aliases: []string{"bedrock"},
			Base: "https://bedrock-runtime.{region}.amazonaws.com", Address: bedrockAddress, Rewrite: bedrockKey,
			Auth: bedrockAuth(), Endpoints: bedrockEndpoints(m),
			Unified: Unified{
				Dialect: translate.Converse, Path: "bedrock-runtime/{region}/model/{model}/converse",
				Stream: "bedrock-runtime/{region}/model/{model}/converse-stream",
			},
			Source: "https://docs.aws.amazon.com/bedrock/latest/APIReference 2026-11",
		},
		{
			Slug: "azure-openai", Name: "Azure OpenAI", Base: "https://{resource}.openai.azure.com",
			Address: azureOpenAIAddress,
			Auth:    azureAuth(bare("api-key").with("Authorization").inQuery("api-key")), Endpoints: azureOpenAIEndpoints(m),
			Realtime: &Realtime{Session: openai.Realtime},
			Unified:  Unified{Path: "{resource}/{model}/chat/completions?api-version=2024-10-21"},
			Source:   "https://learn.microsoft.com/azure/ai-services/openai/reference 2026-11",
		},
		{
			Slug: "azure", Name: "Azure AI Foundry", Base: "https://{resource}.services.ai.azure.com",
			Address: foundryAddress,
			Auth:    foundryAuth(), Endpoints: foundryEndpoints(m),
			Unified: Unified{Dialect: translate.Messages, Path: "{resource}/anthropic/v1/messages"},
			Source:  "https://learn.microsoft.com/azure/ai-foundry/foundry-models 2026-11",
		},
		{
			Slug: "workers-ai", Name: "Workers AI",
			Base: "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai", Address: workersAddress,
			Auth: bearer().with("x-auth-key"), Endpoints: workersEndpoints(m),
			Realtime: &Realtime{Path: "run/{model}", Session: speech.Listen},
			Unified:  Unified{Path: "v1/chat/completions", Edits: oneBound()},
			Source:   "https://developers.cloudflare.com/workers-ai 2026-11",
		},
	}
}

// media are the providers of speech and images, whose answers count no tokens.
func media(m meters) []Provider {
	return []Provider{
		{
			Slug: "fal", Name: "fal", Base: "https://fal.run", Address: falAddress, Consumes: []string{falTarget},
			Auth: scheme("Key").inQuery("fal_jwt_token"), Endpoints: falEndpoints(),
			Realtime: &Realtime{Host: "ws.fal.run", Item: "fal-api-key."},
			Source:   "https://docs.fal.ai/model-apis 2026-11",
		},
		{
			Slug: "ideogram", Name: "Ideogram", Base: "https://api.ideogram.ai",
			Auth: bare("Api-Key"), Endpoints: ideogramEndpoints(m),
			Source: "https://developer.ideogram.ai/api-reference 2026-11",
		},
		{
			// The reference's page names the base "https://api.cartesia.ai/v1", where Cartesia serves
			// nothing; its own pages and clients have no version in the path.
			Slug: "cartesia", Name: "Cartesia", Base: "https://api.cartesia.ai", Strip: []string{"v1"},
			Auth: bare("X-API-Key").with("Authorization").inQuery("api_key"), Endpoints: cartesiaEndpoints(),
			Realtime: &Realtime{Path: "tts/websocket"},
			Source:   "https://docs.cartesia.ai/api-reference 2026-11",
		},
		{
			Slug: "elevenlabs", Name: "ElevenLabs", Base: "https://api.elevenlabs.io",
			Auth: bare("xi-api-key"), Endpoints: elevenLabsEndpoints(m),
			Realtime: &Realtime{Path: "v1/convai/conversation", Item: "xi-api-key."},
			Source:   "https://elevenlabs.io/docs/api-reference 2026-11",
		},
		{
			Slug: "deepgram", Name: "Deepgram", Base: "https://api.deepgram.com",
			Auth: scheme("Token"), Endpoints: deepgramEndpoints(m),
			Realtime: &Realtime{Session: speech.Listen},
			Source:   "https://developers.deepgram.com/reference 2026-11",
		},
	}
}

// selfHosted are engines at their usual ports on this machine.
func selfHosted(m meters) []Provider {
	engine := slices.Concat(openAIEndpoints(m), messagesEndpoints(m))
	return []Provider{
		{
			Slug: "ollama", Name: "Ollama", Base: "http://127.0.0.1:11434/v1", Strip: []string{"v1"},
			Beside: []string{"api"}, Local: true,
			Auth: bearer(), Endpoints: slices.Concat(engine, ollamaEndpoints(m)),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://docs.ollama.com/api 2026-11",
		},
		{
			Slug: "vllm", Name: "vLLM", Base: "http://127.0.0.1:8000/v1", Strip: []string{"v1"},
			Beside: []string{
				"v2", "tokenize", "detokenize", "pooling", "classify", "score", "rerank", "health", "ping", "load",
				"version", "metrics", "invocations", "server_info",
			},
			Local: true, Auth: bearer(), Endpoints: slices.Concat(engine, vllmEndpoints(m)),
			Realtime: &Realtime{Path: "realtime", Session: openai.Realtime},
			Unified:  Unified{Edits: oneBound()},
			Source:   "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html 2026-11",
		},
		{
			Slug: "llamacpp", Name: "llama.cpp", Aliases: []string{"llama.cpp"},
			Base: "http://127.0.0.1:8080/v1", Strip: []string{"v1"},
			Beside: []string{
				"completion", "infill", "embedding", "tokenize", "detokenize", "apply-template", "rerank", "reranking",
				"health", "props", "slots", "metrics", "lora-adapters", "api",
			},
			Local: true, Auth: bearer().with("x-api-key"), Endpoints: slices.Concat(engine, llamaEndpoints(m)),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md 2026-11",
		},
		{
			Slug: "lm-studio", Name: "LM Studio", Base: "http://127.0.0.1:1234/v1", Strip: []string{"v1"},
			Beside: []string{"api"}, Local: true,
			Auth: bearer(), Endpoints: slices.Concat(engine, lmStudioEndpoints()),
			Unified: Unified{Edits: oneBound()},
			Source:  "https://lmstudio.ai/docs/developer 2026-11",
		},
	}
}

// Table holds the providers of one settings snapshot. It does not change and is safe for concurrent
// use.
type Table struct {
	bySegment map[string]*Provider // slugs and aliases
	all       []*Provider          // by slug
	custom    map[customName]*Provider
}

// NewTable returns the built-in providers with settings applied: a base_url replaces the built-in
// address, and a slug that is not built in becomes a provider of its own when its kind is "openai".
// The error holds all that is wrong with settings, each with its key.
func NewTable(settings map[string]config.Provider) (*Table, error) {
	t := &Table{bySegment: map[string]*Provider{}}
	for _, p := range Builtin() {
		t.add(&p)
	}
	var errs []error
	for _, slug := range slices.Sorted(maps.Keys(settings)) {
		if err := t.set(slug, settings[slug]); err != nil {
			errs = append(errs, fmt.Errorf("providers.%s.%w", slug, err))
		}
	}
	for _, p := range t.all {
		if err := p.prepare(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(t.all, func(a, b *Provider) int { return strings.Compare(a.Slug, b.Slug) })
	return t, nil
}

// add puts p into the table under its slug and aliases.
func (t *Table) add(p *Provider) {
	t.all = append(t.all, p)
	t.bySegment[p.Slug] = p
	for _, alias := range p.Aliases {
		t.bySegment[alias] = p
	}
}

// set applies the setting of one slug. An error begins with the name of the key below the slug.
func (t *Table) set(slug string, s config.Provider) error {
	p := t.bySegment[slug]
	switch {
	case p == nil:
		return t.own(slug, s)
	case p.Slug != slug:
		return fmt.Errorf("base_url: %s is another name of %s: set providers.%s.base_url", slug, p.Slug, p.Slug)
	case s.Kind != "":
		return fmt.Errorf("kind: %s is built in; kind is for providers of your own", slug)
	case s.BaseURL == "":
		return nil
	case p.Serve != nil:
		return fmt.Errorf("base_url: %s answers itself and has no address", slug)
	}
	b, err := parseBase(s.BaseURL)
	if err != nil {
		return fmt.Errorf("base_url: %w", err)
	}
	p.base, p.custom, p.Local = b, true, true
	return nil
}

// own adds a provider of the operator's own.
func (t *Table) own(slug string, s config.Provider) error {
	if !isSlug(slug) || slug == "compat" {
		return fmt.Errorf("kind: %q cannot name a provider: 1 to 64 characters of a-z, 0-9, -, _ and ., and not compat", slug)
	}
	if s.Kind != "openai" {
		return fmt.Errorf("kind: %s is not built in; kind must be openai for a provider of your own, not %q", slug, s.Kind)
	}
	b, err := parseBase(s.BaseURL)
	if err != nil {
		return fmt.Errorf("base_url: %w", err)
	}
	m := wireMeters()
	t.add(&Provider{
		Slug: slug, Name: slug, Base: s.BaseURL, Strip: []string{"v1"}, Local: true, Auth: bearer().with("x-api-key", "api-key"),
		Endpoints: slices.Concat(openAIEndpoints(m), messagesEndpoints(m)), Source: "configuration",
		Realtime: &Realtime{Path: "realtime", Session: openai.Realtime},
		base:     b, custom: true, exact: true,
	})
	return nil
}

// isSlug reports whether s can stand as a provider segment of a path.
func isSlug(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Find returns the provider that a path segment names, by slug or alias. Case matters.
func (t *Table) Find(segment string) (*Provider, bool) {
	p, ok := t.bySegment[segment]
	return p, ok
}

// All returns the providers, by slug. The slice is not to be changed.
func (t *Table) All() []*Provider { return t.all }

// Overridden reports whether the provider's address comes from the operator, so that it may lead to
// private ranges. That of a custom provider came by the management API: it leads there only where the
// configuration lets it.
func (p *Provider) Overridden() bool { return p.custom && !p.guarded }

// BaseURL returns the address in use: the operator's, else the built-in one. It is for people and may
// hold "{…}" parts; "" for a provider that answers itself.
func (p *Provider) BaseURL() string {
	if p.Serve != nil {
		return ""
	}
	return p.base.scheme + "://" + p.base.host + p.base.prefix
}

// prepare takes apart what the request path needs.
func (p *Provider) prepare() error {
	switch {
	case p.Serve != nil:
		p.base = base{scheme: p.Slug, host: p.Slug} // for logs: there is no address
	case !p.custom:
		p.base = splitBase(p.Base)
	}
	p.routes = make([]route, 0, len(p.Endpoints))
	for i := range p.Endpoints {
		r, err := newRoute(&p.Endpoints[i])
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Slug, err)
		}
		p.routes = append(p.routes, r)
	}
	return nil
}

// base is an address taken apart.
type base struct {
	scheme string
	host   string // may hold "{…}" parts
	prefix string // "" or a path beginning with a slash, without one at its end; may hold "{…}" parts
}

// splitBase takes a built-in base apart; the table's test proves their form.
func splitBase(s string) base {
	scheme, rest, _ := strings.Cut(s, "://")
	host, prefix, slash := strings.Cut(rest, "/")
	if slash {
		prefix = "/" + prefix
	}
	return base{scheme: scheme, host: host, prefix: prefix}
}

// parseBase reads an address that an operator wrote.
func parseBase(s string) (base, error) {
	if s == "" {
		return base{}, errors.New("is missing: give scheme, host and path prefix, for example http://127.0.0.1:8000/v1")
	}
	u, err := url.Parse(s)
	if err != nil {
		var e *url.Error // its text repeats the address, which may hold a password
		if errors.As(err, &e) {
			err = e.Err
		}
		return base{}, fmt.Errorf("is not a URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return base{}, errors.New("must begin with http:// or https://")
	case u.User != nil:
		return base{}, errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return base{}, errors.New("must end with the path: no query, no fragment")
	case !isHost(u.Hostname()):
		return base{}, errors.New("must name a host: letters, digits, dots and hyphens, or an address")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return base{}, errors.New("has a port outside 1 to 65535")
		}
	}
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	if err := checkPath(prefix); err != nil {
		return base{}, errors.New("has a path with a . or .. segment")
	}
	return base{scheme: u.Scheme, host: strings.TrimSuffix(strings.ToLower(u.Host), ":"), prefix: prefix}, nil
}

// isHost reports whether s can be a host name or address without a port. Names that are not ASCII
// are written in their xn-- form.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && !strings.ContainsRune("-._:", rune(s[i])) {
			return false
		}
	}
	return true
}
