// apitypes writes the TypeScript types of the management API from its OpenAPI document, so that the dashboard
// cannot ask for what is not there. It reads the document on stdin and writes to stdout.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	in, err := io.ReadAll(os.Stdin)
	if err == nil {
		var out []byte
		if out, err = generate(in); err == nil {
			_, err = os.Stdout.Write(out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apitypes:", err)
		os.Exit(1)
	}
}

// document is what we read of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID         string `json:"operationId"`
	Summary    string `json:"summary"`
	Parameters []struct {
		Name        string  `json:"name"`
		In          string  `json:"in"`
		Required    bool    `json:"required"`
		Description string  `json:"description"`
		Schema      *schema `json:"schema"`
	} `json:"parameters"`
	Body *struct {
		Content map[string]media `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]media `json:"content"`
	} `json:"responses"`
}

type media struct {
	Schema *schema `json:"schema"`
}

type schema struct {
	Ref         string             `json:"$ref"`
	Type        types              `json:"type"`
	Enum        []any              `json:"enum"`
	Description string             `json:"description"`
	Items       *schema            `json:"items"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	OneOf       []*schema          `json:"oneOf"`
	AnyOf       []*schema          `json:"anyOf"`
	AllOf       []*schema          `json:"allOf"`
}

// types is JSON Schema's type: one name, or several.
type types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// generate returns the TypeScript of a document.
func generate(in []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(in, &d); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("// Generated from the management API's OpenAPI document by \"make docs\"; changes belong to internal/admin.\n\n")
	for _, name := range sorted(d.Components.Schemas) {
		s := d.Components.Schemas[name]
		if s.Description != "" {
			fmt.Fprintf(&b, "/** %s */\n", comment(s.Description))
		}
		fmt.Fprintf(&b, "export type %s = %s;\n\n", name, typeOf(s, ""))
	}
	b.WriteString("/** What each call takes and answers, by method and path. */\nexport interface Calls {\n")
	for _, path := range sorted(d.Paths) {
		for _, method := range sorted(d.Paths[path]) {
			writeCall(&b, method, path, d.Paths[path][method])
		}
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

func writeCall(b *bytes.Buffer, method, path string, op operation) {
	fmt.Fprintf(b, "  /** %s */\n  %q: {\n", comment(op.Summary), strings.ToUpper(method)+" "+path)
	b.WriteString("    query: {")
	for _, p := range op.Parameters {
		if p.In != "query" {
			continue
		}
		if p.Description != "" {
			fmt.Fprintf(b, "\n      /** %s */", comment(p.Description))
		}
		fmt.Fprintf(b, "\n      %s%s: %s;", property(p.Name), optional(p.Required), typeOf(p.Schema, "      "))
	}
	b.WriteString("\n    };\n")
	body := "undefined"
	if op.Body != nil {
		body = contentType(op.Body.Content)
	}
	answer := "unknown"
	for _, status := range sorted(op.Responses) {
		if strings.HasPrefix(status, "2") {
			answer = contentType(op.Responses[status].Content)
			break
		}
	}
	fmt.Fprintf(b, "    body: %s;\n    answer: %s;\n  };\n", body, answer)
}

func contentType(content map[string]media) string {
	if m, ok := content["application/json"]; ok {
		return typeOf(m.Schema, "    ")
	}
	return "unknown"
}

// typeOf returns the TypeScript type of s; indent is that of the line it stands in.
func typeOf(s *schema, indent string) string {
	switch {
	case s == nil:
		return "unknown"
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			literal, err := json.Marshal(v)
			if err != nil {
				return "unknown"
			}
			values = append(values, string(literal))
		}
		if slices.Contains(s.Type, "null") && !slices.Contains(values, "null") {
			values = append(values, "null")
		}
		return strings.Join(values, " | ")
	case len(s.OneOf) > 0:
		return union(s.OneOf, indent)
	case len(s.AnyOf) > 0:
		return union(s.AnyOf, indent)
	case len(s.AllOf) == 1:
		return typeOf(s.AllOf[0], indent)
	}
	var alternatives []string
	for _, t := range s.Type {
		alternatives = append(alternatives, typeNamed(t, s, indent))
	}
	if len(alternatives) == 0 {
		return "unknown"
	}
	return strings.Join(alternatives, " | ")
}

func union(list []*schema, indent string) string {
	var all []string
	for _, s := range list {
		if t := typeOf(s, indent); !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return strings.Join(all, " | ")
}

func typeNamed(name string, s *schema, indent string) string {
	switch name {
	case "string", "boolean", "null":
		return name
	case "integer", "number":
		return "number"
	case "array":
		inner := typeOf(s.Items, indent)
		if strings.Contains(inner, "|") {
			inner = "(" + inner + ")"
		}
		return inner + "[]"
	case "object":
		return object(s, indent)
	}
	return "unknown"
}

func object(s *schema, indent string) string {
	if len(s.Properties) == 0 {
		var more schema
		if len(s.Additional) > 0 && json.Unmarshal(s.Additional, &more) == nil {
			return "Record<string, " + typeOf(&more, indent) + ">"
		}
		return "Record<string, unknown>"
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range sorted(s.Properties) {
		p := s.Properties[name]
		if p.Description != "" {
			fmt.Fprintf(&b, "%s  /** %s */\n", indent, comment(p.Description))
		}
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, property(name), optional(slices.Contains(s.Required, name)), typeOf(p, indent+"  "))
	}
	b.WriteString(indent + "}")
	return b.String()
}

func optional(required bool) string {
	if required {
		return ""
	}
	return "?"
}

var plain = regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)

func property(name string) string {
	if plain.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

func comment(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "*/", "* /")
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
