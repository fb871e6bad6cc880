package translate

import (
	"errors"

	sluice "github.com/sluicehq/sluice"
)

// all are the dialects.
func all() []Dialect { return []Dialect{Chat, Messages, Gemini, Converse, Cohere} }

func encoders() []Dialect { return all() }

func decoders() []Dialect { return all() }

// named reports whether an error says which field is wrong.
func named(err error) bool {
	e, ok := errors.AsType[*sluice.Error](err)
	return ok && e.Field != "" && e.Kind == sluice.KindInvalid
}
