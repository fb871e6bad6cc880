package front

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// bothFronts runs test against h over our own server, and over net/http's.
func bothFronts(t *testing.T, h handlerFunc, test func(t *testing.T, addr string)) {
	t.Run("own", func(t *testing.T) { test(t, start(t, h, nil).addr) })
	t.Run("std", func(t *testing.T) {
		s := httptest.NewServer(NewStd(h))
		t.Cleanup(s.Close)
		test(t, strings.TrimPrefix(s.URL, "http://"))
	})
}

// TestBodyTimeoutBoundsEachPause: a body may take longer in all.
func TestBodyTimeoutBoundsEachPause(t *testing.T) {
	const pause = 300 * time.Millisecond
	more := make(chan struct{})
	bothFronts(t, func(ctx context.Context, req *Request, sink Sink) bool {
		sink.BodyTimeout(pause)
		begun := time.Now()
		if _, err := io.ReadFull(req.Body, make([]byte, 3)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Until(begun.Add(pause + time.Millisecond))) // what a bound on the whole would not survive
		more <- struct{}{}
		<-more
		return tell(ctx, req, sink)
	}, func(t *testing.T, addr string) {
		p := (&server{addr: addr}).dial(t)
		p.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
		<-more
		p.send("defghi")
		more <- struct{}{}
		if _, text := p.response(); text != `200 POST / x "defghi"` {
			t.Error(text)
		}
	})
}

func TestABodyThatPausesIsADeadline(t *testing.T) {
	bothFronts(t, func(ctx context.Context, req *Request, sink Sink) bool {
		sink.BodyTimeout(20 * time.Millisecond)
		_, err := io.ReadAll(req.Body)
		if !isTimeout(err) {
			t.Error(err)
		}
		sink.BodyTimeout(0)
		answerText(sink, 408, "slow")
		return false
	}, func(t *testing.T, addr string) {
		p := (&server{addr: addr}).dial(t)
		p.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
		if _, text := p.response(); text != "408 slow" {
			t.Error(text)
		}
	})
}
