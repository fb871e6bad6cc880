// Package vault keeps provider keys: the credentials that the gateway shows providers for callers who bring
// none.
//
// Each is sealed by a data key, which lies in the database too, sealed by a master key that does not: a
// stolen database is useless alone. What a credential is for (account, gateway, provider, alias, hosts) is
// sealed with it, so that a row that was changed or moved cannot be opened. A secret comes in and never
// goes out: nothing here returns it but Credential.Secret, for the call to the provider.
//
// Vault answers from memory, by snapshots that nothing changes. Credentials that cannot be opened stay known
// as such: a call that would need one fails, and is not sent without.
package vault

import (
	"context"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// DefaultAlias is the alias of what is used where a call names none.
const DefaultAlias = "default"

// Bounds of what is stored.
const (
	maxAlias  = 64 // characters
	maxHosts  = 16
	maxPool   = 64   // credentials under one alias
	maxWeight = 1000 // of a credential
)

// Credential is a provider key and what it is for. One that a Vault returned shares its parts with all who
// have it: they are not changed.
type Credential struct {
	ID       string // a sluice.ID
	Account  string // id of the account, never an alias of it
	Gateway  string
	Provider string // slug
	// Alias is the name that calls choose it by. Several may have one alias: then each gets a share of the
	// calls.
	Alias string
	// Default: it also serves calls that name no alias, where none has DefaultAlias.
	Default bool
	Hint    string // last four characters of the secret; "": it is too short to show that many
	Weight  int    // its share, 1 to 1000
	// Hosts are those that it may be sent to besides the provider's own: lower case, with the port where
	// it is not the scheme's. They are for providers whose host is named by the call.
	Hosts []string
	// At most RateLimit calls are made with it in RateLimitPeriod seconds; 0 in either: any number.
	RateLimit, RateLimitPeriod int64

	Version  int64 // from 1; another one after every change
	Created  time.Time
	Modified time.Time
	LastUsed time.Time // zero: not that we know; good to a minute or two

	// Fault says why it cannot be used; "": it can. Rests is when the rest ends that it takes because the
	// provider refused it; zero: it takes none. Both are as they were when it was read.
	Fault string
	Rests time.Time
	About credential.Key // what of the key is no secret; zero where it has a Fault, and in what is stored

	key *credential.Key // nil: it cannot be opened, or is not to be had
	use *use            // shared by all copies
}

// Key is what the provider is shown, or what that is made of. nil: it cannot be opened, or was read by List or Get.
func (c *Credential) Key() *credential.Key { return c.key }

// Secret is the key as it is stored. The zero Secret: there is no Key.
func (c *Credential) Secret() sluice.Secret {
	if c.key == nil {
		return sluice.Secret{}
	}
	return c.key.Stored()
}

// Limit is the rate limit of the credential.
func (c *Credential) Limit() sluice.RateLimit {
	return sluice.RateLimit{Max: c.RateLimit, Per: time.Duration(c.RateLimitPeriod) * time.Second}
}

// MaySee reports whether host is one that the credential may be sent to: it names it, or its key is of a region or
// a resource that lives there.
func (c *Credential) MaySee(host string) bool {
	host = strings.ToLower(host)
	return slices.Contains(c.Hosts, host) || c.key != nil && c.key.MaySee(host)
}

// Stored is a credential as a Store keeps it; its Fault and Rests are not kept.
type Stored struct {
	Credential
	Sealed []byte
}

// Store keeps sealed credentials for good, and the sealed data key beside them. Every error that is not named
// here has sluice.KindUnavailable or is a fault.
type Store interface {
	// ListCredentials returns all credentials, oldest first.
	ListCredentials(ctx context.Context) ([]Stored, error)
	// PutCredential stores c where the credential of its id has version was; 0: where there is none.
	// Otherwise nothing changes, and the error has sluice.KindConflict. The last use is not changed.
	PutCredential(ctx context.Context, c Stored, was int64) error
	// DeleteCredential removes a credential. sluice.KindNotFound: there is none.
	DeleteCredential(ctx context.Context, id string) error
	// TouchCredentials notes when credentials were last used, by id. Ids that are not there are left out,
	// and no time goes back.
	TouchCredentials(ctx context.Context, used map[string]time.Time) error
	// DataKey returns the sealed data key; nil: there is none. One that was damaged is not nil.
	DataKey(ctx context.Context) ([]byte, error)
	// PutDataKey stores another sealed data key where was is there now; nil means none, in both places.
	// Otherwise nothing changes, and the error has sluice.KindConflict.
	PutDataKey(ctx context.Context, sealed, was []byte) error
}

// New says what credential to create.
type New struct {
	Account, Gateway, Provider string
	Alias                      string // "": DefaultAlias
	Secret                     sluice.Secret
	Kinds                      []credential.Kind // of several parts that the provider takes
	Default                    bool
	// Weight is its share of the calls, 1 to 1000. 0: it is alone, so its alias must be free.
	Weight                     int
	Hosts                      []string
	RateLimit, RateLimitPeriod int64
}

// Change says what to change of a credential. What is nil, and a zero Secret, stays.
type Change struct {
	Secret                     sluice.Secret
	Kinds                      []credential.Kind // as in New
	Alias                      *string
	Default                    *bool
	Weight                     *int
	Hosts                      *[]string
	RateLimit, RateLimitPeriod *int64
}

func invalid(field, msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
}

// check finds what is wrong with a credential that is to be.
func (c *Credential) check() error {
	switch {
	case c.Account == "" || c.Gateway == "" || c.Provider == "":
		return invalid("provider_slug", "a provider key needs an account, a gateway and a provider", "")
	case !isAlias(c.Alias):
		return invalid("alias", "the alias must be 1 to 64 letters, digits, - _ and .", "")
	case c.Weight < 1 || c.Weight > maxWeight:
		return invalid("weight", "the weight must be 1 to 1000", "")
	case c.RateLimit < 0 || c.RateLimit > 1<<53-1:
		return invalid("rate_limit", "the rate limit must be a number of calls, 0 for none", "")
	case c.RateLimitPeriod < 0 || c.RateLimitPeriod > 366*24*3600:
		return invalid("rate_limit_period", "the period must be 0 to a year, in seconds", "")
	case len(c.Hosts) > maxHosts:
		return invalid("hosts", "at most 16 hosts", "")
	}
	for _, h := range c.Hosts {
		if !isHost(h) {
			return invalid("hosts", "a host is a name like myresource.openai.azure.com, with :port where it needs one", "neither scheme nor path belong to it")
		}
	}
	return nil
}

func isAlias(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= maxAlias
}

// isHost reports whether s, in lower case, looks like a host and perhaps a port.
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("-.:[]_", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 260 && s[0] != '.' && s[0] != ':'
}

// parse reads a secret that is to be stored.
func parse(secret sluice.Secret, kinds []credential.Kind) (*credential.Key, error) {
	if value := secret.Reveal(); strings.HasPrefix(value, mask) || strings.Contains(value, secret.String()) {
		return nil, invalid("secret", "this is a key as it is shown, not the key", "leave secret out to keep the key that is stored")
	}
	return credential.Parse(secret, kinds...)
}

// mask stands where a secret is shown, before its hint.
const mask = "****"

// Preview is how the secret is shown.
func (c *Credential) Preview() string { return mask + c.Hint }

// cleanHosts sorts hosts, in lower case, each once. None is nil.
func cleanHosts(hosts []string) []string {
	if len(hosts) == 0 {
		return nil
	}
	list := make([]string, 0, len(hosts))
	for _, h := range hosts {
		list = append(list, strings.ToLower(strings.TrimSpace(h)))
	}
	slices.Sort(list)
	return slices.Compact(list)
}
