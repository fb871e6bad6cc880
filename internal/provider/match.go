package provider

import (
	"fmt"
	"net/url"
	"strings"
)

// maxSegments is how many segments of a path matching looks at; no endpoint has nearly as many.
const maxSegments = 32

// route is an Endpoint whose pattern is taken apart.
type route struct {
	whole Endpoint // for methods that change something
	read  Endpoint // the same, for GET, HEAD and OPTIONS: repeatable by nature
	segs  []segment
	rest  int // index in segs of the "{x...}" part, -1 without
}

// segment is one segment of a pattern.
type segment struct {
	text  string // what must stand there; behind the wild part when wild
	wild  bool   // "{x}" or "{x...}"
	model bool   // the part that names the model
}

// newRoute takes an endpoint's pattern apart.
func newRoute(e *Endpoint) (route, error) {
	r := route{whole: *e, read: *e, rest: -1}
	r.read.Repeatable = true
	model := e.Model == ""
	for i, s := range strings.Split(e.Pattern, "/") {
		if !strings.HasPrefix(s, "{") {
			r.segs = append(r.segs, segment{text: s})
			continue
		}
		name, verb, ok := strings.Cut(s[1:], "}")
		name, rest := strings.CutSuffix(name, "...")
		if !ok || name == "" || rest && (verb != "" || r.rest >= 0) || verb != "" && verb[0] != ':' {
			return route{}, fmt.Errorf("pattern %q: bad part %q", e.Pattern, s)
		}
		if rest {
			r.rest = i
		}
		model = model || name == e.Model
		r.segs = append(r.segs, segment{text: verb, wild: true, model: name == e.Model && e.Model != ""})
	}
	if !model {
		return route{}, fmt.Errorf("pattern %q: no part named %q", e.Pattern, e.Model)
	}
	return r, nil
}

// Match finds the endpoint of a call by method and escaped path after the slug, and the model when the
// path names it, unescaped. It is for logs and policies and forgives what addressing does not: doubled
// slashes and one at the end. nil: no endpoint fits. The Endpoint is not to be changed. p comes from a
// Table.
func (p *Provider) Match(method, path string) (ep *Endpoint, model string) {
	path, _ = strip(path, p.Strip)
	var at [maxSegments]span
	n := split(path, &at)
	if n < 0 {
		return nil, ""
	}
	reads := method == "GET" || method == "HEAD" || method == "OPTIONS"
	for i := range p.routes {
		r := &p.routes[i]
		if m := r.whole.Method; m != "" && m != method && (m != "GET" || method != "HEAD") {
			continue
		}
		raw, ok := r.match(path, at[:n])
		if !ok {
			continue
		}
		if reads {
			return &r.read, unescape(raw)
		}
		return &r.whole, unescape(raw)
	}
	return nil, ""
}

// span is where a segment lies in a path.
type span struct{ from, to int }

// split finds path's segments, empty ones left out; -1: more than maxSegments.
func split(path string, at *[maxSegments]span) int {
	n, from := 0, 0
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if i > from {
			if n == maxSegments {
				return -1
			}
			at[n] = span{from, i}
			n++
		}
		from = i + 1
	}
	return n
}

// match reports whether the segments of path fit, and returns the part that names the model.
func (r *route) match(path string, at []span) (model string, ok bool) {
	extra := len(at) - len(r.segs)
	if r.rest < 0 && extra != 0 || extra < -1 || extra == -1 && r.segs[r.rest].model {
		return "", false
	}
	for i := range r.segs {
		s := &r.segs[i]
		j := i
		if i == r.rest {
			if s.model {
				model = path[at[i].from:at[i+extra].to]
			}
			continue
		}
		if r.rest >= 0 && i > r.rest {
			j += extra
		}
		text := path[at[j].from:at[j].to]
		if !s.wild {
			if text != s.text {
				return "", false
			}
			continue
		}
		if text, ok = cutVerb(text, s.text); !ok {
			return "", false
		}
		if s.model {
			model = text
		}
	}
	return model, true
}

// cutVerb drops a ":verb" from the end of a segment; its colon may be escaped.
func cutVerb(text, verb string) (string, bool) {
	if verb == "" {
		return text, true
	}
	text, ok := strings.CutSuffix(text, verb[1:])
	if !ok {
		return "", false
	}
	if t, ok := strings.CutSuffix(text, ":"); ok {
		return t, t != ""
	}
	t, ok := strings.CutSuffix(text, "%3A")
	if !ok {
		t, ok = strings.CutSuffix(text, "%3a")
	}
	return t, ok && t != ""
}

// unescape returns s for people: what cannot be unescaped stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
