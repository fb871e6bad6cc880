package price

import (
	"testing"

	"github.com/sluicehq/sluice"
)

func over(t *testing.T, provider, model, as, times string, usd map[string]string) Override {
	t.Helper()
	o, err := NewOverride(provider, model, as, times, usd)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOverrides(t *testing.T) {
	base := Embedded()
	c := base.With([]Override{
		over(t, "openai", "gpt-4o", "", "", map[string]string{"input": "9", "output": "9"}),
		over(t, "openai", "gpt-4o", "", "", map[string]string{"input": "1", "output": "3"}),
		over(t, "openai", "my-*", "openai/gpt-5.4", "", nil),
		over(t, "azure-openai", "prod-chat", "openai/gpt-4o", "1.1", nil),
		over(t, "azure-openai", "prod-mini", "nobody/nothing", "", nil),
		over(t, "replicate", "acme/llama", "replicate/gpu-h100", "", nil),
		over(t, "vllm", "llama", "", "", map[string]string{"hours": "1.8", "requests": "0.5"}),
		over(t, "ollama", "*", "", "", map[string]string{"input": "0", "output": "0"}),
		over(t, "anthropic", "claude-opus-5-5", "", "1/2", map[string]string{"input": "4", "output": "20"}),
	})
	for _, test := range []struct{ call, usage, want string }{
		{"openai gpt-4o", "input=1000 cache_read=500 output=10", "1000*1 + 10*3"},
		{"openai GPT-4o", "input=1000", "1000*1"},
		{"openai gpt-4o-2024-08-06", "input=1000 output=10", "1000*2.5 + 10*10"},
		{"openai gpt-4o t=flex", "input=1000", "1000*0.5"},
		{"openai my-deployment", "input=300000 output=1", "300000*5 + 22.5"},
		{"azure-openai prod-chat", "input=1000 cache_read=500", "(500*2.5 + 500*1.25) * 1.1"},
		{"azure-openai prod-mini", "input=1000", "unknown: the model has no price"},
		{"replicate acme/llama", "milliseconds=2000 input=9", "2*1525"},
		{"vllm llama", "milliseconds=3600000 input=9 output=9", "1800000 + 500"},
		{"ollama anything:7b", "input=1000 output=10", "0"},
		{"anthropic claude-opus-5-5 g=us", "input=1000 output=10", "(1000*4 + 10*20) * 0.5 * 1.1"},
	} {
		checkBill(t, c, callOf(t, test.call), usageOf(t, test.usage), test.want)
	}
	if _, m, _ := c.Find("openai", "gpt-4o", noon); m.How != HowOverride || m.Model.Source != "override" {
		t.Errorf("found by %s in %s", m.How, m.Model.Source)
	}
	// What was there before is as it was.
	checkBill(t, base, callOf(t, "openai gpt-4o"), usageOf(t, "input=1000 output=10"), "1000*2.5 + 10*10")
	if base.provider("vllm") != nil || base.Len() != c.Len() {
		t.Error("the base changed")
	}
}

func TestOverridesRefused(t *testing.T) {
	for name, try := range map[string]func() error{
		"no provider":   func() error { _, err := NewOverride("", "m", "", "", map[string]string{"input": "1"}); return err },
		"no model":      func() error { _, err := NewOverride("p", "", "", "", map[string]string{"input": "1"}); return err },
		"no price":      func() error { _, err := NewOverride("p", "m", "", "", nil); return err },
		"both":          func() error { _, err := NewOverride("p", "m", "a/b", "", map[string]string{"input": "1"}); return err },
		"as half":       func() error { _, err := NewOverride("p", "m", "gpt-4o", "", nil); return err },
		"times zero":    func() error { _, err := NewOverride("p", "m", "a/b", "0", nil); return err },
		"times words":   func() error { _, err := NewOverride("p", "m", "a/b", "twice", nil); return err },
		"times huge":    func() error { _, err := NewOverride("p", "m", "a/b", "100000", nil); return err },
		"unknown class": func() error { _, err := NewOverride("p", "m", "", "", map[string]string{"inputs": "1"}); return err },
		"milliseconds": func() error {
			_, err := NewOverride("p", "m", "", "", map[string]string{"milliseconds": "1"})
			return err
		},
		"negative": func() error { _, err := NewOverride("p", "m", "", "", map[string]string{"input": "-1"}); return err },
		"too fine": func() error {
			_, err := NewOverride("p", "m", "", "", map[string]string{"input": "0.0000000001"})
			return err
		},
		"too dear": func() error {
			_, err := NewOverride("p", "m", "", "", map[string]string{"input": "2000000"})
			return err
		},
	} {
		if err := try(); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
