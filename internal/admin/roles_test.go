package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/people"
)

const password = "correct horse battery"

// person makes somebody who can sign in; the first one is an admin of the process whatever n says.
func (b *bench) person(n people.New) people.User {
	b.t.Helper()
	d, now, by := b.deps.People, time.Now(), people.Authority{Process: true}
	if d.Empty() {
		link, _, err := d.ClaimLink(b.t.Context(), time.Hour, now)
		if err != nil {
			b.t.Fatal(err)
		}
		u, err := d.Redeem(b.t.Context(), link, people.Redeemed{Email: n.Email, Password: sluice.NewSecret(password)}, now)
		if err != nil {
			b.t.Fatal(err)
		}
		return u
	}
	u, _, err := d.Invite(b.t.Context(), by, n, now)
	if err != nil {
		b.t.Fatal(err)
	}
	link, _, err := d.MemberLink(b.t.Context(), by, n.Account, u.ID, time.Hour, now)
	if err != nil {
		b.t.Fatal(err)
	}
	if u, err = d.Redeem(b.t.Context(), link, people.Redeemed{Password: sluice.NewSecret(password)}, now); err != nil {
		b.t.Fatal(err)
	}
	return u
}

// session begins a session of u and returns its token, as a bearer token.
func (b *bench) session(u people.User) string {
	b.t.Helper()
	token, _, err := b.deps.People.Begin(b.t.Context(), u, "password", time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return people.SessionPrefix + token.Reveal()
}

// who is a caller of the walk, in the words of the documentation.
type who struct {
	unknown  bool
	process  bool     // admin of the process
	account  string   // the one that it belongs to; "": all
	role     Role     // there
	bodies   bool     // a viewer who sees bodies
	token    bool     // a gateway token
	gateways []string // that a token is for; nil: all
}

// What a caller may come to see: an answer of the handler's own, or one of these.
const (
	open      = 0
	unknown   = http.StatusUnauthorized
	denied    = http.StatusForbidden
	elsewhere = http.StatusNotFound // as for an account that does not exist
)

// want says what w gets from a route, called in account default and its gateway default.
func (w who) want(r Route) int {
	ofAccount, ofGateway := strings.Contains(r.Pattern, "{account}"), strings.Contains(r.Pattern, "{gateway}")
	switch {
	case r.Public:
		return open
	case w.unknown:
		return unknown
	case ofAccount && w.account != "" && w.account != "default":
		return elsewhere
	case r.Persons && w.token, r.Process && !w.process:
		return denied
	case w.token && w.gateways != nil && ofAccount && !r.Self && !r.Sifted && (!ofGateway || !slices.Contains(w.gateways, "default")):
		return denied
	case r.Role <= w.role, r.Bodies && w.bodies:
		return open
	case !ofAccount && !w.token:
		return open // of no account: for all who are a member of any
	}
	return denied
}

// TestEveryRouteForEveryCaller walks all routes with all kinds of callers.
func TestEveryRouteForEveryCaller(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.DataDir = sluice.NewSecret("0123456789-data-dir") })
	permit := func(p auth.Permission) func(*auth.New) { return func(n *auth.New) { n.Permissions = p } }
	only := func(gateways ...string) func(*auth.New) { return func(n *auth.New) { n.Gateways = gateways } }
	account := func(id string) func(*auth.New) { return func(n *auth.New) { n.Account = id } }
	fixed := func(value string) func() string { return func() string { return value } }
	made := func(change ...func(*auth.New)) func() string {
		_, value := b.token(change...)
		return fixed(value)
	}
	revoked, revokedValue := b.token(permit(auth.Edit))
	b.revoke(revoked)
	signed := func(u people.User) func() string { return func() string { return b.session(u) } } // signing out ends it
	root := b.person(people.New{Email: "root@acme.example"})
	member := func(name, account string, role Role, bodies bool) func() string {
		return signed(b.person(people.New{Email: name + "@acme.example", Account: account, Role: role, Bodies: bodies}))
	}
	over := b.session(root)
	if err := b.deps.People.End(t.Context(), sluice.NewSecret(over)); err != nil {
		t.Fatal(err)
	}
	of := func(role Role, gateways ...string) who {
		return who{account: "default", role: role, token: true, gateways: gateways}
	}
	nobody := who{unknown: true}
	everything := who{process: true, role: RoleAdmin}
	for name, c := range map[string]struct {
		value func() string
		who
	}{
		"the admin token":                 {fixed(token), everything},
		"who reads the data directory":    {fixed("0123456789-data-dir"), everything},
		"an admin of the process":         {signed(root), everything},
		"an admin":                        {member("admin", "default", RoleAdmin, false), who{account: "default", role: RoleAdmin}},
		"an editor":                       {member("editor", "default", RoleEditor, false), who{account: "default", role: RoleEditor}},
		"a viewer":                        {member("viewer", "default", RoleViewer, false), who{account: "default", role: RoleViewer}},
		"a viewer who sees bodies":        {member("reader", "default", RoleViewer, true), who{account: "default", role: RoleViewer, bodies: true}},
		"an admin of another account":     {member("other", "other", RoleAdmin, false), who{account: "other", role: RoleAdmin}},
		"who has signed out":              {fixed(over), nobody},
		"a session of nobody":             {fixed(people.SessionPrefix + strings.Repeat("A", 43)), nobody},
		"a value of nobody":               {fixed("nobody"), nobody},
		"nothing":                         {fixed(""), nobody},
		"run":                             {made(permit(auth.Run)), of(RoleNone)},
		"read":                            {made(), of(RoleViewer)},
		"edit":                            {made(permit(auth.Edit)), of(RoleAdmin)},
		"run, read, edit":                 {made(permit(auth.Run | auth.Read | auth.Edit)), of(RoleAdmin)},
		"read of this gateway":            {made(only("default")), of(RoleViewer, "default")},
		"edit of this gateway":            {made(permit(auth.Edit), only("default", "prod")), of(RoleAdmin, "default", "prod")},
		"edit of another gateway":         {made(permit(auth.Edit), only("prod")), of(RoleAdmin, "prod")},
		"edit, revoked":                   {fixed(revokedValue), nobody},
		"edit, expired":                   {made(permit(auth.Edit), func(n *auth.New) { n.Expires = time.Now().Add(-time.Minute) }), nobody},
		"edit, imported":                  {made(permit(auth.Edit), func(n *auth.New) { n.Value = sluice.NewSecret("cf-0123456789abcdefghij") }), of(RoleAdmin)},
		"edit of another account":         {made(permit(auth.Edit), account("other")), who{account: "other", role: RoleAdmin, token: true}},
		"read of another account":         {made(account("other")), who{account: "other", role: RoleViewer, token: true}},
		"edit of another account's thing": {made(permit(auth.Edit), account("other"), only("default")), who{account: "other", role: RoleAdmin, token: true, gateways: []string{"default"}}},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			value := c.value()
			for _, r := range Routes() {
				status, message := b.status(value, r)
				if r.ID == "delete-session" {
					value = c.value()
				}
				want := c.want(r)
				got := status
				if message == "there is no billing here" || status != unknown && status != denied && !(status == elsewhere && message == "account not found") {
					got = open
				}
				if got != want || status >= http.StatusInternalServerError {
					t.Errorf("%s %s: %d %q; want %d", r.Method, r.Pattern, status, message, want)
				}
			}
		})
	}
}

