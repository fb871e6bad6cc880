package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Source says where settings come from.
type Source struct {
	// File is the configuration file that was asked for; then it must exist. "": SLUICE_CONFIG in
	// Env, which must exist too, else the first that exists of SearchPaths.
	File  string
	Env   []string          // as os.Environ gives it
	Flags map[string]string // path → text, of the flags that were set
}

// Loaded is a configuration that is valid, and where each value came from.
type Loaded struct {
	Config   Config
	File     string            // the file that was read; "" none
	Origins  map[string]Origin // path → origin, of every value but those that no layer and no default gave
	Warnings []string          // what is allowed and probably not meant
	// Builtin says that the gateway default/default is there because it exists by itself while all
	// listeners are on loopback: no layer speaks of it.
	Builtin bool
}

// OriginKind is a layer of the configuration.
type OriginKind uint8

// The layers, the weakest first.
const (
	FromDefault OriginKind = iota
	FromFile
	FromEnv
	FromFlag
)

// Origin is where a value came from.
type Origin struct {
	Kind OriginKind
	Name string // of the file, the variable or the flag
	Line int    // in the file, from 1
	Via  string // the reference that a secret was read through, as it was written; "" none
}

// String returns "default", "sluice.yaml:12", "env SLUICE_LISTEN" or "flag --listen".
func (o Origin) String() string {
	s := "default"
	switch o.Kind {
	case FromFile:
		s = o.Name + ":" + strconv.Itoa(o.Line)
	case FromEnv:
		s = "env " + o.Name
	case FromFlag:
		s = "flag " + o.Name
	}
	if o.Via != "" {
		s += " (" + o.Via + ")"
	}
	return s
}

// Bounds of what is read; hostile files must not cost memory.
const (
	maxFileBytes   = 4 << 20
	maxSecretBytes = 64 << 10
)

// SearchPaths lists where the configuration file is looked for, in order.
func SearchPaths(env []string) []string {
	paths := []string{"sluice.yaml"}
	base := getenv(env, "XDG_CONFIG_HOME")
	if home := getenv(env, "HOME"); base == "" && home != "" {
		base = filepath.Join(home, ".config")
	}
	if base != "" {
		paths = append(paths, filepath.Join(base, "sluice", "sluice.yaml"))
	}
	return append(paths, "/etc/sluice/sluice.yaml")
}

// getenv returns the last value of name in env, as the kernel's users do.
func getenv(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if k, v, _ := strings.Cut(entry, "="); k == name {
			return v
		}
	}
	return ""
}

// Load reads all layers and validates the result. An error about settings is an *Errors that lists
// every problem; other errors are those of reading the file.
func Load(s Source) (*Loaded, error) {
	l := &loader{
		src: s, tree: tree(),
		out: &Loaded{Origins: map[string]Origin{}},
	}
	name, text, err := l.readFile()
	if err != nil {
		return nil, err
	}
	l.out.File = name

	root := reflect.ValueOf(&l.out.Config).Elem()
	l.tree.setDefaults(root)
	l.apply(root, l.fromFile(name, text))
	l.apply(root, l.fromEnv())
	l.apply(root, l.fromFlags())
	l.addDefaultGateway()
	l.defaultOrigins(root)

	l.problems = append(l.problems, l.out.Config.problems()...)
	l.problems = append(l.problems, l.out.Config.missingFiles()...)
	if err := l.result(); err != nil {
		return nil, err
	}
	l.out.Warnings = append(l.out.Warnings, l.out.Config.warnings()...)
	return l.out, nil
}

// loader carries one Load.
type loader struct {
	src      Source
	tree     *node
	out      *Loaded
	problems []Problem
	known    map[string][]string // path of a map → its keys in the file, for names in the environment
}

// setting is a value that a layer gives, or the mere existence of a map's element.
type setting struct {
	path    []string
	node    *node // nil: the element alone
	text    string
	list    []string
	origin  Origin
	nothing bool // null: keep what weaker layers say
}

// readFile finds and reads the configuration file. No file at all is no error.
func (l *loader) readFile() (name string, text []byte, err error) {
	name = l.src.File
	if name == "" {
		name = getenv(l.src.Env, "SLUICE_CONFIG")
	}
	if name != "" {
		text, err = readBounded(name, maxFileBytes)
		if err != nil {
			return "", nil, fmt.Errorf("read configuration: %w", err)
		}
		return name, text, nil
	}
	for _, name := range SearchPaths(l.src.Env) {
		text, err := readBounded(name, maxFileBytes)
		if err == nil {
			return name, text, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("read configuration: %w", err)
		}
	}
	return "", nil, nil
}

// readBounded reads a regular file or a pipe of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: larger than %s", name, Bytes(limit))
	}
	return text, nil
}

// apply puts a layer's settings over what is there.
func (l *loader) apply(root reflect.Value, layer []setting) {
	for _, s := range layer {
		path := strings.Join(s.path, ".")
		if s.node == nil {
			l.tree.assign(root, s.path, nil)
			continue
		}
		if s.nothing {
			continue
		}
		if s.node.leaf == TypeSecret && !l.resolve(&s) {
			continue
		}
		v, err := s.node.parse(s.text, s.list)
		if err != nil {
			l.problem(path, s.origin, fmt.Sprintf("%q is %v", s.text, err), "")
			continue
		}
		l.tree.assign(root, s.path, &v)
		l.out.Origins[path] = s.origin
	}
}

