package jsonpick

import "github.com/sluicehq/sluice/internal/wire/jsonscan"

// maxTemplate is how long a text a Template takes, in bytes: one of a stream's many small ones.
const maxTemplate = 4 << 10

// maxSpans is how many parts of a text may differ.
const maxSpans = 128

// Template recognises texts from which the very same values would be picked as from one before: those
// that differ from it only inside of strings and numbers that are not picked, or picked only as Some. A
// stream's deltas are such texts, and to recognise one costs a tenth of reading it. The zero Template
// recognises nothing.
type Template struct {
	text  []byte
	spans []span
}

// span is a part of the text that may differ.
type span struct {
	begin, end int32
	word       bool // a number or a literal; otherwise the inside of a string
	some       bool // it must not be empty
}

// Match reports whether b is a whole text from which the same is picked.
func (t *Template) Match(b []byte) bool {
	if len(t.text) == 0 {
		return false
	}
	i, at := 0, int32(0)
	for _, s := range t.spans {
		same := t.text[at:s.begin]
		if len(b)-i < len(same) || string(b[i:i+len(same)]) != string(same) {
			return false
		}
		i += len(same)
		begin := i
		if s.word {
			for i < len(b) && inWords(b[i]) {
				i++
			}
		} else {
			i, _ = jsonscan.Inside(b, i)
		}
		if i == begin && (s.some || s.word) {
			return false
		}
		at = s.end
	}
	return string(b[i:]) == string(t.text[at:])
}

// Learn picks from b, which is all there is of a text so far, and takes it as the template if it is
// whole. p must be fresh from Reset.
func (t *Template) Learn(p *Picker, b []byte, h Handler) {
	t.spans, t.text = t.spans[:0], t.text[:0]
	if len(b) > maxTemplate || b[0] != '{' {
		p.Write(b, h)
		return
	}
	p.learner = t
	p.Write(b, h)
	p.learner = nil
	if p.state == Done && len(t.spans) <= maxSpans {
		t.text = append(t.text, b...)
	}
}

// note takes a part that may differ. A text with too many of them is not taken.
func (t *Template) note(s span) {
	if len(t.spans) <= maxSpans {
		t.spans = append(t.spans, s)
	}
}
