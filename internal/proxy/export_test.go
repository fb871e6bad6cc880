package proxy

import "github.com/sluicehq/sluice/internal/route"

// ResetRetries forgets what was counted against the budget of retries.
func (p *Proxy) ResetRetries() { p.retries = route.NewBudget() }
