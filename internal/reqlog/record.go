package reqlog

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// A record is its length, four bytes of a varint that is not shortened, and then fields. A field is
// a varint key, tag<<1 | wire, and its value: a varint (wire 0), or a length and bytes (wire 1). A
// reader skips the tags that it does not know, so tags can be added; they are never renumbered and
// never used again. Fields with the zero value are left out.
const (
	wireNumber = 0
	wireText   = 1

	lengthBytes = 4 // of a length that is filled in afterwards
	maxLength   = 1<<28 - 1
)

// Tags of a record.
const (
	tagKind      = 1
	tagCountOnly = 2
	tagParts     = 3 // and 4: by Side
	tagErased    = 5
	tagChanges   = 6
	tagIDs       = 7 // 16 bytes each

	tagID         = 8 // 16 bytes
	tagStartSec   = 9
	tagStartNano  = 10
	tagStatus     = 11
	tagFlags      = 12
	tagEnding     = 13
	tagCache      = 14
	tagTimeline   = 15
	tagUsage      = 16
	tagCost       = 17
	tagFeedback   = 18
	tagScore      = 19
	tagMetadata   = 20
	tagReqHeader  = 21
	tagRespHeader = 22
	tagAttempt    = 23
	tagAttempts   = 24 // how many, where they are not told one by one
	tagNote       = 25
	tagBody       = 26 // and 27: by Side
	tagCostBasis  = 28
	tagStep       = 29
	tagCharge     = 30
	tagSaved      = 31
	tagTexts      = 32 // and up: see texts
)

// The seconds of years 1 to 9999. Beyond them, which only a damaged record is, time.Time overflows where it is compared.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

// Bits of tagFlags, and of the flags of an attempt and a body.
const (
	flagSuccess = 1 << iota
	flagStreamed
	flagPriced
	flagScored
)

const (
	flagReused = 1 << iota
	flagAttemptPriced
)

const (
	flagTruncated = 1 << iota
	flagDropped
	flagOff
)

// Tags of an attempt, which is a text field that holds fields.
const (
	tagAttemptProvider = 1 + iota
	tagAttemptModel
	tagAttemptHost
	tagAttemptCause
	tagAttemptStatus
	tagAttemptFlags
	tagAttemptTimes
	tagAttemptUsage
	tagAttemptCost
	tagAttemptStep
)

// Tags of a charge, which is a text field that holds fields.
const (
	tagChargeModel = 1 + iota
	tagChargeTier
	tagChargeUsage
	tagChargeCost // one more than the cost, in zigzag; none: it is not known
)

// Tags of a saving, which is a text field that holds fields.
const (
	tagSavedCost = 1 + iota // one more than the cost, in zigzag; none: it is not known
	tagSavedTime
)

// Tags of a body, which is a text field that holds fields.
const (
	tagBodySize = 1 + iota
	tagBodyStored
	tagBodyType
	tagBodyEncoding
	tagBodyFlags
)

// maxAttemptCount bounds what a count of attempts may claim.
const maxAttemptCount = 63

// counted reports whether a count-only record carries one of texts: those that roll-ups ask for.
func counted(text int) bool {
	const upToKey, errorKind = 8, 10
	return text < upToKey || text == errorKind
}

// texts lists e's plain texts by tag, from tagTexts on: add at the end only.
func texts(e *sluice.LogEntry) [22]*string {
	return [...]*string{
		&e.Account, &e.Gateway, &e.Provider, &e.Model, &e.Served, &e.Endpoint, &e.Type, &e.Key,
		&e.Method, &e.Path, &e.ErrorKind, &e.ErrorText, &e.UserAgent, &e.EventID, &e.TraceID, &e.Finish,
		&e.Prices, &e.Tier, &e.Geo, &e.CacheReason,
		nil, nil, // room, so that the array's size does not change with each text
	}
}

// errRecord is what a record that cannot be read gives.
var errRecord = errors.New("malformed record")

// AppendEntry appends e's encoding to b: the same tagged fields as in a rows file.
// DecodeEntry reads it.
func AppendEntry(b []byte, e *sluice.LogEntry) []byte { return appendEntry(b, e, false) }

