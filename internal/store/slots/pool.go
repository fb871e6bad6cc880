package slots

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// chunkSlots is how many slots a file grows by. Their bytes are whole pages of 4, 16 and 64 KB.
	chunkSlots = 1024

	// flushEvery is how often what was written is brought to the disk.
	flushEvery = time.Second
)

// kind is what is peculiar to one use of a pool.
type kind struct {
	magic string // how its file begins; at most 16 bytes
	what  string // what its slots hold, for messages: "limit counts"
}

// pool is slots of one kind, S, in chunks of a file that is mapped into memory; in memory alone where there is no
// file, or no room for one. S has no pointers. Whose slots are whose is the business of who takes them.
type pool[S any] struct {
	kind
	path     string // "": in memory
	logger   *slog.Logger
	allocate func(f *os.File, from, size int64) error // tests make it fail
	still    func(do func())                          // runs do while nobody writes into slots

	dirty atomic.Bool // something was written since the last flush

	mu      sync.Mutex // guards what follows
	free    []*S
	file    *file[S] // nil: in memory
	chunks  [][]S    // all there are, those of the file first
	slots   int
	trouble string

	stop chan struct{}
	done chan struct{}
}

// open takes the file's slots into use, and makes the file where there is none. index is told each chunk, and
// returns the slots in it that are free, and how many were damaged and are free for that. What goes wrong is logged,
// and leaves the pool in memory: a file that cannot be read is moved aside.
func (p *pool[S]) open(index func(chunk []S) (free []*S, damaged int)) {
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	if p.path != "" {
		p.openFile(index)
	}
	go p.flushLoop()
}

func (p *pool[S]) openFile(index func(chunk []S) (free []*S, damaged int)) {
	f, err := p.existing()
	if errors.Is(err, errDamaged) {
		p.inTrouble(p.what+" begin anew; their file was moved aside", err)
		if err = os.Rename(p.path, p.path+".damaged"); err == nil {
			err = os.ErrNotExist
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		f, err = p.create()
	}
	if err != nil {
		p.inTrouble(p.what+" are in memory only: a restart forgets them", err)
		return
	}
	p.file = f
	damaged := 0
	for _, chunk := range f.chunks {
		free, bad := index(chunk)
		p.chunks, p.slots, p.free = append(p.chunks, chunk), p.slots+len(chunk), append(p.free, free...)
		damaged += bad
		restBytes(bytesOf(chunk))
	}
	if damaged > 0 {
		p.inTrouble("slots of "+p.what+" were damaged, and begin anew", fmt.Errorf("%d slots", damaged))
	}
}

// take takes a free slot; nil: there is none.
func (p *pool[S]) take() *S {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return nil
	}
	s := p.free[last]
	p.free = p.free[:last]
	return s
}

// give makes a slot free.
func (p *pool[S]) give(s *S) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, s)
}

// size returns how many slots there are, and how many of them are free.
func (p *pool[S]) size() (slots, free int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slots, len(p.free)
}

// written notes that a slot was written into.
func (p *pool[S]) written() {
	if !p.dirty.Load() { // mostly it is, and its line of cache stays where it is read
		p.dirty.Store(true)
	}
}

// grow adds a chunk of slots, in memory when the file cannot have it. Only one call at a time.
func (p *pool[S]) grow() {
	p.mu.Lock()
	f := p.file
	p.mu.Unlock()
	var chunk []S
	var err error
	if f != nil {
		if chunk, err = f.next(p.allocate); err != nil {
			p.inTrouble(p.what+" of new keys are in memory only: their file cannot grow", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case f != nil && err == nil:
		f.chunks = append(f.chunks, chunk)
	case f != nil:
		f.short = true
		fallthrough
	default:
		chunk = make([]S, chunkSlots)
	}
	p.chunks = append(p.chunks, chunk)
	for i := range chunk {
		p.free = append(p.free, &chunk[i])
	}
	p.slots += len(chunk)
}

// inTrouble tells the operator.
func (p *pool[S]) inTrouble(msg string, err error) {
	p.mu.Lock()
	p.trouble = msg + ": " + err.Error()
	p.mu.Unlock()
	p.logger.Error("a file of counts is in trouble", "what", msg, "file", p.path, "error", err)
}

// health returns how the pool is.
func (p *pool[S]) health() Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Health{
		Persistent: p.file != nil && !p.file.short, Trouble: p.trouble,
		Keys: p.slots - len(p.free), Slots: p.slots,
	}
}

func (p *pool[S]) flushLoop() {
	defer close(p.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			err := p.flush()
			if err != nil && !failed {
				p.inTrouble(p.what+" do not get to the disk", err)
			}
			failed = err != nil
		}
	}
}

// flush brings what was written to the disk.
func (p *pool[S]) flush() error {
	p.mu.Lock()
	f := p.file
	var chunks [][]S
	if f != nil {
		chunks = f.chunks
	}
	p.mu.Unlock()
	if f == nil || !p.dirty.Swap(false) {
		return nil
	}
	err := f.flush(chunks, p.still)
	if err != nil {
		p.dirty.Store(true)
	}
	return err
}

// halt ends the flushing. close follows, when nobody uses slots any more.
func (p *pool[S]) halt() {
	close(p.stop)
	<-p.done
}

// close brings everything to the disk and lets the file go.
func (p *pool[S]) close() error {
	err := p.flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free, p.chunks = nil, nil
	if p.file == nil {
		return err
	}
	if closing := p.file.close(); err == nil {
		err = closing
	}
	p.file = nil
	return err
}
