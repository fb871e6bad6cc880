package demo

import (
	"time"

	sluice "github.com/sluicehq/sluice"
)

// dialect is how a provider's requests and answers look.
type dialect uint8

const (
	openAI dialect = iota
	anthropic
)

// model is one that the made-up applications call.
type model struct {
	provider, name string
	host           string
	dialect        dialect
	first          time.Duration // until the first token, about
	perSecond      float64       // tokens of output
}

func (m *model) endpoint() string {
	if m.dialect == anthropic {
		return "messages"
	}
	return "chat/completions"
}

// path is what stands behind the provider in the address.
func (m *model) path() string {
	if m.dialect == anthropic {
		return "v1/messages"
	}
	return "chat/completions"
}

// The models, by the names that the applications below use.
func models() map[string]*model {
	return map[string]*model{
		"gpt":    {"openai", "gpt-4.1", "api.openai.com", openAI, 430 * time.Millisecond, 88},
		"mini":   {"openai", "gpt-4.1-mini", "api.openai.com", openAI, 310 * time.Millisecond, 120},
		"sonnet": {"anthropic", "claude-sonnet-4-5", "api.anthropic.com", anthropic, 720 * time.Millisecond, 74},
		"haiku":  {"anthropic", "claude-haiku-4-5", "api.anthropic.com", anthropic, 390 * time.Millisecond, 145},
		"llama":  {"groq", "llama-3.3-70b-versatile", "api.groq.com", openAI, 120 * time.Millisecond, 310},
		"large":  {"mistral", "mistral-large-latest", "api.mistral.ai", openAI, 520 * time.Millisecond, 62},
	}
}

// app is an application that never was.
type app struct {
	name, gateway string
	share         int // of all calls
	agent, key    string
	team          string
	users         int      // how many people use it
	models        []string // as models has them, the more often listed the more often called
	spare         string   // model to fall back to; "": it does not
	topics        []topic
	streams       int // percent
	cached        int // percent of calls that the cache answers
	night         int // percent of the day's traffic that it has at night
	tokens        int64
}

// metadata is what the application says of a call.
func (a *app) metadata(c *call) []sluice.MetaValue {
	return []sluice.MetaValue{
		{Key: "app", Value: a.name}, {Key: MetadataKey, Value: a.team}, {Key: "user", Value: c.user}, {Key: "demo", Value: "true", Kind: sluice.MetaBool},
	}
}

// Gateways are those of the applications, beside default.
func Gateways() []string { return []string{"support", "batch"} }

func apps() []*app {
	return []*app{
		{
			name: "web-chat", gateway: "default", share: 46, agent: "openai-node/6.9.1", key: "web", team: "product", users: 40,
			models: []string{"gpt", "gpt", "mini", "mini", "mini", "sonnet"}, spare: "mini", topics: chatTopics(), streams: 92, cached: 4, night: 12, tokens: 900,
		},
		{
			name: "code-review", gateway: "default", share: 17, agent: "anthropic-sdk-python/0.75.0", key: "ci", team: "platform", users: 9,
			models: []string{"sonnet", "sonnet", "haiku"}, spare: "gpt", topics: codeTopics(), streams: 70, night: 35, tokens: 5200,
		},
		{
			name: "help-desk", gateway: "support", share: 24, agent: "openai-python/2.9.0", key: "help-desk", team: "support", users: 120,
			models: []string{"mini", "mini", "haiku", "llama"}, spare: "haiku", topics: supportTopics(), streams: 35, cached: 38, night: 30, tokens: 420,
		},
		{
			name: "nightly-tags", gateway: "batch", share: 13, agent: "python-httpx/0.28.1", key: "batch", team: "data", users: 1,
			models: []string{"llama", "large", "mini"}, topics: batchTopics(), cached: 12, night: 260, tokens: 260,
		},
	}
}

// topic is what a call is about.
type topic struct {
	system, ask, answer string
	tool                string // a function that the model calls before it answers; "" none
	arguments, result   string
}

