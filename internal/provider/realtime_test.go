package provider

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/config"
)

func TestResolveRealtime(t *testing.T) {
	table, err := NewTable(map[string]config.Provider{
		"openai": {}, "elevenlabs": {BaseURL: "http://127.0.0.1:9"}, "fal": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ call, want, model string }{
		{"openai?model=gpt-realtime", "https://api.openai.com/v1/realtime?model=gpt-realtime", "gpt-realtime"},
		{"openai/v1/realtime?model=gpt%2Drealtime", "https://api.openai.com/v1/realtime?model=gpt%2Drealtime", "gpt-realtime"},
		{"openai/realtime?call_id=x", "https://api.openai.com/v1/realtime?call_id=x", ""},
		{"openai/responses", "https://api.openai.com/v1/responses?", ""},
		{
			"google?api_key=AIza%2F1&alt=ws",
			"https://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=AIza%2F1&alt=ws", "",
		},
		{
			"google-ai-studio/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent?key=k",
			"https://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent?key=k", "",
		},
		{"cartesia?cartesia_version=2025-04-16&api_key=k", "https://api.cartesia.ai/tts/websocket?cartesia_version=2025-04-16&api_key=k", ""},
		{"cartesia/stt/websocket?model=ink-whisper", "https://api.cartesia.ai/stt/websocket?model=ink-whisper", "ink-whisper"},
		{"elevenlabs?agent_id=a", "http://127.0.0.1:9/v1/convai/conversation?agent_id=a", ""},
		{"fal/fal-ai/fast-lcm", "https://ws.fal.run/fal-ai/fast-lcm?", "fal-ai/fast-lcm"},
		{"deepgram/v1/listen?model=nova-3", "https://api.deepgram.com/v1/listen?model=nova-3", "nova-3"},
		{
			"workers-ai?model=%40cf%2Fdeepgram%2Fnova-3&encoding=linear16",
			"https://api.cloudflare.com/client/v4/accounts/0123456789abcdef0123456789abcdef/ai/run/@cf/deepgram/nova-3?encoding=linear16", "@cf/deepgram/nova-3",
		},
		{"workers-ai?model=../x", "", ""},
		{"workers-ai?model=a%3fb", "", ""},
		{"workers-ai?encoding=linear16", "", ""},
		{"anthropic/v1/ws", "https://api.anthropic.com/v1/ws?", ""},
	} {
		slug, rest, _ := strings.Cut(tt.call, "?")
		slug, path, _ := strings.Cut(slug, "/")
		p, _ := table.Find(slug)
		to, model, err := p.ResolveRealtime(Call{Method: "GET", Path: path, Query: rest, Account: "0123456789abcdef0123456789abcdef"})
		got := to.Scheme + "://" + to.Host + to.Path + "?" + to.Query
		if err != nil {
			got = ""
		}
		if got != tt.want || model != tt.model {
			t.Errorf("%s leads to %s (%s), want %s (%s); %v", tt.call, got, model, tt.want, tt.model, err)
		}
	}
}

func TestCredentialItems(t *testing.T) {
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ slug, item, want string }{
		{"elevenlabs", "xi-api-key.abc", "xi-api-key: abc"},
		{"fal", "fal-api-key.a.b", "Authorization: Key a.b"},
		{"fal", "fal-api-key.", ""},
		{"fal", "realtime", ""},
		{"openai", "openai-insecure-api-key.abc", ""},
		{"anthropic", "xi-api-key.abc", ""},
	} {
		p, _ := table.Find(tt.slug)
		got := ""
		if f, ok := p.Credential(tt.item); ok {
			got = f.Name + ": " + f.Value
		}
		if got != tt.want {
			t.Errorf("%s: %s is %q, want %q", tt.slug, tt.item, got, tt.want)
		}
	}
}
