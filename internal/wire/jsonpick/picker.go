package jsonpick

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Handler takes picked values.
type Handler interface {
	// Pick is called with each picked value, in order; path is the index of its Path. v.Raw is valid
	// during the call.
	Pick(path int, v jsonscan.Value)
}

// State is how far a Picker has come.
type State uint8

// The states.
const (
	Blank  State = iota // white space at most has come
	Inside              // in the middle of the text
	Done                // the text is complete, as far as was checked
	Broken              // what came is not JSON, or too deep; the rest is ignored
)

// Picker reads one JSON text at a time.
type Picker struct {
	set   *Set
	state State
	at    place
	open  jsonscan.Stack
	// nodes are those of the outermost open containers, as far as paths lead into them.
	nodes []*node
	here  *node // of the value that comes next or is being read; nil: no path leads there
	some  *node // its first member or byte is still to come

	key     bool // the string being read is a key
	escaped bool // it holds an escape
	kind    jsonscan.Kind

	skip    int       // values that were handed on before, by whole
	learner *Template // wants to know which parts may differ
	begin   int       // of the value being read, in the current Write

	holding bool // the bytes being read are kept: of a key or of a picked value
	long    bool // there were more than may be kept
	from    int  // where they begin in the current Write
	held    []byte
}

// place is what the next byte is part of.
type place uint8

const (
	beforeValue   place = iota
	beforeElement       // a value, or the end of an empty array
	beforeKey
	beforeMember // a key, or the end of an empty object
	beforeColon
	afterValue
	inString
	inEscape
	inWord // a number or a literal
	inBulk // an object or array that no path leads into
	inBulkString
	inBulkEscape
)

// Reset makes p ready for a new text, whose values it picks by set.
func (p *Picker) Reset(set *Set) {
	p.open.Reset()
	*p = Picker{set: set, here: &set.root, open: p.open, nodes: p.nodes[:0], held: p.held[:0]}
}

// State returns how far p has come.
func (p *Picker) State() State { return p.state }

// Write takes the next bytes and hands picked values to h. b is not kept. Bytes behind the end of the
// text are ignored.
func (p *Picker) Write(b []byte, h Handler) {
	if p.state == Blank && p.whole(b, h) {
		return
	}
	p.from = 0
	i := 0
	for i < len(b) && p.state < Done {
		switch p.at {
		case inString:
			i = p.str(b, i, h)
		case inEscape:
			i, p.at = i+1, inString
		case inWord:
			i = p.word(b, i, h)
		case inBulk, inBulkString, inBulkEscape:
			i = p.bulk(b, i, h)
		default:
			if c := b[i]; c == ' ' || c == '\n' || c == '\r' || c == '\t' {
				i++
			} else {
				i = p.token(b, i, h)
			}
		}
	}
	if p.holding && p.state < Done {
		p.keep(b[p.from:])
	}
}

// token reads the byte at i, which is part of the structure or begins a value.
func (p *Picker) token(b []byte, i int, h Handler) int {
	c := b[i]
	switch p.at {
	case beforeElement:
		if c == ']' {
			return p.close(i, h)
		}
		p.first(h)
		return p.value(c, i)
	case beforeValue:
		return p.value(c, i)
	case beforeMember:
		if c == '}' {
			return p.close(i, h)
		}
		p.first(h)
		fallthrough
	case beforeKey:
		if c != '"' {
			break
		}
		return p.beginKey(i)
	case beforeColon:
		if c != ':' {
			break
		}
		p.at = beforeValue
		return i + 1
	case afterValue:
		return p.after(b, i, h)
	}
	return p.fail(i)
}

// after reads what follows a value inside a container.
func (p *Picker) after(b []byte, i int, h Handler) int {
	c, object := b[i], p.open.Object()
	switch {
	case c == ',' && object:
		if i+1 < len(b) && b[i+1] == '"' {
			return p.beginKey(i + 1)
		}
		p.at = beforeKey
	case c == ',':
		p.here = p.nodes[len(p.nodes)-1].element
		p.at = beforeValue
	case c == '}' && object, c == ']' && !object:
		return p.close(i, h)
	default:
		return p.fail(i)
	}
	return i + 1
}

// beginKey begins the key whose opening quote is at i.
func (p *Picker) beginKey(i int) int {
	p.key, p.escaped = true, false
	p.hold(i + 1)
	p.at = inString
	return i + 1
}

