package logindex

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// The columns of shapes that hold a text's id, in the order of the table. Columns and texts go by place.
const (
	columnProvider = iota
	columnModel
	columnServed
	columnEndpoint
	columnType
	columnCaller
	columnAgent
	columnError
	columnRequestType
	columnResponseType
	textColumns
)

// textColumn is one of them: what kind of text it has, and where in an entry that stands.
type textColumn struct {
	name string
	kind textKind
	text func(*sluice.LogEntry) *string
}

func columnTexts() [textColumns]textColumn {
	return [textColumns]textColumn{
		{"provider", textProvider, func(e *sluice.LogEntry) *string { return &e.Provider }},
		{"model", textModel, func(e *sluice.LogEntry) *string { return &e.Model }},
		{"served", textModel, func(e *sluice.LogEntry) *string { return &e.Served }},
		{"endpoint", textEndpoint, func(e *sluice.LogEntry) *string { return &e.Endpoint }},
		{"type", textType, func(e *sluice.LogEntry) *string { return &e.Type }},
		{"caller", textCaller, func(e *sluice.LogEntry) *string { return &e.Key }},
		{"agent", textAgent, func(e *sluice.LogEntry) *string { return &e.UserAgent }},
		{"error", textError, func(e *sluice.LogEntry) *string { return &e.ErrorKind }},
		{"request_type", textContentType, func(e *sluice.LogEntry) *string { return &e.Request.Type }},
		{"response_type", textContentType, func(e *sluice.LogEntry) *string { return &e.Response.Type }},
	}
}

// The bits of the column flags. Stored: never move.
const (
	flagSuccess   = 1 << 0
	flagStreamed  = 1 << 1
	shiftCache    = 2 // two bits
	shiftEnding   = 4 // four bits
	shiftBasis    = 8 // three bits
	shiftFeedback = 11
	flagSpilled   = 1 << 13 // some text or the metadata is kept with the row
)

func flagsOf(e *sluice.LogEntry) int64 {
	f := count(e.Success)*flagSuccess | count(e.Streamed)*flagStreamed
	f |= int64(e.Cache&3)<<shiftCache | int64(e.Ending&15)<<shiftEnding | int64(e.Usage.Basis&7)<<shiftBasis
	return f | int64(min(max(e.Feedback, -1), 1)+1)<<shiftFeedback
}

// The first byte of the data of a row, and of open.data.
const dataVersion = 1

// errData is what malformed bytes of a row give.
var errData = errors.New("malformed row")

// appendData appends what a row keeps beside its columns: where its bodies lie, and the entry, in the
// encoding of the log's own records, told by a base.
func appendData(b []byte, base numberedBase, entry string, parts *[2][]reqlog.Part, noMetadata bool) []byte {
	b = append(b, dataVersion)
	for side := range parts {
		b = binary.AppendUvarint(b, uint64(len(parts[side])))
		for _, p := range parts[side] {
			b = binary.AppendUvarint(b, p.Segment)
			b = binary.AppendUvarint(b, uint64(p.Block))
			b = binary.AppendUvarint(b, uint64(p.Offset))
			b = binary.AppendUvarint(b, uint64(p.Length))
		}
	}
	b = binary.AppendUvarint(b, uint64(base.id))
	return base.base.AppendDelta(b, entry, noMetadata)
}

// readParts reads where the bodies lie, and by which base the rest, which is left of r, is told.
func readParts(b []byte) (r cellReader, parts [2][]reqlog.Part, base int64, err error) {
	if len(b) == 0 || b[0] != dataVersion {
		return r, parts, 0, errData
	}
	r = cellReader{left: b[1:]}
	for side := range parts {
		n := r.unsigned()
		if n > uint64(len(r.left)) {
			return r, parts, 0, errData
		}
		for ; n > 0; n-- {
			parts[side] = append(parts[side], reqlog.Part{
				Segment: r.unsigned(), Block: uint32(r.unsigned()), Offset: uint32(r.unsigned()), Length: uint32(r.unsigned()),
			})
		}
	}
	base = int64(r.unsigned())
	if r.bad {
		return r, parts, 0, errData
	}
	return r, parts, base, nil
}

