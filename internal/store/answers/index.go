package answers

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/cache"
)

// index knows the files of the disk tier, in the order of their last use. Not safe for concurrent
// use.
type index struct {
	files     map[cache.Key]*file
	newest    *file
	oldest    *file
	all       usage
	scopes    map[cache.Scope]*scope
	providers map[string]string // each slug once
}

// file is a file of the tier.
type file struct {
	key          cache.Key
	scope        *scope
	provider     string
	expiresAt    int64 // nanoseconds since 1970
	used         int64 // likewise; after a start, when it was written
	size         int64 // in whole blocks
	newer, older *file
}

// scope counts a scope's files.
type scope struct {
	name cache.Scope
	usage
}

func newIndex() index {
	return index{files: map[cache.Key]*file{}, scopes: map[cache.Scope]*scope{}, providers: map[string]string{}}
}

func (f *file) expires() time.Time { return time.Unix(0, f.expiresAt) }

// add puts a file in front, of which the index knows nothing yet. Of the entry its head is enough.
func (x *index) add(r cache.Record, size int64) *file {
	s := x.scopes[r.Scope]
	if s == nil {
		s = &scope{name: r.Scope}
		x.scopes[r.Scope] = s
	}
	slug, known := x.providers[r.Entry.Provider]
	if !known {
		slug = r.Entry.Provider
		x.providers[slug] = slug
	}
	f := &file{key: r.Key, scope: s, provider: slug, expiresAt: r.Entry.Expires.UnixNano(), size: blocks(size)}
	x.files[f.key] = f
	x.link(f)
	for _, u := range [...]*usage{&s.usage, &x.all} {
		u.entries++
		u.bytes += f.size
	}
	return f
}

// remove forgets a file.
func (x *index) remove(f *file) {
	x.unlink(f)
	delete(x.files, f.key)
	for _, u := range [...]*usage{&f.scope.usage, &x.all} {
		u.entries--
		u.bytes -= f.size
	}
	if f.scope.entries == 0 {
		delete(x.scopes, f.scope.name)
	}
}

// touch notes a use.
func (x *index) touch(f *file, now time.Time) {
	f.used = now.UnixNano()
	x.unlink(f)
	x.link(f)
}

// link puts f in front.
func (x *index) link(f *file) {
	f.newer, f.older = nil, x.newest
	if x.newest != nil {
		x.newest.newer = f
	} else {
		x.oldest = f
	}
	x.newest = f
}

func (x *index) unlink(f *file) {
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		x.newest = f.older
	}
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		x.oldest = f.newer
	}
	f.newer, f.older = nil, nil
}

// sort puts the files in the order of their last use.
func (x *index) sort() {
	all := make([]*file, 0, len(x.files))
	for _, f := range x.files {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *file) int { return int(min(max(a.used-b.used, -1), 1)) })
	x.newest, x.oldest = nil, nil
	for _, f := range all {
		x.link(f)
	}
}
