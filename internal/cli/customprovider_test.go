package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/cli"
)

// recorder answers each call with one document, and keeps what was sent.
type recorder struct {
	mu     sync.Mutex
	calls  []string
	bodies []map[string]any
}

func newRecorder(t *testing.T, answer string) (*recorder, string) {
	r := &recorder{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		text, _ := io.ReadAll(req.Body)
		var body map[string]any
		_ = json.Unmarshal(text, &body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls, r.bodies = append(r.calls, req.Method+" "+strings.TrimPrefix(req.URL.RequestURI(), "/client/v4/accounts/default/ai-gateway")), append(r.bodies, body)
		w.Header().Set("Content-Type", "application/json")
		result := answer
		if req.Method == http.MethodGet {
			result = "[" + answer + "]"
			if req.URL.Query().Get("page") != "1" {
				result = "[]"
			}
		}
		_, _ = io.WriteString(w, `{"success":true,"errors":[],"messages":[],"result":`+result+`}`)
	}))
	t.Cleanup(s.Close)
	return r, s.URL
}

// last is the last call, and the text of what it sent.
func (r *recorder) last() (call string, body map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[len(r.calls)-1], r.bodies[len(r.bodies)-1]
}

func TestKeysOfSeveralPartsAreRead(t *testing.T) {
	account := "{\n  \"type\": \"service_account\",\n  \"private_key\": \"a\\nb\"\n}\n"
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, []byte(account), 0o600); err != nil {
		t.Fatal(err)
	}
	aws := []string{"AWS_ACCESS_KEY_ID=AKIA1", "AWS_SECRET_ACCESS_KEY=s3cr3t", "AWS_DEFAULT_REGION=eu-west-1"}
	for name, test := range map[string]struct {
		env   []string
		stdin string
		args  []string
		want  string // JSON or text; "": it is refused
	}{
		"a text":                 {nil, "sk-1\nsk-2\n", []string{"openai"}, "sk-1"},
		"an object on stdin":     {nil, account, []string{"google-vertex-ai", "--region", "us-east4"}, `{"type":"service_account","private_key":"a\nb","region":"us-east4"}`},
		"of the environment":     {aws, "", []string{"aws-bedrock", "--from-env"}, `{"accessKeyId":"AKIA1","secretAccessKey":"s3cr3t","region":"eu-west-1"}`},
		"in another region":      {append(aws, "AWS_SESSION_TOKEN=t"), "", []string{"aws-bedrock", "--from-env", "--region", "us-east-1"}, `{"accessKeyId":"AKIA1","secretAccessKey":"s3cr3t","sessionToken":"t","region":"us-east-1"}`},
		"a Bedrock key first":    {append(aws, "AWS_BEARER_TOKEN_BEDROCK=ABSK1"), "", []string{"aws-bedrock", "--from-env"}, "ABSK1"},
		"a file":                 {[]string{"GOOGLE_APPLICATION_CREDENTIALS=" + file}, "", []string{"google-vertex-ai", "--from-env"}, `{"type":"service_account","private_key":"a\nb"}`},
		"a file that is missing": {[]string{"GOOGLE_APPLICATION_CREDENTIALS=/nowhere"}, "", []string{"google-vertex-ai", "--from-env"}, ""},
		"of a resource":          {nil, "k1\n", []string{"azure-openai", "--resource", "res"}, `{"apiKey":"k1","resource":"res"}`},
		"a region of a text":     {nil, "k1\n", []string{"openai", "--region", "r"}, ""},
	} {
		calls, url := newRecorder(t, `{"id":"1","provider_slug":"p","alias":"default","secret_preview":"****","gateway_id":"default"}`)
		r := run(t, cli.Env{Environ: append(test.env, "SLUICE_URL="+url), Stdin: strings.NewReader(test.stdin)}, append([]string{"provider", "add"}, test.args...)...)
		if test.want == "" {
			if r.code == 0 || len(calls.calls) > 0 {
				t.Errorf("%s: %+v, calls %q", name, r, calls.calls)
			}
			continue
		}
		if r.code != 0 {
			t.Errorf("%s: %+v", name, r)
			continue
		}
		_, body := calls.last()
		got, _ := body["secret"].(string)
		if !sameText(got, test.want) {
			t.Errorf("%s: sent %s, want %s", name, got, test.want)
		}
		if strings.Contains(r.out+r.err, "s3cr3t") {
			t.Errorf("%s: it shows the key: %+v", name, r)
		}
	}
}

// sameText compares texts, and JSON objects by what they hold.
func sameText(a, b string) bool {
	var x, y map[string]any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	left, _ := json.Marshal(x)
	right, _ := json.Marshal(y)
	return string(left) == string(right)
}

