// Package traffic makes up a month of an organisation's calls and writes it as Sluice does: through its own log and
// its index. What it makes depends on a seed and the time that it ends at; only ids differ from run to run.
package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Account, Main and Small are where the calls are: most are Main's, and few are Small's.
const (
	Account = "default"
	Main    = "prod"
	Small   = "batch"

	// CommonModel is the model of some calls in ten, RareModel of one in a million.
	CommonModel = "gpt-5-mini"
	RareModel   = "gpt-4-32k-0314"

	// Metadata is the key that has roll-ups.
	Metadata = "team"

	services = 30
	users    = 10_000
)

// Gateways lists the gateways, the busiest first.
func Gateways() []string { return []string{Main, "staging", "support", "search", "default", Small} }

// provider is a provider with its models, the busiest first.
type provider struct {
	slug, host, endpoint, path string
	models                     []string
}

func providers() []provider {
	chat := func(slug, host string, models ...string) provider {
		return provider{slug, host, "chat/completions", "/v1/chat/completions", models}
	}
	return []provider{
		chat("openai", "api.openai.com", CommonModel, "gpt-5", "gpt-5-nano", "gpt-4o-mini", "o4-mini"),
		{"anthropic", "api.anthropic.com", "messages", "/v1/messages", []string{"claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1", "claude-sonnet-4-0", "claude-3-5-haiku-latest"}},
		{"google-ai-studio", "generativelanguage.googleapis.com", "generateContent", "/v1beta/models", []string{"gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemini-2.0-flash-lite"}},
		chat("groq", "api.groq.com", "llama-3.3-70b-versatile", "llama-3.1-8b-instant", "openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3-32b"),
		chat("mistral", "api.mistral.ai", "mistral-small-latest", "mistral-large-latest", "codestral-latest", "ministral-8b-latest", "mistral-medium-latest"),
		chat("deepseek", "api.deepseek.com", "deepseek-chat", "deepseek-reasoner", "deepseek-coder", "deepseek-v3", "deepseek-v2"),
		chat("azure-openai", "made-up.openai.azure.com", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-35-turbo"),
		chat("workers-ai", "api.cloudflare.com", "@cf/meta/llama-3.1-8b-instruct", "@cf/meta/llama-3.3-70b", "@cf/mistral/mistral-7b", "@cf/qwen/qwq-32b", "@cf/baai/bge-m3"),
	}
}

// service is an application: it has a gateway token, a team, and a few models that it calls.
type service struct {
	key, gateway, team string
	uses               []use
}

// use is a model that a service calls.
type use struct {
	provider *provider
	model    string
}

// Maker makes entries.
type Maker struct {
	ids      sluice.IDs
	rand     *rand.Rand
	services []service
	users    []string
}

// NewMaker returns a Maker that always makes the same.
func NewMaker(seed uint64) *Maker {
	m := &Maker{rand: rand.New(rand.NewPCG(seed, 1))}
	var all []use
	for _, p := range providers() {
		for _, model := range p.models {
			all = append(all, use{&p, model})
		}
	}
	gateways := Gateways()
	for i := range services {
		one := service{key: fmt.Sprintf("service-%02d", i), gateway: gateways[0], team: fmt.Sprint("team-", i%8)}
		if i%3 == 2 {
			one.gateway = gateways[1+i/3%(len(gateways)-1)]
		}
		for k := range 4 {
			one.uses = append(one.uses, all[(i*7+k*11)%len(all)])
		}
		m.services = append(m.services, one)
	}
	for i := range users {
		m.users = append(m.users, fmt.Sprintf("user-%05d", i))
	}
	return m
}

// skewed returns a number below n, the smaller the likelier.
func (m *Maker) skewed(n int) int {
	f := m.rand.Float64()
	return int(f * f * float64(n))
}

// Entry sets e, which was reset, to a call that began at at.
func (m *Maker) Entry(e *sluice.LogEntry, at time.Time) {
	r := m.rand
	one := &m.services[m.skewed(len(m.services))]
	called := one.uses[m.skewed(len(one.uses))]
	p := called.provider
	e.ID, e.Start, e.Account, e.Gateway = m.ids.New(at), at.UTC(), Account, one.gateway
	e.Provider, e.Model = p.slug, called.model
	if r.IntN(1_000_000) == 0 {
		e.Model = RareModel
	}
	e.Served, e.Endpoint, e.Method, e.Path = e.Model, p.endpoint, "POST", p.path
	e.Key, e.UserAgent = one.key, "OpenAI/Python 2.9.0"
	e.Metadata = append(
		e.Metadata,
		sluice.MetaValue{Key: Metadata, Value: one.team},
		sluice.MetaValue{Key: "user_id", Value: m.users[m.skewed(users)]},
	)
	e.Streamed = r.IntN(10) < 6
	e.Request = sluice.Body{Size: 600 + int64(r.ExpFloat64()*2000), Type: "application/json"}
	e.Response = sluice.Body{Size: 400 + int64(r.ExpFloat64()*1500), Type: "application/json"}
	if e.Streamed {
		e.Response.Type = "text/event-stream"
	}
	m.outcome(e, p)
	m.headers(e)
}

// outcome sets how the call went: of a hundred 8 come from the cache, 2 meet a rate limit, 3 fail at the provider, one
// is left by its caller, and some have a second try.
func (m *Maker) outcome(e *sluice.LogEntry, p *provider) {
	r := m.rand
	e.Status, e.Success, e.Ending, e.Finish = 200, true, sluice.EndingComplete, "stop"
	first := time.Duration(float64(180*time.Millisecond) * math.Exp(r.NormFloat64()*0.6))
	length := first + time.Duration(float64(2*time.Second)*math.Exp(r.NormFloat64()*0.8))
	e.Timeline = sluice.Timeline{Received: 150 * time.Microsecond, Sent: 400 * time.Microsecond, FirstByte: first - first/10, FirstToken: first, End: length}
	n := r.IntN(1000)
	e.Cache = sluice.CacheMiss
	e.CacheReason = "no entry"
	switch {
	case n < 80:
		e.Cache, e.CacheReason, e.Served, e.Request.Stored = sluice.CacheHit, "", e.Model, 0
		e.Timeline = sluice.Timeline{Received: 150 * time.Microsecond, FirstToken: 300 * time.Microsecond, End: 400 * time.Microsecond}
		e.Saved = sluice.Saving{Cost: m.cost(), Priced: true, Time: length}
		e.Priced = true
		m.usage(e, sluice.BasisCached)
		return
	case n < 100:
		m.failed(e, 429, "rate_limited", sluice.EndingRefused)
		return
	case n < 115:
		m.failed(e, 500, "upstream_status", sluice.EndingComplete)
	case n < 125:
		m.failed(e, 400, "upstream_status", sluice.EndingComplete)
	case n < 130:
		m.failed(e, 408, "timeout", sluice.EndingTimeout)
	case n < 140:
		e.Status, e.Success, e.Ending, e.Finish = 499, false, sluice.EndingClientGone, ""
		m.usage(e, sluice.BasisPartial)
		e.Priced, e.Cost = true, m.cost()
	default:
		basis := sluice.BasisProvider
		if n < 160 {
			basis = sluice.BasisEstimated
		}
		m.usage(e, basis)
		if n < 970 {
			e.Priced, e.Cost = true, m.cost()
		}
	}
	attempt := sluice.Attempt{
		Provider: p.slug, Model: e.Model, Host: p.host, Status: e.Status, First: e.Timeline.FirstByte, End: length,
		Reused: true, Usage: e.Usage, Cost: e.Cost, Priced: e.Priced,
	}
	if !e.Success {
		attempt.Cause = e.ErrorKind
	}
	if r.IntN(100) < 3 {
		tried := attempt
		tried.Status, tried.Cause, tried.Usage, tried.Cost, tried.Priced = 503, "upstream_status", sluice.Usage{}, 0, false
		tried.End = 50 * time.Millisecond
		e.Attempts = append(e.Attempts, tried)
		attempt.Start = 60 * time.Millisecond
	}
	e.Attempts = append(e.Attempts, attempt)
}

func (m *Maker) failed(e *sluice.LogEntry, status int, kind string, ending sluice.Ending) {
	e.Status, e.Success, e.Ending, e.Finish, e.ErrorKind = status, false, ending, "", kind
	e.ErrorText = "made-up trouble: " + kind
	e.Streamed = false
	e.Timeline.FirstToken = 0
	e.Timeline.End = e.Timeline.FirstByte + time.Millisecond
}

func (m *Maker) cost() sluice.NanoUSD { return sluice.NanoUSD(m.rand.ExpFloat64() * 2e6) }

func (m *Maker) usage(e *sluice.LogEntry, basis sluice.Basis) {
	r := m.rand
	e.Usage.Basis = basis
	in := 50 + int64(r.ExpFloat64()*1200)
	e.Usage.Set(sluice.Input, in)
	e.Usage.Set(sluice.Output, 10+int64(r.ExpFloat64()*350))
	if r.IntN(4) == 0 {
		e.Usage.Set(sluice.CacheRead, in/2)
	}
}

func (m *Maker) headers(e *sluice.LogEntry) {
	e.ReqHeader = append(
		e.ReqHeader,
		sluice.Field{Name: "Host", Value: "localhost:8088"},
		sluice.Field{Name: "Accept-Encoding", Value: "gzip, deflate"},
		sluice.Field{Name: "Accept", Value: "application/json"},
		sluice.Field{Name: "Content-Type", Value: "application/json"},
		sluice.Field{Name: "User-Agent", Value: e.UserAgent},
		sluice.Field{Name: "X-Stainless-Lang", Value: "python"},
	)
	var id [18]byte
	for i := range id {
		id[i] = "0123456789abcdef"[m.rand.IntN(16)]
	}
	e.RespHeader = append(
		e.RespHeader,
		sluice.Field{Name: "Content-Type", Value: e.Response.Type},
		sluice.Field{Name: "Openai-Version", Value: "2020-10-01"},
		sluice.Field{Name: "X-Request-Id", Value: string(id[:])},
		sluice.Field{Name: "Server", Value: "cloudflare"},
	)
}

// Bodies returns a request and an answer for e.
func (m *Maker) Bodies(e *sluice.LogEntry) (request, response []byte) {
	request = fmt.Appendf(nil, `{"model":%q,"stream":%t,"messages":[{"role":"user","content":%q}]}`, e.Model, e.Streamed, m.prose(int(e.Request.Size)))
	if !e.Success {
		return request, fmt.Appendf(nil, `{"error":{"message":%q,"type":"made_up"}}`, e.ErrorText)
	}
	text := m.prose(int(e.Response.Size))
	if !e.Streamed {
		return request, fmt.Appendf(nil, `{"id":"chatcmpl-1","object":"chat.completion","model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`, e.Served, text)
	}
	for word := range slices.Chunk([]byte(text), 24) {
		response = fmt.Appendf(response, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
	}
	return request, append(response, "data: [DONE]\n\n"...)
}

// prose returns n bytes of words.
func (m *Maker) prose(n int) string {
	words := [...]string{
		"the ", "water ", "rises ", "behind ", "a ", "gate ", "that ", "somebody ", "forgot ", "to ", "open ", "before ", "spring ",
		"and ", "each ", "morning ", "one ", "of ", "us ", "walks ", "down ", "there ", "measures ", "it ", "writes ", "number ",
	}
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = append(b, words[m.rand.IntN(len(words))]...)
	}
	return string(b)
}
