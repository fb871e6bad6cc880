package speech

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

func TestListen(t *testing.T) {
	hour := sluice.Usage{Basis: sluice.BasisProvider}
	hour.Set(sluice.Milliseconds, 51_000)
	s := Listen()
	for _, tt := range []struct {
		text, kind, model, fault string
		usage                    sluice.Usage
	}{
		{`{"type":"Results","duration":2.5,"channel":{"alternatives":[{"transcript":"hi"}]}}`, "", "", "", sluice.Usage{}},
		{
			`{"type":"Metadata","duration":25.5,"channels":2,"models":["x"],"model_info":{"x":{"name":"nova-3","version":"1"}}}`,
			"transcription", "nova-3", "", hour,
		},
		{`{"type":"Metadata","request_id":"x"}`, "", "", "", sluice.Usage{}},
		{`{"type":"Error","description":"bad audio"}`, "", "", "bad audio", sluice.Usage{}},
		{"\x00\x01", "", "", "", sluice.Usage{}},
	} {
		for _, c := range []byte(tt.text) {
			s.Write([]byte{c})
		}
		kind, r := s.End()
		if kind != tt.kind || r.Model != tt.model || r.Error != tt.fault || r.Usage != tt.usage {
			t.Errorf("%s: %q %+v", tt.text, kind, r)
		}
	}
}

// FuzzListen: the cuts do not matter.
func FuzzListen(f *testing.F) {
	f.Add(`{"type":"Metadata","duration":25.5,"channels":1}`)
	f.Add(`{"err_code":"x"`)
	f.Fuzz(func(t *testing.T, said string) {
		run := func(cut int) (string, wire.Reading) {
			s := Listen()
			for from := 0; from < len(said); from += cut {
				s.Write([]byte(said[from:min(from+cut, len(said))]))
			}
			return s.End()
		}
		kind, r := run(len(said) + 1)
		if k, got := run(1); k != kind || !got.Equal(&r) {
			t.Fatalf("whole %q %+v, byte by byte %q %+v", kind, r, k, got)
		}
	})
}
