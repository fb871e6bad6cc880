package routing

import (
	"slices"
	"strings"
)

// walk looks for elements that no request comes to, and for ways that lead back to where they were.
func (p *parser) walk() {
	w := walker{p: p, state: make([]walkState, len(p.graph.Elements))}
	w.visit(p.graph.Start)
	model := false
	for i := range p.graph.Elements {
		p.at = i
		e := &p.graph.Elements[i]
		if w.state[i] == unseen {
			p.wrong("", "no way from the start leads to this element", "lead an output to it, or remove it")
		}
		model = model || e.Type == TypeModel
	}
	if !model {
		p.at = p.graph.Start
		p.warn("", "the route calls no model, so it has no answer to give", "add an element of the type model")
	}
}

type walkState uint8

const (
	unseen walkState = iota
	open             // the way comes from it
	done
)

type walker struct {
	p     *parser
	state []walkState
	way   []int
}

// visit goes on from element i. MaxElements bounds how deep it goes.
func (w *walker) visit(i int) {
	if i == None || w.state[i] == done {
		return
	}
	if w.state[i] == open {
		w.cycle(i)
		return
	}
	w.state[i] = open
	w.way = append(w.way, i)
	e := &w.p.graph.Elements[i]
	w.visit(e.Yes)
	for _, s := range e.Shares {
		w.visit(s.To)
	}
	w.visit(e.No)
	w.way = w.way[:len(w.way)-1]
	w.state[i] = done
}

// cycle reports the way that leads back to i.
func (w *walker) cycle(i int) {
	var ids []string
	for _, at := range w.way[slices.Index(w.way, i):] {
		ids = append(ids, quote(w.p.graph.Elements[at].ID))
	}
	w.p.at = i
	w.p.wrong("", "a way leads back here: "+strings.Join(append(ids, quote(w.p.graph.Elements[i].ID)), " → "), "a route has no cycles")
}
