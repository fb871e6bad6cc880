package admin

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// item is what a list shows as one: a request, or one of its attempts made to look like an entry.
type item struct {
	entry sluice.LogEntry
}

// itemsOf gives what e counts for in a list of basis b, in order of time.
func itemsOf(e *sluice.LogEntry, b basis) []item {
	if b == basisRequests {
		return []item{{entry: *e}}
	}
	var items []item
	for _, one := range reqlog.PerAttempt(e) {
		items = append(items, item{entry: one})
	}
	return items
}
