package admin

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/internal/object"
)

// viewRoutes are those of saved views. Whoever sees a page may save how it looks; what is shared, and what
// others made, is for editors.
func viewRoutes() []route {
	own := func(method, pattern, id, summary string, rt route) route {
		rt.Method, rt.Pattern, rt.Role, rt.ID, rt.Summary, rt.Audited = method, pattern, RoleViewer, id, summary, true
		return rt
	}
	const list, one = scope + "/views", scope + "/views/{id}"
	return []route{
		get(RoleViewer, list, "list-views", "List saved views: your own and the shared ones (ours)", handle((*server).listViews)),
		own(http.MethodPost, list, "create-view", "Save a view (ours)", route{register: handle((*server).createView)}),
		get(RoleViewer, one, "get-view", "Get a saved view (ours)", handle((*server).getView)),
		own(http.MethodPut, one, "update-view", "Change a saved view (ours)", route{register: handle((*server).updateView)}),
		own(http.MethodDelete, one, "delete-view", "Delete a saved view (ours)", route{register: handle((*server).deleteView)}),
	}
}

// SavedView is a page of the dashboard under a name.
type SavedView struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	GatewayID  string `json:"gateway_id" doc:"empty: of no one gateway"`
	Page       string `json:"page" doc:"for example logs"`
	Query      string `json:"query" doc:"of the page's address"`
	Shared     bool   `json:"shared" doc:"false: only who made it sees it"`
	Owner      string `json:"owner" doc:"who made it"`
	Mine       bool   `json:"mine" doc:"whether that is you"`
	CreatedAt  string `json:"created_at" format:"date-time"`
	ModifiedAt string `json:"modified_at" format:"date-time"`
	Version    int64  `json:"version" doc:"another one after every change"`
}

func viewSaved(ctx context.Context, r *object.Record) (SavedView, error) {
	v, err := decoded[object.View](r)
	return SavedView{
		ID: r.ID, Name: r.Name, GatewayID: v.Gateway, Page: v.Page, Query: v.Query, Shared: v.Shared, Owner: v.Owner, Mine: v.Owner == callerID(ctx),
		CreatedAt: stamp(r.Created), ModifiedAt: stamp(r.Modified), Version: r.Version,
	}, err
}

type savedViewBody struct {
	_         struct{} `json:"-" additionalProperties:"true"`
	Name      string   `json:"name"`
	GatewayID string   `json:"gateway_id,omitempty" maxLength:"64"`
	Page      string   `json:"page" minLength:"1" maxLength:"64" pattern:"^[a-z][a-z0-9/-]*$" patternDescription:"a page of the dashboard, such as logs"`
	Query     string   `json:"query,omitempty" maxLength:"8192"`
	Shared    bool     `json:"shared,omitempty"`
}

func (b *savedViewBody) read(ctx context.Context, owner string) (object.View, error) {
	if err := objectName(b.Name); err != nil {
		return object.View{}, err
	}
	if b.Shared && !mayEdit(ctx) {
		return object.View{}, forbidden("only editors share views", "save it without shared")
	}
	return object.View{Gateway: b.GatewayID, Page: b.Page, Query: b.Query, Shared: b.Shared, Owner: owner}, nil
}

type listViewsInput struct {
	AccountPath
	Paging
	Gateway string `query:"gateway_id" doc:"only those of this gateway"`
	Of      string `query:"of" doc:"only those of this page"`
}

