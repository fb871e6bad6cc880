package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/vault"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// keyed is an upstream that notes which key it was shown, and refuses some.
type keyed struct {
	mu     sync.Mutex
	shown  []string       // what stood where credentials stand, in order
	refuse map[string]int // status by key
	after  string         // Retry-After of refusals
}

func (k *keyed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	key := strings.Join(slices.Concat(r.Header.Values("Authorization"), r.Header.Values("x-api-key"), r.Header.Values("api-key"), r.URL.Query()["key"]), "+")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shown = append(k.shown, key)
	w.Header().Set("Content-Type", "application/json")
	if status := k.refuse[strings.TrimPrefix(key, "Bearer ")]; status != 0 {
		if k.after != "" {
			w.Header().Set("Retry-After", k.after)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":"not this key"}}`)
		return
	}
	_, _ = io.WriteString(w, wholeAnswer)
}

// take returns what was shown since the last time.
func (k *keyed) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	shown := k.shown
	k.shown = nil
	return shown
}

// bank is a gateway with stored keys in front of a keyed upstream.
type bank struct {
	*proxytest.Gateway
	*keyed
	t     *testing.T
	token string
}

func newBank(t *testing.T, change func(c *config.Config)) *bank {
	t.Helper()
	b := &bank{keyed: &keyed{refuse: map[string]int{}}, t: t}
	b.Gateway = proxytest.New(t, b.ServeHTTP, func(c *config.Config) {
		if change != nil {
			change(c)
		}
	})
	_, value, err := b.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.token = value.Reveal()
	return b
}

