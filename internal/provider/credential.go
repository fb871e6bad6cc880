package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// OwnHost reports whether host is one that the provider's calls go to whatever they say, so that no caller
// chooses it: a credential that the gateway keeps may be sent there. A provider whose calls name the host has
// none, unless the operator gave it an address.
func (p *Provider) OwnHost(host string) bool {
	if host == "" || strings.Contains(p.base.host, "{") {
		return false
	}
	return strings.EqualFold(host, p.base.host) || p.Realtime != nil && !p.custom && p.Realtime.Host != "" && strings.EqualFold(host, p.Realtime.Host)
}

// Shows reports whether a call with these fields and this raw query carries a credential for the provider.
// One that is empty, or a scheme alone, is none.
func (p *Provider) Shows(h sluice.Header, query string) bool {
	for _, f := range h {
		if p.carries(f.Name) && shown(f.Value) {
			return true
		}
	}
	for query != "" && p.Auth.Query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if value != "" && strings.EqualFold(unescape(name), p.Auth.Query) {
			return true
		}
	}
	return false
}

// carries reports whether a field of this name carries a credential at the provider.
func (p *Provider) carries(name string) bool {
	if p.Auth.Header != "" && strings.EqualFold(name, p.Auth.Header) {
		return true
	}
	for _, also := range p.Auth.Also {
		if strings.EqualFold(name, also) {
			return true
		}
	}
	return false
}

// shown reports whether something stands in a credential's field.
func shown(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "bearer", "token", "key", "basic", "undefined", "bearer undefined":
		return false
	}
	return true
}

// Bare returns h without the fields that would carry a credential, and are empty. h itself stays as it is.
func (p *Provider) Bare(h sluice.Header) sluice.Header {
	out := make(sluice.Header, 0, len(h)+1)
	for _, f := range h {
		if !p.carries(f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// Present is Bare with a credential, one text, where the provider takes it. What of a key that is more is shown,
// credential.Key tells.
func (p *Provider) Present(h sluice.Header, secret sluice.Secret) sluice.Header {
	out := p.Bare(h)
	value := secret.Reveal()
	if p.Auth.Scheme != "" {
		value = p.Auth.Scheme + " " + value
	}
	return append(out, sluice.Field{Name: p.Auth.Header, Value: value})
}

// Keyless reports whether the provider takes no credential at all.
func (p *Provider) Keyless() bool { return p.Serve != nil || p.Auth.Header == "" }

// Probe is a call that costs nothing and shows whether a key is good: a list of models, or another one that the
// provider has. false: none is known for this provider and kind of key.
func (p *Provider) Probe(k *credential.Key) (in Call, known bool) {
	if p.Keyless() {
		return Call{}, false
	}
	if p.Auth.Test != nil {
		return p.Auth.Test(k)
	}
	for _, path := range [...]string{"models", "v1/models", "v1beta/models"} {
		ep, _ := p.Match("GET", path)
		if ep == nil || ep.Name != "models" {
			continue
		}
		in = Call{Method: "GET", Path: path, Header: sluice.Header{
			{Name: "Accept", Value: "application/json"},
			{Name: "anthropic-version", Value: "2023-06-01"}, // one provider wants it, the others pass it over
		}}
		target, err := p.Resolve(in)
		if err == nil && p.OwnHost(target.Host) {
			return in, true
		}
	}
	return Call{}, false
}
