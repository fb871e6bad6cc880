package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// binder fills the input of an operation from a request. Fields with a tag path, query or header take a parameter;
// Body takes the JSON body, RawBody its bytes. Embedded structs stand for their fields. It is made once per operation.
type binder struct {
	op       *huma.Operation
	schemas  huma.Registry
	params   []param
	body     []int        // index of Body; nil: none
	schema   *huma.Schema // of Body
	defaults bool         // there are fields of Body that have one
	raw      []int        // index of RawBody; nil: none
	resolve  [][]int      // indices of what resolves itself; an empty index is the whole
}

// param is one field that takes a parameter.
type param struct {
	index    []int
	in, name string
	required bool
	fallback string // what the parameter is when it is missing or empty
	list     bool   // texts with commas between
	explode  bool   // a list, but the parameter again and again
	parse    func(reflect.Value, []string) (any, error)
	schema   *huma.Schema
}

// newBinder reads t, a struct, and describes what it takes in op. It panics where it cannot fill a field: that is for
// the first test to notice.
func newBinder(op *huma.Operation, schemas huma.Registry, t reflect.Type) *binder {
	b := &binder{op: op, schemas: schemas}
	b.addParams(t, nil)
	if f, ok := t.FieldByName("Body"); ok {
		b.addBody(t, f)
	}
	if f, ok := t.FieldByName("RawBody"); ok {
		b.raw = f.Index
		requestBody(op).Required = true
		op.RequestBody.Content[f.Tag.Get("contentType")] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	if op.RequestBody != nil {
		for _, media := range op.RequestBody.Content {
			media.Schema.PrecomputeMessages()
		}
	}
	b.addResolvers(t, []int{})
	return b
}

// addParams adds the parameters of a struct that lies at index.
func (b *binder) addParams(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f, at := t.Field(i), append(slices.Clone(index), i)
		switch {
		case !f.IsExported(), f.Name == "Body":
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			b.addParams(f.Type, at)
		default:
			if p, ok := newParam(f, b.schemas); ok {
				p.index = at
				b.params = append(b.params, p)
				p.document(b.op)
			}
		}
	}
}

// newParam reads the tags of a field; ok is false if it is no parameter.
func newParam(f reflect.StructField, schemas huma.Registry) (p param, ok bool) {
	for _, in := range []string{"path", "query", "header"} {
		tag := f.Tag.Get(in)
		if tag == "" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		p = param{in: in, name: name, fallback: f.Tag.Get("default"), list: f.Type.Kind() == reflect.Slice, explode: options == "explode"}
		if p.parse, ok = parserOf(f.Type); !ok {
			panic(fmt.Sprintf("admin: no parameter can be a %s: %s", f.Type, name))
		}
		p.required = in == "path" || f.Tag.Get("required") == "true"
		p.schema = huma.SchemaFromField(schemas, f, "")
		return p, true
	}
	return param{}, false
}

// document describes p in op.
func (p *param) document(op *huma.Operation) {
	d := &huma.Param{Name: p.name, In: p.in, Description: p.schema.Description, Required: p.required, Schema: p.schema}
	if p.in == "query" {
		d.Explode = &p.explode
	}
	op.Parameters = append(op.Parameters, d)
}

// requestBody returns op's, made when it has none.
func requestBody(op *huma.Operation) *huma.RequestBody {
	if op.RequestBody == nil {
		op.RequestBody = &huma.RequestBody{}
	}
	if op.RequestBody.Content == nil {
		op.RequestBody.Content = map[string]*huma.MediaType{}
	}
	return op.RequestBody
}

const (
	maxBodyBytes = 1 << 20         // of an operation that says nothing else
	bodyTimeout  = 5 * time.Second // for the whole body
)

func (b *binder) addBody(t reflect.Type, f reflect.StructField) {
	op := b.op
	b.body, b.defaults = f.Index, hasDefaults(f.Type, nil)
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBodyBytes
	}
	if op.BodyReadTimeout == 0 {
		op.BodyReadTimeout = bodyTimeout
	}
	content := requestBody(op).Content
	op.RequestBody.Required = op.RequestBody.Required || f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Interface
	if content["application/json"] == nil {
		content["application/json"] = &huma.MediaType{}
	}
	if media := content["application/json"]; media.Schema == nil {
		media.Schema = huma.SchemaFromField(b.schemas, f, schemaName(t, f.Name, op.OperationID+"Request"))
	}
	b.schema = content["application/json"].Schema
}

// schemaName is what the type of a field is called in the OpenAPI document if it has no name.
func schemaName(parent reflect.Type, field, otherwise string) string {
	if parent.Name() != "" {
		return parent.Name() + field
	}
	return otherwise
}

