package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// CacheExplanation tells why the cache answered a request, or did not.
type CacheExplanation struct {
	ID        string      `json:"id"`
	Status    string      `json:"cache_status" enum:"off,miss,hit"`
	Reason    *string     `json:"cache_reason" doc:"as the log entry has it"`
	Why       string      `json:"why" doc:"in a sentence"`
	Nearest   *NearestLog `json:"nearest" doc:"of the requests before it whose answers could have been stored, the one with the most in common; null: there is none, or the cache was off"`
	Compared  int         `json:"compared" doc:"how many requests were looked at"`
	Parts     []CachePart `json:"parts" doc:"of the cache key, in order"`
	Different *string     `json:"first_difference" doc:"name of the first part that differs; null: none does"`
}

// NearestLog is a request like another one.
type NearestLog struct {
	ID        string `json:"id"`
	CreatedAt string `json:"created_at" format:"date-time"`
}

// CachePart is a part of a cache key.
type CachePart struct {
	Name    string  `json:"name" doc:"settings, custom_key, stream, provider, method, path, credential, header.NAME, body, or body with the place in it"`
	This    *string `json:"this" doc:"200 characters at most; null: it is not there, or not known"`
	Nearest *string `json:"nearest"`
	Same    *bool   `json:"same" doc:"null: not known, such as of credentials, which the log does not have"`
}

const (
	explainSpan   = 7 * 24 * time.Hour // how far back a like request is looked for
	explainRows   = 100                // most requests that are compared
	explainBodies = 20                 // of how many the bodies are
	explainBytes  = 1 << 20            // of a body
)

// candidate is a request that could have left the answer.
type candidate struct {
	row    reqlog.Row
	parts  []CachePart
	differ int // parts that do
	common int // bytes that the bodies begin with alike
}

func (s *server) explainCache(ctx context.Context, in *GetLogInput) (*output[Envelope[CacheExplanation]], error) {
	row, _, err := s.find(ctx, &in.LogPath, basisRequests)
	if err != nil {
		return nil, err
	}
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	e := &row.Entry
	v := CacheExplanation{ID: e.ID.String(), Status: reqlog.CacheName(e.Cache), Reason: optional(e.CacheReason), Parts: []CachePart{}}
	if e.Cache == sluice.CacheOff {
		v.Why = whyOff(&g)
		return answer(v), nil
	}
	nearest, compared, err := s.nearest(ctx, row, &g)
	if err != nil {
		return nil, err
	}
	v.Compared = compared
	if nearest != nil {
		v.Nearest = &NearestLog{ID: nearest.row.Entry.ID.String(), CreatedAt: stamp(nearest.row.Entry.Start)}
		v.Parts = nearest.parts
		if i := slices.IndexFunc(v.Parts, func(p CachePart) bool { return p.Same != nil && !*p.Same }); i >= 0 {
			v.Different = &v.Parts[i].Name
		}
	}
	v.Why = whyCached(e, &v)
	return answer(v), nil
}

// whyOff says why the cache was not asked.
func whyOff(g *gateway.Entry) string {
	if g.CacheTTL == 0 {
		return "the cache is off: the gateway has no cache_ttl, and the request named no key of its own (cf-aig-cache-key)"
	}
	return "the cache was not asked: the request turned it off (cf-aig-cache-ttl: 0), the call is of a kind that is not repeated, or the gateway had no cache_ttl then"
}

// whyCached says what the parts say.
func whyCached(e *sluice.LogEntry, v *CacheExplanation) string {
	switch {
	case e.Cache == sluice.CacheHit:
		return "answered from the cache: all parts of the key were the same"
	case strings.HasPrefix(e.CacheReason, string(cache.ReasonSkipped)):
		return "the request did not want a stored answer (cf-aig-skip-cache)"
	case strings.HasPrefix(e.CacheReason, string(cache.ReasonExpired)):
		return "the stored answer had passed its time"
	case strings.HasPrefix(e.CacheReason, string(cache.ReasonEncoding)):
		return "the stored answer has an encoding that could not be undone for this client"
	case strings.HasPrefix(e.CacheReason, string(cache.ReasonUnavailable)):
		return "the store of the cache did not answer in time"
	case v.Nearest == nil:
		return "nothing was stored: no request like it came in the seven days before"
	case v.Different != nil:
		return "nothing was stored under this key: the nearest request before differs in " + *v.Different
	}
	return "nothing was stored although a request before was the same in all that the log knows: its answer had been removed or passed its time, was not kept, or its credential was another"
}