// value begins the value whose first byte is c.
func (p *Picker) value(c byte, i int) int {
	p.state = Inside
	p.begin = i
	p.kind = jsonscan.KindOf(c)
	n := p.here
	wanted := n != nil && n.pick >= 0
	switch p.kind {
	case jsonscan.Object, jsonscan.Array:
		if !p.open.Push(c == '{') {
			return p.fail(i)
		}
		if n != nil && n.inner() {
			p.enter(n, c)
			return i + 1
		}
		p.at = inBulk
	case jsonscan.String:
		p.key, p.escaped = false, false
		p.at = inString
	default:
		if !inWords(c) {
			return p.fail(i)
		}
		p.at = inWord
	}
	if wanted && n.how == Some {
		p.some = n
	} else if wanted && n.how == Whole {
		p.hold(i)
	}
	return i + 1
}

// enter opens a container that paths lead into.
func (p *Picker) enter(n *node, c byte) {
	if cap(p.nodes) < p.set.depth {
		p.nodes = make([]*node, 0, p.set.depth) // texts that come whole do without
	}
	p.nodes = append(p.nodes, n)
	if n.pick >= 0 && n.how != Never {
		p.some = n
	}
	if c == '{' {
		p.at = beforeMember
		return
	}
	p.here, p.at = n.element, beforeElement
}

// first reports, where that is wanted, that a value has something in it.
func (p *Picker) first(h Handler) {
	if p.some != nil {
		p.pick(p.some, jsonscan.Value{Kind: p.kind, Found: true}, h)
		p.some = nil
	}
}

// close closes the innermost container, in which paths led on.
func (p *Picker) close(i int, h Handler) int {
	p.some = nil
	p.open.Pop()
	p.nodes = p.nodes[:len(p.nodes)-1]
	return p.ended(i + 1)
}

// ended is called behind a value; i is where that is.
func (p *Picker) ended(i int) int {
	p.at = afterValue
	if p.open.Depth() == 0 {
		p.state = Done
	}
	return i
}

func (p *Picker) fail(i int) int {
	p.state = Broken
	return i
}

// str reads on in a string: a key, or a value that is no part of a bulk.
func (p *Picker) str(b []byte, i int, h Handler) int {
	if p.some != nil && !p.key && b[i] != '"' {
		p.first(h)
	}
	i, escaped := jsonscan.Inside(b, i)
	p.escaped = p.escaped || escaped
	if i == len(b) {
		return i
	}
	switch b[i] {
	case '\\':
		p.escaped, p.at = true, inEscape
		return i + 1
	case '"':
		if p.key {
			p.endKey(p.take(b, i, maxKey))
			if i++; i < len(b) && b[i] == ':' {
				p.at = beforeValue
				i++
			}
			return i
		}
		p.some = nil
		p.learn(p.begin+1, i, false)
		p.endValue(b, i+1, h)
		return p.ended(i + 1)
	}
	return p.fail(i) // a control character
}

// endKey finds out which path, if any, the value of the key that was read is on.
func (p *Picker) endKey(key []byte) {
	p.at = beforeColon
	n := p.nodes[len(p.nodes)-1]
	if p.here = n.any; !p.long {
		p.here = n.named(key, p.escaped)
	}
	p.long = false
}

// word reads on in a number or a literal.
func (p *Picker) word(b []byte, i int, h Handler) int {
	for ; i < len(b); i++ {
		if !inWords(b[i]) {
			if p.kind == jsonscan.Null {
				p.some = nil
			}
			p.first(h)
			p.learn(p.begin, i, true)
			p.endValue(b, i, h)
			return p.ended(i)
		}
	}
	return i
}

// inWords reports whether numbers and literals are made of c: NaN and Infinity, too, which are not JSON
// but which some servers write among log probabilities.
func inWords(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '+'
}

// bulk reads on in a container that no path leads into. Only brackets and strings matter there.
func (p *Picker) bulk(b []byte, i int, h Handler) int {
	for i < len(b) && p.at != afterValue && p.state == Inside {
		switch p.at {
		case inBulkString:
			i = p.bulkString(b, i)
		case inBulkEscape:
			i, p.at = i+1, inBulkString
		default:
			if p.some != nil {
				if i = space(b, i); i < len(b) && b[i] != '}' && b[i] != ']' {
					p.first(h)
				}
			}
			if i = bracket(b, i); i < len(b) {
				i = p.bulkBracket(b, i, h)
			}
		}
	}
	return i
}

