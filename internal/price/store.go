package price

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fetched is what a Fetch brought. When Unchanged, there is no Body; else the caller closes it.
type Fetched struct {
	Body      io.ReadCloser
	ETag      string
	Unchanged bool // the server said that etag is still what it has
}

// Fetch gets url, conditionally when etag is not empty. It obeys ctx and checks the status: an answer
// that is neither a success nor "not modified" is an error.
type Fetch func(ctx context.Context, url, etag string) (Fetched, error)

// Store holds the catalogue in use. Load is one atomic read; the rest may be called at any time. It
// keeps no timer: its owner calls Refresh.
type Store struct {
	current atomic.Pointer[Catalogue]
	fetch   Fetch

	mu    sync.Mutex // held by Refresh and Override
	base  *Catalogue // without overrides
	over  []Override
	from  string
	etag  string // of base, when it came from the URL from
	state State
	seen  atomic.Pointer[State]
}

// State tells how the last refresh went. The zero State: none was tried.
type State struct {
	Version string    // of the catalogue in use
	Date    time.Time // of the catalogue in use
	From    string    // where the last refresh looked
	Tried   time.Time // when
	Changed time.Time // when the catalogue was last replaced; zero: it is the one of the start
	Err     error     // why the last refresh left the catalogue as it was; nil: it is the newest
}

// NewStore returns a store that holds base with the operator's prices on top. fetch is for URLs.
func NewStore(base *Catalogue, over []Override, fetch Fetch) *Store {
	s := &Store{fetch: fetch, base: base, over: over}
	s.put()
	s.report()
	return s
}

// Load returns the catalogue in use. Whoever prices a call takes it once and keeps it for the call.
func (s *Store) Load() *Catalogue { return s.current.Load() }

// State returns how the last refresh went.
func (s *Store) State() State { return *s.seen.Load() }

// Override replaces the operator's prices.
func (s *Store) Override(over []Override) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = over
	s.put()
}

func (s *Store) put() { s.current.Store(s.base.With(s.over)) }

func (s *Store) report() {
	s.state.Version, s.state.Date = s.base.version, s.base.date
	state := s.state
	s.seen.Store(&state)
}

// Refresh reads a catalogue from a file or, where from has a scheme, from a URL, and puts it into use
// if AcceptOver agrees. Else, whatever is wrong, the one in use stays, and the error says why; State has
// it too. now is the time to note.
func (s *Store) Refresh(ctx context.Context, from string, now time.Time) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, etag, err := s.read(ctx, from)
	if err == nil && next != nil {
		err = next.AcceptOver(s.base)
	}
	s.state.From, s.state.Tried, s.state.Err = from, now, nil
	switch {
	case err != nil:
		s.state.Err = fmt.Errorf("refresh prices from %s: %w", withoutQuery(from), err)
	case next != nil:
		s.from, s.etag = from, etag
		if next.version != s.base.version || !next.date.Equal(s.base.date) {
			s.state.Changed = now
		}
		s.base = next
		s.put()
	}
	s.report()
	return s.state, s.state.Err
}

// withoutQuery keeps what may be a credential out of messages.
func withoutQuery(from string) string {
	from, _, _ = strings.Cut(from, "?")
	return from
}

// read returns the catalogue at from, nil when it is still the one in use.
func (s *Store) read(ctx context.Context, from string) (next *Catalogue, etag string, err error) {
	if !strings.HasPrefix(from, "https://") && !strings.HasPrefix(from, "http://") {
		file, err := os.Open(strings.TrimPrefix(from, "file://"))
		if err != nil {
			return nil, "", err
		}
		defer file.Close()
		next, err = readAll(file)
		return next, "", err
	}
	if s.fetch == nil {
		return nil, "", errors.New("there is nothing to fetch a URL with")
	}
	known := ""
	if s.from == from {
		known = s.etag
	}
	got, err := s.fetch(ctx, from, known)
	if err != nil {
		return nil, "", err
	}
	if got.Unchanged {
		if known == "" {
			return nil, "", errors.New("the server says that it is unchanged, but nothing of it is known")
		}
		return nil, known, nil
	}
	if got.Body == nil {
		return nil, "", errors.New("no body came")
	}
	defer got.Body.Close()
	next, err = readAll(got.Body)
	return next, got.ETag, err
}

// readAll reads a catalogue, within its bound.
func readAll(r io.Reader) (*Catalogue, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}
