package provider

import (
	"fmt"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/credential"
)

// credentialTable is the table of providers, some of them moved.
func credentialTable(t *testing.T, moved map[string]config.Provider) *Table {
	t.Helper()
	table, err := NewTable(moved)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestNoCallChoosesAnOwnHost: what a caller can put into a path or a header never makes a host the
// provider's own.
func TestNoCallChoosesAnOwnHost(t *testing.T) {
	table := credentialTable(t, map[string]config.Provider{"vllm": {BaseURL: "http://gpu.internal:8000"}})
	for _, c := range []struct {
		slug string
		in   Call
		own  bool
	}{
		{"openai", Call{Path: "chat/completions"}, true},
		{"anthropic", Call{Path: "v1/messages"}, true},
		{"vllm", Call{Path: "chat/completions"}, true},
		{"workers-ai", Call{Path: "run/@cf/x", Account: "0123456789abcdef0123456789abcdef"}, true},
		{"fal", Call{Path: "fal-ai/flux"}, true},
		{"fal", Call{Path: "x", Header: sluice.Header{{Name: "x-fal-target-url", Value: "https://queue.fal.run/x"}}}, false},
		{"azure-openai", Call{Path: "mine/gpt/chat/completions"}, false},
		{"azure-openai", Call{Path: "theirs/gpt/chat/completions"}, false},
		{"aws-bedrock", Call{Path: "bedrock-runtime/us-east-1/model/m/converse"}, false},
		{"google-vertex-ai", Call{Path: "v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent"}, false},
		{"baseten", Call{Path: "model/abc/production/predict"}, false},
		{"baseten", Call{Path: "v1/chat/completions"}, true},
	} {
		p, ok := table.Find(c.slug)
		if !ok {
			t.Errorf("no %s", c.slug)
			continue
		}
		target, err := p.Resolve(c.in)
		if err != nil {
			t.Errorf("%s %s: %v", c.slug, c.in.Path, err)
			continue
		}
		if got := p.OwnHost(target.Host); got != c.own {
			t.Errorf("%s %s: host %s is its own: %v", c.slug, c.in.Path, target.Host, got)
		}
	}
}

func TestWhatShowsACredential(t *testing.T) {
	table := credentialTable(t, nil)
	one := func(name, value string) sluice.Header { return sluice.Header{{Name: name, Value: value}} }
	for _, c := range []struct {
		slug  string
		h     sluice.Header
		query string
		want  bool
	}{
		{"openai", one("authorization", "Bearer sk-1"), "", true},
		{"openai", one("Authorization", "sk-1"), "", true},
		{"openai", one("Authorization", "Bearer "), "", false},
		{"openai", one("Authorization", "bearer"), "", false},
		{"openai", one("Authorization", ""), "", false},
		{"openai", one("Authorization", "Bearer undefined"), "", false},
		{"openai", one("Content-Type", "application/json"), "key=x", false},
		{"anthropic", one("x-api-key", "k"), "", true},
		{"anthropic", one("Authorization", "Bearer k"), "", true},
		{"google-ai-studio", nil, "alt=sse&key=AIza", true},
		{"google-ai-studio", nil, "alt=sse&KEY=AIza", true},
		{"google-ai-studio", nil, "k%65y=AIza", true},
		{"google-ai-studio", nil, "alt=sse&key=", false},
		{"google-ai-studio", nil, "monkey=1&keys=2", false},
	} {
		p, _ := table.Find(c.slug)
		if got := p.Shows(c.h, c.query); got != c.want {
			t.Errorf("%s %v ?%s: %v", c.slug, c.h, c.query, got)
		}
	}
}

// TestEveryProviderTakesACredential: what Present makes, Shows sees, and it stands there once.
func TestEveryProviderTakesACredential(t *testing.T) {
	table := credentialTable(t, nil)
	probes := 0
	for _, b := range Builtin() {
		p, ok := table.Find(b.Slug)
		if !ok || p.Keyless() {
			continue
		}
		before := sluice.Header{{Name: "X-Other", Value: "1"}, {Name: p.Auth.Header, Value: ""}}
		for _, name := range p.Auth.Also {
			before = append(before, sluice.Field{Name: name, Value: ""})
		}
		kept := fmt.Sprint(before)
		h := p.Present(before, sluice.NewSecret("sk-1"))
		if !p.Shows(h, "") || p.Shows(before, "") || len(h) != 2 || h.Get("X-Other") != "1" || len(h.Values(p.Auth.Header)) != 1 || fmt.Sprint(before) != kept {
			t.Errorf("%s: %v of %v", p.Slug, h, before)
		}
		if in, known := p.Probe(&credential.Key{}); known {
			probes++
			if in.Method != "GET" {
				t.Errorf("%s is probed by %s", p.Slug, in.Method)
			}
		}
	}
	if probes < 10 {
		t.Errorf("only %d providers can be probed", probes)
	}
}
