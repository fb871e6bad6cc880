package cache_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

func record() cache.Record {
	return cache.Record{
		Scope: cache.Scope{Account: "acme", Gateway: "main"}, Key: cache.Key{1, 2, 31: 3},
		Entry: &cache.Entry{
			Head: cache.Head{
				Status: 201, Length: 4, Header: sluice.Header{{Name: "A", Value: "b"}, {Name: "A", Value: ""}, {Name: "Long", Value: string(make([]byte, 300))}},
				ByClose: true, Provider: "openai", Model: "m", Streamed: true, Step: 300,
			},
			Body: []byte("body"), Encoding: "gzip", Stored: time.Unix(1, 2), Expires: time.Unix(1<<33, 999),
		},
	}
}

func TestARecordComesBackAsItWas(t *testing.T) {
	empty := cache.Record{Entry: &cache.Entry{Stored: time.Unix(0, 0), Expires: time.Unix(0, 0), Body: []byte{}}}
	for _, r := range []cache.Record{record(), empty} {
		b := cache.AppendRecord([]byte("before"), r)[6:]
		got, err := cache.ParseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNoDamageOfARecordPasses(t *testing.T) {
	whole := cache.AppendRecord(nil, record())
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if _, err := cache.ParseRecord(b); err == nil {
				t.Errorf("bit %d of byte %d", bit, i)
			}
		}
		if _, err := cache.ParseRecord(whole[:i]); err == nil {
			t.Errorf("cut at %d", i)
		}
	}
	if _, err := cache.ParseRecord(append(whole, 0)); err == nil {
		t.Error("a byte more")
	}
}

func TestTheHeadOfARecordSaysHowMuchIsNeeded(t *testing.T) {
	whole := cache.AppendRecord(nil, record())
	n := int64(0)
	for range 3 {
		r, head, err := cache.ParseRecordHead(whole[:n])
		if err == nil {
			if head != int64(len(whole)-4) || r.Entry.Length != 4 || r.Entry.Provider != "openai" || r.Entry.Body != nil {
				t.Errorf("%d, %+v", head, r.Entry)
			}
			return
		}
		if head <= n {
			t.Fatalf("%d after %d", head, n)
		}
		n = head
	}
	t.Error("never enough")
}

// FuzzRecord reads anything. What is read is written as it was.
func FuzzRecord(f *testing.F) {
	f.Add(cache.AppendRecord(nil, record()))
	f.Add([]byte("SLCE\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := cache.ParseRecord(b)
		if err != nil {
			return
		}
		again, err := cache.ParseRecord(cache.AppendRecord(nil, r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzMeta reads records whose checksums fit, so that what lies behind them is reached.
func FuzzMeta(f *testing.F) {
	whole := cache.AppendRecord(nil, record())
	f.Add(whole[76 : len(whole)-4])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, meta []byte) {
		r, head, err := cache.ParseRecordHead(cache.WithMeta(meta))
		if err == nil && (head != int64(76+len(meta)) || len(r.Entry.Header) > len(meta)/2) {
			t.Errorf("%d bytes of meta: head %d, %d fields", len(meta), head, len(r.Entry.Header))
		}
	})
}
