package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/people"
)

// Role is what a caller may do in an account. A role includes those before it.
type Role = people.Role

// The roles. The admin token gives RoleAdmin everywhere. A gateway token gives RoleViewer with auth.Read, and
// RoleAdmin with auth.Edit, in its own account. Who signs in has a role in each account.
const (
	RoleNone   = people.None
	RoleViewer = people.Viewer // sees everything but stored bodies, unless allowed to
	RoleEditor = people.Editor // sees stored bodies, changes gateways, routes, limits and feedback, exports
	RoleAdmin  = people.Admin  // keys, tokens, members
)

// caller is who sends a request.
type caller struct {
	kind    audit.ActorType
	role    Role            // in the account of the call's path; of who signed in by name it is known behind require
	token   *auth.Token     // a gateway token, which sees its own account only
	session *people.Session // who signed in by name
	secret  sluice.Secret   // the session's token
	cookie  bool            // it came as a cookie, which browsers send by themselves
}

// known reports whether c is anybody.
func (c *caller) known() bool { return c.role > RoleNone || c.token != nil || c.session != nil }

// process reports whether c is an admin of the process, who sees what is of no account.
func (c *caller) process() bool {
	if c.session != nil {
		return c.session.User.Instance
	}
	return c.token == nil && c.role == RoleAdmin
}

// sees reports whether c has a role in an account, by its id.
func (c *caller) sees(account string) bool {
	switch {
	case c.session != nil:
		return c.session.User.Role(account) > RoleNone
	case c.token != nil:
		return c.token.Account == account
	}
	return c.role > RoleNone
}

// callerKey is where guard leaves the caller.
type callerKey struct{}

// callerOf returns who sent the call that ctx is of.
func callerOf(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{kind: audit.Anonymous}
}

// caller tells who sends r. What is sent decides, even where callers need nothing.
func (s *server) caller(r *http.Request) *caller {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given = strings.TrimSpace(given)
	if !strings.EqualFold(scheme, "Bearer") {
		given = ""
	}
	if token, ours := s.gatewayToken(given); ours {
		return token
	}
	if strings.HasPrefix(given, people.SessionPrefix) {
		return s.signedIn(given, false)
	}
	if given == "" {
		if cookie, err := r.Cookie(sessionCookie); err == nil {
			if c := s.signedIn(cookie.Value, true); c.known() {
				return c
			}
		}
	}
	if same(s.DataDir, given) {
		return &caller{kind: audit.DataDir, role: RoleAdmin}
	}
	admin := s.Token()
	if same(admin, given) {
		return &caller{kind: audit.AdminToken, role: RoleAdmin}
	}
	if admin.IsZero() && (s.People == nil || s.People.Empty()) && s.Settings().Local && local(r) {
		return &caller{kind: audit.Local, role: RoleAdmin}
	}
	return &caller{kind: audit.Anonymous}
}

// same compares in a time that says nothing: hashes have one length. No secret is the same as nothing.
func same(secret sluice.Secret, given string) bool {
	want, got := sha256.Sum256([]byte(secret.Reveal())), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && !secret.IsZero()
}

// signedIn tells whose session a token is of; nobody, where there is no such session.
func (s *server) signedIn(token string, cookie bool) *caller {
	if s.People != nil {
		secret := sluice.NewSecret(token)
		if session, ok := s.People.Session(secret); ok {
			return &caller{kind: audit.User, session: &session, secret: secret, cookie: cookie}
		}
	}
	return &caller{kind: audit.Anonymous}
}

// gatewayToken tells who sends a gateway token, good or not; ours is false for what is none.
func (s *server) gatewayToken(value string) (c *caller, ours bool) {
	now := time.Now()
	t, verdict := s.Tokens.Find(value, now)
	if verdict != auth.Valid {
		return &caller{kind: audit.Anonymous}, verdict.Ours()
	}
	s.Tokens.Used(&t, now)
	c = &caller{kind: audit.GatewayToken, token: &t}
	switch {
	case t.Permissions&auth.Edit != 0:
		c.role = RoleAdmin
	case t.Permissions&auth.Read != 0:
		c.role = RoleViewer
	}
	return c, true
}

// errDenied is the refusal of who is known and may not.
func errDenied(hint string) error {
	return &sluice.Error{Kind: sluice.KindForbidden, Msg: "Authentication error", Hint: hint}
}

// may refuses c what rt is not for, in the account and the gateway that its path names. Another account looks as
// one that is not there.
func (c *caller) may(s *Settings, rt Route, account, gateway string) error {
	if rt.Public {
		return nil
	}
	var id string
	if account != "" && (c.token != nil || c.session != nil) {
		a, err := AccountPath{account}.account(s)
		if err == nil && !c.sees(a.ID) {
			_, err = AccountPath{}.account(s) // as for any that does not exist
		}
		if err != nil {
			return err
		}
		id = a.ID
	}
	switch {
	case rt.Persons && c.token != nil:
		return errDenied("a gateway token does nothing with people: sign in, or send the admin token")
	case rt.Process && !c.process():
		return errDenied("this is of the whole process: send the admin token, or sign in as an admin of the process")
	case c.session != nil:
		return c.member(rt, id)
	case c.role < rt.Role:
		return c.tooLittle(rt)
	case c.token != nil && id != "" && !rt.Self && !(rt.Sifted && gateway == ""):
		return c.within(id, gateway)
	}
	return nil
}

