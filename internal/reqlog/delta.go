package reqlog

import (
	"encoding/binary"
	"strings"
)

// A delta tells an entry by what it has other than a base, an entry like it: one client's calls differ in
// few fields. It is a list of operations. Each is a varint, n<<2 | what:
//
//	copy  the next n fields of the base
//	skip  the next n fields of the base
//	fresh n bytes of fields follow
//	text  the next field of the base, a text, of which the first n bytes stay; then come a varint and as
//	      many bytes
const (
	deltaCopy = iota
	deltaSkip
	deltaFresh
	deltaText
)

// deltaAhead is how far a field is looked for among the base's: there may be a few headers that only one
// of both has.
const deltaAhead = 6

// Base is an entry that others are told by. It does not change, and is safe for concurrent use.
type Base struct {
	bytes  string
	fields []baseField
}

// baseField is where a field lies in a base.
type baseField struct {
	tag              int
	start, text, end int // text: where that begins; 0 for a number
}

// NewBase makes a base of what AppendEntry wrote, or of a Record's Fields, less the metadata, which is another
// with each call. The error tells of malformed bytes.
func NewBase(entry string) (*Base, error) {
	var kept strings.Builder
	b := &Base{}
	f := fields{s: entry}
	for start, end := 0, 0; f.next(); start = end {
		end = f.at
		if f.tag < tagID || f.tag == tagMetadata {
			continue
		}
		at := baseField{tag: f.tag, start: kept.Len(), end: kept.Len() + end - start}
		if f.isText {
			at.text = at.end - len(f.text())
		}
		kept.WriteString(entry[start:end])
		b.fields = append(b.fields, at)
	}
	b.bytes = kept.String()
	return b, f.err()
}

// Bytes returns what NewBase makes the same base of.
func (b *Base) Bytes() string { return b.bytes }

// AppendDelta appends to dst what tells entry, of the same form as a base and well formed, by b; Append
// reads it. Left out is what belongs to a record and not to its entry and, if noMetadata, the metadata.
func (b *Base) AppendDelta(dst []byte, entry string, noMetadata bool) []byte {
	w := deltaWriter{dst: dst, entry: entry}
	f := fields{s: entry}
	at := 0 // the base's next field
	for !f.done() {
		if n, size := b.same(at, f.rest()); n > 0 { // mostly it is, and need not be parsed
			f.at += size
			at += n
			w.count(deltaCopy, n)
			continue
		}
		start := f.at
		if !f.next() {
			break
		}
		if f.tag >= tagID && !(f.tag == tagMetadata && noMetadata) {
			at = b.field(&w, at, &f, start, f.at)
		}
	}
	w.flush()
	return w.dst
}

// same returns how many of the base's fields from at on entry begins with, and their size.
func (b *Base) same(at int, entry string) (n, size int) {
	if at >= len(b.fields) {
		return 0, 0
	}
	start := b.fields[at].start
	end := start + commonPrefix(b.bytes[start:], entry)
	i := at
	for i < len(b.fields) && b.fields[i].end <= end {
		i++
	}
	if i == at {
		return 0, 0
	}
	return i - at, b.fields[i-1].end - start
}

// field tells the field that f stands at, from start to end of the entry, and returns the base's next one.
func (b *Base) field(w *deltaWriter, at int, f *fields, start, end int) int {
	i, same := b.find(at, f, w.entry[start:end])
	if i < 0 {
		w.fresh(start, end)
		return at
	}
	if i > at {
		w.count(deltaSkip, i-at)
	}
	switch base := &b.fields[i]; {
	case same:
		w.count(deltaCopy, 1)
	case f.isText && base.text > 0:
		w.text(commonPrefix(b.bytes[base.text:base.end], f.text()), f.text())
	default:
		w.count(deltaSkip, 1)
		w.fresh(start, end)
	}
	return i + 1
}

