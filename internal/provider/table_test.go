package provider

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// table returns the table of the given settings.
func table(t testing.TB, settings map[string]config.Provider) *Table {
	t.Helper()
	tb, err := NewTable(settings)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// find returns a provider of the built-in table.
func find(t testing.TB, slug string) *Provider {
	t.Helper()
	p, ok := table(t, nil).Find(slug)
	if !ok {
		t.Fatalf("no provider %s", slug)
	}
	return p
}

func TestBuiltinEntriesAreWhole(t *testing.T) {
	dated := regexp.MustCompile(` 20\d\d-\d\d$`)
	seen := map[string]string{}
	for _, p := range Builtin() {
		for _, segment := range append([]string{p.Slug}, p.Aliases...) {
			if other, ok := seen[segment]; ok {
				t.Errorf("%s means %s and %s", segment, other, p.Slug)
			}
			seen[segment] = p.Slug
			if !isSlug(segment) || segment == "compat" || strings.HasPrefix(segment, "custom-") {
				t.Errorf("%s: bad segment", segment)
			}
		}
		if p.Name == "" || p.Auth.Header == "" || len(p.Endpoints) == 0 {
			t.Errorf("%s: name, auth or endpoints are missing", p.Slug)
		}
		if !dated.MatchString(p.Source) {
			t.Errorf("%s: source %q has no date", p.Slug, p.Source)
		}
		for _, h := range append([]string{p.Auth.Header}, p.Auth.Also...) {
			if !CredentialHeader(h) {
				t.Errorf("%s: %s is not known to carry a credential", p.Slug, h)
			}
		}
		if p.Serve != nil {
			continue
		}
		b := splitBase(p.Base)
		if b.scheme != "https" && !p.Local || b.host == "" || strings.HasSuffix(p.Base, "/") {
			t.Errorf("%s: bad base %q", p.Slug, p.Base)
		}
		if strings.Contains(b.host, "{") && p.Address == nil {
			t.Errorf("%s: nothing fills %q", p.Slug, p.Base)
		}
	}
}

func TestEveryReferenceSegmentIsThere(t *testing.T) {
	for _, slug := range strings.Fields(`openai anthropic google-ai-studio google-vertex-ai aws-bedrock azure-openai azure
		groq mistral cohere perplexity-ai deepseek cerebras grok openrouter workers-ai huggingface replicate baseten
		parallel fal ideogram cartesia elevenlabs deepgram fireworks`) {
		if p, ok := table(t, nil).Find(slug); !ok || p.Slug != slug {
			t.Errorf("%s is missing", slug)
		}
	}
	for alias, slug := range map[string]string{
		"xai": "grok", "google": "google-ai-studio", "google-vertex": "google-vertex-ai", "bedrock": "aws-bedrock",
		"perplexity": "perplexity-ai", "llama.cpp": "llamacpp", "azure": "azure",
	} {
		if p, ok := table(t, nil).Find(alias); !ok || p.Slug != slug {
			t.Errorf("%s does not mean %s", alias, slug)
		}
	}
	for _, segment := range []string{"", "OpenAI", "openai/", "nebius", "compat", "adobe-firefly"} {
		if p, ok := table(t, nil).Find(segment); ok {
			t.Errorf("%q means %s", segment, p.Slug)
		}
	}
}

func TestAllIsSortedAndComplete(t *testing.T) {
	var slugs []string
	for _, p := range table(t, nil).All() {
		slugs = append(slugs, p.Slug)
	}
	if !slices.IsSorted(slugs) || len(slugs) != len(Builtin()) {
		t.Errorf("All gives %v", slugs)
	}
}

func TestOperatorsAddresses(t *testing.T) {
	tb := table(t, map[string]config.Provider{
		"openai":   {BaseURL: "HTTP://Mock.LAN:9000/a%2Fb//"},
		"gpu-1":    {Kind: "openai", BaseURL: "http://[::1]:8000/v1"},
		"custom-x": {Kind: "openai", BaseURL: "https://api.example.com"},
		"groq":     {},
	})
	for _, c := range []struct{ slug, path, want string }{
		{"openai", "v1/models", "http://mock.lan:9000/a%2Fb/v1/models"},
		{"gpu-1", "chat/completions", "http://[::1]:8000/v1/chat/completions"},
		{"gpu-1", "v1/chat/completions", "http://[::1]:8000/v1/v1/chat/completions"}, // nothing is guessed
		{"gpu-1", "", "http://[::1]:8000/v1"},
		{"custom-x", "v1/chat/completions", "https://api.example.com/v1/chat/completions"},
		{"custom-x", "api/coding/paas/v4/chat/completions", "https://api.example.com/api/coding/paas/v4/chat/completions"},
		{"custom-x", "serving/models/my-model:predict", "https://api.example.com/serving/models/my-model:predict"},
		{"groq", "models", "https://api.groq.com/openai/v1/models"},
	} {
		p, ok := tb.Find(c.slug)
		if !ok {
			t.Fatalf("no provider %s", c.slug)
		}
		target, err := p.Resolve(Call{Path: c.path})
		if err != nil || target.String() != c.want {
			t.Errorf("%s/%s: %s, %v", c.slug, c.path, target, err)
		}
		if custom := c.slug != "groq"; p.Overridden() != custom || p.Local != custom {
			t.Errorf("%s: overridden %t, local %t", c.slug, p.Overridden(), p.Local)
		}
	}
	p, _ := tb.Find("gpu-1")
	for _, path := range []string{"chat/completions", "v1/chat/completions"} {
		if ep, _ := p.Match("POST", path); ep == nil || ep.Name != "chat/completions" {
			t.Errorf("gpu-1/%s is not recognised", path)
		}
	}
	for slug, want := range map[string]string{
		"openai": "http://mock.lan:9000/a%2Fb", "gpu-1": "http://[::1]:8000/v1", "groq": "https://api.groq.com/openai/v1",
		"azure": "https://{resource}.services.ai.azure.com", "echo": "",
	} {
		if p, _ := tb.Find(slug); p.BaseURL() != want {
			t.Errorf("%s: address %q", slug, p.BaseURL())
		}
	}
	if p := find(t, "openai"); p.Overridden() {
		t.Error("a setting of one table shows in another")
	}
}

func TestWrongSettingsAreToldTogether(t *testing.T) {
	_, err := NewTable(map[string]config.Provider{
		"openai":    {BaseURL: "ftp://x"},
		"groq":      {BaseURL: "https://user:hunter2@x/"},
		"mistral":   {BaseURL: "https://x/?a=b"},
		"cohere":    {BaseURL: "https://x/#f"},
		"grok":      {BaseURL: "https:///v1"},
		"deepseek":  {BaseURL: "https://x/../y"},
		"cerebras":  {BaseURL: "https://x:99999/"},
		"fal":       {BaseURL: "https://bü.example/"},
		"replicate": {BaseURL: "https://user:hunter2@x:port/"},
		"anthropic": {Kind: "openai"},
		"xai":       {BaseURL: "https://x"},
		"echo":      {BaseURL: "https://x"},
		"mine":      {BaseURL: "https://x"},
		"other":     {Kind: "openai"},
		"Bad Name":  {Kind: "openai", BaseURL: "https://x"},
		"compat":    {Kind: "openai", BaseURL: "https://x"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		"providers.openai.base_url: must begin", "providers.groq.base_url: must not hold a user", "providers.mistral.base_url: must end",
		"providers.cohere.base_url: must end", "providers.grok.base_url: must name a host", "providers.deepseek.base_url: has a path",
		"providers.cerebras.base_url: has a port", "providers.fal.base_url: must name a host", "providers.replicate.base_url: is not a URL",
		"providers.anthropic.kind: ", "providers.xai.base_url: ", "providers.echo.base_url: ",
		"providers.mine.kind: ", "providers.other.base_url: is missing", "providers.Bad Name.kind: ", "providers.compat.kind: ",
	} {
		n := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) })
		if n < 0 {
			t.Errorf("no line begins with %q", want)
			continue
		}
		lines = slices.Delete(lines, n, n+1)
	}
	if len(lines) > 0 {
		t.Errorf("left over: %q", lines)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a password stands in the message")
	}
}

