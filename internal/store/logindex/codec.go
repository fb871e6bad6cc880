package logindex

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// The columns of rows that hold a text's id, in the order of the table. Columns and texts go by place.
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

// The first byte of more.data and open.data.
const dataVersion = 1

// errData is what malformed bytes of a row give.
var errData = errors.New("malformed row")

// appendData appends what a row keeps beside its columns: the parts, and the entry in the encoding of
// the log's own records, less the texts that columns hold.
func appendData(b []byte, e *sluice.LogEntry, parts *[2][]reqlog.Part) []byte {
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
	return reqlog.AppendEntry(b, e)
}

// readData reads what appendData wrote. Nothing of b is kept.
func readData(b []byte, row *reqlog.Row) error {
	if len(b) == 0 || b[0] != dataVersion {
		return errData
	}
	r := cellReader{left: b[1:]}
	for side := range row.Parts {
		n := r.unsigned()
		if n > uint64(len(r.left)) {
			return errData
		}
		row.Parts[side] = nil
		for ; n > 0; n-- {
			row.Parts[side] = append(row.Parts[side], reqlog.Part{
				Segment: r.unsigned(), Block: uint32(r.unsigned()), Offset: uint32(r.unsigned()), Length: uint32(r.unsigned()),
			})
		}
	}
	if r.bad {
		return errData
	}
	return reqlog.DecodeEntry(r.left, &row.Entry)
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

// encoder turns an entry into the values of its row.
type encoder struct {
	columns [textColumns]textColumn
	slim    sluice.LogEntry // the entry less what columns hold
	meta    []byte
	data    []byte
}

// rowValues is how many values a row of rows has.
const rowValues = 23

// row is one row in the making. The slices of its data lie in a buffer of the batch.
type row struct {
	id    int64
	scope int64
	texts [textColumns]int64
	meta  int64
	flags int64 // of a row that was read
	data  []byte
}

// encode interns e's texts and appends its data to enc.data.
func (enc *encoder) encode(ctx context.Context, t *texts, e *sluice.LogEntry, parts *[2][]reqlog.Part) (row, error) {
	r := row{id: rowOf(e.ID)}
	var err error
	if r.scope, err = t.id(ctx, textScope, scopeText(e.Account, e.Gateway)); err != nil {
		return r, err
	}
	enc.slim = *e
	enc.slim.Account, enc.slim.Gateway = "", ""
	for i := range enc.columns {
		c := &enc.columns[i]
		text := c.text(&enc.slim)
		if r.texts[i], err = t.id(ctx, c.kind, *text); err != nil {
			return r, err
		}
		if r.texts[i] != spilled {
			*text = ""
		}
	}
	if len(e.Metadata) > 0 {
		enc.meta = appendMeta(enc.meta[:0], e.Metadata)
		if r.meta, err = t.id(ctx, textMeta, string(enc.meta)); err != nil {
			return r, err
		}
		if r.meta != spilled {
			enc.slim.Metadata = nil
		}
	}
	start := len(enc.data)
	enc.data = appendData(enc.data, &enc.slim, parts)
	r.data = enc.data[start:len(enc.data):len(enc.data)]
	return r, nil
}

// anySpilled reports whether some text of the row is kept in its data.
func (r *row) anySpilled() bool {
	for _, id := range r.texts {
		if id == spilled {
			return true
		}
	}
	return r.meta == spilled
}

// values appends the row's values in the order of the table rows.
func (r *row) values(args []any, e *sluice.LogEntry) []any {
	flags := flagsOf(e)
	if r.anySpilled() {
		flags |= flagSpilled
	}
	args = append(args, r.id, r.scope)
	for _, id := range r.texts {
		args = append(args, id)
	}
	in, inKnown := e.Usage.Get(sluice.Input)
	out, outKnown := e.Usage.Get(sluice.Output)
	return append(args, r.meta, flags,
		known(int64(e.Status), e.Status != 0),
		known(e.Timeline.End.Microseconds(), e.Timeline.End > 0),
		known(e.Timeline.FirstToken.Microseconds(), e.Timeline.FirstToken > 0),
		known(in, inKnown), known(out, outKnown), known(int64(e.Cost), e.Priced), int64(len(e.Attempts)),
		known(hashOf(e.EventID), e.EventID != ""), known(hashOf(e.TraceID), e.TraceID != ""))
}

// hashOf returns what stands in a column for a text that nearly every row has another of. Upper and
// lower case are the same, as they are to filters.
func hashOf(text string) int64 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, strings.ToLower(text)) // never fails
	return int64(h.Sum32())
}

// known returns n, or nil for a number that is not known.
func known(n int64, yes bool) any {
	if yes {
		return n
	}
	return nil
}

// findText is the query for what decode needs of a row, in the order of row.scan.
const findText = "SELECT r.id, r.scope, r.provider, r.model, r.served, r.endpoint, r.type, r.caller, r.agent, r.error," +
	" r.request_type, r.response_type, r.meta, r.flags, m.data FROM rows r CROSS JOIN more m ON m.id = r.id WHERE "

// scan returns where the columns of findText go.
func (r *row) scan() []any {
	into := []any{&r.id, &r.scope}
	for i := range r.texts {
		into = append(into, &r.texts[i])
	}
	return append(into, &r.meta, &r.flags, &r.data)
}

// decode makes a whole entry of a row's text ids and data; text resolves the ids.
func (r *row) decode(ctx context.Context, text func(context.Context, int64) (string, error), columns *[textColumns]textColumn, into *reqlog.Row) error {
	if err := readData(r.data, into); err != nil {
		return fmt.Errorf("row %d: %w", r.id, err)
	}
	e := &into.Entry
	scope, err := text(ctx, r.scope)
	if err != nil {
		return err
	}
	e.Account, e.Gateway = splitScope(scope)
	for i := range columns {
		if r.texts[i] > 0 {
			if *columns[i].text(e), err = text(ctx, r.texts[i]); err != nil {
				return err
			}
		}
	}
	if r.meta > 0 {
		encoded, err := text(ctx, r.meta)
		if err != nil {
			return err
		}
		e.Metadata, err = readMeta(encoded)
		return err
	}
	return nil
}
