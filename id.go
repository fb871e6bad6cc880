package sluice

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

// ID names one exchange. It is a UUIDv7 (RFC 9562, section 5.7) laid out so that it also gives the
// place of the exchange's log row:
//
//	48 bits  unix milliseconds of the exchange's start
//	 4 bits  version, 7
//	12 bits  counter, high part   \ 36 bits that grow within a millisecond
//	 2 bits  variant, 2            |
//	24 bits  counter, low part    /
//	32 bits  random
//	 6 bits  attempt: 0 for the request itself, n for its attempt n where attempts are shown singly
//
// Ids of one process sort by time of creation. The zero ID is no id.
type ID [16]byte

// errBadID says what ParseID wants.
var errBadID = errors.New("not a UUIDv7 such as 019a7b3e-5f2c-7d10-8a4e-0123456789c0")

const counterBits = 36

// ParseID reads the canonical text form, lower or upper case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errBadID
	}
	for i, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		at := [...]int{0, 4, 6, 8, 10}[i]
		if _, err := hex.Decode(id[at:], []byte(s[part[0]:part[1]])); err != nil {
			return ID{}, errBadID
		}
	}
	if id[6]>>4 != 7 || id[8]>>6 != 2 {
		return ID{}, errBadID
	}
	return id, nil
}

// String returns the canonical text form, lower case.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText is String; an ID in JSON is its text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// Milli returns the unix milliseconds of the id's time.
func (id ID) Milli() int64 {
	return int64(binary.BigEndian.Uint64(id[0:8]) >> 16)
}

// Time returns the id's time, to the millisecond, in UTC.
func (id ID) Time() time.Time { return time.UnixMilli(id.Milli()).UTC() }

// Counter returns the 36 bits that tell apart ids of one millisecond; they grow with creation.
func (id ID) Counter() int64 {
	high := int64(binary.BigEndian.Uint16(id[6:8]) & 0x0fff)
	low := int64(binary.BigEndian.Uint32(id[8:12])&0x3fffffff) >> 6
	return high<<24 | low
}

// Attempt returns the attempt's number, 0 for the request itself.
func (id ID) Attempt() int { return int(id[15] & 0x3f) }

// WithAttempt returns the id of the request's attempt n, 0 to 63.
func (id ID) WithAttempt(n int) ID {
	id[15] = id[15]&^0x3f | byte(n)&0x3f
	return id
}

// IDs makes ids that only grow. The zero IDs is ready; it is safe for concurrent use.
//
// When the clock steps back by up to ten seconds, ids go on from the last one, so that order holds;
// a longer step is followed, because a clock that was wrong for long must not decide the order of
// all that comes.
type IDs struct {
	mu      sync.Mutex
	milli   int64
	counter int64
	random  [256]byte // drawn ahead: one call of the kernel for many ids
	left    int
}

// maxStepBack is the longest backward step of the clock that ids count through, in milliseconds.
const maxStepBack = 10_000

// New returns the next id for an exchange that starts at now.
func (g *IDs) New(now time.Time) ID {
	milli := now.UnixMilli()
	g.mu.Lock()
	defer g.mu.Unlock()
	if back := g.milli - milli; back >= 0 && back <= maxStepBack {
		g.counter++
		if g.counter >= 1<<counterBits {
			g.milli, g.counter = g.milli+1, 0
		}
	} else {
		// The upper bit stays clear, so that a millisecond has room to count.
		g.milli, g.counter = milli, int64(g.bits())<<3|int64(g.bits()&7)
	}
	var id ID
	binary.BigEndian.PutUint64(id[0:8], uint64(g.milli)<<16|0x7000|uint64(g.counter>>24))
	binary.BigEndian.PutUint64(id[8:16], 1<<63|uint64(g.counter&0xffffff)<<38|uint64(g.bits())<<6)
	return id
}

// bits returns 32 random bits.
func (g *IDs) bits() uint32 {
	if g.left < 4 {
		_, _ = rand.Read(g.random[:]) // never fails, by its contract
		g.left = len(g.random)
	}
	g.left -= 4
	return binary.LittleEndian.Uint32(g.random[g.left:])
}

// MinID returns the smallest id of the millisecond that t lies in: a bound for searches by time.
func MinID(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[0:8], uint64(max(t.UnixMilli(), 0))<<16|0x7000)
	id[8] = 0x80
	return id
}
