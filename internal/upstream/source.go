package upstream

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// gate stands before a request's body, which net/http reads in a goroutine that may outlive the call.
// Once it is shut, no read begins any more, and none of a body in memory is under way.
type gate struct {
	mu   sync.Mutex
	down bool
	err  error // what failed in the source
}

var errSourceShut = errors.New("the call has ended")

func (g *gate) shut() {
	g.mu.Lock()
	g.down = true
	g.mu.Unlock()
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.down
}

// fail notes a failure of the source and returns it.
func (g *gate) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	return err
}

func (g *gate) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// memorySource reads a body in memory.
type memorySource struct {
	gate *gate
	rest []byte
}

// Read is io.Reader's.
func (s *memorySource) Read(p []byte) (int, error) {
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if s.gate.down {
		return 0, errSourceShut
	}
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close is io.Closer's.
func (s *memorySource) Close() error { return nil }

// streamSource reads a body from where it comes, left bytes of it, or all when left is -1.
type streamSource struct {
	gate  *gate
	from  io.Reader
	left  int64
	atEnd func() error // gives the trailers; nil: there are none
	ended bool
}

// Read is io.Reader's.
func (s *streamSource) Read(p []byte) (n int, err error) {
	if s.gate.isShut() {
		return 0, errSourceShut
	}
	if s.ended || s.left == 0 {
		return 0, io.EOF
	}
	if s.left > 0 && int64(len(p)) > s.left {
		p = p[:s.left]
	}
	defer func() {
		if v := recover(); v != nil {
			err = s.gate.fail(fmt.Errorf("panic in the body's source: %v", v))
		}
	}()
	n, err = s.from.Read(p)
	if s.left > 0 {
		s.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, s.gate.fail(err)
	case s.left > 0:
		return n, s.gate.fail(fmt.Errorf("%d bytes of the announced body are missing: %w", s.left, io.ErrUnexpectedEOF))
	}
	s.ended = true
	if s.atEnd != nil {
		if err := s.atEnd(); err != nil {
			return n, s.gate.fail(err)
		}
	}
	return n, io.EOF
}

// Close is io.Closer's.
func (s *streamSource) Close() error { return nil }
