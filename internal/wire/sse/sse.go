// Package sse splits a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
// as its bytes come, in any cuts. It keeps none of an event's data: data is handed on in pieces, so
// that an event may be of any size.
package sse

import "bytes"

// MaxName is how many bytes of an event's name are kept; names are cut there.
const MaxName = 128

// Handler takes what a Splitter finds. The slices alias the bytes being written or the Splitter's own
// and are valid during the call.
type Handler interface {
	// Data is called with each piece of the current event's data, in order. Several data lines are
	// joined by a piece "\n". Pieces are never empty.
	Data(p []byte)
	// End is called when an event that had a data line, even an empty one, has ended. name is its
	// "event" field, nil when there was none.
	End(name []byte)
}

// Splitter splits one stream. The zero Splitter is at its beginning. Lines end in LF, CRLF or CR; a
// byte order mark at the very beginning is skipped; comments and unknown fields are ignored.
type Splitter struct {
	state   state
	field   field
	swallow bool // the last byte was a CR: a LF that follows belongs to it
	hasData bool // the current event has a data line
	n       int  // bytes of word, or of the byte order mark, that have come
	word    [6]byte
	named   bool
	name    []byte
}

// state is what the next byte is part of.
type state uint8

const (
	atMark state = iota // a byte order mark, or the first line
	atLine              // the beginning of a line
	atWord              // a field's name
	atGap               // the one space that may follow the colon
	atText              // the field's value
)

// field is which field the current line is.
type field uint8

const (
	fieldOther field = iota
	fieldData
	fieldEvent
)

const mark = "\ufeff"

// Write takes the next bytes and hands what they hold to h. p is not kept.
func (s *Splitter) Write(p []byte, h Handler) {
	lf, cr := -1, -1 // the next of each in p; behind the end when there is none
	for i := 0; i < len(p); {
		switch s.state {
		case atMark:
			i = s.mark(p, i)
		case atLine:
			i = s.line(p, i, h)
		case atWord:
			i = s.part(p, i, h)
		case atGap:
			if p[i] == ' ' {
				i++
			}
			s.begin(h)
			s.state = atText
		case atText:
			if lf < i {
				lf = next(p, i, '\n')
			}
			if cr < i {
				cr = next(p, i, '\r')
			}
			end := min(lf, cr)
			s.text(p[i:end], h)
			if i = end; i < len(p) {
				i = s.lineEnd(p, i)
			}
		}
	}
}

// Close ends the stream. An event that was not closed by a blank line ends here: some servers leave
// the last one off, although a browser would then drop the event.
func (s *Splitter) Close(h Handler) {
	if s.state == atWord {
		s.nameless(h)
	} else if s.state == atGap {
		s.begin(h)
	}
	s.dispatch(h)
}

func next(p []byte, i int, c byte) int {
	if n := bytes.IndexByte(p[i:], c); n >= 0 {
		return i + n
	}
	return len(p)
}

// mark skips a byte order mark. Part of one is the beginning of a field that nobody knows.
func (s *Splitter) mark(p []byte, i int) int {
	switch {
	case p[i] == mark[s.n]:
		if s.n++; s.n == len(mark) {
			s.state = atLine
		}
		return i + 1
	case s.n == 0:
		s.state = atLine
	default:
		s.state, s.n = atWord, len(s.word)+1
	}
	return i
}

// line looks at the first byte of a line.
func (s *Splitter) line(p []byte, i int, h Handler) int {
	if s.swallow {
		if s.swallow = false; p[i] == '\n' {
			return i + 1
		}
	}
	switch p[i] {
	case '\n', '\r':
		s.dispatch(h)
		return s.lineEnd(p, i)
	case ':':
		s.field, s.state = fieldOther, atText
		return i + 1
	}
	s.n, s.state = 0, atWord
	return i
}

// lineEnd steps over the line end at i.
func (s *Splitter) lineEnd(p []byte, i int) int {
	s.swallow = p[i] == '\r'
	s.state = atLine
	return i + 1
}

// part reads on in a field's name.
func (s *Splitter) part(p []byte, i int, h Handler) int {
	for ; i < len(p); i++ {
		switch c := p[i]; c {
		case ':':
			s.field, s.state = s.known(), atGap
			return i + 1
		case '\n', '\r':
			s.nameless(h)
			return s.lineEnd(p, i)
		default:
			if s.n < len(s.word) {
				s.word[s.n] = c
			}
			s.n = min(s.n+1, len(s.word)+1)
		}
	}
	return i
}

// nameless ends a line that is a field name without a colon: its value is empty.
func (s *Splitter) nameless(h Handler) {
	s.field = s.known()
	s.begin(h)
}

// known returns which field has the name that was read.
func (s *Splitter) known() field {
	if s.n <= len(s.word) {
		switch string(s.word[:s.n]) {
		case "data":
			return fieldData
		case "event":
			return fieldEvent
		}
	}
	return fieldOther
}

// begin begins the value of the current line's field.
func (s *Splitter) begin(h Handler) {
	switch s.field {
	case fieldData:
		if s.hasData {
			s.word[0] = '\n' // the name that was there is read
			h.Data(s.word[:1])
		}
		s.hasData = true
	case fieldEvent:
		s.named, s.name = true, s.name[:0]
	}
}

func (s *Splitter) text(p []byte, h Handler) {
	switch {
	case len(p) == 0:
	case s.field == fieldData:
		h.Data(p)
	case s.field == fieldEvent:
		s.name = append(s.name, p[:min(len(p), MaxName-len(s.name))]...)
	}
}

// dispatch ends the current event.
func (s *Splitter) dispatch(h Handler) {
	if s.hasData {
		var name []byte
		if s.named && len(s.name) > 0 {
			name = s.name
		}
		h.End(name)
	}
	s.hasData, s.named = false, false
}
