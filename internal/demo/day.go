package demo

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// call is one call of the day: what the log will say of it.
type call struct {
	app      *app
	user     string
	entry    sluice.LogEntry
	request  []byte
	response []byte
	at       time.Time
	said     said
	spare    *model
}

// day makes up calls.
type day struct {
	o      Options
	rand   *rand.Rand
	models map[string]*model
	apps   []*app
	number uint32 // of the call: makes ids grow
}

func newDay(o Options) *day {
	return &day{o: o, rand: rand.New(rand.NewPCG(o.Seed, 0x5107ce)), models: models(), apps: apps()} //nolint:gosec // a day that can be made again is the point
}

// calls are those of the day, in the order of their beginnings.
func (d *day) calls() []*call {
	var starts []*call
	for _, a := range d.apps {
		for range d.o.Requests * a.share / 100 {
			starts = append(starts, &call{app: a, at: d.moment(a)})
		}
	}
	slices.SortStableFunc(starts, func(a, b *call) int { return a.at.Compare(b.at) })
	for _, c := range starts {
		d.make(c)
	}
	return starts
}

// lookingHour is the hour at which the day ends, by the clock of the made-up applications: whenever somebody looks, it
// is their afternoon, and last night was theirs.
const lookingHour = 16.5

// moment picks a time of the day for a call of a: most calls are in working hours, more of a batch are at night.
func (d *day) moment(a *app) time.Time {
	for {
		// The last minute stays free: what is made up is in the past when somebody looks.
		at := d.o.Now.Add(-time.Minute - time.Duration(d.rand.Float64()*float64(24*time.Hour-time.Minute)))
		hour := math.Mod(lookingHour+24-d.o.Now.Sub(at).Hours(), 24)
		busy := math.Exp(-(hour-10.5)*(hour-10.5)/9) + math.Exp(-(hour-15.5)*(hour-15.5)/12)
		weight := (busy*100 + float64(a.night)/4) / 170
		if a.night > 100 {
			weight = 0.15 + math.Exp(-(hour-2)*(hour-2)/3)
		}
		if d.rand.Float64() < weight {
			return at
		}
	}
}

// chance is true in percent of cases.
func (d *day) chance(percent float64) bool { return d.rand.Float64()*100 < percent }

// about is a time near mean: some are much longer, none is much shorter.
func (d *day) about(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * math.Exp(d.rand.NormFloat64()*0.35))
}

// id makes the id of a call, from the seed alone.
func (d *day) id(at time.Time) sluice.ID {
	d.number++
	id := sluice.MinID(at)
	binary.BigEndian.PutUint32(id[8:], 1<<31|d.number<<6)
	binary.BigEndian.PutUint32(id[12:], d.rand.Uint32()&^0x3f)
	return id
}

// outage is the hour of the day in which Anthropic has too much to do, so that there is something to find.
func (d *day) outage(at time.Time) bool {
	ago := d.o.Now.Sub(at)
	return ago > 5*time.Hour && ago < 5*time.Hour+50*time.Minute
}

// make makes c's entry and bodies.
func (d *day) make(c *call) {
	a := c.app
	m := d.models[a.models[d.rand.IntN(len(a.models))]]
	c.user = a.name + "-" + strconv.Itoa(d.rand.IntN(d.rand.IntN(a.users)+1)+1) // some call much more than others
	if a.spare != "" {
		c.spare = d.models[a.spare]
	}
	t := &a.topics[d.rand.IntN(len(a.topics))]
	var random [8]byte
	binary.BigEndian.PutUint64(random[:], d.rand.Uint64())
	c.said = said{model: m, topic: t, id: hex.EncodeToString(random[:]), stream: d.chance(float64(a.streams)), createdSec: c.at.Unix()}
	s := &c.said
	if t.tool != "" {
		s.asksTool = d.chance(50)
		s.hasResult = !s.asksTool
	}
	s.in = int64(float64(a.tokens) * math.Exp(d.rand.NormFloat64()*0.6))
	s.out = max(int64(float64(len(t.answer)/4+20)*math.Exp(d.rand.NormFloat64()*0.3)), 4)
	if d.chance(55) && s.in > 600 {
		s.cachedIn = s.in * 3 / 4 / 128 * 128
	}
	c.begin(d.id(c.at))
	d.happen(c)
	c.finish()
}