func (b *bank) store(secret string, change ...func(*vault.New)) vault.Credential {
	b.t.Helper()
	n := vault.New{Account: "default", Gateway: "default", Provider: "openai", Secret: sluice.NewSecret(secret)}
	for _, c := range change {
		c(&n)
	}
	c, err := b.Vault.Create(b.t.Context(), n, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func named(alias string) func(*vault.New)  { return func(n *vault.New) { n.Alias = alias } }
func of(provider string) func(*vault.New)  { return func(n *vault.New) { n.Provider = provider } }
func weighing(weight int) func(*vault.New) { return func(n *vault.New) { n.Weight = weight } }
func atHosts(h ...string) func(*vault.New) { return func(n *vault.New) { n.Hosts = h } }
func limited(max, per int64) func(*vault.New) {
	return func(n *vault.New) { n.RateLimit, n.RateLimitPeriod = max, per }
}

// fields makes a header of "Name: value" texts. "token" is the gateway token.
func (b *bank) fields(texts ...string) http.Header {
	h := http.Header{}
	for _, text := range texts {
		if text == "token" {
			text = "cf-aig-authorization: Bearer " + b.token
		}
		name, value, _ := strings.Cut(text, ": ")
		h[name] = append(h[name], value)
	}
	return h
}

// refusal reads an error of the gateway.
func refusal(t *testing.T, text string) (code int, message, description string) {
	t.Helper()
	var e struct {
		InternalCode         int
		Message, Description string
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e.InternalCode, e.Message, e.Description
}

// TestWhichCredentialIsShown is the order of the reference: the caller's own, a stored one, none.
func TestWhichCredentialIsShown(t *testing.T) {
	b := newBank(t, nil)
	const chats, messages = "openai/chat/completions", "anthropic/v1/messages"
	b.store("sk-stored")
	b.store("sk-live", named("live"))
	b.store("ant-stored", of("anthropic"))
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
		shown  string // what the provider saw
		says   string // part of the description of a refusal
		code   int
	}{
		"none: the stored one":          {path: chats, header: []string{"token"}, status: 200, shown: "Bearer sk-stored"},
		"where the provider takes it":   {path: messages, header: []string{"token"}, status: 200, shown: "ant-stored"},
		"by alias":                      {path: chats, header: []string{"token", "cf-aig-byok-alias: live"}, status: 200, shown: "Bearer sk-live"},
		"the token in the key's place":  {path: chats, header: []string{"Authorization: Bearer " + b.token}, status: 200, shown: "Bearer sk-stored"},
		"the token in another place":    {path: messages, header: []string{"x-api-key: " + b.token}, status: 200, shown: "ant-stored"},
		"a placeholder":                 {path: chats, header: []string{"token", "Authorization: Bearer CF_TEMP_TOKEN"}, status: 200, shown: "Bearer sk-stored"},
		"an empty one":                  {path: chats, header: []string{"token", "Authorization: Bearer "}, status: 200, shown: "Bearer sk-stored"},
		"the caller's own":              {path: chats, header: []string{"token", "Authorization: Bearer sk-mine"}, status: 200, shown: "Bearer sk-mine"},
		"the caller's, and an alias":    {path: chats, header: []string{"token", "Authorization: Bearer sk-mine", "cf-aig-byok-alias: live"}, status: 200, shown: "Bearer sk-mine"},
		"the caller's, without a token": {path: chats, header: []string{"Authorization: Bearer sk-mine"}, status: 200, shown: "Bearer sk-mine"},
		"the caller's, a foreign one":   {path: messages, header: []string{"token", "x-api-key: foreign"}, status: 200, shown: "foreign"},
		"an unknown alias":              {path: chats, header: []string{"token", "cf-aig-byok-alias: x"}, status: 400, code: 2040, says: "Provider 'openai' has no BYOK credential named 'x'. Configured aliases: 'default', 'live'"},
		"an alias of another provider":  {path: messages, header: []string{"token", "cf-aig-byok-alias: live"}, status: 400, code: 2040, says: "Provider 'anthropic' has no BYOK credential named 'live'. Configured aliases: 'default'"},
		"a hostile alias":               {path: chats, header: []string{"token", `cf-aig-byok-alias: <"x>`}, status: 400, code: 2040, says: "named '<?x>'"},
		"nobody's call":                 {path: chats, status: 401, code: 2009, says: "gateway token"},
		"nobody's call by alias":        {path: chats, header: []string{"cf-aig-byok-alias: nosuch"}, status: 401, code: 2009, says: "gateway token"},
		"a wrong token":                 {path: chats, header: []string{"cf-aig-authorization: Bearer wrong"}, status: 401, code: 2009, says: "gateway token"},
	} {
		t.Run(name, func(t *testing.T) {
			b.take()
			resp, text := post(b.Gateway, c.path, chat("", false), b.fields(c.header...))
			shown := b.take()
			if resp.StatusCode != c.status || c.status == 200 && !slices.Equal(shown, []string{c.shown}) || c.status != 200 && len(shown) != 0 {
				t.Fatalf("%d %s; the provider saw %q", resp.StatusCode, text, shown)
			}
			if c.status == 200 {
				return
			}
			code, _, description := refusal(t, text)
			if code != c.code || !strings.Contains(description, c.says) {
				t.Errorf("%d %s", code, description)
			}
		})
	}
}

// TestWithoutStoredKeys: nothing changes for those who store none, unless a key is asked for.
func TestWithoutStoredKeys(t *testing.T) {
	b := newBank(t, nil)
	for name, c := range map[string]struct {
		settings string
		header   []string
		status   int
	}{
		"no key":                       {`{"byok_only":false}`, nil, 200},
		"an alias":                     {`{"byok_only":false}`, []string{"cf-aig-byok-alias: x"}, 400},
		"an alias, and an own key":     {`{"byok_only":false}`, []string{"cf-aig-byok-alias: x", "Authorization: Bearer mine"}, 200},
		"no wholesale":                 {`{"byok_only":false}`, []string{"cf-aig-no-wholesale: true"}, 400},
		"no wholesale, said otherwise": {`{"byok_only":false}`, []string{"cf-aig-no-wholesale: false"}, 200},
		"byok only":                    {`{"byok_only":true}`, nil, 400},
		"byok only, and an own key":    {`{"byok_only":true}`, []string{"Authorization: Bearer mine"}, 200},
		"byok only is not relaxed":     {`{"byok_only":true}`, []string{"cf-aig-no-wholesale: false"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			b.Set(c.settings)
			b.take()
			resp, text := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields(c.header...))
			if resp.StatusCode != c.status {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			if c.status == 400 {
				if code, _, description := refusal(t, text); code != 2040 || description == "" || len(b.take()) > 0 {
					t.Errorf("%d %s", code, description)
				}
			}
		})
	}
	if resp, _ := post(b.Gateway, "echo/chat/completions", chat("", false), b.fields()); resp.StatusCode != 200 {
		t.Errorf("echo needs a key: %d", resp.StatusCode)
	}
}

// TestAnotherGatewaysKeyIsNotUsed: what is stored for one gateway is no other's.
func TestAnotherGatewaysKeyIsNotUsed(t *testing.T) {
	b := newBank(t, nil)
	b.store("sk-other", func(n *vault.New) { n.Gateway = "other" })
	b.store("sk-account", func(n *vault.New) { n.Account = "other" })
	resp, _ := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token"))
	if shown := b.take(); resp.StatusCode != 200 || !slices.Equal(shown, []string{""}) {
		t.Errorf("%d, shown %q", resp.StatusCode, shown)
	}
}

// TestTheCallerDoesNotChooseWhereAKeyGoes: where the call names the host, only a key that was stored for it
// is sent there.
func TestTheCallerDoesNotChooseWhereAKeyGoes(t *testing.T) {
	b := newBank(t, nil) // azure-openai keeps its own address, so that the path names the host
	b.store("az-nowhere", of("azure-openai"), named("nowhere"))
	b.store("az-mine", of("azure-openai"), atHosts("mine.openai.azure.com"))
	b.store("fal-key", of("fal"))
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"a key without hosts": {"azure-openai/mine/gpt/chat/completions", []string{"token", "cf-aig-byok-alias: nowhere"}, 403},
		"another's resource":  {"azure-openai/evil/gpt/chat/completions", []string{"token"}, 403},
		"a header's address":  {"fal/fal-ai/flux", []string{"token", "x-fal-target-url: https://evil.fal.run/x"}, 403},
	} {
		resp, text := post(b.Gateway, c.path, chat("", false), b.fields(c.header...))
		if _, _, description := refusal(t, text); resp.StatusCode != c.status || !strings.Contains(description, "--host") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}

// TestARefusedKeyGivesWay: the next key is tried at once, also where calls are not repeated, and the one that
// was refused rests.
func TestARefusedKeyGivesWay(t *testing.T) {
	for status := range map[int]bool{401: true, 402: true, 403: true, 429: true} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(status, stream), func(t *testing.T) {
				b := newBank(t, nil)
				b.store("sk-bad", weighing(1000))
				b.store("sk-good", weighing(1))
				b.refuse["sk-bad"], b.after = status, "60"
				for i := range 20 {
					resp, text := post(b.Gateway, "openai/chat/completions", chat("", stream), b.fields("token"))
					if resp.StatusCode != 200 {
						t.Fatalf("%d %s", resp.StatusCode, text)
					}
					shown := b.take()
					if i > 0 && slices.Contains(shown, "Bearer sk-bad") {
						t.Errorf("call %d: %q", i, shown)
					}
					if shown[len(shown)-1] != "Bearer sk-good" {
						t.Errorf("call %d: %q", i, shown)
					}
				}
				var failed, served int
				for _, row := range b.WaitRows(20) {
					for _, a := range row.Entry.Attempts {
						if a.Status == status && a.Cause == "status" {
							failed++
						} else if a.Status == 200 && a.Cause == "" {
							served++
						}
					}
				}
				if failed > 1 || served != 20 {
					t.Errorf("%d attempts failed, %d served", failed, served)
				}
			})
		}
	}
}

