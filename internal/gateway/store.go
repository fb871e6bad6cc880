package gateway

import (
	"context"
	"time"
)

// Record is a gateway as a store keeps it, or the place of one that was deleted.
type Record struct {
	Account, ID string // the account's id, never an alias
	Version     int64  // from 1; never the same twice for one place, deleted or not
	Settings    []byte // JSON of Settings; nil: deleted
	Created     time.Time
	Modified    time.Time // to the microsecond, as Created
}

// Store keeps gateways that are not in a file.
type Store interface {
	// ListGateways returns all records, sorted by account and id.
	ListGateways(ctx context.Context) ([]Record, error)
	// PutGateway stores r where the record of r's account and id has version was; 0: where there is none.
	// Otherwise nothing changes, and the error has sluice.KindConflict. What is stored survives a crash.
	PutGateway(ctx context.Context, r Record, was int64) error
}