// readData reads what appendData wrote; base finds the base. Nothing of b is kept.
func readData(b []byte, base func(id int64) (*reqlog.Base, error), row *reqlog.Row) error {
	r, parts, id, err := readParts(b)
	if err != nil {
		return err
	}
	row.Parts = parts
	like, err := base(id)
	if err != nil {
		return err
	}
	entry, err := like.Append(make([]byte, 0, len(like.Bytes())+len(r.left)), r.left)
	if err != nil {
		return err
	}
	return reqlog.DecodeEntry(entry, &row.Entry)
}

// appendMeta encodes a metadata object.
func appendMeta(b []byte, meta []sluice.MetaValue) []byte {
	for i := range meta {
		m := &meta[i]
		b = append(b, byte(m.Kind))
		b = binary.AppendUvarint(b, uint64(len(m.Key)))
		b = append(b, m.Key...)
		b = binary.AppendUvarint(b, uint64(len(m.Value)))
		b = append(b, m.Value...)
	}
	return b
}

// readMeta reads what appendMeta wrote; the values share text.
func readMeta(text string) ([]sluice.MetaValue, error) {
	var meta []sluice.MetaValue
	take := func() (string, bool) {
		n, size := uint64(0), 0
		for shift := 0; size < len(text) && shift < 63; shift += 7 {
			c := text[size]
			n |= uint64(c&0x7f) << shift
			size++
			if c < 0x80 {
				break
			}
		}
		if size == 0 || n > uint64(len(text)-size) {
			return "", false
		}
		s := text[size : size+int(n)]
		text = text[size+int(n):]
		return s, true
	}
	for len(text) > 0 {
		m := sluice.MetaValue{Kind: sluice.MetaKind(text[0])}
		text = text[1:]
		var keyOK, valueOK bool
		m.Key, keyOK = take()
		m.Value, valueOK = take()
		if !keyOK || !valueOK {
			return nil, errData
		}
		meta = append(meta, m)
	}
	return meta, nil
}

// encoder turns entries into the values of their rows.
type encoder struct {
	p       *part
	gather  *gather
	columns [textColumns]textColumn
	recent  [textColumns]recentText
	meta    []byte
	entry   []byte
	data    []byte
}

// recentText is the text that a column had last: most often it has it again.
type recentText struct {
	text string
	id   int64
}

// rowValues is how many values a row of rows has.
const rowValues = 12

// row is one row in the making. Its data lies in a buffer of the batch.
type row struct {
	id      int64
	scopes  scopeIDs
	shape   shape
	shapeID int64
	meta    int64
	data    []byte
	record  *reqlog.Record
}

// encode interns the record's texts and appends its data to enc.data.
func (enc *encoder) encode(ctx context.Context, record *reqlog.Record) (r row, err error) {
	e := &record.Entry
	r.id, r.record = rowOf(e.ID), record
	if r.scopes, err = enc.gather.scopesOf(ctx, e); err != nil {
		return r, err
	}
	for i := range enc.columns {
		c, recent := &enc.columns[i], &enc.recent[i]
		if text := *c.text(e); text != recent.text {
			id, err := enc.p.texts.id(ctx, c.kind, text)
			if err != nil {
				return r, err
			}
			*recent = recentText{text, id}
		}
		r.shape.texts[i] = recent.id
	}
	if len(e.Metadata) > 0 {
		enc.meta = appendMeta(enc.meta[:0], e.Metadata)
		if r.meta, err = enc.p.texts.metaID(ctx, enc.meta); err != nil {
			return r, err
		}
	}
	r.shape.flags, r.shape.status, r.shape.attempts = flagsOf(e), int64(e.Status), int64(len(e.Attempts))
	if r.anySpilled() {
		r.shape.flags |= flagSpilled
	}
	if r.shapeID, err = enc.p.shapes.id(ctx, &r.shape); err != nil {
		return r, err
	}
	entry := record.Fields
	if entry == "" {
		enc.entry = reqlog.AppendEntry(enc.entry[:0], e)
		entry = string(enc.entry)
	}
	base, err := enc.p.bases.of(ctx, likenessOf(&r, record), r.id, entry)
	if err != nil {
		return r, err
	}
	start := len(enc.data)
	enc.data = appendData(enc.data, base, entry, &record.Parts, r.meta != spilled)
	r.data = enc.data[start:len(enc.data):len(enc.data)]
	return r, nil
}