func TestEveryRecordedProviderExists(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/addressing.txt")
	if err != nil || len(dirs) != len(Builtin()) {
		t.Errorf("%d recordings, %d providers, %v", len(dirs), len(Builtin()), err)
	}
}

func TestBedrockKeyMovesForMantleMessagesOnly(t *testing.T) {
	const path = "bedrock-mantle/us-east-1/anthropic/v1/messages"
	for _, c := range []struct {
		name, path string
		in, want   sluice.Header
	}{
		{
			"a bearer key becomes x-api-key in its place", path,
			sluice.Header{{Name: "authorization", Value: "bearer  ABSK1"}, {Name: "Accept", Value: "*/*"}},
			sluice.Header{{Name: "x-api-key", Value: "ABSK1"}, {Name: "Accept", Value: "*/*"}},
		},
		{
			"a signature stays", path,
			sluice.Header{{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=x"}},
			sluice.Header{{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=x"}},
		},
		{
			"an x-api-key of the caller's wins", path,
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}, {Name: "X-Api-Key", Value: "k"}},
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}, {Name: "X-Api-Key", Value: "k"}},
		},
		{
			"the OpenAI dialect reads a bearer key", "bedrock-mantle/us-east-1/v1/responses",
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}},
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}},
		},
		{
			"the runtime reads a bearer key", "bedrock-runtime/us-east-1/anthropic/x",
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}},
			sluice.Header{{Name: "Authorization", Value: "Bearer b"}},
		},
	} {
		h := slices.Clone(c.in)
		find(t, "aws-bedrock").Rewrite(&h, Call{Path: c.path})
		if !slices.Equal(h, c.want) {
			t.Errorf("%s: %v", c.name, h)
		}
	}
}

