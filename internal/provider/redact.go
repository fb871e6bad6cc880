package provider

import (
	"net/url"
	"strings"
)

// Redacted stands in logs in place of a credential.
const Redacted = "[redacted]"

// CredentialHeader reports whether a header field of this name carries, or may carry, a credential at
// any provider or at the gateway. Case does not matter. A log stores Redacted in place of its value.
func CredentialHeader(name string) bool {
	var buf [64]byte
	if len(name) > len(buf) {
		return true // no field of note has so long a name: better hidden than shown
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch n := buf[:len(name)]; string(n) {
	case "authorization", "proxy-authorization", "cf-aig-authorization", "cookie", "set-cookie", "set-cookie2",
		"x-api-key", "api-key", "apikey", "x-apikey", "x-goog-api-key", "xi-api-key", "x-auth-key", "x-key",
		"ocp-apim-subscription-key", "x-functions-key", "cf-access-jwt-assertion", "cf-access-client-secret",
		"x-goog-iam-authorization-token", "x-ms-authorization-auxiliary", "x-authorization", "x-original-authorization",
		"x-forwarded-authorization", "x-forwarded-access-token", "x-amz-security-token", "x-amz-signature",
		"sec-websocket-protocol", "payment-signature":
		return true
	default:
		return secretSuffix(n)
	}
}

// secretSuffix reports whether a lower-case field name ends like those of credentials.
func secretSuffix(name []byte) bool {
	if len(name) < 4 {
		return false
	}
	switch string(name[len(name)-2:]) { // most names end here
	case "ey", "en", "et", "rd", "wt":
	default:
		return false
	}
	for _, s := range [...]string{"-api-key", "-apikey", "_api_key", "-token", "_token", "-secret", "_secret", "-password", "-jwt"} {
		if len(name) >= len(s) && string(name[len(name)-len(s):]) == s {
			return true
		}
	}
	return false
}

// secretParam reports whether a query parameter of this name, in lower case, carries a credential.
func secretParam(name string) bool {
	switch name {
	case "key", "api_key", "api-key", "apikey", "access_token", "token", "auth_token", "id_token", "refresh_token",
		"session_token", "client_secret", "secret", "password", "sig", "signature", "authorization", "auth", "jwt",
		"fal_jwt_token", "cf-aig-authorization", "x-api-key", "xi-api-key", "subscription-key", "x-amz-signature",
		"x-amz-security-token", "x-amz-credential", "x-goog-signature", "x-goog-credential", "awsaccesskeyid":
		return true
	}
	return false
}

// RedactQuery returns a raw query for logs: the value of each parameter that carries a credential, at
// any provider or at p, is replaced by Redacted; all else stays byte for byte. p may be nil. A query
// without credentials is returned as it is.
func RedactQuery(raw string, p *Provider) string {
	var out strings.Builder
	done := 0 // how much of raw is in out
	for from := 0; from < len(raw); {
		to := len(raw)
		if i := strings.IndexByte(raw[from:], '&'); i >= 0 {
			to = from + i
		}
		if at := credentialIn(raw[from:to], p); at >= 0 {
			out.WriteString(raw[done : from+at])
			out.WriteString(Redacted)
			done = to
		}
		from = to + 1
	}
	if done == 0 {
		return raw
	}
	out.WriteString(raw[done:])
	return out.String()
}

// credentialIn returns where in a part of a query, up to "&", a credential begins, -1 for nowhere. A
// semicolon separates for some servers and is data for others, so that a name may follow one, and a
// value goes on to the part's end.
func credentialIn(part string, p *Provider) int {
	for at := 0; at < len(part); {
		name, value, ok := strings.Cut(part[at:], "=")
		if semi := strings.LastIndexByte(name, ';'); ok && semi >= 0 {
			at += semi + 1
			name = name[semi+1:]
		}
		if !ok {
			return -1
		}
		if value != "" && hides(name, p) {
			return at + len(name) + 1
		}
		next := strings.IndexByte(value, ';')
		if next < 0 {
			return -1
		}
		at += len(name) + 1 + next + 1
	}
	return -1
}

// hides reports whether the parameter of a raw name carries a credential.
func hides(raw string, p *Provider) bool {
	name := raw
	if u, err := url.QueryUnescape(raw); err == nil {
		name = u
	}
	return secretParam(strings.ToLower(name)) || p != nil && p.Auth.Query != "" && strings.EqualFold(name, p.Auth.Query)
}
