// Package hello remembers the calls that came to nothing for a reason that whoever sets up a client can
// mend: a path without a provider, a gateway that does not exist, a rejected key. It is for the first hour with
// Sluice, when a call that fails must be explained and not hidden, and holds the last few only.
package hello

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	sluice "github.com/sluicehq/sluice"
)

const (
	// Size is how many different misses a Ring holds.
	Size = 50
	// maxGateways bounds the first successes that a Ring remembers.
	maxGateways = 10_000

	maxPath = 200
	maxText = 300
)

// Cause says in a word why a call came to nothing.
type Cause string

// The causes.
const (
	Malformed     Cause = "malformed"      // no HTTP request, or one against its rules: no part of Sluice saw it
	NoPath        Cause = "no_path"        // the path names no account and gateway
	NoGateway     Cause = "no_gateway"     // there is no such account or gateway
	NoProvider    Cause = "no_provider"    // the path names no provider
	Unauthorized  Cause = "unauthorized"   // the gateway wants a gateway token, or another one
	NoCredential  Cause = "no_credential"  // nothing to show to the provider
	TooLarge      Cause = "too_large"      // the body is over the limit
	Invalid       Cause = "invalid"        // the request cannot be read, or asks for what there is not
	Unreachable   Cause = "unreachable"    // the provider cannot be reached
	KeyRejected   Cause = "key_rejected"   // the provider rejects the key
	UnknownTarget Cause = "unknown_target" // the provider does not know the path or the model
)

// Call is a call as it is told to a Ring, which keeps no secret of it: neither the query nor any header's
// value is stored.
type Call struct {
	Time      time.Time
	Cause     Cause
	Status    int // that the caller got
	Code      int // the reference's code; 0: it has none
	Message   string
	Hint      string
	Method    string
	Target    string // as it stood on the request line
	Host      string
	UserAgent string
	Remote    net.Addr // the caller's address; nil: not known
	// Credential names the header field that carried a credential; "": none did.
	Credential string
	Account    string // "": none that exists
	Gateway    string // as the path names it
	Provider   string // slug; "": none that exists
	Model      string
	Key        string // the gateway token's name
	LogID      string // of the call's log entry; "": it has none
}

// Miss is a call that came to nothing, and how often it has since.
type Miss struct {
	Seq        uint64 // grows with each miss, and over restarts of the process if the clock does
	First      time.Time
	Last       time.Time
	Count      int64 // calls that were alike
	Cause      Cause
	Status     int
	Code       int
	Message    string
	Hint       string
	Method     string
	Path       string // without the query; what looks like a secret is redacted
	Host       string
	UserAgent  string
	Remote     string // masked: the last part of the address is left out, unless it is this machine
	Credential string
	Account    string
	Gateway    string
	Provider   string
	Model      string
	Key        string
	LogID      string // of the last of them
}

// alike reports whether m and o are the same mistake of the same caller.
func (m *Miss) alike(o *Miss) bool {
	return m.Cause == o.Cause && m.Status == o.Status && m.Method == o.Method && m.Path == o.Path && m.Host == o.Host &&
		m.UserAgent == o.UserAgent && m.Remote == o.Remote && m.Account == o.Account && m.Gateway == o.Gateway &&
		m.Provider == o.Provider && m.Model == o.Model && m.Credential == o.Credential && m.Key == o.Key
}

// Success is a call that went well.
type Success struct {
	Time     time.Time
	LogID    string
	Account  string
	Gateway  string
	Provider string
	Model    string
}

// place names a gateway.
type place struct{ account, gateway string }

// Ring holds the last misses, and the first success of each gateway since the process started. Safe for
// concurrent use. The zero Ring is empty and ready.
type Ring struct {
	seq atomic.Uint64
	// greeted are the gateways that have had a success: replaced, never changed, so that a call that goes
	// well costs one look.
	greeted atomic.Pointer[map[place]Success]

	mu     sync.Mutex
	misses []Miss // oldest first
}

// Add takes a miss.
func (r *Ring) Add(c *Call) {
	m := Miss{
		First: c.Time.UTC(), Last: c.Time.UTC(), Count: 1, Cause: c.Cause, Status: c.Status, Code: c.Code,
		Message: clean(cleanWords(c.Message), maxText), Hint: clean(c.Hint, maxText), Method: clean(c.Method, 16),
		Path: cleanPath(c.Target), Host: clean(c.Host, 128), UserAgent: clean(c.UserAgent, 128), Remote: mask(c.Remote),
		Credential: clean(c.Credential, 64), Account: clean(c.Account, 64), Gateway: cleanSegment(clean(c.Gateway, 64)), Provider: c.Provider,
		Model: clean(c.Model, 128), Key: clean(c.Key, 64), LogID: c.LogID,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A number of milliseconds, made unique: a client that comes back after a restart gets what is new.
	m.Seq = max(r.seq.Load()+1, uint64(max(c.Time.UnixMilli(), 0)))
	if i := slices.IndexFunc(r.misses, func(o Miss) bool { return o.alike(&m) }); i >= 0 {
		m.First, m.Count = r.misses[i].First, r.misses[i].Count+1
		r.misses = slices.Delete(r.misses, i, i+1)
	} else if len(r.misses) == Size {
		r.misses = slices.Delete(r.misses, 0, 1)
	}
	r.misses = append(r.misses, m)
	r.seq.Store(m.Seq)
}

// Seq is the Seq of the last miss; 0: there was none. It is cheap.
func (r *Ring) Seq() uint64 { return r.seq.Load() }

// Since returns copies of the misses whose Seq is larger than seq, oldest first.
func (r *Ring) Since(seq uint64) []Miss {
	if r.Seq() <= seq {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.misses, func(m Miss) bool { return m.Seq > seq })
	if i < 0 {
		return nil
	}
	return slices.Clone(r.misses[i:])
}

// Greeted reports whether gateway has had a success, so that Succeeded need not be called. It allocates
// nothing.
func (r *Ring) Greeted(account, gateway string) bool {
	known := r.greeted.Load()
	if known == nil {
		return false
	}
	_, ok := (*known)[place{account, gateway}]
	return ok || len(*known) >= maxGateways
}

// Succeeded takes a gateway's first success; others are dropped.
func (r *Ring) Succeeded(s Success) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Greeted(s.Account, s.Gateway) {
		return
	}
	s.Account, s.Gateway = strings.Clone(s.Account), strings.Clone(s.Gateway)
	s.Provider, s.Model = strings.Clone(s.Provider), clean(s.Model, 128)
	next := map[place]Success{{s.Account, s.Gateway}: s}
	if known := r.greeted.Load(); known != nil {
		for at, first := range *known {
			next[at] = first
		}
	}
	r.greeted.Store(&next)
}

