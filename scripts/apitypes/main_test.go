package main

import (
	"strings"
	"testing"
)

func TestGenerate(t *testing.T) {
	const in = `{
	"paths": {"/x/{id}": {"post": {"operationId": "x", "summary": "Do it", "parameters": [
		{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
		{"name": "per_page", "in": "query", "description": "how many", "schema": {"type": "integer"}}],
		"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}},
		"responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}}},
			"default": {}}}}},
	"components": {"schemas": {"A": {"type": "object", "required": ["b"], "properties": {
		"b": {"type": ["string", "null"], "enum": ["x", "y"], "description": "ends */ here"},
		"c-d": {"type": "object", "additionalProperties": {"type": "number"}}}}}}}`
	const want = `export type A = {
  /** ends * / here */
  b: "x" | "y" | null;
  "c-d"?: Record<string, number>;
};

/** What each call takes and answers, by method and path. */
export interface Calls {
  /** Do it */
  "POST /x/{id}": {
    query: {
      /** how many */
      per_page?: number;
    };
    body: A;
    answer: (string | null)[];
  };
}
`
	got, err := generate([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, _ := strings.Cut(string(got), "\n\n"); rest != want {
		t.Errorf("got\n%s\nwant\n%s", rest, want)
	}
}
