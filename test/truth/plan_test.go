package truth

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
)

// try is what one attempt must count as.
type try struct {
	provider, model string
	status          int
	usage           usage
	cost            nano
	priced          bool
}

// row is what a request must count as, or does: in the log, or by what a client got.
type row struct {
	event    string // cf-aig-event-id: the call's name
	gateway  string
	provider string
	model    string
	status   int
	success  bool
	cached   bool
	canceled bool // the client left
	streamed bool
	cache    string // off, miss, hit
	fault    string // error_kind
	key      string // gateway token, by name
	team     string // of the metadata
	usage    usage  // of the model that answered
	cost     nano
	priced   bool
	tries    []try
	charges  []charge
	unlogged bool // counted, with no row
}

// charge is what another model was asked by the one that answered.
type charge struct {
	model string
	usage usage
}

// call is a request as it is sent.
type call struct {
	path   string // behind the gateway; "" the universal endpoint
	body   string
	header map[string]string
	leave  bool // the client leaves when the answer's first bytes have come
	want   row
}

const (
	closed  = "closed"  // a gateway that wants a token
	caching = "caching" // a gateway whose answers are kept

	spending = "spending" // a gateway with budgets
)

// teams are the values of the metadata's team.
func teams() []string { return []string{"red", "green", "blue", "übel \"quoted\""} }

// dice make calls.
type dice struct {
	*rand.Rand
	n      int
	tokens map[string]string // gateway tokens by name
	only   string            // the gateway of all calls; "": several
}

func (d *dice) pick(list ...string) string { return list[d.IntN(len(list))] }

// maybe is true p times of a hundred.
func (d *dice) maybe(p int) bool { return d.IntN(100) < p }

