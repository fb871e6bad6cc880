package provider

import (
	"strings"
	"testing"
)

func TestMatchForgivesWhatAddressingKeeps(t *testing.T) {
	p := find(t, "openai")
	for _, path := range []string{"chat/completions", "/chat/completions", "chat//completions/", "v1/chat/completions", "v1//chat/completions"} {
		if ep, _ := p.Match("POST", path); ep == nil || ep.Name != "chat/completions" {
			t.Errorf("%s is not recognised", path)
		}
	}
	for _, path := range []string{"", "v1", "chat", "chat/completionsx", "xchat/completions", strings.Repeat("a/", 100)} {
		if ep, model := p.Match("POST", path); ep != nil || model != "" {
			t.Errorf("%.20s is %s %s", path, ep.Name, model)
		}
	}
}

func TestWhatMayBeSentTwice(t *testing.T) {
	for _, c := range []struct {
		slug, method, path string
		want               bool
	}{
		{"openai", "POST", "chat/completions", true},
		{"openai", "POST", "embeddings", true},
		{"openai", "POST", "files", false},
		{"openai", "GET", "files/f", true},
		{"openai", "HEAD", "files/f", true},
		{"openai", "DELETE", "files/f", false},
		{"openai", "POST", "batches", false},
		{"openai", "POST", "threads", false},
		{"openai", "POST", "chat/completions/c_1", false},
		{"anthropic", "POST", "v1/messages", true},
		{"anthropic", "POST", "v1/messages/batches", false},
		{"replicate", "POST", "predictions", false},
		{"huggingface", "POST", "gpt2", true},
		{"fal", "POST", "fal-ai/flux", false},
		{"google-ai-studio", "POST", "v1beta/models/m:batchGenerateContent", false},
	} {
		if ep, _ := find(t, c.slug).Match(c.method, c.path); ep == nil || ep.Repeatable != c.want {
			t.Errorf("%s %s %s: %+v", c.slug, c.method, c.path, ep)
		}
	}
}

func TestWhichPathsAskForStreams(t *testing.T) {
	for path, want := range map[string]bool{
		"v1beta/models/m:generateContent": false, "v1beta/models/m:streamGenerateContent": true,
	} {
		if ep, _ := find(t, "google-ai-studio").Match("POST", path); ep == nil || ep.Stream != want {
			t.Errorf("%s: %+v", path, ep)
		}
	}
}

func TestBadPatternsAreFaults(t *testing.T) {
	for _, e := range []Endpoint{
		{Pattern: "{a"},
		{Pattern: "{}"},
		{Pattern: "{a}b"},
		{Pattern: "{a...}:v"},
		{Pattern: "{a...}/{b...}"},
		{Pattern: "a/{b}", Model: "c"},
	} {
		if _, err := newRoute(&e); err == nil {
			t.Errorf("%q for %q is taken", e.Pattern, e.Model)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for name, c := range map[string]struct{ slug, path string }{
		"first": {"openai", "v1/chat/completions"}, "none": {"openai", "unheard/of/it"},
		"model": {"google-ai-studio", "v1beta/models/gemini-2.5-flash:streamGenerateContent"},
	} {
		p := find(b, c.slug)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match("POST", c.path)
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	p := find(b, "openai")
	in := Call{Method: "POST", Path: "v1/chat/completions"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Resolve(in); err != nil {
			b.Fatal(err)
		}
	}
}
