package admin

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// endpoint is a route's handler: its types, which describe it, and its function, which knows them. It stands for
// huma.Register, whose every instance is a copy of all that it does: a hundred of them are megabytes of program, and
// half a minute of compiling. What huma gives is used from here: schemas, validation, errors and the router.
type endpoint struct {
	in, out reflect.Type
	call    func(s *server, ctx context.Context, in any) (out any, err error)
}

// handle makes a method of server a route's handler. I and O are pointers to structs: what binder says of the first,
// and output of the second. Being pointers, they share one instance of handle.
func handle[I, O any](f func(*server, context.Context, I) (O, error)) func(*server, huma.API, huma.Operation) {
	e := endpoint{
		in: reflect.TypeFor[I]().Elem(), out: reflect.TypeFor[O]().Elem(),
		call: func(s *server, ctx context.Context, in any) (any, error) { return f(s, ctx, in.(I)) },
	}
	return e.register
}

// register describes the operation in the OpenAPI document and routes to it. The error of its function is mapped and
// logged here and nowhere else.
func (e *endpoint) register(s *server, api huma.API, op huma.Operation) {
	schemas := api.OpenAPI().Components.Schemas
	in, out := newBinder(&op, schemas, e.in), newWriter(&op, schemas, e.out)
	api.OpenAPI().AddOperation(&op)
	serve := func(ctx huma.Context) {
		input := reflect.New(e.in)
		if !in.bind(api, ctx, input.Elem()) {
			return
		}
		answer, err := e.call(s, ctx.Context(), input.Interface())
		if err != nil {
			writeFault(api, ctx, s.failed(ctx.Context(), op.OperationID, err))
			return
		}
		s.done(ctx.Context()) // before the answer: who reads it finds the entry
		out.write(api, ctx, reflect.ValueOf(answer))
	}
	api.Adapter().Handle(&op, api.Middlewares().Handler(op.Middlewares.Handler(serve)))
}

// writer writes the output of an operation. Fields with a tag header are headers. Body is a function that writes the
// answer itself, or is what the answer is in JSON. Embedded structs stand for their fields.
type writer struct {
	op      *huma.Operation
	headers []outHeader
	body    []int // nil: none
	itself  bool  // Body is a func(huma.Context)
}

type outHeader struct {
	index []int
	name  string
}

// newWriter reads t, a struct, and describes what it gives in op.
func newWriter(op *huma.Operation, schemas huma.Registry, t reflect.Type) *writer {
	w := &writer{op: op}
	f, ok := t.FieldByName("Body")
	if op.DefaultStatus == 0 {
		op.DefaultStatus = map[bool]int{true: http.StatusOK, false: http.StatusNoContent}[ok]
	}
	status := strconv.Itoa(op.DefaultStatus)
	r := op.Responses[status]
	if r == nil {
		r = &huma.Response{}
		op.Responses[status] = r
	}
	if r.Description == "" {
		r.Description = http.StatusText(op.DefaultStatus)
	}
	if r.Headers == nil {
		r.Headers = map[string]*huma.Param{}
	}
	if ok {
		w.body, w.itself = f.Index, f.Type == reflect.TypeFor[func(huma.Context)]()
	}
	if ok && !w.itself {
		schema := huma.SchemaFromField(schemas, f, schemaName(t, f.Name, op.OperationID+"Response"))
		r.Content = map[string]*huma.MediaType{"application/json": {Schema: schema}}
	}
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("header"); name != "" {
			w.headers = append(w.headers, outHeader{f.Index, name})
			r.Headers[name] = &huma.Header{Schema: huma.SchemaFromField(schemas, f, schemaName(t, f.Name, op.OperationID+status+name))}
		}
	}
	return w
}

// write writes what out points to. nil is an answer without a body.
func (w *writer) write(api huma.API, ctx huma.Context, out reflect.Value) {
	if out.IsNil() {
		ctx.SetStatus(w.op.DefaultStatus)
		return
	}
	out = out.Elem()
	for _, h := range w.headers {
		if text := fmt.Sprint(out.FieldByIndex(h.index)); text != "" {
			ctx.SetHeader(h.name, text)
		}
	}
	switch {
	case w.itself:
		out.FieldByIndex(w.body).Interface().(func(huma.Context))(ctx)
	case w.body != nil:
		writeBody(api, ctx, w.op.DefaultStatus, out.FieldByIndex(w.body).Interface())
	default:
		ctx.SetStatus(w.op.DefaultStatus)
	}
}

// writeFault answers with f.
func writeFault(api huma.API, ctx huma.Context, f *Failure) {
	for name, values := range f.GetHeaders() {
		for _, v := range values {
			ctx.AppendHeader(name, v)
		}
	}
	writeBody(api, ctx, f.status, f)
}

// writeBody answers with body in the form that the caller accepts, of those that there are.
func writeBody(api huma.API, ctx huma.Context, status int, body any) {
	form, err := api.Negotiate(ctx.Header("Accept"))
	if err != nil {
		form = "application/json"
	}
	ctx.SetHeader("Content-Type", form)
	ctx.SetStatus(status)
	if err := api.Marshal(ctx.BodyWriter(), form, body); err != nil && ctx.Context().Err() == nil {
		// The head is sent: only a broken connection tells the caller that this is not the whole.
		panic(fmt.Errorf("admin: write the answer of %s: %w", ctx.Operation().OperationID, err))
	}
}