// TestTheLastRefusalIsTheAnswer: where no key is left the provider's own answer is the client's, and one key
// alone is used although it rests.
func TestTheLastRefusalIsTheAnswer(t *testing.T) {
	b := newBank(t, nil)
	b.store("sk-a", weighing(1))
	b.store("sk-b", weighing(1))
	b.refuse["sk-a"], b.refuse["sk-b"] = 401, 401
	resp, text := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token"))
	shown := b.take()
	slices.Sort(shown)
	if resp.StatusCode != 401 || !strings.Contains(text, "not this key") || !slices.Equal(shown, []string{"Bearer sk-a", "Bearer sk-b"}) {
		t.Fatalf("%d %s, shown %q", resp.StatusCode, text, shown)
	}
	delete(b.refuse, "sk-a")
	delete(b.refuse, "sk-b")
	if resp, _ := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token")); resp.StatusCode != 200 {
		t.Errorf("all rest: %d", resp.StatusCode)
	}
}

// TestAKeysOwnLimit: calls beyond it take another key, and are refused where there is none.
func TestAKeysOwnLimit(t *testing.T) {
	b := newBank(t, nil)
	b.store("sk-a", weighing(1), limited(2, 3600))
	b.store("sk-b", weighing(1), limited(1, 3600))
	var shown []string
	for range 3 {
		if resp, text := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token")); resp.StatusCode != 200 || resp.Header.Get("Retry-After") != "" {
			t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, text)
		}
		shown = append(shown, b.take()...)
	}
	slices.Sort(shown)
	resp, text := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token"))
	if code, _, _ := refusal(t, text); resp.StatusCode != 429 || code != 2003 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	if len(b.take()) > 0 || !slices.Equal(shown, []string{"Bearer sk-a", "Bearer sk-a", "Bearer sk-b"}) {
		t.Errorf("shown %q", shown)
	}
}

