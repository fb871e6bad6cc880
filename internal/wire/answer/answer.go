// Package answer takes a provider's answer apart into its JSON texts, whichever way it is framed: one
// text, a stream of server-sent events, or one text after the other, each on a line of its own (NDJSON).
// Providers choose the framing: an error may come as plain JSON where a stream was asked for, and the
// other way round.
package answer

import (
	"bytes"

	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/sse"
)

// Text is what is known of a text that has ended.
type Text struct {
	// Event: it was the data of a server-sent event, or one of an answer whose texts stand on lines.
	// Otherwise it was the whole answer.
	Event bool
	// Whole: it is one JSON text, as far as was checked. Otherwise it was cut short, or is no JSON.
	Whole bool
	// Sentinel: it is "[DONE]", the end of a stream in OpenAI's dialect, and no JSON.
	Sentinel bool
}

// Handler takes what a Reader finds. It must not count how often it is called: of texts in a row from
// which the same is picked, only the first is sure to be reported. Names of events are not, since the
// dialects repeat them inside, and servers that copy a dialect do not always send them.
type Handler interface {
	jsonpick.Handler
	// Begin is called when the first byte of a text that is the whole answer has come.
	Begin()
	// End is called when a text has ended; the values picked since the last End were part of it.
	End(t Text)
}

// Reader reads one answer, in bounded memory. The zero Reader is not ready: see Reset.
type Reader struct {
	set    *jsonpick.Set
	h      Handler
	stream bool
	lined  bool // where the answer may be lines, it is
	form   form
	begun  bool // a byte of the event's data has come
	known  bool // the event's text is like the one before
	done   int  // how many bytes of the sentinel have come; -1: other bytes
	events sse.Splitter
	picker jsonpick.Picker
	last   jsonpick.Template
}

// form is how an answer is framed.
type form uint8

const (
	unknown form = iota
	single       // one JSON text
	lines        // one after the other
	events
	opaque // neither; nothing is read
)

const sentinel = "[DONE]"

// Reset makes r ready for an answer, whose values it picks by set and hands to h. stream says whether
// the request asked for a stream: it decides where the first byte leaves a doubt.
func (r *Reader) Reset(set *jsonpick.Set, stream bool, h Handler) {
	// Field by field: a copy of the whole costs more than a short text does.
	r.picker.Reset(set)
	r.set, r.h, r.stream, r.lined = set, h, stream, false
	r.form, r.begun, r.known, r.done = unknown, false, false, -1
	r.events, r.last = sse.Splitter{}, jsonpick.Template{}
}

// ResetLines is as Reset, for dialects whose streams are texts on lines of their own. A text alone is a
// stream of one there; it may be spread over several lines, as people like to read it.
func (r *Reader) ResetLines(set *jsonpick.Set, h Handler) {
	r.Reset(set, false, h)
	r.lined = true
}

// Write takes the next bytes. p is not kept.
func (r *Reader) Write(p []byte) {
	if r.form == unknown {
		p = r.tell(p)
	}
	switch r.form {
	case single:
		was := r.picker.State()
		r.picker.Write(p, r.h)
		if was != jsonpick.Done && r.picker.State() == jsonpick.Done {
			r.h.End(Text{Whole: true})
		}
	case lines:
		r.lines(p)
	case events:
		r.events.Write(p, (*sink)(r))
	}
}

// Close ends the answer, and with it the text that had not ended.
func (r *Reader) Close() {
	switch {
	case r.form == single && r.picker.State() != jsonpick.Done:
		r.h.End(Text{})
	case r.form == lines:
		r.endLine()
	case r.form == events:
		r.events.Close((*sink)(r))
	}
}

// tell decides by the first byte how the answer is framed, and returns what is left to read. White
// space comes before an answer where a server keeps a silent connection alive with it (DeepSeek).
func (r *Reader) tell(p []byte) []byte {
	for i, c := range p {
		switch c {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf: // the last three make a byte order mark
			continue
		case '{', '[', '"':
			if r.form = single; r.lined && c == '{' {
				r.form = lines
			}
			r.h.Begin()
		case ':', 'd', 'e', 'i', 'r': // comment, data, event, id, retry
			r.form = events
		default:
			if r.form = opaque; r.stream {
				r.form = events
			}
		}
		return p[i:]
	}
	return nil
}

// lines reads texts that stand on lines. What follows a text on its line, whole or broken, is no part of
// the answer.
func (r *Reader) lines(p []byte) {
	for len(p) > 0 {
		line, broken := p, false
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line, broken = p[:i+1], true
		}
		p = p[len(line):]
		r.line(line)
		if state := r.picker.State(); broken && (r.known || state == jsonpick.Done || state == jsonpick.Broken) {
			r.endLine()
		}
	}
}

// line reads a piece of a line.
func (r *Reader) line(p []byte) {
	switch state := r.picker.State(); {
	case r.known || state == jsonpick.Done:
	case r.begun:
		r.picker.Write(p, r.h)
		r.ended(state)
	default:
		if p = bytes.TrimLeft(p, " \t\r\n"); len(p) == 0 {
			return
		}
		r.begun = true
		if r.known = r.last.Match(p); !r.known {
			r.last.Learn(&r.picker, p, r.h)
			r.ended(state)
		}
	}
}

// ended reports the end of a text that has just come; was is the state before.
func (r *Reader) ended(was jsonpick.State) {
	if was != jsonpick.Done && r.picker.State() == jsonpick.Done {
		r.h.End(Text{Event: true, Whole: true})
	}
}

// endLine ends the text of a line, and makes ready for the next one.
func (r *Reader) endLine() {
	if r.begun && !r.known {
		if r.picker.State() != jsonpick.Done {
			r.h.End(Text{Event: true})
		}
		r.picker.Reset(r.set)
	}
	r.begun, r.known = false, false
}

// sink is the Reader as the splitter sees it.
type sink Reader

// Data takes a piece of an event's data.
func (s *sink) Data(p []byte) {
	if s.known {
		return // it was whole already
	}
	if s.begun {
		s.match(p)
		s.picker.Write(p, s.h)
		return
	}
	s.begun = true
	if s.known = s.last.Match(p); s.known {
		return
	}
	if p[0] == sentinel[0] {
		s.done = 0
		s.match(p)
	}
	s.last.Learn(&s.picker, p, s.h)
}

// match compares data with the sentinel; spaces may follow it.
func (s *sink) match(p []byte) {
	for i := 0; i < len(p) && s.done >= 0; i++ {
		switch {
		case s.done < len(sentinel) && p[i] == sentinel[s.done]:
			s.done++
		case s.done < len(sentinel) || p[i] != ' ':
			s.done = -1
		}
	}
}

// End takes the end of an event.
func (s *sink) End([]byte) {
	if s.begun && !s.known {
		t := Text{Event: true, Sentinel: s.done == len(sentinel)}
		t.Whole = !t.Sentinel && s.picker.State() == jsonpick.Done
		s.h.End(t)
		s.picker.Reset(s.set)
	} else if !s.begun {
		s.h.End(Text{Event: true})
	}
	s.begun, s.known, s.done = false, false, -1
}
