package upstream

import "context"

// departure breaks a connection off when the context of the call on it ends.
type departure struct {
	ctx  context.Context // the call's
	cn   *conn
	host string
}

// Ended breaks the connection off.
func (d *departure) Ended() {
	d.cn.abort(&Error{Stage: StageCanceled, Host: d.host, Err: context.Cause(d.ctx)})
}

// ender is a context that tells of its end at less cost than context.AfterFunc, as that of a client's connection
// does (package front). A context made of one is none.
type ender interface {
	OnEnd(e interface{ Ended() }) bool
	OffEnd(e interface{ Ended() }) bool
}

// watch has the connection broken off when ctx ends, until unwatch.
func (x *call) watch(ctx context.Context) {
	d := &departure{ctx: ctx, cn: x.cn, host: x.host.key.host}
	if e, ok := ctx.(ender); ok && e.OnEnd(d) {
		x.ender, x.leaving = e, d
		return
	}
	x.stop = context.AfterFunc(ctx, d.Ended)
}

// unwatch reports whether the connection was not broken off and will not be. Where it comes too late, that
// happens to this connection and no other.
func (x *call) unwatch() bool {
	if x.ender == nil {
		return x.stop()
	}
	calm := x.ender.OffEnd(x.leaving)
	x.ender, x.leaving = nil, nil
	x.stop = func() bool { return false }
	return calm
}