// TestAnswersPaidByAStoredKey: all who may use the key share them, and nobody else sees them; another secret
// makes them out of date.
func TestAnswersPaidByAStoredKey(t *testing.T) {
	b := newBank(t, nil)
	b.Set(`{"cache_ttl":3600}`)
	c := b.store("sk-stored")
	ask := func(texts ...string) (status int, cached string) {
		resp, _ := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields(texts...))
		return resp.StatusCode, resp.Header.Get("cf-aig-cache-status")
	}
	_, other, err := b.Tokens.Create(t.Context(), auth.New{Name: "other", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		texts  []string
		status int
		cached string
	}{
		{[]string{"token"}, 200, "MISS"},
		{[]string{"token"}, 200, "HIT"},
		{[]string{"cf-aig-authorization: " + other.Reveal()}, 200, "HIT"},
		{nil, 401, ""},
		{[]string{"cf-aig-cache-key: mine"}, 401, ""},
		{[]string{"Authorization: Bearer sk-stored"}, 200, "MISS"},
	} {
		if status, cached := ask(step.texts...); status != step.status || status == 200 && cached != step.cached {
			t.Errorf("step %d: %d %s", i, status, cached)
		}
	}
	if _, err := b.Vault.Update(t.Context(), "default", "default", c.ID, vault.Change{Secret: sluice.NewSecret("sk-next")}, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.take()
	if status, cached := ask("token"); status != 200 || cached != "MISS" || !slices.Equal(b.take(), []string{"Bearer sk-next"}) {
		t.Errorf("after rotation: %d %s", status, cached)
	}
}

// TestStepsHaveKeysOfTheirOwn: each step of a universal request shows what it says, or what is stored for its
// provider.
func TestStepsHaveKeysOfTheirOwn(t *testing.T) {
	b := newBank(t, nil)
	b.store("sk-stored")
	b.store("sk-live", named("live"))
	b.store("ant-stored", of("anthropic"))
	b.refuse["sk-live"], b.refuse["ant-stored"] = 401, 401
	step := func(provider, headers string) string {
		return fmt.Sprintf(`{"provider":%q,"endpoint":"chat/completions","headers":{%s},"query":%s}`, provider, headers, chat("", false))
	}
	body := steps(step("openai", `"cf-aig-byok-alias":"live"`), step("anthropic", ""), step("openai", `"Authorization":""`))
	resp, text := post(b.Gateway, "", body, b.fields("token"))
	if shown := b.take(); resp.StatusCode != 200 || !slices.Equal(shown, []string{"Bearer sk-live", "ant-stored", "Bearer sk-stored"}) {
		t.Errorf("%d %s, shown %q", resp.StatusCode, text, shown)
	}
	resp, text = post(b.Gateway, "", steps(oneStep("openai", "", chat("", false)), step("openai", "")), b.fields())
	if code, _, _ := refusal(t, text); resp.StatusCode != 401 || code != 2009 || len(b.take()) > 0 {
		t.Errorf("nobody's: %d %s", resp.StatusCode, text)
	}
	resp, text = post(b.Gateway, "", steps(step("openai", ""), step("openai", `"cf-aig-byok-alias":"x"`)), b.fields("token"))
	if code, _, _ := refusal(t, text); resp.StatusCode != 400 || code != 2040 || len(b.take()) > 0 || !strings.Contains(text, "[1].headers.cf-aig-byok-alias") {
		t.Errorf("an unknown alias: %d %s", resp.StatusCode, text)
	}
}

// TestAStoredKeyIsNotLogged: the log names it, and shows four characters.
func TestAStoredKeyIsNotLogged(t *testing.T) {
	b := newBank(t, nil)
	const secret = "sk-canary-0123456789"
	c := b.store(secret)
	if resp, text := post(b.Gateway, "openai/chat/completions", chat("", false), b.fields("token")); resp.StatusCode != 200 || strings.Contains(text, secret) {
		t.Fatal(resp.StatusCode, text)
	}
	row := b.Row()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprintf("%+v", row), "canary") || strings.Contains(string(text), "canary") || !slices.Contains(row.Notes, "provider key default ****6789") {
		t.Errorf("%s", text)
	}
	if got, err := b.Vault.Get("default", "default", c.ID); err != nil || got.LastUsed.IsZero() {
		t.Errorf("last use %v, %v", got.LastUsed, err)
	}
}

