package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// evaluationRoutes are those of evaluations.
func evaluationRoutes() []route {
	const evaluations = scope + "/gateways/{gateway}/evaluations"
	return []route{
		get(RoleViewer, scope+"/evaluation-types", "list-evaluation-types", "List what evaluations can find out", handle((*server).listEvaluationTypes)),
		get(RoleViewer, evaluations, "list-evaluations", "List evaluations", handle((*server).listEvaluations)),
		edit(http.MethodPost, evaluations, "create-evaluation", "Evaluate datasets as they are now", handle((*server).createEvaluation)),
		get(RoleViewer, evaluations+"/{id}", "get-evaluation", "Get an evaluation", handle((*server).getEvaluation)),
		edit(http.MethodDelete, evaluations+"/{id}", "delete-evaluation", "Delete an evaluation", handle((*server).deleteEvaluation)),
	}
}

// evaluator is a type of evaluation: what it reads of an entry, and how it shows what the values come to.
type evaluator struct {
	EvaluationType
	value  func(e *sluice.LogEntry) (v int64, known bool)
	places int   // decimals of a value: one is 10^-places
	unit   int64 // by which the sum is divided besides the count
}

// evaluators are all types.
func evaluators() []evaluator {
	of := func(id, name, description string) EvaluationType {
		const since = "2026-11-24T00:00:00.000Z"
		return EvaluationType{ID: id, Name: name, Type: id, Description: description, Enable: true, CreatedAt: since, ModifiedAt: since}
	}
	return []evaluator{
		{of("cost", "Cost", "Average cost of a request, in US dollars"), func(e *sluice.LogEntry) (int64, bool) {
			return int64(e.Cost), e.Priced
		}, 9, 1},
		{of("speed", "Speed", "Average duration of a request, in milliseconds"), func(e *sluice.LogEntry) (int64, bool) {
			return int64(e.Timeline.End), e.Timeline.End > 0
		}, 3, int64(time.Microsecond)},
		{of("performance", "Performance", "Share of thumbs up among the requests with feedback, from 0 to 1"), func(e *sluice.LogEntry) (int64, bool) {
			if e.Feedback > 0 {
				return 10_000, true
			}
			return 0, e.Feedback != 0
		}, 4, 1},
	}
}

// EvaluationType is something that evaluations can find out.
type EvaluationType struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Enable      bool   `json:"enable"`
	Mandatory   bool   `json:"mandatory"`
	CreatedAt   string `json:"created_at" format:"date-time"`
	ModifiedAt  string `json:"modified_at" format:"date-time"`
}

type listEvaluationTypesInput struct {
	AccountPath
	Paging
	OrderBy          string `query:"order_by" doc:"id, name or type; left out: as they are listed in the documentation"`
	OrderByDirection string `query:"order_by_direction" enum:"asc,desc"`
}