// tooLittle refuses a gateway token that is good, though not for this.
func (c *caller) tooLittle(rt Route) error {
	return errDenied("the gateway token allows " + c.token.Permissions.String() + "; this needs " +
		map[bool]string{true: "read or edit", false: "edit"}[rt.Role == RoleViewer])
}

// member refuses who signed in what their role in an account is not for. account "": it is of none, and for all
// who are a member of any.
func (c *caller) member(rt Route, account string) error {
	u := &c.session.User
	c.role = u.Role(account)
	if c.role >= rt.Role || rt.Bodies && u.SeesBodies(account) || account == "" {
		return nil
	}
	return errDenied("you are " + c.role.String() + " here; this needs " + rt.Role.String())
}

// within refuses a gateway token outside of its gateways.
func (c *caller) within(account, gateway string) error {
	gateway = strings.ToLower(gateway)
	switch {
	case c.token.Gateways != nil && gateway == "":
		return errDenied("this is of the whole account, and the token is for some of its gateways")
	case !c.token.Allows(account, gateway, c.token.Permissions):
		return errDenied("the token is not for this gateway")
	}
	return nil
}

// local reports whether r comes from this machine: by loopback, naming loopback as its host, and not
// passed on by a proxy. The name guards against a web page whose name was made to resolve to this
// machine, since its requests carry that name; the last against a proxy that lets the world in.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// guard is outermost: nobody who is not known gets further than to the routes that are for everybody, no answer
// may be cached, and a panic becomes an answer. What a browser sends by itself, a cookie, changes nothing without
// a header that only a script of ours adds.
func (s *server) guard(next http.Handler) http.Handler {
	open := map[string]bool{}
	for _, rt := range Routes() {
		if rt.Public {
			open[rt.Method+" "+rt.Pattern] = true
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		c := s.caller(r)
		if !c.known() && !open[r.Method+" "+r.URL.Path] {
			s.refuse(w)
			return
		}
		if c.cookie && r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-Sluice-UI") != "1" {
			writeFailure(w, failureOf(errDenied("a session's cookie changes something only with the header X-Sluice-UI: 1")))
			return
		}
		defer s.recover(w, r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// sameOrigin refuses what a page of another origin makes a browser send: being on this machine, or a cookie that
// goes along by itself, may be all that lets a caller in.
func sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeFailure(w, failureOf(errDenied("a page of another origin changes nothing here")))
	}))
	return p.Handler(next)
}

// require refuses callers that a route is not for.
func (s *server) require(rt Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if err := callerOf(r.Context()).may(s.Settings(), rt, ctx.Param("account"), ctx.Param("gateway")); err != nil {
			writeFailure(w, failureOf(err))
			return
		}
		next(ctx)
	}
}

// refuse says what to send to who is not known.
func (s *server) refuse(w http.ResponseWriter) {
	f := Fault{Code: codeAuthentication, Message: "Authentication error"}
	people := s.People != nil && !s.People.Empty()
	switch {
	case people:
		f.Hint = "sign in (sluice auth login), or send the admin token or a gateway token with read or edit: Authorization: Bearer …"
	case s.Token().IsZero():
		f.Hint = "nobody can sign in yet, so only direct calls to a loopback address are let in: make an admin with sluice auth link, or set admin_token (SLUICE_ADMIN_TOKEN)"
	default:
		f.Hint = "send the admin token, or a gateway token with read or edit: Authorization: Bearer …"
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	writeFailure(w, newFailure(http.StatusUnauthorized, f))
}

// recover answers for a handler that panicked. The answer is lost when the handler had begun its own:
// the connection breaks then.
func (s *server) recover(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	s.Logger.ErrorContext(r.Context(), "management call panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
	if w.Header().Get("Content-Type") != "" || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	writeFailure(w, internalFailure())
}

func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	writeFailure(w, newFailure(http.StatusNotFound, Fault{
		Code: codeUnroutable, Message: "Could not route to " + clip(r.URL.Path, 200) + ", perhaps your object identifier is invalid?",
	}))
}

func (s *server) methodNotAllowed(w http.ResponseWriter, r *http.Request, routes chi.Routes) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeFailure(w, newFailure(http.StatusMethodNotAllowed, Fault{
		Code: codeUnroutable, Message: "Method " + clip(r.Method, 20) + " is not supported here",
	}))
}

func writeFailure(w http.ResponseWriter, f *Failure) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	// A write fails when the caller left; nobody is there to be told.
	_ = json.NewEncoder(w).Encode(f)
}
