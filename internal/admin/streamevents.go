package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire/eventstream"
	"github.com/sluicehq/sluice/internal/wire/sse"
)

// StreamEventsInput are the parameters of the events of a stored answer.
type StreamEventsInput struct {
	LogPath
	From  int `query:"from" default:"0" minimum:"0" maximum:"100000000" doc:"number of the first event, from 0"`
	Limit int `query:"limit" default:"500" minimum:"1" maximum:"5000" doc:"most events"`
}

// StreamEvents are the events of a streamed answer, as they are stored.
type StreamEvents struct {
	ID      string        `json:"id"`
	Framing string        `json:"framing" enum:"sse,eventstream,lines" doc:"server-sent events, Amazon's binary frames, or a JSON text per line"`
	Total   int           `json:"total" doc:"events in what is stored"`
	Events  []StreamEvent `json:"events"`
	Next    *int          `json:"next" doc:"from of the next page; null: this is the last"`
	Whole   bool          `json:"whole" doc:"the answer is stored to its end; else the last event may be part of one"`
}

// StreamEvent is one event.
type StreamEvent struct {
	Number int     `json:"number" doc:"from 0"`
	Offset int64   `json:"offset" doc:"bytes of the decoded body before it"`
	Length int64   `json:"length" doc:"bytes, with what ends it"`
	AtMS   Millis  `json:"at_ms" doc:"since the request's start; null: the log keeps no times of single events"`
	Name   *string `json:"name" doc:"event field, or :event-type; null: none"`
	Data   string  `json:"data" doc:"16 KB at most"`
	Cut    bool    `json:"cut" doc:"there is more data than shown"`
}

const (
	eventDataBytes  = 16 << 10 // of one event
	eventPageBytes  = 4 << 20  // of all events of an answer
	eventsBodyBytes = 64 << 20 // decoded
)

func (s *server) listStreamEvents(ctx context.Context, in *StreamEventsInput) (*output[Envelope[StreamEvents]], error) {
	row, it, err := s.find(ctx, &in.LogPath, basisAttempts)
	if err != nil {
		return nil, err
	}
	if !hasResponse(it) {
		return nil, notFound("only the response of the attempt that answered is stored")
	}
	body, err := s.plainBody(ctx, row, reqlog.ResponseSide)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	v := StreamEvents{ID: it.entry.ID.String(), Events: []StreamEvent{}, Framing: framingOf(it.entry.Response.Type), Whole: !it.entry.Response.Truncated}
	if v.Framing == "" {
		return nil, notFound("the response is no stream of events: " + clip(it.entry.Response.Type, 60))
	}
	c := &eventCollector{from: in.From, limit: in.Limit}
	bounded := &io.LimitedReader{R: body, N: eventsBodyBytes}
	if err := c.read(v.Framing, bounded); err != nil {
		return nil, fmt.Errorf("read the events of log entry %s: %w", v.ID, err)
	}
	v.Total, v.Events = c.n, append(v.Events, c.events...)
	v.Whole = v.Whole && bounded.N > 0
	if next := in.From + len(c.events); next < c.n && len(c.events) > 0 {
		v.Next = &next
	}
	return answer(v), nil
}

// framingOf tells how a stream of this content type is cut into events; "": it is no stream.
func framingOf(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	switch media {
	case "text/event-stream":
		return "sse"
	case "application/vnd.amazon.eventstream":
		return "eventstream"
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/stream+json":
		return "lines"
	}
	return ""
}

// eventCollector takes the events of one page out of a stream, and counts the others.
type eventCollector struct {
	from, limit int
	n           int // events so far
	events      []StreamEvent
	bytes       int // of data in events

	at, begin int64 // bytes handed on, and those before the event that is under way
	data      []byte
	cut       bool
}

// read reads a stream to its end.
func (c *eventCollector) read(framing string, r io.Reader) error {
	b := bufio.NewReaderSize(r, 64<<10)
	if framing == "eventstream" {
		return c.frames(b)
	}
	var split sse.Splitter
	for {
		line, err := pieceOf(b)
		if err != nil && err != io.EOF {
			return err
		}
		if framing == "sse" {
			c.lines(&split, line)
		} else {
			c.at += int64(len(line))
			c.line(line)
		}
		if err == io.EOF {
			break
		}
	}
	if framing == "sse" {
		split.Close(c)
	} else if len(c.data) > 0 {
		c.End(nil)
	}
	return nil
}

