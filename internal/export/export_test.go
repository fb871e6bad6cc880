package export_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/export"
)

// columns have one of each kind, not in the order of their names.
func columns() []export.Column {
	return []export.Column{
		{Name: "text", Kind: export.Text},
		{Name: "count", Kind: export.Integer},
		{Name: "cost", Kind: export.Decimal},
		{Name: "ms", Kind: export.Float},
		{Name: "ok", Kind: export.Bool},
		{Name: "at", Kind: export.Time},
		{Name: "meta", Kind: export.JSON},
	}
}

func raw(values ...string) []json.RawMessage {
	row := make([]json.RawMessage, len(values))
	for i, v := range values {
		if v != "" {
			row[i] = json.RawMessage(v)
		}
	}
	return row
}

func sample() [][]json.RawMessage {
	return [][]json.RawMessage{
		raw(`"plain"`, `1`, `0.0000568`, `12.5`, `true`, `"2026-11-24T14:03:20.123456Z"`, `{"user":"a,b"}`),
		raw(`"two\nlines, \"quoted\""`, `-9223372036854775808`, `-1.000000001`, `0.001`, `false`, `"2026-11-24T14:03:20Z"`, `[1,2]`),
		raw(`null`, ``, `null`, ``, `null`, ``, `null`),
		raw(`"=1+1"`, `0`, `123456789`, `-0`, `true`, `"1970-01-01T00:00:00Z"`, `{}`),
	}
}

