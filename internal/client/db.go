package client

import (
	"context"
	"net/http"
)

// DatabaseCheck is what a check of the data directory has found.
type DatabaseCheck struct {
	Databases int   `json:"databases"`
	Segments  int   `json:"segments"`
	Rows      int64 `json:"rows"`
	Bytes     int64 `json:"bytes"`
	Problems  []struct {
		File string `json:"file"` // below the data directory
		What string `json:"what"`
	} `json:"problems"`
	More int `json:"more"` // problems beyond those
}

// DatabaseCompaction is what a compaction of the data directory has done.
type DatabaseCompaction struct {
	Files int   `json:"files"` // that were written anew
	Freed int64 `json:"freed"` // bytes
}

// CheckDatabases starts a job that looks whether the data directory is sound. Its result is a DatabaseCheck.
func (c *Client) CheckDatabases(ctx context.Context) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "db", "check"), map[string]any{})
}

// CompactDatabases starts a job that gives back the room that lies unused in databases. Its result is a
// DatabaseCompaction.
func (c *Client) CompactDatabases(ctx context.Context) (*Job, error) {
	return c.jobCall(ctx, http.MethodPost, c.api(nil, "db", "compact"), map[string]any{})
}
