// Package gateway is the set of all gateways: those that exist by themselves, those of the configuration
// and those that are stored. A request reads a Snapshot, which nothing changes; each change makes a new
// one.
//
// Three sources make a snapshot. The gateway default/default exists by itself, open, while all listeners
// are on loopback and until somebody deletes or changes it. A gateway of the configuration is changed
// there and nowhere else; it hides a stored one of the same id, which comes back when the configuration
// lets go. All others are stored: the management API makes them, and the first call with a token makes a
// missing gateway default of its account (cloudflare-ai-gateway.md, 1.1).
//
// Accounts are those of the configuration, and default. What is stored for another account stays stored.
package gateway

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Default is the id of the account and of the gateway that exist by themselves.
const Default = "default"

// Snapshot holds all gateways as they are at one moment. Nothing changes it.
type Snapshot struct {
	accounts map[string]*Account // by id and by alias
	ids      []string            // of accounts, sorted
}

// Account is a tenant. Who has one changes nothing of it.
type Account struct {
	ID       string
	Aliases  []string
	Gateways map[string]*sluice.Gateway // by id

	settings map[string]*Settings // by id, of the same gateways
}

// Account finds an account by its id or an alias. Ids of 32 hexadecimal digits come in both cases.
func (s *Snapshot) Account(nameOrAlias string) (Account, bool) {
	a, ok := s.accounts[nameOrAlias]
	if !ok {
		a, ok = s.accounts[strings.ToLower(nameOrAlias)]
	}
	if !ok {
		return Account{}, false
	}
	return *a, true
}

// Accounts yields all accounts, sorted by id.
func (s *Snapshot) Accounts() iter.Seq[Account] {
	return func(yield func(Account) bool) {
		for _, id := range s.ids {
			if !yield(*s.accounts[id]) {
				return
			}
		}
	}
}

// Gateway finds a gateway. account is an id or an alias. Its error has sluice.KindNoGateway and says how to
// add what is missing.
func (s *Snapshot) Gateway(account, id string) (*sluice.Gateway, error) {
	a, ok := s.Account(account)
	if !ok {
		return nil, noAccount(account, id)
	}
	if g := a.Gateways[id]; g != nil {
		return g, nil
	}
	return nil, noGateway(a.ID, id)
}

// Entry is a gateway and what was said of it.
type Entry struct {
	*sluice.Gateway
	Settings Settings
}

// Entry finds a gateway as Gateway does.
func (s *Snapshot) Entry(account, id string) (Entry, error) {
	g, err := s.Gateway(account, id)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Gateway: g, Settings: *s.accounts[g.Account].settings[id]}, nil
}

// Entries returns the account's gateways, sorted by id.
func (a Account) Entries() []Entry {
	list := make([]Entry, 0, len(a.Gateways))
	for _, id := range slices.Sorted(maps.Keys(a.Gateways)) {
		list = append(list, Entry{Gateway: a.Gateways[id], Settings: *a.settings[id]})
	}
	return list
}

func noAccount(account, id string) error {
	return &sluice.Error{
		Kind: sluice.KindNoGateway, Msg: "no account " + quote(account) + " is configured",
		Hint: "add accounts." + label(account) + ".gateways." + label(id) + " to the configuration, or make it an alias: accounts.default.aliases",
	}
}

func noGateway(account, id string) error {
	return &sluice.Error{
		Kind: sluice.KindNoGateway, Msg: "account " + quote(account) + " has no gateway " + quote(id),
		Hint: "sluice gateway create " + label(id) + "; or add accounts." + account + ".gateways." + label(id) + ": {} to the configuration",
	}
}

// quote shows what a client sent, bounded and printable.
func quote(s string) string { return "'" + printable(s) + "'" }

// label is s where a name belongs.
func label(s string) string {
	if s == "" {
		return "<id>"
	}
	return printable(s)
}

// printable returns at most 64 bytes of s, everything but printable ASCII replaced.
func printable(s string) string {
	const most = 64
	end := ""
	if len(s) > most {
		s, end = s[:most], "…"
	}
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '\'' && r != '"' && r != '\\' {
			return r
		}
		return '?'
	}, s) + end
}

// managed is the error of changing a gateway of the configuration.
func managed(account, id, file string) error {
	key := "accounts." + account + ".gateways." + id
	where := "the configuration"
	if file != "" {
		where = file
	}
	return &sluice.Error{
		Kind: sluice.KindConflict, Field: "id", Msg: fmt.Sprintf("gateway %s is managed by %s: %s", id, where, key),
		Hint: "change it there, or remove " + key + " to manage it here",
	}
}
