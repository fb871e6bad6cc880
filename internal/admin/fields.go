package admin

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// fieldSet knows the fields of an Entry by name, and the sets of them that answers show.
type fieldSet struct {
	byName map[string]int
	names  []string // in order, with quotes and colon, ready to be written
	list   []int    // what a list shows
	entry  []int    // what a single entry shows
}

func newFieldSet() fieldSet {
	t := reflect.TypeFor[Entry]()
	f := fieldSet{byName: map[string]int{}}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		f.byName[name] = i
		f.names = append(f.names, `"`+name+`":`)
		f.entry = append(f.entry, i)
		if t.Field(i).Tag.Get("list") != "" {
			f.list = append(f.list, i)
		}
	}
	return f
}

// pick reads a fields parameter: names with commas between. Every answer has the id.
func (f *fieldSet) pick(param string) ([]int, error) {
	picked := []int{f.byName["id"]}
	for name := range strings.SplitSeq(param, ",") {
		name = strings.TrimSpace(name)
		i, known := f.byName[name]
		if !known || reflect.TypeFor[Entry]().Field(i).Tag.Get("detail") != "" {
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
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	v := reflect.ValueOf(r.entry).Elem()
	t := v.Type()
	b.WriteByte('{')
	for _, i := range r.keep {
		if v.Field(i).IsZero() && strings.HasSuffix(t.Field(i).Tag.Get("json"), ",omitempty") {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(r.set.names[i])
		if err := encoder.Encode(v.Field(i).Interface()); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
	}
	b.WriteByte('}')
	return b.Bytes(), nil
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
