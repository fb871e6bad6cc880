package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
)

// spokenPart is embedded, as parameters that inputs share are.
type spokenPart struct {
	Host string
}

func (p *spokenPart) Resolve(ctx huma.Context) []error {
	p.Host = ctx.Host()
	return nil
}

type Shared struct {
	N int `query:"n" default:"7" maximum:"9"`
}

type spokenInput struct {
	Shared
	spokenPart
	ID    string    `path:"id"`
	Names []string  `query:"names"`
	Each  []string  `query:"each,explode"`
	At    time.Time `query:"at"`
	Yes   bool      `query:"yes"`
	Share float64   `query:"share"`
	Match string    `header:"If-Match"`
	Body  struct {
		Name  string `json:"name"`
		Color string `json:"color,omitempty" enum:"red,blue" default:"red"`
		Parts []struct {
			Weight *int `json:"weight,omitempty" default:"3"`
		} `json:"parts,omitempty"`
	}
}

type spokenOutput struct {
	ETag  string `header:"ETag"`
	Empty string `header:"X-Empty"`
	Many  int64  `header:"X-Many"`
	Body  string
}

func TestEndpoint(t *testing.T) {
	speak := func(_ *server, _ context.Context, in *spokenInput) (*spokenOutput, error) {
		if in.ID == "nobody" {
			return nil, notFound("there is nobody")
		}
		if in.ID == "nothing" {
			return nil, nil //nolint:nilnil // an answer without a body
		}
		text := fmt.Sprint(in.ID, in.N, in.Host, in.Names, in.Each, in.At.Unix(), in.Yes, in.Share, in.Match, in.Body.Name, in.Body.Color)
		for _, p := range in.Body.Parts {
			text += fmt.Sprint(" ", *p.Weight)
		}
		return &spokenOutput{ETag: `"1"`, Many: 5, Body: text}, nil
	}
	s := &server{Deps: Deps{Logger: slog.New(slog.DiscardHandler)}}
	router := chi.NewRouter()
	api := humachi.New(router, s.apiConfig())
	api.UseMiddleware(clientErrors)
	rt := change(http.MethodPost, "/speak/{id}", "speak", "Speak", handle(speak))
	rt.register(s, api, rt.operation(api.OpenAPI().Components.Schemas))

	zero := time.Time{}.Unix()
	for _, c := range []struct {
		does, path, body, want string
		status                 int
		header                 http.Header
	}{
		{does: "what is left out has its default", path: "/speak/a", body: `{"name":"x"}`, status: 200, want: fmt.Sprintf(`"a7host[] [] %d false 0xred"`, zero)},
		{
			does: "all kinds of parameters are read", path: "/speak/a?n=2&names=b,c&each=d,e&each=f&at=2026-01-02T03:04:05Z&yes=true&share=0.5", body: `{"name":"x","color":"blue","parts":[{},{"weight":1}]}`,
			header: http.Header{"If-Match": {"w"}}, status: 200, want: `"a2host[b c] [d,e f] 1767323045 true 0.5wxblue 3 1"`,
		},
		{does: "one text of an exploded list stays whole", path: "/speak/a?each=d,e", body: `{"name":"x"}`, status: 200, want: `[d,e]`},
		{does: "a parameter out of bounds", path: "/speak/a?n=10", body: `{"name":"x"}`, status: 400, want: `"message":"expected number <= 9","path":["query","n"]`},
		{does: "no integer", path: "/speak/a?n=x", body: `{"name":"x"}`, status: 400, want: `"message":"invalid integer","path":["query","n"]`},
		{does: "no time", path: "/speak/a?at=x", body: `{"name":"x"}`, status: 400, want: `invalid date/time for format`},
		{does: "no boolean", path: "/speak/a?yes=x", body: `{"name":"x"}`, status: 400, want: `invalid boolean`},
		{does: "no number", path: "/speak/a?share=x", body: `{"name":"x"}`, status: 400, want: `invalid float`},
		{does: "all faults are told at once", path: "/speak/a?n=x", body: `{"color":"green"}`, status: 400, want: `required property name to be present`},
		{does: "no body", path: "/speak/a", status: 400, want: `request body is required`},
		{does: "no JSON", path: "/speak/a", body: `{`, status: 400, want: `unexpected`},
		{does: "another form", path: "/speak/a", body: `name=x`, header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, status: 415, want: `unknown content type`},
		{does: "a name twice", path: "/speak/a", body: `{"name":"x","Name":"y"}`, status: 400, want: `are the same here`},
		{does: "a long body", path: "/speak/a", body: `{"name":"` + strings.Repeat("x", maxBodyBytes) + `"}`, status: 413, want: `too large limit=1048576 bytes`},
		{does: "an error of the handler", path: "/speak/nobody", body: `{"name":"x"}`, status: 404, want: `there is nobody`},
		{does: "no answer", path: "/speak/nothing", body: `{"name":"x"}`, status: 200, want: ``},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader(c.body))
		r.Host = "host"
		for name, values := range c.header {
			r.Header[name] = values
		}
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d and %s", c.does, w.Code, w.Body, c.status, c.want)
		}
		if h := w.Header(); strings.HasPrefix(w.Body.String(), `"`) && (h.Get("ETag") != `"1"` || h.Get("X-Many") != "5" || h.Values("X-Empty") != nil || h.Get("Content-Type") != "application/json") {
			t.Errorf("%s: head %v", c.does, h)
		}
	}

	op := api.OpenAPI().Paths["/speak/{id}"].Post
	if names := fmt.Sprint(len(op.Parameters), op.Parameters[0].Name, op.Parameters[0].Schema.Default, op.Parameters[1].Required); names != "8n7 true" {
		t.Errorf("the document has the parameters %s", names)
	}
	if r := op.Responses["200"]; r.Headers["ETag"] == nil || r.Content["application/json"].Schema.Type != huma.TypeString {
		t.Errorf("the document has the answer %+v", r)
	}
	if !op.RequestBody.Required || op.RequestBody.Content["application/json"].Schema == nil {
		t.Errorf("the document has the body %+v", op.RequestBody)
	}
}

func TestEndpointRefusesWhatItCannotRead(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a parameter of a type that nothing reads was registered")
		}
	}()
	newBinder(&huma.Operation{}, huma.NewMapRegistry("#/", huma.DefaultSchemaNamer), reflect.TypeFor[struct {
		X map[string]string `query:"x"`
	}]())
}
