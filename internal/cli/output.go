package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/internal/config"
)

// view is what a command shows, in all the forms that -o may ask for.
type view struct {
	raw   json.RawMessage   // the document of json and yaml
	rows  []json.RawMessage // the lines of jsonl and csv; nil: raw is the only one
	csv   []string          // fields that csv has when none are named
	table func(wide bool) *table
}

// column is one column of a table.
type column struct {
	title string
	right bool // numbers
	flex  int  // may be cut to this many characters when the terminal is too narrow; 0: never
	spare bool // left out when the terminal is too narrow
	width int  // at least; 0: as wide as its cells. Tails cannot know their cells ahead
}

// cell is one value.
type cell struct {
	text  string
	color color
}

// table is rows under columns. A table without titles is a list of pairs.
type table struct {
	columns []column
	rows    [][]cell
}

// show writes v in the form that flags ask for.
func (a *commands) show(v view) error {
	rows := v.rows
	if rows == nil {
		rows = []json.RawMessage{v.raw}
	}
	if err := a.knownFields(rows); err != nil {
		return err
	}
	switch a.flags.output {
	case "json", "yaml":
		return a.showDocument(v, rows)
	case "jsonl":
		for _, row := range rows {
			if err := a.writeLine(a.pick(row)); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return a.showCSV(v, rows)
	}
	if len(a.flags.fields) > 0 {
		return a.write(a.layout(a.fieldTable(rows)))
	}
	return a.write(a.layout(v.table(a.flags.output == "wide")))
}

func (a *commands) write(text string) error {
	_, err := io.WriteString(a.Stdout, text)
	return err
}

// writeLine writes a JSON document in one line.
func (a *commands) writeLine(doc json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		return err
	}
	b.WriteByte('\n')
	return a.write(b.String())
}

// showDocument writes all as one document.
func (a *commands) showDocument(v view, rows []json.RawMessage) error {
	doc := v.raw
	if len(a.flags.fields) > 0 {
		if v.rows == nil {
			doc = a.pick(doc)
		} else {
			picked := make([]json.RawMessage, len(rows))
			for i, row := range rows {
				picked[i] = a.pick(row)
			}
			text, err := json.Marshal(picked)
			if err != nil {
				return err
			}
			doc = text
		}
	}
	if a.flags.output == "yaml" {
		text, err := toYAML(doc)
		if err != nil {
			return err
		}
		return a.write(text)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	return a.write(b.String())
}

// toYAML writes JSON as YAML, the order of names kept.
func toYAML(doc json.RawMessage) (string, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(doc, &node); err != nil { // JSON is YAML
		return "", err
	}
	var restyle func(n *yaml.Node)
	restyle = func(n *yaml.Node) {
		n.Style = 0
		for _, c := range n.Content {
			restyle(c)
		}
	}
	restyle(&node)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}

// member is one name and value of an object, in order.
type member struct {
	name  string
	value json.RawMessage
}

// members returns an object's members; nil for what is no object.
func members(doc json.RawMessage) []member {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var list []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return list
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return list
		}
		list = append(list, member{name.(string), value})
	}
	return list
}

// knownFields refuses names that no row has.
func (a *commands) knownFields(rows []json.RawMessage) error {
	if len(a.flags.fields) == 0 || len(rows) == 0 {
		return nil
	}
	var names []string
	for _, m := range members(rows[0]) {
		names = append(names, m.name)
	}
	for _, f := range a.flags.fields {
		if !contains(names, f) {
			msg := fmt.Sprintf("--fields: there is no field %q", f)
			if near := config.Nearest(f, names); near != "" {
				msg += "; did you mean " + near + "?"
			}
			return &failure{code: exitUsage, what: msg, hint: "the fields are: " + strings.Join(names, ", ")}
		}
	}
	return nil
}

