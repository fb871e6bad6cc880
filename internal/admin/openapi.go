package admin

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// documentRoutes is how the API describes itself.
func documentRoutes() []route {
	return []route{
		get(RoleViewer, prefix+"/openapi.json", "openapi-json", "This API as an OpenAPI 3.1 document", handle((*server).openAPIJSON)),
		get(RoleViewer, prefix+"/openapi.yaml", "openapi-yaml", "This API as an OpenAPI 3.1 document, YAML", handle((*server).openAPIYAML)),
	}
}

// document is the OpenAPI document in both its forms.
type document struct{ json, yaml []byte }

// newDocument renders d. d comes from our own types, so that it cannot fail to render unless a
// type was added that has no schema: that is for the first test to notice.
func newDocument(d *huma.OpenAPI) document {
	asJSON, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic(fmt.Errorf("admin: render the OpenAPI document: %w", err))
	}
	asYAML, err := d.YAML()
	if err != nil {
		panic(fmt.Errorf("admin: render the OpenAPI document as YAML: %w", err))
	}
	return document{asJSON, asYAML}
}

func (s *server) openAPIJSON(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return raw("application/vnd.oai.openapi+json;version=3.1", s.document().json), nil
}

func (s *server) openAPIYAML(context.Context, *struct{}) (*huma.StreamResponse, error) {
	return raw("application/vnd.oai.openapi;version=3.1", s.document().yaml), nil
}

// raw answers with bytes as they are.
func raw(contentType string, b []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humachi.Unwrap(ctx)
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b) // fails when the caller left
	}}
}
