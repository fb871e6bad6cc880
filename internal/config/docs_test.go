package config_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/internal/config"
)

func TestEveryFieldIsDescribed(t *testing.T) {
	seen := map[string]string{}
	for _, f := range config.Fields() {
		if f.Help == "" || f.Type == "" || f.Path == "" {
			t.Errorf("%+v lacks help, type or path", f)
		}
		if other, taken := seen[f.Env]; taken {
			t.Errorf("%s and %s share %s", f.Path, other, f.Env)
		}
		seen[f.Env] = f.Path
		if secret := f.Type == config.TypeSecret; secret && f.Flag != "" {
			t.Errorf("secret %s has a flag", f.Path)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d fields", len(seen))
	}
}

func TestMarkdownNamesEverySetting(t *testing.T) {
	var b bytes.Buffer
	if err := config.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, f := range config.Fields() {
		if !strings.Contains(b.String(), "`"+f.Path+"`") || !strings.Contains(b.String(), "`"+f.Env+"`") {
			t.Errorf("%s or %s is missing", f.Path, f.Env)
		}
	}
}

func TestSampleIsValidCommentedAndNot(t *testing.T) {
	if _, err := config.Load(config.Source{File: write(t, config.Sample())}); err != nil {
		t.Error(err)
	}
	text := strings.NewReplacer(
		"/etc/sluice/tls.crt", `""`, "/etc/sluice/tls.key", `""`, "/etc/sluice/ca.pem", `""`,
	).Replace(sampleInForce(t))
	l, err := config.Load(config.Source{File: write(t, text), Env: []string{"SLUICE_ADMIN_SECRET=0123456789abcdef", "SLUICE_MASTER_SECRET=0123456789abcdef", "SLUICE_OIDC_SECRET=0123456789abcdef", "SLUICE_SCRAPE_SECRET=0123456789abcdef"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range l.Values() {
		if v.Origin.Kind != config.FromFile {
			t.Errorf("%s does not stand in the sample", v.Path)
		}
	}
}

// sampleInForce removes "# " from each setting's line.
func sampleInForce(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	head := true
	for line := range strings.Lines(config.Sample()) {
		if strings.HasPrefix(line, "## ") {
			head = false
		}
		if rest, found := strings.CutPrefix(line, "# "); found && !head {
			line = rest
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestSchemaAgreesWithLoad(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sluice.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		text  string
		valid bool
	}{
		{"log: {level: debug, max_age: 30d, max_bytes: 1.5GB}\n", true},
		{"log: {max_age: 0, max_bytes: 0, max_rows: 5}\n", true},
		{"accounts: {a: {gateways: {b: {cache_ttl: 300}}}}\n", true},
		{"accounts: {a: {gateways: {b: {cache_ttl: 5m}}}}\n", true},
		{"accounts: {a: {gateways: {b: {cache_ttl: 3153600000}}}}\n", true},
		{"accounts: {a: {gateways: {b: {cache_ttl: 3153600001}}}}\n", false},
		{"accounts: {a: {gateways: {b: {cache_ttl: -1}}}}\n", false},
		{"accounts: {a: {gateways: {b: {cache_ttl: '300'}}}}\n", true},
		{"accounts: {a: {gateways: {b: {cache_ttl: 300 apples}}}}\n", false},
		{"log:\nproviders:\n", true},
		{"accounts: {default: {aliases: [a], gateways: {g: {collect_logs: false}}}}\n", true},
		{"providers: {mine: {kind: openai, base_url: 'http://h'}}\n", true},
		{"log: {levl: debug}\n", false},
		{"log: {level: loud}\n", false},
		{"log: {max_age: soon}\n", false},
		{"log: {max_age: 5}\n", false},
		{"log: {max_bytes: big}\n", false},
		{"log: {max_rows: -1}\n", false},
		{"log: []\n", false},
		{"accounts: {default: {gateways: {g: {colect_logs: false}}}}\n", false},
		{"admin_token: ''\n", false},
	}
	for _, tt := range tests {
		var value any
		if err := yaml.Unmarshal([]byte(tt.text), &value); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := schema.Validate(instance)
		_, byLoad := config.Load(config.Source{File: write(t, tt.text)})
		if (bySchema == nil) != tt.valid || (byLoad == nil) != tt.valid {
			t.Errorf("%s: schema says %v, Load says %v; want valid %v", strings.TrimSpace(tt.text), bySchema, byLoad, tt.valid)
		}
	}
	if diff := cmp.Diff(config.Schema(), config.Schema()); diff != "" {
		t.Error("the schema is not the same each time")
	}
}
