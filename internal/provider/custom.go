package provider

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// CustomPrefix stands before the slug of a custom provider wherever a call names it
// (cloudflare-ai-gateway.md, 1.8).
const CustomPrefix = "custom-"

// Bounds of what is stored of a custom provider, in bytes.
const (
	maxCustomText    = 8 << 10
	maxCustomURL     = 2 << 10
	maxCustomHeaders = 32 // fields
)

// Custom is a provider that an account has made: an address, and what is sent there beside each call. One
// that was read from a Customs shares its parts with all who have it: they are not changed.
type Custom struct {
	ID      string // a sluice.ID
	Account string // id of the account, never an alias of it
	Slug    string // without CustomPrefix; letters, digits and hyphens
	Name    string // for people
	BaseURL string // its calls go to it, a slash, and the rest of their path

	Description, Link, CurlExample, JSExample string

	Enabled  bool // otherwise its calls are refused
	Beta     bool
	Position int64 // in lists

	// AuthHeader and AuthScheme say where a stored key goes; both "": Authorization, Bearer.
	AuthHeader, AuthScheme string
	// HeaderNames are the fields that are added to each call, sorted. Their values may be credentials, and
	// are in no answer.
	HeaderNames []string

	Version  int64 // from 1; another one after every change
	Created  time.Time
	Modified time.Time

	// Fault says why the added fields cannot be opened; "": they can, or there are none.
	Fault string

	headers func() sluice.Header // a function, because fmt looks into fields that are not exported; nil: none
}

// Segment is how a call names the provider.
func (c *Custom) Segment() string { return CustomPrefix + c.Slug }

// fields are the fields that are added to each call.
func (c *Custom) fields() sluice.Header {
	if c.headers == nil {
		return nil
	}
	return c.headers()
}

// keep makes h the added fields.
func (c *Custom) keep(h sluice.Header) {
	c.headers, c.HeaderNames, c.Fault = nil, nil, ""
	if len(h) == 0 {
		return
	}
	c.headers = func() sluice.Header { return h }
	for _, f := range h {
		c.HeaderNames = append(c.HeaderNames, f.Name)
	}
	slices.Sort(c.HeaderNames)
}

// ShownHeaders is the JSON object of the added fields as answers show it: with the names, without the values.
// A change that sends it back leaves the values as they are. "": there are none.
func (c *Custom) ShownHeaders() string {
	if len(c.HeaderNames) == 0 {
		return ""
	}
	shown := make(map[string]string, len(c.HeaderNames))
	for _, name := range c.HeaderNames {
		shown[name] = Redacted
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return "" // names are ASCII: cannot happen
	}
	return string(text)
}

// CustomChange says what a custom provider is to be. What is nil stays as it is.
type CustomChange struct {
	Slug        *string // of a new one; afterwards it cannot be changed
	Name        *string
	BaseURL     *string
	Description *string
	Link        *string
	CurlExample *string
	JSExample   *string
	Enabled     *bool
	Beta        *bool
	Position    *int64
	AuthHeader  *string
	AuthScheme  *string
	// Headers is the text of a JSON object of names and values. A value Redacted keeps the one that is there;
	// "" removes all.
	Headers *sluice.Secret
}

