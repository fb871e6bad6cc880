package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSettings bounds what a file may say, aliases followed.
const maxSettings = 100_000

// fromFile reads the file's settings. JSON is YAML too.
func (l *loader) fromFile(name string, text []byte) []setting {
	l.known = map[string][]string{"accounts": {"default"}, "accounts.default.gateways": {"default"}}
	if name == "" {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) { // an empty file
			l.problems = append(l.problems, Problem{Where: name, Msg: strings.TrimPrefix(err.Error(), "yaml: ")})
		}
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		l.problems = append(l.problems, Problem{Where: name, Msg: "more than one YAML document", Fix: "put all settings into one"})
	}
	r := &fileReader{loader: l, name: name}
	if len(doc.Content) > 0 {
		r.node(l.tree, doc.Content[0], nil)
	}
	return r.settings
}

// fileReader walks the file's nodes beside the tree of settings, so that its depth is the tree's.
type fileReader struct {
	*loader
	name     string
	settings []setting
	seen     int
	full     bool
}

func (r *fileReader) origin(n *yaml.Node) Origin {
	return Origin{Kind: FromFile, Name: r.name, Line: n.Line}
}

func (r *fileReader) fail(path []string, n *yaml.Node, msg, fix string) {
	r.problem(strings.Join(path, "."), r.origin(n), msg, fix)
}

// node reads y as the value of the setting or section at path.
func (r *fileReader) node(n *node, y *yaml.Node, path []string) {
	path = path[:len(path):len(path)]
	if r.seen++; r.seen > maxSettings {
		if !r.full {
			r.full = true
			r.fail(path, y, fmt.Sprintf("more than %d settings", maxSettings), "")
		}
		return
	}
	for hops := 0; y.Kind == yaml.AliasNode && hops < 8; hops++ {
		y = y.Alias
	}
	null := y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null"
	if n.leaf != "" {
		r.leaf(n, y, path, null)
		return
	}
	if null {
		return
	}
	if y.Kind != yaml.MappingNode {
		r.fail(path, y, "a section with settings is wanted here", "")
		return
	}
	r.section(n, y, path)
}

// section reads the keys of a mapping.
func (r *fileReader) section(n *node, y *yaml.Node, path []string) {
	lines := map[string]int{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		at := append(path, key.Value)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			r.fail(path, key, "a setting's name is wanted here", "")
			continue
		}
		if line, found := lines[key.Value]; found {
			r.fail(at, key, fmt.Sprintf("set twice, first in line %d", line), "keep one")
			continue
		}
		lines[key.Value] = key.Line
		c := n.child(key.Value)
		if c == nil {
			r.fail(at, key, "no such setting", didYouMean(path, key.Value, n.keys()))
			continue
		}
		if n.elem != nil {
			r.settings = append(r.settings, setting{path: at, origin: r.origin(key)})
			at := strings.Join(path, ".")
			if !slices.Contains(r.known[at], key.Value) {
				r.known[at] = append(r.known[at], key.Value)
			}
		}
		r.node(c, value, at)
	}
}

// keys lists the names that a section may hold.
func (n *node) keys() []string {
	var keys []string
	for _, c := range n.children {
		keys = append(keys, c.key)
	}
	return keys
}

// leaf reads a setting's value.
func (r *fileReader) leaf(n *node, y *yaml.Node, path []string, null bool) {
	s := setting{path: path, node: n, origin: r.origin(y), text: y.Value, nothing: null}
	if null && n.leaf == TypeSecret {
		s.text, s.nothing = "", false // "admin_token:" with nothing behind it must not look like a token
	}
	if n.leaf == TypeList && y.Kind == yaml.SequenceNode {
		s.list = []string{}
		for _, item := range y.Content {
			if item.Kind != yaml.ScalarNode {
				r.fail(path, item, "a list of plain texts is wanted here", "")
				return
			}
			s.list = append(s.list, item.Value)
		}
	} else if n.leaf == TypeJSON && y.Kind != yaml.ScalarNode {
		var value any
		text, err := []byte(nil), y.Decode(&value)
		if err == nil {
			text, err = json.Marshal(value)
		}
		if err != nil {
			r.fail(path, y, "this cannot be said in JSON: "+strings.TrimPrefix(err.Error(), "yaml: "), "names are texts, and stand there once")
			return
		}
		s.text = string(text)
	} else if y.Kind != yaml.ScalarNode {
		r.fail(path, y, "one value is wanted here", "")
		return
	}
	r.settings = append(r.settings, s)
}
