package answer

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Meter is what meters that read by a Reader have in common. They embed it, reset the Reader, and are its
// Handler under another name: Pick, End and Close are theirs.
type Meter struct {
	In Reader       // of the answer
	R  wire.Reading // what was read so far
}

// Write takes the next bytes. p is not kept.
func (m *Meter) Write(p []byte) { m.In.Write(p) }

// Seen returns what the bytes so far have shown.
func (m *Meter) Seen() wire.Sighting { return m.R.Seen }

// SoFar returns the usage that the bytes so far have reported.
func (m *Meter) SoFar() sluice.Usage { return m.R.Usage }

// Begin takes the beginning of a whole answer: the one event of a stream of one.
func (m *Meter) Begin() { m.R.Seen |= wire.SeenEvent }

// Content notes that a part of the answer itself has come.
func (m *Meter) Content() { m.R.Seen |= wire.SeenEvent | wire.SeenContent }

// Ended notes the end of a text, and the error that it holds, if it holds one.
func (m *Meter) Ended(f *Fault) {
	m.R.Seen |= wire.SeenEvent
	if text, failed := f.Text(); failed {
		m.R.Seen |= wire.SeenError
		m.R.Error = text
	}
}
