package front

import (
	"context"
	"sync"
)

// connContext is the context of a connection's requests. It tells one of its end at a time by itself: that is
// what a request mostly needs, and costs a tenth of a context.AfterFunc.
type connContext struct {
	context.Context
	mu    sync.Mutex
	ended bool
	told  interface{ Ended() } // nil: nobody waits
}

// newConnContext makes a connContext within base.
func newConnContext(base context.Context) (*connContext, context.CancelCauseFunc) {
	inner, cancel := context.WithCancelCause(base)
	c := &connContext{Context: inner}
	context.AfterFunc(inner, c.end)
	return c, cancel
}

// OnEnd has e.Ended called when the context ends, in a goroutine of its own, at once if it has. false: it will not
// be, because another is told already.
func (c *connContext) OnEnd(e interface{ Ended() }) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		go e.Ended()
	case c.told != nil:
		return false
	default:
		c.told = e
	}
	return true
}

// OffEnd takes an OnEnd back, and reports whether e.Ended was and will not be called.
func (c *connContext) OffEnd(e interface{ Ended() }) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told != e {
		return false
	}
	c.told = nil
	return true
}

func (c *connContext) end() {
	c.mu.Lock()
	told := c.told
	c.ended, c.told = true, nil
	c.mu.Unlock()
	if told != nil {
		told.Ended()
	}
}
