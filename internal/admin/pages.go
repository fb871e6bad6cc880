package admin

import (
	"crypto/sha256"
	_ "embed" // the page of one-time links
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"
)

//go:embed claim.html
var claimHTML string

// ClaimPage is the page where one-time links are used, for ClaimPath. It loads nothing but itself, and runs no
// other script.
func ClaimPage() http.Handler {
	hash := func(tag string) string {
		_, rest, _ := strings.Cut(claimHTML, "<"+tag+">")
		text, _, _ := strings.Cut(rest, "</"+tag+">")
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy := "default-src 'none'; script-src " + hash("script") + "; style-src " + hash("style") +
		"; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		pageHeader(w.Header(), policy)
		_, _ = w.Write([]byte(claimHTML)) // fails when the browser left
	})
}

// pageHeader is what goes with every page.
func pageHeader(h http.Header, policy string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// messagePage is a page that says one thing. next is where it leads by itself; "": nowhere. It is not a redirect:
// a browser that came here from another site would not send a SameSite=Strict cookie along with that.
func messagePage(w http.ResponseWriter, status int, text, next string) {
	pageHeader(w.Header(), "default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
	refresh := ""
	if next != "" {
		refresh = `<meta http-equiv="refresh" content="0; url=` + html.EscapeString(next) + `">`
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Sluice</title>%s<p>%s`,
		refresh, html.EscapeString(text))
}
