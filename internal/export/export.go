// Package export writes rows as files for other programs: JSON lines, CSV and Parquet.
//
// A row comes as the JSON of its values, so that a file says what the API says. What differs between the
// formats is how each writes them: JSON lines take them as they are, CSV takes texts without their quotes and
// keeps spreadsheets from running them, Parquet gets columns with types.
package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	sluice "github.com/sluicehq/sluice"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	JSONL   Format = "jsonl"   // one object a line
	CSV     Format = "csv"     // RFC 4180, with a line of names
	Parquet Format = "parquet" // Apache Parquet, compressed with zstd
)

// MediaType returns the format's own, whether or not the file is compressed.
func (f Format) MediaType() string {
	return map[Format]string{JSONL: "application/x-ndjson", CSV: "text/csv; charset=utf-8", Parquet: "application/vnd.apache.parquet"}[f]
}

// Cuts reports whether a file can be cut and gone on with; see Writer.Cut.
func (f Format) Cuts() bool { return f != Parquet }

// Kind is what the values of a column are.
type Kind uint8

// The kinds. In each, null is null.
const (
	Text    Kind = iota // a JSON string
	Integer             // a JSON number that fits 64 bits
	Decimal             // a JSON number with nine places behind the point at most: money
	Float               // a JSON number
	Bool                // true, false
	Time                // a JSON string, RFC 3339
	JSON                // any JSON
)

// Column is one column of a file.
type Column struct {
	Name string
	Kind Kind
}

// Options make a Writer.
type Options struct {
	Format  Format
	Columns []Column
	Gzip    bool // the whole file; Parquet is compressed by itself, and never again
	Resumed bool // it goes on with a file that was cut: without a line of names
}

// Writer writes rows to a file. It is for one goroutine.
type Writer struct {
	rows rowWriter
	out  *bufio.Writer
	gzip *gzip.Writer // nil: not compressed
	file io.Writer
}

// rowWriter is what a format does.
type rowWriter interface {
	write(row []json.RawMessage) error
	// flush hands on what is held back; end also ends the file.
	flush() error
	end() error
}

// bufferBytes is what is handed on at once.
const bufferBytes = 64 << 10

// NewWriter returns a Writer to w, which it does not close. Its error has sluice.KindInvalid.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	x := &Writer{file: w}
	if o.Gzip && o.Format != Parquet {
		x.gzip = gzip.NewWriter(w)
		w = x.gzip
	}
	x.out = bufio.NewWriterSize(w, bufferBytes)
	switch o.Format {
	case JSONL:
		x.rows = newLines(x.out, o.Columns)
	case CSV:
		x.rows = newCSV(x.out, o.Columns, !o.Resumed)
	case Parquet:
		x.rows = newParquet(x.out, o.Columns)
	default:
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Field: "format", Msg: fmt.Sprintf("%.20q is no format of an export", o.Format), Hint: "jsonl, csv or parquet"}
	}
	return x, nil
}

// Write writes one row: the JSON of the columns' values, in their order. nil is null.
func (w *Writer) Write(row []json.RawMessage) error { return w.rows.write(row) }

// Cut hands all on that was written, so that another Writer can go on behind it, in another process even. A
// compressed file then has several members, which are read as one. Only formats that Cuts says so of can be cut;
// of the others nothing is handed on.
func (w *Writer) Cut() error {
	if _, whole := w.rows.(*parquetRows); whole {
		return nil
	}
	if err := w.rows.flush(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil || w.gzip == nil {
		return err
	}
	if err := w.gzip.Close(); err != nil {
		return err
	}
	w.gzip.Reset(w.file)
	return nil
}

// Close ends the file.
func (w *Writer) Close() error {
	if err := w.rows.end(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil || w.gzip == nil {
		return err
	}
	return w.gzip.Close()
}
