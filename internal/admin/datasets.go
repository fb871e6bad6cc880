package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/object"
)

// datasetRoutes are those of datasets.
func datasetRoutes() []route {
	const datasets = scope + "/gateways/{gateway}/datasets"
	return []route{
		get(RoleViewer, datasets, "list-datasets", "List datasets", handle((*server).listDatasets)),
		edit(http.MethodPost, datasets, "create-dataset", "Create a dataset, a saved filter over the log", handle((*server).createDataset)),
		get(RoleViewer, datasets+"/{id}", "get-dataset", "Get a dataset", handle((*server).getDataset)),
		edit(http.MethodPut, datasets+"/{id}", "update-dataset", "Update a dataset", handle((*server).updateDataset)),
		edit(http.MethodDelete, datasets+"/{id}", "delete-dataset", "Delete a dataset", handle((*server).deleteDataset)),
	}
}

// DatasetFilter is one condition of a dataset; all must hold.
type DatasetFilter struct {
	Key      string        `json:"key" enum:"created_at,request_content_type,response_content_type,success,cached,provider,model,cost,tokens,tokens_in,tokens_out,duration,feedback"`
	Operator string        `json:"operator" enum:"eq,contains,lt,gt"`
	Value    []FilterValue `json:"value" minItems:"1" maxItems:"100" doc:"texts, numbers or booleans, one of which must be met"`
}

// DatasetView is a dataset.
type DatasetView struct {
	ID         string          `json:"id"`
	AccountID  string          `json:"account_id"`
	AccountTag string          `json:"account_tag"`
	GatewayID  string          `json:"gateway_id"`
	Name       string          `json:"name"`
	Enable     bool            `json:"enable"`
	Filters    []DatasetFilter `json:"filters"`
	CreatedAt  string          `json:"created_at" format:"date-time"`
	ModifiedAt string          `json:"modified_at" format:"date-time"`
	Version    int64           `json:"version" doc:"ours: another one after every change"`
}

func viewDataset(r *object.Record) (DatasetView, error) {
	d, err := decoded[object.Dataset](r)
	return DatasetView{
		ID: r.ID, AccountID: r.Account, AccountTag: r.Account, GatewayID: r.Gateway, Name: r.Name, Enable: d.Enable, Filters: viewFilters(d.Filters),
		CreatedAt: stamp(r.Created), ModifiedAt: stamp(r.Modified), Version: r.Version,
	}, err
}

func viewFilters(conditions []object.Condition) []DatasetFilter {
	filters := make([]DatasetFilter, len(conditions))
	for i, c := range conditions {
		filters[i] = DatasetFilter{Key: c.Key, Operator: c.Operator, Value: make([]FilterValue, len(c.Value))}
		for j, v := range c.Value {
			filters[i].Value[j] = FilterValue{v}
		}
	}
	return filters
}

// datasetBody is what a call says of a dataset. Members of answers that clients send back are read over.
type datasetBody struct {
	_       struct{}        `json:"-" additionalProperties:"true"`
	Name    string          `json:"name"`
	Enable  *bool           `json:"enable,omitempty" doc:"left out: true"`
	Filters []DatasetFilter `json:"filters" maxItems:"50"`
}

// read checks the body and gives what is stored of it.
func (b *datasetBody) read(now time.Time) (object.Dataset, error) {
	d := object.Dataset{Enable: b.Enable == nil || *b.Enable, Filters: make([]object.Condition, len(b.Filters))}
	if err := objectName(b.Name); err != nil {
		return d, err
	}
	for i, f := range b.Filters {
		d.Filters[i] = object.Condition{Key: f.Key, Operator: f.Operator, Value: make([]json.RawMessage, len(f.Value))}
		for j, v := range f.Value {
			d.Filters[i].Value[j] = v.RawMessage
		}
	}
	builder, err := datasetFilter(&d, now)
	if err == nil {
		_, err = builder.done()
	}
	return d, inBody(err)
}

// datasetFilter makes a filter of the log of a dataset's conditions.
func datasetFilter(d *object.Dataset, now time.Time) (*filterBuilder, error) {
	b := &filterBuilder{now: now}
	for i, f := range d.Filters {
		where := fmt.Sprintf("filters[%d]: ", i)
		c := condition{Key: f.Key, Operator: f.Operator}
		for _, v := range f.Value {
			values, err := scalars(v)
			if err != nil || len(values) != 1 {
				return nil, invalid("filters", where+"value is not a list of texts, numbers or booleans", "")
			}
			c.values = append(c.values, values[0])
		}
		if err := b.add("filters", where, c); err != nil {
			return nil, err
		}
	}
	return b, nil
}

