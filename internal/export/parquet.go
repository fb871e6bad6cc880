package export

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Bounds of a row group, which is held in memory until it is written.
const (
	groupRows  = 50_000
	groupBytes = 32 << 20
)

// places is how many places a Decimal has behind the point, and digits how many in all.
const (
	places = 9
	digits = 18
)

// parquetRows writes Parquet. All columns may be null.
type parquetRows struct {
	out     *parquet.GenericWriter[any]
	columns []Column
	row     parquet.Row
	held    int // bytes of values in the row group that is not written yet
}

// ordered is a group whose columns stay in their order; parquet.Group sorts them.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

// Fields implements parquet.Node.
func (o *ordered) Fields() []parquet.Field { return o.fields }

func newParquet(out io.Writer, columns []Column) *parquetRows {
	root := &ordered{Group: parquet.Group{}}
	for _, c := range columns {
		root.Group[c.Name] = parquet.Optional(c.Kind.node())
	}
	byName := map[string]parquet.Field{}
	for _, f := range root.Group.Fields() {
		byName[f.Name()] = f
	}
	for _, c := range columns {
		root.fields = append(root.fields, byName[c.Name])
	}
	return &parquetRows{
		out: parquet.NewGenericWriter[any](
			out, parquet.NewSchema("row", root), parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(groupRows),
			parquet.CreatedBy("sluice", "", ""),
		),
		columns: columns,
		row:     make(parquet.Row, len(columns)),
	}
}

// node is the type that a column of the kind has.
func (k Kind) node() parquet.Node {
	switch k {
	case Integer:
		return parquet.Int(64)
	case Decimal:
		return parquet.Decimal(places, digits, parquet.Int64Type)
	case Float:
		return parquet.Leaf(parquet.DoubleType)
	case Bool:
		return parquet.Leaf(parquet.BooleanType)
	case Time:
		return parquet.Timestamp(parquet.Microsecond)
	case JSON:
		return parquet.JSON()
	}
	return parquet.String()
}

func (p *parquetRows) write(row []json.RawMessage) error {
	for i := range p.columns {
		if isNull(row[i]) {
			p.row[i] = parquet.NullValue().Level(0, 0, i)
			continue
		}
		v, err := p.columns[i].Kind.value(row[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", p.columns[i].Name, err)
		}
		p.row[i] = v.Level(0, 1, i)
		p.held += len(row[i])
	}
	if _, err := p.out.WriteRows([]parquet.Row{p.row}); err != nil {
		return err
	}
	if p.held < groupBytes {
		return nil
	}
	p.held = 0
	return p.out.Flush()
}

// value reads a value of the kind that is not null.
func (k Kind) value(raw json.RawMessage) (parquet.Value, error) {
	switch k {
	case Integer:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return parquet.Int64Value(n), err
	case Decimal:
		n, err := parseDecimal(string(raw))
		return parquet.Int64Value(n), err
	case Float:
		x, err := strconv.ParseFloat(string(raw), 64)
		return parquet.DoubleValue(x), err
	case Bool:
		var b bool
		err := json.Unmarshal(raw, &b)
		return parquet.BooleanValue(b), err
	case JSON:
		return parquet.ByteArrayValue(raw), nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return parquet.Value{}, err
	}
	if k == Time {
		at, err := time.Parse(time.RFC3339Nano, text)
		return parquet.Int64Value(at.UnixMicro()), err
	}
	return parquet.ByteArrayValue([]byte(text)), nil
}

// parseDecimal reads a decimal number without an exponent as a multiple of 10^-places.
func parseDecimal(text string) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > places {
		return 0, fmt.Errorf("%s has more than %d places", text, places)
	}
	return strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
}

func (p *parquetRows) flush() error { return nil }

func (p *parquetRows) end() error { return p.out.Close() }