// addResolvers finds what wants to see the request itself: the whole input, or else embedded parts of it.
func (b *binder) addResolvers(t reflect.Type, index []int) {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[huma.Resolver]()) {
		b.resolve = append(b.resolve, index)
		return
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Anonymous && f.Type.Kind() == reflect.Struct {
			b.addResolvers(f.Type, append(slices.Clone(index), i))
		}
	}
}

// bind fills v, an addressable struct of the binder's type. If that cannot be done, it has answered the request and
// returns false.
func (b *binder) bind(api huma.API, ctx huma.Context, v reflect.Value) bool {
	found := &huma.ValidateResult{}
	at := huma.NewPathBuffer(make([]byte, 0, 64), 0)
	for i := range b.params {
		b.params[i].bind(b.schemas, ctx, v, at, found)
	}
	status := http.StatusUnprocessableEntity
	if b.body != nil || b.raw != nil {
		data, refused := readInput(ctx, b.op)
		if refused == nil && len(data) == 0 && b.op.RequestBody.Required {
			refused = &huma.ErrorModel{Status: http.StatusBadRequest, Detail: "request body is required"}
		}
		if refused != nil {
			_ = huma.WriteErr(api, ctx, refused.Status, refused.Detail, found.Errors...) // it writes to stderr itself
			return false
		}
		if b.raw != nil {
			v.FieldByIndex(b.raw).SetBytes(data)
		}
		if b.body != nil && len(data) > 0 {
			status = b.bindBody(api, ctx, v.FieldByIndex(b.body), data, at, found)
		}
	}
	for _, index := range b.resolve {
		errs := v.FieldByIndex(index).Addr().Interface().(huma.Resolver).Resolve(ctx)
		found.Errors = append(found.Errors, errs...)
	}
	if len(found.Errors) == 0 {
		return true
	}
	for _, err := range slices.Backward(found.Errors) {
		if s, ok := errors.AsType[huma.StatusError](err); ok {
			status = s.GetStatus()
			break
		}
	}
	_ = huma.WriteErr(api, ctx, status, "validation failed", found.Errors...)
	return false
}

// bind sets the field of p in v. What is wrong goes into found.
func (p *param) bind(schemas huma.Registry, ctx huma.Context, v reflect.Value, at *huma.PathBuffer, found *huma.ValidateResult) {
	at.Reset()
	at.Push(p.in)
	at.Push(p.name)
	text := p.fallback
	if sent := p.value(ctx); sent != "" {
		text = sent
	}
	if text == "" {
		if p.required {
			found.Add(at, "", "required "+p.in+" parameter is missing")
		}
		return
	}
	texts := []string{text}
	switch {
	case p.explode:
		u := ctx.URL()
		texts = u.Query()[p.name]
	case p.list:
		texts = strings.Split(text, ",")
	}
	value, err := p.parse(v.FieldByIndex(p.index), texts)
	if err != nil {
		found.Add(at, text, err.Error())
		return
	}
	huma.Validate(schemas, p.schema, at, huma.ModeWriteToServer, value, found)
}

// value returns the parameter as it was sent, "" if it was not.
func (p *param) value(ctx huma.Context) string {
	switch p.in {
	case "path":
		return ctx.Param(p.name)
	case "query":
		return ctx.Query(p.name)
	}
	return ctx.Header(p.name)
}

// parserOf returns what sets a field of type t to a parameter, and returns its value for validation. Only a
// list has other than one text.
func parserOf(t reflect.Type) (parse func(field reflect.Value, texts []string) (any, error), ok bool) {
	if t == reflect.TypeFor[time.Time]() {
		return func(f reflect.Value, texts []string) (any, error) {
			at, err := time.Parse(time.RFC3339Nano, texts[0])
			if err != nil {
				return nil, errors.New("invalid date/time for format " + time.RFC3339Nano)
			}
			f.Set(reflect.ValueOf(at))
			return texts[0], nil
		}, true
	}
	switch t.Kind() {
	case reflect.String:
		return func(f reflect.Value, texts []string) (any, error) { f.SetString(texts[0]); return texts[0], nil }, true
	case reflect.Int, reflect.Int64:
		return func(f reflect.Value, texts []string) (any, error) {
			n, err := strconv.ParseInt(texts[0], 10, 64)
			if err != nil {
				return nil, errors.New("invalid integer")
			}
			f.SetInt(n)
			return n, nil
		}, true
	case reflect.Float64:
		return func(f reflect.Value, texts []string) (any, error) {
			n, err := strconv.ParseFloat(texts[0], 64)
			if err != nil {
				return nil, errors.New("invalid float")
			}
			f.SetFloat(n)
			return n, nil
		}, true
	case reflect.Bool:
		return func(f reflect.Value, texts []string) (any, error) {
			yes, err := strconv.ParseBool(texts[0])
			if err != nil {
				return nil, errors.New("invalid boolean")
			}
			f.SetBool(yes)
			return yes, nil
		}, true
	case reflect.Slice:
		if t != reflect.TypeFor[[]string]() {
			return nil, false
		}
		return func(f reflect.Value, texts []string) (any, error) {
			f.Set(reflect.ValueOf(texts))
			return texts, nil
		}, true
	}
	return nil, false
}

