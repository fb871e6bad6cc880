package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/price"
)

// PriceOverrides reads the operator's own prices. The error holds all that is wrong, each with its key.
func PriceOverrides(models map[string]config.ModelPrice) ([]price.Override, error) {
	var list []price.Override
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(models)) {
		p := models[name]
		provider, model, _ := strings.Cut(name, "/")
		o, err := price.NewOverride(provider, model, p.As, p.Times, p.USD())
		if err != nil {
			errs = append(errs, fmt.Errorf("prices.models.%s: %w", name, err))
			continue
		}
		list = append(list, o)
	}
	return list, errors.Join(errs...)
}

// fetchPatience bounds one fetch of a price catalogue.
const fetchPatience = time.Minute

// fetchPrices gets a price catalogue by HTTP.
func fetchPrices(ctx context.Context, url, etag string) (price.Fetched, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return price.Fetched{}, err
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return price.Fetched{}, err
	}
	switch {
	case resp.StatusCode == http.StatusNotModified:
		_ = resp.Body.Close() // there is none
		return price.Fetched{Unchanged: true}, nil
	case resp.StatusCode != http.StatusOK:
		_ = resp.Body.Close() // of no use
		return price.Fetched{}, fmt.Errorf("status %d", resp.StatusCode)
	}
	return price.Fetched{Body: resp.Body, ETag: resp.Header.Get("ETag")}, nil
}

// refreshPrices reads the catalogue again, now and then, until ctx ends. One that is refused leaves
// the one in use, and says so.
func (a *App) refreshPrices(ctx context.Context) {
	for {
		c := &a.loaded.Load().Config.Prices
		if c.Source != "" {
			a.refreshOnce(ctx, c.Source)
		}
		timer := time.NewTimer(c.Refresh)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.priceNow:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// priceState is what the management API shows of the catalogue.
func (a *App) priceState() admin.Prices {
	state, c := a.prices.State(), a.prices.Load()
	v := admin.Prices{
		Version: state.Version, Date: state.Date.Format(time.DateOnly), Models: c.Len(), Source: a.loaded.Load().Config.Prices.Source,
		Tried: state.Tried, Changed: state.Changed,
	}
	if state.Err != nil {
		v.Error = state.Err.Error()
	}
	return v
}

// refreshNow reads the catalogue at a caller's wish.
func (a *App) refreshNow(ctx context.Context) admin.Prices {
	a.refreshOnce(ctx, a.loaded.Load().Config.Prices.Source)
	return a.priceState()
}

func (a *App) refreshOnce(ctx context.Context, source string) {
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	before := a.prices.State().Version
	state, err := a.prices.Refresh(ctx, source, time.Now())
	switch {
	case ctx.Err() != nil && err != nil:
	case err != nil:
		a.logger.ErrorContext(ctx, "the price catalogue was not taken: the one before stays in use", "version", state.Version, "error", err)
	case state.Version != before:
		a.logger.InfoContext(ctx, "price catalogue taken", "version", state.Version)
		a.apply()
	}
}
