package admin

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// fieldSet knows the fields of an Entry by name, and the sets of them that answers show.
type fieldSet struct {
	byName map[string]int
	names  []string // in order, with quotes and colon, ready to be written
	sparse []bool   // whether the zero value is left out
	list   []int    // what a list shows
	entry  []int    // what a single entry shows

	preview int
}

func newFieldSet() fieldSet {
	t := reflect.TypeFor[Entry]()
	f := fieldSet{byName: map[string]int{}}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		f.byName[name] = i
		f.names = append(f.names, `"`+name+`":`)
		f.sparse = append(f.sparse, options == "omitempty")
		f.entry = append(f.entry, i)
		if t.Field(i).Tag.Get("list") != "" {
			f.list = append(f.list, i)
		}
	}
	f.preview = f.byName["preview"]
	return f
}

// kept reports whether field i is one of what the log keeps of an entry, as against what is read from bodies.
func kept(i int) bool {
	tag := reflect.TypeFor[Entry]().Field(i).Tag
	return tag.Get("detail") == "" && tag.Get("body") == ""
}

// name returns a field's name.
func (f *fieldSet) name(i int) string { return strings.Trim(f.names[i], `":`) }

// pick reads a fields parameter: names with commas between. Every answer has the id. previews says whether there
// may be any.
func (f *fieldSet) pick(param string, previews bool) ([]int, error) {
	picked := []int{f.byName["id"]}
	for name := range strings.SplitSeq(param, ",") {
		name = strings.TrimSpace(name)
		i, known := f.byName[name]
		if !known || !kept(i) && !(previews && i == f.preview) {
			return nil, invalid("fields", "there is no field "+clip(name, 60)+" in a list",
				"names with commas between, for example id,created_at,status_code,cost")
		}
		if i != picked[0] {
			picked = append(picked, i)
		}
	}
	return picked, nil
}

// Row is an Entry of which only some fields are written.
type Row struct {
	entry *Entry
	set   *fieldSet
	keep  []int
}

// MarshalJSON writes the fields that r keeps.
func (r Row) MarshalJSON() ([]byte, error) {
	v := reflect.ValueOf(r.entry).Elem()
	b := append(make([]byte, 0, 1024), '{')
	for _, i := range r.keep {
		if r.set.sparse[i] && v.Field(i).IsZero() {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, r.set.names[i]...)
		var err error
		if b, err = appendJSON(b, v.Field(i).Addr().Interface()); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendJSON appends what p points to. The types that make up most of a row are written here, since
// pages of a thousand rows are ordinary; all else is left to encoding/json.
func appendJSON(b []byte, p any) ([]byte, error) {
	switch v := p.(type) {
	case *string:
		return appendText(b, *v)
	case **string:
		if *v == nil {
			return append(b, "null"...), nil
		}
		return appendText(b, **v)
	case *bool:
		return strconv.AppendBool(b, *v), nil
	case *int:
		return strconv.AppendInt(b, int64(*v), 10), nil
	case *int64:
		return strconv.AppendInt(b, *v, 10), nil
	case **int64:
		if *v == nil {
			return append(b, "null"...), nil
		}
		return strconv.AppendInt(b, **v, 10), nil
	case **int:
		if *v == nil {
			return append(b, "null"...), nil
		}
		return strconv.AppendInt(b, int64(**v), 10), nil
	case *Money:
		return v.append(b), nil
	case *Millis:
		return v.append(b), nil
	case *Metadata:
		if len(*v) == 0 {
			return append(b, "{}"...), nil
		}
	}
	text, err := json.Marshal(p)
	return append(b, text...), err
}

// appendText appends s as a JSON string. What needs no escape, not even in HTML, is copied.
func appendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			return append(b, text...), err
		}
	}
	b = append(append(b, '"'), s...)
	return append(b, '"'), nil
}

// Schema describes a Row for the OpenAPI document: an Entry of which any field but the id may be
// missing.
func (Row) Schema(r huma.Registry) *huma.Schema {
	ref := r.Schema(reflect.TypeFor[Entry](), true, "Entry")
	whole := r.SchemaFromRef(ref.Ref)
	whole.Required = []string{"id"}
	whole.PrecomputeMessages()
	return ref
}