func (p *Picker) bulkString(b []byte, i int) int {
	if i, _ = jsonscan.Inside(b, i); i == len(b) {
		return i
	}
	switch b[i] {
	case '\\':
		p.at = inBulkEscape
	case '"':
		p.learnBulk(p.begin+1, i)
		p.at = inBulk
	default:
		return p.fail(i)
	}
	return i + 1
}

// bulkBracket reads the bracket or the opening quote at i.
func (p *Picker) bulkBracket(b []byte, i int, h Handler) int {
	switch c := b[i]; c {
	case '"':
		p.begin = i
		p.at = inBulkString
	case '{', '[':
		if !p.open.Push(c == '{') {
			return p.fail(i)
		}
	default:
		if p.open.Object() != (c == '}') {
			return p.fail(i)
		}
		if p.open.Pop(); p.open.Depth() == len(p.nodes) {
			p.some = nil
			p.endValue(b, i+1, h)
			return p.ended(i + 1)
		}
	}
	return i + 1
}

// learn notes that what lies between begin and end may differ in a text that reads the same: a string's
// inside or a word, unless its bytes are picked, or its being something is what is picked and may change.
func (p *Picker) learn(begin, end int, word bool) {
	if p.learner == nil || p.holding {
		return
	}
	some := p.here != nil && p.here.pick >= 0 && p.here.how == Some
	if some && (word || begin == end) {
		return
	}
	p.learner.note(span{int32(begin), int32(end), word, some})
}

// learnBulk is learn for strings that no path leads to, keys too.
func (p *Picker) learnBulk(begin, end int) {
	if p.learner != nil && !p.holding {
		p.learner.note(span{begin: int32(begin), end: int32(end)})
	}
}

// hold begins to keep bytes, from i on.
func (p *Picker) hold(i int) {
	p.holding, p.long, p.from, p.held = true, false, i, p.held[:0]
}

// keep puts a piece of what is held aside, because its memory is the caller's.
func (p *Picker) keep(piece []byte) {
	limit := MaxValue
	if p.at == inString && p.key || p.at == inEscape && p.key {
		limit = maxKey
	}
	if room := limit - len(p.held); len(piece) > room {
		piece, p.long = piece[:room], true
	}
	p.held = append(p.held, piece...)
}

// take ends the holding at i and returns what was held, limit bytes of it at most.
func (p *Picker) take(b []byte, i, limit int) []byte {
	p.holding = false
	piece := b[p.from:i]
	if len(p.held) > 0 || p.long {
		p.keep(piece)
		return p.held
	}
	if len(piece) > limit {
		p.long = true
		return piece[:limit]
	}
	return piece
}

// endValue picks the value that ends at i, if it was held.
func (p *Picker) endValue(b []byte, i int, h Handler) {
	if !p.holding {
		return
	}
	raw := p.take(b, i, MaxValue)
	if p.long {
		if p.long = false; p.kind != jsonscan.String {
			return
		}
		raw = cut(raw)
	}
	p.pick(p.here, jsonscan.Value{Raw: raw, Kind: p.kind, Found: true}, h)
}

// pick hands on the value of n.
func (p *Picker) pick(n *node, v jsonscan.Value, h Handler) {
	if p.skip > 0 {
		p.skip--
		return
	}
	h.Pick(n.pick, v)
}

// cut closes a string whose end is missing, behind its last whole escape.
func cut(raw []byte) []byte {
	i := 1
	for i < len(raw) {
		n := 1
		if raw[i] == '\\' {
			if n = 2; i+1 < len(raw) && raw[i+1] == 'u' {
				n = 6
			}
		}
		if i+n > len(raw) {
			break
		}
		i += n
	}
	return append(bytes.Clone(raw[:i]), '"')
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// bracket returns the index of the first bracket, brace or quote at or behind i, len(b) when there is
// none.
func bracket(b []byte, i int) int {
	const low, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ low*'"'
		// A brace is a bracket with one more bit.
		left, right := w&^(low*0x20)^low*'[', w&^(low*0x20)^low*']'
		m := ((quote-low)&^quote | (left-low)&^left | (right-low)&^right) & high
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"', '{', '}', '[', ']':
			return i
		}
	}
	return i
}