// DecodeEntry reads what AppendEntry wrote into e, over what it held, keeping the room of its slices.
// Its texts share one string: clone what outlives the entry.
func DecodeEntry(b []byte, e *sluice.LogEntry) error {
	r := Record{Entry: sluice.LogEntry{
		Metadata: e.Metadata, ReqHeader: e.ReqHeader, RespHeader: e.RespHeader, Attempts: e.Attempts, Charges: e.Charges, Notes: e.Notes,
	}}
	err := decodeRecord(string(b), &r, func(uint64) (uint64, uint32) { return 0, 0 })
	*e = r.Entry
	return err
}

// partRef names a part by the number of its block among all body blocks of the log. Which segment
// that block went to is known only once it is written, so records hold this, and readers get a Part.
type partRef struct {
	block          uint64
	offset, length uint32
}

// appendRecord appends a whole record.
func appendRecord(b []byte, kind Kind, e *sluice.LogEntry, parts *[2][]partRef, countOnly bool) []byte {
	b, at := openLength(b)
	b = putNumber(b, tagKind, uint64(kind))
	if countOnly {
		b = putNumber(b, tagCountOnly, 1)
	}
	b = appendEntry(b, e, countOnly)
	if parts != nil && !countOnly {
		for side := range parts {
			b = appendParts(b, tagParts+side, parts[side])
		}
	}
	closeLength(b, at)
	return b
}

// appendPatch appends the record of a patch: of e only what the changes name, and whose it is.
func appendPatch(b []byte, changes Changes, e *sluice.LogEntry) []byte {
	said := sluice.LogEntry{ID: e.ID, Start: e.Start, Account: e.Account, Gateway: e.Gateway}
	changes.Apply(&said, e)
	b, at := openLength(b)
	b = putNumber(b, tagKind, uint64(KindPatch))
	b = putNumber(b, tagChanges, uint64(changes))
	b = appendEntry(b, &said, false)
	closeLength(b, at)
	return b
}

// appendDelete appends the record of a deletion.
func appendDelete(b []byte, e *sluice.LogEntry, ids []sluice.ID) []byte {
	b, at := openLength(b)
	b = putNumber(b, tagKind, uint64(KindDelete))
	b = appendEntry(b, &sluice.LogEntry{ID: e.ID, Start: e.Start, Account: e.Account}, false)
	b = putKey(b, tagIDs, wireText)
	b = binary.AppendUvarint(b, uint64(len(ids)*len(sluice.ID{})))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	closeLength(b, at)
	return b
}

// appendErased appends what is left of a deleted exchange's record: its counts.
func appendErased(b []byte, e *sluice.LogEntry) []byte {
	b, at := openLength(b)
	b = putNumber(b, tagKind, uint64(KindEntry))
	b = putNumber(b, tagCountOnly, 1)
	b = putNumber(b, tagErased, 1)
	b = appendEntry(b, e, true)
	closeLength(b, at)
	return b
}

func appendParts(b []byte, tag int, parts []partRef) []byte {
	if len(parts) == 0 {
		return b
	}
	b, at := openText(b, tag)
	var before uint64
	for _, p := range parts {
		b = binary.AppendVarint(b, int64(p.block-before))
		b = binary.AppendUvarint(b, uint64(p.offset))
		b = binary.AppendUvarint(b, uint64(p.length))
		before = p.block
	}
	closeLength(b, at)
	return b
}

func appendEntry(b []byte, e *sluice.LogEntry, countOnly bool) []byte {
	b = appendCounted(b, e, countOnly)
	if countOnly {
		return appendCountedParts(b, e)
	}
	b = putNumber(b, tagFeedback, zigzag(int64(e.Feedback)))
	b = putNumber(b, tagScore, math.Float64bits(e.Score))
	for i := range e.Metadata {
		m := &e.Metadata[i]
		b = putKey(b, tagMetadata, wireText)
		b = binary.AppendUvarint(b, uint64(1+pairLen(m.Key, m.Value)))
		b = append(b, byte(m.Kind))
		b = putPair(b, m.Key, m.Value)
	}
	b = appendHeader(b, tagReqHeader, e.ReqHeader)
	b = appendHeader(b, tagRespHeader, e.RespHeader)
	for i := range e.Attempts {
		b = appendAttempt(b, &e.Attempts[i])
	}
	for i := range e.Charges {
		b = appendCharge(b, &e.Charges[i])
	}
	for _, n := range e.Notes {
		b = putKey(b, tagNote, wireText)
		b = binary.AppendUvarint(b, uint64(len(n)))
		b = append(b, n...)
	}
	return b
}

