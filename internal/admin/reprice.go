package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// KindReprice is the kind of jobs that make the costs of stored entries anew, from today's prices.
const KindReprice = "reprice"

// repriceRoutes are those of re-pricing.
func repriceRoutes() []route {
	return []route{
		change(http.MethodPost, scope+"/gateways/{gateway}/logs/reprice", "reprice-gateway-logs", "Start a job that makes the costs of log entries of a gateway anew, from the prices of now (ours)", handle((*server).repriceGatewayLogs)),
		change(http.MethodPost, scope+"/logs/reprice", "reprice-logs", "Start a job that makes the costs of log entries of an account anew, from the prices of now (ours)", handle((*server).repriceLogs)),
	}
}

// Reprice says which entries' costs to make anew.
type Reprice struct {
	LogSelection
	DryRun bool `json:"dry_run,omitempty" doc:"tell what would change, and change nothing"`
}

// repriceInput is a Reprice as its job keeps it.
type repriceInput struct {
	selection
	DryRun bool `json:"dry_run"`
}

// RepriceResult is what re-pricing has changed, or would change. Amounts are nano-USD, billionths of a dollar.
type RepriceResult struct {
	DryRun   bool           `json:"dry_run"`
	Requests int64          `json:"requests" doc:"that were looked at"`
	Changed  int64          `json:"changed" doc:"whose cost is another one now"`
	Priced   int64          `json:"priced" doc:"of these, that had none before"`
	Same     int64          `json:"same" doc:"whose cost stays"`
	Kept     int64          `json:"kept" doc:"whose cost stays because there is no price for them now"`
	Custom   int64          `json:"custom" doc:"left alone: the request named its price"`
	Reported int64          `json:"reported" doc:"left alone: the provider named the cost"`
	Unknown  int64          `json:"unknown" doc:"left alone: nothing is known to have been used, or there is no price"`
	Before   sluice.NanoUSD `json:"nano_usd_before" doc:"sum of the costs of those that changed"`
	After    sluice.NanoUSD `json:"nano_usd_after"`
	Delta    sluice.NanoUSD `json:"nano_usd_delta"`
}

type repriceGatewayInput struct {
	GatewayPath
	Body Reprice
}

func (s *server) repriceGatewayLogs(ctx context.Context, in *repriceGatewayInput) (*output[Envelope[JobView]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.startReprice(ctx, a.ID, g.ID, &in.Body)
}

type repriceAccountInput struct {
	AccountPath
	Body Reprice
}

func (s *server) repriceLogs(ctx context.Context, in *repriceAccountInput) (*output[Envelope[JobView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.startReprice(ctx, a.ID, "", &in.Body)
}

func (s *server) startReprice(ctx context.Context, account, gateway string, in *Reprice) (*output[Envelope[JobView]], error) {
	sel, err := in.fix(time.Now())
	if err != nil {
		return nil, err
	}
	return s.startJob(ctx, job.Spec{Account: account, Gateway: gateway, Kind: KindReprice, Input: repriceInput{sel, in.DryRun}})
}

// Corrector takes new versions of log entries; *reqlog.Log is one.
type Corrector interface {
	Correct(r *reqlog.Record) reqlog.Ticket
}

// repriceState is where re-pricing goes on.
type repriceState struct {
	Cursor string        `json:"cursor"`
	Result RepriceResult `json:"result"`
}

// repriceKind is the kind of jobs that make costs of entries of log anew. prices returns an account's catalogue.
func repriceKind(log Log, corrector Corrector, prices func(account string) *price.Catalogue) job.Kind {
	return job.Kind{Name: KindReprice, Resumable: true, Run: func(ctx context.Context, r *job.Run) error {
		var in repriceInput
		var state repriceState
		if err := r.Input(&in); err != nil {
			return err
		}
		if _, err := r.State(&state); err != nil {
			return err
		}
		q, err := in.query(time.Now())
		if err != nil {
			return err
		}
		j := r.Job()
		q.Account, q.Gateway, q.Cursor = j.Account, j.Gateway, state.Cursor
		state.Result.DryRun = in.DryRun
		err = eachPage(ctx, log, q, func(rows []reqlog.Row, total int64, next string) error {
			catalogue := prices(j.Account)
			for i := range rows {
				changed := state.Result.count(catalogue, &rows[i].Entry)
				if !changed || in.DryRun {
					continue
				}
				if err := correct(ctx, corrector, &rows[i]); err != nil {
					return err
				}
			}
			state.Cursor = next
			r.Progress(state.Result.Requests, total)
			// What was corrected is found corrected when it is looked at again, so only a page's numbers are at stake.
			return r.Checkpoint(ctx, state)
		})
		if err != nil {
			return err
		}
		r.Progress(state.Result.Requests, state.Result.Requests)
		return r.Result(state.Result)
	}}
}

// count makes e's cost anew and takes it into the result. It reports whether e has changed.
func (n *RepriceResult) count(c *price.Catalogue, e *sluice.LogEntry) bool {
	n.Requests++
	switch {
	case e.CostBasis == sluice.CostCustom:
		n.Custom++
		return false
	case e.CostBasis == sluice.CostReported || e.CostBasis == sluice.CostReserved:
		n.Reported++
		return false
	}
	before, was := e.Cost, e.Priced
	now := *e
	now.Attempts, now.Charges = slices.Clone(e.Attempts), slices.Clone(e.Charges)
	c.Settle(&now, price.Reported{}, nil)
	switch {
	case !now.Priced && was:
		n.Kept++
		return false
	case !now.Priced:
		n.Unknown++
		return false
	case was && now.Cost == before && sameParts(e, &now):
		n.Same++
		return false
	}
	*e = now
	n.Changed++
	if was {
		n.Before += before
	} else {
		n.Priced++
	}
	n.After += now.Cost
	n.Delta = n.After - n.Before
	return true
}

// sameParts reports whether all that an entry's cost is made of is the same in another version of it.
func sameParts(a, b *sluice.LogEntry) bool {
	if a.Saved.Cost != b.Saved.Cost || a.Saved.Priced != b.Saved.Priced {
		return false
	}
	for i := range a.Attempts {
		if x, y := &a.Attempts[i], &b.Attempts[i]; x.Cost != y.Cost || x.Priced != y.Priced {
			return false
		}
	}
	for i := range a.Charges {
		if x, y := &a.Charges[i], &b.Charges[i]; x.Cost != y.Cost || x.Priced != y.Priced {
			return false
		}
	}
	return true
}

// roomAgain is how long a correction waits for the log's queue.
const (
	roomAgain = 50 * time.Millisecond
	roomTries = 600
)

// correct hands a new version of a row to the log, when that has room for it.
func correct(ctx context.Context, log Corrector, row *reqlog.Row) error {
	r := &reqlog.Record{Kind: reqlog.KindEntry, Entry: row.Entry, Parts: row.Parts, Corrects: true}
	for range roomTries {
		if log.Correct(r) != 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(roomAgain):
		}
	}
	return &sluice.Error{
		Kind: sluice.KindUnavailable, Msg: "the log takes no corrections now", Hint: "look at sluice status, then resume the job",
		Err: errors.New(fmt.Sprint("no room in the queue for ", roomTries*roomAgain)),
	}
}
