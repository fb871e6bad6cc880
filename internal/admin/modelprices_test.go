package admin

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

const modelPrices = accountPath + "/prices"

// newBook makes prices over a real store. The configuration has one for openai/of-file.
func newBook(t *testing.T) *price.Book {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	o, err := price.NewOverride("openai", "of-file", "", "", map[string]string{"input": "1"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := price.OpenBook(t.Context(), price.NewStore(price.Embedded(), []price.Override{o}, nil), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// modelPrice reads an answer that is a model's price.
func (b *bench) modelPrice(v reply) ModelPriceView {
	b.t.Helper()
	var p ModelPriceView
	if err := json.Unmarshal(v.Result, &p); err != nil || p.Model == "" {
		b.t.Fatalf("%d %s %+v", v.status, v.Result, v.Errors)
	}
	return p
}

func TestAModelsPriceIsReadSetAndDeleted(t *testing.T) {
	b := newBench(t)
	one := modelPrices + "/openai/gpt-4o-mini"
	listed := b.modelPrice(b.call(one))
	if listed.Origin != "catalogue" || listed.USD["input"] != "0.15" || listed.FoundBy != "name" || listed.Source == "" || listed.AsOf == "" || listed.ModifiedAt != nil {
		t.Errorf("listed %+v", listed)
	}
	set := b.modelPrice(b.send(http.MethodPut, one, `{"usd":{"input":0.10,"output":"0.5"}}`))
	if set.Origin != "stored" || set.USD["input"] != "0.1" || set.USD["output"] != "0.5" || len(set.USD) != 2 || set.ModifiedAt == nil {
		t.Errorf("set %+v", set)
	}
	if got := b.modelPrice(b.call(one)); got.Origin != "stored" || got.USD["input"] != "0.1" || got.FoundBy != "override" {
		t.Errorf("read %+v", got)
	}
	// Sent back as it came it is the same, also where it takes another model's prices.
	like := b.modelPrice(b.send(http.MethodPut, modelPrices+"/open-ai/org%2Flab*", `{"as":"openai/gpt-4o-mini","times":"1/2"}`))
	if like.Provider != "openai" || like.Model != "org/lab*" || *like.As != "openai/gpt-4o-mini" || like.Times != "1/2" {
		t.Errorf("like %+v", like)
	}
	text, err := json.Marshal(like)
	if err != nil {
		t.Fatal(err)
	}
	if again := b.modelPrice(b.send(http.MethodPut, modelPrices+"/openai/org%2Flab*", string(text))); *again.As != *like.As || again.Times != like.Times {
		t.Errorf("again %+v", again)
	}
	if got := b.modelPrice(b.call(modelPrices + "/openai/org%2Flab-7")); got.Model != "org/lab*" || got.FoundBy != "override" {
		t.Errorf("by its pattern %+v", got)
	}
	if got := b.modelPrice(b.send(http.MethodDelete, one, "")); got.USD["output"] != "0.5" {
		t.Errorf("deleted %+v", got)
	}
	if got := b.modelPrice(b.call(one)); got.Origin != "catalogue" || got.USD["input"] != "0.15" {
		t.Errorf("after that %+v", got)
	}
	other := b.modelPrice(b.call("/client/v4/accounts/other/ai-gateway/prices/openai/gpt-4o-mini"))
	if other.Origin != "catalogue" {
		t.Errorf("another account sees %+v", other)
	}
}

func TestModelPricesRefused(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		method, path, body string
		status, code       int
		says               string
	}{
		{"PUT", "/openai/of-file", `{"usd":{"input":1}}`, 409, codeInvalid, "comes from the configuration"},
		{"DELETE", "/openai/of-file", "", 409, codeInvalid, "comes from the configuration"},
		{"DELETE", "/openai/gpt-4o", "", 404, codeNotFound, "no price of its own"},
		{"GET", "/openai/no-such-model", "", 404, codeNotFound, "has no price"},
		{"PUT", "/nobody/m", `{"usd":{"input":1}}`, 404, codeNotFound, "no provider"},
		{"PUT", "/openai/m", `{}`, 400, codeInvalid, "needs either prices"},
		{"PUT", "/openai/m", `{"usd":{"input":-1}}`, 400, codeInvalid, "no price in US dollars"},
		{"PUT", "/openai/m", `{"usd":{"input":null}}`, 400, codeInvalid, ""},
		{"PUT", "/openai/m", `{"usd":{"input":[1]}}`, 400, codeInvalid, ""},
		{"PUT", "/openai/m", `{"usd":{"input":1e300}}`, 400, codeInvalid, "no price in US dollars"},
		{"PUT", "/openai/m", `{"usd":{"inputs":1}}`, 400, codeInvalid, "nothing that has a price"},
		{"PUT", "/openai/m", `{"usd":{"input":1},"times":"twice"}`, 400, codeInvalid, "no multiplier"},
		{"PUT", "/openai/m", `{"as":"gpt-4o"}`, 400, codeInvalid, "want provider/model"},
	} {
		v := b.send(test.method, modelPrices+test.path, test.body)
		if v.status != test.status || v.Errors[0].Code != test.code || !strings.Contains(v.Errors[0].Message, test.says) {
			t.Errorf("%s %s %s: %d %+v", test.method, test.path, test.body, v.status, v.Errors)
		}
	}
	v := b.call(modelPrices + "/models?origin=stored")
	if got := v.items(t); len(got) != 0 {
		t.Errorf("stored: %v", got)
	}
}

func TestModelPricesAreListed(t *testing.T) {
	b := newBench(t)
	b.modelPrice(b.send(http.MethodPut, modelPrices+"/openai/gpt-4o", `{"usd":{"input":1}}`))
	models := func(query string) (names []string, total float64) {
		v := b.call(modelPrices + "/models?" + query)
		for _, item := range v.items(t) {
			name, _ := item["provider"].(string)
			model, _ := item["model"].(string)
			names = append(names, name+"/"+model)
		}
		total, _ = v.ResultInfo["total_count"].(float64)
		return names, total
	}
	if got, _ := models("origin=stored"); !slices.Equal(got, []string{"openai/gpt-4o"}) {
		t.Errorf("stored %q", got)
	}
	if got, _ := models("origin=file"); !slices.Equal(got, []string{"openai/of-file"}) {
		t.Errorf("of the file %q", got)
	}
	if got, total := models("provider=anthropic&search=OPUS&per_page=2"); len(got) != 2 || total < 3 || !strings.HasPrefix(got[0], "anthropic/") || !strings.Contains(got[1], "opus") {
		t.Errorf("%q of %v", got, total)
	}
	all, total := models("per_page=1000")
	second, _ := models("per_page=1000&page=2")
	if len(all) != 1000 && len(all) != int(total) || len(all)+len(second) > int(total) {
		t.Errorf("%d and %d of %v", len(all), len(second), total)
	}
	if got, _ := models("page=100000"); len(got) != 0 {
		t.Errorf("behind the end: %q", got)
	}
}

func TestDeletingACustomProviderDeletesItsPrices(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		settings := d.Settings
		d.Settings = func() *Settings {
			now := *settings()
			now.Provider = func(_, segment string) (string, bool) { return segment, segment == "custom-lab" }
			return &now
		}
	})
	made := b.custom(b.send(http.MethodPost, customPath, `{"name":"Lab","slug":"lab","base_url":"https://lab.example"}`))
	b.modelPrice(b.send(http.MethodPut, modelPrices+"/custom-lab/m", `{"usd":{"input":1}}`))
	b.custom(b.send(http.MethodDelete, customPath+"/"+made.ID, ""))
	b.fails(modelPrices+"/custom-lab/m", http.StatusNotFound, codeNotFound, "has no price")
}
