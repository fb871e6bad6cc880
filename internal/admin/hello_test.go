package admin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/hello"
)

func helloBench(t *testing.T) (*bench, *hello.Ring) {
	t.Helper()
	ring := &hello.Ring{}
	return newBench(t, func(d *Deps) { d.Hello = ring }), ring
}

// greeting reads the answer of hello.
func greeting(t *testing.T, v reply) HelloView {
	t.Helper()
	var h HelloView
	if err := json.Unmarshal(v.Result, &h); err != nil || v.status != http.StatusOK {
		t.Fatalf("%d %v %s", v.status, err, v.Result)
	}
	return h
}

func TestHelloExplainsWhatWasWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		call          hello.Call
		hint, snippet string
	}{
		"an SDK's path without ours": {
			hello.Call{Cause: hello.NoPath, Status: 404, Target: "/v1"},
			"{account}/{gateway}/{provider}",
			"http://gateway.test:8088/ai/v1/default/default/openai/chat/completions -H \"authorization: Bearer $OPENAI_API_KEY\"",
		},
		"an SDK's path whose parts look like an account's": {
			hello.Call{Cause: hello.NoGateway, Status: 400, Target: "/v1/chat/completions", Gateway: "completions"},
			"part of the base URL", "/v1/default/default/openai/chat/completions",
		},
		"a gateway that there is not": {
			hello.Call{Cause: hello.NoGateway, Status: 400, Target: "/v1/default/prd/openai/responses", Account: "default", Gateway: "prd"},
			"no gateway prd: 'sluice gateway create prd'", "/v1/default/default/openai/responses",
		},
		"no provider": {
			hello.Call{Cause: hello.NoProvider, Status: 400, Target: "/v1/default/prod/chat/completions", Account: "default", Gateway: "prod"},
			"behind the gateway", "/v1/default/prod/openai/chat/completions",
		},
		"no token": {
			hello.Call{Cause: hello.Unauthorized, Status: 401, Target: "/v1/default/default/openai/embeddings", Account: "default", Gateway: "default"},
			"gateway token", "-H \"cf-aig-authorization: Bearer $SLUICE_GATEWAY_TOKEN\"",
		},
		"a path that would be a command": {
			hello.Call{Cause: hello.KeyRejected, Status: 401, Target: "/v1/default/default/openai/$(reboot)", Account: "default", Gateway: "default", Message: "bad key"},
			"sluice provider add openai", "/openai/chat/completions",
		},
		"no HTTP": {hello.Call{Cause: hello.Malformed, Status: 400, Message: "this is not an HTTP/1.1 request"}, "HTTP/1.1", "curl "},
	} {
		t.Run(name, func(t *testing.T) {
			b, ring := helloBench(t)
			tt.call.Time = time.Now()
			ring.Add(&tt.call)
			all := greeting(t, b.call(accountPath+"/hello")).Misses
			if len(all) != 1 {
				t.Fatalf("%d misses", len(all))
			}
			hint, snippet := all[0].Hint, *all[0].Snippet
			if !strings.Contains(hint, tt.hint) || !strings.Contains(snippet, tt.snippet) || strings.Contains(snippet, "reboot") {
				t.Errorf("hint %s\nsnippet %s", hint, snippet)
			}
		})
	}
}

func TestHelloTellsOfFirstSuccesses(t *testing.T) {
	b, ring := helloBench(t)
	ring.Succeeded(hello.Success{Time: base, LogID: "1", Account: "default", Gateway: "default", Provider: "openai", Model: "m"})
	ring.Succeeded(hello.Success{Time: base, LogID: "2", Account: "other", Gateway: "default"})
	v := greeting(t, b.call(accountPath+"/hello"))
	if len(v.Successes) != 1 || v.Successes[0].LogID != "1" || v.Endpoint != "http://gateway.test:8088/ai" {
		t.Errorf("%+v", v)
	}
}

func TestAGatewayTokenSeesItsOwnAccountsMisses(t *testing.T) {
	b, ring := helloBench(t)
	ring.Add(&hello.Call{Time: base, Cause: hello.NoPath, Target: "/of-nobody"})
	ring.Add(&hello.Call{Time: base, Cause: hello.NoProvider, Target: "/mine", Account: "default"})
	ring.Add(&hello.Call{Time: base, Cause: hello.NoProvider, Target: "/other", Account: "other"})
	_, value := b.token(func(n *auth.New) { n.Permissions = auth.Read })
	paths := func(v reply) (s string) {
		for _, m := range greeting(t, v).Misses {
			s += m.Path
		}
		return s
	}
	if got := paths(b.as(value, http.MethodGet, accountPath+"/hello", "")); got != "/mine" {
		t.Errorf("a token sees %s", got)
	}
	if got := paths(b.call(accountPath + "/hello")); got != "/mine/of-nobody" {
		t.Errorf("the admin sees %s", got)
	}
}

func TestFirstRunHintsAreEventsThatResume(t *testing.T) {
	b, ring := helloBench(t)
	ring.Add(&hello.Call{Time: time.Now(), Cause: hello.NoPath, Target: "/old"})
	s := b.follow("kinds=hello")
	s.want("tick", "")
	ring.Add(&hello.Call{Time: time.Now(), Cause: hello.NoPath, Target: "/new"})
	ring.Add(&hello.Call{Time: time.Now(), Cause: hello.NoProvider, Target: "/other", Account: "other"})
	e := entryAt(&b.ids, 0)
	b.log.add(1, e) // of a kind that was not asked for
	g := s.want("hello", "")
	if g.data["path"] != "/new" || g.data["snippet"] == nil {
		t.Errorf("%+v", g)
	}
	s.cancel()
	ring.Add(&hello.Call{Time: time.Now(), Cause: hello.NoPath, Target: "/missed"})
	s = b.follow("kinds=hello&sub="+url.QueryEscape("a:provider:nobody"), "Last-Event-ID", g.id)
	s.want("tick", "")
	if g := s.want("hello", ""); g.data["path"] != "/missed" {
		t.Errorf("%+v", g)
	}
}