// begin fills in what is known of a call before anything answers it.
func (c *call) begin(id sluice.ID) {
	a, m := c.app, c.said.model
	c.request = c.said.request()
	c.entry = sluice.LogEntry{
		ID: id, Start: c.at.UTC().Truncate(time.Millisecond), Account: "default", Gateway: a.gateway, Provider: m.provider, Model: m.name,
		Endpoint: m.endpoint(), Path: m.path(), Method: "POST", Streamed: c.said.stream, Key: a.key, UserAgent: a.agent, EventID: id.String(),
		Request: sluice.Body{Size: int64(len(c.request)), Type: "application/json"},
	}
	e := &c.entry
	e.ReqHeader = sluice.Header{
		{Name: "Host", Value: "127.0.0.1:8088"},
		{Name: "User-Agent", Value: a.agent},
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Authorization", Value: "[redacted]"},
		{Name: "Content-Length", Value: strconv.Itoa(len(c.request))},
	}
	e.Timeline.Received = 180 * time.Microsecond
}

// happen decides what becomes of c.
func (d *day) happen(c *call) {
	outage := d.outage(c.at) && c.said.model.dialect == anthropic
	switch {
	case d.chance(float64(c.app.cached)):
		d.cached(c)
	case outage && d.chance(65), d.chance(1.2):
		d.overloaded(c)
	case d.chance(2.5):
		d.retried(c)
	case d.chance(0.7):
		c.refused(429, "rate_limited", own(429, 2003, "Rate limited", "more than 600 requests in 60 s"), "Rate limited: more than 600 requests in 60 s")
	case c.app.name == "web-chat" && d.chance(0.5):
		c.refused(429, "spend_limit", own(429, 2041, "Spend limit exceeded", "rule 'per-user'"), "Spend limit exceeded: rule 'per-user' (cost limit 0.5 per 86400s, fixed)")
	case d.chance(0.8):
		d.invalid(c)
	case c.said.stream && d.chance(1.2):
		d.left(c)
	case d.chance(0.3):
		d.timedOut(c)
	default:
		d.served(c, c.said.model, 0, c.entry.Timeline.Received+160*time.Microsecond)
	}
}

// served lets m answer; the try begins at start.
func (d *day) served(c *call, m *model, step int, start time.Duration) {
	e, s := &c.entry, &c.said
	s.model = m
	reused := d.chance(85)
	connect := time.Duration(0)
	if !reused {
		connect = d.about(38 * time.Millisecond)
	}
	first := d.about(m.first + time.Duration(s.in)*time.Microsecond*20)
	writing := time.Duration(float64(s.out) / m.perSecond * float64(time.Second))
	writing = d.about(writing)
	head := first - first/8
	if !s.stream {
		head = first + writing
	}
	e.Timeline.Connected, e.Timeline.Sent = start+connect, start+connect+90*time.Microsecond
	e.Timeline.FirstByte = start + connect + head
	end := start + connect + first + writing
	if s.stream {
		e.Timeline.FirstToken = start + connect + first
	}
	e.Timeline.End = end + 120*time.Microsecond
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, s.in)
	e.Usage.Set(sluice.Output, s.out)
	e.Usage.Set(sluice.CacheRead, s.cachedIn)
	e.Attempts = append(e.Attempts, sluice.Attempt{
		Step: step, Provider: m.provider, Model: m.name, Host: m.host, Status: 200, Start: start, Connect: connect, First: connect + head, End: end - start, Reused: reused, Usage: e.Usage,
	})
	e.Provider, e.Model, e.Served, e.Endpoint, e.Path, e.Step = m.provider, m.name, m.name, m.endpoint(), m.path(), step
	e.Status, e.Success, e.Ending, e.Finish = 200, true, sluice.EndingComplete, s.openAIFinish()
	if m.dialect == anthropic {
		e.Finish = s.anthropicFinish()
	}
	if c.app.cached > 0 {
		e.Cache, e.CacheReason = sluice.CacheMiss, "no entry"
	}
	c.response = slices.Concat(s.answer()...)
	e.Response.Type = s.contentType()
	if c.app.name == "web-chat" && d.chance(3) {
		e.Feedback = int8(1 - 2*d.rand.IntN(2)*d.rand.IntN(2))
	}
}

// cached answers from the cache.
func (d *day) cached(c *call) {
	m := c.said.model
	d.served(c, m, 0, c.entry.Timeline.Received)
	e := &c.entry
	took := e.Timeline.End
	e.Attempts, e.Cache, e.CacheReason, e.Feedback = nil, sluice.CacheHit, "", 0
	e.Usage.Basis = sluice.BasisCached
	e.Timeline = sluice.Timeline{Received: e.Timeline.Received, End: d.about(1500 * time.Microsecond)}
	e.Saved.Time = took - e.Timeline.End
	e.RespHeader.Add("cf-aig-cache-status", "HIT")
}

// failedTry adds a try that the provider refused.
func (d *day) failedTry(c *call, step int, start time.Duration, status int) (end time.Duration) {
	m := c.said.model
	took := d.about(190 * time.Millisecond)
	c.entry.Attempts = append(c.entry.Attempts, sluice.Attempt{
		Step: step, Provider: m.provider, Model: m.name, Host: m.host, Status: status, Cause: "upstream_status", Start: start, First: took, End: took + time.Millisecond, Reused: true,
	})
	return start + took + time.Millisecond
}

