package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// withText is body with another prompt.
func withText(body, text string) string { return strings.Replace(body, `"Hi"`, strconv.Quote(text), 1) }

// gate holds answers back until it is opened.
type gate struct {
	arrived atomic.Int64
	open    chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

// then is script behind the gate. What a stream begins with comes before it, so that its head is there.
func (g *gate) then(script upstream.Script) upstream.Script {
	return func(req *rawhttp.Message, c *upstream.Conn) bool {
		g.arrived.Add(1)
		select {
		case <-g.open:
		case <-c.Gone():
			return false
		}
		return script(req, c)
	}
}

// numbers are the counts of "sluice cache stats".
type numbers struct {
	Hits, Joined, Misses, Stored int64
	Disk                         struct{ Entries int64 }
}

// stats returns the cache's counts for a gateway.
func (l *lab) stats(t *testing.T, id string) (s numbers) {
	t.Helper()
	_, _, text, err := l.Get("/gateways/" + id + "/cache")
	var envelope struct{ Result any }
	envelope.Result = &s
	if err != nil || json.Unmarshal(text, &envelope) != nil {
		t.Fatalf("cache numbers: %s %v", text, err)
	}
	return s
}

// TestIdenticalCallsShareOne: a hundred identical calls at once make one call upstream, and all get the same.
func TestIdenticalCallsShareOne(t *testing.T) {
	l := newLab(t, "cached: {cache_ttl: 1h, rate_limiting_limit: 1, rate_limiting_interval: 30000d}, open: {cache_ttl: 1h}", "", "p0")
	for name, c := range map[string]struct{ body, want, gateway string }{
		"whole":    {chat, answered, "open"},
		"streamed": {chatSSE, wholeStream, "open"},
		"limited":  {withText(chat, "limited"), answered, "cached"}, // only one of them counts
	} {
		t.Run(name, func(t *testing.T) {
			const clients = 100
			hold := newGate()
			l.up["p0"].Use(hold.then(whole))
			before := l.stats(t, c.gateway)
			replies := make([]*reply, clients)
			var all sync.WaitGroup
			for i := range clients {
				all.Go(func() {
					replies[i] = l.try(context.Background(), call{gateway: c.gateway, path: "p0/chat/completions", body: c.body})
				})
			}
			settle(t, "a call that all others wait for", func() error {
				if now := l.stats(t, c.gateway); now.Joined-before.Joined != clients-1 {
					return fmt.Errorf("%+v", now)
				}
				return nil
			})
			close(hold.open)
			all.Wait()
			misses := 0
			for _, r := range replies {
				if r.err != nil || r.status != 200 || r.body != c.want {
					t.Fatalf("%d %q %v", r.status, r.body, r.err)
				}
				row := l.row(t, c.gateway, r)
				switch r.header.Get("cf-aig-cache-status") {
				case "MISS":
					misses++
					if row.Cached || row.CacheReason != "absent" || len(row.Attempts) != 1 || row.UsageBasis != "provider" {
						t.Errorf("the first: %s", row)
					}
				case "HIT":
					if !row.Cached || row.CacheReason != "shared" || len(row.Attempts) != 0 || row.UsageBasis != "cached" || row.Cost == nil || *row.Cost != 0 {
						t.Errorf("one that shares: %s", row)
					}
				}
			}
			if n := len(l.up["p0"].Take()); n != 1 || misses != 1 {
				t.Errorf("%d calls upstream, %d misses", n, misses)
			}
			if r := l.do(t, call{gateway: c.gateway, path: "p0/chat/completions", body: c.body}); r.header.Get("cf-aig-cache-status") != "HIT" || r.header.Get("Age") == "" || r.body != c.want {
				t.Errorf("afterwards: %d %s", r.status, r.header.Get("cf-aig-cache-status"))
			}
		})
	}
}

// TestTheFirstClientLeaves: those who share its call get the whole answer all the same, and it is stored.
func TestTheFirstClientLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		body, want string
		begun      bool // it leaves once the answer has begun
	}{
		"before a whole answer": {chat, answered, false},
		"before a stream":       {chatSSE, wholeStream, false},
		"within a stream":       {chatSSE, wholeStream, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "default: {cache_ttl: 1h}", "", "p0", "canary")
			hold := newGate()
			script := hold.then(whole)
			if c.begun {
				script = func(_ *rawhttp.Message, conn *upstream.Conn) bool {
					hold.arrived.Add(1)
					upstream.Head(conn)
					conn.Chunk(eventHi)
					select {
					case <-hold.open:
					case <-conn.Gone():
						return false
					}
					conn.Chunk(eventStop + eventUsage + eventDone)
					conn.Send("0\r\n\r\n")
					return true
				}
			}
			l.up["p0"].Use(script)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			asked := call{path: "p0/chat/completions", body: c.body}
			left := make(chan struct{})
			go func() {
				defer close(left)
				if resp, err := l.open(ctx, asked); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}()
			settle(t, "the first call upstream", func() error { return unless(hold.arrived.Load() == 1) })
			const others = 10
			replies := make([]*reply, others)
			var all sync.WaitGroup
			for i := range others {
				all.Go(func() { replies[i] = l.try(context.Background(), asked) })
			}
			settle(t, "others that share it", func() error { return unless(l.stats(t, "default").Joined == others) })
			leave()
			<-left
			l.seeDepartures(t)
			close(hold.open)
			all.Wait()
			for _, r := range replies {
				if r.err != nil || r.status != 200 || r.body != c.want || r.header.Get("cf-aig-cache-status") != "HIT" {
					t.Errorf("%d %q %v", r.status, r.body, r.err)
				}
			}
			if n := len(l.up["p0"].Take()); n != 1 {
				t.Errorf("%d calls upstream", n)
			}
			gone := l.find(t, "default", "a row of the client that left", func(r *gateway.Row) bool { return r.Provider == "p0" && r.Ending == "client_gone" })
			if gone.Cached || gone.TokensOut == nil || *gone.TokensOut != 3 {
				t.Errorf("who left is to pay for the call: %s", gone)
			}
		})
	}
}