func (s *server) listEvaluationTypes(_ context.Context, in *listEvaluationTypesInput) (*output[ListEnvelope[EvaluationType, PageInfo]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	var list []EvaluationType
	for _, e := range evaluators() {
		list = append(list, e.EvaluationType)
	}
	if key := map[string]func(*EvaluationType) string{
		"id": func(t *EvaluationType) string { return t.ID }, "name": func(t *EvaluationType) string { return t.Name }, "type": func(t *EvaluationType) string { return t.Type },
	}[in.OrderBy]; key != nil {
		slices.SortFunc(list, func(a, b EvaluationType) int { return strings.Compare(key(&a), key(&b)) })
	}
	if in.OrderByDirection == "desc" {
		slices.Reverse(list)
	}
	page, info := cut(in.Paging, list)
	return listAnswer(page, info), nil
}

// EvaluationView is an evaluation.
type EvaluationView struct {
	ID         string             `json:"id"`
	GatewayID  string             `json:"gateway_id"`
	Name       string             `json:"name"`
	Datasets   []DatasetView      `json:"datasets" doc:"as they were when they were evaluated"`
	Results    []EvaluationResult `json:"results"`
	Processed  bool               `json:"processed"`
	TotalLogs  int64              `json:"total_logs" doc:"requests that the datasets hold"`
	CreatedAt  string             `json:"created_at" format:"date-time"`
	ModifiedAt string             `json:"modified_at" format:"date-time"`
}

// EvaluationResult is what one type of evaluation found.
type EvaluationResult struct {
	ID                string  `json:"id"`
	EvaluationID      string  `json:"evaluation_id"`
	EvaluationTypeID  string  `json:"evaluation_type_id"`
	Result            *string `json:"result" doc:"a decimal number; null: no request had what it needs"`
	Status            int     `json:"status" doc:"2: done; 3: done over the newest requests only, because there were too many"`
	StatusDescription string  `json:"status_description"`
	TotalLogs         int64   `json:"total_logs" doc:"requests that had what it needs"`
	CreatedAt         string  `json:"created_at" format:"date-time"`
	ModifiedAt        string  `json:"modified_at" format:"date-time"`
}

// States of a result.
const (
	evaluationDone = 2
	evaluationPart = 3
)

func viewEvaluation(r *object.Record) (EvaluationView, error) {
	e, err := decoded[object.Evaluation](r)
	v := EvaluationView{
		ID: r.ID, GatewayID: r.Gateway, Name: r.Name, Processed: e.Processed, TotalLogs: e.TotalLogs,
		Datasets: []DatasetView{}, Results: []EvaluationResult{}, CreatedAt: stamp(r.Created), ModifiedAt: stamp(r.Modified),
	}
	for _, d := range e.Datasets {
		v.Datasets = append(v.Datasets, DatasetView{
			ID: d.ID, AccountID: r.Account, AccountTag: r.Account, GatewayID: r.Gateway, Name: d.Name, Enable: d.Enable, Filters: viewFilters(d.Filters),
			CreatedAt: stamp(d.Created), ModifiedAt: stamp(d.Modified), Version: d.Version,
		})
	}
	for _, x := range e.Results {
		v.Results = append(v.Results, EvaluationResult{
			ID: x.ID, EvaluationID: r.ID, EvaluationTypeID: x.Type, Result: x.Value, Status: x.Status, StatusDescription: x.Said,
			TotalLogs: x.TotalLogs, CreatedAt: v.CreatedAt, ModifiedAt: v.ModifiedAt,
		})
	}
	return v, err
}

type listEvaluationsInput struct {
	GatewayPath
	Paging
	Name      string `query:"name" doc:"only those of this name"`
	Processed string `query:"processed" enum:"true,false" doc:"only those that are so"`
	Search    string `query:"search" doc:"part of the name"`
}

func (s *server) listEvaluations(ctx context.Context, in *listEvaluationsInput) (*output[ListEnvelope[EvaluationView, PageInfo]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	list, _, err := s.Objects.List(ctx, object.Query{Kind: object.KindEvaluation, Place: at, Name: in.Name, Search: in.Search})
	if err != nil {
		return nil, err
	}
	all, err := views(list, viewEvaluation)
	if err != nil {
		return nil, err
	}
	var found []EvaluationView
	for i := range all {
		if in.Processed == "" || all[i].Processed == (in.Processed == "true") {
			found = append(found, all[i])
		}
	}
	page, info := cut(in.Paging, found)
	return listAnswer(page, info), nil
}

type createEvaluationInput struct {
	GatewayPath
	Body struct {
		_                 struct{} `json:"-" additionalProperties:"true"`
		Name              string   `json:"name"`
		DatasetIDs        []string `json:"dataset_ids" minItems:"1" maxItems:"10" doc:"a request that several hold counts once"`
		EvaluationTypeIDs []string `json:"evaluation_type_ids" minItems:"1" maxItems:"10"`
	}
}

func (s *server) createEvaluation(ctx context.Context, in *createEvaluationInput) (*output[Envelope[EvaluationView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	if err := objectName(in.Body.Name); err != nil {
		return nil, err
	}
	run := evaluation{server: s, at: at}
	if err := run.types(in.Body.EvaluationTypeIDs); err != nil {
		return nil, err
	}
	if err := run.datasets(ctx, in.Body.DatasetIDs); err != nil {
		return nil, err
	}
	if err := run.read(ctx, time.Now()); err != nil {
		return nil, err
	}
	r, err := s.Objects.Create(ctx, object.New{Kind: object.KindEvaluation, Place: at, Name: in.Body.Name, Data: run.result()})
	out, err := answerEvaluation(r, err)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", auditObject(&r), nil, out.Body.Result)
	return out, nil
}

func answerEvaluation(r object.Record, err error) (*output[Envelope[EvaluationView]], error) {
	if err != nil {
		return nil, err
	}
	v, err := viewEvaluation(&r)
	if err != nil {
		return nil, err
	}
	return answer(v), nil
}

func (s *server) getEvaluation(ctx context.Context, in *ObjectPath) (*output[Envelope[EvaluationView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	return answerEvaluation(s.Objects.Get(ctx, at, object.KindEvaluation, in.ID))
}

func (s *server) deleteEvaluation(ctx context.Context, in *deleteObjectInput) (*output[Envelope[EvaluationView]], error) {
	r, err := s.deleteObject(ctx, in, object.KindEvaluation)
	out, err := answerEvaluation(r, err)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", auditObject(&r), out.Body.Result, nil)
	return out, nil
}

// evaluation is one that is being computed.
type evaluation struct {
	*server
	at    object.Place
	sums  []evaluationSum
	over  []object.EvaluatedDataset
	total int64
	cut   bool // there is more than was read
}

type evaluationSum struct {
	evaluator
	sum, count int64
}

// types picks the evaluators.
func (v *evaluation) types(ids []string) error {
	for _, id := range ids {
		all := evaluators()
		i := slices.IndexFunc(all, func(e evaluator) bool { return e.ID == id })
		if i < 0 {
			return inBody(invalid("evaluation_type_ids", "there is no evaluation type "+clip(id, 64), "GET …/evaluation-types lists them"))
		}
		if !slices.ContainsFunc(v.sums, func(s evaluationSum) bool { return s.ID == id }) {
			v.sums = append(v.sums, evaluationSum{evaluator: all[i]})
		}
	}
	return nil
}

// datasets reads the datasets as they are now.
func (v *evaluation) datasets(ctx context.Context, ids []string) error {
	for _, id := range ids {
		r, err := v.Objects.Get(ctx, v.at, object.KindDataset, id)
		if sluice.KindOf(err) == sluice.KindNotFound {
			return inBody(invalid("dataset_ids", "there is no dataset "+clip(id, 64), "GET …/datasets lists them"))
		}
		if err != nil {
			return err
		}
		d, err := decoded[object.Dataset](&r)
		if err != nil {
			return err
		}
		v.over = append(v.over, object.EvaluatedDataset{Dataset: d, ID: r.ID, Name: r.Name, Version: r.Version, Created: r.Created, Modified: r.Modified})
	}
	return nil
}

// Bounds of what one evaluation reads.
const (
	maxEvaluated     = 200_000 // requests
	maxEvaluatedTime = 20 * time.Second
)

// read reads the requests that the datasets hold, the newest first.
func (v *evaluation) read(ctx context.Context, now time.Time) error {
	seen := map[sluice.ID]bool{}
	for i := range v.over {
		b, err := datasetFilter(&v.over[i].Dataset, now)
		if err != nil {
			return err
		}
		if b.never {
			continue
		}
		q := reqlog.Query{Account: v.at.Account, Gateway: v.at.Gateway, To: now, Filter: b.filter, Desc: true, Limit: 1000}
		if err := v.readOne(ctx, q, now, seen); err != nil {
			return err
		}
	}
	return nil
}

func (v *evaluation) readOne(ctx context.Context, q reqlog.Query, now time.Time, seen map[sluice.ID]bool) error {
	for {
		page, err := v.Log.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list log entries: %w", err)
		}
		for i := range page.Rows {
			e := &page.Rows[i].Entry
			if seen[e.ID] {
				continue
			}
			if v.total == maxEvaluated {
				v.cut = true
				return nil
			}
			if len(v.over) > 1 {
				seen[e.ID] = true
			}
			v.add(e)
		}
		if page.Next == "" {
			return nil
		}
		if time.Since(now) > maxEvaluatedTime {
			v.cut = true
			return nil
		}
		q.Cursor = page.Next
	}
}

func (v *evaluation) add(e *sluice.LogEntry) {
	v.total++
	for i := range v.sums {
		if n, known := v.sums[i].value(e); known {
			v.sums[i].sum += n / v.sums[i].unit
			v.sums[i].count++
		}
	}
}

// result is what is stored.
func (v *evaluation) result() object.Evaluation {
	e := object.Evaluation{Datasets: v.over, Processed: true, TotalLogs: v.total}
	var ids sluice.IDs
	for _, s := range v.sums {
		r := object.Result{ID: ids.New(time.Now()).String(), Type: s.ID, Status: evaluationDone, Said: "done", TotalLogs: s.count}
		if v.cut {
			r.Status, r.Said = evaluationPart, "done over the newest "+strconv.FormatInt(v.total, 10)+" requests"
		}
		if s.count > 0 {
			mean := (2*s.sum + s.count) / (2 * s.count) // rounded half up; nothing here is below 0
			r.Value = optional(string(appendDecimal(nil, mean, s.places)))
		}
		e.Results = append(e.Results, r)
	}
	return e
}
