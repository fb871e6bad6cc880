package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluicehq/sluice/internal/config"
)

// write makes a file with content in a directory of its own and returns its name.
func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestNothingSetGivesTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := config.Load(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Listen != "127.0.0.1:8088" || c.Limits.BodyBytes != 25_000_000 || c.Timeouts.FirstByte != 10*time.Minute {
		t.Errorf("listen %q, body %d, first byte %v", c.Listen, c.Limits.BodyBytes, c.Timeouts.FirstByte)
	}
	gateway, found := c.Accounts["default"].Gateways["default"]
	if !found || !*gateway.CollectLogs || !*gateway.CollectPayload {
		t.Errorf("want default/default with logs and payload, got %+v, %v", gateway, found)
	}
	if l.File != "" || len(l.Warnings) != 0 {
		t.Errorf("file %q, warnings %q", l.File, l.Warnings)
	}
	if got := l.Origins["listen"].String(); got != "default" {
		t.Errorf("origin of listen = %q", got)
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := write(t, "log:\n  level: warn\n  format: json\n  max_age: 30d\n")
	l, err := config.Load(config.Source{
		File:  file,
		Env:   []string{"SLUICE_LOG_LEVEL=debug", "SLUICE_LOG_FORMAT=text"},
		Flags: map[string]string{"log.level": "error"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Config.Log.Level != "error" || l.Config.Log.Format != "text" || l.Config.Log.MaxAge != 30*24*time.Hour {
		t.Errorf("got %+v", l.Config.Log)
	}
	want := map[string]string{
		"log.level": "flag --log-level", "log.format": "env SLUICE_LOG_FORMAT", "log.max_age": file + ":4",
		"log.durability": "default",
	}
	for path, origin := range want {
		if got := l.Origins[path].String(); got != origin {
			t.Errorf("origin of %s = %q, want %q", path, got, origin)
		}
	}
}

func TestFileIsFoundInOrder(t *testing.T) {
	work, home := t.TempDir(), t.TempDir()
	t.Chdir(work)
	env := []string{"HOME=" + home}
	put := func(name, level string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("log: {level: "+level+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded := func(s config.Source) string {
		t.Helper()
		l, err := config.Load(s)
		if err != nil {
			t.Fatal(err)
		}
		return l.Config.Log.Level
	}
	put(filepath.Join(home, ".config", "sluice", "sluice.yaml"), "warn")
	if got := loaded(config.Source{Env: env}); got != "warn" {
		t.Errorf("from the home directory: %q", got)
	}
	put(filepath.Join(work, "sluice.yaml"), "error")
	if got := loaded(config.Source{Env: env}); got != "error" {
		t.Errorf("from the working directory: %q", got)
	}
	other := filepath.Join(home, "other.yaml")
	put(other, "debug")
	if got := loaded(config.Source{Env: append(env, "SLUICE_CONFIG="+other)}); got != "debug" {
		t.Errorf("from SLUICE_CONFIG: %q", got)
	}
	if _, err := config.Load(config.Source{File: filepath.Join(home, "missing.yaml")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was asked for and is missing: %v", err)
	}
}

func TestNamesInTheEnvironment(t *testing.T) {
	file := write(t, `
accounts:
  default:
    gateways: {my_gw: {}, a.b: {}, prod: {}}
hosts:
  ai.example.com: {gateway: prod}
`)
	_, err := config.Load(config.Source{File: file})
	if err == nil || !strings.Contains(err.Error(), `"a.b" is not an id`) {
		t.Errorf("a gateway named a.b: %v", err)
	}
	file = write(t, `
accounts:
  default:
    gateways: {my_gw: {}, prod: {}}
hosts:
  ai.example.com: {gateway: prod}
`)
	l, err := config.Load(config.Source{File: file, Env: []string{
		"SLUICE_PROVIDERS_OPENAI_BASE_URL=http://127.0.0.1:9000",
		"SLUICE_PROVIDERS_WORKERS_AI_BASE_URL=http://127.0.0.1:9001",
		"SLUICE_ACCOUNTS_DEFAULT_GATEWAYS_MY_GW_COLLECT_LOGS=no",
		"SLUICE_ACCOUNTS_DEFAULT_GATEWAYS_NEW_ONE_COLLECT_PAYLOAD=off",
		"SLUICE_ACCOUNTS_DEFAULT_ALIASES=0123456789abcdef0123456789abcdef, other",
		"SLUICE_HOSTS_AI_EXAMPLE_COM_GATEWAY=my_gw",
		"SLUICE_LOG_LEVEL=",
		"SLUICE_LOG_LEVLE=debug",
		"SLUICE_HOSTS_OTHER_EXAMPLE_COM_GATEWAY=prod",
		"SLUICE_TOKEN=x", "SLUICE_PORT_8088_TCP=tcp://10.0.0.1:8088", "SLUICE_SERVICE_HOST=10.0.0.1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Providers["openai"].BaseURL != "http://127.0.0.1:9000" || c.Providers["workers-ai"].BaseURL != "http://127.0.0.1:9001" {
		t.Errorf("providers %+v", c.Providers)
	}
	a := c.Accounts["default"]
	if *a.Gateways["my_gw"].CollectLogs || !*a.Gateways["my_gw"].CollectPayload || *a.Gateways["new-one"].CollectPayload {
		t.Errorf("gateways %+v", a.Gateways)
	}
	if diff := cmp.Diff([]string{"0123456789abcdef0123456789abcdef", "other"}, a.Aliases); diff != "" {
		t.Error(diff)
	}
	if c.Hosts["ai.example.com"].Gateway != "my_gw" || len(c.Hosts) != 1 || c.Log.Level != "info" {
		t.Errorf("hosts %+v, level %q", c.Hosts, c.Log.Level)
	}
	warnings := strings.Join(l.Warnings, "\n")
	if len(l.Warnings) != 2 || !strings.Contains(warnings, "SLUICE_LOG_LEVLE: no such setting; did you mean SLUICE_LOG_LEVEL?") ||
		!strings.Contains(warnings, "SLUICE_HOSTS_OTHER_EXAMPLE_COM_GATEWAY") {
		t.Errorf("warnings %q", l.Warnings)
	}
}

func TestNameThatMeansTwoSettings(t *testing.T) {
	file := write(t, `
accounts:
  a: {gateways: {b-gateways-c: {}}}
  a-gateways-b: {gateways: {c: {}}}
`)
	_, err := config.Load(config.Source{File: file, Env: []string{"SLUICE_ACCOUNTS_A_GATEWAYS_B_GATEWAYS_C_COLLECT_LOGS=no"}})
	if err == nil || !strings.Contains(err.Error(), "means more than one setting") {
		t.Errorf("got %v", err)
	}
	file = write(t, "accounts: {a: {gateways: {b-gateways-c: {}}}}\n")
	l, err := config.Load(config.Source{File: file, Env: []string{"SLUICE_ACCOUNTS_A_GATEWAYS_B_GATEWAYS_C_COLLECT_LOGS=no"}})
	if err != nil {
		t.Fatal(err)
	}
	if *l.Config.Accounts["a"].Gateways["b-gateways-c"].CollectLogs {
		t.Error("the meaning that the file knows was not taken")
	}
}

func TestFlagPathsReachIntoMaps(t *testing.T) {
	l, err := config.Load(config.Source{Flags: map[string]string{
		"providers.llama.cpp.base_url":                   "http://127.0.0.1:1",
		"accounts.default.gateways.default.collect_logs": "false",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if l.Config.Providers["llama.cpp"].BaseURL != "http://127.0.0.1:1" || *l.Config.Accounts["default"].Gateways["default"].CollectLogs {
		t.Errorf("got %+v", l.Config)
	}
}

func TestSecrets(t *testing.T) {
	const secret = "sk-correct-horse-battery"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		env        []string
		flags      map[string]string
		origin     string // after the file's name
		err        string
	}{
		{name: "in the file", file: "admin_token: " + secret, origin: ":1"},
		{name: "in a variable", env: []string{"SLUICE_ADMIN_TOKEN=" + secret}, origin: "env SLUICE_ADMIN_TOKEN"},
		{name: "by a reference to a variable", file: "admin_token: ${MY_TOKEN}", env: []string{"MY_TOKEN=" + secret}, origin: ":1 (${MY_TOKEN})"},
		{name: "by a reference to a file", file: "admin_token: file:" + file, origin: ":1 (file:" + file + ")"},
		{name: "by a variable that refers to a file", env: []string{"SLUICE_ADMIN_TOKEN=file:" + file}, origin: "env SLUICE_ADMIN_TOKEN (file:" + file + ")"},
		{name: "a reference to nothing", file: "admin_token: ${MY_TOKEN}", err: "the environment has no MY_TOKEN"},
		{name: "a reference to an empty variable", file: "admin_token: ${MY_TOKEN}", env: []string{"MY_TOKEN="}, err: "the environment has no MY_TOKEN"},
		{name: "a missing file", file: "admin_token: file:/does/not/exist", err: "no such file"},
		{name: "an empty file", file: "admin_token: file:" + empty, err: "empty secret"},
		{name: "an empty variable", env: []string{"SLUICE_ADMIN_TOKEN="}, err: "empty secret"},
		{name: "an empty text", file: `admin_token: ""`, err: "empty secret"},
		{name: "nothing behind the name", file: "admin_token:", err: "empty secret"},
		{name: "a flag", flags: map[string]string{"admin_token": secret}, err: "never a flag"},
		{name: "a line end inside", file: `admin_token: "a\nb"`, err: "which no header carries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := config.Source{Env: tt.env, Flags: tt.flags}
			if tt.file != "" {
				s.File = write(t, tt.file)
			} else {
				t.Chdir(t.TempDir())
			}
			l, err := config.Load(s)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Error("the error shows the secret")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Config.AdminToken.Reveal(); got != secret {
				t.Errorf("token %q", got)
			}
			if got := strings.TrimPrefix(l.Origins["admin_token"].String(), s.File); got != tt.origin {
				t.Errorf("origin %q, want %q", got, tt.origin)
			}
			if shown := fmt.Sprintf("%+v %#v %v", l.Config, l.Config, l.Values()); strings.Contains(shown, secret) {
				t.Error("printing shows the secret")
			}
		})
	}
}

func TestAllErrorsComeInOneAnswer(t *testing.T) {
	file := write(t, `listen: 0.0.0.0
log:
  levl: debug
  format: jsno
  format: json
  max_age: soon
limits:
  body_bytes: 25 parsecs
  header_bytes: 1KB
timeouts: [1, 2]
tls:
  cert: /does/not/exist
hosts:
  AI.example.com:443: {account: nobody}
accounts:
  One: {}
  two: {aliases: [default, x], gateways: {"a b": {}}}
  three: {aliases: [x]}
providers:
  compat: {}
  mine: {kind: openai}
  yours: {kind: opneai, base_url: "ftp://u:p@host/?q"}
upstream:
  transport: fast
  private_hosts: [10.0.0.0/33, ok.internal]
cors:
  origins: [https://a.example, "https://b.example/", b]
base_path: ai/
data_dir: ""
`)
	_, err := config.Load(config.Source{File: file, Env: []string{"SLUICE_UPSTREAM_CONNS_PER_HOST=-1"}})
	errs, ok := errors.AsType[*config.Errors](err)
	if !ok {
		t.Fatalf("got %v, want an *Errors", err)
	}
	var got []string
	for _, p := range errs.List {
		got = append(got, strings.ReplaceAll(p.String(), file, "F"))
	}
	want := []string{
		"F:3: log.levl: no such setting; did you mean log.level?",
		"F:5: log.format: set twice, first in line 4; keep one",
		"F:10: timeouts: a section with settings is wanted here",
		`F:6: log.max_age: "soon" is not a duration such as 500ms, 30s, 10m, 12h or 30d (0 alone needs no unit)`,
		`F:8: limits.body_bytes: "25 parsecs" is not a size such as 512KB, 25MB or 4GiB`,
		`F:22: providers.yours.kind: "opneai" is not known; did you mean openai?`,
		`F:9: limits.header_bytes: 1KB is too small; at least 4KiB`,
		`F:24: upstream.transport: "fast" is not known; one of: auto, std`,
		`env SLUICE_UPSTREAM_CONNS_PER_HOST: upstream.conns_per_host: -1 is too small; at least 0`,
		`F:4: log.format: "jsno" is not known; did you mean json?`,
		`F:1: listen: "0.0.0.0" is not host:port; for example 127.0.0.1:8088, or :8088 for all addresses`,
		`F:28: base_path: "ai/" is not a path prefix; begin with / and end without, letters, digits, -, _, . and ~ between: /ai`,
		"tls: cert and key go together; set both, or neither",
		`accounts.One: "One" is not an id; 1 to 64 characters of a-z, 0-9, - and _`,
		`F:17: accounts.two.aliases: "x" means account three already`,
		`accounts.two.gateways.a b: "a b" is not an id; 1 to 64 characters of a-z, 0-9, - and _`,
		`hosts.AI.example.com:443: "AI.example.com:443" is not a host name; lower case, no port: ai.example.com`,
		`F:14: hosts.AI.example.com:443.account: there is no account "nobody"; add it under accounts`,
		`providers.compat: "compat" is not a provider's slug; 1 to 64 characters of a-z, 0-9, -, _ and ., and not compat`,
		"providers.mine.base_url: missing, and kind says that the provider is not built in; for example http://127.0.0.1:8000/v1",
		`F:22: providers.yours.base_url: "ftp://u:p@host/?q": begins with neither http:// nor https://; for example http://127.0.0.1:8000/v1`,
		`F:25: upstream.private_hosts: "10.0.0.0/33" is no host, address or range; for example 10.1.2.3, 10.0.0.0/8 or models.internal`,
		`F:27: cors.origins: "https://b.example/" is not an origin; scheme and host as the browser sends them: https://app.example.com; or *`,
		`F:27: cors.origins: "b" is not an origin; scheme and host as the browser sends them: https://app.example.com; or *`,
		"F:29: data_dir: no directory; for example ./sluice-data",
		"F:12: tls.cert: cannot read /does/not/exist: no such file or directory",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatOtherMachinesReach(t *testing.T) {
	tests := []struct {
		listen, admin string
		open          bool
	}{
		{"127.0.0.1:8088", "", true},
		{"127.8.9.1:8088", "", true},
		{"localhost:8088", "", true},
		{"[::1]:8088", "", true},
		{"[::ffff:127.0.0.1]:8088", "", true},
		{"127.0.0.1:8088", "[::1]:8089", true},
		{":8088", "", false},
		{"0.0.0.0:8088", "", false},
		{"[::]:8088", "", false},
		{"192.168.1.2:8088", "", false},
		{"example.com:8088", "", false},
		{"127.0.0.1:8088", ":8089", false},
		{":8088", "127.0.0.1:8089", false},
	}
	for _, tt := range tests {
		t.Run(tt.listen+" "+tt.admin, func(t *testing.T) {
			t.Chdir(t.TempDir())
			flags := map[string]string{"listen": tt.listen, "admin_listen": tt.admin}
			l, err := config.Load(config.Source{Flags: flags})
			if tt.open {
				if err != nil || len(l.Config.Accounts["default"].Gateways) != 1 {
					t.Errorf("want no error and default/default, got %v", err)
				}
				return
			}
			if err != nil || len(l.Config.Accounts) != 0 { // somebody may claim it
				t.Errorf("without a token: %v", err)
			}
			l, err = config.Load(config.Source{Flags: flags, Env: []string{"SLUICE_ADMIN_TOKEN=0123456789abcdef0123456789abcdef"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Config.Accounts) != 0 {
				t.Error("default/default exists although other machines can reach it")
			}
			if l.Builtin {
				t.Error("Builtin is set, and default/default is not there")
			}
		})
	}
}

func TestDiffNamesWhatNeedsARestart(t *testing.T) {
	load := func(text string) *config.Config {
		t.Helper()
		l, err := config.Load(config.Source{File: write(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		return &l.Config
	}
	old := load("log: {level: info}\nadmin_token: one-one-one-one-one\n")
	now := load("log: {level: debug}\nlisten: 127.0.0.1:1\nadmin_token: two-two-two-two-two\nproviders: {openai: {base_url: 'http://h'}}\n")
	want := []config.Change{
		{Path: "admin_token"},
		{Path: "listen", Restart: true},
		{Path: "log.level"},
		{Path: "providers.openai.base_url"},
		{Path: "providers.openai.kind"},
	}
	if diff := cmp.Diff(want, now.Diff(old)); diff != "" {
		t.Error(diff)
	}
	if changes := now.Diff(now); len(changes) != 0 {
		t.Errorf("against itself: %v", changes)
	}
}

func TestFilesThatAreNoSettings(t *testing.T) {
	tests := []struct{ name, text, err string }{
		{"empty", "", ""},
		{"only a comment", "# nothing\n", ""},
		{"JSON", `{"log": {"level": "debug"}}`, ""},
		{"an alias", "providers: {a: &x {kind: openai, base_url: 'http://h'}, b: *x}\n", ""},
		{"null sections", "log:\nproviders:\nlimits: ~\n", ""},
		{"bad syntax", "log: [\n", "line 1"},
		{"a tab", "log:\n\tlevel: x\n", "line 2"},
		{"a list", "- a\n", "a section with settings is wanted here"},
		{"two documents", "log: {level: info}\n---\nlog: {level: warn}\n", "more than one YAML document"},
		{"a merge key", "x: &x {level: debug}\nlog: {<<: *x}\n", "a setting's name is wanted here"},
		{"a list for one value", "listen: [a]\n", "one value is wanted here"},
		{"a list within a list", "cors: {origins: [[a]]}\n", "a list of plain texts"},
		{"a section of a value", "log: {level: {a: b}}\n", "one value is wanted here"},
		{"aliases that multiply", bomb(), "settings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(config.Source{File: write(t, tt.text)})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

// bomb is a file whose aliases stand for far more settings than its bytes hold.
func bomb() string {
	var b strings.Builder
	b.WriteString("accounts:\n  a0:\n    gateways: &g\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "      g%d: {}\n", i)
	}
	for i := range 1000 {
		fmt.Fprintf(&b, "  a%d: {gateways: *g}\n", i+1)
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("log: {level: debug}\n"), "SLUICE_LOG_LEVEL=warn")
	f.Add([]byte(config.Sample()), "SLUICE_ACCOUNTS_A_GATEWAYS_B_COLLECT_LOGS=no")
	f.Add([]byte("a: &a [*a]\n"), "SLUICE_PROVIDERS__BASE_URL=x")
	f.Add([]byte("accounts: &a {x: *a}\n"), "SLUICE_")
	file := filepath.Join(f.TempDir(), "sluice.yaml")
	f.Fuzz(func(t *testing.T, text []byte, env string) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Source{File: file, Env: []string{env}})
		if err != nil {
			return
		}
		if err := l.Config.Validate(); err != nil {
			t.Errorf("loaded and not valid: %v", err)
		}
	})
}

func TestAGatewayHasTheReferencesSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	file := write(t, `
accounts:
  default:
    gateways:
      numbers: {cache_ttl: 300, rate_limiting_interval: 60, retry_delay: 500, request_timeout: 1500}
      durations: {cache_ttl: 5m, rate_limiting_interval: 1m, retry_delay: 500ms, request_timeout: 1.5s}
      none: {}
`)
	l, err := config.Load(config.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	gateways := l.Config.Accounts["default"].Gateways
	for _, id := range []string{"numbers", "durations"} {
		g := gateways[id]
		if g.CacheTTL != 5*time.Minute || g.RateLimitingInterval != time.Minute || g.RetryDelay != 500*time.Millisecond || g.RequestTimeout != 1500*time.Millisecond {
			t.Errorf("%s: %+v", id, g)
		}
	}
	g := gateways["none"]
	if *g.Authentication || !*g.CollectLogs || g.MetadataEntries != 5 || g.RetryMaxAttempts != 1 || g.RateLimitingTechnique != "fixed" || g.WorkersAIBillingMode != "postpaid" {
		t.Errorf("defaults: %+v", g)
	}
	if !l.Builtin {
		t.Error("default/default is not there by itself")
	}
}

func TestWrongSettingsOfAGatewayAreNamedAllAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	wrong := map[string]string{
		"cache_ttl": "1500ms", "rate_limiting_interval": "-1", "rate_limiting_limit": "-1", "rate_limiting_technique": "loose",
		"retry_max_attempts": "6", "retry_delay": "60001", "retry_backoff": "random", "request_timeout": "9223372036854775807",
		"hedge": "101", "metadata_entries": "65", "log_management": "9999", "log_management_strategy": "KEEP", "authentication": "maybe",
		"workers_ai_billing_mode": "free",
	}
	text := "accounts:\n  default:\n    gateways:\n      prod:\n"
	for name, value := range wrong {
		text += "        " + name + ": " + value + "\n"
	}
	_, err := config.Load(config.Source{File: write(t, text)})
	list, ok := errors.AsType[*config.Errors](err)
	if !ok {
		t.Fatalf("Load: %v", err)
	}
	for name := range wrong {
		found := 0
		for _, p := range list.List {
			if p.Path == "accounts.default.gateways.prod."+name && p.Where != "" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s is named %d times in\n%v", name, found, err)
		}
	}
}

func TestAnOpenGatewayThatOtherMachinesReachIsWarnedOf(t *testing.T) {
	t.Chdir(t.TempDir())
	file := write(t, "accounts: {default: {gateways: {open: {}, shut: {authentication: true}}}}\n")
	for listen, want := range map[string]int{"127.0.0.1:0": 0, "0.0.0.0:0": 1} {
		l, err := config.Load(config.Source{
			File: file, Env: []string{"SLUICE_ADMIN_TOKEN=0123456789abcdef0123456789abcdef"}, Flags: map[string]string{"listen": listen},
		})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(l.Warnings, "\n")
		if got := strings.Count(text, "authentication is off"); got != want || strings.Contains(text, "gateways.shut") {
			t.Errorf("%s: %q", listen, l.Warnings)
		}
	}
}
