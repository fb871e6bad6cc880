// Package credential knows provider keys that are more than one text: what they consist of, what is wrong with
// one, and what a provider is shown of it. An AWS key signs each call, and never leaves the process; a Google
// service account is exchanged for tokens of an hour; a key of an Azure resource knows its resource.
//
// The forms are those of the reference (providers-cloudflare.md, 3.1 to 3.3).
package credential

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Kind is what a key consists of.
type Kind string

// The kinds.
const (
	Text   Kind = ""       // one text, which the provider is shown
	AWS    Kind = "aws"    // access key id and secret, perhaps a session token, and the region that it is for
	Google Kind = "google" // a service account, and the region that it is for
	Azure  Kind = "azure"  // one text, and the resource that it is of
)

// All are the kinds of more than one text.
func All() []Kind { return []Kind{AWS, Google, Azure} }

// Key is a provider key, ready for use. It does not change; nothing in it that can be printed is secret.
type Key struct {
	Kind Kind
	// ID is what people call it, and no secret: an access key id, the address of a service account.
	ID string
	// Hint is the end of its secret part that may be shown; "": that is too short.
	Hint     string
	Region   string // AWS, Google
	Project  string // Google; "": the account does not name one
	Resource string // Azure

	parts  func() parts // a function, because fmt looks into fields that are not exported
	tokens *tokens      // Google
}

// parts are what is secret of a key, and what is stored of it. The names are those of the stored form.
type parts struct {
	Kind            Kind   `json:"kind"`
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
	SessionToken    string `json:"session_token,omitempty"`
	Region          string `json:"region,omitempty"`
	ClientEmail     string `json:"client_email,omitempty"`
	PrivateKeyID    string `json:"private_key_id,omitempty"`
	PrivateKey      string `json:"private_key,omitempty"`
	ProjectID       string `json:"project_id,omitempty"`
	APIKey          string `json:"api_key,omitempty"`
	Resource        string `json:"resource,omitempty"`
}

// MaxBytes bounds the text of a key: a service account has some 2,400.
const MaxBytes = 16 << 10

func invalid(field, msg, hint string) error {
	if field != "" {
		field = "." + field
	}
	return &sluice.Error{Kind: sluice.KindInvalid, Field: "secret" + field, Msg: msg, Hint: hint}
}

// Parse reads a key as people have it, or as Stored wrote it. kinds are those of several parts that the provider
// takes. The error has sluice.KindInvalid, names the part that is wrong in its Field ("secret.region"), and shows
// nothing of the key.
func Parse(secret sluice.Secret, kinds ...Kind) (*Key, error) {
	text := strings.TrimSpace(secret.Reveal())
	switch {
	case text == "":
		return nil, invalid("", "there is no secret", "send the provider's key as secret")
	case len(text) > MaxBytes:
		return nil, invalid("", "the secret is too long", "16384 bytes at most")
	}
	if slices.Contains(kinds, Google) { // callers of the reference send it in base64
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil && len(plain) > 0 && plain[0] == '{' {
			text = string(plain)
		}
	}
	if text[0] != '{' {
		return parseText(text)
	}
	m, err := readMembers(text)
	if err != nil {
		return nil, err
	}
	kind := m.kind()
	if !slices.Contains(kinds, kind) {
		if len(kinds) == 0 {
			return nil, invalid("", "the provider's keys are one text, and this is a JSON object", "send the key alone")
		}
		return nil, invalid("", "the JSON object is no key that the provider takes", shapes(kinds))
	}
	read := map[Kind]func(members) (*Key, error){AWS: parseAWS, Google: parseGoogle, Azure: parseAzure}[kind]
	return read(m)
}

// shapes tells what keys of the kinds look like.
func shapes(kinds []Kind) string {
	known := map[Kind]string{
		AWS:    `{"accessKeyId": …, "secretAccessKey": …, "region": "us-east-1"}`,
		Google: `the service account's JSON, with "region": "us-central1" added`,
		Azure:  `{"apiKey": …, "resource": "my-resource"}`,
	}
	var list []string
	for _, k := range kinds {
		list = append(list, known[k])
	}
	return strings.Join(list, "; ") + "; or a key that is one text"
}

