// Package spend holds calls to budgets: the rules of a gateway's spend limits.
//
// What a call may cost is reserved before it is made, and settled when its cost is known. A budget lets a call
// through while what was spent and what is reserved are below its limit together. So the limit is passed by one call
// at most, plus what reservations fell short of their costs.
//
// A reservation is a hold under the id of the exchange, with the number of the universal request's step in place of
// the attempt. It outlives its process: what a dead one had reserved is booked as spent at the next start.
//
// Which budgets a call is of, Claims says; what to reserve, Ask and Outputs; where amounts are kept is a Store's
// business.
package spend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
)

// MostClaims is how many budgets one call can be of: there are no more rules in a gateway.
const MostClaims = 20

// Claim is one budget that a call is of.
type Claim struct {
	Key  string // names the budget
	Rule *sluice.SpendRule
}

// Store keeps what was spent of budgets, and what is reserved. It is safe for concurrent use. Its only error has
// sluice.KindUnavailable, and has changed nothing.
//
// A budget's rule may change at any time. A new limit holds at once for what was counted; a new length or technique
// of its window begins with nothing spent.
type Store interface {
	// Reserve makes amount what hold id keeps of each claim's budget, in one atomic step: of a new hold, or of one
	// that grows, only if every budget lets it (Fits); shrinking always works. A refusal changes nothing. now is the
	// caller's clock. There are MostClaims claims at most, and they stay those of the hold's beginning.
	Reserve(ctx context.Context, id sluice.ID, claims []Claim, amount sluice.NanoUSD, now time.Time) (Decision, error)
	// Settle books cost in the budgets of hold id, and ends the hold as how says. A hold that is not there, because
	// it was settled before, stays so: settled twice is once.
	Settle(ctx context.Context, id sluice.ID, cost sluice.NanoUSD, how How, now time.Time) error
	// Correct makes cost what was booked for hold id, if that was settled as Pending and is not older than an hour.
	// It counts where it was booked. What is corrected is so once.
	Correct(ctx context.Context, id sluice.ID, cost sluice.NanoUSD, now time.Time) error
	// Peek returns how a budget stands.
	Peek(ctx context.Context, claim Claim, now time.Time) (State, error)
	// List returns the budgets in use whose keys begin with prefix, those of which most was spent first, most at
	// most; and how many there are.
	List(ctx context.Context, prefix string, rule *sluice.SpendRule, most int, now time.Time) (list []Budget, total int, err error)
}

// How says what becomes of a hold whose cost is booked.
type How uint8

// The ways. Final: it ends. Pending: it ends, and its cost may be corrected. Part: it stays as it is, and more costs
// will come, as on a realtime connection.
const (
	Final How = iota
	Pending
	Part
)

// Decision says whether a call may be made.
type Decision struct {
	OK    bool
	Claim int           // which refused it first
	After time.Duration // how long until it may fit
	// Over has bit i set where the budget of claim i is used up and its rule only tells so.
	Over uint32
}

// State is how a budget stands.
type State struct {
	Spent    sluice.NanoUSD
	Reserved sluice.NanoUSD // for calls under way
	Reset    time.Duration  // until a new window begins (fixed), or until there is room (sliding; 0: there is)
}

// Budget is a budget in use.
type Budget struct {
	Key string // cut at its end where it is very long
	State
}

// Open reports whether the budget has room, whatever the rule does when it has none.
func (s State) Open(r *sluice.SpendRule, amount sluice.NanoUSD) bool {
	used := s.Spent + s.Reserved
	if used < 0 { // more than money can be
		return false
	}
	if r.Hard {
		return used < r.Limit && amount <= r.Limit-used
	}
	return used < r.Limit
}

// Window is the rule's window, as limits have it.
func Window(r *sluice.SpendRule) sluice.RateLimit {
	return sluice.RateLimit{Max: int64(r.Limit), Per: r.Per, Sliding: r.Sliding}
}

// Call is what rules look at.
type Call struct {
	Account, Gateway string
	Provider, Model  string
	Metadata         []sluice.MetaValue
}

// Claims appends the budgets that a call is of.
func Claims(into []Claim, rules []sluice.SpendRule, c *Call) []Claim {
	for i := range rules {
		r := &rules[i]
		if matches(r, c) && len(into) < MostClaims {
			into = append(into, Claim{Key: key(r, c), Rule: r})
		}
	}
	return into
}

// matches reports whether a call is of a rule.
func matches(r *sluice.SpendRule, c *Call) bool {
	field, _ := Mismatch(r, c)
	return field == ""
}

