package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/object"
)

// IfMatch is the header by which a change says what it was made from.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"ours: the ETag of what the change was made from; the answer is 409 where something else is there now. Left out or *: whatever is there"`
}

// was returns the version that the change was made from, 0 for any.
func (m IfMatch) was() (int64, error) {
	if m.IfMatch == "" || m.IfMatch == "*" {
		return 0, nil
	}
	text := strings.Trim(strings.TrimPrefix(m.IfMatch, "W/"), `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, newFailure(http.StatusBadRequest, Fault{
			Code: codeInvalid, Message: "If-Match is no ETag of this API", Path: []string{"header", "If-Match"}, Field: "If-Match", Hint: `send the ETag that came with it, such as "3"`,
		})
	}
	return n, nil
}

// tagged is an answer with the version of what it shows.
type tagged[T any] struct {
	ETag string `header:"ETag" doc:"ours: version of what the answer shows"`
	Body T
}

func tag[T any](version int64, out *output[T]) *tagged[T] {
	return &tagged[T]{ETag: strconv.Quote(strconv.FormatInt(version, 10)), Body: out.Body}
}

// Conflicting shows both sides of a conflict.
type Conflicting struct {
	Current any `json:"current" doc:"what is there now"`
	Sent    any `json:"sent" doc:"what the call wanted"`
}

// conflicting answers a change that was made from another version with both sides: sent, and what show makes of
// what is there. Other errors stay as they are, and are about the body.
func conflicting(err error, sent any, show func(*object.Record) (any, error)) error {
	c, ok := errors.AsType[*object.Conflict](err)
	if !ok {
		return ofBody(err)
	}
	current, e := show(&c.Current)
	if e != nil {
		return errors.Join(err, e)
	}
	f := failureOf(err)
	f.Conflict = &Conflicting{Current: current, Sent: sent}
	f.tag = strconv.Quote(strconv.FormatInt(c.Current.Version, 10))
	return f
}

// Paging are the parameters of a list that is paged by number.
type Paging struct {
	Page    int `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1; a page past the end is empty"`
	PerPage int `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"items per page"`
}

func (p Paging) offset() int { return (p.Page - 1) * p.PerPage }

func (p Paging) info(count int, total int64) PageInfo {
	return PageInfo{Page: p.Page, PerPage: p.PerPage, Count: count, TotalCount: total, TotalPages: pages(total, p.PerPage)}
}

// cut returns the page of a list that is whole.
func cut[T any](p Paging, list []T) ([]T, PageInfo) {
	first := min(p.offset(), len(list))
	page := list[first:min(first+p.PerPage, len(list))]
	return page, p.info(len(page), int64(len(list)))
}

// at finds the place of a gateway that p names.
func (p GatewayPath) at(s *Settings) (object.Place, error) {
	_, g, err := p.gateway(s)
	if err != nil {
		return object.Place{}, err
	}
	return object.Place{Account: g.Account, Gateway: g.ID}, nil
}

// maxObjectName bounds the name of an object.
const maxObjectName = 128 // characters

// objectName checks the name of a dataset, an evaluation or a view.
func objectName(name string) error {
	if strings.TrimSpace(name) == "" || len([]rune(name)) > maxObjectName {
		return inBody(invalid("name", "a name has 1 to 128 characters", ""))
	}
	return nil
}

// decoded reads an object's data.
func decoded[T any](r *object.Record) (v T, err error) {
	err = r.Decode(&v)
	return v, err
}

// views makes what the API shows of each record.
func views[T any](list []object.Record, show func(*object.Record) (T, error)) ([]T, error) {
	all := make([]T, 0, len(list))
	for i := range list {
		v, err := show(&list[i])
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// FilterValue is a text, a number or a boolean, as it was sent.
type FilterValue struct{ json.RawMessage }

// Schema describes it.
func (FilterValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}}
}

// callerID names who sends a request, where there is more than one who could; all others are the admin.
func callerID(ctx context.Context) string {
	if a := callerOf(ctx).actor(); a.ID != "" {
		return string(a.Type) + ":" + a.ID
	}
	return "admin"
}

// auditObject is what the audit log calls an object.
func auditObject(r *object.Record) audit.Object {
	return audit.Object{Kind: string(r.Kind), ID: r.ID, Name: r.Name}
}

// mayEdit reports whether who sends a request may change what is not its own.
func mayEdit(ctx context.Context) bool { return callerOf(ctx).role >= RoleEditor }

func forbidden(msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindForbidden, Msg: msg, Hint: hint}
}
