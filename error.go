package sluice

import "errors"

// Kind is what kind of failure an Error is; it decides the status and the code that a caller sees.
type Kind uint8

// The kinds. The zero Kind is KindInternal: a fault of ours.
const (
	KindInternal     Kind = iota
	KindInvalid           // the request is wrong: Field and Msg say what and how to fix it
	KindNoGateway         // account or gateway is not configured
	KindNoProvider        // unknown provider segment
	KindUnauthorized      // no token, or one that does not serve
	KindForbidden         // known caller, not allowed
	KindNotFound          //
	KindTooLarge          // larger than a limit that Msg names
	KindUnsupported       // a form of body that cannot be read where it must be
	KindRateLimited       //
	KindUpstream          // no answer from the provider
	KindTimeout           // no answer from the provider in time
	KindUnavailable       // out of a resource that comes back: try again later
	KindClientGone        // the caller left; nobody reads the answer
	KindConflict          // it is managed elsewhere, exists already, or was changed at the same time
	KindNoCredential      // a call needs a provider key, and there is none
	KindSpendLimit        // a budget has no room for the call
)

// Error is a failure that the gateway itself reports. A provider's error answer is not an Error: it
// passes through as it is.
type Error struct {
	Kind  Kind
	Msg   string // shown to the caller: no secrets, no internal addresses, no upstream text
	Field string // what in the request is wrong, where that can be said: "cf-aig-metadata", "q"
	Hint  string // how to put it right, where that can be said
	Err   error  // cause: for the log, never for the caller
}

// Error returns the message and the cause: it is for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, and KindInternal for any other error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}