// nearest finds the request before row that has the most in common with it.
func (s *server) nearest(ctx context.Context, row reqlog.Row, g *gateway.Entry) (*candidate, int, error) {
	e := &row.Entry
	equal := func(f reqlog.Field, value string) reqlog.Term {
		return reqlog.Term{Field: f, Op: reqlog.OpEq, Values: []string{reqlog.Literal(value)}}
	}
	q := reqlog.Query{Account: e.Account, Gateway: e.Gateway, From: e.Start.Add(-explainSpan), To: e.Start.Add(time.Millisecond), Desc: true, Limit: explainRows}
	if customKey(e) == "" {
		q.Filter.Terms = []reqlog.Term{equal(reqlog.FieldProvider, e.Provider)}
		if e.Model != "" {
			q.Filter.Terms = append(q.Filter.Terms, equal(reqlog.FieldModel, e.Model))
		}
	}
	page, err := s.Log.List(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("list the requests before: %w", err)
	}
	var found []candidate
	for _, other := range page.Rows {
		o := &other.Entry
		stored := o.Cache == sluice.CacheHit || o.Cache == sluice.CacheMiss && !strings.Contains(o.CacheReason, "not kept")
		if o.ID == e.ID || o.ID.String() > e.ID.String() || !stored || !o.Success || o.Ending != sluice.EndingComplete {
			continue
		}
		c := candidate{row: other, parts: keyParts(e, o, g)}
		c.differ = differing(c.parts)
		found = append(found, c)
	}
	compared := len(found)
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.differ, b.differ) })
	found = found[:min(len(found), explainBodies)]
	if compared == 0 {
		return nil, 0, nil
	}
	if customKey(e) == "" {
		s.compareBodies(ctx, row, found)
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.differ, b.differ), cmp.Compare(b.common, a.common))
	})
	return &found[0], compared, nil
}

func differing(parts []CachePart) (n int) {
	for _, p := range parts {
		if p.Same != nil && !*p.Same {
			n++
		}
	}
	return n
}

// customKey is the key that a request named for itself.
func customKey(e *sluice.LogEntry) string { return e.ReqHeader.Get("cf-aig-cache-key") }

// keyParts compares what the log knows of the keys of two requests, without their bodies.
func keyParts(e, o *sluice.LogEntry, g *gateway.Entry) []CachePart {
	var parts []CachePart
	known := func(name, this, nearest string) {
		same := this == nearest
		parts = append(parts, CachePart{name, shown(this), shown(nearest), &same})
	}
	if g.CacheInvalidateOnUpdate {
		before, after := "before the last change", "after it"
		of := func(t time.Time) string {
			if t.Before(g.Modified) {
				return before
			}
			return after
		}
		known("settings", of(e.Start), of(o.Start))
	}
	if customKey(e) != "" || customKey(o) != "" {
		known("custom_key", customKey(e), customKey(o))
	}
	known("stream", strconv.FormatBool(e.Streamed), strconv.FormatBool(o.Streamed))
	if customKey(e) != "" {
		return parts // it stands for all else
	}
	known("provider", e.Provider, o.Provider)
	known("method", e.Method, o.Method)
	known("path", e.Path, o.Path)
	parts = append(parts, CachePart{Name: "credential"})
	mine, theirs := keyHeader(e), keyHeader(o)
	names := map[string]bool{}
	for name := range mine {
		names[name] = true
	}
	for name := range theirs {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		known("header."+name, mine[name], theirs[name])
	}
	return parts
}

// keyHeader is what of a request's header is part of its key, as the log has it: lines of one name in one.
// Credentials are a part of their own.
func keyHeader(e *sluice.LogEntry) map[string]string {
	fields := map[string]string{}
	for _, f := range e.ReqHeader {
		name := strings.ToLower(f.Name)
		gateways := strings.HasPrefix(name, "cf-aig-") || strings.HasPrefix(name, "cf-access-") || strings.HasPrefix(name, "x-forwarded-")
		switch {
		case cache.CannotMatter(name), gateways, f.Value == "[redacted]":
		case name == "cf-cache-ttl", name == "cf-skip-cache", name == "cf-connecting-ip", name == "proxy-authorization":
		default:
			if old, twice := fields[name]; twice {
				fields[name] = old + "\n" + f.Value
			} else {
				fields[name] = f.Value
			}
		}
	}
	return fields
}

