package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// all reads every event.
func all(r io.Reader) ([]string, error) {
	events := newEventReader(r)
	var list []string
	for {
		e, err := events.next(true)
		if err != nil {
			return list, err
		}
		list = append(list, e.id+"|"+e.name+"|"+string(e.data))
	}
}

func TestEventReader(t *testing.T) {
	text := ": comment\nid: 1\nevent: a\ndata: x\ndata:y\n\n\nevent: dropped\n\ndata\nid: 2\r\n\r\ndata: last"
	got, err := all(strings.NewReader(text))
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"1|a|x\ny", "2||", "2||last"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := all(strings.NewReader("data: " + strings.Repeat("x", maxEvent+1))); !errors.Is(err, errEventTooLarge) {
		t.Errorf("an endless line: %v", err)
	}
	if _, err := all(strings.NewReader(strings.Repeat("data: "+strings.Repeat("x", 1<<20)+"\n", 20))); !errors.Is(err, errEventTooLarge) {
		t.Errorf("an endless event: %v", err)
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add([]byte("event: tick\nid: 1-0-0\ndata: {}\n\ndata: x\r\n\r\ndata: [DONE]\n\n"))
	f.Add([]byte("data: a\ndata: b\n\n: c\nid: \x00\ndata"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, _ := all(bytes.NewReader(in))
		split, _ := all(iotest.OneByteReader(bytes.NewReader(in)))
		if diff := cmp.Diff(whole, split); diff != "" {
			t.Error(diff)
		}
		for _, e := range whole {
			if strings.Contains(e[strings.LastIndex(e, "|")+1:], "\r\n\r\n") {
				t.Errorf("an end of event within %q", e)
			}
		}
	})
}