// anySpilled reports whether some text of the row stands in its data only.
func (r *row) anySpilled() bool {
	for _, id := range r.shape.texts {
		if id == spilled {
			return true
		}
	}
	return r.meta == spilled
}

// values puts the row's values where a statement takes them from, in the order of the table rows.
func (r *row) values(args []driver.NamedValue, more int64) {
	e := &r.record.Entry
	in, inKnown := e.Usage.Get(sluice.Input)
	out, outKnown := e.Usage.Get(sluice.Output)
	args[0].Value, args[1].Value, args[2].Value, args[3].Value = r.id, r.scopes.gateway, r.shapeID, r.meta
	args[4].Value = known(e.Timeline.End.Microseconds(), e.Timeline.End > 0)
	args[5].Value = known(e.Timeline.FirstToken.Microseconds(), e.Timeline.FirstToken > 0)
	args[6].Value, args[7].Value = known(in, inKnown), known(out, outKnown)
	args[8].Value = known(int64(e.Cost), e.Priced)
	args[9].Value, args[10].Value, args[11].Value = hashOf(e.EventID), hashOf(e.TraceID), more
}

// hashOf returns what stands in a column for a text that nearly every row has another of. Upper and
// lower case are the same, as they are to filters.
func hashOf(text string) any {
	if text == "" {
		return nil
	}
	beyond := func(r rune) bool { return r >= utf8.RuneSelf }
	if strings.IndexFunc(text, beyond) >= 0 {
		text = strings.ToLower(text)
	}
	h := uint32(2166136261) // FNV-1a, here because hash/fnv allocates, as a text in lower case does
	for i := range len(text) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return int64(h)
}

// known returns n, or nil for a number that is not known.
func known(n int64, yes bool) any {
	if yes {
		return n
	}
	return nil
}

// appendMore appends what more keeps for several rows.
func appendMore(b []byte, rows []row) []byte {
	for i := range rows {
		b = binary.AppendUvarint(b, uint64(len(rows[i].data)))
		b = append(b, rows[i].data...)
	}
	return b
}

const morePlaces = 1 << 8 // in a row of more

// fromMore returns the data of the row at a place, or nil: b has no such place.
func fromMore(b []byte, place int64) []byte {
	r := cellReader{left: b}
	for ; !r.bad; place-- {
		n := r.unsigned()
		if r.bad || n > uint64(len(r.left)) {
			return nil
		}
		if place == 0 {
			return r.left[:n]
		}
		r.left = r.left[n:]
	}
	return nil
}

// stored is a row as it is read.
type stored struct {
	id, meta, flags, more int64
	data                  []byte
}

// fromRows is where rows are looked for, with their shapes. Rows come first, in their order, whatever SQLite
// thinks of it.
const fromRows = "FROM rows r CROSS JOIN shapes s ON s.id = r.shape "

// findText is the query for what decode needs of a row, but for its data, in the order of stored.scan.
const findText = "SELECT r.id, r.meta, s.flags, r.more " + fromRows + "WHERE "

// scan returns where the columns of findText go.
func (r *stored) scan() []any { return []any{&r.id, &r.meta, &r.flags, &r.more} }

// lookup finds what rows refer to, by number.
type lookup struct {
	text func(id int64) (string, error)
	base func(id int64) (*reqlog.Base, error)
}

// decode makes a whole entry of a row.
func (r *stored) decode(in lookup, into *reqlog.Row) error {
	if err := readData(r.data, in.base, into); err != nil {
		return fmt.Errorf("row %d: %w", r.id, err)
	}
	if r.meta <= 0 {
		return nil
	}
	encoded, err := in.text(r.meta)
	if err != nil {
		return err
	}
	into.Entry.Metadata, err = readMeta(encoded)
	return err
}
