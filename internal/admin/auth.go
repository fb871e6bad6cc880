package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// Role is what a caller may do. A role includes those before it.
type Role uint8

// The roles. The admin token gives RoleAdmin; nobody holds the ones between yet.
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

// caller tells the role of who sends r.
func (s *server) caller(r *http.Request) Role {
	token := s.Token()
	if token.IsZero() {
		if local(r) {
			return RoleAdmin
		}
		return RoleNone
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return RoleNone
	}
	// Hashes have one length, so that not even the token's length shows in the time taken.
	want, got := sha256.Sum256([]byte(token.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(given)))
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 {
		return RoleAdmin
	}
	return RoleNone
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
		if s.caller(r) == RoleNone {
			s.refuse(w)
			return
		}
		defer s.recover(w, r)
		next.ServeHTTP(w, r)
	})
}

// require refuses callers below role.
func (s *server) require(role Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if s.caller(r) < role {
			s.refuse(w)
			return
		}
		next(ctx)
	}
}

func (s *server) refuse(w http.ResponseWriter) {
	f := Fault{Code: codeAuthentication, Message: "Authentication error", Hint: "send the admin token: Authorization: Bearer …"}
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