// appendCountedParts appends what roll-ups need of the attempts and charges: where there is one attempt, that there
// is one.
func appendCountedParts(b []byte, e *sluice.LogEntry) []byte {
	if len(e.Attempts) > 1 && len(e.Attempts) <= maxAttemptCount {
		for _, a := range e.Attempts {
			a.Host = ""
			b = appendAttempt(b, &a)
		}
	} else {
		b = putNumber(b, tagAttempts, uint64(min(len(e.Attempts), maxAttemptCount)))
	}
	for i := range e.Charges {
		b = appendCharge(b, &e.Charges[i])
	}
	return b
}

// appendCounted appends what roll-ups need, and the rest of the plain fields unless countOnly.
func appendCounted(b []byte, e *sluice.LogEntry, countOnly bool) []byte {
	b = putKey(b, tagID, wireText)
	b = append(b, byte(len(e.ID)))
	b = append(b, e.ID[:]...)
	if !e.Start.IsZero() {
		b = putNumber(b, tagStartSec, zigzag(e.Start.Unix())+1) // one more, so that second 0 is told
		b = putNumber(b, tagStartNano, uint64(e.Start.Nanosecond()))
	}
	b = putNumber(b, tagStatus, zigzag(int64(e.Status)))
	b = putNumber(b, tagFlags, bit(e.Success, flagSuccess)|bit(e.Streamed, flagStreamed)|
		bit(e.Priced, flagPriced)|bit(e.Scored, flagScored))
	b = putNumber(b, tagEnding, uint64(e.Ending))
	b = putNumber(b, tagCache, uint64(e.Cache))
	b = putNumber(b, tagCost, zigzag(int64(e.Cost)))
	b = putNumber(b, tagCostBasis, uint64(e.CostBasis))
	b = putNumber(b, tagStep, zigzag(int64(e.Step)))
	t := &e.Timeline
	b = putTimes(b, tagTimeline, [...]time.Duration{t.Received, t.Connected, t.Sent, t.FirstByte, t.FirstToken, t.End})
	b = putUsage(b, tagUsage, &e.Usage)
	for i, s := range texts(e) {
		if s != nil && (!countOnly || counted(i)) {
			b = putText(b, tagTexts+i, *s)
		}
	}
	b = appendSaving(b, &e.Saved)
	b = appendBody(b, tagBody, &e.Request, countOnly)
	return appendBody(b, tagBody+1, &e.Response, countOnly)
}

func appendHeader(b []byte, tag int, h sluice.Header) []byte {
	for i := range h {
		b = putKey(b, tag, wireText)
		b = binary.AppendUvarint(b, uint64(pairLen(h[i].Name, h[i].Value)))
		b = putPair(b, h[i].Name, h[i].Value)
	}
	return b
}

func appendAttempt(b []byte, a *sluice.Attempt) []byte {
	b, at := openText(b, tagAttempt)
	b = putText(b, tagAttemptProvider, a.Provider)
	b = putText(b, tagAttemptModel, a.Model)
	b = putText(b, tagAttemptHost, a.Host)
	b = putText(b, tagAttemptCause, a.Cause)
	b = putNumber(b, tagAttemptStatus, zigzag(int64(a.Status)))
	b = putNumber(b, tagAttemptFlags, bit(a.Reused, flagReused)|bit(a.Priced, flagAttemptPriced))
	b = putTimes(b, tagAttemptTimes, [...]time.Duration{a.Start, a.Connect, a.First, a.End, 0, 0})
	b = putUsage(b, tagAttemptUsage, &a.Usage)
	b = putNumber(b, tagAttemptCost, zigzag(int64(a.Cost)))
	b = putNumber(b, tagAttemptStep, zigzag(int64(a.Step)))
	closeLength(b, at)
	return b
}

func appendCharge(b []byte, c *sluice.Charge) []byte {
	b, at := openText(b, tagCharge)
	b = putText(b, tagChargeModel, c.Model)
	b = putText(b, tagChargeTier, c.Tier)
	b = putUsage(b, tagChargeUsage, &c.Usage)
	if c.Priced {
		b = putNumber(b, tagChargeCost, zigzag(int64(c.Cost))+1)
	}
	closeLength(b, at)
	return b
}

