package answer

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// MaxMessage is how many bytes of an error's message are kept.
const MaxMessage = 1024

// Fault gathers what one text says of an error. The zero Fault says that there was none.
type Fault struct {
	failed   bool
	message  string
	code     string
	fallback string
}

// Set notes that there was an error.
func (f *Fault) Set() { f.failed = true }

// Error takes the value of an "error" member. Null, "", false and numbers are none, and neither are an
// empty object and an empty array, which are not picked at all.
func (f *Fault) Error(v jsonscan.Value) {
	switch v.Kind {
	case jsonscan.Object, jsonscan.Array:
		f.failed = true
	case jsonscan.String:
		if s := Message(v); s != "" {
			f.failed = true
			f.Message(v)
		}
	case jsonscan.Bool:
		yes, _ := v.Bool()
		f.failed = f.failed || yes
	}
}

// Message takes what the error says; the first one that says something holds.
func (f *Fault) Message(v jsonscan.Value) {
	if f.message == "" {
		f.message = Message(v)
	}
}

// Code takes the error's code or type, for want of a message.
func (f *Fault) Code(v jsonscan.Value) {
	if f.code == "" {
		f.code = Message(v)
	}
}

// Fallback takes a text that goes before the code, but behind the message.
func (f *Fault) Fallback(s string) { f.fallback = s }

// Text returns what the error says, at most MaxMessage bytes, and whether there was one.
func (f *Fault) Text() (text string, failed bool) {
	if !f.failed {
		return "", false
	}
	for _, s := range []string{f.message, f.fallback, f.code} {
		if s != "" {
			return s, true
		}
	}
	return "", true
}

// Message returns what a value says to people: a string's text, nothing for null, anything else as JSON. It is cut to MaxMessage bytes at a character's end.
func Message(v jsonscan.Value) string {
	s := v.String()
	if v.Kind != jsonscan.String && v.Kind != jsonscan.Null {
		var b bytes.Buffer
		if json.Compact(&b, v.Raw) != nil {
			return ""
		}
		s = strings.ToValidUTF8(b.String(), "\ufffd")
	}
	if len(s) <= MaxMessage {
		return s
	}
	end := MaxMessage
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.Clone(s[:end])
}
