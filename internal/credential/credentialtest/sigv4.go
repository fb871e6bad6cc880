// Package credentialtest is the other side of provider keys of several parts, for tests: it checks AWS signatures
// by the published algorithm, with no code of the signer's, and gives tokens for service accounts whose signatures
// it has verified.
package credentialtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Signature computes the signature of a request as
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html tells. signed are the
// names of the fields, in lower case; scope is date/region/service/aws4_request. Host is the request's.
func Signature(secret, method, target, host string, h http.Header, signed []string, payloadHash, amzDate, scope string) string {
	path, query, _ := strings.Cut(target, "?")
	var fields strings.Builder
	for _, name := range signed {
		value := host
		if name != "host" {
			var list []string
			for _, v := range h.Values(name) {
				list = append(list, strings.Join(strings.Fields(v), " "))
			}
			value = strings.Join(list, ",")
		}
		fields.WriteString(name + ":" + value + "\n")
	}
	canonical := strings.Join([]string{
		method, uriEncode(path, true), canonicalQuery(query), fields.String(), strings.Join(signed, ";"), payloadHash,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", amzDate, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// uriEncode escapes all but unreserved characters. Of a path it escapes what is escaped once more, as all services
// but one want it.
func uriEncode(s string, slash bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || slash && c == '/' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var list []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		plainName, _ := url.QueryUnescape(name)
		plainValue, _ := url.QueryUnescape(value)
		list = append(list, uriEncode(plainName, false)+"="+uriEncode(plainValue, false))
	}
	slices.Sort(list)
	return strings.Join(list, "&")
}

// Signed is what a signature that was verified says.
type Signed struct {
	AccessKeyID, Date, Region, Service string
	Fields                             []string // that were signed
}

// Verify checks the signature of a request that a server got, with its body. The error says what is wrong.
func Verify(r *http.Request, body []byte, secret string) (Signed, error) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return Signed{}, fmt.Errorf("no signature in %q", r.Header.Values("Authorization"))
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ", ") {
		name, value, _ := strings.Cut(part, "=")
		parts[name] = value
	}
	id, scope, _ := strings.Cut(parts["Credential"], "/")
	at := strings.Split(scope, "/")
	if len(at) != 4 || at[3] != "aws4_request" {
		return Signed{}, fmt.Errorf("scope %q", scope)
	}
	s := Signed{AccessKeyID: id, Date: r.Header.Get("X-Amz-Date"), Region: at[1], Service: at[2], Fields: strings.Split(parts["SignedHeaders"], ";")}
	if !strings.HasPrefix(s.Date, at[0]+"T") || !slices.IsSorted(s.Fields) || !slices.Contains(s.Fields, "host") {
		return s, fmt.Errorf("date %q, fields %q", s.Date, s.Fields)
	}
	for name := range r.Header {
		if low := strings.ToLower(name); strings.HasPrefix(low, "x-amz-") && !slices.Contains(s.Fields, low) {
			return s, fmt.Errorf("%s is not signed", name)
		}
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if r.Header.Get("X-Amz-Content-Sha256") != payload {
		return s, errors.New("X-Amz-Content-Sha256 is not the body's")
	}
	h := r.Header.Clone()
	if slices.Contains(s.Fields, "content-length") {
		h.Set("Content-Length", fmt.Sprint(r.ContentLength))
	}
	want := Signature(secret, r.Method, r.RequestURI, r.Host, h, s.Fields, payload, s.Date, scope)
	if parts["Signature"] != want {
		return s, fmt.Errorf("signature %s, want %s", parts["Signature"], want)
	}
	return s, nil
}