// TestTheTableOfRoles holds what each role is for, in few words: who adds a route finds its place here.
func TestTheTableOfRoles(t *testing.T) {
	for _, r := range Routes() {
		changes := r.Method != http.MethodGet
		keys := strings.Contains(r.Pattern, "/tokens") || strings.Contains(r.Pattern, "/provider_configs") || strings.Contains(r.Pattern, "/members")
		switch {
		case r.Public || r.Self:
			if strings.Contains(r.Pattern, "/ai-gateway") {
				t.Errorf("%s %s: open, though of an account", r.Method, r.Pattern)
			}
		case changes && keys && r.Role < RoleAdmin:
			t.Errorf("%s %s is for %s", r.Method, r.Pattern, r.Role)
		case changes && r.Audited && r.Role < RoleEditor && !strings.Contains(r.Pattern, "/views"): // who looks keeps views
			t.Errorf("%s %s changes something, and is for %s", r.Method, r.Pattern, r.Role)
		case r.Bodies != r.Audited && !changes:
			t.Errorf("%s %s: bodies %v, audited %v", r.Method, r.Pattern, r.Bodies, r.Audited)
		case r.Process && changes && r.Role < RoleAdmin:
			t.Errorf("%s %s is of the process, and for %s", r.Method, r.Pattern, r.Role)
		}
	}
	if got := fmt.Sprint(RoleNone, RoleViewer, RoleEditor, RoleAdmin); got != "none viewer editor admin" {
		t.Error(got)
	}
}
