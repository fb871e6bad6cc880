package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/wire"
)

// memorySink keeps an answer.
type memorySink struct {
	status int
	body   bytes.Buffer
}

func (s *memorySink) Head(status int, _ sluice.Header) { s.status = status }
func (s *memorySink) Write(p []byte) (int, error)      { return s.body.Write(p) }
func (s *memorySink) Flush() error                     { return nil }
func (s *memorySink) Trailer(sluice.Header)            {}
func (s *memorySink) BodyTimeout(time.Duration)        {}
func (s *memorySink) Duplex()                          {}

// newBare makes a Proxy with a real log and no upstream.
func newBare(t *testing.T, messages *bytes.Buffer) *Proxy {
	t.Helper()
	loaded, err := config.Load(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	table, err := provider.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(messages, nil))
	index, err := logindex.Open(t.Context(), t.TempDir(), logindex.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	log, err := reqlog.Open(t.Context(), reqlog.Options{Dir: t.TempDir(), Logger: logger}, index)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := index.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	gateways, err := gateway.Open(t.Context(), loaded, gateway.Options{Store: db, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Settings: NewSettings(&loaded.Config, gateways.Snapshot(), table, price.Embedded()), Log: log, Logger: logger, Memory: NewMemory(1 << 20), SpoolDir: t.TempDir(),
	})
}

// faulty is a meter that panics at its end.
type faulty struct{}

func (faulty) Write([]byte)        {}
func (faulty) Close() wire.Reading { panic("a fault of the meter") }
func (faulty) Seen() wire.Sighting { return 0 }

func TestAMeterThatPanicsCostsNoRow(t *testing.T) {
	var messages bytes.Buffer
	p := newBare(t, &messages)
	p.run = []stage{p.identify, p.decode, func(_ context.Context, x *exchange) error {
		x.meter = faulty{}
		x.entry().Ending, x.entry().Status = sluice.EndingComplete, 200
		return nil
	}}
	p.Serve(t.Context(), &front.Request{Method: "GET", Target: "/v1/default/default/openai/models"}, &memorySink{})
	page, err := p.log.List(t.Context(), reqlog.Query{Account: "default", Limit: 10})
	if err != nil || len(page.Rows) != 1 || !page.Rows[0].Entry.Success || len(page.Rows[0].Entry.Notes) != 1 || p.Panics() != 1 {
		t.Errorf("%+v, %v", page.Rows, err)
	}
}

func TestAPanicIsContained(t *testing.T) {
	for _, tt := range []struct {
		name     string
		headSent bool
		status   int
	}{{"before the answer it is a 500", false, 500}, {"behind the head the connection is broken off", true, 200}} {
		t.Run(tt.name, func(t *testing.T) {
			var messages bytes.Buffer
			p := newBare(t, &messages)
			p.run = []stage{p.identify, p.decode, func(_ context.Context, x *exchange) error {
				if tt.headSent {
					x.sink.Head(200, nil)
					x.headSent, x.entry().Status = true, 200
				}
				panic("a fault of ours")
			}}
			sink := &memorySink{}
			abort := p.Serve(t.Context(), &front.Request{Method: "GET", Target: "/v1/default/default/openai/models"}, sink)
			if abort != tt.headSent || sink.status != tt.status || bytes.Contains(sink.body.Bytes(), []byte("fault of ours")) {
				t.Errorf("abort %v, %d %q", abort, sink.status, sink.body.String())
			}
			page, err := p.log.List(t.Context(), reqlog.Query{Account: "default", Limit: 10})
			if err != nil || len(page.Rows) != 1 {
				t.Fatalf("%d rows, %v", len(page.Rows), err)
			}
			e := page.Rows[0].Entry
			if e.Ending != sluice.EndingPanic || e.Success || e.Status != tt.status || p.Panics() != 1 || p.Running() != 0 {
				t.Errorf("entry = %+v", e)
			}
			if !bytes.Contains(messages.Bytes(), []byte(e.ID.String())) || !bytes.Contains(messages.Bytes(), []byte("fault of ours")) {
				t.Errorf("messages: %s", messages.String())
			}
		})
	}
}