// find returns which of the base's fields from at on tells the field that f stands at: the same one, else
// one like it; -1: none of them.
func (b *Base) find(at int, f *fields, field string) (i int, same bool) {
	like := -1
	for i := at; i < min(at+deltaAhead, len(b.fields)); i++ {
		base := &b.fields[i]
		if base.tag != f.tag {
			continue
		}
		if b.bytes[base.start:base.end] == field {
			return i, true
		}
		if like < 0 && (f.tag != tagReqHeader && f.tag != tagRespHeader || sameName(b.bytes[base.text:base.end], f.text())) {
			if !repeats(f.tag) {
				return i, false
			}
			like = i
		}
	}
	return like, false
}

// repeats reports whether an entry can have several fields of a tag.
func repeats(tag int) bool {
	switch tag {
	case tagMetadata, tagReqHeader, tagRespHeader, tagAttempt, tagCharge, tagNote:
		return true
	}
	return false
}

// sameName reports whether two pairs have the same name.
func sameName(a, b string) bool {
	if a == "" || b == "" || a[0] != b[0] {
		return false
	}
	n := 1 + int(a[0]) // of a name longer than 127 bytes this is no length, and as good as any
	return n <= len(a) && n <= len(b) && a[:n] == b[:n]
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 { // as one word each
		if word(a[i:i+8]) != word(b[i:i+8]) {
			break
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// word returns the first eight bytes of s.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// deltaWriter writes operations, those of neighbours joined.
type deltaWriter struct {
	dst        []byte
	entry      string
	what, n    int // what is not written yet
	start, end int // of fresh fields, in entry
}

func (w *deltaWriter) count(what, n int) {
	if w.what != what {
		w.flush()
	}
	w.what, w.n = what, w.n+n
}

func (w *deltaWriter) fresh(start, end int) {
	if w.what != deltaFresh || w.end != start {
		w.flush()
		w.start = start
	}
	w.what, w.end = deltaFresh, end
	w.n = w.end - w.start
}

func (w *deltaWriter) text(keep int, text string) {
	w.flush()
	w.dst = binary.AppendUvarint(w.dst, uint64(keep)<<2|deltaText)
	w.dst = binary.AppendUvarint(w.dst, uint64(len(text)-keep))
	w.dst = append(w.dst, text[keep:]...)
}

func (w *deltaWriter) flush() {
	if w.n == 0 {
		return
	}
	w.dst = binary.AppendUvarint(w.dst, uint64(w.n)<<2|uint64(w.what))
	if w.what == deltaFresh {
		w.dst = append(w.dst, w.entry[w.start:w.end]...)
	}
	w.n = 0
}

// Append appends to dst the entry that delta tells: bytes for DecodeEntry. They are no longer than the base's
// and delta's with a few more for each operation. The error tells of a delta that is malformed or of another base.
func (b *Base) Append(dst, delta []byte) ([]byte, error) {
	r := fields{s: string(delta)}
	at := 0
	for !r.done() {
		op := r.number()
		n, left := op>>2, uint64(len(b.fields)-at)
		switch op & 3 {
		case deltaCopy, deltaSkip:
			if n == 0 || n > left {
				return dst, errRecord
			}
			from := b.fields[at].start
			at += int(n)
			if op&3 == deltaCopy {
				dst = append(dst, b.bytes[from:b.fields[at-1].end]...)
			}
		case deltaFresh:
			dst = append(dst, r.take(n)...)
		case deltaText:
			if left == 0 {
				return dst, errRecord
			}
			base := &b.fields[at]
			at++
			end := r.take(r.number())
			if base.text == 0 || n > uint64(base.end-base.text) {
				return dst, errRecord
			}
			dst = putKey(dst, base.tag, wireText)
			dst = binary.AppendUvarint(dst, n+uint64(len(end)))
			dst = append(dst, b.bytes[base.text:base.text+int(n)]...)
			dst = append(dst, end...)
		}
	}
	return dst, r.err()
}
