package config

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of the configuration file, for editors.
func Schema() []byte {
	root := tree().schema()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Sluice configuration"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // maps and texts of ours
	}
	return append(text, '\n')
}

// schema returns the schema of a node. A section may be left empty, which YAML reads as null.
func (n *node) schema() map[string]any {
	s := map[string]any{}
	if n.help != "" {
		s["description"] = n.help
	}
	switch {
	case n.leaf != "":
		n.leafSchema(s)
	case n.elem != nil:
		s["type"] = []string{"object", "null"}
		s["additionalProperties"] = n.elem.schema()
	default:
		properties := map[string]any{}
		for _, c := range n.children {
			properties[c.key] = c.schema()
		}
		s["type"] = []string{"object", "null"}
		s["properties"] = properties
		s["additionalProperties"] = false
	}
	return s
}

func (n *node) leafSchema(s map[string]any) {
	switch n.leaf {
	case TypeString:
		s["type"] = []string{"string", "null"}
		if n.enum != nil {
			s["enum"] = append(anys(n.enum), nil)
		}
	case TypeSecret:
		s["type"] = "string"
		s["minLength"] = 1
	case TypeBool:
		s["type"] = []string{"boolean", "null"}
	case TypeInt:
		s["type"] = []string{"integer", "null"}
		s["minimum"] = n.min
	case TypeSize:
		s["type"] = []string{"string", "integer", "null"}
		s["pattern"] = `^ *[0-9]+(\.[0-9]+)? *([KkMmGgTt]?[Ii]?[Bb])? *$`
		s["minimum"] = n.min
	case TypeDuration:
		s["type"] = []string{"string", "integer", "null"}
		s["pattern"] = `^ *(0|([0-9.]+(d|h|m|s|ms|us|ns))+) *$`
		s["maximum"] = 0 // a bare number can only be 0
		if n.unit > 0 {
			s["pattern"] = `^ *([0-9]+|([0-9.]+(d|h|m|s|ms|us|ns))+) *$`
			s["minimum"], s["maximum"] = 0, n.max/int64(n.unit)
		}
	case TypeJSON:
		s["type"] = []string{"object", "string", "null"}
	case TypeList:
		s["type"] = []string{"array", "string", "null"}
		s["items"] = map[string]any{"type": "string"}
	}
	if n.def != "" {
		s["default"] = n.jsonDefault()
	}
}

// jsonDefault returns the default as JSON would have it.
func (n *node) jsonDefault() any {
	switch n.leaf {
	case TypeBool:
		return n.def == "true"
	case TypeInt:
		i, _ := strconv.ParseInt(n.def, 10, 64) // setDefaults has read the same tag
		return i
	}
	return n.def
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

// Sample returns a configuration file in which every setting stands with its help and default,
// commented out. It is valid as it is and with every "#" before a setting removed.
func Sample() string {
	var b strings.Builder
	b.WriteString("# Sluice's settings. All are optional; what stands here behind # is the default or an example.\n" +
		"# Flags beat the environment (SLUICE_LOG_LEVEL), which beats this file. A secret may be written as\n" +
		"# ${NAME} (a variable of the environment) or file:/path. Check with: sluice config validate\n")
	examples := sampleExamples()
	tree().sample(&b, 0, "", examples)
	return b.String()
}

// sampleExamples gives what stands in the sample for settings without a default, and for map keys.
func sampleExamples() map[string]string {
	return map[string]string{
		"admin_listen":                          "127.0.0.1:8089",
		"base_path":                             "/ai",
		"admin_token":                           "${SLUICE_ADMIN_SECRET}",
		"master_key":                            "${SLUICE_MASTER_SECRET}",
		"metrics.token":                         "${SLUICE_SCRAPE_SECRET}",
		"vault.key_file":                        "/etc/sluice/master.key",
		"tls.cert":                              "/etc/sluice/tls.crt",
		"tls.key":                               "/etc/sluice/tls.key",
		"hosts.<host>":                          "ai.example.com",
		"accounts.<account>":                    "default",
		"accounts.<account>.aliases":            "[0123456789abcdef0123456789abcdef]",
		"accounts.<account>.gateways.<gateway>": "default",
		"providers.<provider>":                  "my-engine",
		"providers.<provider>.base_url":         "http://127.0.0.1:8000/v1",
		"providers.<provider>.kind":             "openai",
		"upstream.ca_file":                      "/etc/sluice/ca.pem",
		"upstream.private_hosts":                "[10.0.0.0/8, models.internal]",
		"sign_in.trusted_proxies":               "[10.0.0.0/8]",
		"oidc.issuer":                           "https://id.example.com",
		"oidc.client_id":                        "sluice",
		"oidc.client_secret":                    "${SLUICE_OIDC_SECRET}",
		"oidc.redirect_url":                     "https://sluice.example.com/client/v4/session/oidc/callback",
		"oidc.scopes":                           "[openid, email, profile]",
		"oidc.domains":                          "[example.com]",
		"oidc.grants.<grant>":                   "everybody",
		"oidc.grants.<grant>.domain":            "example.com",
		"cors.origins":                          "[https://app.example.com]",
		"prices.models.<provider/model>":        "my-engine/llama-*",
		"prices.models.<provider/model>.input":  "0.05",
		"prices.models.<provider/model>.output": "0.2",
	}
}

// sample writes the settings below n.
func (n *node) sample(b *strings.Builder, depth int, path string, examples map[string]string) {
	indent := strings.Repeat("  ", depth)
	if n.elem != nil {
		at := strings.TrimPrefix(path+"."+n.elem.key, ".")
		b.WriteString("# " + indent + examples[at] + ":\n")
		n.elem.sample(b, depth+1, at, examples)
		return
	}
	for _, c := range n.children {
		at := strings.TrimPrefix(path+"."+c.key, ".")
		if depth == 0 && c.leaf == "" {
			b.WriteString("\n")
		}
		if c.help != "" {
			// "##" is prose: it stays a comment when one "# " is removed from the line.
			b.WriteString("## " + indent + c.help + "\n")
		}
		if c.leaf == "" {
			b.WriteString("# " + indent + c.key + ":\n")
			c.sample(b, depth+1, at, examples)
			continue
		}
		value := c.def
		if example, found := examples[at]; found {
			value = example
		}
		b.WriteString("# " + indent + c.key + ": " + quoted(value) + "\n")
	}
}

// quoted puts quotes around what YAML would read as something else.
func quoted(value string) string {
	if value == "" || strings.HasPrefix(value, "$") {
		return strconv.Quote(value)
	}
	return value
}
