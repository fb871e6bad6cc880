package admin

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/people"
)

// auditRoutes are those of the audit log.
func auditRoutes() []route {
	return []route{
		get(RoleAdmin, scope+"/audit", "list-audit", "List what was changed, by whom, and what it was before (ours)", handle((*server).listAudit)),
		get(RoleAdmin, prefix+"/accounts/{account}/audit_logs", "list-audit-logs", "List the audit log by the reference's parameters", handle((*server).listAuditLogs)),
	}
}

// trailKey is where audited leaves the note of what a call does.
type trailKey struct{}

// note is what will be said of one call.
type note struct {
	entry   audit.Entry
	written bool
}

// audited prepares the entry of a call, and sees that it is written where the handler did not come to it.
func (s *server) audited(rt Route) func(huma.Context, func(huma.Context)) {
	if !rt.Audited {
		return func(ctx huma.Context, next func(huma.Context)) { next(ctx) }
	}
	verb, kind, _ := strings.Cut(rt.ID, "-")
	if rt.Method == http.MethodGet {
		verb = "open"
	}
	kind = strings.ReplaceAll(kind, "-", "_")
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humachi.Unwrap(ctx)
		n := &note{entry: s.entryOf(r, ctx.Param("account"), strings.ToLower(ctx.Param("gateway")))}
		n.entry.Action, n.entry.Object = verb, audit.Object{Kind: kind, ID: ctx.Param("id")}
		if n.entry.Object.ID == "" {
			n.entry.Object.ID = n.entry.Gateway
		}
		ctx = huma.WithValue(ctx, trailKey{}, n)
		next(ctx)
		if status := ctx.Status(); !n.written && status >= 200 && status < 300 {
			s.done(ctx.Context())
		}
	}
}

// entryOf begins an entry of what r does.
func (s *server) entryOf(r *http.Request, account, gateway string) audit.Entry {
	if a, ok := s.Settings().Gateways.Account(account); ok {
		account = a.ID
	}
	return audit.Entry{
		Account: account, Gateway: gateway, Actor: callerOf(r.Context()).actor(),
		Address: addressOf(r, s.Settings().Proxies), Interface: interfaceOf(r),
	}
}

// audit says what the call at hand did, with the object before and after; nil: there was none, or there is none
// now. Secrets in them are left out by name, but better not put there. Without this call an entry says no more than
// the route's id does. An action of "" is the route's own.
func (s *server) audit(ctx context.Context, action string, object audit.Object, before, after any) {
	n, ok := ctx.Value(trailKey{}).(*note)
	if !ok {
		return
	}
	if action != "" {
		n.entry.Action = action
	}
	n.entry.Object = object
	n.entry.Before, n.entry.After = audit.JSON(before, after)
}

// refused writes that a call was tried and refused, by somebody who calls themselves name.
func (s *server) refused(ctx context.Context, name string) {
	n, ok := ctx.Value(trailKey{}).(*note)
	if !ok || n.written || s.Audit == nil {
		return
	}
	n.written = true
	n.entry.Failed, n.entry.Actor.Name = true, name
	_ = s.Audit.Append(ctx, n.entry) // it has said so itself
}

// unsaid leaves the call at hand out of the audit log: it did nothing.
func (s *server) unsaid(ctx context.Context) {
	if n, ok := ctx.Value(trailKey{}).(*note); ok {
		n.written = true
	}
}

// signs says who it is that has signed in by the call at hand.
func (s *server) signs(ctx context.Context, u *people.User) {
	if n, ok := ctx.Value(trailKey{}).(*note); ok {
		n.entry.Actor = userActor(u)
	}
}

// done writes the entry of a call that did what it was to do. What was changed stays changed when the audit log
// cannot take it: the process's own messages have it then.
func (s *server) done(ctx context.Context) {
	n, ok := ctx.Value(trailKey{}).(*note)
	if !ok || n.written || s.Audit == nil {
		return
	}
	n.written = true
	if n.entry.Action == "open" {
		s.Audit.Note(ctx, n.entry)
		return
	}
	_ = s.Audit.Append(ctx, n.entry) // it has said so itself
}

// actor tells who c is, for the audit log.
func (c *caller) actor() audit.Actor {
	switch {
	case c.token != nil:
		return audit.Actor{Type: c.kind, ID: c.token.ID, Name: c.token.Name}
	case c.session != nil:
		return userActor(&c.session.User)
	}
	return audit.Actor{Type: c.kind}
}

// userActor is a person, for the audit log.
func userActor(u *people.User) audit.Actor {
	return audit.Actor{Type: audit.User, ID: u.ID, Name: u.Email}
}

