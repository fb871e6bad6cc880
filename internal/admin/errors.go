package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/people"
)

// The reference's codes.
const (
	codeInternal       = 7000
	codeInvalid        = 7001
	codeNotFound       = 7002
	codeUnroutable     = 7003
	codeAuthentication = 10000
)

// wireError is how a Kind leaves the API.
type wireError struct{ status, code int }

// wireErrors maps each Kind that a handler can fail with; one that is missing is a fault of ours.
func wireErrors() map[sluice.Kind]wireError {
	return map[sluice.Kind]wireError{
		sluice.KindInvalid:      {http.StatusBadRequest, codeInvalid},
		sluice.KindNoGateway:    {http.StatusNotFound, codeNotFound},
		sluice.KindNoProvider:   {http.StatusNotFound, codeNotFound},
		sluice.KindNotFound:     {http.StatusNotFound, codeNotFound},
		sluice.KindUnauthorized: {http.StatusUnauthorized, codeAuthentication},
		sluice.KindForbidden:    {http.StatusForbidden, codeAuthentication},
		sluice.KindConflict:     {http.StatusConflict, codeInvalid},
		sluice.KindTooLarge:     {http.StatusRequestEntityTooLarge, codeInvalid},
		sluice.KindUnsupported:  {http.StatusUnsupportedMediaType, codeInvalid},
		sluice.KindRateLimited:  {http.StatusTooManyRequests, codeInvalid},
		sluice.KindUnavailable:  {http.StatusServiceUnavailable, codeInternal},
		sluice.KindTimeout:      {http.StatusGatewayTimeout, codeInternal},
	}
}

// Fault is one entry of an answer's errors.
type Fault struct {
	Code    int      `json:"code" doc:"7000 internal, 7001 invalid input, 7002 not found, 7003 no such path, 10000 authentication"`
	Message string   `json:"message"`
	Path    []string `json:"path,omitempty" doc:"where in the request the fault lies: place, then name"`
	Field   string   `json:"field,omitempty" doc:"name of the parameter that is wrong"`
	Hint    string   `json:"hint,omitempty" doc:"how to put it right"`
}

// Failure is the answer to a call that failed.
type Failure struct {
	status   int
	wait     time.Duration // until it may be tried again; 0: nothing is said of that
	Success  bool          `json:"success" doc:"false"`
	Errors   []Fault       `json:"errors"`
	Messages []Message     `json:"messages"`
	Result   *string       `json:"result" doc:"null"`

	Conflict *Conflicting `json:"conflict,omitempty" doc:"ours: both sides, where a change was made from another version"`

	tag string // ETag of what is there now, of a conflict
}

// Error lists the faults, for logs.
func (f *Failure) Error() string {
	texts := make([]string, len(f.Errors))
	for i := range f.Errors {
		texts[i] = f.Errors[i].Message
	}
	return strings.Join(texts, "; ")
}

// GetStatus returns the HTTP status; huma asks for it.
func (f *Failure) GetStatus() int { return f.status }

// GetHeaders returns what goes beside the failure; huma asks for it. The reference's SDKs send a call again
// that was answered with 409, unless they are told not to.
func (f *Failure) GetHeaders() http.Header {
	if f.wait > 0 {
		return http.Header{"X-Should-Retry": {"false"}, "Retry-After": {strconv.FormatInt(int64((f.wait+time.Second-1)/time.Second), 10)}}
	}
	if f.status != http.StatusConflict {
		return nil
	}
	h := http.Header{"X-Should-Retry": {"false"}}
	if f.tag != "" {
		h.Set("ETag", f.tag)
	}
	return h
}

func newFailure(status int, faults ...Fault) *Failure {
	return &Failure{status: status, Errors: faults, Messages: []Message{}}
}

// failureOf turns err into what the caller may see of it.
func failureOf(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if faults, ok := errors.AsType[gateway.Faults](err); ok {
		return bodyFailure(faults)
	}
	if invalid, ok := errors.AsType[*object.InvalidRoute](err); ok {
		return routeFailure(invalid)
	}
	e, ok := errors.AsType[*sluice.Error](err)
	if !ok {
		return internalFailure()
	}
	wire, known := wireErrors()[e.Kind]
	if !known {
		return internalFailure()
	}
	fault := Fault{Code: wire.code, Message: e.Msg, Field: e.Field, Hint: e.Hint}
	switch {
	case e.Field == "":
	case e.Kind == sluice.KindConflict: // with what is there, which a parameter cannot be
		fault.Path = []string{"body", e.Field}
	default:
		fault.Path = []string{"query", e.Field}
	}
	f = newFailure(wire.status, fault)
	if t, ok := errors.AsType[*people.ThrottledError](err); ok {
		f.wait = t.Wait
	}
	return f
}

// bodyFailure says all that is wrong with a body.
func bodyFailure(faults gateway.Faults) *Failure {
	f := newFailure(http.StatusBadRequest)
	for _, e := range faults {
		fault := Fault{Code: codeInvalid, Message: e.Msg, Path: []string{"body"}, Field: e.Field, Hint: e.Hint}
		if e.Field != "" {
			fault.Path = append(fault.Path, e.Field)
		}
		f.Errors = append(f.Errors, fault)
	}
	return f
}

func internalFailure() *Failure {
	return newFailure(http.StatusInternalServerError, Fault{Code: codeInternal, Message: "internal error"})
}

// failed is failureOf for a handler: it also logs what is our fault.
func (s *server) failed(ctx context.Context, operation string, err error) *Failure {
	f := failureOf(err)
	if f.status >= http.StatusInternalServerError && ctx.Err() == nil {
		s.Logger.ErrorContext(ctx, "management call failed", "operation", operation, "error", err)
	}
	return f
}

func invalid(field, msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
}

func notFound(msg string) error { return &sluice.Error{Kind: sluice.KindNotFound, Msg: msg} }

// validationFailure turns the errors that huma makes itself (a parameter that does not parse, or is
// out of bounds) into the API's shape. A transformer, because the other way, replacing the function
// huma.NewError, changes a variable that all of the process shares.
func validationFailure(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	ctx.SetHeader("Content-Type", "application/json")
	if model.Status >= http.StatusInternalServerError {
		return internalFailure(), nil
	}
	f := newFailure(model.Status)
	for _, d := range model.Errors {
		if d == nil {
			continue
		}
		path := strings.Split(d.Location, ".")
		f.Errors = append(f.Errors, Fault{Code: codeInvalid, Message: d.Message, Path: path, Field: path[len(path)-1]})
	}
	if len(f.Errors) == 0 {
		f.Errors = []Fault{{Code: codeInvalid, Message: model.Detail}}
	}
	return f, nil
}

// clientErrors makes huma's 422 the reference's 400.
func clientErrors(ctx huma.Context, next func(huma.Context)) { next(statusContext{ctx}) }

// innerContext lets statusContext embed huma.Context, which has a method of the name Context.
type innerContext huma.Context

// statusContext is a huma.Context whose status 422 reads 400.
type statusContext struct{ innerContext }

// SetStatus sends the status.
func (c statusContext) SetStatus(code int) {
	if code == http.StatusUnprocessableEntity {
		code = http.StatusBadRequest
	}
	c.innerContext.SetStatus(code)
}

// Unwrap gives the adapter its own context back.
func (c statusContext) Unwrap() huma.Context { return c.innerContext }
