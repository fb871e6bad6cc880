package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// node is a JSON value. Objects keep the order of their members, and have none twice.
type node struct {
	value   any // nil, bool, string or json.Number; of an object or list: nothing
	kind    kind
	members []member // of an object
	items   []node   // of a list
}

type member struct {
	name string
	node
}

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindList
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "a text", "a list", "an object"}[k]
}

// maxNesting bounds how deep values lie in each other: a condition of maxDepth lies in a route, and operators
// are objects of their own.
const maxNesting = 2*maxDepth + 16

// parseTree reads one JSON value strictly: a name that occurs twice in an object is an error, because two
// readers may take different ones.
func parseTree(text []byte) (node, error) {
	if !utf8.Valid(text) {
		return node{}, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	n, err := readNode(dec, 0)
	if err != nil {
		return node{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("something stands behind the JSON value")
	}
	return n, nil
}

func readNode(dec *json.Decoder, depth int) (node, error) {
	if depth > maxNesting {
		return node{}, fmt.Errorf("values lie more than %d deep in each other", maxNesting)
	}
	t, err := dec.Token()
	if err != nil {
		return node{}, errors.New("not JSON")
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return readObject(dec, depth)
		}
		return readList(dec, depth)
	case string:
		return node{value: t, kind: kindText}, nil
	case json.Number:
		return node{value: t, kind: kindNumber}, nil
	case bool:
		return node{value: t, kind: kindBool}, nil
	}
	return node{}, nil
}

func readObject(dec *json.Decoder, depth int) (node, error) {
	n, seen := node{kind: kindObject}, map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, isText := t.(string)
		if err != nil || !isText {
			return n, errors.New("not JSON")
		}
		if seen[name] {
			return n, fmt.Errorf("%.64q occurs twice in one object", name)
		}
		seen[name] = true
		value, err := readNode(dec, depth+1)
		if err != nil {
			return n, err
		}
		n.members = append(n.members, member{name, value})
	}
	return n, closed(dec)
}

func readList(dec *json.Decoder, depth int) (node, error) {
	n := node{kind: kindList}
	for dec.More() {
		item, err := readNode(dec, depth+1)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	return n, closed(dec)
}

// closed reads the end of an object or a list.
func closed(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errors.New("not JSON")
	}
	return nil
}

// find returns an object's member.
func (n *node) find(name string) (*node, bool) {
	for i := range n.members {
		if n.members[i].name == name {
			return &n.members[i].node, true
		}
	}
	return nil, false
}

// text returns a text, "" for anything else.
func (n *node) text() string {
	s, _ := n.value.(string)
	return s
}

// number returns a number's digits, "" for anything else.
func (n *node) number() string {
	s, _ := n.value.(json.Number)
	return s.String()
}