func chatTopics() []topic {
	const system = "You are the assistant of Fernweh, a travel planner. Be brief, concrete and friendly."
	return []topic{
		{system: system, ask: "Two days in Lisbon with children, no museums please.", answer: "**Day 1**: tram 28 early, the castle walls, then the beach at Carcavelos.\n\n**Day 2**: the Oceanário, the cable car, and a picnic in Jardim da Estrela.\n\nBoth days leave the early afternoon free for a nap."},
		{system: system, ask: "Is the night train from Vienna to Venice worth it?", answer: "Yes, if you book a sleeper: you leave at 21:27 and wake up on the lagoon. In a seat it is a long night."},
		{system: system, ask: "What do I pack for Iceland in October?", answer: "1. A wind-proof shell and trousers\n2. Two wool layers\n3. Boots that stand water\n4. Swimwear, for the hot springs\n\nLeave the umbrella at home: the wind takes it."},
		{system: system, ask: "What will the weather be in Porto tomorrow?", tool: "get_weather", arguments: `{"city":"Porto","day":"tomorrow"}`, result: `{"high":19,"low":12,"sky":"showers","wind_kmh":24}`, answer: "Showers and 19 °C, with a fresh wind. Take the jacket, and keep the wine lodges for the wet hours."},
		{system: system, ask: "Translate for the hotel: we arrive after midnight, please keep the room.", answer: "«Chegamos depois da meia-noite. Por favor, guardem o quarto para nós. Obrigado!»"},
		{system: system, ask: "Find me a table for six near the station tonight.", tool: "search_restaurants", arguments: `{"near":"station","people":6,"when":"tonight"}`, result: `[{"name":"Casa Verde","free":"20:30"},{"name":"O Pescador","free":"21:15"}]`, answer: "*Casa Verde* has six seats at 20:30, four minutes on foot. *O Pescador* has them at 21:15. Shall I reserve one?"},
		{system: system, ask: "Rewrite my review so that it sounds less angry.", answer: "“The room was smaller than the pictures suggest and the street is loud. Breakfast and staff were excellent; for a short stay I would come again.”"},
	}
}

func codeTopics() []topic {
	const system = "You review changes. Name real faults only, each with file, line and a remedy."
	return []topic{
		{system: system, ask: "diff --git a/pay/retry.go b/pay/retry.go\n+for i := 0; i <= attempts; i++ {\n+\tif err = charge(ctx, card); err == nil {\n+\t\treturn nil\n+\t}\n+}", answer: "**pay/retry.go:1** `i <= attempts` charges once more than asked. Use `<`.\n\n**pay/retry.go:2** a charge is repeated without an idempotency key, so a lost answer bills the card twice:\n\n```go\nkey := idempotency.New()\nerr = charge(ctx, card, key)\n```"},
		{system: system, ask: "diff --git a/web/list.ts b/web/list.ts\n+items.sort((a, b) => a.price > b.price)", answer: "**web/list.ts:1** the comparison gives a boolean, and sort wants a number. `(a, b) => a.price - b.price`"},
		{system: system, ask: "diff --git a/db/users.sql b/db/users.sql\n+ALTER TABLE users ADD COLUMN locale text NOT NULL;", answer: "**db/users.sql:1** fails on a table that has rows: add a default, or fill the column first and set NOT NULL after."},
		{system: system, ask: "Where is the session cookie set?", tool: "grep", arguments: `{"pattern":"Set-Cookie","path":"."}`, result: "auth/session.go:88: w.Header().Set(\"Set-Cookie\", c.String())", answer: "In `auth/session.go`, line 88. It lacks `SameSite`, so set `SameSite=Lax` there."},
	}
}

func supportTopics() []topic {
	const system = "Answer from the help centre only. If it is not there, hand over to a person."
	return []topic{
		{system: system, ask: "How do I reset my password?", answer: "Open *Sign in*, choose *Forgot password*, and follow the link in the mail. It holds for one hour."},
		{system: system, ask: "Where is my order 48213?", tool: "get_order", arguments: `{"order":"48213"}`, result: `{"state":"shipped","carrier":"DHL","arrives":"Thursday"}`, answer: "It was shipped with DHL and arrives on Thursday."},
		{system: system, ask: "Can I change the billing address of an invoice?", answer: "Yes, within 14 days: *Account → Invoices → Correct*. Older ones are changed by our accountants: I hand over to a person."},
		{system: system, ask: "Do you ship to Norway?", answer: "Yes, in three to five days. Duties are shown before you pay."},
		{system: system, ask: "My discount code does not work.", answer: "Codes count once per account and not on gift cards. If neither is the reason, send me the code and I hand over to a person."},
	}
}

func batchTopics() []topic {
	const system = `Tag the text. Answer with JSON: {"topic": …, "mood": …}`
	return []topic{
		{system: system, ask: "The update made the app twice as fast. Thank you!", answer: `{"topic": "performance", "mood": "happy"}`},
		{system: system, ask: "Third time this month that the export is empty.", answer: `{"topic": "export", "mood": "angry"}`},
		{system: system, ask: "Is there a way to share a folder with a guest?", answer: `{"topic": "sharing", "mood": "neutral"}`},
		{system: system, ask: "The new icons are nice, the old menu was nicer.", answer: `{"topic": "design", "mood": "mixed"}`},
	}
}