// readInput reads the request's body, as much of it as op takes. refused says why not, as huma would.
func readInput(ctx huma.Context, op *huma.Operation) (data []byte, refused *huma.ErrorModel) {
	if op.BodyReadTimeout > 0 {
		_ = ctx.SetReadDeadline(time.Now().Add(op.BodyReadTimeout)) // a connection that has none reads without
	}
	r := ctx.BodyReader()
	if r == nil {
		return nil, nil
	}
	if op.MaxBodyBytes > 0 {
		r = io.LimitReader(r, op.MaxBodyBytes)
	}
	data, err := io.ReadAll(r)
	var late net.Error
	switch {
	case op.MaxBodyBytes > 0 && int64(len(data)) == op.MaxBodyBytes:
		return nil, &huma.ErrorModel{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("request body is too large limit=%d bytes", op.MaxBodyBytes)}
	case errors.As(err, &late) && late.Timeout():
		return nil, &huma.ErrorModel{Status: http.StatusRequestTimeout, Detail: "request body read timeout"}
	case err != nil:
		return nil, &huma.ErrorModel{Status: http.StatusInternalServerError, Detail: "cannot read request body"}
	}
	return data, nil
}

// bindBody reads data, which is not empty, into v. What is wrong goes into found; status is what that makes of the
// answer.
func (b *binder) bindBody(api huma.API, ctx huma.Context, v reflect.Value, data []byte, at *huma.PathBuffer, found *huma.ValidateResult) (status int) {
	contentType := cmp.Or(ctx.Header("Content-Type"), "application/json")
	fault := func(err error) {
		found.Errors = append(found.Errors, &huma.ErrorDetail{Location: "body", Message: err.Error(), Value: string(data)})
	}
	valid := true
	if !b.op.SkipValidateBody {
		var shape any
		err := api.Unmarshal(contentType, data, &shape)
		if err != nil {
			fault(err)
			if errors.Is(err, huma.ErrUnknownContentType) {
				return http.StatusUnsupportedMediaType
			}
			return http.StatusBadRequest
		}
		before := len(found.Errors)
		at.Reset()
		at.Push("body")
		huma.Validate(b.schemas, b.schema, at, huma.ModeWriteToServer, shape, found)
		valid = len(found.Errors) == before
	}
	if err := api.Unmarshal(contentType, data, v.Addr().Interface()); err != nil {
		if valid {
			fault(err) // what a schema cannot say
		}
		return http.StatusUnprocessableEntity
	}
	if b.defaults {
		setDefaults(v)
	}
	return http.StatusUnprocessableEntity
}

// hasDefaults reports whether there are fields with a tag default in t, or in what it holds.
func hasDefaults(t reflect.Type, seen []reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return hasDefaults(t.Elem(), seen)
	case reflect.Struct:
		if slices.Contains(seen, t) {
			return false
		}
		seen = append(seen, t)
		for i := range t.NumField() {
			f := t.Field(i)
			if f.IsExported() && (f.Tag.Get("default") != "" || hasDefaults(f.Type, seen)) {
				return true
			}
		}
	}
	return false
}

// setDefaults sets the fields of v, and of what it holds, that are zero and have a tag default.
func setDefaults(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			setDefaults(v.Elem())
		}
	case reflect.Slice:
		if hasDefaults(v.Type(), nil) {
			for i := range v.Len() {
				setDefaults(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			text := f.Tag.Get("default")
			switch {
			case !f.IsExported():
			case text == "":
				setDefaults(v.Field(i))
			case v.Field(i).IsZero():
				setDefault(v.Field(i), text)
			}
		}
	}
}

// setDefault sets a field to what its tag says: a text, or JSON.
func setDefault(v reflect.Value, text string) {
	target := v
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		target = v.Elem()
	}
	if target.Kind() == reflect.String {
		target.SetString(text)
		return
	}
	if err := json.Unmarshal([]byte(text), target.Addr().Interface()); err != nil {
		panic(fmt.Sprintf("admin: default %s of a %s: %v", text, target.Type(), err))
	}
}