// TestARepeatedKeyIsVeiled: an error answer that shows the stored key does not show it to the caller, nor the log.
func TestARepeatedKeyIsVeiled(t *testing.T) {
	const secret = "sk-canary-0123456789"
	for _, stream := range []bool{false, true} {
		b := &bank{t: t}
		b.Gateway = proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"wrong key: `+r.Header.Get("Authorization")+`"}}`)
		}, nil)
		_, value, err := b.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b.token = value.Reveal()
		b.store(secret)
		resp, text := post(b.Gateway, "openai/chat/completions", chat("", stream), b.fields("token", "cf-aig-max-attempts: 2", "cf-aig-retry-delay: 0"))
		want := `{"error":{"message":"wrong key: Bearer ` + strings.Repeat("*", len(secret)) + `"}}`
		if resp.StatusCode != 401 || text != want {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
		row := b.WaitRows(1)[0]
		if stored := string(b.Body(row, reqlog.ResponseSide)); stored != want || strings.Contains(fmt.Sprintf("%+v", row), "canary") {
			t.Errorf("logged %s, %+v", stored, row)
		}
		if resp, text := post(b.Gateway, "openai/chat/completions", chat("", stream), b.fields("Authorization: Bearer "+secret)); resp.StatusCode != 401 || !strings.Contains(text, secret) {
			t.Errorf("the caller's own: %d %s", resp.StatusCode, text)
		}
	}
}

func TestProbe(t *testing.T) {
	b := newBank(t, nil)
	good, bad := b.store("sk-good-0123456789"), b.store("sk-bad-0123456789", named("bad"))
	azure := b.store("az-key", of("azure-openai"))
	b.refuse["sk-bad-0123456789"] = 401
	probe := func(id string) (string, int, error) {
		c, err := b.Vault.Find("default", "default", id)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Proxy.Probe(t.Context(), c)
		return r.Error, r.Status, err
	}
	if said, status, err := probe(good.ID); said != "" || status != 200 || err != nil {
		t.Errorf("good: %q %d %v", said, status, err)
	}
	if said, status, err := probe(bad.ID); !strings.Contains(said, "not this key") || status != 401 || err != nil {
		t.Errorf("bad: %q %d %v", said, status, err)
	}
	if _, _, err := probe(azure.ID); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("one that cannot be tested: %v", err)
	}
	if shown := b.take(); !slices.Equal(shown, []string{"Bearer sk-good-0123456789", "Bearer sk-bad-0123456789"}) {
		t.Errorf("shown %q", shown)
	}
}

// TestAStoredKeyOpensAWebSocket, for callers with a token, and as long as the token is good.
func TestAStoredKeyOpensAWebSocket(t *testing.T) {
	heads := make(chan string, 4)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		heads <- r.Header.Get("Authorization")
		echoing(ctx, c, r)
	}), nil)
	b := &bank{Gateway: g, t: t}
	b.store("sk-stored")
	token, value, err := g.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default/openai?model=m", nil)
	if err == nil || resp == nil || resp.StatusCode != 401 {
		t.Fatalf("without a token: %v, %v", resp, err)
	}
	c := dialSocket(t, g, "openai?model=m", &websocket.DialOptions{HTTPHeader: http.Header{"Cf-Aig-Authorization": {value.Reveal()}}})
	if got := <-heads; got != "Bearer sk-stored" {
		t.Errorf("the provider was shown %q", got)
	}
	say(t, c, websocket.MessageText, []byte("one"))
	if _, err := g.Tokens.Revoke(t.Context(), "default", token.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	say(t, c, websocket.MessageText, []byte("two"))
	if code := closed(t, c); code != wsframe.CodePolicy { // although the gateway asks for no token
		t.Errorf("the client is told %d", code)
	}
}
