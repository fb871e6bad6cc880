package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Type is how a setting's text is read.
type Type string

// The types.
const (
	TypeString   Type = "string"
	TypeBool     Type = "bool"
	TypeInt      Type = "int"
	TypeSize     Type = "size"     // Bytes
	TypeDuration Type = "duration" // time.Duration
	TypeList     Type = "list"     // of texts; commas separate them in one text
	TypeSecret   Type = "secret"   // sluice.Secret
	TypeJSON     Type = "json"     // JSON
)

// Field describes one setting, for documentation, flags and schema.
type Field struct {
	Path    string // log.level; a map's key is a name in brackets: providers.<provider>.base_url
	Env     string // SLUICE_LOG_LEVEL; SLUICE_PROVIDERS_<PROVIDER>_BASE_URL
	Flag    string // log-level; "" for secrets and for what lies in a map
	Type    Type
	Default string // as it would be written; "" none
	Help    string
	Enum    []string // the texts that are allowed; nil: any
	Restart bool     // a running process cannot change it
}

// Fields lists all settings in the order of the struct.
func Fields() []Field {
	var fields []Field
	root := tree()
	root.walk(nil, func(path []string, n *node) {
		f := Field{
			Path: strings.Join(path, "."), Env: envName(path), Type: n.leaf,
			Default: n.def, Help: n.help, Enum: n.enum, Restart: n.restart,
		}
		if n.leaf != TypeSecret && !strings.Contains(f.Path, "<") {
			f.Flag = strings.NewReplacer(".", "-", "_", "-").Replace(f.Path)
		}
		fields = append(fields, f)
	})
	return fields
}

// envName returns the environment name of a path.
func envName(path []string) string {
	name := strings.ToUpper(strings.Join(path, "_"))
	return "SLUICE_" + strings.NewReplacer("-", "_", ".", "_").Replace(name)
}

// node is one place in the tree of settings: a leaf, a struct with children, or a map with elem.
type node struct {
	key      string // "<account>" for the element of a map
	index    int    // of the field in its struct
	typ      reflect.Type
	leaf     Type // "" for structs and maps
	children []*node
	elem     *node

	def, help string
	enum      []string
	min, max  int64         // max 0: no bound
	unit      time.Duration // of a bare number; 0: only 0 may be bare
	restart   bool
	known     bool // a map: variables of the environment cannot make a new key
}

// tree reads the struct tags. It is built anew for each use: loading is rare, and nothing is shared.
func tree() *node { return newNode(reflect.TypeFor[Config](), "") }

// newNode makes the node of a type. The struct is ours, so that a field of an unknown type is a
// mistake that the first test finds.
func newNode(t reflect.Type, key string) *node {
	n := &node{key: key, typ: t, leaf: leafType(t)}
	if n.leaf != "" {
		return n
	}
	for i := range t.NumField() {
		f := t.Field(i)
		var child *node
		if f.Type.Kind() == reflect.Map {
			child = &node{key: f.Tag.Get("key"), typ: f.Type, elem: newNode(f.Type.Elem(), "<"+f.Tag.Get("each")+">")}
		} else {
			child = newNode(f.Type, f.Tag.Get("key"))
		}
		child.index = i
		child.def, child.help = f.Tag.Get("default"), f.Tag.Get("help")
		child.known = f.Tag.Get("env") == "known"
		child.unit = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond}[f.Tag.Get("unit")]
		child.restart = f.Tag.Get("restart") == "yes"
		child.enum = parseList(f.Tag.Get("enum"))
		child.min, _ = strconv.ParseInt(f.Tag.Get("min"), 10, 64) // absent: 0
		child.max, _ = strconv.ParseInt(f.Tag.Get("max"), 10, 64)
		n.children = append(n.children, child)
	}
	return n
}

// leafType returns how values of t are read, "" for structs and maps.
func leafType(t reflect.Type) Type {
	switch t {
	case reflect.TypeFor[Bytes]():
		return TypeSize
	case reflect.TypeFor[JSON]():
		return TypeJSON
	case reflect.TypeFor[time.Duration]():
		return TypeDuration
	case reflect.TypeFor[sluice.Secret]():
		return TypeSecret
	case reflect.TypeFor[[]string]():
		return TypeList
	case reflect.TypeFor[*bool]():
		return TypeBool
	case reflect.TypeFor[string]():
		return TypeString
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return TypeInt
	}
	return ""
}

