package vault

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Keys are the stored credentials that a gateway has for a provider. Nothing changes them.
type Keys struct {
	pools []*Pool // sorted by alias
	usual *Pool   // for calls that name no alias; nil: none
}

// Pool returns the credentials of an alias, "" for those of calls that name none; nil: there are none.
func (k *Keys) Pool(alias string) *Pool {
	if alias == "" {
		return k.usual
	}
	for _, p := range k.pools {
		if p.Alias == alias {
			return p
		}
	}
	return nil
}

// Aliases lists the aliases, sorted.
func (k *Keys) Aliases() []string {
	list := make([]string, len(k.pools))
	for i, p := range k.pools {
		list[i] = p.Alias
	}
	return list
}

// Pool is the credentials of one alias.
type Pool struct {
	Alias string
	// Version is another one after every change of the pool: with the alias it names what was shown to a
	// provider.
	Version string
	all     []*Credential // those that can be opened
}

// All are the credentials that can be used.
func (p *Pool) All() []*Credential { return p.all }

// Pick chooses a credential by weight, of those that do not rest and are not in not. Where all others rest,
// it is the one that wakes first, and awake is false. nil: none is left.
func (p *Pool) Pick(now time.Time, not []*Credential) (c *Credential, awake bool) {
	return p.pick(now, not, rand.Int64N)
}

func (p *Pool) pick(now time.Time, not []*Credential, draw func(n int64) int64) (*Credential, bool) {
	var weights int64
	var first *Credential // of those that rest, the one to wake first
	at := now.UnixNano()
	for _, c := range p.all {
		switch until := c.use.rests.Load(); {
		case slices.Contains(not, c):
		case until <= at:
			weights += int64(c.Weight)
		case first == nil || until < first.use.rests.Load():
			first = c
		}
	}
	if weights == 0 {
		return first, false
	}
	n := draw(weights)
	for _, c := range p.all {
		if slices.Contains(not, c) || c.use.rests.Load() > at {
			continue
		}
		if n -= int64(c.Weight); n < 0 {
			return c, true
		}
	}
	return first, false // all have gone to rest meanwhile
}

// use is what changes of a credential while it is in use.
type use struct {
	last, written atomic.Int64 // unix seconds of the last use: as seen here, and as the store knows
	rests         atomic.Int64 // unix nanoseconds until which it rests
	refusals      atomic.Int32 // in a row
}

// Refusal is why a provider did not take a credential.
type Refusal struct {
	// Quota: it may be good again soon, because only its calls are used up. Otherwise it is not valid, or
	// not for this.
	Quota bool
	After time.Duration // how long the provider said to wait; negative: it did not say
}

// The rests of a credential: the first, and the longest. They double from refusal to refusal.
const (
	restDenied, restDeniedMost = 30 * time.Second, 30 * time.Minute
	restQuota, restQuotaMost   = time.Second, 5 * time.Minute
)

// Refused lets the credential rest. Refusals of calls that ran at the same time count once.
func (c *Credential) Refused(r Refusal, now time.Time) {
	was := c.use.rests.Load()
	if was > now.UnixNano() {
		return
	}
	n := c.use.refusals.Load() + 1
	rest, most := restDenied, restDeniedMost
	if r.Quota {
		rest, most = restQuota, restQuotaMost
	}
	for i := n; i > 1 && rest < most; i-- {
		rest *= 2
	}
	if r.Quota && r.After >= 0 {
		rest = r.After
	}
	if c.use.rests.CompareAndSwap(was, now.Add(min(rest, most)).UnixNano()) {
		c.use.refusals.Store(n)
	}
}

// Served ends what Refused began: the provider has taken the credential.
func (c *Credential) Served() {
	if c.use.refusals.Load() != 0 {
		c.use.refusals.Store(0)
		c.use.rests.Store(0)
	}
}

// Used notes a use of the credential. It is cheap, and written behind.
func (c *Credential) Used(now time.Time) {
	// Most calls find the minute noted, and leave the line of memory to its readers.
	if at := now.Unix(); at-c.use.last.Load() >= int64(touchEvery/time.Second) {
		c.use.last.Store(at)
	}
}

// shown is a copy without the secret, with what its use has brought.
func (c *Credential) shown(now time.Time) Credential {
	s := *c
	if c.key != nil {
		s.About, s.key = c.key.About(), nil
	}
	if last := c.use.last.Load(); last > 0 {
		if used := time.Unix(last, 0).UTC(); used.After(s.LastUsed) {
			s.LastUsed = used
		}
	}
	if until := c.use.rests.Load(); until > now.UnixNano() {
		s.Rests = time.Unix(0, until).UTC()
	}
	return s
}

// place is what credentials are looked up by.
type place struct{ account, gateway, provider string }

// snapshot is all credentials at one time. It is not changed.
type snapshot struct {
	keys map[place]*Keys
	all  []*Credential // oldest first
}

// newSnapshot sorts credentials by what they are for.
func newSnapshot(all []*Credential) *snapshot {
	s := &snapshot{keys: map[place]*Keys{}, all: all}
	for _, c := range all {
		at := place{c.Account, c.Gateway, c.Provider}
		k := s.keys[at]
		if k == nil {
			k = &Keys{}
			s.keys[at] = k
		}
		k.add(c)
	}
	for _, k := range s.keys {
		k.finish()
	}
	return s
}

func (k *Keys) add(c *Credential) {
	p := k.Pool(c.Alias)
	if p == nil {
		p = &Pool{Alias: c.Alias}
		k.pools = append(k.pools, p)
	}
	p.Version += c.ID + ":" + strconv.FormatInt(c.Version, 10) + " "
	if c.Fault == "" {
		p.all = append(p.all, c)
	}
	if c.Alias == DefaultAlias || c.Default && (k.usual == nil || k.usual.Alias != DefaultAlias) {
		k.usual = p
	}
}

func (k *Keys) finish() {
	slices.SortFunc(k.pools, func(a, b *Pool) int { return strings.Compare(a.Alias, b.Alias) })
}
