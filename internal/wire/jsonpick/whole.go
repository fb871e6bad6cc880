package jsonpick

import "github.com/sluicehq/sluice/internal/wire/jsonscan"

// puller reads a text that lies in one piece, as most do: by its own calls, not byte by byte through a
// state, which costs half. It picks what a Picker would, in the same order. Of a text that is cut or broken, or
// that needs more memory than its stack, it picks the beginning and gives up; a Picker then goes on.
type puller struct {
	b       []byte
	h       Handler
	learner *Template
	picked  int // values
}

// whole reads the text in b if all of it is there, and reports whether it was. Otherwise p has picked the
// first values already, and will not hand them on a second time.
func (p *Picker) whole(b []byte, h Handler) bool {
	i := space(b, 0)
	if i == len(b) || b[i] != '{' && b[i] != '[' || !closes(b) {
		return false
	}
	w := puller{b: b, h: h, learner: p.learner}
	if w.value(&p.set.root, i) >= 0 {
		p.state, p.at = Done, afterValue
		return true
	}
	if p.skip = w.picked; p.learner != nil {
		p.learner.spans = p.learner.spans[:0]
	}
	return false
}

// closes reports whether b ends as an object or an array does: a text that was cut seldom does.
func closes(b []byte) bool {
	i := len(b) - 1
	for i > 0 && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i--
	}
	return b[i] == '}' || b[i] == ']'
}

// The methods below take the index where what they read begins, and return the one behind it, or -1
// when they give up. n is the node of a value, nil where no path leads.

// value reads any value. It calls itself as deep as paths lead, no deeper.
func (w *puller) value(n *node, i int) int {
	switch c := w.at(i); {
	case c == '"':
		return w.str(n, i)
	case c != '{' && c != '[':
		return w.word(n, i)
	case n == nil || !n.inner():
		return w.bulk(n, i)
	case c == '{':
		return w.object(n, i)
	}
	return w.array(n, i)
}

func (w *puller) object(n *node, i int) int {
	if i = space(w.b, i+1); w.at(i) == '}' {
		return i + 1
	}
	w.some(n, jsonscan.Object)
	for {
		if w.at(i) != '"' {
			return -1
		}
		end, escaped := jsonscan.Inside(w.b, i+1)
		if w.at(end) != '"' {
			return -1
		}
		child := n.named(w.b[i+1:end], escaped)
		if i = space(w.b, end+1); w.at(i) != ':' {
			return -1
		}
		if i = w.value(child, space(w.b, i+1)); i < 0 {
			return -1
		}
		i = space(w.b, i)
		switch w.at(i) {
		case ',':
			i = space(w.b, i+1)
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

func (w *puller) array(n *node, i int) int {
	if i = space(w.b, i+1); w.at(i) == ']' {
		return i + 1
	}
	w.some(n, jsonscan.Array)
	for {
		if i = w.value(n.element, i); i < 0 {
			return -1
		}
		i = space(w.b, i)
		switch w.at(i) {
		case ',':
			i = space(w.b, i+1)
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

func (w *puller) str(n *node, begin int) int {
	end, _ := jsonscan.Inside(w.b, begin+1)
	if w.at(end) != '"' {
		return -1
	}
	return w.leaf(n, begin, end+1, jsonscan.String)
}

func (w *puller) word(n *node, begin int) int {
	i := begin
	for i < len(w.b) && inWords(w.b[i]) {
		i++
	}
	if i == begin || i == len(w.b) {
		return -1
	}
	return w.leaf(n, begin, i, jsonscan.KindOf(w.b[begin]))
}

// leaf takes a string or a word.
func (w *puller) leaf(n *node, begin, end int, kind jsonscan.Kind) int {
	part := span{begin: int32(begin), end: int32(end), word: true}
	if kind == jsonscan.String {
		part = span{begin: int32(begin + 1), end: int32(end - 1)}
	}
	switch {
	case n == nil || n.pick < 0 || n.how == Never:
	case n.how == Whole:
		if end-begin > MaxValue {
			return -1
		}
		w.pick(n, jsonscan.Value{Raw: w.b[begin:end], Kind: kind, Found: true})
		return end
	default:
		if part.some = true; part.begin < part.end && kind != jsonscan.Null {
			w.some(n, kind)
		}
		if part.word || part.begin == part.end {
			return end
		}
	}
	if w.learner != nil {
		w.learner.note(part)
	}
	return end
}

// bulk reads a container that no path leads into. Only brackets and strings matter there.
func (w *puller) bulk(n *node, begin int) int {
	wanted := n != nil && n.pick >= 0
	if i := space(w.b, begin+1); wanted && n.how == Some && w.at(i) != '}' && w.at(i) != ']' {
		w.some(n, jsonscan.KindOf(w.b[begin]))
	}
	learner := w.learner
	if wanted && n.how == Whole {
		learner = nil
	}
	end := w.skip(begin, learner)
	if end >= 0 && end-begin <= MaxValue && wanted && n.how == Whole {
		w.pick(n, jsonscan.Of(w.b[begin:end]))
	}
	return end
}

// skip reads the container at i, up to 64 of them within each other.
func (w *puller) skip(i int, learner *Template) int {
	var open uint64 // a bit for each: it is an object
	for depth := 0; ; {
		if i = bracket(w.b, i); i == len(w.b) {
			return -1
		}
		switch c := w.b[i]; c {
		case '"':
			end, _ := jsonscan.Inside(w.b, i+1)
			if w.at(end) != '"' {
				return -1
			}
			if learner != nil {
				learner.note(span{begin: int32(i + 1), end: int32(end)})
			}
			i = end
		case '{', '[':
			if depth++; depth > 64 {
				return -1
			}
			open = open<<1 | uint64(c>>5&1) // of the two, '{' has that bit
		default:
			if open&1 != 0 != (c == '}') {
				return -1
			}
			if open, depth = open>>1, depth-1; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// some picks the fact that something is in the value of n.
func (w *puller) some(n *node, kind jsonscan.Kind) {
	if n.pick >= 0 && n.how != Never {
		w.pick(n, jsonscan.Value{Kind: kind, Found: true})
	}
}

func (w *puller) pick(n *node, v jsonscan.Value) {
	w.picked++
	w.h.Pick(n.pick, v)
}

// at returns the byte at i, and 0 behind the end.
func (w *puller) at(i int) byte {
	if i < len(w.b) {
		return w.b[i]
	}
	return 0
}
