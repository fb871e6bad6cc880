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
	"github.com/sluicehq/sluice/internal/auth"
)

// Role is what a caller may do. A role includes those before it.
type Role uint8

// The roles. The admin token gives RoleAdmin. A gateway token gives RoleViewer with auth.Read, and RoleAdmin
// with auth.Edit, in its own account.
const (
	RoleNone   Role = iota // not signed in: nothing here is open to it
	RoleViewer             // sees everything but stored bodies
	RoleEditor             // sees stored bodies too
	RoleAdmin              //
)

// String returns the role as documents show it.
func (r Role) String() string {
	return [...]string{"none", "viewer", "editor", "admin"}[min(r, RoleAdmin)]
}

// caller is who sends a request.
type caller struct {
	role  Role
	token *auth.Token // a gateway token, which sees its own account only; nil: who may see all
	local bool        // let in for being on this machine
}

// process reports whether c sees what is of the whole process.
func (c caller) process() bool { return c.token == nil && c.role == RoleAdmin }

// callerKey is where guard leaves the caller.
type callerKey struct{}

// caller tells who sends r. A gateway token that is sent decides, even where callers need none.
func (s *server) caller(r *http.Request) caller {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given = strings.TrimSpace(given)
	if !strings.EqualFold(scheme, "Bearer") {
		given = ""
	}
	if token, ours := s.gatewayToken(given); ours {
		return token
	}
	admin := s.Token()
	if admin.IsZero() {
		if local(r) {
			return caller{role: RoleAdmin, local: true}
		}
		return caller{}
	}
	// Hashes have one length, so that not even the token's length shows in the time taken.
	want, got := sha256.Sum256([]byte(admin.Reveal())), sha256.Sum256([]byte(given))
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		return caller{role: RoleAdmin}
	}
	return caller{}
}

// gatewayToken tells who sends a gateway token, good or not; ours is false for what is none.
func (s *server) gatewayToken(value string) (c caller, ours bool) {
	now := time.Now()
	t, verdict := s.Tokens.Find(value, now)
	if verdict != auth.Valid {
		return caller{}, verdict.Ours()
	}
	s.Tokens.Used(&t, now)
	switch {
	case t.Permissions&auth.Edit != 0:
		return caller{role: RoleAdmin, token: &t}, true
	case t.Permissions&auth.Read != 0:
		return caller{role: RoleViewer, token: &t}, true
	}
	return caller{token: &t}, true
}

// within refuses a gateway token outside of its account and its gateways, which account and gateway of the
// path name. Another account looks as one that is not there.
func (c caller) within(s *Settings, rt Route, account, gateway string) error {
	if c.token == nil || account == "" {
		return nil
	}
	a, err := AccountPath{account}.account(s)
	if err == nil && a.ID != c.token.Account {
		_, err = AccountPath{}.account(s) // as for any that does not exist
	}
	if err != nil {
		return err
	}
	gateway = strings.ToLower(gateway)
	switch {
	case rt.Process:
		return &sluice.Error{Kind: sluice.KindForbidden, Msg: "Authentication error", Hint: "this is of the whole process: send the admin token"}
	case c.token.Gateways != nil && gateway == "":
		return &sluice.Error{Kind: sluice.KindForbidden, Msg: "Authentication error", Hint: "this is of the whole account, and the token is for some of its gateways"}
	case !c.token.Allows(a.ID, gateway, c.token.Permissions):
		return &sluice.Error{Kind: sluice.KindForbidden, Msg: "Authentication error", Hint: "the token is not for this gateway"}
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

// guard is outermost: nobody without a role gets as far as the routes, no answer may be cached, and a
// panic becomes an answer.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		c := s.caller(r)
		if c.role == RoleNone {
			s.refuse(w, c)
			return
		}
		defer s.recover(w, r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// require refuses callers that a route is not for.
func (s *server) require(rt Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		c, _ := r.Context().Value(callerKey{}).(caller)
		if c.role < rt.Role {
			s.refuse(w, c)
			return
		}
		if err := c.within(s.Settings(), rt, ctx.Param("account"), ctx.Param("gateway")); err != nil {
			writeFailure(w, failureOf(err))
			return
		}
		next(ctx)
	}
}

// refuse says what to send. A token that is good, though not for this, gets 403.
func (s *server) refuse(w http.ResponseWriter, c caller) {
	f := Fault{Code: codeAuthentication, Message: "Authentication error", Hint: "send the admin token, or a gateway token with read or edit: Authorization: Bearer …"}
	if c.token != nil {
		f.Hint = "the gateway token allows " + c.token.Permissions.String() + "; this needs " +
			map[bool]string{true: "read or edit", false: "edit"}[c.role == RoleNone]
		writeFailure(w, newFailure(http.StatusForbidden, f))
		return
	}
	if s.Token().IsZero() {
		f.Hint = "no admin token is set, so only direct calls to a loopback address are let in: set admin_token (SLUICE_ADMIN_TOKEN)"
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