// resolve replaces a secret's text by what it refers to: ${NAME} is a variable of the environment,
// file:PATH a file's content without the line end behind it. It reports whether there is a secret.
func (l *loader) resolve(s *setting) bool {
	path := strings.Join(s.path, ".")
	text := s.text
	switch {
	case strings.HasPrefix(text, "${") && strings.HasSuffix(text, "}"):
		s.origin.Via = text
		s.text = getenv(l.src.Env, text[2:len(text)-1])
		if s.text == "" {
			l.problem(path, s.origin, "the environment has no "+text[2:len(text)-1]+", or it is empty", "set it, or remove the setting")
			return false
		}
	case strings.HasPrefix(text, "file:"):
		s.origin.Via = text
		content, err := readBounded(strings.TrimPrefix(text, "file:"), maxSecretBytes)
		if err != nil {
			l.problem(path, s.origin, err.Error(), "")
			return false
		}
		s.text = strings.TrimRight(string(content), "\r\n")
	}
	if s.text == "" {
		l.problem(path, s.origin, "an empty secret", "give a value, or remove the setting")
		return false
	}
	return true
}

// addDefaultGateway makes default/default while all listeners are on loopback.
func (l *loader) addDefaultGateway() {
	c := &l.out.Config
	if !c.LoopbackOnly() {
		return
	}
	if _, found := c.Accounts["default"].Gateways["default"]; !found {
		l.tree.assign(reflect.ValueOf(c).Elem(), []string{"accounts", "default", "gateways", "default"}, nil)
		l.out.Builtin = true
	}
}

// defaultOrigins gives an origin to the values that no layer gave.
func (l *loader) defaultOrigins(root reflect.Value) {
	visit(l.tree, root, nil, func(path []string, n *node, _ reflect.Value) {
		name := strings.Join(path, ".")
		if _, found := l.out.Origins[name]; !found {
			l.out.Origins[name] = Origin{}
		}
	})
}

// visit calls f with each leaf of a configuration, map keys in order.
func visit(n *node, v reflect.Value, path []string, f func(path []string, n *node, v reflect.Value)) {
	path = path[:len(path):len(path)]
	if n.leaf != "" {
		f(path, n, v)
		return
	}
	if n.elem != nil {
		for _, key := range slices.Sorted(maps.Keys(mapKeys(v))) {
			visit(n.elem, v.MapIndex(reflect.ValueOf(key)), append(path, key), f)
		}
		return
	}
	for _, c := range n.children {
		visit(c, v.Field(c.index), append(path, c.key), f)
	}
}

func mapKeys(v reflect.Value) map[string]bool {
	keys := map[string]bool{}
	for _, k := range v.MapKeys() {
		keys[k.String()] = true
	}
	return keys
}

// problem notes a problem.
func (l *loader) problem(path string, o Origin, msg, fix string) {
	where := ""
	if o.Kind != FromDefault {
		where = o.String()
	}
	l.problems = append(l.problems, Problem{Path: path, Where: where, Msg: msg, Fix: fix})
}

// result returns the problems as an error; those of Validate learn where their value came from.
func (l *loader) result() error {
	if len(l.problems) == 0 {
		return nil
	}
	for i := range l.problems {
		p := &l.problems[i]
		if o, found := l.out.Origins[p.Path]; found && p.Where == "" && o.Kind != FromDefault {
			p.Where = o.String()
		}
	}
	return &Errors{List: l.problems}
}

// Value is one value of a loaded configuration, as text.
type Value struct {
	Path   string
	Text   string // secrets are masked
	Type   Type
	Origin Origin
}

// Values lists all values in the order of the struct, map keys in order of their names.
func (l *Loaded) Values() []Value {
	var values []Value
	visit(tree(), reflect.ValueOf(&l.Config).Elem(), nil, func(path []string, n *node, v reflect.Value) {
		name := strings.Join(path, ".")
		values = append(values, Value{Path: name, Text: n.text(v), Type: n.leaf, Origin: l.Origins[name]})
	})
	return values
}

// Change is a value that differs between two configurations.
type Change struct {
	Path    string
	Restart bool // a running process cannot take it over
}

// Diff lists what differs from old to c, in order of the paths. Secrets are compared, never shown.
func (c *Config) Diff(old *Config) []Change {
	flat := func(c *Config) map[string]leafValue {
		m := map[string]leafValue{}
		visit(tree(), reflect.ValueOf(c).Elem(), nil, func(path []string, n *node, v reflect.Value) {
			text := n.text(v)
			if s, ok := v.Interface().(sluice.Secret); ok {
				text = s.Reveal()
			}
			m[strings.Join(path, ".")] = leafValue{text, n.restart}
		})
		return m
	}
	before, after := flat(old), flat(c)
	var changes []Change
	for path, b := range before {
		if a, found := after[path]; !found || a.text != b.text {
			changes = append(changes, Change{path, b.restart})
		}
	}
	for path, a := range after {
		if _, found := before[path]; !found {
			changes = append(changes, Change{path, a.restart})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes
}

type leafValue struct {
	text    string
	restart bool
}
