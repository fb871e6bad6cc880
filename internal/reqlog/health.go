package reqlog

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// trouble is one thing that can be wrong. The first that is wrong is what Stats.State says.
type trouble int

const (
	troubleWrite  trouble = iota // a write failed and is tried again
	troubleRows                  // disk too full for rows
	troubleBodies                // disk too full for bodies
	troubleStop                  // StopInserting, and the log is full
	troubleSync                  // a sync to disk failed
	troubleIndex                 // the index does not take records
	troubleCount
)

// health is what is wrong with the log. It is safe for concurrent use.
type health struct {
	mu        sync.Mutex
	states    [troubleCount]string
	lastError string
	lastTold  time.Time
	lastPanic time.Time
}

// report returns Stats.State and Stats.LastError.
func (h *health) report() (state, lastError string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.states {
		if s != "" {
			return s, h.lastError
		}
	}
	return "ok", h.lastError
}

// set says what is wrong with t; "" that all is well again. It reports whether that is news.
func (h *health) set(t trouble, state string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := h.states[t] != state
	h.states[t] = state
	return news
}

// tellEvery bounds how often the same failing thing is logged.
const tellEvery = 10 * time.Second

// failed notes err and logs it, the latter not too often.
func (h *health) failed(log *slog.Logger, msg string, err error) {
	h.mu.Lock()
	h.lastError = msg + ": " + err.Error()
	now := time.Now()
	tell := now.Sub(h.lastTold) >= tellEvery
	if tell {
		h.lastTold = now
	}
	h.mu.Unlock()
	if tell {
		log.LogAttrs(context.Background(), slog.LevelError, "the log is in trouble", slog.String("what", msg), slog.Any("error", err))
	}
}

// panicsEvery bounds how often panics are logged, each with its stack.
const panicsEvery = time.Second

// panicked notes a panic. It reports whether it is to be logged.
func (h *health) panicked(err error, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastError = err.Error()
	if !h.lastPanic.IsZero() && now.Sub(h.lastPanic) < panicsEvery {
		return false
	}
	h.lastPanic = now
	return true
}