// begin makes the next call, without what it asks.
func (d *dice) begin() *call {
	d.n++
	c := &call{header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer sk-truth"}}
	c.want = row{event: "call-" + strconv.Itoa(d.n), gateway: d.pick("default", "default", "second", closed), cache: "off", team: d.pick(teams()...)}
	if d.only != "" {
		c.want.gateway = d.only
	}
	meta, err := json.Marshal(map[string]any{"team": c.want.team, "n": d.n})
	if err != nil {
		panic(err)
	}
	c.header["cf-aig-metadata"] = string(meta)
	c.header["cf-aig-event-id"] = c.want.event
	c.header["X-Truth-Call"] = c.want.event
	if c.want.gateway == closed {
		c.want.key = d.pick("app-one", "app-two")
		c.header["cf-aig-authorization"] = "Bearer " + d.tokens[c.want.key]
	}
	if d.maybe(10) {
		c.header["cf-aig-collect-log-payload"] = "false"
	}
	return c
}

// target is a provider and model, and how it is called.
type target struct{ provider, model, dialect string }

func targets() []target {
	return []target{
		{"openai", "truth-large", "openai"},
		{"openai", "truth-small", "openai"},
		{"openai", "gpt-4o-mini", "openai"},
		{"anthropic", "truth-c", "anthropic"},
		{"anthropic", "claude-sonnet-4-5", "anthropic"},
		{"google-ai-studio", "gemini-2.5-flash", "gemini"},
		{"truth-own", "engine-1", "openai"},
	}
}

// ask is a request to a target: path and body.
func (t target) ask(stream bool, more string) (path, body string) {
	switch t.dialect {
	case "anthropic":
		return "v1/messages", fmt.Sprintf(`{"model":%q,"max_tokens":9,"stream":%v,"messages":[{"role":"user","content":"Hi"}]%s}`, t.model, stream, more)
	case "gemini":
		method := "generateContent"
		if stream {
			method = "streamGenerateContent?alt=sse"
		}
		return "v1beta/models/" + t.model + ":" + method, `{"contents":[{"parts":[{"text":"Hi"}]}]` + more + `}`
	}
	return "chat/completions", fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"Hi"}]%s}`, t.model, stream, more)
}

// counts makes up what an answer has used.
func (d *dice) counts(dialect string) usage {
	u := usage{"input": d.Int64N(20_000) + 10, "output": d.Int64N(3_000) + 1}
	if d.maybe(5) {
		u["input"] += 1_000_000
	}
	if d.maybe(40) {
		u["cache_read"] = 1 + d.Int64N(u["input"]/2)
	}
	switch {
	case dialect == "anthropic" && d.maybe(40):
		u["cache_write_5m"], u["cache_write_1h"] = d.Int64N(u["input"]/4+1), d.Int64N(u["input"]/4+1)
	case dialect != "anthropic" && d.maybe(30):
		u["reasoning"] = 1 + d.Int64N(u["output"])
		u["output"]++
	}
	return u
}

// good is an answer of t that goes well, and what it counts as.
func (d *dice) good(t target, stream bool) (answer, try) {
	u := d.counts(t.dialect)
	a := answer{Dialect: t.dialect, Stream: stream, Model: t.model, Usage: u}
	w := try{provider: t.provider, model: t.model, status: 200, usage: u}
	w.cost, w.priced = costOf(t.provider, t.model, u)
	return a, w
}

// bad is an error of t.
func bad(t target, status int) (answer, try) {
	return answer{Status: status}, try{provider: t.provider, model: t.model, status: status}
}

// plan sets what the provider answers, on a header.
func plan(header map[string]string, answers ...answer) {
	text, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	header[planField] = string(text)
}

// to aims the call at t.
func (c *call) to(t target, stream bool, more string) {
	path, body := t.ask(stream, more)
	c.path, c.body = t.provider+"/"+path, body
	c.want.provider, c.want.model, c.want.streamed = t.provider, t.model, stream
}

// serve makes w what answers the call, after failed tries.
func (c *call) serve(w try, failed ...try) {
	c.want.status, c.want.success, c.want.usage = w.status, w.status == 200, w.usage
	c.want.tries = append(failed, w)
	if !c.want.success {
		c.want.fault, c.want.streamed = "upstream_status", false
	}
	c.sum()
}

// sum adds up what the tries have cost: nothing is known of it when one of those that used something is not priced.
func (c *call) sum() {
	c.want.cost, c.want.priced = 0, false
	for _, t := range c.want.tries {
		if len(t.usage) == 0 {
			continue
		}
		if !t.priced {
			c.want.cost, c.want.priced = 0, false
			return
		}
		c.want.cost += t.cost
		c.want.priced = true
	}
}

// next makes the next call. Calls in a row are one after the other: a request, and the same again that the cache
// answers.
func (d *dice) next() []*call {
	t := targets()[d.IntN(len(targets()))]
	stream := d.maybe(40)
	for _, kind := range []struct {
		weight int
		make   func(t target, stream bool) []*call
	}{
		{40, d.plain},
		{10, d.cachedPair},
		{8, d.failing},
		{8, d.retried},
		{8, d.fallenBack},
		{8, d.custom},
		{4, d.advised},
		{5, d.unpriced},
		{4, d.left},
		{3, d.cutOff},
		{3, d.refused},
		{3, d.spentOnError},
	} {
		if d.IntN(100) < kind.weight {
			return kind.make(t, stream)
		}
	}
	return d.plain(t, stream)
}

func (d *dice) plain(t target, stream bool) []*call {
	c := d.begin()
	a, w := d.good(t, stream)
	if d.maybe(40) {
		c.header["cf-aig-max-attempts"] = "3"
	}
	plan(c.header, a)
	c.to(t, stream, "")
	c.serve(w)
	return []*call{c}
}

// cachedPair is a call, and one that the cache answers.
func (d *dice) cachedPair(t target, stream bool) []*call {
	first := d.plain(t, stream)[0]
	first.want.gateway, first.want.key = cmp.Or(d.only, caching), ""
	delete(first.header, "cf-aig-authorization")
	first.header["cf-aig-cache-key"] = first.want.event
	second := d.begin()
	second.want.gateway, second.want.key = cmp.Or(d.only, caching), ""
	delete(second.header, "cf-aig-authorization")
	second.header["cf-aig-cache-key"], second.header[planField] = first.want.event, first.header[planField]
	second.to(t, stream, "")
	first.want.cache = "miss"
	w := &second.want
	w.status, w.success, w.cached, w.cache, w.usage, w.priced = 200, true, true, "hit", first.want.usage, true
	return []*call{first, second}
}

func (d *dice) failing(t target, stream bool) []*call {
	c := d.begin()
	a, w := bad(t, []int{400, 401, 404, 422, 429, 500, 503}[d.IntN(7)])
	plan(c.header, a)
	c.to(t, stream, "")
	c.serve(w)
	return []*call{c}
}

func (d *dice) retried(t target, stream bool) []*call {
	c := d.begin()
	n := 1 + d.IntN(2)
	var answers []answer
	var failed []try
	for range n {
		a, w := bad(t, []int{429, 500, 502, 503}[d.IntN(4)])
		answers, failed = append(answers, a), append(failed, w)
	}
	a, w := d.good(t, stream)
	if d.maybe(20) {
		a, w = bad(t, 503)
	}
	plan(c.header, append(answers, a)...)
	c.header["cf-aig-max-attempts"] = strconv.Itoa(n + 1)
	c.header["cf-aig-retry-delay"] = "0"
	c.to(t, stream, "")
	c.serve(w, failed...)
	return []*call{c}
}

// spentOnError is a stream that begins with an error, and counts what it has used until then.
func (d *dice) spentOnError(_ target, _ bool) []*call {
	t := targets()[3+d.IntN(2)]
	c := d.begin()
	lost, spent := d.good(t, true)
	lost.Wrong = "error_event"
	spent.usage = started(lost.Usage)
	spent.cost, spent.priced = costOf(t.provider, t.model, spent.usage)
	a, w := d.good(t, true)
	plan(c.header, lost, a)
	c.header["cf-aig-max-attempts"], c.header["cf-aig-retry-delay"] = "2", "0"
	c.to(t, true, "")
	c.serve(w, spent)
	return []*call{c}
}

// started is what the first event of Anthropic's stream tells: all input, and one token of output.
func started(u usage) usage {
	s := usage{"output": 1}
	for class, n := range u {
		if class != "output" && class != "reasoning" {
			s[class] = n
		}
	}
	return s
}

// fallenBack is a universal request whose first steps fail.
func (d *dice) fallenBack(t target, stream bool) []*call {
	c := d.begin()
	n := 1 + d.IntN(2)
	type step struct {
		Provider string            `json:"provider"`
		Endpoint string            `json:"endpoint"`
		Headers  map[string]string `json:"headers"`
		Query    json.RawMessage   `json:"query"`
	}
	var steps []step
	add := func(t target, a answer) {
		path, body := t.ask(stream, "")
		h := map[string]string{"X-Truth-Call": fmt.Sprint(c.want.event, "-", len(steps)), "Content-Type": "application/json"}
		plan(h, a)
		steps = append(steps, step{t.provider, path, h, json.RawMessage(body)})
	}
	var failed []try
	for range n {
		from := targets()[d.IntN(len(targets()))]
		a, w := bad(from, []int{400, 401, 429, 500, 503}[d.IntN(5)])
		add(from, a)
		failed = append(failed, w)
	}
	if d.maybe(50) {
		t = target{"truth-next", "engine-2", "openai"}
	}
	a, w := d.good(t, stream)
	add(t, a)
	body, err := json.Marshal(steps)
	if err != nil {
		panic(err)
	}
	c.body = string(body)
	c.want.provider, c.want.model, c.want.streamed = t.provider, t.model, stream
	c.serve(w, failed...)
	return []*call{c}
}

// custom is a call that brings its own price.
func (d *dice) custom(t target, stream bool) []*call {
	c := d.plain(t, stream)[0]
	w := &c.want.tries[0]
	if d.maybe(30) {
		c.header["cf-aig-custom-cost"] = `{"total_cost":0.012345678}`
		w.cost, w.priced = 12_345_678, true
	} else {
		// 1,234.5 and 2,500.1 nano-dollars for a token, in tenths.
		c.header["cf-aig-custom-cost"] = `{"per_token_in":0.0000012345,"per_token_out":0.0000025001}`
		sum := big.NewInt(w.usage["input"]*12_345 + w.usage["output"]*25_001)
		w.cost, w.priced = rounded(sum, 10), true
	}
	c.sum()
	return []*call{c}
}

// advised is a call whose model asked another one.
func (d *dice) advised(_ target, stream bool) []*call {
	t := target{"anthropic", "truth-c", "anthropic"}
	const adviser = "claude-sonnet-4-5"
	c := d.begin()
	a, w := d.good(t, stream)
	advice := usage{"input": 1 + d.Int64N(5000), "output": 1 + d.Int64N(900)}
	a.Adviser, a.Advice = adviser, advice
	plan(c.header, a)
	c.to(t, stream, "")
	c.want.charges = []charge{{adviser, advice}}
	w.cost, w.priced = costOfAll(t.provider, map[string]usage{t.model: w.usage, adviser: advice})
	c.serve(w)
	return []*call{c}
}

func (d *dice) unpriced(_ target, stream bool) []*call {
	return d.plain(target{"openai", "nobody-knows-1", "openai"}, stream)
}

// left is a stream whose client leaves when it has seen its beginning.
func (d *dice) left(_ target, _ bool) []*call {
	c := d.broken("hang")
	c.leave = true
	c.want.canceled, c.want.fault = true, "client_gone"
	return []*call{c}
}

// cutOff is a stream that the provider breaks off.
func (d *dice) cutOff(_ target, _ bool) []*call {
	c := d.broken("cut")
	c.want.fault = "cut"
	return []*call{c}
}

func (d *dice) broken(how string) *call {
	t := targets()[3+d.IntN(2)]
	c := d.begin()
	a, w := d.good(t, true)
	a.Wrong = how
	w.usage = started(a.Usage)
	w.cost, w.priced = costOf(t.provider, t.model, w.usage)
	plan(c.header, a)
	c.header["cf-aig-collect-log-payload"] = "false" // else the output is counted from the stored body
	c.to(t, true, "")
	c.serve(w)
	c.want.success = false
	return c
}

// refused is a call with a wrong token.
func (d *dice) refused(t target, stream bool) []*call {
	if d.only != "" {
		return d.plain(t, stream) // that one is open
	}
	c := d.begin()
	c.want.gateway, c.want.key = closed, ""
	c.header["cf-aig-authorization"] = "Bearer wrong"
	c.to(t, stream, "")
	c.want.status, c.want.fault = 401, "unauthorized"
	if t.dialect != "gemini" {
		c.want.model, c.want.streamed = "", false // the body is not read
	}
	c.want.streamed = false
	return []*call{c}
}