// compareBodies adds the body's part to each of found.
func (s *server) compareBodies(ctx context.Context, row reqlog.Row, found []candidate) {
	mine, cut, err := s.readPlain(ctx, row, reqlog.RequestSide, explainBytes)
	unknown := err != nil || cut
	for i := range found {
		c := &found[i]
		part := CachePart{Name: "body"}
		theirs, cut, err := s.readPlain(ctx, c.row, reqlog.RequestSide, explainBytes)
		switch {
		case unknown || err != nil || cut:
			if row.Entry.Request.Size != c.row.Entry.Request.Size && row.Entry.Request.Encoding == c.row.Entry.Request.Encoding {
				differ := false // other sizes are other bodies, whether they are stored or not
				part.Same = &differ
				part.This, part.Nearest = sizeText(&row.Entry), sizeText(&c.row.Entry)
			}
		default:
			part = bodyPart(mine, theirs)
			c.common = commonPrefix(mine, theirs)
		}
		c.parts = append(c.parts, part)
		c.differ = differing(c.parts)
	}
}

func sizeText(e *sluice.LogEntry) *string {
	text := strconv.FormatInt(e.Request.Size, 10) + " bytes"
	return &text
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// bodyPart compares two bodies. Of JSON it names the first place that differs, in the order of the first body.
func bodyPart(mine, theirs []byte) CachePart {
	same := bytes.Equal(mine, theirs)
	if same {
		return CachePart{"body", shown(string(mine)), shown(string(theirs)), &same}
	}
	if json.Valid(mine) && json.Valid(theirs) {
		if where, a, b, found := firstDifference("body", mine, theirs, 0); found {
			return CachePart{where, shown(a), shown(b), &same}
		}
		return CachePart{"body (white space, or the order of its members)", shown(string(mine)), shown(string(theirs)), &same}
	}
	at := max(commonPrefix(mine, theirs)-20, 0)
	return CachePart{"body from byte " + strconv.Itoa(at), shown(string(mine[at:])), shown(string(theirs[at:])), &same}
}

// firstDifference finds the first place in which two JSON texts differ in what they say. Both are valid.
func firstDifference(where string, a, b json.RawMessage, depth int) (place, mine, theirs string, found bool) {
	const deepest = 8
	a, b = bytes.TrimSpace(a), bytes.TrimSpace(b)
	if depth < deepest && len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		switch a[0] {
		case '{':
			return differentMember(where, a, b, depth)
		case '[':
			return differentElement(where, a, b, depth)
		}
	}
	if compact(a) == compact(b) {
		return "", "", "", false
	}
	return where, string(a), string(b), true
}

func compact(text []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}

func differentMember(where string, a, b json.RawMessage, depth int) (place, mine, theirs string, found bool) {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return where, string(a), string(b), true
	}
	names := map[string]bool{}
	for name := range x {
		names[name] = true
	}
	for name := range y {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		p, q := x[name], y[name]
		if p == nil || q == nil {
			return where + "." + name, string(p), string(q), true
		}
		if place, mine, theirs, found = firstDifference(where+"."+name, p, q, depth+1); found {
			return place, mine, theirs, true
		}
	}
	return "", "", "", false
}

func differentElement(where string, a, b json.RawMessage, depth int) (place, mine, theirs string, found bool) {
	var x, y []json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return where, string(a), string(b), true
	}
	for i := range max(len(x), len(y)) {
		here := where + "[" + strconv.Itoa(i) + "]"
		switch {
		case i >= len(x):
			return here, "", string(y[i]), true
		case i >= len(y):
			return here, string(x[i]), "", true
		}
		if place, mine, theirs, found = firstDifference(here, x[i], y[i], depth+1); found {
			return place, mine, theirs, true
		}
	}
	return "", "", "", false
}

// shown is the beginning of a part; nil: it is not there.
func shown(text string) *string {
	if text == "" {
		return nil
	}
	text = clip(strings.ToValidUTF8(text, "\ufffd"), 200)
	return &text
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