// apply changes c. Its error has sluice.KindInvalid and names the field.
func (ch *CustomChange) apply(c *Custom) error {
	set(&c.Name, ch.Name)
	set(&c.BaseURL, ch.BaseURL)
	set(&c.Description, ch.Description)
	set(&c.Link, ch.Link)
	set(&c.CurlExample, ch.CurlExample)
	set(&c.JSExample, ch.JSExample)
	set(&c.Enabled, ch.Enabled)
	set(&c.Beta, ch.Beta)
	set(&c.Position, ch.Position)
	set(&c.AuthHeader, ch.AuthHeader)
	set(&c.AuthScheme, ch.AuthScheme)
	if ch.Headers == nil {
		return nil
	}
	h, err := parseHeaders(ch.Headers.Reveal(), c.fields())
	if err != nil {
		return err
	}
	c.keep(h)
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func badField(field, msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
}

// check finds what is wrong with a custom provider that is to be.
func (c *Custom) check() error {
	if !isCustomSlug(c.Slug) {
		return badField("slug", "the slug must be 1 to 57 letters, digits and hyphens", "calls name it with custom- before it")
	}
	if c.Name == "" || len(c.Name) > 256 || strings.ContainsFunc(c.Name, isControl) {
		return badField("name", "the name must be 1 to 256 bytes of text", "")
	}
	for _, t := range []struct{ field, text string }{
		{"description", c.Description}, {"link", c.Link}, {"curl_example", c.CurlExample}, {"js_example", c.JSExample},
	} {
		if len(t.text) > maxCustomText {
			return badField(t.field, t.field+" is longer than 8192 bytes", "")
		}
	}
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		return badField("link", "the link must be an http or https address", "")
	}
	if c.AuthHeader == "" && c.AuthScheme != "" {
		return badField("auth_scheme", "a scheme needs auth_header beside it", "auth_header: Authorization")
	}
	if c.AuthHeader != "" && !mayAdd(c.AuthHeader) {
		return badField("auth_header", "a key cannot stand in this field", "name a header of the provider's, such as x-api-key")
	}
	if strings.ContainsFunc(c.AuthScheme, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(c.AuthScheme) > 32 {
		return badField("auth_scheme", "the scheme is one word, such as Bearer", "")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func isCustomSlug(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64-len(CustomPrefix)
}

// errBaseURL is the reference's refusal of an address (cloudflare-ai-gateway.md, 9.4), with the reason.
func errBaseURL(why string) error {
	return badField("base_url", "base_url must be a valid HTTPS URL starting with https://", why)
}

// parseCustomBase reads an address that came by the management API. plain says whether http may be spoken with
// a host that the configuration names.
func parseCustomBase(text string, allowed func(host string) bool) (base, error) {
	if len(text) > maxCustomURL {
		return base{}, errBaseURL("it is longer than 2048 bytes")
	}
	b, err := parseBase(text)
	if err != nil {
		return base{}, errBaseURL("it " + err.Error())
	}
	name := hostOf(b.host)
	if !namesHost(name) {
		return base{}, errBaseURL("its host is an address in a form that servers read in different ways: write the usual one")
	}
	if allowed(name) {
		return b, nil
	}
	if b.scheme != "https" {
		return base{}, errBaseURL("http is for hosts that the configuration names under upstream.private_hosts")
	}
	if a, err := netip.ParseAddr(name); err == nil && (a.IsLoopback() || a.IsPrivate() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.Is4In6()) {
		return base{}, errBaseURL("its address is not public: name it in the configuration under upstream.private_hosts")
	}
	return b, nil
}

// hostOf is a host without its port and brackets.
func hostOf(host string) string {
	if end := strings.LastIndexByte(host, ']'); strings.HasPrefix(host, "[") && end > 0 {
		return host[1:end]
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.TrimSuffix(name, ".")
}

// namesHost reports whether a host is a name, or an address as everybody writes it. Resolvers read others
// (2130706433, 0177.0.0.1, 0x7f.1, 127.1) as addresses, too; what ends in a number is meant as one
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func namesHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" || strings.ContainsRune(host, ':') {
		return false
	}
	digits := strings.TrimLeft(last, "0123456789") == ""
	hex := len(last) > 1 && last[0] == '0' && last[1]|0x20 == 'x' && strings.TrimLeft(last[2:], "0123456789abcdefABCDEF") == ""
	return !digits && !hex
}

// parseHeaders reads the JSON object of fields that are added to each call, was being those there are. Its
// errors show no value.
func parseHeaders(text string, was sluice.Header) (sluice.Header, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	const shape = `a JSON object as text: "{\"X-Tenant\": \"blue\"}"`
	var fields map[string]string
	if len(text) > maxCustomText {
		return nil, badField("headers", "headers is longer than 8192 bytes", "")
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil || fields == nil {
		return nil, badField("headers", "headers is not the text of a JSON object of names and texts", shape)
	}
	if len(fields) > maxCustomHeaders {
		return nil, badField("headers", "headers has more than 32 fields", "")
	}
	h := make(sluice.Header, 0, len(fields))
	for name, value := range fields {
		if value == Redacted {
			value = was.Get(name)
		}
		switch {
		case !mayAdd(name):
			return nil, badField("headers", "headers has a field that cannot be set: "+clipped(name), "neither framing, Host, hop-by-hop fields nor cf-aig-… belong there")
		case h.Has(name):
			return nil, badField("headers", "headers has a field twice: "+clipped(name), "")
		case value == "":
			return nil, badField("headers", "headers has a field without a value: "+clipped(name), "")
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return nil, badField("headers", "headers has a value with characters that cannot be sent: "+clipped(name), "")
		}
		h.Add(name, value)
	}
	slices.SortFunc(h, func(a, b sluice.Field) int { return strings.Compare(a.Name, b.Name) })
	return h, nil
}

func clipped(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, s[:min(len(s), 64)])
}

// mayAdd reports whether a field of this name may be added to calls, or carry their key.
func mayAdd(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	switch low := strings.ToLower(name); low {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "expect",
		"proxy-connection", "proxy-authorization", "content-encoding", "content-type", "accept-encoding":
		return false
	default:
		return !strings.HasPrefix(low, "cf-aig-") && !strings.HasPrefix(low, "cf-access-") && !strings.HasPrefix(low, "x-forwarded-")
	}
}

// provider makes c one that calls can go to. b is its address.
func (c *Custom) provider(b base) (*Provider, error) {
	m := wireMeters()
	p := &Provider{
		Slug: c.Segment(), Name: c.Name, Base: c.BaseURL, Strip: []string{"v1"}, Auth: customAuth(c, b),
		Endpoints: customEndpoints(m), Source: "custom",
		base: b, custom: true, exact: true, guarded: true,
		since: c.Created, off: !c.Enabled, broken: c.Fault != "", adds: c.fields(),
	}
	return p, p.prepare()
}

// customAuth is where the credential of a custom provider stands: of callers wherever they are used to put one.
func customAuth(c *Custom, b base) Auth {
	a := bearer()
	if c.AuthHeader != "" {
		a = Auth{Header: c.AuthHeader, Scheme: c.AuthScheme}
	}
	for _, name := range []string{"Authorization", "x-api-key", "api-key", "x-goog-api-key", "xi-api-key"} {
		if !strings.EqualFold(name, a.Header) {
			a.Also = append(a.Also, name)
		}
	}
	// Most list their models at the place that OpenAI's dialect has for that.
	test := Call{Method: "GET", Path: "v1/models", Header: sluice.Header{{Name: "Accept", Value: "application/json"}}}
	if version := b.prefix[strings.LastIndexByte(b.prefix, '/')+1:]; len(version) > 1 && version[0] == 'v' && strings.Trim(version[1:], "0123456789") == "" {
		test.Path = "models"
	}
	a.Test = func(*credential.Key) (Call, bool) { return test, true }
	return a
}

// customEndpoints are guesses: whatever stands before a path that OpenAI's or Anthropic's dialect knows, the
// answer is probably theirs. A path that none fits passes without its answer being read.
func customEndpoints(m meters) []Endpoint {
	known := slices.Concat(openAIEndpoints(m), messagesEndpoints(m))
	var below []Endpoint
	for _, e := range known {
		if e.Method == "POST" && !strings.Contains(e.Pattern, "{") {
			e.Pattern = "{before...}/" + e.Pattern
			below = append(below, e)
		}
	}
	return slices.Concat(known, below)
}
