package app

import (
	"io"
	"net/http"
	"strings"
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
	if !rt.data {
		return false
	}
	path, ok := strings.CutPrefix(target, strings.TrimSuffix(rt.app.loaded.Load().Config.BasePath, "/"))
	return ok && strings.HasPrefix(path, "/v1/") || rt.app.proxy.IsCustomHost(host)
}

// ServeHTTP implements http.Handler.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := rt.app
	if rt.data && a.proxy.IsCustomHost(r.Host) {
		a.data.ServeHTTP(w, r)
		return
	}
	base := strings.TrimSuffix(a.loaded.Load().Config.BasePath, "/")
	path, ok := strings.CutPrefix(r.URL.Path, base)
	switch {
	case !ok:
		http.NotFound(w, r)
	case rt.control && (path == "/client/v4" || strings.HasPrefix(path, "/client/v4/")):
		http.StripPrefix(base, a.admin).ServeHTTP(w, r)
	case rt.control && path == "/healthz":
		plain(w, http.StatusOK, "ok\n")
	case rt.control && path == "/readyz":
		a.serveReady(w)
	case path == "/" || path == "":
		plain(w, http.StatusOK, rt.welcome())
	case rt.data:
		a.data.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveReady tells whether new requests should come here.
func (a *App) serveReady(w http.ResponseWriter) {
	if !a.ready.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func (rt *router) welcome() string {
	text := "Sluice " + rt.app.options.Version + ", an AI gateway.\n"
	if rt.data {
		text += "Point an SDK's base URL at /v1/{account}/{gateway}/{provider}, for example /v1/default/default/openai.\n"
	}
	if rt.control {
		text += "Management API: /client/v4 (its OpenAPI document: /client/v4/openapi.json). Health: /healthz, /readyz.\n"
	}
	return text
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client is gone: nobody to tell
}