// walk calls f with each leaf below n, with the keys that lead to it.
func (n *node) walk(path []string, f func(path []string, n *node)) {
	if n.leaf != "" {
		f(path, n)
		return
	}
	if n.elem != nil {
		n.elem.walk(append(path[:len(path):len(path)], n.elem.key), f)
	}
	for _, c := range n.children {
		c.walk(append(path[:len(path):len(path)], c.key), f)
	}
}

// child returns the child named key; in a map every key has the same one.
func (n *node) child(key string) *node {
	if n.elem != nil {
		return n.elem
	}
	for _, c := range n.children {
		if c.key == key {
			return c
		}
	}
	return nil
}

// parse reads a leaf's text; list is used in its place where it is not nil.
func (n *node) parse(text string, list []string) (reflect.Value, error) {
	v := reflect.New(n.typ).Elem()
	switch n.leaf {
	case TypeString:
		v.SetString(text)
	case TypeJSON:
		j, err := parseJSON(text)
		if err != nil {
			return v, err
		}
		v.SetString(string(j))
	case TypeSecret:
		v.Set(reflect.ValueOf(sluice.NewSecret(text)))
	case TypeList:
		if list == nil {
			list = parseList(text)
		}
		v.Set(reflect.ValueOf(list))
	case TypeBool:
		b, err := parseBool(text)
		if err != nil {
			return v, err
		}
		v.Set(reflect.ValueOf(&b))
	case TypeInt:
		i, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(text), "_", ""), 10, 64)
		if err != nil {
			return v, errNoNumber()
		}
		v.SetInt(i)
	case TypeSize:
		b, err := ParseBytes(text)
		if err != nil {
			return v, err
		}
		v.SetInt(int64(b))
	case TypeDuration:
		d, err := n.duration(text)
		if err != nil {
			return v, err
		}
		v.SetInt(int64(d))
	}
	return v, nil
}

// duration reads a duration, where n has a unit also a bare number in it.
func (n *node) duration(text string) (time.Duration, error) {
	number, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if n.unit == 0 || err != nil {
		return ParseDuration(text)
	}
	if number > math.MaxInt64/int64(n.unit) || number < math.MinInt64/int64(n.unit) {
		return 0, errBadDuration()
	}
	return time.Duration(number) * n.unit, nil
}

// text writes a leaf's value as parse reads it; a secret is masked.
func (n *node) text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case sluice.Secret:
		if x.IsZero() {
			return ""
		}
		return x.String()
	case []string:
		return strings.Join(x, ",")
	case *bool:
		if x == nil {
			return n.def
		}
		return strconv.FormatBool(*x)
	case time.Duration:
		return FormatDuration(x)
	case Bytes:
		return x.String()
	case string:
		return x
	case JSON:
		return string(x)
	}
	return strconv.FormatInt(v.Int(), 10)
}

// assign sets the leaf, or makes the element of a map, that path leads to. Maps on the way are made.
// A nil leaf makes the map's element alone.
func (n *node) assign(v reflect.Value, path []string, leaf *reflect.Value) {
	if len(path) == 0 {
		if leaf != nil {
			v.Set(*leaf)
		}
		return
	}
	if n.elem == nil {
		c := n.child(path[0])
		c.assign(v.Field(c.index), path[1:], leaf)
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(n.typ))
	}
	// A map's elements cannot be changed in place.
	key, element := reflect.ValueOf(path[0]), reflect.New(n.elem.typ).Elem()
	if old := v.MapIndex(key); old.IsValid() {
		element.Set(old)
	} else {
		n.elem.setDefaults(element)
	}
	n.elem.assign(element, path[1:], leaf)
	v.SetMapIndex(key, element)
}

// setDefaults sets the defaults of the tags in a struct; maps stay nil.
func (n *node) setDefaults(v reflect.Value) {
	for _, c := range n.children {
		switch {
		case c.leaf == "" && c.elem == nil:
			c.setDefaults(v.Field(c.index))
		case c.leaf != "" && c.def != "":
			def, err := c.parse(c.def, nil)
			if err != nil {
				panic("config: default of " + c.key + ": " + err.Error()) // the tags are ours
			}
			v.Field(c.index).Set(def)
		}
	}
}
