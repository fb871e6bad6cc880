// Package ui serves the dashboard: the built pages of web/, under any path, with the headers that keep them
// safe. It knows nothing of what the pages show: they ask the management API, like every other client.
package ui

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Handler serves the pages for paths that begin with /ui; basePath tells what the process's own paths are
// prefixed with: "" or "/ai". pages is nil where they were not built.
//
// Whatever is no file is the application's: the router in the browser knows what it is.
func Handler(pages fs.FS, basePath func() string) http.Handler {
	h := &handler{pages: pages, basePath: basePath}
	if pages == nil {
		return http.HandlerFunc(h.notBuilt)
	}
	index, err := fs.ReadFile(pages, "index.html")
	if err != nil {
		h.pages = nil
		return http.HandlerFunc(h.notBuilt)
	}
	h.index = index
	return h
}

type handler struct {
	pages    fs.FS
	basePath func() string
	index    []byte
}

//go:embed notbuilt.html
var notBuiltPage []byte

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the dashboard's pages are read with GET", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/ui" {
		http.Redirect(w, r, h.prefix(r)+"/ui/", http.StatusFound)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/ui/")
	if h.file(w, r, name) {
		return
	}
	if strings.HasPrefix(name, "assets/") { // a file of another build: index.html would be read as a script
		http.Error(w, "this build has no such file; reload the page", http.StatusNotFound)
		return
	}
	h.application(w, r)
}

// application answers with index.html, to which it gives the path that the pages lie under and a nonce.
func (h *handler) application(w http.ResponseWriter, r *http.Request) {
	nonce := newNonce()
	base := []byte(`<base href="` + html.EscapeString(h.prefix(r)) + `/ui/"`)
	page := bytes.Replace(h.index, []byte(`<base href="/ui/"`), base, 1)
	page = bytes.ReplaceAll(page, []byte("__NONCE__"), []byte(nonce))
	header := w.Header()
	safe(header, nonce)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page) // fails when the caller left
}

// file answers with a built file, as the twin that the caller accepts; it reports whether there is one.
func (h *handler) file(w http.ResponseWriter, r *http.Request, name string) bool {
	if !fs.ValidPath(name) || name == "." || name == "index.html" || strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") {
		return false
	}
	if info, err := fs.Stat(h.pages, name); err != nil || info.IsDir() {
		return false
	}
	header := w.Header()
	served := name
	for _, twin := range []struct{ coding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if accepts(r.Header.Get("Accept-Encoding"), twin.coding) {
			if _, err := fs.Stat(h.pages, name+twin.suffix); err == nil {
				served = name + twin.suffix
				header.Set("Content-Encoding", twin.coding)
				break
			}
		}
	}
	content, err := fs.ReadFile(h.pages, served)
	if err != nil {
		return false
	}
	safe(header, "")
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", contentType(name))
	header.Set("Content-Length", strconv.Itoa(len(content)))
	header.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") { // their names change with what is in them
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content) // fails when the caller left
	return true
}

// contentType names what is built; a machine's own table of types is not asked, so that all machines answer alike.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// accepts reports whether an Accept-Encoding header lists a coding and does not refuse it (RFC 9110 12.5.3).
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.TrimSpace(weight)
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

// forwardedPrefix is what of X-Forwarded-Prefix is believed: plain path segments. It only says where the
// caller's own page finds its files, and that page is stored nowhere.
var forwardedPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)

// prefix returns the path before /ui as the browser sees it.
func (h *handler) prefix(r *http.Request) string {
	p := strings.TrimSuffix(h.basePath(), "/")
	if forwarded := strings.TrimSuffix(r.Header.Get("X-Forwarded-Prefix"), "/"); forwardedPrefix.MatchString(forwarded) {
		p = forwarded + p
	}
	return p
}

// safe sets what keeps pages from being used against who looks at them. What the log holds is hostile: nothing
// in it may run, load or be framed.
func safe(h http.Header, nonce string) {
	script, style := "'self'", "'self'"
	if nonce != "" {
		script += " 'nonce-" + nonce + "'"
		style += " 'nonce-" + nonce + "'"
	}
	h.Set("Content-Security-Policy", "default-src 'self'; script-src "+script+"; style-src "+style+
		"; img-src 'self' data: blob:; media-src 'self' data: blob:; worker-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"+
		"; frame-ancestors 'none'; require-trusted-types-for 'script'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}

func newNonce() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// notBuilt says how to get the pages.
func (h *handler) notBuilt(w http.ResponseWriter, _ *http.Request) {
	safe(w.Header(), "")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(notBuiltPage) // fails when the caller left
}