func (s *server) listViews(ctx context.Context, in *listViewsInput) (*output[ListEnvelope[SavedView, PageInfo]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	list, _, err := s.Objects.List(ctx, object.Query{Kind: object.KindView, Place: object.Place{Account: a.ID}})
	if err != nil {
		return nil, err
	}
	all, err := views(list, func(r *object.Record) (SavedView, error) { return viewSaved(ctx, r) })
	if err != nil {
		return nil, err
	}
	var found []SavedView
	for i := range all {
		v := &all[i]
		if (v.Shared || v.Mine) && (in.Gateway == "" || v.GatewayID == in.Gateway) && (in.Of == "" || v.Page == in.Of) {
			found = append(found, *v)
		}
	}
	page, info := cut(in.Paging, found)
	return listAnswer(page, info), nil
}

type createViewInput struct {
	AccountPath
	Body savedViewBody
}

func (s *server) createView(ctx context.Context, in *createViewInput) (*tagged[Envelope[SavedView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	v, err := in.Body.read(ctx, callerID(ctx))
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Create(ctx, object.New{Kind: object.KindView, Place: object.Place{Account: a.ID}, Name: in.Body.Name, Data: v})
	return s.changedView(ctx, r, err)
}

func answerView(ctx context.Context, r object.Record, err error) (*tagged[Envelope[SavedView]], error) {
	if err != nil {
		return nil, err
	}
	v, err := viewSaved(ctx, &r)
	if err != nil {
		return nil, err
	}
	return tag(r.Version, answer(v)), nil
}

// ViewPath is the part of a path that names a saved view.
type ViewPath struct {
	AccountPath
	ID string `path:"id" doc:"id of the view"`
}

// visible finds a view that the caller sees. Another's looks as one that is not there.
func (s *server) visible(ctx context.Context, in ViewPath) (object.Record, object.View, error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return object.Record{}, object.View{}, err
	}
	r, err := s.Objects.Get(ctx, object.Place{Account: a.ID}, object.KindView, in.ID)
	if err != nil {
		return r, object.View{}, err
	}
	v, err := decoded[object.View](&r)
	if err == nil && !v.Shared && v.Owner != callerID(ctx) {
		err = notFound("view not found")
	}
	return r, v, err
}

// changeableView finds a view that the caller may change.
func (s *server) changeableView(ctx context.Context, in ViewPath) (object.Record, object.View, error) {
	r, v, err := s.visible(ctx, in)
	if err == nil && v.Owner != callerID(ctx) && !mayEdit(ctx) {
		err = forbidden("the view is another's", "save one of your own")
	}
	return r, v, err
}

func (s *server) getView(ctx context.Context, in *ViewPath) (*tagged[Envelope[SavedView]], error) {
	r, _, err := s.visible(ctx, *in)
	return answerView(ctx, r, err)
}

type updateViewInput struct {
	ViewPath
	IfMatch
	Body savedViewBody
}

func (s *server) updateView(ctx context.Context, in *updateViewInput) (*tagged[Envelope[SavedView]], error) {
	r, old, err := s.changeableView(ctx, in.ViewPath)
	if err != nil {
		return nil, err
	}
	was, err := in.was()
	if err != nil {
		return nil, err
	}
	v, err := in.Body.read(ctx, old.Owner)
	if err != nil {
		return nil, err
	}
	_, r, err = s.Objects.Update(ctx, r.Place, object.KindView, r.ID, was, in.Body.Name, v)
	if err != nil {
		return nil, conflicting(err, in.Body, func(r *object.Record) (any, error) { return viewSaved(ctx, r) })
	}
	return s.changedView(ctx, r, nil)
}

// changedView answers with what a change made, and tells the audit log by its name.
func (s *server) changedView(ctx context.Context, r object.Record, err error) (*tagged[Envelope[SavedView]], error) {
	if err == nil {
		s.audit(ctx, "", auditObject(&r), nil, nil)
	}
	return answerView(ctx, r, err)
}

type deleteViewInput struct {
	ViewPath
	IfMatch
}

func (s *server) deleteView(ctx context.Context, in *deleteViewInput) (*tagged[Envelope[SavedView]], error) {
	r, _, err := s.changeableView(ctx, in.ViewPath)
	if err != nil {
		return nil, err
	}
	was, err := in.was()
	if err != nil {
		return nil, err
	}
	r, err = s.Objects.Delete(ctx, r.Place, object.KindView, r.ID, was)
	return s.changedView(ctx, r, err)
}
