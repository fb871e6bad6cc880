package cache

import (
	"context"
	"errors"
	"time"
)

// ErrExpired is what a Store answers where an entry has passed its time. Like any miss it may also
// say nothing.
var ErrExpired = errors.New("cache: the entry has expired")

// Store keeps entries. Safe for concurrent use. It may forget entries at any time; what it gives
// back is what it was given, under the same scope and key, and no later than it expires.
type Store interface {
	// Get returns the entry of key in scope, or nil and no error when there is none that holds at
	// now. The entry is shared: nobody changes it, its body or its header. An error is ErrExpired or
	// has sluice.KindUnavailable; both are misses.
	Get(ctx context.Context, scope Scope, key Key, now time.Time) (*Entry, error)
	// Put keeps e, which its caller no longer changes, in place of what key had. An entry that is too
	// large, or that finds no room in a queue, is dropped without an error, and counted. What is kept
	// is found by Get from the moment Put returns.
	Put(ctx context.Context, scope Scope, key Key, e *Entry) error
	// Purge removes what is selected, and returns how many entries it was. From the moment it returns
	// none of them is found, not after a restart either.
	Purge(ctx context.Context, what Selection) (int64, error)
	// Stats tells what is held of scope, as in Cache.Stats.
	Stats(ctx context.Context, scope Scope) (StoreStats, error)
}

// Near is a Store that holds some entries so near that no deadline is needed to look.
type Near interface {
	// Peek returns an entry as Get does, or nil when it would take longer than a look into memory.
	Peek(scope Scope, key Key, now time.Time) *Entry
}

// Selection names entries of a scope: those that all of its set fields fit.
type Selection struct {
	Scope    Scope  // the zero Scope: all; without a Gateway: all of the account's
	Provider string // slug of the target that answered; "": any
	Keys     []Key  // empty: any
}

// Covers reports whether what names the entry of key, which provider answered.
func (what Selection) Covers(scope Scope, key Key, provider string) bool {
	if !what.Scope.Covers(scope) || what.Provider != "" && what.Provider != provider {
		return false
	}
	for i := range what.Keys {
		if what.Keys[i] == key {
			return true
		}
	}
	return len(what.Keys) == 0
}

// StoreStats are the numbers of a Store. Evicted, Dropped and the limits are the whole store's,
// whatever scope was asked for.
type StoreStats struct {
	Memory, Disk Tier
	// Complete: Disk counts all there is. After a start it does so once the directory was read.
	Complete bool
	Dropped  int64 // entries that were not written, because the disk was too slow or failed
	Corrupt  int64 // files that were not what had been written, and removed
}

// Tier is one place where entries lie; an entry can lie in both.
type Tier struct {
	Entries int64
	Bytes   int64 // as they count against Limit
	Limit   int64 // 0: there is no such place
	Evicted int64 // entries that went for want of room
}
