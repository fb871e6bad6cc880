package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	sluice "github.com/sluicehq/sluice"
)

// frame makes a frame of Amazon's with an event type.
func frame(event, payload string) []byte {
	header := append([]byte{byte(len(":event-type"))}, ":event-type"...)
	header = append(header, 7, 0, byte(len(event)))
	header = append(header, event...)
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(header)+len(payload)+4))
	b = binary.BigEndian.AppendUint32(b, uint32(len(header)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, header...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestTheEventsOfAStream(t *testing.T) {
	b := newBench(t)
	wrapped := `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(`{"type":"ping"}`)) + `"}`
	first, second := frame("chunk", wrapped), frame("metadata", `{"usage":1}`)
	for name, c := range map[string]struct {
		stored   string
		kind     string
		encoding string
		framing  string
		want     string
	}{
		"server-sent events": {": hi\n\nevent: a\ndata: 1\n\ndata: 2\ndata: 3\n\ndata: [DONE]", "text/event-stream; charset=utf-8", "", "sse", "[6+18 a 1] [24+17  2\n3] [41+12  [DONE]]"},
		"by CR and LF":       {"data: 1\r\n\r\ndata: 2\r\n\r\n", "text/event-stream", "", "sse", "[0+11  1] [11+11  2]"},
		"by CR":              {"data: 1\r\rdata: 2\r\r", "text/event-stream", "", "sse", "[0+9  1] [9+9  2]"},
		"gzip":               {string(encode(t, "gzip", "data: 1\n\n")), "text/event-stream", "gzip", "sse", "[0+9  1]"},
		"lines":              {"{\"a\":1}\n\n{\"a\":2}", "application/x-ndjson", "", "lines", `[0+8  {"a":1}] [9+7  {"a":2}]`},
		"frames":             {string(first) + string(second), "application/vnd.amazon.eventstream", "", "eventstream", fmt.Sprintf(`[0+%d chunk {"type":"ping"}] [%d+%d metadata {"usage":1}]`, len(first), len(first), len(second))},
		"a cut frame":        {string(first) + string(second[:20]), "application/vnd.amazon.eventstream", "", "eventstream", fmt.Sprintf(`[0+%d chunk {"type":"ping"}]`, len(first))},
		"nothing":            {": only a comment\n\n", "text/event-stream", "", "sse", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.keep([]byte(c.stored), func(e *sluice.LogEntry) { e.Response.Type, e.Response.Encoding = c.kind, c.encoding })
			v := resultOf[StreamEvents](b, logsPath+"/"+e.ID.String()+"/stream-events")
			var got []string
			for _, one := range v.Events {
				name := ""
				if one.Name != nil {
					name = *one.Name
				}
				got = append(got, fmt.Sprintf("[%d+%d %s %s]", one.Offset, one.Length, name, one.Data))
			}
			if strings.Join(got, " ") != c.want || v.Framing != c.framing || v.Total != len(got) || v.Next != nil || !v.Whole {
				t.Errorf("%s, %+v; want %s", got, v, c.want)
			}
		})
	}
}

func TestEventsComeByPagesAndInPart(t *testing.T) {
	b := newBench(t)
	var stored strings.Builder
	for i := range 10 {
		fmt.Fprintf(&stored, "data: %d\n\n", i)
	}
	stored.WriteString("data: " + strings.Repeat("é", eventDataBytes) + "\n\n")
	e := b.keep([]byte(stored.String()), func(e *sluice.LogEntry) {
		e.Response.Type, e.Response.Truncated = "text/event-stream", true
	})
	path := logsPath + "/" + e.ID.String() + "/stream-events"
	var all []string
	for from := 0; ; {
		v := resultOf[StreamEvents](b, fmt.Sprintf("%s?limit=4&from=%d", path, from))
		if v.Total != 11 || v.Whole {
			t.Fatalf("%+v", v)
		}
		for _, one := range v.Events {
			if one.Number != len(all) || one.Cut != (one.Number == 10) || len(one.Data) > eventDataBytes {
				t.Errorf("event %d: cut %v, %d bytes", one.Number, one.Cut, len(one.Data))
			}
			all = append(all, one.Data)
		}
		if v.Next == nil {
			break
		}
		from = *v.Next
	}
	if len(all) != 11 || !slices.Equal(all[:3], []string{"0", "1", "2"}) {
		t.Errorf("%.20q", all)
	}
	plain := b.keep([]byte("{}"), nil)
	b.fails(logsPath+"/"+plain.ID.String()+"/stream-events", http.StatusNotFound, codeNotFound, "no stream of events")
	off := b.keep(nil, func(e *sluice.LogEntry) { e.Response = sluice.Body{Size: 9, Off: true} })
	b.fails(logsPath+"/"+off.ID.String()+"/stream-events", http.StatusNotFound, codeNotFound, "a setting or a header")
}

// FuzzStreamEvents: events neither overlap nor leave the stream, however it is cut, and only its bytes count.
func FuzzStreamEvents(f *testing.F) {
	for _, seed := range []string{"event: a\ndata: 1\r\n\r\ndata\n\n", ":\r\rdata:x\r\r", "{\"a\":1}\n{\"b\"", string(frame("chunk", "{}"))} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, framing := range []string{"sse", "lines", "eventstream"} {
			whole, pieces := &eventCollector{limit: 100}, &eventCollector{limit: 100}
			if err := whole.read(framing, bytes.NewReader(in)); err != nil {
				t.Fatal(err)
			}
			if err := pieces.read(framing, iotest.OneByteReader(bytes.NewReader(in))); err != nil {
				t.Fatal(err)
			}
			if whole.n != pieces.n || len(whole.events) != min(whole.n, 100) {
				t.Fatalf("%s: %d and %d events", framing, whole.n, pieces.n)
			}
			var end int64
			for i, e := range whole.events {
				p := pieces.events[i]
				if e.Offset != p.Offset || e.Length != p.Length || e.Data != p.Data || e.Offset < end || e.Length < 0 {
					t.Fatalf("%s: event %d is %+v, by pieces %+v", framing, i, e, p)
				}
				end = e.Offset + e.Length
			}
			if end > int64(len(in)) {
				t.Errorf("%s: events end at %d of %d", framing, end, len(in))
			}
		}
	})
}