func appendSaving(b []byte, s *sluice.Saving) []byte {
	if *s == (sluice.Saving{}) {
		return b
	}
	b, at := openText(b, tagSaved)
	if s.Priced {
		b = putNumber(b, tagSavedCost, zigzag(int64(s.Cost))+1)
	}
	b = putNumber(b, tagSavedTime, zigzag(int64(s.Time)))
	closeLength(b, at)
	return b
}

func appendBody(b []byte, tag int, y *sluice.Body, countOnly bool) []byte {
	if *y == (sluice.Body{}) {
		return b
	}
	b, at := openText(b, tag)
	b = putNumber(b, tagBodySize, zigzag(y.Size))
	if !countOnly {
		b = putNumber(b, tagBodyStored, zigzag(y.Stored))
		b = putText(b, tagBodyType, y.Type)
		b = putText(b, tagBodyEncoding, y.Encoding)
		b = putNumber(b, tagBodyFlags, bit(y.Truncated, flagTruncated)|bit(y.Dropped, flagDropped)|bit(y.Off, flagOff))
	}
	closeLength(b, at)
	return b
}

// recordBound returns a length that e's record does not pass.
func recordBound(e *sluice.LogEntry, parts *[2][]partRef) int {
	n := 1000 // all numbers at their longest, and the keys of the texts
	for _, s := range texts(e) {
		if s != nil {
			n += len(*s)
		}
	}
	n += len(e.Request.Type) + len(e.Request.Encoding) + len(e.Response.Type) + len(e.Response.Encoding)
	for i := range e.Metadata {
		n += 16 + len(e.Metadata[i].Key) + len(e.Metadata[i].Value)
	}
	for i := range e.ReqHeader {
		n += 16 + len(e.ReqHeader[i].Name) + len(e.ReqHeader[i].Value)
	}
	for i := range e.RespHeader {
		n += 16 + len(e.RespHeader[i].Name) + len(e.RespHeader[i].Value)
	}
	for i := range e.Attempts {
		n += attemptBound(&e.Attempts[i])
	}
	for i := range e.Charges {
		n += chargeBound(&e.Charges[i])
	}
	for _, s := range e.Notes {
		n += 8 + len(s)
	}
	if parts != nil {
		n += 20 * (len(parts[0]) + len(parts[1]))
	}
	return n
}

func attemptBound(a *sluice.Attempt) int {
	return 400 + len(a.Provider) + len(a.Model) + len(a.Host) + len(a.Cause)
}

func chargeBound(c *sluice.Charge) int { return 320 + len(c.Model) + len(c.Tier) }

