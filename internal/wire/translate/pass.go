package translate

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// passing lets a stream of OpenAI's chunks through as it comes, but for the usage that the gateway has asked for
// and the client has not: the last chunk without choices, and the "usage": null of the others.
type passing struct {
	ctx   *Context
	held  []byte // an event that has not ended
	ready []byte
	begun bool
	whole bool // it is no stream
	done  bool // [DONE] has passed
}

func (p *passing) write(b []byte) {
	if !p.begun {
		if t := bytes.TrimLeft(b, " \t\r\n\ufeff"); len(t) > 0 {
			p.begun, p.whole = true, t[0] == '{'
		}
	}
	if p.whole {
		p.ready = append(p.ready, b...)
		return
	}
	p.held = append(p.held, b...)
	for {
		n := eventEnd(p.held)
		if n < 0 {
			break
		}
		p.event(p.held[:n])
		p.held = p.held[:copy(p.held, p.held[n:])]
	}
	if len(p.held) > maxEvent {
		p.flush()
	}
}

func (p *passing) flush() {
	p.ready = append(p.ready, p.held...)
	p.held = p.held[:0]
}

// eventEnd returns how long the first event of b is, its blank line included; -1: it has not ended.
func eventEnd(b []byte) int {
	end := -1
	for _, mark := range []string{"\n\n", "\r\n\r\n", "\r\r"} {
		if i := bytes.Index(b, []byte(mark)); i >= 0 && (end < 0 || i+len(mark) < end) {
			end = i + len(mark)
		}
	}
	return end
}

func (p *passing) event(e []byte) {
	p.done = p.done || bytes.Contains(e, []byte("[DONE]"))
	if !bytes.Contains(e, []byte(`"usage"`)) {
		p.ready = append(p.ready, e...)
		return
	}
	from := bytes.Index(e, []byte("data:"))
	if from < 0 || bytes.Count(e, []byte("\ndata:")) > 1 {
		p.ready = append(p.ready, e...)
		return
	}
	data := bytes.TrimSpace(e[from+len("data:"):])
	v, ok := parse(data)
	usage := v.Get("usage")
	switch choices := v.Get("choices"); {
	case !ok || !usage.Exists():
		p.ready = append(p.ready, e...)
	case choices.IsArray() && len(choices.Array()) == 0 && usage.IsObject():
	default:
		p.ready = append(p.ready, e[:from]...)
		p.ready = append(append(p.ready, "data: "...), without(v, "usage")...)
		p.ready = append(p.ready, "\n\n"...)
	}
}

// without writes an object again, but for one member; the values stay as they are.
func without(v gjson.Result, name string) []byte {
	o := &out{}
	o.open('{')
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != name {
			o.sep()
			o.b = append(append(append(o.b, key.Raw...), ':'), value.Raw...)
		}
		return true
	})
	o.close('}')
	return o.b
}

// take returns what may go on.
func (p *passing) take() []byte {
	b := p.ready
	p.ready = p.ready[:0]
	return b
}

// close ends the answer. cut: it broke off, which the client is told.
func (p *passing) close(cut bool) {
	p.flush()
	if cut && !p.done && p.begun && !p.whole {
		p.ready = append(append(append(p.ready, "data: "...), chatError(truncated())...), "\n\n"...)
	}
}

// truncated is the error of an answer that broke off.
func truncated() *Fault {
	return &Fault{Status: 502, Type: "upstream_error", Code: codeTruncated, Message: "upstream stream ended early"}
}