// TestStreamedAndWholeNeverMix: a stored stream answers no request for a whole answer, nor the reverse, not
// even under a key of the caller's own.
func TestStreamedAndWholeNeverMix(t *testing.T) {
	l := newLab(t, "default: {cache_ttl: 1h}", "", "p0")
	for _, header := range [][]string{nil, {"cf-aig-cache-key", "mine"}} {
		for range 2 {
			for body, want := range map[string]string{chat: answered, chatSSE: wholeStream} {
				if r := l.do(t, call{path: "p0/chat/completions", body: body, header: header}); r.status != 200 || r.body != want {
					t.Errorf("%v: %q gets %q", header, body, r.body)
				}
			}
		}
	}
	if n := len(l.up["p0"].Take()); n != 4 {
		t.Errorf("%d calls upstream, want 4", n)
	}
}

// TestWhatIsNeverStored: errors, broken answers, streams with an error, parts and empty answers.
func TestWhatIsNeverStored(t *testing.T) {
	l := newLab(t, "default: {cache_ttl: 1h}", "cache: {entry_bytes: 64KB}\n", "p0")
	large := `{"choices":[{"message":{"content":"` + strings.Repeat("x", 70<<10) + `"},"finish_reason":"stop"}]}`
	late := func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(eventHi)
		return false
	}
	for name, c := range map[string]struct {
		body   string
		script upstream.Script
	}{
		"500":                           {chat, status(500)},
		"429":                           {chat, status(429)},
		"404":                           {chat, status(404)},
		"a redirect":                    {chat, upstream.Answer(302, []string{"Location: /elsewhere"}, "")},
		"202":                           {chat, upstream.JSON(202, answered)},
		"a part":                        {chat, upstream.Answer(206, []string{"Content-Range: bytes 0-1/9"}, "{}")},
		"no answer":                     {chat, refuse},
		"cut":                           {chat, cutShort},
		"a stream that is cut":          {chatSSE, late},
		"a stream with an error":        {chatSSE, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventError)},
		"an error, then the end":        {chatSSE, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventError, eventDone)},
		"a stream without its end":      {chatSSE, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi)},
		"an error object with a 200":    {chat, upstream.JSON(200, `{"error":{"message":"overloaded","type":"server_error"}}`)},
		"larger than what is stored":    {chat, upstream.JSON(200, large)},
		"an encoding that is not known": {chat, upstream.Answer(200, []string{"Content-Type: application/json", "Content-Encoding: x-odd"}, answered)},
		"a stream that ends with its conn.": {chatSSE, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			c.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + eventHi)
			return false
		}},
	} {
		asked := call{path: "p0/chat/completions", body: withText(c.body, name)}
		for range 2 {
			l.up["p0"].Use(c.script)
			r := l.try(t.Context(), asked)
			if r.header.Get("cf-aig-cache-status") == "HIT" || len(l.up["p0"].Take()) == 0 {
				t.Errorf("%s: %d %.80q %v", name, r.status, r.body, r.err)
			}
		}
		l.up["p0"].Use(whole)
		if r := l.do(t, asked); r.header.Get("cf-aig-cache-status") != "MISS" || r.status != 200 {
			t.Errorf("%s, then well: %d %s", name, r.status, r.header.Get("cf-aig-cache-status"))
		}
		if r := l.do(t, asked); r.header.Get("cf-aig-cache-status") != "HIT" {
			t.Errorf("%s, well again: %s", name, r.header.Get("cf-aig-cache-status"))
		}
	}
}

