// Package inflate lets a meter read an answer that has a content encoding: it decodes a copy beside the
// stream, in bounded memory, while the encoded bytes go on untouched.
package inflate

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// The bounds. What lies beyond them is not read, and counts that it might have changed are unknown.
const (
	// MaxKept is how many encoded bytes of a br or zstd answer are kept.
	MaxKept = 4 << 20
	// MaxDecoded is how many decoded bytes are read of an answer, apart from 32 for each encoded one:
	// events compress well, bombs a thousand times.
	MaxDecoded = 16 << 20
	// MaxCodings is how many codings may lie on top of each other.
	MaxCodings = 3
)

// Meter wraps m so that it sees decoded bytes; encoding is the answer's Content-Encoding. The second
// result is false when it cannot be read; the Meter then reads nothing at all.
//
// gzip and deflate are decoded as the bytes come: m sees what stands before a flush of the encoder
// when the flush has come. br and zstd would take megabytes for each stream, so their bytes are kept
// and decoded by Close; Seen tells nothing until then. Bytes that do not decode end the reading, and
// unless m had seen final usage by then, usage is unknown.
//
// Close must be called: a gzip or deflate stream under way holds a suspended coroutine.
func Meter(encoding string, m wire.Meter) (wire.Meter, bool) {
	if encoding == "" {
		return m, true
	}
	codings := strings.Split(encoding, ",")
	kept := codings[:0]
	for _, c := range codings {
		if c = strings.ToLower(strings.Trim(c, " \t")); c != "" && c != "identity" {
			kept = append(kept, c)
		}
	}
	if len(kept) > MaxCodings {
		return unread{}, false
	}
	// They are named in the order in which they were applied, so the last one is undone first.
	for _, c := range kept {
		switch c {
		case "gzip", "x-gzip":
			m = newLive(m, true)
		case "deflate":
			m = newLive(m, false)
		case "br":
			m = &late{m: m, open: openBrotli}
		case "zstd":
			m = &late{m: m, open: openZstd}
		default:
			return unread{}, false
		}
	}
	return m, true
}

// unread is the meter of what cannot be read.
type unread struct{}

func (unread) Write([]byte)        {}
func (unread) Close() wire.Reading { return wire.Reading{} }
func (unread) Seen() wire.Sighting { return 0 }

// gauge counts what goes in and what comes out.
type gauge struct{ in, out int64 }

// over reports whether more came out than an honest answer needs.
func (g gauge) over() bool { return g.out > MaxDecoded+32*g.in }

// end closes m. After a fault, usage that later bytes might have corrected is unknown.
func end(m wire.Meter, faulty bool) wire.Reading {
	r := m.Close()
	if faulty && r.Seen&wire.SeenUsage == 0 {
		r.Usage, r.Charges = sluice.Usage{}, nil
	}
	return r
}
