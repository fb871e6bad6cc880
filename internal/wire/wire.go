// Package wire holds what all dialects share: the Meter, which reads a copy of an answer as it is
// relayed and says what it used. Its sub-packages turn bytes into structs and back. They know no
// network, clock or logger.
package wire

import (
	"slices"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Meter watches the bytes of one answer's body, decoded (no content encoding), in any cuts. Its
// memory is bounded whatever the bytes are. It never fails: bytes that it cannot read leave counts
// unknown. A Meter is used by one goroutine and not after Close.
type Meter interface {
	// Write takes the next bytes. p is not kept.
	Write(p []byte)
	// Close ends the answer and returns what was read. It may be called once.
	Close() Reading
	// Seen returns what the bytes so far have shown; it is cheap enough to ask after each Write.
	Seen() Sighting
}

// HeadReader is what a Meter also is when some of what it reads stands in the head of an answer, where a
// few providers count what their bodies do not.
type HeadReader interface {
	// Head takes the head of the answer, before the first Write. h is not kept.
	Head(h sluice.Header)
}

// Progress is what a Meter also is when it can tell before the end what was used.
type Progress interface {
	// SoFar returns the usage that the bytes so far have reported; what follows may correct it.
	SoFar() sluice.Usage
}

// Sighting is a set of things that a Meter has come across.
type Sighting uint8

// What a Meter may have come across.
const (
	SeenEvent   Sighting = 1 << iota // an event of any kind; comments and blank lines are none
	SeenContent                      // text, reasoning, a tool call, audio, …: the first token is here
	SeenUsage                        // usage that will not be corrected by what follows, as far as the dialect says
	SeenError                        // an error in place of, or in the middle of, an answer
	SeenEnd                          // the dialect's own end: [DONE], message_stop, a closed JSON value
)

// Reading is what a Meter read of one answer.
type Reading struct {
	Usage sluice.Usage // of the model that answered
	// Charges are of other models that took part, beside Usage: sluice.MaxCharges at most, mostly none.
	Charges []sluice.Charge
	Model   string // the model that the answer names
	Finish  string // the last finish reason, as the provider words it
	Error   string // message of an error body or error event, at most 1 KB
	// Tier is the service tier that the answer names, as Tier returns it: "batch", "flex", "priority",
	// "fast", …; "" when it names none, or the ordinary one.
	Tier string
	// Geo is where the answer says that it was computed, where that has a price: Anthropic's
	// usage.inference_geo ("us", "global"). "" when it does not say.
	Geo string
	// Cost is what the answer says that it was charged for, in US dollars: digits with at most one point
	// among them, exact. "" when it does not say.
	Cost string
	Seen Sighting
}

// Equal reports whether both say the same.
func (r *Reading) Equal(o *Reading) bool {
	return slices.Equal(r.Charges, o.Charges) && r.Usage == o.Usage && r.Model == o.Model && r.Finish == o.Finish &&
		r.Error == o.Error && r.Tier == o.Tier && r.Geo == o.Geo && r.Cost == o.Cost && r.Seen == o.Seen
}

// Tier returns the service tier that a provider calls name: in lower case, and "" for the ordinary one,
// which has many names.
func Tier(name string) string {
	name = strings.ToLower(name)
	switch name {
	case "default", "standard", "auto", "on_demand", "unspecified":
		return ""
	}
	return name
}
