package wire

// Session reads the text messages that a provider sends over a connection of messages (a WebSocket), and
// tells after each what it used. Its memory is bounded whatever the messages are. It never fails: what it
// cannot read counts as nothing. A Session is used by one goroutine at a time.
type Session interface {
	// Write takes the next bytes of the current message. p is not kept.
	Write(p []byte)
	// End ends the message. kind says what was counted ("response", "transcription"), and is "" when the
	// message reports no usage; r then holds an error at most. The names in r hold for that count: a
	// session may use more than one model.
	End() (kind string, r Reading)
}

// Asking is what a Session also is when some of what it must know stands in the client's messages only,
// the model above all.
type Asking interface {
	// Ask takes the next bytes of the client's current text message. p is not kept.
	Ask(p []byte)
	// EndAsk ends it.
	EndAsk()
}
