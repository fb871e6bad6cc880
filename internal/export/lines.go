package export

import (
	"bufio"
	"encoding/json"
)

// lines writes JSON lines.
type lines struct {
	out   *bufio.Writer
	names []string // in quotes, with a colon
	buf   []byte
}

func newLines(out *bufio.Writer, columns []Column) *lines {
	l := &lines{out: out}
	for _, c := range columns {
		name, _ := json.Marshal(c.Name) // a text always marshals
		l.names = append(l.names, string(name)+":")
	}
	return l
}

func (l *lines) write(row []json.RawMessage) error {
	b := append(l.buf[:0], '{')
	for i, name := range l.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, name...)
		if row[i] == nil {
			b = append(b, "null"...)
		} else {
			b = append(b, row[i]...)
		}
	}
	l.buf = append(b, '}', '\n')
	_, err := l.out.Write(l.buf)
	return err
}

func (l *lines) flush() error { return nil }

func (l *lines) end() error { return nil }
