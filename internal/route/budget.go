package route

import (
	"sync"
	"time"
)

// Budget bounds second tries to a share of first ones, per key, so that an outage upstream does not
// multiply the traffic to it. It looks at the last ten seconds; a few second tries are always allowed,
// for otherwise a quiet gateway could never try again, unless the share is none. Safe for concurrent use.
type Budget struct {
	mu   sync.Mutex
	keys map[string]*shares
}

const (
	budgetSeconds = 10
	// budgetFloor is how many second tries in budgetSeconds are always allowed.
	budgetFloor = 10
	// maxBudgetKeys bounds the memory: beyond it the counts of all keys begin anew.
	maxBudgetKeys = 10_000
)

// shares counts one key's tries by second.
type shares struct {
	first, second [budgetSeconds]int64
	at            [budgetSeconds]int64 // which second of the clock each slot holds
}

// NewBudget makes a Budget.
func NewBudget() *Budget { return &Budget{keys: make(map[string]*shares)} }

// First counts a first try at key.
func (b *Budget) First(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(key)
	s.first[s.slot(now)]++
}

// Take counts a second try at key if percent of the first ones leave room for it; 0: there is none.
func (b *Budget) Take(key string, percent int, now time.Time) bool {
	if percent <= 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.of(key)
	slot := s.slot(now)
	var first, second int64
	for i := range s.at {
		if age := now.Unix() - s.at[i]; age >= 0 && age < budgetSeconds {
			first += s.first[i]
			second += s.second[i]
		}
	}
	if second >= max(first*int64(percent)/100, budgetFloor) {
		return false
	}
	s.second[slot]++
	return true
}

// of finds the counts of key.
func (b *Budget) of(key string) *shares {
	s := b.keys[key]
	if s == nil {
		if len(b.keys) >= maxBudgetKeys {
			clear(b.keys)
		}
		s = &shares{}
		b.keys[key] = s
	}
	return s
}

// slot returns the index of now's second, emptied when it held another one.
func (s *shares) slot(now time.Time) int {
	second := now.Unix()
	i := int(((second % budgetSeconds) + budgetSeconds) % budgetSeconds)
	if s.at[i] != second {
		s.at[i], s.first[i], s.second[i] = second, 0, 0
	}
	return i
}
