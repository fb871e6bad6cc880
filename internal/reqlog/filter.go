package reqlog

// Filter is a parsed filter expression. The zero Filter takes every row.
type Filter struct{}
