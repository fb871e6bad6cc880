package app

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/admin"
)

// router finds the part of the process that a path belongs to. Paths are not cleaned: the data
// plane's go on as they came.
type router struct {
	app     *App
	data    bool // the data plane
	control bool // management API and operations
}

// isData reports whether a request is the data plane's for certain. Others are read by net/http, and
// may turn out to be.
func (rt *router) isData(target, host string) bool {
	if !rt.data || rt.app.closed() {
		return false
	}
	path, ok := strings.CutPrefix(target, strings.TrimSuffix(rt.app.loaded.Load().Config.BasePath, "/"))
	return ok && strings.HasPrefix(path, "/v1/") || rt.app.proxy.IsCustomHost(host)
}

// ServeHTTP implements http.Handler.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := rt.app
	c := &a.loaded.Load().Config
	body := boundBody(w, r, c.Timeouts.Body)
	if rt.data && a.proxy.IsCustomHost(r.Host) && !a.closed() {
		a.data.ServeHTTP(w, r)
		return
	}
	base := strings.TrimSuffix(c.BasePath, "/")
	path, ok := strings.CutPrefix(r.URL.Path, base)
	var own http.Handler
	switch {
	case !ok:
		own = http.NotFoundHandler()
	case rt.control && (path == "/client/v4" || strings.HasPrefix(path, "/client/v4/")):
		own = http.StripPrefix(base, a.admin)
	case rt.control && path == admin.ClaimPath && !a.hasPages:
		own = admin.ClaimPage()
	case rt.control && (path == "/ui" || strings.HasPrefix(path, "/ui/")):
		own = http.StripPrefix(base, a.pages)
	case rt.control && path == "/healthz":
		own = plain(http.StatusOK, "ok\n")
	case rt.control && path == "/metrics":
		own = a.metrics
	case rt.control && path == "/readyz":
		own = a.readiness()
	case rt.control && a.hasPages && (path == "/" || path == "") && strings.Contains(r.Header.Get("Accept"), "text/html"):
		own = http.RedirectHandler(base+"/ui/", http.StatusFound)
	case path == "/" || path == "":
		own = plain(http.StatusOK, rt.welcome())
	case rt.data && a.closed():
		own = shut()
	case rt.data:
		a.data.ServeHTTP(w, r)
		return
	default:
		own = http.NotFoundHandler()
	}
	r.Body = body
	own.ServeHTTP(w, r)
}

// boundBody returns the request's body with a bound: the connection is broken off when the client is
// silent within it for longer than pause. The bound holds from now on, also for what net/http reads of a
// body that nobody wants. The data plane, which has bounds of its own, takes the body as it is.
func boundBody(w http.ResponseWriter, r *http.Request, pause time.Duration) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody || pause <= 0 {
		return r.Body
	}
	b := &boundedBody{ReadCloser: r.Body, control: http.NewResponseController(w), pause: pause}
	b.bound(time.Now().Add(pause))
	return b
}

// boundedBody is a request's body with a bound on each of its reads.
type boundedBody struct {
	io.ReadCloser
	control *http.ResponseController
	pause   time.Duration
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	b.bound(time.Now().Add(b.pause))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.bound(time.Time{}) // the answer may take its time; after another error net/http is not to wait for the rest
	}
	return n, err
}

// bound sets the connection's deadline; there is none to set where a test has no connection.
func (b *boundedBody) bound(until time.Time) { _ = b.control.SetReadDeadline(until) }

// readiness tells whether new requests should come here.
func (a *App) readiness() http.Handler {
	if !a.ready.Load() {
		return plain(http.StatusServiceUnavailable, "stopping\n")
	}
	return plain(http.StatusOK, "ready\n")
}

func (rt *router) welcome() string {
	text := "Sluice " + rt.app.options.Version + ", an AI gateway.\n"
	if rt.data {
		text += "Point an SDK's base URL at /v1/{account}/{gateway}/{provider}, for example /v1/default/default/openai.\n"
	}
	if rt.control {
		text += "Management API: /client/v4 (its OpenAPI document: /client/v4/openapi.json). Health: /healthz, /readyz; for Prometheus: /metrics.\n"
	}
	return text
}

func plain(status int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // the client is gone: nobody to tell
	})
}
