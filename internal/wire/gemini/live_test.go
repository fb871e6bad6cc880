package gemini

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

func TestLive(t *testing.T) {
	s := Live()
	say := func(text string, cut int) (kind string, r wire.Reading) {
		for len(text) > 0 {
			n := min(cut, len(text))
			s.Write([]byte(text[:n]))
			text = text[n:]
		}
		return s.End()
	}
	ask := s.(wire.Asking)
	for _, text := range []string{`{"setup":{"model":"models/gemini-live-2.5-flash","generationConfig":{}}}`, `{"realtimeInput":{"audio":{"data":"AAAA"}}}`} {
		for _, c := range []byte(text) {
			ask.Ask([]byte{c})
		}
		ask.EndAsk()
	}
	for _, cut := range []int{1, 5, 1000} {
		for _, quiet := range []string{`{"setupComplete":{}}`, `{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"AAAA"}}]}}}`, `nothing`} {
			if kind, r := say(quiet, cut); kind != "" || r.Usage.Known() || r.Error != "" {
				t.Errorf("%s: %q %+v", quiet, kind, r)
			}
		}
		kind, r := say(`{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":100,"responseTokenCount":40,"totalTokenCount":140,
			"promptTokensDetails":[{"modality":"TEXT","tokenCount":60},{"modality":"AUDIO","tokenCount":40}],
			"responseTokensDetails":[{"modality":"AUDIO","tokenCount":40}],"cachedContentTokenCount":30}}`, cut)
		want := sluice.Usage{Basis: sluice.BasisProvider}
		for c, n := range map[sluice.Class]int64{sluice.Input: 100, sluice.Output: 40, sluice.AudioIn: 40, sluice.AudioOut: 40, sluice.CacheRead: 30} {
			want.Set(c, n)
		}
		if kind != "response" || r.Usage != want || r.Model != "gemini-live-2.5-flash" {
			t.Errorf("in cuts of %d: %q %+v", cut, kind, r)
		}
	}
	if _, r := say(`{"error":{"code":400,"message":"no such model","status":"INVALID_ARGUMENT"}}`, 3); r.Error != "no such model" || r.Seen&wire.SeenError == 0 {
		t.Errorf("%+v", r)
	}
}

// FuzzLive: the cuts of both sides' messages do not matter.
func FuzzLive(f *testing.F) {
	f.Add(`{"setup":{"model":"models/x"}}`, `{"usageMetadata":{"promptTokenCount":1,"responseTokenCount":2}}`)
	f.Add(`{"setup":`, `{"error":{"message":"no"}}`)
	f.Fuzz(func(t *testing.T, asked, said string) {
		run := func(cut int) (string, wire.Reading) {
			s := Live()
			for from := 0; from < len(asked); from += cut {
				s.(wire.Asking).Ask([]byte(asked[from:min(from+cut, len(asked))]))
			}
			s.(wire.Asking).EndAsk()
			for from := 0; from < len(said); from += cut {
				s.Write([]byte(said[from:min(from+cut, len(said))]))
			}
			return s.End()
		}
		kind, r := run(len(asked) + len(said) + 1)
		for _, cut := range []int{1, 3} {
			if k, got := run(cut); k != kind || !got.Equal(&r) {
				t.Fatalf("whole %q %+v, in cuts of %d %q %+v", kind, r, cut, k, got)
			}
		}
	})
}