type listDatasetsInput struct {
	GatewayPath
	Paging
	Enable string `query:"enable" enum:"true,false" doc:"only those that are so"`
	Name   string `query:"name" doc:"only those of this name"`
	Search string `query:"search" doc:"part of the name"`
}

func (s *server) listDatasets(ctx context.Context, in *listDatasetsInput) (*output[ListEnvelope[DatasetView, PageInfo]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	list, _, err := s.Objects.List(ctx, object.Query{Kind: object.KindDataset, Place: at, Name: in.Name, Search: in.Search})
	if err != nil {
		return nil, err
	}
	all, err := views(list, viewDataset)
	if err != nil {
		return nil, err
	}
	var found []DatasetView
	for _, d := range all {
		if in.Enable == "" || d.Enable == (in.Enable == "true") {
			found = append(found, d)
		}
	}
	page, info := cut(in.Paging, found)
	return listAnswer(page, info), nil
}

type createDatasetInput struct {
	GatewayPath
	Body datasetBody
}

func (s *server) createDataset(ctx context.Context, in *createDatasetInput) (*tagged[Envelope[DatasetView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	d, err := in.Body.read(time.Now())
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Create(ctx, object.New{Kind: object.KindDataset, Place: at, Name: in.Body.Name, Data: d})
	return s.changedDataset(ctx, nil, &r, err)
}

func answerDataset(r object.Record, err error) (*tagged[Envelope[DatasetView]], error) {
	if err != nil {
		return nil, err
	}
	v, err := viewDataset(&r)
	if err != nil {
		return nil, err
	}
	return tag(r.Version, answer(v)), nil
}

// ObjectPath is the part of a path that names an object of a gateway.
type ObjectPath struct {
	GatewayPath
	ID string `path:"id" doc:"its id"`
}

func (s *server) getDataset(ctx context.Context, in *ObjectPath) (*tagged[Envelope[DatasetView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	return answerDataset(s.Objects.Get(ctx, at, object.KindDataset, in.ID))
}

type updateDatasetInput struct {
	ObjectPath
	IfMatch
	Body datasetBody
}

func (s *server) updateDataset(ctx context.Context, in *updateDatasetInput) (*tagged[Envelope[DatasetView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	was, err := in.was()
	if err != nil {
		return nil, err
	}
	d, err := in.Body.read(time.Now())
	if err != nil {
		return nil, err
	}
	before, r, err := s.Objects.Update(ctx, at, object.KindDataset, in.ID, was, in.Body.Name, d)
	if err != nil {
		return nil, conflicting(err, in.Body, func(r *object.Record) (any, error) { return viewDataset(r) })
	}
	return s.changedDataset(ctx, &before, &r, nil)
}

// changedDataset answers with what a change made, and tells the audit log.
func (s *server) changedDataset(ctx context.Context, before, now *object.Record, err error) (*tagged[Envelope[DatasetView]], error) {
	out, err := answerDataset(*now, err)
	if err != nil {
		return nil, err
	}
	var was any
	if before != nil {
		was, _ = viewDataset(before) // it was read once before
	}
	s.audit(ctx, "", auditObject(now), was, out.Body.Result)
	return out, nil
}

// deleteObjectInput names an object to delete.
type deleteObjectInput struct {
	ObjectPath
	IfMatch
}

// deleteObject removes an object of a gateway, and returns what it was.
func (s *server) deleteObject(ctx context.Context, in *deleteObjectInput, kind object.Kind) (object.Record, error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return object.Record{}, err
	}
	was, err := in.was()
	if err != nil {
		return object.Record{}, err
	}
	r, err := s.Objects.Delete(ctx, at, kind, strings.ToLower(in.ID), was)
	return r, err
}

func (s *server) deleteDataset(ctx context.Context, in *deleteObjectInput) (*tagged[Envelope[DatasetView]], error) {
	out, err := answerDataset(s.deleteObject(ctx, in, object.KindDataset))
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", audit.Object{Kind: string(object.KindDataset), ID: in.ID, Name: out.Body.Result.Name}, out.Body.Result, nil)
	return out, nil
}