// slim returns what is kept of an entry that is too large for a record: cut texts, no headers.
func slim(e *sluice.LogEntry) *sluice.LogEntry {
	const most, many = 4096, 16
	s := *e
	for _, t := range texts(&s) {
		if t != nil {
			*t = cut(*t, most)
		}
	}
	for _, y := range []*sluice.Body{&s.Request, &s.Response} {
		y.Type, y.Encoding = cut(y.Type, most), cut(y.Encoding, most)
	}
	s.ReqHeader, s.RespHeader = nil, nil
	s.Metadata = nil
	for _, m := range e.Metadata[:min(len(e.Metadata), many)] {
		s.Metadata = append(s.Metadata, sluice.MetaValue{Key: cut(m.Key, most), Value: cut(m.Value, most), Kind: m.Kind})
	}
	s.Attempts = nil
	for _, a := range e.Attempts[:min(len(e.Attempts), many)] {
		a.Provider, a.Model = cut(a.Provider, most), cut(a.Model, most)
		a.Host, a.Cause = cut(a.Host, most), cut(a.Cause, most)
		s.Attempts = append(s.Attempts, a)
	}
	s.Charges = nil
	for _, c := range e.Charges[:min(len(e.Charges), many)] {
		c.Model, c.Tier = cut(c.Model, most), cut(c.Tier, most)
		s.Charges = append(s.Charges, c)
	}
	s.Notes = []string{"too large for the log: headers left out, texts cut"}
	return &s
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// The writers of single fields.

func putKey(b []byte, tag int, wire uint64) []byte {
	return binary.AppendUvarint(b, uint64(tag)<<1|wire)
}

func putNumber(b []byte, tag int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(putKey(b, tag, wireNumber), v)
}

func putText(b []byte, tag int, s string) []byte {
	if s == "" {
		return b
	}
	b = binary.AppendUvarint(putKey(b, tag, wireText), uint64(len(s)))
	return append(b, s...)
}

func putTimes(b []byte, tag int, times [6]time.Duration) []byte {
	if times == ([6]time.Duration{}) {
		return b
	}
	b, at := openText(b, tag)
	for _, t := range times {
		b = binary.AppendVarint(b, int64(t))
	}
	closeLength(b, at)
	return b
}

// putUsage tells the basis, and then class and count of each class that is known.
func putUsage(b []byte, tag int, u *sluice.Usage) []byte {
	if u.Basis == sluice.BasisNone && !u.Known() {
		return b
	}
	b, at := openText(b, tag)
	b = append(b, byte(u.Basis))
	for c := range sluice.ClassCount {
		if n, known := u.Get(c); known {
			b = append(b, byte(c))
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	closeLength(b, at)
	return b
}

func pairLen(name, value string) int {
	n := len(name)
	for size := n; size >= 0x80; size >>= 7 {
		n++
	}
	return n + 1 + len(value)
}

func putPair(b []byte, name, value string) []byte {
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	return append(b, value...)
}

// openText begins a text field whose length closeLength fills in.
func openText(b []byte, tag int) ([]byte, int) { return openLength(putKey(b, tag, wireText)) }

func openLength(b []byte) ([]byte, int) {
	return append(b, 0x80, 0x80, 0x80, 0), len(b)
}

func closeLength(b []byte, at int) {
	n := len(b) - at - lengthBytes
	b[at], b[at+1], b[at+2], b[at+3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)|0x80, byte(n>>21)&0x7f
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func bit(on bool, flag uint64) uint64 {
	if on {
		return flag
	}
	return 0
}

// fields reads fields off a string: the record's one string, so that texts cost nothing more.
type fields struct {
	s   string
	at  int // of what is left: moving on writes no pointer, which would cost more while memory is collected
	bad bool

	tag      int
	isText   bool
	n        uint64 // of a number
	from, to int    // of a text
}

// done reports whether nothing is left.
func (f *fields) done() bool { return f.at >= len(f.s) }

// rest returns what is left.
func (f *fields) rest() string { return f.s[f.at:] }

// text returns the text that next has moved to; "" if it is a number.
func (f *fields) text() string { return f.s[f.from:f.to] }

// next moves to the next field; false at the end, or when what is left is malformed.
func (f *fields) next() bool {
	if f.bad || f.done() {
		return false
	}
	key := f.number()
	f.tag, f.isText = int(key>>1), key&1 == wireText
	f.n, f.from, f.to = 0, 0, 0
	if f.isText {
		f.from, f.to = f.skip(f.number())
	} else {
		f.n = f.number()
	}
	return !f.bad
}

// number takes a varint off.
func (f *fields) number() uint64 {
	if f.at < len(f.s) && f.s[f.at] < 0x80 {
		f.at++
		return uint64(f.s[f.at-1])
	}
	return f.longNumber()
}

func (f *fields) longNumber() uint64 {
	var v uint64
	for i := range min(len(f.s)-f.at, binary.MaxVarintLen64) {
		c := f.s[f.at+i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			f.at += i + 1
			return v
		}
	}
	f.fail()
	return 0
}

// skip takes n bytes off and returns where they are.
func (f *fields) skip(n uint64) (from, to int) {
	if n > uint64(len(f.s)-f.at) {
		f.fail()
		return 0, 0
	}
	from = f.at
	f.at += int(n)
	return from, f.at
}

// take takes n bytes off.
func (f *fields) take(n uint64) string {
	from, to := f.skip(n)
	return f.s[from:to]
}

// signed takes a signed varint off.
func (f *fields) signed() int64 { return unzigzag(f.number()) }

func (f *fields) fail() { f.bad, f.at = true, len(f.s) }

func (f *fields) err() error {
	if f.bad {
		return errRecord
	}
	return nil
}

// splitRecord takes the first record off a block: its fields, and what follows it.
func splitRecord(block []byte) (record, rest []byte, err error) {
	n, size := binary.Uvarint(block)
	if size <= 0 || n > maxLength || n > uint64(len(block)-size) {
		return nil, nil, errRecord
	}
	return block[size : size+int(n)], block[size+int(n):], nil
}

// decodeRecord reads a record's fields into r, over what it held, keeping the room of its slices.
// where finds the segment of a body block, and the block's number in it.
func decodeRecord(s string, r *Record, where func(block uint64) (segment uint64, number uint32)) error {
	r.Entry.Reset()
	r.Kind, r.CountOnly, r.Corrects, r.Erased, r.Changes = 0, false, false, false, 0
	r.IDs = r.IDs[:0]
	r.Parts[0], r.Parts[1] = r.Parts[0][:0], r.Parts[1][:0]
	r.Fields = s
	list := texts(&r.Entry)
	f := fields{s: s}
	for f.next() {
		switch f.tag {
		case tagKind:
			if r.Kind = Kind(f.n); r.Kind == kindCorrection {
				r.Kind, r.Corrects = KindEntry, true
			}
		case tagCountOnly:
			r.CountOnly = f.n != 0
		case tagErased:
			r.Erased = f.n != 0
		case tagChanges:
			r.Changes = Changes(f.n)
		case tagIDs:
			r.IDs = decodeIDs(&f, r.IDs)
		case tagParts, tagParts + 1:
			side := f.tag - tagParts
			r.Parts[side] = decodeParts(&f, r.Parts[side], where)
		default:
			if i := f.tag - tagTexts; i < 0 {
				decodeField(&f, &r.Entry)
			} else if i < len(list) && list[i] != nil {
				*list[i] = f.text()
			}
		}
	}
	return f.err()
}

func decodeIDs(f *fields, ids []sluice.ID) []sluice.ID {
	text := f.text()
	const size = len(sluice.ID{})
	if len(text)%size != 0 {
		f.fail()
	}
	for ; len(text) >= size; text = text[size:] {
		var id sluice.ID
		copy(id[:], text)
		ids = append(ids, id)
	}
	return ids
}

func decodeParts(f *fields, parts []Part, where func(uint64) (uint64, uint32)) []Part {
	list := fields{s: f.text()}
	var block uint64
	for !list.done() {
		block += uint64(list.signed())
		p := Part{Offset: uint32(list.number()), Length: uint32(list.number())}
		p.Segment, p.Block = where(block)
		parts = append(parts, p)
	}
	f.bad = f.bad || list.bad
	return parts
}

// decodeField sets what f stands at in e, unless it is a plain text. Unknown tags are left alone.
func decodeField(f *fields, e *sluice.LogEntry) {
	switch f.tag {
	case tagID:
		if len(f.text()) == len(e.ID) {
			copy(e.ID[:], f.text())
		} else {
			f.fail()
		}
	case tagStartSec:
		e.Start = time.Unix(min(max(unzigzag(f.n-1), firstSecond), lastSecond), 0).UTC()
	case tagStartNano:
		e.Start = e.Start.Add(time.Duration(min(f.n, uint64(time.Second-1))))
	case tagStatus:
		e.Status = int(unzigzag(f.n))
	case tagFlags:
		e.Success, e.Streamed = f.n&flagSuccess != 0, f.n&flagStreamed != 0
		e.Priced, e.Scored = f.n&flagPriced != 0, f.n&flagScored != 0
	case tagEnding:
		e.Ending = sluice.Ending(f.n)
	case tagCache:
		e.Cache = sluice.CacheStatus(f.n)
	case tagCost:
		e.Cost = sluice.NanoUSD(unzigzag(f.n))
	case tagCostBasis:
		e.CostBasis = sluice.CostBasis(f.n)
	case tagStep:
		e.Step = int(unzigzag(f.n))
	case tagFeedback:
		e.Feedback = int8(unzigzag(f.n))
	case tagScore:
		e.Score = math.Float64frombits(f.n)
	case tagTimeline:
		t := &e.Timeline
		decodeTimes(f, &t.Received, &t.Connected, &t.Sent, &t.FirstByte, &t.FirstToken, &t.End)
	case tagUsage:
		decodeUsage(f, &e.Usage)
	case tagSaved:
		decodeSaving(f, &e.Saved)
	case tagBody:
		decodeBody(f, &e.Request)
	case tagBody + 1:
		decodeBody(f, &e.Response)
	default:
		decodeList(f, e)
	}
}

// decodeList is decodeField for what can come more than once.
func decodeList(f *fields, e *sluice.LogEntry) {
	switch f.tag {
	case tagMetadata:
		if f.text() == "" {
			f.fail()
			return
		}
		kind := sluice.MetaKind(f.text()[0])
		key, value := decodePair(f, f.text()[1:])
		e.Metadata = append(e.Metadata, sluice.MetaValue{Key: key, Value: value, Kind: kind})
	case tagReqHeader:
		e.ReqHeader.Add(decodePair(f, f.text()))
	case tagRespHeader:
		e.RespHeader.Add(decodePair(f, f.text()))
	case tagAttempt:
		e.Attempts = append(e.Attempts, sluice.Attempt{})
		decodeAttempt(f, &e.Attempts[len(e.Attempts)-1])
	case tagCharge:
		e.Charges = append(e.Charges, sluice.Charge{})
		decodeCharge(f, &e.Charges[len(e.Charges)-1])
	case tagAttempts:
		for range min(f.n, maxAttemptCount) {
			e.Attempts = append(e.Attempts, sluice.Attempt{})
		}
	case tagNote:
		e.Notes = append(e.Notes, f.text())
	}
}

func decodePair(f *fields, s string) (name, value string) {
	pair := fields{s: s}
	name = pair.take(pair.number())
	f.bad = f.bad || pair.bad
	return name, pair.rest()
}

func decodeTimes(f *fields, times ...*time.Duration) {
	list := fields{s: f.text()}
	for _, t := range times {
		if list.done() {
			break
		}
		*t = time.Duration(list.signed())
	}
	f.bad = f.bad || list.bad
}

func decodeUsage(f *fields, u *sluice.Usage) {
	if f.text() == "" {
		f.fail()
		return
	}
	u.Basis = sluice.Basis(f.text()[0])
	list := fields{s: f.text()[1:]}
	for !list.done() {
		class := list.number()
		if n := list.number(); class < uint64(sluice.ClassCount) && !list.bad {
			u.Set(sluice.Class(class), int64(n&math.MaxInt64))
		}
	}
	f.bad = f.bad || list.bad
}

func decodeAttempt(f *fields, a *sluice.Attempt) {
	in := fields{s: f.text()}
	for in.next() {
		switch in.tag {
		case tagAttemptProvider:
			a.Provider = in.text()
		case tagAttemptModel:
			a.Model = in.text()
		case tagAttemptHost:
			a.Host = in.text()
		case tagAttemptCause:
			a.Cause = in.text()
		case tagAttemptStatus:
			a.Status = int(unzigzag(in.n))
		case tagAttemptFlags:
			a.Reused, a.Priced = in.n&flagReused != 0, in.n&flagAttemptPriced != 0
		case tagAttemptTimes:
			decodeTimes(&in, &a.Start, &a.Connect, &a.First, &a.End)
		case tagAttemptUsage:
			decodeUsage(&in, &a.Usage)
		case tagAttemptCost:
			a.Cost = sluice.NanoUSD(unzigzag(in.n))
		case tagAttemptStep:
			a.Step = int(unzigzag(in.n))
		}
	}
	f.bad = f.bad || in.bad
}

func decodeCharge(f *fields, c *sluice.Charge) {
	in := fields{s: f.text()}
	for in.next() {
		switch in.tag {
		case tagChargeModel:
			c.Model = in.text()
		case tagChargeTier:
			c.Tier = in.text()
		case tagChargeUsage:
			decodeUsage(&in, &c.Usage)
		case tagChargeCost:
			c.Cost, c.Priced = sluice.NanoUSD(unzigzag(in.n-1)), in.n > 0
		}
	}
	f.bad = f.bad || in.bad
}

func decodeSaving(f *fields, s *sluice.Saving) {
	in := fields{s: f.text()}
	for in.next() {
		switch in.tag {
		case tagSavedCost:
			s.Cost, s.Priced = sluice.NanoUSD(unzigzag(in.n-1)), in.n > 0
		case tagSavedTime:
			s.Time = time.Duration(unzigzag(in.n))
		}
	}
	f.bad = f.bad || in.bad
}

func decodeBody(f *fields, y *sluice.Body) {
	in := fields{s: f.text()}
	for in.next() {
		switch in.tag {
		case tagBodySize:
			y.Size = unzigzag(in.n)
		case tagBodyStored:
			y.Stored = unzigzag(in.n)
		case tagBodyType:
			y.Type = in.text()
		case tagBodyEncoding:
			y.Encoding = in.text()
		case tagBodyFlags:
			y.Truncated, y.Dropped, y.Off = in.n&flagTruncated != 0, in.n&flagDropped != 0, in.n&flagOff != 0
		}
	}
	f.bad = f.bad || in.bad
}
