package app

import "github.com/sluicehq/sluice/internal/reqlog"

// logCaps lists what bounds of their own gateways have on their log entries.
func (a *App) logCaps() (caps []reqlog.Cap) {
	for account := range a.gateways.Snapshot().Accounts() {
		for _, g := range account.Gateways {
			if g.LogManagement != nil {
				caps = append(caps, reqlog.Cap{
					Account: account.ID, Gateway: g.ID, Rows: *g.LogManagement, StopInserting: g.LogManagementStrategy == "STOP_INSERTING",
				})
			}
		}
	}
	return caps
}
