package admin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/price"
)

// USD are prices in US dollars by class, as exact decimals.
type USD map[string]string

// UnmarshalJSON takes numbers beside texts, as they are written.
func (u *USD) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*u = make(USD, len(raw))
	for name, v := range raw {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		(*u)[name] = text
	}
	return nil
}

// Schema describes USD for the OpenAPI document.
func (USD) Schema(huma.Registry) *huma.Schema {
	price := &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}}
	price.PrecomputeMessages()
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: price,
		Description: "US dollars as exact decimals, by class: for a million tokens (input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, audio_input, " +
			"image_output, …) or characters; a thousand requests, web_searches, search_units, images or pages; one of hours, minutes or seconds",
	}
}

// ModelPriceView is what a model costs.
type ModelPriceView struct {
	Provider   string           `json:"provider" doc:"slug"`
	Model      string           `json:"model" doc:"name, or pattern: * is any text, # one digit"`
	Aliases    []string         `json:"aliases" doc:"other names with the same price"`
	Origin     string           `json:"origin" enum:"catalogue,file,stored" doc:"who says so. catalogue: the price list; file: the configuration, and it is read-only here; stored: this API"`
	USD        USD              `json:"usd"`
	Tiers      []ModelPriceTier `json:"tiers" doc:"what holds for prompts above a threshold"`
	As         *string          `json:"as" doc:"provider/model whose prices hold; null: usd says"`
	Times      string           `json:"times" doc:"what everything is multiplied by"`
	Source     string           `json:"source" doc:"where the price was read"`
	AsOf       string           `json:"as_of" doc:"the day it was read or set"`
	Note       string           `json:"note"`
	ModifiedAt *string          `json:"modified_at" format:"date-time" doc:"of a stored one; null for others"`
	FoundBy    string           `json:"found_by,omitempty" doc:"by which rule the name that was asked for has this price: override, name, alias, dated name, prefix or pattern"`
	Version    string           `json:"version,omitempty" doc:"of the price list"`
}

// ModelPriceTier is what holds for prompts above a threshold.
type ModelPriceTier struct {
	Above int64 `json:"above_input_tokens"`
	USD   USD   `json:"usd"`
}

// viewModelPrice shows a row of a catalogue at a time. own is the account's price that it came from; nil: it is none.
func viewModelPrice(m *price.Model, own *price.Own, at time.Time) ModelPriceView {
	v := ModelPriceView{
		Provider: m.Provider, Model: m.Name, Aliases: append([]string{}, m.Aliases...), Origin: "catalogue", USD: USD{}, Tiers: []ModelPriceTier{},
		Times: "1", Source: m.Source, AsOf: m.AsOf, Note: m.Note,
	}
	if p := m.At(at); p != nil {
		v.USD, v.Times = p.USD(), p.Times().String()
		for _, above := range p.Thresholds() {
			v.Tiers = append(v.Tiers, ModelPriceTier{above, p.USDAbove(above)})
		}
	}
	switch {
	case m.Configured():
		v.Origin = "file"
	case m.Stored():
		v.Origin = "stored"
	}
	if as, found := strings.CutPrefix(m.Note, "as "); found && v.Origin != "catalogue" {
		v.As = &as
	}
	if own != nil {
		v.ModifiedAt = knownStamp(own.Modified)
	}
	return v
}

