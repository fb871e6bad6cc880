package speech_test

import (
	"flag"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/speech"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name.
func open(endpoint string) wiretest.Open {
	if endpoint == "elevenlabs" {
		return speech.ElevenLabs
	}
	return speech.Deepgram
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestCharactersStandInTheHead(t *testing.T) {
	for _, c := range []struct {
		open        wiretest.Open
		name, value string
		want        int64 // -1: unknown
	}{
		{speech.Deepgram, "Dg-Char-Count", "47", 47},
		{speech.ElevenLabs, "character-cost", " 12.5", 13},
		{speech.ElevenLabs, "character-cost", "0", 0},
		{speech.ElevenLabs, "character-cost", "-1", -1},
		{speech.ElevenLabs, "character-cost", "NaN", -1},
		{speech.ElevenLabs, "character-cost", "1e300", -1},
		{speech.ElevenLabs, "dg-char-count", "47", -1},
	} {
		m := c.open(false)
		m.(wire.HeadReader).Head(sluice.Header{{Name: c.name, Value: c.value}})
		m.Write([]byte("\xff\xfbsound"))
		u := m.Close().Usage
		n, known := u.Get(sluice.Characters)
		if !known {
			n = -1
		}
		if n != c.want || known != (u.Basis == sluice.BasisProvider) {
			t.Errorf("%s: %s is %d, want %d (%v)", c.name, c.value, n, c.want, u.Basis)
		}
	}
}

func FuzzMeters(f *testing.F) {
	wiretest.Fuzz(f, [][]byte{
		[]byte(`{"metadata":{"duration":25.9,"model_info":{"a":{"name":"m"}}},"results":{"channels":[{"alternatives":[]}]}}`),
		[]byte(`{"detail":{"status":"quota_exceeded","message":"m"}}`),
		[]byte(`{"detail":[{"msg":"m"}],"err_msg":"x","err_code":"y"}`),
	}, speech.Deepgram)
}
