package export

import "encoding/binary"

// The numbers of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift that are used.
const (
	physicalBool   = 0
	physicalInt64  = 2
	physicalDouble = 5
	physicalBytes  = 6

	optional = 1

	encodingPlain = 0
	encodingRLE   = 3 // and bits, of levels

	codecZstd = 6
	dataPage  = 0
)

// form is how Parquet has a kind: physical in the file, and what that stands for, by the older number and the newer
// union.
type form struct {
	physical  int64
	converted int64 // -1: nothing
	logical   func(t *thrift)
}

func (k Kind) form() form {
	switch k {
	case Integer:
		return form{physicalInt64, 18, func(t *thrift) {
			t.structure(10, func() { t.number(1, thriftByte, 64); t.truth(2) })
		}}
	case Decimal:
		return form{physicalInt64, 5, func(t *thrift) {
			t.structure(5, func() { t.number(1, thriftI32, places); t.number(2, thriftI32, digits) })
		}}
	case Float:
		return form{physicalDouble, -1, nil}
	case Bool:
		return form{physicalBool, -1, nil}
	case Time: // microseconds, UTC
		return form{physicalInt64, 10, func(t *thrift) {
			t.structure(8, func() { t.truth(1); t.structure(2, func() { t.structure(2, nothing) }) })
		}}
	case JSON:
		return form{physicalBytes, 19, func(t *thrift) { t.structure(12, nothing) }}
	}
	return form{physicalBytes, 0, func(t *thrift) { t.structure(1, nothing) }}
}

func nothing() {}

// pageHead is what stands before a page.
func pageHead(plain, packed, rows int) []byte {
	var t thrift
	t.top(func() {
		t.number(1, thriftI32, dataPage)
		t.number(2, thriftI32, int64(plain))
		t.number(3, thriftI32, int64(packed))
		t.structure(5, func() {
			t.number(1, thriftI32, int64(rows))
			t.number(2, thriftI32, encodingPlain)
			t.number(3, thriftI32, encodingRLE)
			t.number(4, thriftI32, encodingRLE)
		})
	})
	return t.b
}

// foot is what stands at the file's end: the columns, and where they lie.
func (p *parquetRows) foot() []byte {
	var t thrift
	t.top(func() {
		t.number(1, thriftI32, 1)
		t.list(2, thriftStruct, len(p.columns)+1, func(i int) {
			if i == 0 {
				t.top(func() { t.text(4, "row"); t.number(5, thriftI32, int64(len(p.columns))) })
				return
			}
			p.columns[i-1].describe(&t)
		})
		rows := int64(0)
		for i := range p.groups {
			rows += p.groups[i].rows
		}
		t.number(3, thriftI64, rows)
		t.list(4, thriftStruct, len(p.groups), func(i int) { p.group(&t, &p.groups[i]) })
		t.text(6, "sluice")
		t.list(7, thriftStruct, len(p.columns), func(int) { t.top(func() { t.structure(1, nothing) }) }) // by their type
	})
	return t.b
}

func (c *parquetColumn) describe(t *thrift) {
	f := c.Kind.form()
	t.top(func() {
		t.number(1, thriftI32, f.physical)
		t.number(3, thriftI32, optional)
		t.text(4, c.Name)
		if f.converted >= 0 {
			t.number(6, thriftI32, f.converted)
		}
		if c.Kind == Decimal {
			t.number(7, thriftI32, places)
			t.number(8, thriftI32, digits)
		}
		if f.logical != nil {
			t.structure(10, func() { f.logical(t) })
		}
	})
}

func (p *parquetRows) group(t *thrift, g *rowGroup) {
	var plain, size int64
	for i := range g.chunks {
		plain += g.chunks[i].plain
		size += g.chunks[i].size
	}
	t.top(func() {
		t.list(1, thriftStruct, len(g.chunks), func(i int) { p.columns[i].place(t, &g.chunks[i], g.rows) })
		t.number(2, thriftI64, plain)
		t.number(3, thriftI64, g.rows)
		t.number(6, thriftI64, size)
	})
}

// place tells where a chunk of the column lies, and what is in it.
func (c *parquetColumn) place(t *thrift, k *chunk, rows int64) {
	t.top(func() {
		t.number(2, thriftI64, k.offset)
		t.structure(3, func() {
			t.number(1, thriftI32, c.Kind.form().physical)
			encodings := [...]int64{encodingPlain, encodingRLE}
			t.list(2, thriftI32, len(encodings), func(i int) { t.zigzag(encodings[i]) })
			t.list(3, thriftBinary, 1, func(int) { t.bytes(c.Name) })
			t.number(4, thriftI32, codecZstd)
			t.number(5, thriftI64, rows)
			t.number(6, thriftI64, k.plain)
			t.number(7, thriftI64, k.size)
			t.number(9, thriftI64, k.offset)
			t.structure(12, func() {
				t.number(3, thriftI64, k.nulls)
				if !k.unordered {
					t.text(5, string(binary.LittleEndian.AppendUint64(nil, uint64(k.max))))
					t.text(6, string(binary.LittleEndian.AppendUint64(nil, uint64(k.min))))
				}
			})
		})
	})
}

// Types of Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	thriftTrue   = 1
	thriftByte   = 3
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thrift writes Thrift's compact protocol. Fields of a struct come in the order of their numbers.
type thrift struct {
	b    []byte
	last int // number of the field before, in the struct that is open
}

// top writes a struct that is no field.
func (t *thrift) top(fields func()) {
	before := t.last
	t.last = 0
	fields()
	t.b = append(t.b, 0)
	t.last = before
}

// field writes what stands before a field.
func (t *thrift) field(number, kind int) {
	t.b = append(t.b, byte((number-t.last)<<4|kind)) // steps are under 16
	t.last = number
}

func (t *thrift) structure(number int, fields func()) {
	t.field(number, thriftStruct)
	t.top(fields)
}

// number writes a field that is a number.
func (t *thrift) number(field, kind int, n int64) {
	t.field(field, kind)
	if kind == thriftByte {
		t.b = append(t.b, byte(n))
		return
	}
	t.zigzag(n)
}

func (t *thrift) truth(field int) { t.field(field, thriftTrue) }

func (t *thrift) text(field int, s string) {
	t.field(field, thriftBinary)
	t.bytes(s)
}

// list writes a field that is a list; each writes an element.
func (t *thrift) list(field, kind, n int, each func(i int)) {
	t.field(field, thriftList)
	if n < 15 {
		t.b = append(t.b, byte(n<<4|kind))
	} else {
		t.b = binary.AppendUvarint(append(t.b, byte(0xf0|kind)), uint64(n))
	}
	for i := range n {
		each(i)
	}
}

func (t *thrift) zigzag(n int64) { t.b = binary.AppendVarint(t.b, n) }

func (t *thrift) bytes(s string) {
	t.b = append(binary.AppendUvarint(t.b, uint64(len(s))), s...)
}
