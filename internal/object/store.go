package object

import "context"

// Store keeps objects.
type Store interface {
	// GetObject returns an object. Its error has sluice.KindNotFound where there is none.
	GetObject(ctx context.Context, kind Kind, id string) (Record, error)
	// ListObjects returns the objects that q asks for, oldest first, and how many there are with those that its
	// bounds leave out.
	ListObjects(ctx context.Context, q Query) (list []Record, total int64, err error)
	// ChangeObjects makes all of the changes or none. It is none where one of them meets another version than
	// it was made from, or where an id or a Unique is taken: the error has sluice.KindConflict then. What is
	// stored survives a crash.
	ChangeObjects(ctx context.Context, changes ...Change) error
	// DeleteObjects deletes all objects of a gateway.
	DeleteObjects(ctx context.Context, of Place) error
}

// Change is one change of one object.
type Change struct {
	Record
	Was    int64 // version that the change is made from; 0: there is no such object yet
	Delete bool  // the object, and all whose parent it is; of Record only Kind and ID are looked at
}

// Query says which objects to list.
type Query struct {
	Kind   Kind
	Place         // Account "": of all accounts and their gateways
	Parent string // "": of any, and of none
	Name   string // "": any
	Search string // part of the name, in any case; "": any
	Newest bool   // first
	Limit  int    // 0: all
	Offset int
}
