package export

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Bounds of a row group and of a page, which are held in memory until they are written.
const (
	groupRows  = 50_000
	groupBytes = 32 << 20 // of values as they came
	pageBytes  = 1 << 20  // before compression
)

// places is how many places a Decimal has behind the point, and digits how many in all.
const (
	places = 9
	digits = 18
)

const magic = "PAR1"

// parquetRows writes Parquet (https://parquet.apache.org/docs/file-format): all columns may be null, values are
// plain, pages are compressed with zstd. A row that cannot be written leaves no trace; an error of writing ends the file.
type parquetRows struct {
	out     io.Writer
	columns []parquetColumn
	zstd    *zstd.Encoder
	offset  int64 // bytes that were written
	row     []value
	rows    int64 // in the row group that is not written yet
	held    int   // bytes of values in it
	groups  []rowGroup
	err     error
}

// parquetColumn is a column, with what the row group has of it so far.
type parquetColumn struct {
	Column
	page  page
	chunk chunk
	data  []byte // the chunk's pages
}

// page is one that is filled.
type page struct {
	values []byte // plain
	levels []byte // a bit for each row: there is a value
	rows   int
	known  int // values
}

// chunk is what the file's end says of a column's pages in a row group.
type chunk struct {
	offset    int64
	size      int64 // with the pages' heads
	plain     int64 // the same before compression
	nulls     int64
	min, max  int64 // of 64 bit numbers, if there are any
	unordered bool  // there are none
}

// rowGroup is what the file's end says of a row group.
type rowGroup struct {
	rows   int64
	chunks []chunk
}

// value is one of a row: a number in its 64 bits, or bytes.
type value struct {
	null bool
	bits int64
	text []byte
}

func newParquet(out io.Writer, columns []Column) *parquetRows {
	p := &parquetRows{out: out, columns: make([]parquetColumn, len(columns)), row: make([]value, len(columns))}
	for i, c := range columns {
		p.columns[i] = parquetColumn{Column: c, chunk: chunk{unordered: true}}
	}
	// Its only errors are of options.
	p.zstd, p.err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	p.put([]byte(magic))
	return p
}

// put writes to the file.
func (p *parquetRows) put(b []byte) {
	if p.err == nil {
		_, p.err = p.out.Write(b)
		p.offset += int64(len(b))
	}
}

func (p *parquetRows) write(row []json.RawMessage) error {
	if p.err != nil {
		return p.err
	}
	for i := range p.columns {
		var err error
		if p.row[i], err = p.columns[i].Kind.value(row[i]); err != nil {
			return fmt.Errorf("column %s: %w", p.columns[i].Name, err)
		}
		p.held += len(row[i])
	}
	for i := range p.columns {
		p.columns[i].add(&p.row[i], p.zstd)
	}
	if p.rows++; p.rows >= groupRows || p.held >= groupBytes {
		p.endGroup()
	}
	return p.err
}

// value reads a value of the kind.
func (k Kind) value(raw json.RawMessage) (value, error) {
	if isNull(raw) {
		return value{null: true}, nil
	}
	switch k {
	case Integer:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return value{bits: n}, err
	case Decimal:
		n, err := parseDecimal(string(raw))
		return value{bits: n}, err
	case Float:
		x, err := strconv.ParseFloat(string(raw), 64)
		return value{bits: int64(math.Float64bits(x))}, err
	case Bool:
		var b bool
		err := json.Unmarshal(raw, &b)
		return value{bits: map[bool]int64{true: 1}[b]}, err
	case JSON:
		return value{text: raw}, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return value{}, err
	}
	if k == Time {
		at, err := time.Parse(time.RFC3339Nano, text)
		return value{bits: at.UnixMicro()}, err
	}
	return value{text: []byte(text)}, nil
}

// parseDecimal reads a decimal number without an exponent as a multiple of 10^-places.
func parseDecimal(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > places {
		return 0, fmt.Errorf("%s has more than %d places", text, places)
	}
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
}

// add appends a value to the column.
func (c *parquetColumn) add(v *value, z *zstd.Encoder) {
	g := &c.page
	g.levels = appendBit(g.levels, g.rows, !v.null)
	g.rows++
	if v.null {
		c.chunk.nulls++
		return
	}
	switch form := c.Kind.form(); {
	case form.physical == physicalBool:
		g.values = appendBit(g.values, g.known, v.bits != 0)
	case form.physical == physicalBytes:
		g.values = binary.LittleEndian.AppendUint32(g.values, uint32(len(v.text)))
		g.values = append(g.values, v.text...)
	default:
		g.values = binary.LittleEndian.AppendUint64(g.values, uint64(v.bits))
		if form.physical == physicalInt64 {
			c.chunk.see(v.bits)
		}
	}
	g.known++
	if len(g.values) >= pageBytes {
		c.endPage(z)
	}
}

// appendBit sets the bit n of b, which has bits up to it, the lowest of a byte first.
func appendBit(b []byte, n int, set bool) []byte {
	if n%8 == 0 {
		b = append(b, 0)
	}
	if set {
		b[n/8] |= 1 << (n % 8)
	}
	return b
}

func (k *chunk) see(n int64) {
	if k.unordered {
		k.min, k.max, k.unordered = n, n, false
	}
	k.min, k.max = min(k.min, n), max(k.max, n)
}

// endPage compresses the page and makes it part of the chunk.
func (c *parquetColumn) endPage(z *zstd.Encoder) {
	g := &c.page
	if g.rows == 0 {
		return
	}
	// The levels are one run of groups of eight bits, with its length before it.
	run := append(binary.AppendUvarint(nil, uint64(len(g.levels))<<1|1), g.levels...)
	plain := binary.LittleEndian.AppendUint32(nil, uint32(len(run)))
	plain = append(append(plain, run...), g.values...)
	packed := z.EncodeAll(plain, nil)
	head := pageHead(len(plain), len(packed), g.rows)
	c.data = append(append(c.data, head...), packed...)
	c.chunk.size += int64(len(head) + len(packed))
	c.chunk.plain += int64(len(head) + len(plain))
	*g = page{values: g.values[:0], levels: g.levels[:0]}
}

// endGroup writes the row group.
func (p *parquetRows) endGroup() {
	if p.rows == 0 {
		return
	}
	group := rowGroup{rows: p.rows}
	for i := range p.columns {
		c := &p.columns[i]
		c.endPage(p.zstd)
		c.chunk.offset = p.offset
		p.put(c.data)
		group.chunks = append(group.chunks, c.chunk)
		c.chunk, c.data = chunk{unordered: true}, c.data[:0]
	}
	p.groups = append(p.groups, group)
	p.rows, p.held = 0, 0
}

func (p *parquetRows) flush() error { return nil }

func (p *parquetRows) end() error {
	p.endGroup()
	foot := p.foot()
	p.put(foot)
	p.put(binary.LittleEndian.AppendUint32(nil, uint32(len(foot))))
	p.put([]byte(magic))
	return p.err
}