// TestAFailureIsSharedWithNobody: when the call fails that others wait for, each makes its own.
func TestAFailureIsSharedWithNobody(t *testing.T) {
	l := newLab(t, "default: {cache_ttl: 1h}", "", "p0")
	hold := newGate()
	l.up["p0"].Use(failing(1, hold.then(status(500))))
	const clients = 5
	replies := make([]*reply, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			replies[i] = l.try(context.Background(), call{path: "p0/chat/completions", body: chat})
		})
	}
	settle(t, "a call that the others wait for", func() error { return unless(l.stats(t, "default").Joined == clients-1) })
	close(hold.open)
	all.Wait()
	failed := 0
	for _, r := range replies {
		row := l.row(t, "", r)
		switch {
		case r.status == 500:
			failed++
		case r.status != 200 || r.body != answered || r.header.Get("cf-aig-cache-status") != "MISS" || row.CacheReason != "shared call failed":
			t.Errorf("%d %s: %s", r.status, r.header.Get("cf-aig-cache-status"), row)
		}
	}
	if n := len(l.up["p0"].Take()); n != clients || failed != 1 {
		t.Errorf("%d calls upstream, %d failures", n, failed)
	}
}

// TestWhyItMissed: the entry says why the cache did not answer, and what a hit costs.
func TestWhyItMissed(t *testing.T) {
	l := newLab(t, "default: {cache_ttl: 1h}, off: {}", "", "openai")
	expect := func(what string, c call, cache, status, reason string) *gateway.Row {
		t.Helper()
		if c.path == "" {
			c.path = "openai/chat/completions"
		}
		r := l.do(t, c)
		row := l.row(t, c.gateway, r)
		if row.CacheStatus != cache || row.CacheReason != reason || r.header.Get("cf-aig-cache-status") != status {
			t.Errorf("%s: %s %q, told %q; want %s %q", what, row.CacheStatus, row.CacheReason, r.header.Get("cf-aig-cache-status"), cache, reason)
		}
		return row
	}
	paid := expect("nothing there", call{body: chat}, "miss", "MISS", "absent")
	hit := expect("stored", call{body: chat}, "hit", "HIT", "")
	if paid.Cost == nil || *paid.Cost <= 0 || hit.Cost == nil || *hit.Cost != 0 || hit.UsageBasis != "cached" || hit.TokensIn == nil || *hit.TokensIn != 9 || *hit.TokensOut != 3 || len(hit.Attempts) != 0 {
		t.Errorf("paid %s, hit %s", paid, hit)
	}
	expect("not wanted", call{body: chat, header: []string{"cf-aig-skip-cache", "true"}}, "miss", "MISS", "skipped")
	expect("off in the gateway", call{gateway: "off", body: chat}, "off", "", "")
	expect("off in the request", call{body: chat, header: []string{"cf-aig-cache-ttl", "0"}}, "off", "", "")
	expect("what is not cached", call{path: "openai/batches", body: chat}, "off", "", "")
	gzip := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" // a beginning, and nothing that can be decoded
	l.up["openai"].Use(upstream.Answer(200, []string{"Content-Type: application/json", "Content-Encoding: gzip"}, gzip))
	packed := call{body: withText(chat, "packed"), header: []string{"Accept-Encoding", "gzip"}}
	expect("an answer that cannot be read", packed, "miss", "MISS", "absent")
	l.up["openai"].Use(whole)
	if r := l.do(t, call{gateway: "off", path: "openai/chat/completions", body: chat, header: []string{"cf-aig-cache-key", "own"}}); r.header.Get("cf-aig-cache-status") != "MISS" {
		t.Errorf("a key of its own: %v", r.header)
	}
}

// TestATimeThatHasPassed: an answer that is older than it may be is fetched anew, and the entry says so.
func TestATimeThatHasPassed(t *testing.T) {
	l := newLab(t, "brief: {cache_ttl: 1s}", "", "p0")
	settle(t, "a call that finds an answer whose time has passed", func() error {
		r := l.do(t, call{gateway: "brief", path: "p0/chat/completions", body: chat})
		row := l.row(t, "brief", r)
		if age, _ := strconv.Atoi(r.header.Get("Age")); age > 1 {
			t.Errorf("an answer %d s old, kept for one", age)
		}
		return unless(row.CacheReason == "expired" && r.header.Get("cf-aig-cache-status") == "MISS")
	})
}