func TestFalConsumesItsTarget(t *testing.T) {
	if p := find(t, "fal"); !slices.Equal(p.Consumes, []string{"x-fal-target-url"}) {
		t.Errorf("consumes %v", p.Consumes)
	}
}

// FuzzResolve proves that a request chooses a host only among its provider's, and never leaves the
// prefix of its base.
func FuzzResolve(f *testing.F) {
	for i, p := range Builtin() {
		for _, c := range addressings(f, p.Slug) {
			f.Add(i, c.call.Path, c.call.Query, c.call.Account, c.call.Header.Get(falTarget))
		}
	}
	tb, err := NewTable(nil)
	if err != nil {
		f.Fatal(err)
	}
	over := map[string]config.Provider{}
	for _, p := range tb.All() {
		if p.Serve == nil {
			over[p.Slug] = config.Provider{BaseURL: "http://mock.test:9000/pre"}
		}
	}
	overridden, err := NewTable(over)
	if err != nil {
		f.Fatal(err)
	}
	hosts := hostPatterns()
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, which int, path, query, account, target string) {
		all := tb.All()
		p := all[(which%len(all)+len(all))%len(all)]
		in := Call{Method: "POST", Path: path, Query: query, Account: account}
		if target != "" {
			in.Header.Add(falTarget, target)
		}
		p.Match("POST", path)
		got, err := p.Resolve(in)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		prefix := prefixOf(p)
		if prefix = strings.ReplaceAll(prefix, "{account_id}", account); !strings.HasPrefix(got.Path, prefix) || !strings.HasPrefix(got.Path, "/") {
			t.Errorf("%s: %q leaves %q", p.Slug, got.Path, prefix)
		}
		if !hosts[p.Slug].MatchString(got.Host) {
			t.Errorf("%s: host %q", p.Slug, got.Host)
		}
		for l := range strings.SplitSeq(strings.Split(got.Host, ":")[0], ".") {
			if !label.MatchString(l) {
				t.Errorf("%s: host %q", p.Slug, got.Host)
			}
		}
		checkTarget(t, got)
		o, _ := overridden.Find(p.Slug)
		if got, err := o.Resolve(in); p.Serve == nil && (err != nil && p.Address == nil || err == nil && (got.Host != "mock.test:9000" || !strings.HasPrefix(got.Path, "/pre"))) {
			t.Errorf("%s overridden: %s, %v", p.Slug, got, err)
		}
	})
}

// hostPatterns are the hosts of each provider.
func hostPatterns() map[string]*regexp.Regexp {
	const part = `[a-z0-9-]+`
	m := map[string]string{
		"google-vertex-ai": part + `-aiplatform\.googleapis\.com|aiplatform\.googleapis\.com|aiplatform\.(us|eu)\.rep\.googleapis\.com`,
		"aws-bedrock":      `bedrock-runtime(-fips)?\.` + part + `\.amazonaws\.com(\.cn)?|bedrock-mantle\.` + part + `\.api\.aws`,
		"azure-openai":     part + `\.openai\.azure\.com`, "azure": part + `\.services\.ai\.azure\.com`,
		"baseten": `inference\.baseten\.co|model-` + part + `\.api\.baseten\.co`,
		"fal":     `(` + part + `\.)*fal\.(run|ai)`, "echo": "echo",
	}
	out := map[string]*regexp.Regexp{}
	for _, p := range Builtin() {
		pattern, ok := m[p.Slug]
		if !ok {
			pattern = regexp.QuoteMeta(splitBase(p.Base).host)
		}
		out[p.Slug] = regexp.MustCompile(`^(` + pattern + `)$`)
	}
	return out
}

// prefixOf is what every path at a provider begins with: the base's prefix without a version that
// others stand beside. The hosts that Address makes have none.
func prefixOf(p *Provider) string {
	if p.Slug == "baseten" {
		return "/"
	}
	prefix := p.base.prefix
	if len(p.Beside) > 0 {
		prefix = strings.TrimSuffix(prefix, "/v1")
	}
	return prefix
}

// checkTarget proves that a target can stand in a request line, and that no server finds a way up in
// its path.
func checkTarget(t *testing.T, got Target) {
	t.Helper()
	for _, s := range []string{got.Path, got.Query} {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
			t.Errorf("%q cannot be sent", s)
		}
	}
	if strings.ContainsAny(got.Path, `\?`) {
		t.Errorf("path %q", got.Path)
	}
	plain, err := url.PathUnescape(got.Path)
	if err != nil {
		t.Errorf("path %q: %v", got.Path, err)
	}
	for seg := range strings.SplitSeq(strings.ReplaceAll(plain, `\`, "/"), "/") {
		if seg, _, _ = strings.Cut(seg, ";"); seg == "." || seg == ".." {
			t.Errorf("path %q leads upwards", got.Path)
		}
	}
}
