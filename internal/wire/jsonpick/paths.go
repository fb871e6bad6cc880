// Package jsonpick reads chosen values out of a JSON text as its bytes come, in any cuts and in
// bounded memory, whatever the text's size. It checks as much of the grammar as it needs to keep its
// place; of a text that is JSON it picks exactly what a decoder would find.
package jsonpick

import (
	"encoding/json"
	"strings"
)

// MaxValue is how many bytes of a picked value are kept. A longer string is cut there, at the end of
// a character as far as escapes go; a longer object or array is not picked.
const MaxValue = 64 << 10

// maxKey is how many bytes of a key are kept: more than a name in a path has, all of it escaped.
const maxKey = 512

// How says what is wanted of a path's value.
type How uint8

// The ways. Containers are objects and arrays.
const (
	// Whole picks the value with its bytes. When other paths lead on from this one, a container is
	// picked as by Some and they lead into it.
	Whole How = iota
	// Some picks the fact that something is there, at once: a string with its first byte, a container with
	// its first member, numbers and booleans. Null, "", {} and [] are nothing. Picked values have no bytes.
	Some
	// Never picks nothing; it takes a name out of a "*".
	Never
)

// Path is a place in a JSON text: names with dots between them, "[]" for any element of an array, "*"
// for any member of an object that no other path names.
type Path struct {
	At  string
	How How
}

// Set is a set of paths, compiled. It does not change: it may be used by many Pickers at once.
type Set struct {
	root  node
	depth int // of the deepest path
}

// node is a place that a path ends in or leads through.
type node struct {
	pick    int // index of the path that ends here, -1: none
	how     How
	names   []string
	members []*node // by names
	any     *node   // other members
	element *node   // elements of an array
}

// Compile makes a Set. Picked values carry the index of their path in paths. Paths are written by
// programmers: no two are the same.
func Compile(paths []Path) *Set {
	s := &Set{root: node{pick: -1}}
	for i, p := range paths {
		n := &s.root
		steps := strings.Split(p.At, ".")
		for _, step := range steps {
			n = n.child(step)
		}
		n.pick, n.how = i, p.How
		s.depth = max(s.depth, len(steps))
	}
	return s
}

// child returns the node that step leads to, made if need be.
func (n *node) child(step string) *node {
	fresh := &node{pick: -1}
	switch step {
	case "*":
		if n.any == nil {
			n.any = fresh
		}
		return n.any
	case "[]":
		if n.element == nil {
			n.element = fresh
		}
		return n.element
	}
	for i, name := range n.names {
		if name == step {
			return n.members[i]
		}
	}
	n.names, n.members = append(n.names, step), append(n.members, fresh)
	return fresh
}

// member returns the node of the member called name, nil when no path leads there.
func (n *node) member(name []byte) *node {
	for i, want := range n.names {
		if string(name) == want {
			return n.members[i]
		}
	}
	return n.any
}

// named returns the node of the member whose key is written as key, between its quotes.
func (n *node) named(key []byte, escaped bool) *node {
	switch {
	case len(key) > maxKey:
		return n.any
	case !escaped:
		return n.member(key)
	}
	var name string
	if json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &name) != nil {
		return nil
	}
	return n.member([]byte(name))
}

// inner reports whether paths lead on from n.
func (n *node) inner() bool { return n.names != nil || n.any != nil || n.element != nil }