// TestACustomKey stands for the whole request, in its gateway.
func TestACustomKey(t *testing.T) {
	l := newLab(t, "default: {}, other: {cache_ttl: 1h}", "", "p0", "p1")
	key := []string{"cf-aig-cache-key", "report"}
	l.do(t, call{path: "p0/chat/completions", body: chat, header: key})
	for name, c := range map[string]struct {
		call
		want string
	}{
		"another body":           {call{path: "p0/chat/completions", body: withText(chat, "else"), header: key}, "HIT"},
		"another endpoint":       {call{path: "p0/embeddings", body: `{"input":"x"}`, header: key}, "HIT"},
		"another credential":     {call{path: "p0/chat/completions", body: chat, header: append([]string{"Authorization", "Bearer sk-2"}, key...)}, "HIT"},
		"another provider":       {call{path: "p1/chat/completions", body: chat, header: key}, "HIT"},
		"another key":            {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-cache-key", "report "}}, "HIT"},
		"a key in another case":  {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-cache-key", "Report"}}, "MISS"},
		"another gateway":        {call{gateway: "other", path: "p0/chat/completions", body: chat, header: key}, "MISS"},
		"no key of its own":      {call{gateway: "other", path: "p0/chat/completions", body: chat}, "MISS"},
		"an answer as a stream":  {call{path: "p0/chat/completions", body: chatSSE, header: key}, "MISS"},
		"what cannot be stored":  {call{path: "p0/batches", body: chat, header: key}, ""},
		"a time of no time":      {call{path: "p0/chat/completions", body: chat, header: append([]string{"cf-aig-cache-ttl", "0"}, key...)}, ""},
		"a fresh answer, please": {call{path: "p0/chat/completions", body: chat, header: append([]string{"cf-aig-skip-cache", "true"}, key...)}, "MISS"},
	} {
		if r := l.do(t, c.call); r.status != 200 || r.header.Get("cf-aig-cache-status") != c.want {
			t.Errorf("%s: %d %q, want %q", name, r.status, r.header.Get("cf-aig-cache-status"), c.want)
		}
	}
}

// TestTheCacheAcrossRestarts: entries are there after SIGTERM; a purge holds across a kill; a change of the
// gateway forgets its entries where that is asked for.
func TestTheCacheAcrossRestarts(t *testing.T) {
	l := newLab(t, "default: {cache_ttl: 1h}", "", "p0", "p1")
	ask := func(gateway, slug, text, want string, header ...string) {
		t.Helper()
		for body, whole := range map[string]string{chat: answered, chatSSE: wholeStream} {
			r := l.do(t, call{gateway: gateway, path: slug + "/chat/completions", body: withText(body, text), header: header})
			if r.status != 200 || r.body != whole || r.header.Get("cf-aig-cache-status") != want {
				t.Errorf("%s of %s: %d %s, want %s", text, slug, r.status, r.header.Get("cf-aig-cache-status"), want)
			}
		}
	}
	run := func(want string, args ...string) {
		t.Helper()
		if out, code := gateway.Run(t, append(args, "--url", "http://"+l.Addr)...); code != 0 || !strings.Contains(out, want) {
			t.Errorf("sluice %s: %d %s", strings.Join(args, " "), code, out)
		}
	}
	ask("", "p0", "one", "MISS")
	ask("", "p1", "one", "MISS")
	ask("", "p0", "one", "HIT")
	if code := l.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	l.again(t)
	ask("", "p0", "one", "HIT")
	ask("", "p1", "one", "HIT")
	ask("", "p0", "keyed", "MISS", "cf-aig-cache-key", "k")
	run("", "cache", "stats")
	run("", "cache", "stats", "default")
	if s := l.stats(t, "default"); s.Disk.Entries != 6 || s.Hits != 4 {
		t.Errorf("stats %+v", s)
	}
	run("", "cache", "purge", "default", "--key", "k")
	ask("", "p0", "keyed", "MISS", "cf-aig-cache-key", "k")
	ask("", "p0", "one", "HIT")
	run("", "cache", "purge", "default", "--provider", "p0")
	ask("", "p1", "one", "HIT")
	l.Kill() // what was answered holds
	l.again(t)
	ask("", "p0", "one", "MISS")
	run("", "cache", "purge", "default")
	ask("", "p1", "one", "MISS")

	for name, forget := range map[string]bool{"kept": false, "forgets": true} {
		body := fmt.Sprintf(`{"id":%q,"cache_ttl":3600,"cache_invalidate_on_update":%v,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0}`, name, forget)
		if status, text := manage(t, l.Gateway, http.MethodPost, "/gateways", body); status != 200 {
			t.Fatalf("create: %d %s", status, text)
		}
		ask(name, "p0", "changed", "MISS")
		ask(name, "p0", "changed", "HIT")
		run("", "gateway", "set", name, "metadata_entries=6")
		want := "HIT"
		if forget {
			want = "MISS"
		}
		ask(name, "p0", "changed", want)
		ask(name, "p0", "changed", "HIT")
	}
}