// pieceOf reads up to the end of a line, or as much of a long one as there is room for.
func pieceOf(b *bufio.Reader) ([]byte, error) {
	line, err := b.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	return line, err
}

// lines hands on what may be several lines, if they end in CR, one by one: the splitter then ends one event at a
// time.
func (c *eventCollector) lines(split *sse.Splitter, piece []byte) {
	for len(piece) > 0 {
		end := len(piece)
		if i := bytes.IndexByte(piece, '\r'); i >= 0 {
			end = i + 1
			if end < len(piece) && piece[end] == '\n' {
				end++
			}
		}
		n := c.n
		c.at += int64(end)
		split.Write(piece[:end], c)
		if c.n == n && c.data == nil && blank(piece[:end]) {
			c.begin = c.at // an empty line between events, or the end of a comment
		}
		piece = piece[end:]
	}
}

func blank(line []byte) bool { return len(bytes.TrimRight(line, "\r\n")) == 0 }

// line takes a piece of a line that is an event.
func (c *eventCollector) line(piece []byte) {
	text := bytes.TrimRight(piece, "\r\n")
	if len(text) > 0 {
		c.Data(text)
	}
	if len(text) == len(piece) {
		return // the line goes on
	}
	if len(c.data) > 0 {
		c.End(nil)
	}
	c.begin = c.at
}

// Data takes a piece of the data of the event that is under way.
func (c *eventCollector) Data(p []byte) {
	room := eventDataBytes - len(c.data)
	if c.data == nil {
		c.data = make([]byte, 0, len(p))
	}
	c.data = append(c.data, p[:min(len(p), room)]...)
	c.cut = c.cut || len(p) > room
}

// End ends an event.
func (c *eventCollector) End(name []byte) {
	if c.n >= c.from && len(c.events) < c.limit && c.bytes < eventPageBytes {
		data := c.data
		if c.cut {
			data = wholeRunes(data)
		}
		c.bytes += len(data)
		c.events = append(c.events, StreamEvent{
			Number: c.n, Offset: c.begin, Length: c.at - c.begin, Name: optional(string(bytes.ToValidUTF8(name, []byte("\ufffd")))),
			Data: string(bytes.ToValidUTF8(data, []byte("\ufffd"))), Cut: c.cut,
		})
	}
	c.n++
	c.begin, c.data, c.cut = c.at, nil, false
}

// frames reads Amazon's frames, each by the length that it begins with.
func (c *eventCollector) frames(b *bufio.Reader) error {
	var split eventstream.Splitter
	for !split.Broken() {
		head, err := b.Peek(4)
		if err != nil {
			return ignoreEnd(err)
		}
		n := int64(head[0])<<24 | int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
		if n < 16 || n > eventstream.MaxFrame {
			return nil // nothing behind it can be trusted
		}
		frame := make([]byte, 0, min(n, 64<<10))
		w := bytes.NewBuffer(frame)
		got, err := io.CopyN(w, b, n)
		c.at += got
		if err != nil {
			return ignoreEnd(err)
		}
		split.Write(w.Bytes(), c)
	}
	return nil
}

func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// Message takes a frame. A payload that wraps another one in base64 is shown as what it wraps.
func (c *eventCollector) Message(m eventstream.Message) {
	var wrapped struct {
		Bytes []byte `json:"bytes"`
	}
	data := m.Payload
	if strings.HasPrefix(string(data[:min(len(data), 1)]), "{") && json.Unmarshal(data, &wrapped) == nil && len(wrapped.Bytes) > 0 {
		data = wrapped.Bytes
	}
	c.Data(data)
	c.cut = c.cut || m.Cut
	name := m.Header(":event-type")
	if name == nil {
		name = m.Header(":exception-type")
	}
	c.End(name)
}
