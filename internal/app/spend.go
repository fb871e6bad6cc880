package app

import (
	"context"
	"path/filepath"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/store/slots"
)

// openSpend opens what was spent of budgets, and books what a dead process had reserved.
func (a *App) openSpend(c *config.Config) {
	a.spend = slots.OpenLedger(slots.LedgerOptions{
		Budgets: filepath.Join(c.DataDir, "budgets"), Holds: filepath.Join(c.DataDir, "reservations"), Logger: a.logger,
	}, time.Now())
}

// crashed completes the entry of an exchange that ended with its process: it has cost what was reserved, as far as
// anybody knows.
func (a *App) crashed(e *sluice.LogEntry) {
	if amount, ok := a.spend.Dead(e.ID); ok {
		e.Cost, e.Priced, e.CostBasis = amount, true, sluice.CostReserved
	}
}

// corrected takes an estimate into the budgets.
func (a *App) corrected(e *sluice.LogEntry) {
	if err := spend.CorrectEntry(context.Background(), a.spend, e, time.Now()); err != nil {
		a.logger.Warn("a budget was not corrected by an estimate", "id", e.ID.String(), "error", err)
	}
}
