package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/audit"
)

// audited returns the audit log, newest first.
func (b *bench) audited() []audit.Entry {
	b.t.Helper()
	list, _, err := b.deps.Audit.List(b.t.Context(), audit.Filter{Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func TestAGatewaysChangesAreInTheAuditLog(t *testing.T) {
	b := newBench(t)
	gateways := accountPath + "/gateways"
	const settings = `"cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0`
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPost, gateways, `{"id":"new",` + settings + `}`},
		{http.MethodPut, gateways + "/NEW", `{` + strings.Replace(settings, `"cache_ttl":0`, `"cache_ttl":60`, 1) + `}`},
		{http.MethodDelete, gateways + "/new", ""},
	} {
		if v := b.send(c.method, c.path, c.body); v.status != http.StatusOK {
			t.Fatalf("%s %s: %d %+v", c.method, c.path, v.status, v.Errors)
		}
	}
	v := b.call(accountPath + "/audit")
	var list []AuditView
	if err := json.Unmarshal(v.Result, &list); err != nil || len(list) != 3 {
		t.Fatalf("%v, %s", err, v.Result)
	}
	for i, want := range []string{"gateway deleted", "gateway updated", "gateway created"} {
		e := list[i]
		if e.Action.Info != want || !e.Action.Result || e.Resource.Type != "ai_gateway.gateway" || e.Resource.ID != "new" || e.GatewayID == "" && i < 2 ||
			e.Owner.ID != "default" || e.Actor.Type != "admin_token" || e.Interface != "API" || (string(e.OldValueJSON) == "{}") != (i == 2) || (string(e.NewValueJSON) == "{}") != (i == 0) {
			t.Errorf("%s: %+v", want, e)
		}
	}
	if c := list[1].Changes; len(c) != 1 || c[0].Path != "cache_ttl" || string(c[0].Old) != "0" || string(c[0].New) != "60" {
		t.Errorf("changes: %+v", c)
	}
	v = b.call("/client/v4/accounts/default/audit_logs?per_page=2&page=2&action.type=&direction=asc&since=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	if items := v.items(t); len(items) != 1 || items[0]["id"] != list[0].ID {
		t.Errorf("by the reference's parameters: %v", items)
	}
}

func TestOneCallLeavesOneEntry(t *testing.T) {
	b := newBench(t)
	calls := []struct{ method, path, body string }{
		{http.MethodPost, accountPath + "/tokens", `{"name":"app"}`},
		{http.MethodPost, accountPath + "/gateways/default/provider_configs", `{"provider_slug":"openai","alias":"a","default_config":true,"secret":"sk-canary"}`},
	}
	for i, c := range calls {
		if v := b.send(c.method, c.path, c.body); v.status != http.StatusOK {
			t.Fatalf("%s: %d %+v", c.path, v.status, v.Errors)
		}
		if got := len(b.audited()); got != i+1 {
			t.Errorf("%s: %d entries", c.path, got)
		}
	}
	for _, c := range calls { // refused: the names are taken
		if v := b.send(c.method, c.path, c.body); v.status == http.StatusOK {
			t.Errorf("%s again: %d", c.path, v.status)
		}
	}
	list := b.audited()
	if len(list) != len(calls) {
		t.Errorf("%d entries: what was refused changed nothing", len(list))
	}
	doc, err := json.Marshal(list)
	if err != nil || strings.Contains(string(doc), "canary") || strings.Contains(string(doc), "slc_") {
		t.Errorf("%s, %v", doc, err)
	}
}

func TestAnOpenedBodyIsInTheAuditLog(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	e := recent(&b.ids)
	run(log, e, "question", "answer")
	path := logsPath + "/" + e.ID.String()
	b.call(path)
	read(t, b.get(path+"/request"))
	read(t, b.get(path+"/response", "User-Agent", "sluice/1"))
	b.call(logsPath)
	b.fails(logsPath+"/019a7b3e-5f2c-7d10-8a4e-0123456789c0", http.StatusNotFound, codeNotFound, "not found")
	if err := b.deps.Audit.Close(t.Context()); err != nil { // what was noted is there then
		t.Fatal(err)
	}
	var got []string
	for _, a := range b.audited() {
		got = append(got, a.Action+" "+a.Object.Kind+" "+a.Interface)
		if a.Object.ID != e.ID.String() || a.Gateway != "default" {
			t.Errorf("%+v", a)
		}
	}
	if want := []string{"open log_response CLI", "open log_request API", "open log API"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestWhatIsNotAudited lists the routes that change nothing though they are not read by GET. Whoever adds one
// says so here.
func TestWhatIsNotAudited(t *testing.T) {
	asks := []string{"validate-route", "check-link", "graphql", "test-limits"}
	for _, r := range Routes() {
		if r.Method != http.MethodGet && !r.Audited && !slices.Contains(asks, r.ID) {
			t.Errorf("%s %s (%s) is not in the audit log; make it by change or edit, or list it here", r.Method, r.Pattern, r.ID)
		}
		if r.Audited && strings.Contains(r.Pattern, "/audit") {
			t.Errorf("%s: the audit log of the audit log", r.Pattern)
		}
	}
}

func TestOfTheAuditLogATokenSeesItsAccountOnly(t *testing.T) {
	b := newBench(t)
	for _, e := range []audit.Entry{{Account: "default", Action: "update"}, {Account: "other", Action: "delete"}, {Action: "sign_in", Failed: true}} {
		if err := b.deps.Audit.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var made CreatedToken
	v := b.send(http.MethodPost, accountPath+"/tokens", `{"permissions":["edit"]}`)
	if err := json.Unmarshal(v.Result, &made); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token string
		want  []string
	}{{token, []string{"create", "sign_in", "update"}}, {made.Value, []string{"create", "update"}}} {
		resp := b.get(accountPath+"/audit", "Authorization", "Bearer "+c.token)
		var v struct{ Result []AuditView }
		if err := json.Unmarshal([]byte(read(t, resp)), &v); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range v.Result {
			got = append(got, e.Action.Type)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	b.fails(accountPath+"/audit?cursor=x", http.StatusBadRequest, codeInvalid, "no cursor")
	v = b.call(accountPath + "/audit?result=false")
	if got := v.items(t); len(got) != 1 {
		t.Errorf("refused: %v", got)
	}
	v = b.call(accountPath + "/audit?per_page=1")
	next, _ := v.ResultInfo["next"].(string)
	if v = b.call(accountPath + "/audit?per_page=5&cursor=" + next); len(v.items(t)) != 2 {
		t.Errorf("behind the first: %s", v.Result)
	}
}

// TestEveryChangeLeavesOneEntry walks all routes that change something: a call that succeeds leaves one entry, and
// one that does not leaves none, but where it is said that it was refused.
func TestEveryChangeLeavesOneEntry(t *testing.T) {
	b := newBench(t)
	gatewayBody := `{"id":"new","cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0}`
	bodies := map[string]string{ // of those that want more than {}
		"create-gateway": gatewayBody, "update-gateway": gatewayBody, "create-member": `{"email":"a@acme.example"}`,
		"create-provider-config": `{"provider_slug":"openai","alias":"a","default_config":true,"secret":"sk-canary"}`,
		"create-session":         `{"email":"a@acme.example","password":"wrong password"}`,
	}
	succeeded := 0
	for _, r := range Routes() {
		if r.Method == http.MethodGet || !r.Audited {
			continue
		}
		body := bodies[r.ID]
		if body == "" && r.Method != http.MethodDelete {
			body = "{}"
		}
		before := len(b.audited())
		v := b.send(r.Method, r.path(), body)
		want := 0
		if v.status >= 200 && v.status < 300 && r.ID != "delete-session" { // nobody was signed in
			want, succeeded = 1, succeeded+1
		}
		list := b.audited()
		if len(list)-before == 1 && list[0].Failed && want == 0 {
			continue
		}
		if got := len(list) - before; got != want {
			t.Errorf("%s (%d): %d entries, want %d", r.ID, v.status, got, want)
		}
	}
	if succeeded < 6 {
		t.Errorf("only %d calls succeeded: the walk shows little", succeeded)
	}
}

func TestTheEntryOfACallIsWrittenOnce(t *testing.T) {
	b := newBench(t)
	s := &server{Deps: b.deps}
	for name, c := range map[string]struct {
		run  func(*note, func() []audit.Entry)
		want int
	}{
		"said":       {func(n *note, _ func() []audit.Entry) { n.entry.Action = "create" }, 1},
		"done twice": {func(*note, func() []audit.Entry) {}, 1},
		"refused":    {func(n *note, _ func() []audit.Entry) { s.refused(withNote(t, n), "x") }, 1},
		"unsaid":     {func(n *note, _ func() []audit.Entry) { s.unsaid(withNote(t, n)) }, 0},
	} {
		n := &note{}
		before := len(b.audited())
		c.run(n, b.audited)
		s.done(withNote(t, n))
		s.done(withNote(t, n))
		if got := len(b.audited()) - before; got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func withNote(t *testing.T, n *note) context.Context {
	return context.WithValue(t.Context(), trailKey{}, n)
}

func TestTheAddressOfACaller(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.7", "192.0.2.1"}, // nobody believes it
		{"10.1.2.3:5", "198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"[::1]:5", "2001:db8::1", "2001:db8::1"},
		{"10.1.2.3:5", "6.6.6.6, 198.51.100.7, 10.9.9.9", "198.51.100.7"}, // what is before it anybody wrote
		{"10.1.2.3:5", "198.51.100.7, junk", "10.1.2.3"},
		{"10.1.2.3:5", "", "10.1.2.3"},
		{"[::ffff:10.1.2.3]:5", "198.51.100.7", "198.51.100.7"},
		{"pipe", "198.51.100.7", "pipe"},
	} {
		r := mustRequest(t, http.MethodGet, "http://x")
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := addressOf(r, proxies); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.remote, c.forwarded, got, c.want)
		}
	}
}
