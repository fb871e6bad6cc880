package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// csvRows writes CSV. Null is an empty cell.
type csvRows struct {
	out     *csv.Writer
	columns []Column
	head    bool // the names are still to be written
	cells   []string
}

func newCSV(out io.Writer, columns []Column, head bool) *csvRows {
	return &csvRows{out: csv.NewWriter(out), columns: columns, head: head, cells: make([]string, len(columns))}
}

func (c *csvRows) names() error {
	if !c.head {
		return nil
	}
	c.head = false
	for i := range c.columns {
		c.cells[i] = c.columns[i].Name
	}
	return c.out.Write(c.cells)
}

func (c *csvRows) write(row []json.RawMessage) error {
	if err := c.names(); err != nil {
		return err
	}
	for i, value := range row {
		text, err := cell(&c.columns[i], value)
		if err != nil {
			return err
		}
		c.cells[i] = text
	}
	return c.out.Write(c.cells)
}

// cell is a value as a cell. A text that a spreadsheet would run gets an apostrophe in front, which such a program
// takes for "this is text": log entries hold what anybody sent.
func cell(c *Column, value json.RawMessage) (string, error) {
	if isNull(value) {
		return "", nil
	}
	switch c.Kind {
	case Text, Time:
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return "", fmt.Errorf("column %s: %w", c.Name, err)
		}
		return harmless(text), nil
	case JSON:
		return harmless(string(value)), nil
	}
	return string(value), nil
}

// harmless returns text so that no spreadsheet takes it for a formula.
func harmless(text string) string {
	// Leading blanks don't keep every program from it, nor do the wide forms of the signs.
	seen := strings.TrimLeft(text, " \u00a0\u3000")
	if seen == "" {
		return text
	}
	first := []rune(seen[:min(len(seen), 4)])[0]
	if strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + text
	}
	return text
}

func (c *csvRows) flush() error {
	c.out.Flush()
	return c.out.Error()
}

func (c *csvRows) end() error {
	if err := c.names(); err != nil { // of a file without rows
		return err
	}
	return c.flush()
}

func isNull(value json.RawMessage) bool { return value == nil || string(value) == "null" }