// pick keeps the fields that were asked for, in their order; all when none were.
func (a *commands) pick(doc json.RawMessage) json.RawMessage {
	if len(a.flags.fields) == 0 {
		return doc
	}
	values := map[string]json.RawMessage{}
	for _, m := range members(doc) {
		values[m.name] = m.value
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range a.flags.fields {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(f)
		if err != nil {
			continue // a text always marshals
		}
		b.Write(name)
		b.WriteByte(':')
		if v, found := values[f]; found {
			b.Write(v)
		} else {
			b.WriteString("null")
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// flat writes a JSON value as one text: strings bare, null as nothing, all else as JSON.
func flat(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// showCSV writes rows as CSV (RFC 4180).
func (a *commands) showCSV(v view, rows []json.RawMessage) error {
	w := csv.NewWriter(a.Stdout)
	for i, row := range rows {
		values := members(row)
		if i == 0 && !a.flags.noHeader {
			if err := w.Write(a.csvFields(v, values)); err != nil {
				return err
			}
		}
		if err := w.Write(csvRow(a.csvFields(v, values), values)); err != nil {
			return err
		}
	}
	if len(rows) == 0 && !a.flags.noHeader {
		if err := w.Write(a.csvFields(v, nil)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func (a *commands) csvFields(v view, first []member) []string {
	if len(a.flags.fields) > 0 {
		return a.flags.fields
	}
	if v.csv != nil {
		return v.csv
	}
	var names []string
	for _, m := range first {
		names = append(names, m.name)
	}
	return names
}

func csvRow(fields []string, values []member) []string {
	record := make([]string, len(fields))
	for i, f := range fields {
		for _, m := range values {
			if m.name == f {
				record[i] = flat(m.value)
			}
		}
	}
	return record
}

// fieldTable is a table of the fields that were asked for.
func (a *commands) fieldTable(rows []json.RawMessage) *table {
	t := &table{}
	for _, f := range a.flags.fields {
		t.columns = append(t.columns, column{title: strings.ToUpper(f)})
	}
	for _, row := range rows {
		var cells []cell
		for _, text := range csvRow(a.flags.fields, members(row)) {
			cells = append(cells, cell{text: text})
		}
		t.rows = append(t.rows, cells)
	}
	return t
}

// gap stands between columns.
const gap = "  "

// layout writes a table with its columns aligned. On a terminal flexible columns give way, so that
// lines fit; nowhere else is anything cut.
func (a *commands) layout(t *table) string {
	widths := make([]int, len(t.columns))
	titled := false
	for i, c := range t.columns {
		widths[i] = max(c.width, 0)
		titled = titled || c.title != ""
		if !a.flags.noHeader {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.title))
		}
	}
	for _, row := range t.rows {
		for i := range row {
			row[i].text = printable(row[i].text, false)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	widths = a.narrow(t, widths)
	var b strings.Builder
	if titled && !a.flags.noHeader {
		var titles []cell
		for _, c := range t.columns {
			titles = append(titles, cell{c.title, dim})
		}
		a.layoutRow(&b, t, widths, titles)
	}
	for _, row := range t.rows {
		a.layoutRow(&b, t, widths, row)
	}
	return a.sign(b.String())
}

// narrow makes a table fit the terminal, as far as that can be: spare columns go first, the last of
// them before the others, then flexible ones give way.
func (a *commands) narrow(t *table, widths []int) []int {
	if !a.OutTerminal || a.Width == 0 {
		return widths
	}
	over := func() int {
		sum := len(gap)*(len(widths)-1) - a.Width
		for _, w := range widths {
			sum += w
		}
		return sum
	}
	for i := len(t.columns) - 1; i >= 0 && over() > 0; i-- {
		if t.columns[i].spare {
			t.columns = slices.Delete(slices.Clone(t.columns), i, i+1)
			widths = slices.Delete(widths, i, i+1)
			for r := range t.rows {
				t.rows[r] = slices.Delete(t.rows[r], i, i+1)
			}
		}
	}
	for i := len(widths) - 1; i >= 0 && over() > 0; i-- {
		if least := t.columns[i].flex; least > 0 && widths[i] > least {
			widths[i] -= min(over(), widths[i]-least)
		}
	}
	return widths
}

func (a *commands) layoutRow(b *strings.Builder, t *table, widths []int, row []cell) {
	var line strings.Builder
	for i, c := range row {
		text := c.text
		if t.columns[i].flex > 0 && a.OutTerminal {
			text = clip(text, widths[i])
		}
		pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(text), 0))
		if i > 0 {
			line.WriteString(gap)
		}
		if t.columns[i].right {
			line.WriteString(pad + a.paint(a.OutTerminal, c.color, text))
		} else {
			line.WriteString(a.paint(a.OutTerminal, c.color, text) + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// pairs is a table of names and values.
func pairs(rows ...[2]string) *table {
	t := &table{columns: []column{{}, {}}}
	for _, r := range rows {
		t.rows = append(t.rows, []cell{{r[0], dim}, {text: r[1]}})
	}
	return t
}

// say writes a remark to stderr, unless the user wants none.
func (a *commands) say(format string, args ...any) {
	if !a.flags.quiet {
		fmt.Fprintf(a.Stderr, "%s\n", a.sign(printable(fmt.Sprintf(format, args...), true)))
	}
}
