// Package auth knows gateway tokens: how they look, whose they are, and what they allow.
//
// Tokens of ours are known by their form: the prefix slc_, 43 characters that hold 256 random bits, and 6
// that hold a checksum, so that a value of another kind is told apart without looking anything up. An
// imported token is a value of the operator's choice, and known by its hash only. Of neither is more kept
// than the SHA-256; a token that was revoked leaves it behind, so that it stays known.
//
// Ring answers from memory: a request waits for no database, and a revocation holds for every request
// that comes after it was answered.
package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Permission is what a token is good for; several are joined by |.
type Permission uint8

// The permissions.
const (
	Run  Permission = 1 << iota // calls through a gateway
	Read                        // the management API, to look
	Edit                        // the management API, to change
)

// permissionNames are the permissions' names, by bit.
func permissionNames() [3]string { return [...]string{"run", "read", "edit"} }

// ParsePermissions reads names of permissions. Its error has sluice.KindInvalid.
func ParsePermissions(names []string) (Permission, error) {
	var p Permission
	all := permissionNames()
	for _, name := range names {
		i := slices.Index(all[:], strings.ToLower(strings.TrimSpace(name)))
		if i < 0 {
			return 0, &sluice.Error{
				Kind: sluice.KindInvalid, Field: "permissions",
				Msg: fmt.Sprintf("%.20q is no permission", name), Hint: "the permissions are run, read and edit",
			}
		}
		p |= 1 << i
	}
	return p, nil
}

// Names lists the permissions in p.
func (p Permission) Names() []string {
	names := []string{}
	for i, name := range permissionNames() {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names with commas.
func (p Permission) String() string { return strings.Join(p.Names(), ",") }

// Token is what is known of a gateway token, its value aside. One that Find returned shares its parts
// with all who found it: they are not changed.
type Token struct {
	ID          string   // a sluice.ID
	Name        string   // the operator's; among an account's valid tokens each has its own
	Account     string   // id of the account it belongs to, never an alias
	Gateways    []string // ids of the gateways that it is good for; nil: all of the account
	Permissions Permission
	Hint        string // last four characters of its value
	Imported    bool   // a value of the operator's choice
	Created     time.Time
	Expires     time.Time // zero: never
	Revoked     time.Time // zero: it was not
	LastUsed    time.Time // zero: not that we know; good to a minute or two

	used *use // shared by all copies; nil: not of a Ring
}

// use is what changes of a token while it is in use.
type use struct {
	last, written atomic.Int64  // unix seconds of the last use: as seen here, and as the store knows
	ended         chan struct{} // closed when it is revoked
	end           sync.Once
}

func newUse() *use { return &use{ended: make(chan struct{})} }

// Ended is closed when the token is revoked: what goes on for long and was let in by it ends then. It is
// not closed when the token expires. nil, of a Token that no Ring gave, never ends.
func (t *Token) Ended() <-chan struct{} {
	if t.used == nil {
		return nil
	}
	return t.used.ended
}

// Allows reports whether the token is good for p on a gateway of an account. An empty gateway means
// what is of no single gateway: a token for some gateways only does not allow that.
func (t *Token) Allows(account, gateway string, p Permission) bool {
	return t.Account == account && t.Permissions&p == p && p != 0 &&
		(t.Gateways == nil || gateway != "" && slices.Contains(t.Gateways, gateway))
}

// VerdictAt tells whether the token is Valid at a time, Expired or Revoked.
func (t *Token) VerdictAt(now time.Time) Verdict {
	switch {
	case !t.Revoked.IsZero():
		return Revoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return Expired
	}
	return Valid
}

// Verdict is what a value turned out to be.
type Verdict uint8

// The verdicts.
const (
	Foreign Verdict = iota // not ours: perhaps a provider's key
	Unknown                // ours by form and checksum, and not among the known
	Valid                  //
	Expired                //
	Revoked                //
)

// String names the verdict, for logs.
func (v Verdict) String() string {
	return [...]string{"foreign", "unknown", "valid", "expired", "revoked"}[min(v, Revoked)]
}

// Ours reports whether the value is a gateway token, good or not: one that no provider may see.
func (v Verdict) Ours() bool { return v != Foreign }

// Hash is the SHA-256 of a token's value.
type Hash [32]byte

// Stored is a token as a Store keeps it.
type Stored struct {
	Token
	Hash Hash
}

// Store keeps tokens for good. Every error that is not named here has sluice.KindUnavailable or is a fault.
type Store interface {
	// CreateToken keeps a token. sluice.KindConflict: the value is there already, revoked or not, or a
	// token of the account that was not revoked has the name; Field says which ("value", "name").
	CreateToken(ctx context.Context, t Stored) error
	// ListTokens returns all tokens, the revoked ones too, oldest first.
	ListTokens(ctx context.Context) ([]Stored, error)
	// RevokeToken marks a token as revoked. One that is already stays as it is. sluice.KindNotFound:
	// there is none.
	RevokeToken(ctx context.Context, id string, at time.Time) error
	// TouchTokens notes when tokens were last used, by id. Ids that are not there are left out, and no
	// time goes back.
	TouchTokens(ctx context.Context, used map[string]time.Time) error
}
