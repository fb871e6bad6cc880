package spend

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

func TestWhichCallsARuleIsOf(t *testing.T) {
	meta := []sluice.MetaValue{{Key: "user", Value: "ann"}, {Key: "tier", Value: "1", Kind: sluice.MetaNumber}}
	call := Call{Account: "a", Gateway: "g", Provider: "openai", Model: "gpt-5-mini", Metadata: meta}
	user := []sluice.SpendKey{{Key: "user"}}
	for _, c := range []struct {
		name string
		rule sluice.SpendRule
		want bool
	}{
		{"no scope", sluice.SpendRule{}, true},
		{"its provider", sluice.SpendRule{Providers: []string{"groq", "openai"}}, true},
		{"another provider", sluice.SpendRule{Providers: []string{"groq"}}, false},
		{"its model", sluice.SpendRule{Models: []string{"gpt-5-mini"}}, true},
		{"another model", sluice.SpendRule{Models: []string{"gpt-5"}}, false},
		{"a star at the end", sluice.SpendRule{Models: []string{"gpt-5*"}}, true},
		{"a star at the beginning", sluice.SpendRule{Models: []string{"*-mini"}}, true},
		{"stars", sluice.SpendRule{Models: []string{"g*5*mi*"}}, true},
		{"stars in another order", sluice.SpendRule{Models: []string{"g*mini*5"}}, false},
		{"a star that would have to overlap", sluice.SpendRule{Models: []string{"gpt-5-mini*mini"}}, false},
		{"any model", sluice.SpendRule{Models: []string{"*"}}, true},
		{"a budget for each user", sluice.SpendRule{Metadata: user}, true},
		{"a key that the call lacks", sluice.SpendRule{Metadata: []sluice.SpendKey{{Key: "team"}}}, false},
		{"a value of the filter, a number", sluice.SpendRule{Metadata: []sluice.SpendKey{{Key: "tier", Values: []string{"2", "1"}}}}, true},
		{"no value of the filter", sluice.SpendRule{Metadata: []sluice.SpendKey{{Key: "tier", Values: []string{"2"}}}}, false},
		{"all conditions hold", sluice.SpendRule{Providers: []string{"openai"}, Models: []string{"gpt-*"}, Metadata: user}, true},
		{"one does not", sluice.SpendRule{Providers: []string{"openai"}, Models: []string{"gpt-4*"}, Metadata: user}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Claims(nil, []sluice.SpendRule{c.rule}, &call); len(got) == 1 != c.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBudgetsHaveTheirOwnKeys(t *testing.T) {
	split := sluice.SpendRule{ID: "r", Metadata: []sluice.SpendKey{{Key: "team"}, {Key: "tier", Values: []string{"x", "y"}}, {Key: "user"}}}
	plain := sluice.SpendRule{ID: "r"}
	of := func(r sluice.SpendRule, account, gateway string, meta ...string) string {
		t.Helper()
		c := Call{Account: account, Gateway: gateway}
		for i := 0; i < len(meta); i += 2 {
			c.Metadata = append(c.Metadata, sluice.MetaValue{Key: meta[i], Value: meta[i+1]})
		}
		claims := Claims(nil, []sluice.SpendRule{r}, &c)
		if len(claims) != 1 {
			t.Fatalf("%+v has no claim", c)
		}
		return claims[0].Key
	}
	first := of(split, "a", "g", "user", "ann", "team", "t", "tier", "x")
	if same := of(split, "a", "g", "tier", "y", "team", "t", "user", "ann"); same != first {
		t.Errorf("%q and %q", first, same)
	}
	keys := map[string]string{}
	for name, k := range map[string]string{
		"first": first, "another user": of(split, "a", "g", "user", "bob", "team", "t", "tier", "x"),
		"another team": of(split, "a", "g", "user", "ann", "team", "u", "tier", "x"), "another gateway": of(split, "a", "h", "user", "ann", "team", "t", "tier", "x"),
		"another account": of(split, "b", "g", "user", "ann", "team", "t", "tier", "x"), "not split": of(plain, "a", "g"),
		"another rule": of(sluice.SpendRule{ID: "s"}, "a", "g"),
	} {
		if other, twice := keys[k]; twice {
			t.Errorf("%s and %s share %q", name, other, k)
		}
		keys[k] = name
		if !strings.HasPrefix(k, "a\x00g\x00r\x00") && (name == "first" || name == "not split") || strings.HasPrefix(k, Prefix("a", "g", &plain)) != (name != "another gateway" && name != "another account" && name != "another rule") {
			t.Errorf("%s: prefix of %q", name, k)
		}
	}
	if p := Partition(first); len(p) != 2 || p["user"] != "ann" || p["team"] != "t" {
		t.Errorf("%v", p)
	}
	if p := Partition(of(plain, "a", "g")); p != nil {
		t.Errorf("%v", p)
	}
}

func TestTheRefusalIsTheReferences(t *testing.T) {
	r := sluice.SpendRule{ID: "daily", Limit: 10_500_000_000, Per: 24 * time.Hour, Sliding: true}
	e := Refusal(&r, "openai", "gpt-5", 1500*time.Millisecond)
	if want := "Spend limit exceeded: rule 'daily' (cost limit 10.5 per 86400s, sliding) for openai gpt-5"; e.Msg != want || e.Kind != sluice.KindSpendLimit {
		t.Errorf("%q", e.Msg)
	}
	if !strings.Contains(e.Hint, "2 s") {
		t.Errorf("%q", e.Hint)
	}
}

func TestWhatABodyAsks(t *testing.T) {
	image := strings.Repeat("iVBORw0KGgo", 20_000)
	for _, c := range []struct {
		name, body      string
		output, choices int64
		input           [2]int64 // between
	}{
		{"chat", `{"model":"m","max_tokens":50,"messages":[]}`, 50, 1, [2]int64{10, 20}},
		{"reasoning models", `{"max_completion_tokens":70}`, 70, 1, [2]int64{1, 20}},
		{"responses", `{"max_output_tokens":80}`, 80, 1, [2]int64{1, 20}},
		{"completions of old", `{"max_tokens_to_sample":80}`, 80, 1, [2]int64{1, 20}},
		{"Gemini", `{"generationConfig":{"maxOutputTokens":90,"candidateCount":2}}`, 90, 2, [2]int64{1, 30}},
		{"Converse", `{"inferenceConfig":{"maxTokens":100}}`, 100, 1, [2]int64{1, 30}},
		{"Ollama", `{"options":{"num_predict":110}}`, 110, 1, [2]int64{1, 30}},
		{"two bounds: the larger", `{"max_tokens":5,"max_completion_tokens":70}`, 70, 1, [2]int64{1, 30}},
		{"several answers", `{"n":3,"max_tokens":5}`, 5, 3, [2]int64{1, 30}},
		{"no bound", `{"max_tokens":null}`, 0, 1, [2]int64{1, 30}},
		{"a bound that is none", `{"max_tokens":-4,"n":-1,"options":{"num_predict":-1},"generationConfig":7}`, 0, 1, [2]int64{1, 30}},
		{"a bound without bounds", `{"max_tokens":9007199254740000,"n":1000000}`, maxOutput, maxChoices, [2]int64{1, 30}},
		{"no JSON", strings.Repeat("x", 3000), 0, 1, [2]int64{1000, 1001}},
		{"nothing", "", 0, 1, [2]int64{1, 1}},
		{"an image", `{"max_tokens":9,"x":[{"data":"` + image + `"},{"url":"data:image/png;base64,` + image + `"}]}`, 9, 1, [2]int64{3200, 3300}},
		{"a long text", `{"x":"` + strings.Repeat("All the world's a stage. ", 4000) + `"}`, 0, 1, [2]int64{33_000, 34_000}},
		{"a long text without spaces", `{"x":"` + strings.Repeat("世界", 20_000) + `"}`, 0, 1, [2]int64{40_000, 41_000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ReadAsk([]byte(c.body))
			if a.Output != c.output || a.Choices != c.choices || a.Input < c.input[0] || a.Input > c.input[1] {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestWhatIsReserved(t *testing.T) {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	p, _, ok := price.Embedded().Find("openai", "gpt-4o", at)
	if !ok {
		t.Fatal("gpt-4o has no price")
	}
	in, _ := p.Rate(sluice.Input)
	out, _ := p.Rate(sluice.Output)
	ask := Ask{Input: 2_000, Output: 500, Choices: 2}
	amount, priced := Amount(ask.Usage("chat/completions", 7, p), p, nil)
	if want := sluice.NanoUSD(2_000*in/1_000_000 + 1_000*out/1_000_000); !priced || amount != want {
		t.Errorf("%d, %v; want %d", amount, priced, want)
	}
	ask.Output = 0
	amount, _ = Amount(ask.Usage("chat/completions", 1_000, p), p, nil)
	if want := sluice.NanoUSD(2_000*in/1_000_000 + 2_000*out/1_000_000); amount != want {
		t.Errorf("without a bound: %d; want %d", amount, want)
	}
	u := ask.Usage("embeddings", 1_000, nil)
	if _, known := u.Get(sluice.Output); known {
		t.Error("vectors have output")
	}
	embeddings, _, ok := price.Embedded().Find("openai", "text-embedding-3-small", at)
	if amount, priced := Amount(ask.Usage("x", 10, embeddings), embeddings, nil); !ok || !priced || amount <= 0 {
		t.Errorf("a price without output: %d, %v", amount, priced)
	}
	custom, err := price.Custom(`{"total_cost":0.25}`)
	if err != nil {
		t.Fatal(err)
	}
	if amount, priced := Amount(ask.Usage("x", 10, nil), nil, &custom); !priced || amount != 250_000_000 {
		t.Errorf("the caller's price: %d, %v", amount, priced)
	}
	if amount, priced := Amount(ask.Usage("x", 10, nil), nil, nil); priced || amount != 0 {
		t.Errorf("no price: %d, %v", amount, priced)
	}
}

func TestTypicalOutput(t *testing.T) {
	o := NewOutputs()
	if got := o.Typical("p", "m"); got != LeastOutput {
		t.Errorf("nothing seen: %d", got)
	}
	for range 19 {
		o.Observe("p", "m", 50_000)
	}
	if got := o.Typical("p", "m"); got != LeastOutput {
		t.Errorf("too few seen: %d", got)
	}
	for i := range int64(5000) {
		o.Observe("p", "m", 20_000)
		if i%200 == 0 {
			o.Observe("p", "m", 1_000_000)
		}
		o.Observe("p", "short", i%50)
	}
	if got := o.Typical("p", "m"); got < 20_000 || got > 22_000 {
		t.Errorf("99 of 100 had 20,000: %d", got)
	}
	if got := o.Typical("p", "short"); got != LeastOutput {
		t.Errorf("short answers: %d", got)
	}
	for i := range 2 * maxModels {
		o.Observe("p", strings.Repeat("m", i), 1)
	}
	if len(o.models) > maxModels {
		t.Errorf("%d models are remembered", len(o.models))
	}
}

func TestForecast(t *testing.T) {
	r := sluice.SpendRule{Limit: 1000, Per: time.Hour}
	for _, c := range []struct {
		name    string
		s       State
		sliding bool
		want    sluice.NanoUSD
		ok      bool
	}{
		{"half of the window", State{Spent: 100, Reset: 30 * time.Minute}, false, 200, true},
		{"the end", State{Spent: 100, Reset: 0}, false, 100, true},
		{"three digits", State{Spent: 123_456_789, Reset: 30 * time.Minute}, false, 247_000_000, true},
		{"too early", State{Spent: 100, Reset: 59 * time.Minute}, false, 0, false},
		{"sliding", State{Spent: 100, Reset: 0}, true, 0, false},
	} {
		r.Sliding = c.sliding
		if got, ok := Forecast(&r, c.s); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v", c.name, got, ok)
		}
	}
}

func FuzzAsk(f *testing.F) {
	f.Add([]byte(`{"max_tokens":50,"n":2,"generationConfig":{"maxOutputTokens":1e3}}`))
	f.Add([]byte(`{"a":"` + strings.Repeat("A", 3000) + `","options":{"num_predict":`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := ReadAsk(body)
		if a.Input < 1 || a.Input > maxInput || a.Output < 0 || a.Output > maxOutput || a.Choices < 1 || a.Choices > maxChoices {
			t.Fatalf("%+v", a)
		}
		// Another reader finds no larger bound at the top, unless names repeat.
		var top map[string]json.RawMessage
		if json.Unmarshal(body, &top) != nil {
			return
		}
		keys := outputKeys()
		var found [11]jsonscan.Value
		if scan := jsonscan.Top(body, keys, found[:]); scan.Repeated != "" {
			return
		}
		var n int64
		if json.Unmarshal(top["max_tokens"], &n) == nil && n > 0 && a.Output < min(n, maxOutput) {
			t.Fatalf("%s: %+v", body, a)
		}
	})
}

// TestWhatIsReservedOfUnits: images, sounds and texts made into speech have a price each.
func TestWhatIsReservedOfUnits(t *testing.T) {
	var over []price.Override
	for model, usd := range map[string]map[string]string{
		"painter": {"images": "40"}, "listener": {"minutes": "0.006"}, "speaker": {"characters": "15"},
	} {
		o, err := price.NewOverride("openai", model, "", "", usd)
		if err != nil {
			t.Fatal(err)
		}
		over = append(over, o)
	}
	c := price.Embedded().With(over)
	for _, tt := range []struct {
		model, endpoint string
		ask             Ask
		want            sluice.NanoUSD
	}{
		{"painter", "images/generations", Ask{Input: 10, Choices: 3, Bytes: 40}, 3 * 40_000_000},
		{"painter", "images/generations", Ask{Input: 10, Choices: 1, Bytes: 40}, 40_000_000},
		{"listener", "audio/transcriptions", AskOfSize(240_000 - 4), 6_000_000}, // a minute of sound
		{"speaker", "audio/speech", Ask{Input: 10, Choices: 1, Bytes: 1000}, 15_000_000},
	} {
		p, _, ok := c.Find("openai", tt.model, time.Now())
		if !ok {
			t.Fatalf("%s has no price", tt.model)
		}
		if amount, priced := Amount(tt.ask.Usage(tt.endpoint, LeastOutput, p), p, nil); !priced || amount != tt.want {
			t.Errorf("%s: %d, %v; want %d", tt.model, amount, priced, tt.want)
		}
	}
}