func write(t interface{ Fatal(...any) }, o export.Options, rows [][]json.RawMessage) []byte {
	var b bytes.Buffer
	w, err := export.NewWriter(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSONLinesAreTheRowsAsTheyAre(t *testing.T) {
	got := string(write(t, export.Options{Format: export.JSONL, Columns: columns()}, sample()))
	want := `{"text":"plain","count":1,"cost":0.0000568,"ms":12.5,"ok":true,"at":"2026-11-24T14:03:20.123456Z","meta":{"user":"a,b"}}
{"text":"two\nlines, \"quoted\"","count":-9223372036854775808,"cost":-1.000000001,"ms":0.001,"ok":false,"at":"2026-11-24T14:03:20Z","meta":[1,2]}
{"text":null,"count":null,"cost":null,"ms":null,"ok":null,"at":null,"meta":null}
{"text":"=1+1","count":0,"cost":123456789,"ms":-0,"ok":true,"at":"1970-01-01T00:00:00Z","meta":{}}
`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCSVIsSafeToOpen(t *testing.T) {
	got := string(write(t, export.Options{Format: export.CSV, Columns: columns()}, sample()))
	want := `text,count,cost,ms,ok,at,meta
plain,1,0.0000568,12.5,true,2026-11-24T14:03:20.123456Z,"{""user"":""a,b""}"
"two
lines, ""quoted""",-9223372036854775808,-1.000000001,0.001,false,2026-11-24T14:03:20Z,"[1,2]"
,,,,,,
'=1+1,0,123456789,-0,true,1970-01-01T00:00:00Z,{}
`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for text, want := range map[string]string{
		`=cmd|'/c calc'!A1`: `'=cmd|'/c calc'!A1`, "+1": "'+1", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1",
		" =1": "' =1", "＝1": "'＝1", "a=1": "a=1", "'=1": "'=1", " ": " ", "–1": "–1",
	} {
		value, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		b := write(t, export.Options{Format: export.CSV, Columns: columns()[:1], Resumed: true}, [][]json.RawMessage{{value}})
		got, err := csv.NewReader(bytes.NewReader(b)).Read()
		if err != nil || got[0] != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	if got := string(write(t, export.Options{Format: export.CSV, Columns: columns()[:2]}, nil)); got != "text,count\n" {
		t.Errorf("without rows: %q", got)
	}
}

// parquetRow is what a reader that knows the columns gets.
type parquetRow struct {
	Text  *string  `parquet:"text,optional"`
	Count *int64   `parquet:"count,optional"`
	Cost  *int64   `parquet:"cost,optional,decimal(9:18)"`
	MS    *float64 `parquet:"ms,optional"`
	OK    *bool    `parquet:"ok,optional"`
	At    *int64   `parquet:"at,optional,timestamp(microsecond)"`
	Meta  *string  `parquet:"meta,optional,json"`
}

func readParquet(t interface{ Fatal(...any) }, b []byte) []parquetRow {
	rows, err := parquet.Read[parquetRow](bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestParquetHasTypesAndTheOrderOfColumns(t *testing.T) {
	b := write(t, export.Options{Format: export.Parquet, Columns: columns(), Gzip: true}, sample())
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	want := `message row {
	optional binary text (STRING);
	optional int64 count (INT(64,true));
	optional int64 cost (DECIMAL(18,9));
	optional double ms;
	optional boolean ok;
	optional int64 at (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional binary meta (JSON);
}`
	if got := f.Schema().String(); got != want {
		t.Errorf("schema %s\nwant %s", got, want)
	}
	rows := readParquet(t, b)
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	at := time.Date(2026, 11, 24, 14, 3, 20, 123456000, time.UTC).UnixMicro()
	if r := rows[0]; *r.Text != "plain" || *r.Count != 1 || *r.Cost != 56_800 || *r.MS != 12.5 || !*r.OK || *r.At != at || *r.Meta != `{"user":"a,b"}` {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; *r.Count != -1<<63 || *r.Cost != -1_000_000_001 {
		t.Errorf("%+v", r)
	}
	if !reflect.DeepEqual(rows[2], parquetRow{}) {
		t.Errorf("%+v", rows[2])
	}
	if b := write(t, export.Options{Format: export.Parquet, Columns: columns()}, nil); len(readParquet(t, b)) != 0 {
		t.Error("rows in a file without any")
	}
}

// TestParquetOfManyRows: several row groups, and columns of several pages.
func TestParquetOfManyRows(t *testing.T) {
	const n = 50_003
	rows := make([][]json.RawMessage, n)
	for i := range rows {
		ok := "null"
		if i%3 > 0 {
			ok = fmt.Sprint(i%3 == 1)
		}
		rows[i] = raw(fmt.Sprintf(`"%060d"`, i), fmt.Sprint(i-1000), "null", "0.5", ok, "null", "null")
	}
	b := write(t, export.Options{Format: export.Parquet, Columns: columns()}, rows)
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil || f.NumRows() != n || len(f.RowGroups()) != 2 {
		t.Fatalf("%v, %d rows in %d groups", err, f.NumRows(), len(f.RowGroups()))
	}
	for i, r := range readParquet(t, b) {
		if *r.Text != fmt.Sprintf("%060d", i) || *r.Count != int64(i-1000) || r.Cost != nil || *r.MS != 0.5 || (r.OK == nil) != (i%3 == 0) || r.OK != nil && *r.OK != (i%3 == 1) {
			t.Fatalf("row %d is %+v", i, r)
		}
	}
	group := f.Metadata().RowGroups[1]
	count, cost := group.Columns[1].MetaData.Statistics, group.Columns[2].MetaData.Statistics
	if least, most := binary.LittleEndian.Uint64(count.MinValue), binary.LittleEndian.Uint64(count.MaxValue); least != 49_000 || most != 49_002 || count.NullCount != 0 {
		t.Errorf("the second group's counts are from %d to %d, %d null", least, most, count.NullCount)
	}
	if cost.NullCount != 3 || cost.MinValue != nil {
		t.Errorf("the second group's costs: %+v", cost)
	}
	pages, err := f.RowGroups()[0].ColumnChunks()[0].Pages(), error(nil)
	defer pages.Close()
	read := 0
	for err == nil {
		if _, err = pages.ReadPage(); err == nil {
			read++
		}
	}
	if !errors.Is(err, io.EOF) || read < 3 {
		t.Errorf("%d pages, %v", read, err)
	}
}

func TestAValueOfAnotherKindIsRefused(t *testing.T) {
	for i, value := range []string{`1`, `1.5`, `0.0000000001`, `"x"`, `1`, `"yesterday"`} {
		w, err := export.NewWriter(io.Discard, export.Options{Format: export.Parquet, Columns: columns()[i : i+1]})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(raw(value)); err == nil || !strings.Contains(err.Error(), columns()[i].Name) {
			t.Errorf("%s as %s: %v", value, columns()[i].Name, err)
		}
	}
	if _, err := export.NewWriter(io.Discard, export.Options{Format: "xlsx"}); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("an unknown format: %v", err)
	}
}

// rowsOf draws rows that fit columns.
func rowsOf() *rapid.Generator[[][]json.RawMessage] {
	text := rapid.Map(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"=1", "a\r\nb", ",", `"`, "\x00", "<&>"})), func(s string) json.RawMessage {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return b
	})
	row := rapid.Custom(func(t *rapid.T) []json.RawMessage {
		row := raw(
			string(text.Draw(t, "text")),
			fmt.Sprint(rapid.Int64().Draw(t, "count")),
			fmt.Sprintf("%d.%09d", rapid.IntRange(-99_999, 99_999).Draw(t, "dollars"), rapid.IntRange(0, 999_999_999).Draw(t, "nano")),
			fmt.Sprintf("%.3f", rapid.Float64Range(0, 1e9).Draw(t, "ms")),
			fmt.Sprint(rapid.Bool().Draw(t, "ok")),
			`"`+time.UnixMicro(rapid.Int64Range(0, 1<<51).Draw(t, "at")).UTC().Format(time.RFC3339Nano)+`"`,
			`{"k":`+string(text.Draw(t, "meta"))+`}`,
		)
		for i := range row {
			if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				row[i] = nil
			}
		}
		return row
	})
	return rapid.SliceOfN(row, 0, 20)
}

func TestAFileThatWasCutIsTheSameAsOneThatWasNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowsOf().Draw(t, "rows")
		o := export.Options{Format: rapid.SampledFrom([]export.Format{export.JSONL, export.CSV}).Draw(t, "format"), Columns: columns()}
		want := write(t, o, rows)
		o.Gzip = rapid.Bool().Draw(t, "gzip")
		var b bytes.Buffer
		w, err := export.NewWriter(&b, o)
		for i, row := range rows {
			if err == nil {
				err = w.Write(row)
			}
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
				err = errors.Join(err, w.Cut())
				whole := b.Len()
				if rapid.Bool().Draw(t, "killed") { // what was written behind the cut is gone, and another goes on
					err = errors.Join(err, w.Write(rows[min(i+1, len(rows)-1)]), w.Close())
					b.Truncate(whole)
					o.Resumed = true
					w, _ = export.NewWriter(&b, o)
				}
			}
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		got := b.Bytes()
		if o.Gzip {
			r, err := gzip.NewReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

func TestAllFormatsSayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowsOf().Draw(t, "rows")
		lines := bytes.Split(bytes.TrimSuffix(write(t, export.Options{Format: export.JSONL, Columns: columns()}, rows), []byte("\n")), []byte("\n"))
		cells, err := csv.NewReader(bytes.NewReader(write(t, export.Options{Format: export.CSV, Columns: columns()}, rows))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		typed := readParquet(t, write(t, export.Options{Format: export.Parquet, Columns: columns()}, rows))
		if len(rows) > 0 && len(lines) != len(rows) || len(cells) != len(rows)+1 || len(typed) != len(rows) {
			t.Fatalf("%d lines, %d cells, %d typed of %d rows", len(lines), len(cells), len(typed), len(rows))
		}
		for i := range rows {
			var o struct {
				Text  *string
				Count *int64
				Cost  json.Number
				OK    *bool
				At    *time.Time
				Meta  json.RawMessage
			}
			if err := json.Unmarshal(lines[i], &o); err != nil {
				t.Fatal(err)
			}
			p := typed[i]
			if !same(o.Text, p.Text) || !same(o.Count, p.Count) || !same(o.OK, p.OK) || (o.At == nil) != (p.At == nil) || o.At != nil && o.At.UnixMicro() != *p.At {
				t.Fatalf("line %s, parquet %+v", lines[i], p)
			}
			if p.Meta != nil && *p.Meta != string(o.Meta) {
				t.Fatalf("line %s, parquet %s", lines[i], *p.Meta)
			}
			if cost := string(o.Cost); cells[i+1][2] != cost || p.Cost != nil && nano(*p.Cost) != cost {
				t.Fatalf("cost %s, CSV %s, parquet %v", cost, cells[i+1][2], p.Cost)
			}
			if text := cells[i+1][0]; o.Text != nil && strings.TrimPrefix(text, "'") != strings.TrimPrefix(strings.ReplaceAll(*o.Text, "\r\n", "\n"), "'") {
				t.Fatalf("text %q, CSV %q", *o.Text, text)
			}
		}
	})
}

func same[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// nano writes an amount as rowsOf does.
func nano(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%09d", sign, n/1e9, n%1e9)
}

func FuzzCellsAreHarmless(f *testing.F) {
	for _, s := range []string{"=1", " =1", "\t@x", "a", "", "－1", "\xff=1", "'=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		value, err := json.Marshal(s)
		if err != nil {
			t.Skip()
		}
		b := write(t, export.Options{Format: export.CSV, Columns: []export.Column{{Name: "x"}, {Name: "y"}}, Resumed: true}, [][]json.RawMessage{{value, value}})
		record, err := csv.NewReader(bytes.NewReader(b)).Read()
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "\r\n", "\n") // as the reader does
		for _, cell := range record {
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n") {
				t.Errorf("a cell begins with a formula: %q", cell)
			}
			if cell != text && cell != "'"+text {
				t.Errorf("%q became %q", text, cell)
			}
		}
	})
}