func TestCustomProvidersByTheCommandLine(t *testing.T) {
	const lab = `{"id":"7","name":"lab","slug":"lab","provider":"custom-lab","base_url":"https://lab.example","enable":true,"status":"ready","headers":"{\"X-B\":\"[redacted]\",\"X-A\":\"[redacted]\"}"}`
	for name, test := range map[string]struct {
		args []string
		call string
		body string
		says string
	}{
		"add": {
			[]string{"add", "custom-lab", "--base-url", "https://lab.example", "--headers-from-env", "LAB"},
			"POST /custom-providers",
			`{"slug":"lab","name":"lab","base_url":"https://lab.example","enable":true,"headers":"{\"X-A\":\"canary\"}"}`, "sluice provider add custom-lab",
		},
		"add it disabled": {
			[]string{"add", "lab", "--base-url", "https://lab.example", "--enable=false", "--name", "L"},
			"POST /custom-providers",
			`{"slug":"lab","name":"L","base_url":"https://lab.example","enable":false}`, "",
		},
		"set":    {[]string{"set", "lab", "--enable=false"}, "PATCH /custom-providers/7", `{"enable":false}`, "changed"},
		"remove": {[]string{"remove", "custom-lab"}, "DELETE /custom-providers/7", "", "deleted"},
		"list":   {[]string{"list", "-o", "wide"}, "GET /custom-providers?page=2&per_page=100", "", "X-A,X-B"},
		"get":    {[]string{"get", "lab"}, "GET /custom-providers?page=2&per_page=100", "", "https://lab.example"},
	} {
		calls, url := newRecorder(t, lab)
		r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + url, `LAB={"X-A":"canary"}`}}, append([]string{"provider", "custom"}, test.args...)...)
		call, body := calls.last()
		sent, _ := json.Marshal(body)
		if r.code != 0 || call != test.call || !strings.Contains(r.out+r.err, test.says) || strings.Contains(r.out+r.err, "canary") {
			t.Errorf("%s: %s, %+v", name, call, r)
		}
		if test.body != "" && !sameText(string(sent), test.body) {
			t.Errorf("%s: sent %s", name, sent)
		}
	}
	calls, url := newRecorder(t, lab)
	if r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + url}}, "provider", "custom", "set", "nobody", "--enable"); r.code == 0 || !strings.Contains(r.err, "no custom provider") {
		t.Errorf("%+v, %q", r, calls.calls)
	}
}

func TestPricesByTheCommandLine(t *testing.T) {
	const priced = `{"provider":"custom-lab","model":"org/m","origin":"stored","usd":{"input":"1"}}`
	for name, test := range map[string]struct {
		args       []string
		call, body string
	}{
		"set":    {[]string{"set", "custom-lab/org/m", "input=0.20", "output=$1"}, "PUT /prices/custom-lab/org%2Fm", `{"usd":{"input":"0.20","output":"1"}}`},
		"set as": {[]string{"set", "openai/my-*", "--as", "openai/gpt-5-mini", "--times", "1.1"}, "PUT /prices/openai/my-%2A", `{"as":"openai/gpt-5-mini","times":"1.1"}`},
		"unset":  {[]string{"unset", "custom-lab/org/m"}, "DELETE /prices/custom-lab/org%2Fm", ""},
	} {
		calls, url := newRecorder(t, priced)
		r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + url}}, append([]string{"price"}, test.args...)...)
		call, body := calls.last()
		sent, _ := json.Marshal(body)
		if r.code != 0 || strings.ReplaceAll(call, "*", "%2A") != test.call || test.body != "" && !sameText(string(sent), test.body) {
			t.Errorf("%s: %s %s, %+v", name, call, sent, r)
		}
	}
	calls, url := newRecorder(t, priced)
	if r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + url}}, "price", "list", "custom-lab", "--own"); r.code != 0 || !strings.Contains(r.out, "input=1") ||
		calls.calls[0] != "GET /prices/models?origin=stored&page=1&per_page=1000&provider=custom-lab" {
		t.Errorf("list: %q, %+v", calls.calls, r)
	}
	// Listed, shown and explained prices know those of the account, where its server answers.
	for name, test := range map[string]struct {
		url  string
		more []string
		code int
	}{"the account's": {url, nil, 0}, "without": {url, []string{"--local"}, 6}, "no server": {"http://127.0.0.1:1", nil, 6}} {
		r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + test.url}}, append([]string{"price", "get", "custom-lab/org/m", "--count", "input=2000000"}, test.more...)...)
		if r.code != test.code || (test.code == 0) != strings.Contains(r.out, "$1 / 1M") || strings.Contains(r.err, "left out") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, args := range [][]string{{"set", "openai", "input=1"}, {"set", "openai/m", "input"}, {"set", "openai/m", "input=1", "input=2"}} {
		if r := run(t, cli.Env{Environ: []string{"SLUICE_URL=http://127.0.0.1:1"}}, append([]string{"price"}, args...)...); r.code != 2 {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
