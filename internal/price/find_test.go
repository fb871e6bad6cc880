package price

import (
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestFind(t *testing.T) {
	c := Embedded()
	for _, test := range []struct {
		provider, model string
		row             string // "" none
		how             How
	}{
		{"openai", "gpt-4o", "openai/gpt-4o", HowName},
		{"openai", "gpt-4o-2024-08-06", "openai/gpt-4o", HowAlias},
		{"openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13", HowName},
		{"openai", "gpt-4o-2031-01-02", "openai/gpt-4o", HowDated},
		{"openai", "GPT-4o", "openai/gpt-4o", HowAlias},
		{"openai", "openai/gpt-4o", "openai/gpt-4o", HowPrefix},
		{"openai", "gpt-4o-realtime-preview-2025-06-03", "openai/gpt-4o-realtime-preview", HowDated},
		{"openai", "gpt-4o-realtime-next", "openai/gpt-4o-realtime-preview", HowPattern},
		{"openai", "gpt-4o-", "", HowNone},
		{"openai", "gpt-4o-2024-08-0x", "", HowNone},
		{"openai", "", "", HowNone},
		{"openai", strings.Repeat("a", maxText+1), "", HowNone},
		{"nobody", "gpt-4o", "", HowNone},
		{"anthropic", "claude-opus-5-5-20260922", "anthropic/claude-opus-5-5", HowDated},
		{"google-ai-studio", "models/gemini-2.5-pro", "google-ai-studio/gemini-2.5-pro", HowPrefix},
		{"google-ai-studio", "gemini-2.5-pro-preview-06-05", "google-ai-studio/gemini-2.5-pro", HowPattern},
		{"google-ai-studio", "gemini-2.5-pro-exp-tts", "", HowNone},
		{"google-ai-studio", "gemini-3.5-flash-09-2026", "google-ai-studio/gemini-3.5-flash", HowPattern},
		{"google-ai-studio", "gemini-3.5-flash-nightly", "", HowNone},
		{"google-vertex-ai", "publishers/anthropic/models/claude-opus-5-5@20260922", "google-ai-studio/claude-opus-5-5", HowPrefix},
		{"azure-openai", "gpt-4o", "openai/gpt-4o", HowName},
		{"azure-openai", "gpt-5.5", "azure-openai/gpt-5.5", HowName},
		{"azure-openai", "gpt-audio", "openai/gpt-audio", HowName},
		{"aws-bedrock", "us.anthropic.claude-opus-5-5", "aws-bedrock/regional.anthropic.claude-opus-5-5", HowAlias},
		{"aws-bedrock", "au.anthropic.claude-opus-5-5", "aws-bedrock/regional.anthropic.claude-opus-5-5", HowAlias},
		{"aws-bedrock", "ca.amazon.nova-lite-v1:0", "aws-bedrock/amazon.nova-lite-v1:0", HowPattern},
		{"openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o", HowName},
		{"replicate", "gpu-h100", "replicate/gpu-h100", HowName},
	} {
		p, m, ok := c.Find(test.provider, test.model, noon)
		row := ""
		if ok {
			row = m.Model.Provider + "/" + m.Model.Name
		}
		if row != test.row || ok && m.How != test.how || ok != (p != nil) {
			t.Errorf("%s %s: %q by %s, %v; want %q by %s", test.provider, test.model, row, m.How, ok, test.row, test.how)
		}
	}
}

func TestEveryNameFindsItsRow(t *testing.T) {
	c := Embedded()
	for m := range c.Models() {
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			if _, got, ok := c.Find(m.Provider, name, noon); !ok || got.Model != m {
				t.Errorf("%s %s: found %v", m.Provider, name, got.Model)
			}
		}
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"a*", "a", true},
		{"a*", "abc", true},
		{"*b", "ab", true},
		{"*b*", "xbx", true},
		{"*ab*ab", "abab", true},
		{"*ab*ab", "ab", false},
		{"a#c", "a1c", true},
		{"a#c", "abc", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"A*", "aB", true},
		{"a**", "a", true},
		{"-####-##-##", "-2026-01-02", true},
		{"-####-##-##", "-2026-01-2x", false},
	} {
		if got := glob(test.pattern, test.name); got != test.want {
			t.Errorf("glob(%q, %q) = %v", test.pattern, test.name, got)
		}
		if test.pattern == "" {
			continue // no list has it
		}
		if l := newLoose(test.pattern, nil); l.fits(test.name, strings.ToLower(test.name)) != test.want {
			t.Errorf("%q fits %q = %v", test.pattern, test.name, !test.want)
		}
	}
}

func TestEmbeddedIsWholeAndSorted(t *testing.T) {
	c := Embedded()
	if c.Len() < 1_500 || c.Version() == "" || c.Date().IsZero() {
		t.Fatalf("%d models, version %q of %s", c.Len(), c.Version(), c.Date())
	}
	before := ""
	for m := range c.Models() {
		key := m.Provider + "\x00" + m.Name
		if key <= before {
			t.Errorf("%s/%s is out of order", m.Provider, m.Name)
		}
		before = key
		if m.Source == "" || m.AsOf == "" || m.At(noon) == nil {
			t.Errorf("%s/%s: source %q, as of %q", m.Provider, m.Name, m.Source, m.AsOf)
		}
		for _, d := range m.prices {
			for _, above := range d.price.Thresholds() {
				if _, ok := d.price.RateAbove(above, 0); !ok {
					t.Errorf("%s/%s: no input price above %d", m.Provider, m.Name, above)
				}
			}
		}
	}
}

func TestForEntryTakesTheNameThatSaysMore(t *testing.T) {
	c := Embedded()
	for _, x := range []struct{ provider, asked, served, want string }{
		{"aws-bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{"aws-bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{"openai", "gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
		{"openai", "router/gpt-4o", "gpt-4o", "gpt-4o"},
		{"openai", "", "gpt-4o", "gpt-4o"},
		{"openai", "gpt-4o", "", "gpt-4o"},
		{"openai", "gpt-4o", "acme-1", "gpt-4o"},
		{"openai", "", "", ""},
	} {
		e := &sluice.LogEntry{Provider: x.provider, Model: x.asked, Served: x.served, Start: noon}
		_, m, ok := c.ForEntry(e)
		got := ""
		if ok {
			got = m.Model.Name
		}
		if got != x.want {
			t.Errorf("%s: asked for %q, answered as %q: the price of %q, want %q", x.provider, x.asked, x.served, got, x.want)
		}
	}
}