type listModelPricesInput struct {
	AccountPath
	Page     int    `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage  int    `query:"per_page" default:"50" minimum:"1" maximum:"1000" doc:"items per page"`
	Provider string `query:"provider" doc:"slug"`
	Search   string `query:"search" doc:"part of the model's name"`
	Origin   string `query:"origin" enum:"catalogue,file,stored" doc:"only prices of this origin"`
}

func (s *server) listModelPrices(_ context.Context, in *listModelPricesInput) (*output[ListEnvelope[ModelPriceView, PageInfo]], error) {
	settings := s.Settings()
	a, err := in.account(settings)
	if err != nil {
		return nil, err
	}
	slug := in.Provider
	if known, ok := settings.Provider(a.ID, slug); ok {
		slug = known
	}
	now, search := time.Now(), strings.ToLower(in.Search)
	var found []ModelPriceView
	for m := range s.Book.Load().Of(a.ID).Models() {
		if slug != "" && m.Provider != slug || !strings.Contains(strings.ToLower(m.Name), search) {
			continue
		}
		var own *price.Own
		if m.Stored() {
			own = s.Book.Get(a.ID, m.Provider, m.Name)
		}
		if v := viewModelPrice(m, own, now); in.Origin == "" || v.Origin == in.Origin {
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b ModelPriceView) int { return strings.Compare(a.Provider, b.Provider) })
	total := int64(len(found))
	first := min((in.Page-1)*in.PerPage, len(found))
	page := found[first:min(first+in.PerPage, len(found))]
	return listAnswer(page, PageInfo{Page: in.Page, PerPage: in.PerPage, Count: len(page), TotalCount: total, TotalPages: pages(total, in.PerPage)}), nil
}

// ModelPath is the part of a path that names a provider's model.
type ModelPath struct {
	AccountPath
	Provider string `path:"provider" doc:"slug"`
	Model    string `path:"model" doc:"model; a slash in it is written %2F"`
}

// names finds account and provider; the provider's slug may be one that has gone, or has prices only.
func (in *ModelPath) names(settings *Settings) (account, slug string, known bool, err error) {
	a, err := in.account(settings)
	if err != nil {
		return "", "", false, err
	}
	if slug, known = settings.Provider(a.ID, in.Provider); !known {
		slug = in.Provider
	}
	return a.ID, slug, known, nil
}

func (s *server) getModelPrice(_ context.Context, in *ModelPath) (*output[Envelope[ModelPriceView]], error) {
	account, slug, _, err := in.names(s.Settings())
	if err != nil {
		return nil, err
	}
	now, catalogue := time.Now(), s.Book.Load().Of(account)
	_, match, found := catalogue.Find(slug, in.Model, now)
	own := s.Book.Get(account, slug, in.Model) // a pattern is no name, but it has a price of its own
	if own != nil {
		for m := range catalogue.Models() {
			if m.Stored() && m.Provider == slug && m.Name == in.Model {
				match, found = price.Match{Model: m, How: price.HowOverride}, true
			}
		}
	}
	if !found {
		return nil, &sluice.Error{
			Kind: sluice.KindNotFound, Msg: clip(slug+"/"+in.Model, 200) + " has no price: the cost of its calls is not known", Hint: "PUT sets one",
		}
	}
	v := viewModelPrice(match.Model, own, now)
	v.FoundBy, v.Version = match.How.String(), catalogue.Version()
	return answer(v), nil
}

type setModelPriceInput struct {
	ModelPath
	Body struct {
		_     struct{} `json:"-" additionalProperties:"true"`
		USD   USD      `json:"usd,omitempty" doc:"all prices that there are: a class that is left out has none"`
		As    *string  `json:"as,omitempty" doc:"take the prices of another model: provider/model"`
		Times string   `json:"times,omitempty" doc:"multiply the prices, for example 1.1 or 1/2"`
	}
}

func (s *server) setModelPrice(ctx context.Context, in *setModelPriceInput) (*output[Envelope[ModelPriceView]], error) {
	account, slug, known, err := in.names(s.Settings())
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, &sluice.Error{Kind: sluice.KindNotFound, Msg: "there is no provider " + clip(in.Provider, 64), Hint: "docs/providers.md lists the slugs"}
	}
	now := time.Now()
	p := price.Own{Account: account, Provider: slug, Model: in.Model, As: valueOf(in.Body.As), Times: in.Body.Times, USD: in.Body.USD}
	if p.As != "" {
		p.USD = nil // an answer that is sent back has both
	}
	before := s.ownPrice(account, slug, in.Model, now)
	if p, err = s.Book.Put(ctx, p, now); err != nil {
		return nil, inPrices(err)
	}
	after := s.ownPrice(account, slug, p.Model, now)
	s.audit(ctx, "", priceObject(slug, p.Model), before, after)
	s.Logger.InfoContext(ctx, "price set", "account", account, "provider", slug, "model", p.Model)
	return answer(*after), nil
}

// ownPrice shows an account's own price; nil: there is none.
func (s *server) ownPrice(account, slug, model string, at time.Time) *ModelPriceView {
	own := s.Book.Get(account, slug, model)
	if own == nil {
		return nil
	}
	for m := range s.Book.Load().Of(account).Models() {
		if m.Stored() && m.Provider == slug && m.Name == model {
			v := viewModelPrice(m, own, at)
			return &v
		}
	}
	return nil
}

// inPrices says which field of usd is wrong.
func inPrices(err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Kind == sluice.KindInvalid && e.Hint == "" {
		c := *e
		c.Hint = `usd: {"input": "2.5", "output": "10"} is for a million tokens; docs/prices.md lists the classes`
		err = &c
	}
	return inBody(err)
}

func priceObject(slug, model string) audit.Object {
	return audit.Object{Kind: "model_price", ID: slug + "/" + model}
}

func (s *server) deleteModelPrice(ctx context.Context, in *ModelPath) (*output[Envelope[ModelPriceView]], error) {
	account, slug, _, err := in.names(s.Settings())
	if err != nil {
		return nil, err
	}
	before := s.ownPrice(account, slug, in.Model, time.Now())
	if _, err := s.Book.Delete(ctx, account, slug, in.Model); err != nil {
		return nil, err
	}
	s.audit(ctx, "", priceObject(slug, in.Model), before, nil)
	s.Logger.InfoContext(ctx, "price deleted", "account", account, "provider", slug, "model", in.Model)
	if before == nil {
		before = &ModelPriceView{Provider: slug, Model: in.Model, Aliases: []string{}, Origin: "stored", USD: USD{}, Tiers: []ModelPriceTier{}, Times: "1"}
	}
	return answer(*before), nil
}
