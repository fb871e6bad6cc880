package admin

import (
	"context"
	"net/http"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// priceRoutes are those of prices.
func priceRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/prices", "get-prices", "Which price catalogue is in use", handle((*server).getPrices)),
		process(change(http.MethodPost, scope+"/prices/refresh", "refresh-prices", "Read the price catalogue anew from its source", handle((*server).refreshPrices))),
		get(RoleViewer, scope+"/prices/models", "list-model-prices", "List what models cost in this account", handle((*server).listModelPrices)),
		get(RoleViewer, scope+"/prices/{provider}/{model}", "get-model-price", "Get what a model costs in this account", handle((*server).getModelPrice)),
		change(http.MethodPut, scope+"/prices/{provider}/{model}", "set-model-price", "Set what a model costs in this account", handle((*server).setModelPrice)),
		change(http.MethodDelete, scope+"/prices/{provider}/{model}", "delete-model-price", "Delete the account's own price of a model", handle((*server).deleteModelPrice)),
	}
}

// Prices tells which price catalogue costs are made with, and how its last refresh went.
type Prices struct {
	Version string    `json:"version"`
	Date    string    `json:"date" doc:"day that the catalogue was made"`
	Models  int       `json:"models" doc:"rows of the catalogue, the operator's own left out"`
	Source  string    `json:"source" doc:"where it is refreshed from; empty: it is the built-in one"`
	Tried   time.Time `json:"tried,omitzero" doc:"time of the last refresh"`
	Changed time.Time `json:"changed,omitzero" doc:"when the catalogue was last replaced"`
	Error   string    `json:"error" doc:"why the last refresh was refused; the catalogue before it is in use"`
}

func (s *server) getPrices(_ context.Context, in *AccountPath) (*output[Envelope[Prices]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	return answer(s.Prices()), nil
}

// refreshPrices reads the catalogue anew. A refusal is an answer, not a failure: it says why, and that
// the old catalogue holds.
func (s *server) refreshPrices(ctx context.Context, in *AccountPath) (*output[Envelope[Prices]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	if s.Prices().Source == "" {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: "there is nowhere to refresh prices from", Hint: "set prices.source to a file or an https address"}
	}
	return answer(s.RefreshPrices(ctx)), nil
}
