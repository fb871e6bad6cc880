package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/hello"
)

// helloRoutes are those of the first run.
func helloRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/hello", "get-hello", "Get the last calls that came to nothing, with what would have been right, and first successes (ours)", handle((*server).getHello)),
	}
}

// HelloView is what the first-run page shows.
type HelloView struct {
	Misses    []MissView    `json:"misses" doc:"calls that came to nothing, newest first; equal ones are one"`
	Successes []SuccessView `json:"successes" doc:"each gateway's first success since the process started, newest first"`
	Endpoint  string        `json:"endpoint" doc:"address of the data plane, as seen by who asks"`
}

// MissView is a call that came to nothing.
type MissView struct {
	ID         uint64     `json:"id" doc:"grows with each call"`
	FirstAt    string     `json:"first_at" format:"date-time"`
	LastAt     string     `json:"last_at" format:"date-time"`
	Count      int64      `json:"count" doc:"how often it has happened"`
	Cause      string     `json:"cause" enum:"malformed,no_path,no_gateway,no_provider,unauthorized,no_credential,too_large,invalid,unreachable,key_rejected,unknown_target"`
	StatusCode int        `json:"status_code" doc:"what the caller got"`
	Code       *int       `json:"code" doc:"the reference's code; null: it has none"`
	Message    string     `json:"message"`
	Hint       string     `json:"hint" doc:"what to do about it"`
	Snippet    *string    `json:"snippet" doc:"a call as it would have been right; null: there is no telling"`
	Method     string     `json:"method"`
	Path       string     `json:"path" doc:"without the query; what looks like a secret is redacted"`
	Host       string     `json:"host"`
	Account    *string    `json:"account" doc:"null: it named none that exists"`
	Gateway    *string    `json:"gateway" doc:"as the call named it"`
	Provider   *string    `json:"provider" doc:"null: it named none that exists"`
	Model      *string    `json:"model"`
	LogID      *string    `json:"log_id" doc:"of the last such call's log entry; null: there is none"`
	Caller     CallerView `json:"caller"`
}

// CallerView tells who called, as far as may be shown.
type CallerView struct {
	Address    string  `json:"address" doc:"without its last part, but for this machine's own"`
	UserAgent  string  `json:"user_agent"`
	Credential *string `json:"credential" doc:"name of the header field that carried a credential; null: none did"`
	Key        *string `json:"key" doc:"gateway token, by name"`
}

// SuccessView is a gateway's first success.
type SuccessView struct {
	At       string `json:"at" format:"date-time"`
	Gateway  string `json:"gateway"`
	Provider string `json:"provider"`
	Model    string `json:"model"`
	LogID    string `json:"log_id"`
}

type getHelloInput struct {
	AccountPath
	caller  string
	process bool
}

// Resolve takes the caller's own address of us, and whether it sees what is of the whole process.
func (in *getHelloInput) Resolve(ctx huma.Context) []error {
	in.caller, in.process = ourAddress(ctx), seesProcess(ctx)
	return nil
}

// ourAddress is scheme and host that the caller used.
func ourAddress(ctx huma.Context) string {
	if ctx.TLS() != nil {
		return "https://" + ctx.Host()
	}
	return "http://" + ctx.Host()
}

func (s *server) getHello(_ context.Context, in *getHelloInput) (*output[Envelope[HelloView]], error) {
	settings := s.Settings()
	a, err := in.account(settings)
	if err != nil {
		return nil, err
	}
	g := s.guide(settings, a, in.caller)
	v := HelloView{Misses: []MissView{}, Successes: []SuccessView{}, Endpoint: g.base}
	if s.Hello == nil {
		return answer(v), nil
	}
	misses := s.Hello.Since(0)
	for i := range slices.Backward(misses) {
		if m := &misses[i]; seesMiss(m, a.ID, in.process) {
			v.Misses = append(v.Misses, g.view(m))
		}
	}
	for _, first := range s.Hello.Successes(a.ID) {
		v.Successes = append(v.Successes, SuccessView{
			At: stamp(first.Time), Gateway: first.Gateway, Provider: first.Provider, Model: first.Model, LogID: first.LogID,
		})
	}
	return answer(v), nil
}

