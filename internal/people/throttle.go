package people

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// How many sign-ins may fail in a window: for one e-mail address, and from one address of the network.
const (
	throttleWindow = 15 * time.Minute
	perEmail       = 10
	perAddress     = 100
	slotsPerTable  = 1 << 14
)

// throttle counts sign-ins that failed. It is exact: an attempt counts before its password is looked at, so that
// many at once are no way around it. Its memory is fixed: keys share slots by a hash that nobody can foresee, and
// two that share one count together, so that a flood of other keys frees nobody from counting.
type throttle struct {
	seed      maphash.Seed
	mu        sync.Mutex
	emails    table
	addresses table
}

// table is the slots of one kind of key, in windows that begin with a key's first failure.
type table struct {
	most  int32
	slots []slot
}

type slot struct {
	begun time.Time
	count int32
}

func newThrottle() *throttle {
	return &throttle{
		seed:      maphash.MakeSeed(),
		emails:    table{perEmail, make([]slot, slotsPerTable)},
		addresses: table{perAddress, make([]slot, slotsPerTable)},
	}
}

// begin counts an attempt. wait above 0: it may not be made before so long has passed, and was not counted.
// Otherwise the attempt that succeeds calls undo.
func (t *throttle) begin(email, address string, now time.Time) (undo func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, a := t.emails.slot(t.seed, email, now), t.addresses.slot(t.seed, network(address), now)
	for _, s := range []struct {
		*slot
		most int32
	}{{e, t.emails.most}, {a, t.addresses.most}} {
		if s.count >= s.most {
			wait = max(wait, s.begun.Add(throttleWindow).Sub(now))
		}
	}
	if wait > 0 {
		return nil, wait
	}
	e.count++
	a.count++
	begunE, begunA := e.begun, a.begun
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, s := range []struct {
			*slot
			begun time.Time
		}{{e, begunE}, {a, begunA}} {
			if s.slot.begun.Equal(s.begun) && s.count > 0 { // of another window otherwise
				s.count--
			}
		}
	}, 0
}

// slot returns the slot of a key, emptied when its window is over.
func (t *table) slot(seed maphash.Seed, key string, now time.Time) *slot {
	s := &t.slots[maphash.String(seed, key)%uint64(len(t.slots))]
	if s.count == 0 || !now.Before(s.begun.Add(throttleWindow)) || now.Before(s.begun.Add(-throttleWindow)) {
		*s = slot{begun: now}
	}
	return s
}

// network is what an address counts as: an IPv6 host has a whole /64 to choose from.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
