package openai

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// told is what a session says of one message.
type told struct {
	kind  string
	model string
	end   string
	fault string
	usage sluice.Usage
}

// converse gives a session the messages in cuts of n bytes.
func converse(s wire.Session, n int, messages ...string) []told {
	var all []told
	for _, m := range messages {
		for len(m) > 0 {
			k := min(n, len(m))
			s.Write([]byte(m[:k]))
			m = m[k:]
		}
		kind, r := s.End()
		all = append(all, told{kind, r.Model, r.Finish, r.Error, r.Usage})
	}
	return all
}

func counts(n map[sluice.Class]int64) sluice.Usage {
	u := sluice.Usage{Basis: sluice.BasisProvider}
	for c, v := range n {
		u.Set(c, v)
	}
	return u
}

func TestRealtime(t *testing.T) {
	messages := []struct {
		text string
		want told
	}{
		{`{"type":"session.created","session":{"model":"gpt-realtime","audio":{"input":{"transcription":{"model":"gpt-4o-transcribe"}}}}}`, told{}},
		{`{"type":"response.created","response":{"status":"in_progress","usage":null}}`, told{}},
		{`{"type":"response.output_audio.delta","delta":"UklGRg=="}`, told{}},
		{
			`{"type":"response.done","response":{"object":"realtime.response","status":"completed","usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,
			"input_token_details":{"text_tokens":119,"audio_tokens":13,"image_tokens":0,"cached_tokens":64,"cached_tokens_details":{"text_tokens":60,"audio_tokens":4,"image_tokens":0}},
			"output_token_details":{"text_tokens":30,"audio_tokens":91}}}}`,
			told{"response", "gpt-realtime", "completed", "", counts(map[sluice.Class]int64{
				sluice.Input: 132, sluice.Output: 121, sluice.AudioIn: 13, sluice.ImageIn: 0, sluice.CacheRead: 64, sluice.AudioCacheRead: 4, sluice.AudioOut: 91,
			})},
		},
		{
			`{"type":"conversation.item.input_audio_transcription.completed","transcript":"Hi","usage":{"type":"tokens","total_tokens":26,"input_tokens":17,
			"input_token_details":{"text_tokens":0,"audio_tokens":17},"output_tokens":9}}`,
			told{"transcription", "gpt-4o-transcribe", "", "", counts(map[sluice.Class]int64{sluice.Input: 17, sluice.AudioIn: 17, sluice.Output: 9})},
		},
		{`{"type":"session.updated","session":{"input_audio_transcription":{"model":"whisper-1"}}}`, told{}},
		{
			`{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"duration","seconds":1.5}}`,
			told{"transcription", "whisper-1", "", "", counts(map[sluice.Class]int64{sluice.Milliseconds: 1500})},
		},
		{
			`{"type":"response.done","response":{"status":"cancelled","status_details":{"type":"cancelled","reason":"turn_detected"},"usage":{"input_tokens":5,"output_tokens":0}}}`,
			told{"response", "gpt-realtime", "turn_detected", "", counts(map[sluice.Class]int64{sluice.Input: 5, sluice.Output: 0})},
		},
		{
			`{"type":"response.completed","response":{"model":"gpt-5.2","status":"completed","usage":{"input_tokens":7,"output_tokens":2}}}`,
			told{"response", "gpt-5.2", "completed", "", counts(map[sluice.Class]int64{sluice.Input: 7, sluice.Output: 2})},
		},
		{`{"type":"error","error":{"type":"invalid_request_error","code":"x","message":"no such voice"}}`, told{fault: "no such voice"}},
		{`{"type":"response.in_progress","response":{"usage":{"input_tokens":7}}}`, told{}},
		{`no JSON`, told{}},
		{``, told{}},
	}
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.text)
	}
	for _, cut := range []int{1, 7, 1 << 20} {
		for i, got := range converse(Realtime(), cut, texts...) {
			if want := messages[i].want; got != want {
				t.Errorf("in cuts of %d, message %d: %+v\nwant %+v", cut, i, got, want)
			}
		}
	}
}

// FuzzRealtime: the cuts do not matter, and what a message was does not change what the next one says.
func FuzzRealtime(f *testing.F) {
	f.Add(`{"type":"response.done","response":{"usage":{"input_tokens":5,"output_tokens":7}}}`)
	f.Add(`{"type":"session.updated","session":{"model":"m"}}`)
	f.Add(`{"type":"error","error":"no"`)
	const last = `{"type":"response.done","response":{"model":"m","usage":{"input_tokens":1,"output_tokens":2}}}`
	want := converse(Realtime(), 1000, last)[0]
	f.Fuzz(func(t *testing.T, message string) {
		whole := converse(Realtime(), len(message)+1, message, last)
		for _, cut := range []int{1, 3} {
			if got := converse(Realtime(), cut, message, last); got[0] != whole[0] {
				t.Fatalf("whole %+v, in cuts of %d %+v", whole[0], cut, got[0])
			}
		}
		if whole[1] != want {
			t.Fatalf("behind it %+v, want %+v", whole[1], want)
		}
	})
}