// seesMiss reports whether m is shown to who looks at account. Calls that named no account are of the whole
// process.
func seesMiss(m *hello.Miss, account string, process bool) bool {
	return m.Account == account || m.Account == "" && process
}

// guide knows how calls are made rightly.
type guide struct {
	base     string // address of the data plane
	account  gateway.Account
	provider func(segment string) (slug string, known bool)
}

func (s *server) guide(settings *Settings, a gateway.Account, caller string) *guide {
	base := settings.Endpoint
	if base == "" {
		base = caller + settings.BasePath
	}
	return &guide{base: base, account: a, provider: func(segment string) (string, bool) { return settings.Provider(a.ID, segment) }}
}

func (g *guide) view(m *hello.Miss) MissView {
	v := MissView{
		ID: m.Seq, FirstAt: stamp(m.First), LastAt: stamp(m.Last), Count: m.Count, Cause: string(m.Cause), StatusCode: m.Status,
		Message: m.Message, Hint: m.Hint, Method: m.Method, Path: m.Path, Host: m.Host,
		Account: optional(m.Account), Gateway: optional(m.Gateway), Provider: optional(m.Provider), Model: optional(m.Model), LogID: optional(m.LogID),
		Caller: CallerView{Address: m.Remote, UserAgent: m.UserAgent, Credential: optional(m.Credential), Key: optional(m.Key)},
	}
	if m.Code != 0 {
		v.Code = &m.Code
	}
	hint, snippet := g.remedy(m)
	if v.Hint == "" || m.Cause == hello.NoPath || m.Cause == hello.NoGateway && hint != "" {
		v.Hint = hint
	}
	v.Snippet = optional(snippet)
	return v
}

// remedy says what would have been right.
func (g *guide) remedy(m *hello.Miss) (hint, snippet string) {
	c := g.meant(m.Path)
	switch m.Cause {
	case hello.NoPath:
		return "the base URL of an SDK is " + g.base + "/v1/{account}/{gateway}/{provider}", g.curl(c)
	case hello.NoGateway:
		if _, known := g.account.Gateways[m.Gateway]; !known && m.Account == g.account.ID && gatewayName(m.Gateway) {
			return "this account has no gateway " + m.Gateway + ": 'sluice gateway create " + m.Gateway + "' makes it; there is " + g.gateways(), g.curl(c)
		}
		return "the path begins /v1/{account}/{gateway}: account and gateway are part of the base URL", g.curl(c)
	case hello.NoProvider:
		return "the provider comes behind the gateway: …/{account}/{gateway}/openai/chat/completions", g.curl(c)
	case hello.Unauthorized:
		c.fields = append(c.fields, "cf-aig-authorization: Bearer $SLUICE_GATEWAY_TOKEN")
		return "the gateway wants a gateway token: 'sluice auth token create' makes one", g.curl(c)
	case hello.NoCredential, hello.KeyRejected:
		return "send the provider's key as its SDK does, or store one: 'sluice provider add " + c.provider + "'", g.curl(c)
	case hello.TooLarge:
		return "limits.body_bytes is how large a body may be that is read whole", ""
	case hello.Unreachable:
		return "'sluice doctor' looks at names, routes and proxies; 'sluice endpoints' lists the providers' addresses", ""
	case hello.UnknownTarget:
		return "what stands behind the provider goes to it as it is: compare it with the provider's own documentation", g.curl(c)
	case hello.Malformed:
		return "the port speaks HTTP/1.1 (and HTTP/2 over TLS)", g.curl(c)
	}
	return "", ""
}

