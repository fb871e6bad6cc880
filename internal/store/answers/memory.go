package answers

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/cache"
)

// memory holds entries by SIEVE (https://cachemon.github.io/SIEVE-website/): a queue in order of
// arrival, and a hand that goes from the oldest on, spares those that were used since it last came by,
// and evicts the next. A hit sets one flag, so hits run side by side, and what is asked for once only
// goes soon.
type memory struct {
	mu      sync.RWMutex
	limit   int64
	largest int64 // of one entry
	held    map[cache.Key]*held
	newest  *held
	oldest  *held
	hand    *held // nil: at the oldest
	all     usage
	scopes  map[cache.Scope]*usage
	evicted int64
}

// held is an entry in the queue.
type held struct {
	key          cache.Key
	scope        cache.Scope
	entry        *cache.Entry
	weight       int64
	used         atomic.Bool
	newer, older *held
}

// usage counts entries.
type usage struct{ entries, bytes int64 }

func newMemory(limit int64) *memory {
	return &memory{limit: limit, largest: limit, held: map[cache.Key]*held{}, scopes: map[cache.Scope]*usage{}}
}

// get returns the entry of key, or whether there is one that has expired.
func (m *memory) get(scope cache.Scope, key cache.Key, now time.Time) (e *cache.Entry, expired bool) {
	m.mu.RLock()
	h := m.held[key]
	m.mu.RUnlock()
	if h == nil || h.scope != scope {
		return nil, false
	}
	if !now.Before(h.entry.Expires) {
		return nil, true
	}
	if !h.used.Load() { // a write would take the line away from the other cores
		h.used.Store(true)
	}
	return h.entry, false
}

// put keeps e, unless it is too large. Without replace it leaves alone what is there.
func (m *memory) put(scope cache.Scope, key cache.Key, e *cache.Entry, replace bool) {
	h := &held{key: key, scope: scope, entry: e, weight: e.Weight()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.held[key]; old != nil {
		if !replace {
			return
		}
		m.remove(old)
	}
	if h.weight > m.largest {
		return
	}
	for m.all.bytes+h.weight > m.limit {
		m.evict()
	}
	m.held[key] = h
	if h.older = m.newest; h.older != nil {
		h.older.newer = h
	} else {
		m.oldest = h
	}
	m.newest = h
	m.count(h, 1)
}

// sweep removes all that have expired.
func (m *memory) sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.held {
		if !now.Before(h.entry.Expires) {
			m.remove(h)
		}
	}
}

// count keeps the sums.
func (m *memory) count(h *held, sign int64) {
	u := m.scopes[h.scope]
	if u == nil {
		u = &usage{}
		m.scopes[h.scope] = u
	}
	for _, u := range []*usage{u, &m.all} {
		u.entries += sign
		u.bytes += sign * h.weight
	}
	if u.entries == 0 {
		delete(m.scopes, h.scope)
	}
}

// evict removes the next entry that was not used since the hand last passed it. The memory is not
// empty.
func (m *memory) evict() {
	h := m.hand
	for {
		if h == nil {
			h = m.oldest
		}
		if !h.used.Swap(false) {
			break
		}
		h = h.newer
	}
	m.hand = h.newer
	m.remove(h)
	m.evicted++
}

// expire removes the entry of key, unless a newer one that holds has come.
func (m *memory) expire(key cache.Key, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[key]; h != nil && !now.Before(h.entry.Expires) {
		m.remove(h)
	}
}

// remove takes h out.
func (m *memory) remove(h *held) {
	if m.hand == h {
		m.hand = h.newer
	}
	if h.older != nil {
		h.older.newer = h.newer
	} else {
		m.oldest = h.newer
	}
	if h.newer != nil {
		h.newer.older = h.older
	} else {
		m.newest = h.older
	}
	delete(m.held, h.key)
	m.count(h, -1)
}

// purge removes what is selected and tells each key.
func (m *memory) purge(what cache.Selection, removed func(cache.Key)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(what.Keys) > 0 {
		for _, k := range what.Keys {
			if h := m.held[k]; h != nil && what.Covers(h.scope, k, h.entry.Provider) {
				m.remove(h)
				removed(k)
			}
		}
		return
	}
	for k, h := range m.held {
		if what.Covers(h.scope, k, h.entry.Provider) {
			m.remove(h)
			removed(k)
		}
	}
}

// tier tells what is held of a scope.
func (m *memory) tier(within func(cache.Scope) bool) cache.Tier {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := cache.Tier{Limit: m.limit, Evicted: m.evicted}
	for s, u := range m.scopes {
		if within(s) {
			t.Entries += u.entries
			t.Bytes += u.bytes
		}
	}
	return t
}
