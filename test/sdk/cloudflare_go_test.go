package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7/ai_gateway"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/shared"
)

// cloudflareGo is the driver of the reference's SDK for Go, in this process. Its methods are found by their
// names and called with values from outside, as the other drivers' are.
type cloudflareGo struct{}

func (d cloudflareGo) call(t *testing.T, c call) json.RawMessage {
	t.Helper()
	// The client of the whole SDK has this service as its field AIGateway; to build all of it takes minutes.
	root := reflect.ValueOf(ai_gateway.NewAIGatewayService(option.WithAPIToken("token-of-the-operator"), option.WithBaseURL(c.Base+"/"),
		option.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}})))
	var outcome map[string]any
	if c.Scenario == "methods" {
		outcome = map[string]any{"result": goMethods(root, "")}
	} else {
		result, err := goMake(context.WithoutCancel(t.Context()), root, c.Scenario, c.Args.(cloudflareArgs))
		outcome = map[string]any{"result": result}
		if err != nil {
			outcome = map[string]any{"error": cloudflareError(err)}
		}
	}
	text, err := json.Marshal(outcome)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func cloudflareError(err error) map[string]any {
	answer := map[string]any{"name": fmt.Sprintf("%T", err), "status": 0, "code": 0, "message": err.Error()}
	// The type of the SDK's errors has a name only in the package of its whole client.
	e := reflect.Indirect(reflect.ValueOf(err))
	if e.Kind() != reflect.Struct || !e.FieldByName("StatusCode").IsValid() {
		return answer
	}
	answer["status"] = e.FieldByName("StatusCode").Interface()
	if list := e.FieldByName("Errors"); list.IsValid() && list.Len() > 0 {
		answer["code"] = list.Index(0).FieldByName("Code").Interface()
	}
	return answer
}

// goMethods lists the methods of a service, and of those within it.
func goMethods(service reflect.Value, path string) []string {
	var names []string
	for i := range service.NumMethod() {
		names = append(names, path+service.Type().Method(i).Name)
	}
	fields := service.Elem()
	for i := range fields.NumField() {
		if f := fields.Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Pointer && strings.HasSuffix(f.Type.Elem().Name(), "Service") {
			names = append(names, goMethods(fields.Field(i), path+f.Name+".")...)
		}
	}
	return names
}

// goName is what Go calls a part of a name.
func goName(part string) string {
	if rest, ok := strings.CutPrefix(part, "create"); ok {
		return "New" + rest
	}
	if part == "urls" {
		return "URLs"
	}
	return strings.ToUpper(part[:1]) + part[1:]
}

func goMake(ctx context.Context, service reflect.Value, name string, args cloudflareArgs) (any, error) {
	parts := strings.Split(name, ".")
	for _, part := range parts[:len(parts)-1] {
		if service = service.Elem().FieldByName(goName(part)); !service.IsValid() {
			return nil, fmt.Errorf("the SDK has no %s", name)
		}
	}
	method := service.MethodByName(goName(parts[len(parts)-1]))
	if !method.IsValid() {
		return nil, fmt.Errorf("the SDK has no %s", name)
	}
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, p := range args.Path {
		in = append(in, reflect.ValueOf(p[1]))
	}
	params, err := goValue(method.Type().In(len(in)), args.Params)
	if err != nil {
		return nil, err
	}
	out := method.Call(append(in, params))
	if len(out) == 1 {
		return goPages(out[0])
	}
	if err, failed := out[1].Interface().(error); failed {
		return nil, err
	}
	return goPlain(out[0]), nil
}

// goPages reads an auto-pager to its end.
func goPages(pager reflect.Value) (any, error) {
	items := []any{}
	for pager.MethodByName("Next").Call(nil)[0].Bool() {
		items = append(items, goPlain(pager.MethodByName("Current").Call(nil)[0]))
	}
	err, _ := pager.MethodByName("Err").Call(nil)[0].Interface().(error)
	return items, err
}

// goPlain is the JSON that a result was read from; of a page its items.
func goPlain(v reflect.Value) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return v.Interface()
	}
	if items := v.FieldByName("Result"); items.IsValid() && items.Kind() == reflect.Slice {
		all := []any{}
		for i := range items.Len() {
			all = append(all, goPlain(items.Index(i)))
		}
		return all
	}
	raw := v.FieldByName("JSON").MethodByName("RawJSON").Call(nil)[0].String()
	return json.RawMessage(raw)
}

// goValue makes a parameter of the SDK's type from a plain value.
func goValue(t reflect.Type, v any) (reflect.Value, error) {
	made := reflect.New(t).Elem()
	switch plain := v.(type) {
	case map[string]any:
		if t.Kind() == reflect.Struct {
			return made, goFields(made, plain)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for _, item := range plain {
				one, err := goValue(t.Elem(), item)
				if err != nil {
					return made, err
				}
				made = reflect.Append(made, one)
			}
			return made, nil
		}
	}
	for _, candidate := range []reflect.Value{reflect.ValueOf(v), union(v)} {
		switch {
		case candidate.IsValid() && candidate.Type().AssignableTo(t):
			made.Set(candidate)
			return made, nil
		case candidate.IsValid() && t.Kind() != reflect.Interface && t.Kind() != reflect.String && candidate.Type().ConvertibleTo(t):
			made.Set(candidate.Convert(t))
			return made, nil
		case candidate.IsValid() && t.Kind() == reflect.String && candidate.Kind() == reflect.String:
			made.SetString(candidate.String())
			return made, nil
		}
	}
	return made, fmt.Errorf("no %s can be made of %v", t, v)
}

// union is a scalar as a member of the SDK's unions.
func union(v any) reflect.Value {
	switch v := v.(type) {
	case string:
		return reflect.ValueOf(shared.UnionString(v))
	case bool:
		return reflect.ValueOf(shared.UnionBool(v))
	case float64:
		return reflect.ValueOf(shared.UnionFloat(v))
	}
	return reflect.Value{}
}

// goFields sets the fields of a struct of parameters, found by the name that they have in the API. What cannot be
// made of plain values is given as raw JSON, as the SDK allows.
func goFields(s reflect.Value, values map[string]any) error {
	for name, v := range values {
		set := false
		for i := range s.NumField() {
			tag := s.Type().Field(i).Tag
			if tag.Get("path") != name && tag.Get("query") != name && tag.Get("json") != name {
				continue
			}
			set = true
			field := s.Field(i)
			field.FieldByName("Present").SetBool(true)
			value, err := goValue(field.FieldByName("Value").Type(), v)
			switch {
			case err == nil:
				field.FieldByName("Value").Set(value)
			case tag.Get("json") != "":
				field.FieldByName("Raw").Set(reflect.ValueOf(v))
			default:
				return err
			}
		}
		if !set {
			return fmt.Errorf("%s has no %s", s.Type(), name)
		}
	}
	return nil
}