// overloaded lets the provider refuse; who has a spare model falls back to it.
func (d *day) overloaded(c *call) {
	m := c.said.model
	status, message := 503, "The server is overloaded. Please try again later."
	if m.dialect == anthropic {
		status, message = 529, "Overloaded"
	}
	end := d.failedTry(c, 0, c.entry.Timeline.Received+160*time.Microsecond, status)
	if c.spare != nil && c.spare.provider != m.provider {
		c.entry.Type = "universal"
		d.served(c, c.spare, 1, end+time.Millisecond)
		return
	}
	c.answered(status, refusal(m.dialect, "overloaded_error", message), message, end)
}

// retried lets the provider be busy, and serve at the second try.
func (d *day) retried(c *call) {
	m := c.said.model
	end := d.failedTry(c, 0, c.entry.Timeline.Received+160*time.Microsecond, 429)
	if d.chance(20) {
		message := fmt.Sprintf("Rate limit reached for %s. Please try again in 812ms.", m.name)
		c.answered(429, refusal(m.dialect, "rate_limit_error", message), message, end)
		return
	}
	d.served(c, m, 0, end+500*time.Millisecond)
}

// invalid lets the provider find a fault in the request.
func (d *day) invalid(c *call) {
	m := c.said.model
	status, kind, message := 400, "invalid_request_error", "This model's maximum context length is 128000 tokens. However, your messages resulted in 131204 tokens."
	if d.chance(30) {
		status, kind, message = 401, "authentication_error", "Incorrect API key provided: sk-****9Qd."
	}
	end := d.failedTry(c, 0, c.entry.Timeline.Received+160*time.Microsecond, status)
	c.entry.Attempts[0].Cause = "" // the caller gets it
	c.answered(status, refusal(m.dialect, kind, message), message, end)
}

// left lets the client leave within the stream.
func (d *day) left(c *call) {
	d.served(c, c.said.model, 0, c.entry.Timeline.Received+160*time.Microsecond)
	e := &c.entry
	events := c.said.answer()
	c.response = slices.Concat(events[:max(len(events)/2, 1)]...)
	e.Success, e.Ending, e.ErrorKind, e.Finish, e.Feedback = false, sluice.EndingClientGone, "client_gone", "", 0
	e.Timeline.End = e.Timeline.FirstToken + (e.Timeline.End-e.Timeline.FirstToken)/2
	e.Usage.Basis = sluice.BasisPartial
	e.Usage.Set(sluice.Output, c.said.out/2)
	a := &e.Attempts[0]
	a.Usage, a.End = e.Usage, e.Timeline.End-a.Start
}

// timedOut lets the provider say nothing.
func (d *day) timedOut(c *call) {
	e := &c.entry
	start := e.Timeline.Received + 160*time.Microsecond
	c.refused(408, "first_byte", own(408, 2005, "Failed to get response from provider", "no answer within 30 s"), "no answer within 30 s")
	e.Ending, e.Timeline.End = sluice.EndingTimeout, start+30*time.Second
	m := c.said.model
	e.Attempts = []sluice.Attempt{{Provider: m.provider, Model: m.name, Host: m.host, Cause: "first_byte", Start: start, End: 30 * time.Second, Reused: true}}
}

// refused lets the gateway itself say no.
func (c *call) refused(status int, kind string, body []byte, why string) {
	e := &c.entry
	e.Status, e.Ending, e.ErrorKind, e.ErrorText, e.Streamed = status, sluice.EndingRefused, kind, why, false
	e.Timeline.End = e.Timeline.Received + 90*time.Microsecond
	c.response, e.Response.Type = body, "application/json"
}

// answered passes on a provider's refusal.
func (c *call) answered(status int, body []byte, message string, end time.Duration) {
	e := &c.entry
	e.Status, e.Ending, e.ErrorKind, e.ErrorText, e.Streamed = status, sluice.EndingComplete, "upstream_status", message, false
	last := &e.Attempts[len(e.Attempts)-1]
	e.Timeline.Connected, e.Timeline.Sent, e.Timeline.FirstByte, e.Timeline.End = last.Start, last.Start, last.Start+last.First, end
	c.response, e.Response.Type = body, "application/json"
}

// finish fills in what follows from the rest.
func (c *call) finish() {
	e := &c.entry
	e.Response.Size = int64(len(c.response))
	id := e.ID.String()
	e.RespHeader = append(sluice.Header{{Name: "Content-Type", Value: e.Response.Type}, {Name: "cf-aig-log-id", Value: id}, {Name: "cf-aig-step", Value: strconv.Itoa(e.Step)}}, e.RespHeader...)
}