func parseText(text string) (*Key, error) {
	if !visible(text) {
		return nil, invalid("", "the secret has characters that cannot be sent", "visible ASCII characters without spaces: the key alone, without Bearer before it")
	}
	return &Key{Hint: hintOf(text), parts: func() parts { return parts{APIKey: text} }}, nil
}

// visible reports whether s can be sent in a header as one word.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// hintOf is the end of a secret that may be shown: of one that is long enough for the rest to hide.
func hintOf(secret string) string {
	const least, shown = 12, 4
	if len(secret) < least {
		return ""
	}
	return secret[len(secret)-shown:]
}

// members are the texts of a JSON object, by names without case, - and _: clouds' own tools write accessKeyId,
// AccessKeyId and access_key_id.
type members map[string]string

func readMembers(text string) (members, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, invalid("", "the secret begins like a JSON object, and is none", "send it as one object, in one text")
	}
	m := members{}
	for name, value := range raw {
		name = plainName(name)
		var s string
		if json.Unmarshal(value, &s) != nil {
			continue // nothing that a key consists of is other than text
		}
		if _, twice := m[name]; twice {
			return nil, invalid(name, "the key has this member twice", "")
		}
		m[name] = strings.TrimSpace(s)
	}
	return m, nil
}

func plainName(name string) string {
	name = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	return strings.TrimPrefix(name, "aws")
}

// kind finds out what the object is.
func (m members) kind() Kind {
	switch {
	case m["kind"] != "":
		return Kind(m["kind"])
	case m["type"] != "" || m["clientemail"] != "" || m["privatekey"] != "":
		return Google
	case m["accesskeyid"] != "" || m["secretaccesskey"] != "":
		return AWS
	case m.first("resource", "resourcename") != "" || m.first("apikey", "key") != "":
		return Azure
	}
	return Text
}

// first is the first of some members that is there.
func (m members) first(names ...string) string {
	for _, name := range names {
		if m[name] != "" {
			return m[name]
		}
	}
	return ""
}

// keep makes p the key's secret parts.
func (k *Key) keep(p parts) *Key {
	p.Kind = k.Kind
	k.parts = func() parts { return p }
	return k
}

// Stored is the key as it is to be stored: Parse reads it again.
func (k *Key) Stored() sluice.Secret {
	p := k.parts()
	if k.Kind == Text {
		return sluice.NewSecret(p.APIKey)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return sluice.Secret{} // texts alone: cannot happen
	}
	return sluice.NewSecret(string(text))
}

// About is the key without what is secret of it.
func (k *Key) About() Key {
	return Key{Kind: k.Kind, ID: k.ID, Hint: k.Hint, Region: k.Region, Project: k.Project, Resource: k.Resource}
}

// Signs reports whether the key signs calls, instead of being shown.
func (k *Key) Signs() bool { return k.Kind == AWS }

// Mints reports whether what is shown is a token that is fetched, and runs out.
func (k *Key) Mints() bool { return k.Kind == Google }

// Shown is the text that the provider is shown. The zero Secret: the key signs, or is exchanged by a Minter.
func (k *Key) Shown() sluice.Secret {
	if k.Kind != Text && k.Kind != Azure {
		return sluice.Secret{}
	}
	return sluice.NewSecret(k.parts().APIKey)
}

// MaySee reports whether host, in lower case, is one that a key of this region or resource is for. It holds the
// hosts of the provider's that a call may name; no other name can be made of a key.
func (k *Key) MaySee(host string) bool {
	switch k.Kind {
	case AWS:
		return slices.Contains(awsHosts(k.Region), host)
	case Google:
		return host == googleHost(k.Region)
	case Azure:
		return slices.Contains(azureHosts(k.Resource), host)
	}
	return false
}

// isLabel reports whether s can be a part of a host name, in lower case.
func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 60 && s[0] != '-' && s[len(s)-1] != '-'
}

// region reads the region of a key.
func (m members) region(example string) (string, error) {
	region := strings.ToLower(m.first("region", "defaultregion", "location"))
	switch {
	case region == "":
		return "", invalid("region", "the key has no region", `add "region": "`+example+`"`)
	case !isLabel(region):
		return "", invalid("region", "the region is no name of one", "such as "+example)
	}
	return region, nil
}