// addressOf is the IP address that r came from: the peer's, or what a proxy that is believed says of its own
// peer. Of a list the last one is taken that no such proxy has: what is before it anybody may have written.
func addressOf(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	believed := func(text string) bool {
		ip, err := netip.ParseAddr(text)
		ip = ip.Unmap()
		return err == nil && (ip.IsLoopback() || slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(ip) }))
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && believed(host); i-- {
		ip, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		host = ip.Unmap().String()
	}
	return host
}

// interfaceOf tells what r was sent by: the dashboard, the command line, or another program.
func interfaceOf(r *http.Request) string {
	switch {
	case r.Header.Get("X-Sluice-UI") != "":
		return "UI"
	case strings.HasPrefix(r.Header.Get("User-Agent"), "sluice/"):
		return "CLI"
	}
	return "API"
}

// AuditView is an entry of the audit log in the reference's shape, with our additions.
type AuditView struct {
	ID     string `json:"id"`
	Action struct {
		Type   string `json:"type" doc:"create, update, delete, open, sign_in, …"`
		Info   string `json:"info" doc:"in words: gateway updated"`
		Result bool   `json:"result" doc:"false: it was refused"`
	} `json:"action"`
	Actor struct {
		ID    string `json:"id" doc:"of the person or the gateway token; empty for others"`
		Email string `json:"email" doc:"of the person; empty for others"`
		IP    string `json:"ip"`
		Type  string `json:"type" enum:"user,gateway_token,admin_token,local,data_dir,anonymous" doc:"ours, but for user"`
		Name  string `json:"name" doc:"ours: the e-mail address, or the gateway token's name"`
	} `json:"actor"`
	Interface    string          `json:"interface" enum:"UI,CLI,API"`
	Metadata     map[string]any  `json:"metadata"`
	NewValue     string          `json:"newValue"`
	NewValueJSON json.RawMessage `json:"newValueJson" doc:"the object afterwards, without secrets; {}: there is none"`
	OldValue     string          `json:"oldValue"`
	OldValueJSON json.RawMessage `json:"oldValueJson" doc:"the object before, without secrets; {}: there was none"`
	Owner        struct {
		ID string `json:"id" doc:"of the account; empty: of the whole process"`
	} `json:"owner"`
	Resource struct {
		ID   string `json:"id"`
		Type string `json:"type" doc:"ai_gateway. and the kind of object: ai_gateway.gateway"`
		Name string `json:"name" doc:"ours: what people call it"`
	} `json:"resource"`
	When      string            `json:"when" format:"date-time"`
	GatewayID string            `json:"gateway_id" doc:"ours; empty: of no single gateway"`
	Changes   []AuditDifference `json:"changes" doc:"ours: what an update changed, 200 at most"`
}

// AuditDifference is one value that was changed.
type AuditDifference struct {
	Path string          `json:"path" doc:"names and indexes, with dots between"`
	Old  json.RawMessage `json:"old" doc:"null: there was none"`
	New  json.RawMessage `json:"new" doc:"null: there is none now"`
}

const resourcePrefix = "ai_gateway."

func viewAudit(e *audit.Entry) AuditView {
	v := AuditView{
		ID: e.ID.String(), Interface: e.Interface, Metadata: map[string]any{}, When: stamp(e.ID.Time()), GatewayID: e.Gateway,
		NewValueJSON: orEmpty(e.After), OldValueJSON: orEmpty(e.Before), Changes: []AuditDifference{},
	}
	v.Action.Type, v.Action.Info, v.Action.Result = e.Action, auditInfo(e), !e.Failed
	v.Actor.ID, v.Actor.IP, v.Actor.Type, v.Actor.Name = e.Actor.ID, e.Address, string(e.Actor.Type), e.Actor.Name
	if e.Actor.Type == audit.User {
		v.Actor.Email = e.Actor.Name
	}
	v.Owner.ID = e.Account
	v.Resource.ID, v.Resource.Type, v.Resource.Name = e.Object.ID, resourcePrefix+e.Object.Kind, e.Object.Name
	for _, d := range audit.Diff(e) {
		v.Changes = append(v.Changes, AuditDifference{d.Path, orNull(d.Before), orNull(d.After)})
	}
	return v
}

func orEmpty(doc json.RawMessage) json.RawMessage {
	if doc == nil {
		return json.RawMessage("{}")
	}
	return doc
}

func orNull(doc json.RawMessage) json.RawMessage {
	if doc == nil {
		return json.RawMessage("null")
	}
	return doc
}

// auditInfo says in words what an entry is about, as the reference does: gateway created.
func auditInfo(e *audit.Entry) string {
	did := map[string]string{"put": "put", "set": "set", "sign_in": "signed in", "sign_out": "signed out", "run": "run", "cancel": "canceled"}[e.Action]
	switch {
	case did != "":
	case strings.HasSuffix(e.Action, "e"):
		did = e.Action + "d"
	default:
		did = e.Action + "ed"
	}
	info := strings.ReplaceAll(e.Object.Kind+" "+did, "_", " ")
	if e.Failed {
		info += ": refused"
	}
	return info
}