// gatewayName reports whether s may be a gateway's id.
func gatewayName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// gateways names a few of the account's gateways.
func (g *guide) gateways() string {
	var ids []string
	for id := range g.account.Gateways {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "none yet"
	}
	slices.Sort(ids)
	more := ""
	if len(ids) > 5 {
		ids, more = ids[:5], ", …"
	}
	return strings.Join(ids, ", ") + more
}

// intended is a call as it was probably meant.
type intended struct {
	gateway  string
	provider string
	path     string
	fields   []string // beside the credential's and the content type's
}

// meant makes the best of a path.
func (g *guide) meant(path string) intended {
	parts := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	c := intended{gateway: gateway.Default}
	if _, known := g.account.Gateways[c.gateway]; !known {
		for id := range g.account.Gateways {
			if c.gateway == gateway.Default || id < c.gateway {
				c.gateway = id
			}
		}
	}
	for i, p := range parts {
		if _, known := g.account.Gateways[p]; known && i > 0 {
			c.gateway = p
		}
		if slug, known := g.provider(p); known && plain(parts[i+1:]) {
			c.provider, c.path = slug, strings.Join(parts[i+1:], "/")
			if c.path != "" {
				return c
			}
			break
		}
	}
	guess := ofPath(strings.Join(parts, "/"))
	if c.provider == "" || c.provider == guess.provider {
		c.provider, c.path = guess.provider, guess.path
	}
	if _, known := g.provider(c.provider); !known {
		c.provider, c.path = "openai", "chat/completions"
	}
	return c
}

// plain reports whether parts of a path can be shown in a command as they are.
func plain(parts []string) bool {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@"
	return !slices.ContainsFunc(parts, func(p string) bool { return strings.Trim(p, safe) != "" || p == ".." })
}

// ofPath tells provider and path from what a path holds.
func ofPath(path string) intended {
	for _, known := range []struct{ part, provider, path string }{
		{"messages", "anthropic", "v1/messages"},
		{"chat/completions", "openai", "chat/completions"},
		{"responses", "openai", "responses"},
		{"embeddings", "openai", "embeddings"},
		{"generateContent", "google-ai-studio", "v1beta/models/gemini-2.5-flash:generateContent"},
		{"GenerateContent", "google-ai-studio", "v1beta/models/gemini-2.5-flash:generateContent"},
	} {
		if strings.Contains(path, known.part) {
			return intended{provider: known.provider, path: known.path}
		}
	}
	return intended{provider: "openai", path: "chat/completions"}
}

// curl writes c as a command. Credentials are variables of the shell.
func (g *guide) curl(c intended) string {
	keys := map[string]string{
		"anthropic": "x-api-key: $ANTHROPIC_API_KEY", "google-ai-studio": "x-goog-api-key: $GEMINI_API_KEY", "azure-openai": "api-key: $AZURE_OPENAI_API_KEY",
	}
	key, own := keys[c.provider]
	if !own {
		key = "authorization: Bearer $" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(c.provider)) + "_API_KEY"
	}
	bodies := map[string]string{
		"chat/completions": `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"Hello"}]}`,
		"responses":        `{"model":"gpt-4.1-mini","input":"Hello"}`,
		"embeddings":       `{"model":"text-embedding-3-small","input":"Hello"}`,
		"v1/messages":      `{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}`,
		"v1beta/models/gemini-2.5-flash:generateContent": `{"contents":[{"parts":[{"text":"Hello"}]}]}`,
	}
	var b strings.Builder
	b.WriteString("curl " + g.base + "/v1/" + g.account.ID + "/" + c.gateway + "/" + c.provider + "/" + c.path)
	for _, f := range append([]string{key}, c.fields...) {
		b.WriteString(` -H "` + f + `"`)
	}
	if c.provider == "anthropic" {
		b.WriteString(` -H "anthropic-version: 2023-06-01"`)
	}
	b.WriteString(` -H "content-type: application/json" -d '`)
	if body, known := bodies[c.path]; known {
		b.WriteString(body)
	} else {
		b.WriteString("…")
	}
	return b.String() + "'"
}