// Mismatch tells why a call is not of a rule: "provider", "model" or "metadata", and then of which key. "": it is.
func Mismatch(r *sluice.SpendRule, c *Call) (field, key string) {
	if r.Providers != nil && !contains(r.Providers, c.Provider) {
		return "provider", ""
	}
	if r.Models != nil && !fits(r.Models, c.Model) {
		return "model", ""
	}
	for i := range r.Metadata {
		k := &r.Metadata[i]
		value, ok := valueOf(c.Metadata, k.Key)
		if !ok || k.Values != nil && !contains(k.Values, value) {
			return "metadata", k.Key
		}
	}
	return "", ""
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// fits reports whether one of the patterns fits the name.
func fits(patterns []string, name string) bool {
	for _, p := range patterns {
		if wild(p, name) {
			return true
		}
	}
	return false
}

// wild matches a pattern in which * stands for any text.
func wild(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	for ok && star {
		if head, rest, star = strings.Cut(rest, "*"); !star {
			return strings.HasSuffix(s, head)
		}
		_, s, ok = strings.Cut(s, head)
	}
	return false
}

func valueOf(meta []sluice.MetaValue, key string) (string, bool) {
	for i := range meta {
		if meta[i].Key == key {
			return meta[i].Value, true
		}
	}
	return "", false
}

// Prefix is how the keys of a rule's budgets begin.
func Prefix(account, gateway string, r *sluice.SpendRule) string {
	return account + "\x00" + gateway + "\x00" + r.ID + "\x00"
}

// key names the budget of a call that is of r.
func key(r *sluice.SpendRule, c *Call) string {
	var b strings.Builder
	b.Grow(len(c.Account) + len(c.Gateway) + len(r.ID) + 3)
	for _, part := range [...]string{c.Account, c.Gateway, r.ID} {
		b.WriteString(part)
		b.WriteByte(0)
	}
	for i := range r.Metadata {
		if k := &r.Metadata[i]; k.Values == nil {
			value, _ := valueOf(c.Metadata, k.Key) // it is there, or the call were not of the rule
			b.WriteString(k.Key)
			b.WriteByte('\x01')
			b.WriteString(value)
			b.WriteByte(0)
		}
	}
	return b.String()
}

// Partition returns the values that a budget's key stands for, by the keys of its rule; nil: it has none. Long ones
// may be cut.
func Partition(budgetKey string) map[string]string {
	parts := strings.Split(budgetKey, "\x00")
	var values map[string]string
	for _, part := range parts[min(3, len(parts)):] {
		if k, v, ok := strings.Cut(part, "\x01"); ok {
			if values == nil {
				values = map[string]string{}
			}
			values[k] = v
		}
	}
	return values
}

// Technique is the reference's word for the rule's kind of window.
func Technique(r *sluice.SpendRule) string {
	if r.Sliding {
		return "sliding"
	}
	return "fixed"
}

// Refusal is the error of a call for which a rule's budget has no room (cloudflare-ai-gateway.md, A.2).
func Refusal(r *sluice.SpendRule, provider, model string, after time.Duration) *sluice.Error {
	seconds := int64((max(after, 0) + time.Second - 1) / time.Second)
	return &sluice.Error{
		Kind: sluice.KindSpendLimit,
		Msg: strings.TrimRight(fmt.Sprintf("Spend limit exceeded: rule '%s' (cost limit %s per %ds, %s) for %s %s",
			r.ID, price.Decimal(r.Limit), r.Per/time.Second, Technique(r), provider, model), " "),
		Hint: fmt.Sprintf("there may be room in %d s", seconds),
	}
}

// Forecast is what will have been spent at the end of a fixed window if it goes on as since its beginning, to three
// digits. false: it is too early to say, or the window is a sliding one.
func Forecast(r *sluice.SpendRule, s State) (sluice.NanoUSD, bool) {
	passed := r.Per - s.Reset
	if r.Sliding || passed < r.Per/20 || passed <= 0 {
		return 0, false
	}
	f := float64(s.Spent) * (float64(r.Per) / float64(passed))
	if f > 1e18 {
		return 0, false
	}
	digit := 1.0 // of the three that are told: it is a guess
	for f/digit >= 1000 {
		digit *= 10
	}
	return sluice.NanoUSD(math.Round(f/digit) * digit), true
}

// CorrectEntry corrects what was booked for an exchange whose costs have changed since, such as by an estimate of
// its tokens. What has no cost stays as it is.
func CorrectEntry(ctx context.Context, s Store, e *sluice.LogEntry, now time.Time) error {
	var errs []error
	for i := range e.Attempts {
		step := e.Attempts[i].Step
		if i+1 < len(e.Attempts) && e.Attempts[i+1].Step == step {
			continue // the last of a step speaks for all of it
		}
		if !e.Attempts[i].Priced {
			continue
		}
		cost := sluice.NanoUSD(0)
		for j := range e.Attempts {
			if a := &e.Attempts[j]; a.Step == step && a.Priced {
				cost += a.Cost
			}
		}
		errs = append(errs, s.Correct(ctx, e.ID.WithAttempt(step), cost, now))
	}
	return errors.Join(errs...)
}
