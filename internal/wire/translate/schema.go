package translate

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// maxSchemaDepth bounds how deep a schema is rewritten; what lies deeper stays as it is.
const maxSchemaDepth = 64

// strictSchema brings a schema into the subset that Claude takes for answers and strict tools: bounds become
// part of the description, objects are closed (https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs).
func strictSchema(schema string) string {
	o := &out{}
	writeStrict(o, gjson.Parse(schema), 0)
	return string(o.b)
}

// bounds are the keywords that become text.
func bounds() []string {
	return []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
		"maxItems", "uniqueItems", "minProperties", "maxProperties",
	}
}

func formats() []string {
	return []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
}

// writeStrict writes a schema.
func writeStrict(o *out, s gjson.Result, depth int) {
	if !s.IsObject() || depth > maxSchemaDepth {
		o.raw(s.Raw)
		return
	}
	var notes []string
	description, closed, object := "", false, false
	o.open('{')
	s.ForEach(func(key, v gjson.Result) bool {
		name := key.Str
		switch {
		case slices.Contains(bounds(), name), name == "minItems" && v.Num > 1, name == "format" && !slices.Contains(formats(), v.Str):
			notes = append(notes, name+": "+strings.Trim(v.Raw, `"`))
		case name == "description" && v.Type == gjson.String:
			description = v.Str
		default:
			closed = closed || name == "additionalProperties"
			object = object || name == "type" && v.Str == "object" || name == "properties"
			if name == "oneOf" {
				name = "anyOf"
			}
			o.sep()
			o.b = append(appendString(o.b, name), ':')
			writeKeyword(o, name, v, depth)
		}
		return true
	})
	if len(notes) > 0 {
		if description != "" {
			description += "\n\n"
		}
		description += "{" + strings.Join(notes, ", ") + "}"
	}
	o.text("description", description)
	if object && !closed {
		o.key("additionalProperties").raw("false")
	}
	o.close('}')
}

// writeKeyword writes the value of a keyword; those that hold schemas go on.
func writeKeyword(o *out, name string, v gjson.Result, depth int) {
	switch {
	case slices.Contains([]string{"properties", "$defs", "definitions", "patternProperties"}, name) && v.IsObject():
		o.open('{')
		v.ForEach(func(key, s gjson.Result) bool {
			o.sep()
			o.b = append(appendString(o.b, key.Str), ':')
			writeStrict(o, s, depth+1)
			return true
		})
		o.close('}')
	case slices.Contains([]string{"anyOf", "allOf", "prefixItems"}, name) && v.IsArray():
		o.open('[')
		v.ForEach(func(_, s gjson.Result) bool {
			writeStrict(o, s, depth+1)
			return true
		})
		o.close(']')
	case name == "items" || name == "not":
		writeStrict(o, v, depth+1)
	case name == "additionalProperties" && !v.IsObject():
		o.raw("false")
	default:
		o.raw(compact(v.Raw))
	}
}
