package answers

import "github.com/sluicehq/sluice/internal/cache"

// job is an entry on its way to disk.
type job struct {
	cache.Record
	weight int64
	off    bool // it was purged, or a newer one has come
}

// queue holds what is to be written, bounded in bytes. Not safe for concurrent use.
type queue struct {
	limit int64
	bytes int64
	jobs  []*job
	keyed map[cache.Key]*job // the newest of each key, until it is written
}

// add queues an entry in place of an older one, or reports that there is no room.
func (q *queue) add(r cache.Record) bool {
	q.cancel(r.Key)
	j := &job{Record: r, weight: r.Entry.Weight()}
	if q.bytes+j.weight > q.limit {
		return false
	}
	q.jobs, q.keyed[r.Key] = append(q.jobs, j), j
	q.bytes += j.weight
	return true
}

// cancel takes a key's entry out.
func (q *queue) cancel(k cache.Key) {
	if j := q.keyed[k]; j != nil {
		j.off = true
		delete(q.keyed, k)
		q.bytes -= j.weight
		j.Entry = nil // what waits in the queue is the job alone
	}
}

// first takes the oldest job and what it is to write; nil: there is none. The entry is still found,
// until done.
func (q *queue) first() (*job, cache.Record) {
	for len(q.jobs) > 0 {
		j := q.jobs[0]
		q.jobs[0] = nil
		q.jobs = q.jobs[1:]
		if !j.off {
			return j, j.Record
		}
	}
	q.jobs = nil
	return nil, cache.Record{}
}

// done ends a job that first gave.
func (q *queue) done(j *job) {
	if !j.off {
		q.cancel(j.Key)
	}
}

// purge takes out what is selected and tells each key.
func (q *queue) purge(what cache.Selection, gone func(cache.Key)) {
	for k, j := range q.keyed {
		if what.Covers(j.Scope, k, j.Entry.Provider) {
			q.cancel(k)
			gone(k)
		}
	}
}