// Successes returns the first success of each gateway of account, newest first.
func (r *Ring) Successes(account string) []Success {
	var all []Success
	if known := r.greeted.Load(); known != nil {
		for at, s := range *known {
			if at.account == account {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b Success) int { return b.Time.Compare(a.Time) })
	return all
}

// clean makes text safe to show: control characters and what is no UTF-8 are escaped, and it is cut to max
// bytes. The result shares nothing with s.
func clean(s string, most int) string {
	cut := len(s) > most
	if cut {
		s = s[:most]
	}
	var b strings.Builder
	for _, c := range strings.ToValidUTF8(s, "�") {
		switch {
		case c == ' ' || unicode.IsGraphic(c) && !unicode.Is(unicode.Zs, c) && !unicode.Is(unicode.Cf, c):
			b.WriteRune(c)
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// cleanPath is a request target's path, without its query and with what looks like a secret redacted.
func cleanPath(target string) string {
	if scheme, rest, ok := strings.Cut(target, "://"); ok && !strings.Contains(scheme, "/") {
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	if i := strings.IndexAny(target, "?#;"); i >= 0 {
		target = target[:i]
	}
	target = target[:min(len(target), 4<<10)]
	parts := strings.Split(target, "/")
	for i := range parts {
		parts[i] = cleanSegment(parts[i])
	}
	return clean(strings.Join(parts, "/"), maxPath)
}

// cleanWords redacts the words of a message that look like secrets: it may quote a part of a path.
func cleanWords(s string) string {
	words := strings.Split(s[:min(len(s), 4<<10)], " ")
	for i, w := range words {
		bare := strings.Trim(w, `"'`+"`,.:;()")
		if bare != "" && cleanSegment(bare) != bare {
			words[i] = strings.Replace(w, bare, "[redacted]", 1)
		}
	}
	return strings.Join(words, " ")
}

// secretPrefixes begin credentials of well-known kinds.
func secretPrefixes() []string {
	return []string{"sk-", "sk_", "slc_", "pk-", "rk-", "key-", "aiza", "gsk_", "xai-", "hf_", "r8_", "pplx-", "nvapi-", "akia", "ya29.", "eyj", "bearer"}
}

// cleanSegment redacts a part of a path that looks like a secret: it begins like one, or is long and as
// mixed as names are not. Account ids are hexadecimal, and shown.
func cleanSegment(s string) string {
	lower := strings.ToLower(s)
	if len(s) >= 12 && slices.ContainsFunc(secretPrefixes(), func(p string) bool { return strings.HasPrefix(lower, p) }) {
		return "[redacted]"
	}
	if len(s) < 20 || hexadecimal(s) {
		return s
	}
	digits, letters := 0, 0
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case unicode.IsLetter(c):
			letters++
		}
	}
	if digits >= 4 && letters >= 8 && !strings.ContainsAny(s, "-.:") || strings.Contains(s, "%") || len(s) > 64 {
		return "[redacted]"
	}
	return s
}

// hexadecimal reports whether s is an account id of the reference's kind: 32 hexadecimal digits, or a UUID.
func hexadecimal(s string) bool {
	digits := strings.ReplaceAll(s, "-", "")
	return len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// mask is an address without what tells one machine from its neighbours. Loopback is shown.
func mask(a net.Addr) string {
	if a == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	switch {
	case ip.IsLoopback():
		return ip.String()
	case ip.Is4():
		b := ip.As4()
		b[3] = 0
		return strings.TrimSuffix(netip.AddrFrom4(b).String(), "0") + "x"
	}
	p, err := ip.Prefix(48)
	if err != nil {
		return ""
	}
	return p.Masked().Addr().String() + "x"
}

// FromError is the cause that an error of Sluice's own kinds means, and whether it is one for a Ring.
func FromError(k sluice.Kind) (Cause, bool) {
	c, ok := map[sluice.Kind]Cause{
		sluice.KindNotFound: NoPath, sluice.KindNoGateway: NoGateway, sluice.KindNoProvider: NoProvider,
		sluice.KindUnauthorized: Unauthorized, sluice.KindForbidden: Unauthorized, sluice.KindNoCredential: NoCredential,
		sluice.KindTooLarge: TooLarge, sluice.KindInvalid: Invalid, sluice.KindUnsupported: Invalid,
		sluice.KindUpstream: Unreachable, sluice.KindTimeout: Unreachable,
	}[k]
	return c, ok
}

// FromStatus is the cause that a provider's status means, and whether it is one for a Ring.
func FromStatus(status int) (Cause, bool) {
	switch status {
	case 401, 403:
		return KeyRejected, true
	case 404, 405:
		return UnknownTarget, true
	}
	return "", false
}
