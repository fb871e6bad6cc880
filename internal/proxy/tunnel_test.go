package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// ends are the two ends of a tunnel in a test, and how it ended.
type ends struct {
	client, provider net.Conn
	verdict          chan verdict
	panics           func() int64
	stop             context.CancelCauseFunc
}

// dig makes a tunnel over pipes. session may be nil.
func dig(t *testing.T, idle time.Duration, session wire.Session) ends {
	t.Helper()
	p := &Proxy{logger: slog.New(slog.DiscardHandler)}
	x := &exchange{}
	x.proxy, x.start = p, time.Now()
	x.settings = &Settings{message: 1 << 20, timeouts: upstream.Timeouts{Idle: idle}}
	x.provider = &provider.Provider{}
	if session != nil {
		x.provider.Realtime = &provider.Realtime{Session: func() wire.Session { return session }}
	}
	client, ours := net.Pipe()
	theirs, far := net.Pipe()
	tunnel := x.newTunnel(ours, theirs)
	ctx, stop := context.WithCancelCause(t.Context())
	e := ends{client, far, make(chan verdict, 1), p.Panics, stop}
	go func() {
		v := tunnel.run(ctx)
		_ = ours.Close()
		e.verdict <- v
	}()
	return e
}

// read wants these bytes next.
func read(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func TestTunnelAnyFrameKeepsItOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, nil)
		ping := wsframe.Append(nil, wsframe.Ping, nil, &[4]byte{1, 2, 3, 4})
		for range 10 {
			time.Sleep(40 * time.Second)
			_, _ = e.client.Write(ping)
			read(t, e.provider, ping)
		}
		began := time.Now()
		told := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(e.provider)
			told <- all
		}()
		read(t, e.client, wsframe.AppendClose(nil, wsframe.CodeGoingAway, "no frame within 1m0s", nil))
		if d := time.Since(began); d != time.Minute {
			t.Errorf("it ended after %v", d)
		}
		_ = e.client.Close()
		if v := <-e.verdict; v.ending != sluice.EndingStalled {
			t.Errorf("%+v", v)
		}
		if all := <-told; len(all) < 2 || all[0] != 0x88 || all[1]&0x80 == 0 {
			t.Errorf("the provider got %q", all)
		}
	})
}

// TestTunnelNobodyAnswersTheClose: whoever does not take leave is not waited for.
func TestTunnelNobodyAnswersTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Hour, nil)
		bye := wsframe.AppendClose(nil, 1000, "bye", &[4]byte{})
		go func() { _, _ = e.client.Write(bye) }()
		read(t, e.provider, bye)
		began := time.Now()
		if v := <-e.verdict; v.ending != sluice.EndingComplete || time.Since(began) != closeGrace {
			t.Errorf("%+v after %v", v, time.Since(began))
		}
	})
}

// TestTunnelSlowProvider: a provider that takes nothing ends it, though it still sends.
func TestTunnelSlowProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, nil)
		var pings sync.WaitGroup
		pings.Go(func() { // the provider's own, every 10 s
			for {
				time.Sleep(10 * time.Second)
				if _, err := e.provider.Write(wsframe.Append(nil, wsframe.Ping, nil, nil)); err != nil {
					return
				}
			}
		})
		go func() { _, _ = io.Copy(io.Discard, e.client) }()
		_, _ = e.client.Write(wsframe.Append(nil, wsframe.Pong, nil, &[4]byte{}))
		if v := <-e.verdict; v.ending != sluice.EndingStalled {
			t.Errorf("%+v", v)
		}
		pings.Wait()
	})
}

// TestTunnelProviderBreaksTheProtocol: the client gets what came before, and is told.
func TestTunnelProviderBreaksTheProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, nil)
		good := wsframe.Append(nil, wsframe.Text, []byte("good"), nil)
		go func() { _, _ = e.provider.Write(append(bytes.Clone(good), 0xff, 0xff, 0xff)) }()
		read(t, e.client, good)
		read(t, e.client, wsframe.AppendClose(nil, wsframe.CodeInternal, wsframe.ErrReserved.Error(), nil))
		_, _ = io.ReadAll(e.provider)
		if v := <-e.verdict; v.ending != sluice.EndingCut || v.kind != "protocol" {
			t.Errorf("%+v", v)
		}
	})
}

// faultySession is a session with a fault.
type faultySession struct{}

func (faultySession) Write([]byte)                { panic("a fault") }
func (faultySession) End() (string, wire.Reading) { return "", wire.Reading{} }

// TestTunnelSurvivesItsMeter: a fault in what reads the messages stops no message.
func TestTunnelSurvivesItsMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, faultySession{})
		for range 2 {
			message := wsframe.Append(nil, wsframe.Text, []byte("hello"), nil)
			go func() { _, _ = e.provider.Write(message) }()
			read(t, e.client, message)
		}
		_ = e.client.Close()
		if v := <-e.verdict; v.ending != sluice.EndingClientGone || e.panics() != 1 {
			t.Errorf("%+v, %d panics", v, e.panics())
		}
	})
}

// TestTunnelTellsEachSideOnce: what one side answers to the end is not passed to the other.
func TestTunnelTellsEachSideOnce(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			e := dig(t, time.Minute, nil)
			e.stop(errShutdown)
			told := make(chan []byte, 1)
			go func() {
				all, _ := io.ReadAll(e.provider)
				told <- all
			}()
			read(t, e.client, wsframe.AppendClose(nil, wsframe.CodeRestart, "the gateway stops", nil))
			go func() { _, _ = e.client.Write(wsframe.AppendClose(nil, wsframe.CodeRestart, "", &[4]byte{})) }()
			if v := <-e.verdict; v.ending != sluice.EndingShutdown {
				t.Errorf("%+v", v)
			}
			_ = e.client.Close()
			var codes []int
			w := wsframe.Watcher{Masked: true}
			if _, err := w.Write(<-told, closings{&codes}); err != nil || len(codes) != 1 || codes[0] != wsframe.CodeGoingAway {
				t.Errorf("the provider is told %v, %v", codes, err)
			}
		})
	}
}

// closings gathers the codes of Close frames.
type closings struct{ codes *[]int }

func (closings) Frame(wsframe.Frame) error    { return nil }
func (closings) Data([]byte)                  {}
func (closings) End(bool)                     {}
func (c closings) Closing(code int, _ []byte) { *c.codes = append(*c.codes, code) }

// TestTunnelEndsWithinAFrame: then nothing can be told, and the client's connection just ends.
func TestTunnelEndsWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, nil)
		part := wsframe.Append(nil, wsframe.Binary, make([]byte, 100), nil)[:50]
		go func() { _, _ = e.provider.Write(part) }()
		read(t, e.client, part)
		e.stop(errShutdown)
		go func() { _, _ = io.Copy(io.Discard, e.provider) }()
		if rest, _ := io.ReadAll(e.client); len(rest) > 0 {
			t.Errorf("within the frame came %q", rest)
		}
		<-e.verdict
	})
}

// TestTunnelClosesOnce: a side that was sent the other's Close frame is not sent one of ours.
func TestTunnelClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := dig(t, time.Minute, nil)
		bye := wsframe.AppendClose(nil, 4000, "", nil)
		go func() { _, _ = e.provider.Write(bye) }()
		read(t, e.client, bye)
		e.stop(errShutdown)
		go func() { _, _ = io.Copy(io.Discard, e.provider) }()
		if rest, _ := io.ReadAll(e.client); len(rest) > 0 {
			t.Errorf("behind the Close came %q", rest)
		}
		<-e.verdict
	})
}
