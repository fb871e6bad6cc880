package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// serverEvent is one server-sent event.
type serverEvent struct {
	id, name string
	data     []byte
}

// maxEvent bounds one event.
const maxEvent = 16 << 20

var errEventTooLarge = errors.New("an event of the stream is larger than 16 MB")

// eventReader reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
// whose lines end in LF or CRLF.
type eventReader struct {
	r      *bufio.Reader
	lastID string
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next event that has data. At the end its error is io.EOF; an event that the end cut
// is dropped, unless final says that the last event may lack its blank line.
func (r *eventReader) next(final bool) (serverEvent, error) {
	var e serverEvent
	has := false
	for {
		line, err := r.line()
		if err != nil {
			if has && final && errors.Is(err, io.EOF) {
				e.id = r.lastID
				return e, nil
			}
			return serverEvent{}, err
		}
		if len(line) == 0 {
			if has {
				e.id = r.lastID
				return e, nil
			}
			e.name = ""
			continue
		}
		field, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			if has {
				e.data = append(e.data, '\n')
			}
			has = true
			e.data = append(e.data, value...)
			if len(e.data) > maxEvent {
				return serverEvent{}, errEventTooLarge
			}
		case "event":
			e.name = value
		case "id":
			if !strings.ContainsRune(value, 0) {
				r.lastID = value
			}
		}
	}
}

// line returns the next line without its end.
func (r *eventReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil || errors.Is(err, io.EOF) && len(line) > 0 {
			return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(line) > maxEvent {
			return nil, errEventTooLarge
		}
	}
}