// AuditInfo says where in the audit log a page lies.
type AuditInfo struct {
	Page    int     `json:"page"`
	PerPage int     `json:"per_page"`
	Count   int     `json:"count" doc:"items on this page"`
	Next    *string `json:"next" doc:"ours: cursor of the page behind this one; null: none"`
}

type listAuditInput struct {
	AccountPath
	PerPage   int    `query:"per_page" default:"50" minimum:"1" maximum:"1000" doc:"items per page"`
	Cursor    string `query:"cursor" doc:"next of the page before"`
	Direction string `query:"direction" enum:"asc,desc" default:"desc"`
	Gateway   string `query:"gateway" doc:"id of a gateway"`
	Actor     string `query:"actor" doc:"id, e-mail address or name of who did it"`
	Address   string `query:"address" doc:"IP address that it came from"`
	Action    string `query:"action" doc:"create, update, delete, open, sign_in, …"`
	Kind      string `query:"kind" doc:"of the object: gateway, token, member, …"`
	Object    string `query:"object" doc:"id or name of the object"`
	Result    string `query:"result" enum:"true,false" doc:"false: what was refused"`
	Range     string `query:"range" doc:"24h, 7d, or two RFC 3339 times with .. between, either of which may be missing"`

	process bool
}

// Resolve notes whether the caller sees what is of the whole process.
func (in *listAuditInput) Resolve(ctx huma.Context) []error {
	in.process = seesProcess(ctx)
	return nil
}

func seesProcess(ctx huma.Context) bool {
	return callerOf(ctx.Context()).process()
}

func (s *server) listAudit(ctx context.Context, in *listAuditInput) (*output[ListEnvelope[AuditView, AuditInfo]], error) {
	f := audit.Filter{
		Gateway: strings.ToLower(in.Gateway), Actor: in.Actor, Address: in.Address, Action: in.Action, Kind: strings.TrimPrefix(in.Kind, resourcePrefix),
		Object: in.Object, Oldest: in.Direction == "asc", Limit: in.PerPage,
	}
	if in.Result != "" {
		failed := in.Result == "false"
		f.Failed = &failed
	}
	var err error
	if in.Range != "" {
		if f.From, f.To, err = parseRange(in.Range, time.Now()); err != nil {
			return nil, err
		}
	}
	if in.Cursor != "" {
		if f.After, err = sluice.ParseID(in.Cursor); err != nil {
			return nil, invalid("cursor", "no cursor of a list of the audit log", "take next of the page before")
		}
	}
	return s.auditPage(ctx, in.AccountPath, in.process, 1, f)
}

type listAuditLogsInput struct {
	AccountPath
	Page       int       `query:"page" default:"1" minimum:"1" maximum:"100000" doc:"page number, from 1"`
	PerPage    int       `query:"per_page" default:"100" minimum:"1" maximum:"1000" doc:"items per page"`
	Direction  string    `query:"direction" enum:"asc,desc" default:"desc"`
	Since      time.Time `query:"since" doc:"RFC 3339"`
	Before     time.Time `query:"before" doc:"RFC 3339"`
	ActionType string    `query:"action.type"`
	ActorIP    string    `query:"actor.ip"`
	ActorEmail string    `query:"actor.email"`

	process bool
}

// Resolve notes whether the caller sees what is of the whole process.
func (in *listAuditLogsInput) Resolve(ctx huma.Context) []error {
	in.process = seesProcess(ctx)
	return nil
}

func (s *server) listAuditLogs(ctx context.Context, in *listAuditLogsInput) (*output[ListEnvelope[AuditView, AuditInfo]], error) {
	return s.auditPage(ctx, in.AccountPath, in.process, in.Page, audit.Filter{
		Actor: in.ActorEmail, Address: in.ActorIP, Action: in.ActionType, From: in.Since, To: in.Before,
		Oldest: in.Direction == "asc", Offset: (in.Page - 1) * in.PerPage, Limit: in.PerPage,
	})
}

// auditPage answers with the entries of an account, and of the whole process for those who may see them.
func (s *server) auditPage(ctx context.Context, account AccountPath, process bool, page int, f audit.Filter) (*output[ListEnvelope[AuditView, AuditInfo]], error) {
	a, err := account.account(s.Settings())
	if err != nil {
		return nil, err
	}
	if s.Audit == nil {
		return nil, notFound("no audit log is kept")
	}
	f.Accounts = []string{a.ID}
	if process {
		f.Accounts = append(f.Accounts, "")
	}
	entries, more, err := s.Audit.List(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]AuditView, len(entries))
	for i := range entries {
		views[i] = viewAudit(&entries[i])
	}
	info := AuditInfo{Page: page, PerPage: f.Limit, Count: len(views)}
	if more {
		info.Next = &views[len(views)-1].ID
	}
	return listAnswer(views, info), nil
}
