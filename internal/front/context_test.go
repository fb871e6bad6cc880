package front

import (
	"context"
	"errors"
	"testing"
)

// told tells a test that a context has ended.
type told chan struct{}

func (t told) Ended() { close(t) }

func TestConnContextTellsOfItsEnd(t *testing.T) {
	ctx, cancel := newConnContext(t.Context())
	first, second := make(told), make(told)
	if !ctx.OnEnd(first) {
		t.Fatal("nobody was told, and it takes no one")
	}
	if ctx.OnEnd(second) {
		t.Error("it takes two")
	}
	if ctx.OffEnd(second) || !ctx.OffEnd(first) || ctx.OffEnd(first) {
		t.Error("only who is there can be taken back, once")
	}
	if !ctx.OnEnd(second) {
		t.Fatal("it takes no one after the first was taken back")
	}
	cancel(errGone)
	<-second
	if ctx.OffEnd(second) {
		t.Error("who was told was taken back")
	}
	late := make(told)
	if !ctx.OnEnd(late) {
		t.Fatal("it takes no one after its end")
	}
	<-late
	select {
	case <-first:
		t.Error("who was taken back was told")
	default:
	}
}

// A context's end reaches who waits however it came, and contexts that are made of it.
func TestConnContextEndsWithItsBase(t *testing.T) {
	base, stop := context.WithCancelCause(t.Context())
	ctx, cancel := newConnContext(base)
	defer cancel(nil)
	inner, done := context.WithCancel(ctx)
	defer done()
	e := make(told)
	ctx.OnEnd(e)
	stop(errGone)
	<-e
	<-inner.Done()
	if got := context.Cause(ctx); !errors.Is(got, errGone) {
		t.Errorf("its cause is %v, want its base's", got)
	}
}
