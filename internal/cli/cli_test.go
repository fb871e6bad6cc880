package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/internal/cli"
)

var update = flag.Bool("update", false, "rewrite what the golden files expect")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what a command did.
type result struct {
	out, err string
	code     int
}

// run runs a command as in a pipe, unless env says otherwise.
func run(t *testing.T, env cli.Env, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	env.Args, env.Stdout, env.Stderr = args, &out, &err
	if env.Stdin == nil {
		env.Stdin = strings.NewReader("")
	}
	env.Version = "0.1.0"
	code := cli.Run(t.Context(), env)
	return result{out.String(), err.String(), code}
}

// api serves the answers of a golden file: lines "path?query", with a method before it where several have
// one path, followed by a line with the answer, which may begin with a status.
func api(t *testing.T, script string) *httptest.Server {
	t.Helper()
	answers := map[string]string{}
	lines := strings.Split(strings.TrimSpace(script), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		answers[lines[i]] = lines[i+1]
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.RequestURI(), "/client/v4/accounts/default/ai-gateway")
		body, found := answers[r.Method+" "+key]
		if !found {
			body, found = answers[key]
		}
		if !found {
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, `{"errors":[{"message":"the golden file has no `+strings.ReplaceAll(key, `"`, `'`)+`"}]}`)
			return
		}
		status := http.StatusOK
		if code, rest, ok := strings.Cut(body, " "); ok {
			if n, err := strconv.Atoi(code); err == nil {
				status, body = n, rest
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(body, "data: ") {
			w.Header().Set("Content-Type", "text/event-stream")
			body = strings.ReplaceAll(body, `\n`, "\n")
		}
		w.Header().Set("cf-aig-log-id", "019a7b3e-5f2c-7d10-8a4e-0123456789c0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestGolden runs the commands of testdata/*.txtar. A file holds several runs: "args" begins one, and
// "env", "stdin", "terminal" (its width) may follow; "api" is for all. "out", "err" and "code" are
// what is expected, and -update writes them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	t.Chdir(work)
	var script string
	got := &txtar.Archive{Comment: archive.Comment}
	for i := 0; i < len(archive.Files); {
		f := archive.Files[i]
		if f.Name != "args" {
			got.Files = append(got.Files, f)
			if f.Name == "api" {
				script = string(f.Data)
			} else if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
			i++
			continue
		}
		end := i + 1
		for end < len(archive.Files) && strings.Contains(" env stdin terminal out err code ", " "+archive.Files[end].Name+" ") {
			end++
		}
		got.Files = append(got.Files, goldenRun(t, script, archive.Files[i:end])...)
		i = end
	}
	want := txtar.Format(archive)
	text := txtar.Format(got)
	if *update {
		if err := os.WriteFile(filepath.Join(sourceDir, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("-want +got (make golden rewrites):\n%s", diff)
	}
}

// sourceDir is where the tests lie.
var sourceDir, _ = os.Getwd()

// goldenRun runs one command and returns its part of the file.
func goldenRun(t *testing.T, script string, parts []txtar.File) []txtar.File {
	t.Helper()
	server := api(t, script)
	env := cli.Env{Environ: []string{"SLUICE_URL=" + server.URL, "LANG=C.UTF-8"}}
	args, kept := []string(nil), []txtar.File(nil)
	for _, p := range parts {
		text := strings.TrimSuffix(string(p.Data), "\n")
		switch p.Name {
		case "args":
			args = strings.Split(text, "\n")
			if text == "" {
				args = nil
			}
		case "env":
			env.Environ = append(env.Environ, strings.Split(text, "\n")...)
		case "stdin":
			env.Stdin = bytes.NewReader(p.Data)
		case "terminal":
			env.OutTerminal, env.ErrTerminal = true, true
			env.Width, _ = strconv.Atoi(text)
			env.Environ = append(env.Environ, "TERM=dumb")
		default:
			continue
		}
		kept = append(kept, p)
	}
	r := run(t, env, args...)
	add := func(name, text string) {
		text = strings.NewReplacer(server.URL, "$URL", runtime.Version(), "$GO", runtime.GOOS+"/"+runtime.GOARCH, "$SYSTEM").Replace(text)
		if text != "" {
			if !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			kept = append(kept, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	add("out", r.out)
	add("err", r.err)
	add("code", strconv.Itoa(r.code))
	return kept
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestNobodyAnswersIsFour(t *testing.T) {
	url := nobody(t)
	for _, args := range [][]string{
		{"status"}, {"stats"}, {"logs", "list"}, {"logs", "get", "x"}, {"logs", "tail"}, {"logs", "export"}, {"chat", "hi"},
	} {
		r := run(t, cli.Env{}, append(args, "--url", url)...)
		if r.code != 4 || r.out != "" || !strings.Contains(r.err, "sluice serve") {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// commands lists the tree as --help --json gives it.
type command struct {
	Command  string
	Examples []string
	Commands []command
}

func tree(t *testing.T) []command {
	t.Helper()
	r := run(t, cli.Env{}, "--help", "--json")
	var root command
	if err := json.Unmarshal([]byte(r.out), &root); err != nil || r.code != 0 {
		t.Fatal(err, r)
	}
	var list []command
	var walk func(c command)
	walk = func(c command) {
		list = append(list, c)
		for _, sub := range c.Commands {
			walk(sub)
		}
	}
	walk(root)
	return list
}

func TestEveryCommandHasHelpInEveryForm(t *testing.T) {
	list := tree(t)
	if len(list) < 18 {
		t.Errorf("only %d commands", len(list))
	}
	for _, c := range list {
		path := strings.Fields(c.Command)[1:]
		for _, flag := range []string{"-h", "--help"} {
			r := run(t, cli.Env{}, append(path, flag)...)
			if r.code != 0 || r.err != "" || !strings.Contains(r.out, "Usage:") {
				t.Errorf("%s %s: %+v", c.Command, flag, r)
			}
			if lines := strings.Count(r.out, "\n"); flag == "-h" && lines > 48 {
				t.Errorf("%s -h has %d lines: more than a screen", c.Command, lines)
			}
		}
		r := run(t, cli.Env{}, append(path, "--help", "--json")...)
		if !json.Valid([]byte(r.out)) {
			t.Errorf("%s --help --json: %q", c.Command, r.out)
		}
		if len(c.Examples) == 0 && c.Command != "sluice help" {
			t.Errorf("%s has no example", c.Command)
		}
	}
}

// TestEveryExampleParses runs all examples up to the point where they would do something: their flags
// and arguments are right.
func TestEveryExampleParses(t *testing.T) {
	for _, c := range tree(t) {
		for _, e := range c.Examples {
			from := strings.LastIndex(e, "sluice ")
			line := strings.NewReplacer("|", " | ").Replace(e[from:])
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " >")
			args := words(strings.TrimSuffix(line, ")"))[1:]
			r := run(t, cli.Env{}, append(args, "--help")...)
			if r.code != 0 {
				t.Errorf("%s: %+v", e, r)
			}
		}
	}
}

// words splits a command line as a shell does, as far as the examples need it.
func words(line string) []string {
	var list []string
	var word strings.Builder
	quote := rune(0)
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		case r == ' ' && quote == 0:
			if word.Len() > 0 {
				list = append(list, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return list
}

func TestGeneratedPagesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	if r := run(t, cli.Env{}, "docs", "--dir", dir); r.code != 0 {
		t.Fatal(r)
	}
	pages, err := os.ReadDir(dir)
	if err != nil || len(pages) != 5 {
		t.Fatal(pages, err)
	}
	for _, p := range pages {
		want, err := os.ReadFile(filepath.Join(dir, p.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", p.Name()))
		if err != nil || !bytes.Equal(want, got) {
			t.Errorf("docs/%s is out of date, run make docs: %v", p.Name(), err)
		}
	}
}

func TestCompletions(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := run(t, cli.Env{}, "completion", shell)
		if r.code != 0 || r.err != "" || !strings.Contains(r.out, "sluice") {
			t.Errorf("%s: %d %q", shell, r.code, r.err)
		}
	}
}

func TestConfigInitWritesOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	if r := run(t, cli.Env{}, "config", "init"); r.code != 0 || r.out != "" {
		t.Errorf("%+v", r)
	}
	info, err := os.Stat("sluice.yaml")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if r := run(t, cli.Env{}, "config", "init"); r.code != 7 || !strings.Contains(r.err, "exists") {
		t.Errorf("a second time: %+v", r)
	}
	if r := run(t, cli.Env{}, "config", "validate"); r.code != 0 {
		t.Errorf("%+v", r)
	}
	r := run(t, cli.Env{}, "config", "init", "--schema")
	if r.code != 0 || !json.Valid([]byte(r.out)) {
		t.Errorf("schema: %+v", r)
	}
}

func TestExportGoesOnAfterAnInterruption(t *testing.T) {
	t.Chdir(t.TempDir())
	const list = "/gateways/default/logs?basis=requests&order_by_direction=asc&per_page=1000"
	first := `{"result":[{"id":"1"},{"id":"2"}],"result_info":{"next":"n.2"}}`
	broken := api(t, list+"\n"+first)
	r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + broken.URL}}, "logs", "export")
	if r.code != 8 || !strings.Contains(r.err, "--cursor n.2") {
		t.Fatalf("%+v", r)
	}
	if err := os.WriteFile("x.jsonl", []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := api(t, "/gateways/default/logs?basis=requests&cursor=n.2&order_by_direction=asc&per_page=1000\n"+
		`{"result":[{"id":"3"}],"result_info":{"next":null}}`)
	r = run(t, cli.Env{Environ: []string{"SLUICE_URL=" + whole.URL}}, "logs", "export", "-O", "x.jsonl", "--cursor", "n.2")
	text, err := os.ReadFile("x.jsonl")
	if r.code != 0 || err != nil || string(text) != "{\"id\":\"1\"}\n{\"id\":\"2\"}\n{\"id\":\"3\"}\n" {
		t.Errorf("%+v %q %v", r, text, err)
	}
	if r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + whole.URL}}, "logs", "export", "-O", "x.jsonl"); r.code != 7 {
		t.Errorf("over a file that exists: %+v", r)
	}
}

// TestTheAdminTokenStaysAtHome: the token of a server's configuration goes to that server only.
func TestTheAdminTokenStaysAtHome(t *testing.T) {
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"result":{}}`)
	}))
	defer s.Close()
	t.Chdir(t.TempDir())
	token := "SLUICE_ADMIN_TOKEN=canary-canary-canary"
	run(t, cli.Env{Environ: []string{token}}, "status", "--url", s.URL)
	run(t, cli.Env{Environ: []string{token, "SLUICE_URL=" + s.URL}}, "status")
	run(t, cli.Env{Environ: []string{token, "SLUICE_LISTEN=" + strings.TrimPrefix(s.URL, "http://")}}, "status")
	run(t, cli.Env{Environ: []string{"SLUICE_TOKEN=mine"}}, "status", "--url", s.URL)
	want := []string{"", "", "Bearer canary-canary-canary", "Bearer mine"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestCallsOfModelsCarryTheGatewayToken(t *testing.T) {
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("cf-aig-authorization"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"success":false,"error":[{"code":2009,"message":"Unauthorized"}],"message":"Unauthorized","internalCode":2009}`)
	}))
	defer s.Close()
	for _, env := range [][]string{{"SLUICE_GATEWAY_TOKEN=mine"}, {"SLUICE_TOKEN=slc_other"}, {"SLUICE_TOKEN=admin"}} {
		r := run(t, cli.Env{Environ: env}, "chat", "echo/echo-1", "hi", "--url", s.URL)
		if r.code != 5 || !strings.Contains(r.err, "SLUICE_GATEWAY_TOKEN") {
			t.Errorf("%v: exit %d, %s", env, r.code, r.err)
		}
	}
	if diff := cmp.Diff([]string{"Bearer mine", "Bearer slc_other", ""}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestCompletionsKnowValuesAndGateways(t *testing.T) {
	server := api(t, "/status\n"+`{"result":{"gateways":[{"id":"default"},{"id":"prod"}]}}`)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"logs", "list", "-o", ""}, "jsonl"},
		{[]string{"stats", "--group", ""}, "error_type"},
		{[]string{"endpoints", "--sdk", ""}, "openai-python"},
		{[]string{"logs", "list", "--gateway", ""}, "prod"},
		{[]string{"logs", ""}, "export"},
		{[]string{"gateway", "get", ""}, "prod"},
		{[]string{"gateway", "set", ""}, "prod"},
		{[]string{"gateway", "set", "prod", ""}, "cache_ttl="},
		{[]string{"gateway", "create", "new", "authentication="}, "authentication=on"},
		{[]string{"gateway", "set", "prod", "retry_backoff="}, "retry_backoff=linear"},
	} {
		r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + server.URL}}, append([]string{"__complete"}, tt.args...)...)
		if r.code != 0 || !strings.Contains(r.out, tt.want) {
			t.Errorf("%v: %+v", tt.args, r)
		}
	}
	r := run(t, cli.Env{}, "__complete", "logs", "list", "--url", nobody(t), "--gateway", "")
	if r.code != 0 || strings.Contains(r.out, "rror") {
		t.Errorf("without a server: %+v", r)
	}
}

func TestDoctorCountsProblemsAndWarnings(t *testing.T) {
	for _, tt := range []struct {
		env    string
		strict bool
		code   int
	}{
		{"", false, 0},
		{"", true, 0},
		{"HTTPS_PROXY=http://127.0.0.1:9", false, 0},
		{"HTTPS_PROXY=http://127.0.0.1:9", true, 9},
		{"SLUICE_LOG_LEVEL=loud", false, 9},
		{"SLUICE_DATA_DIR=/dev/null/x", false, 9},
	} {
		t.Chdir(t.TempDir())
		args := []string{"doctor", "--offline", "--json"}
		if tt.strict {
			args = append(args, "--strict")
		}
		r := run(t, cli.Env{Environ: []string{tt.env}}, args...)
		if r.code != tt.code || !json.Valid([]byte(r.out)) {
			t.Errorf("%+v: %+v", tt, r)
		}
	}
}

func TestNothingAfterTheTokenIsShownWithVerbose(t *testing.T) {
	server := api(t, "/status\n"+`{"result":{}}`)
	r := run(t, cli.Env{Environ: []string{"SLUICE_URL=" + server.URL, "SLUICE_TOKEN=canary"}}, "status", "-vv", "--json")
	if r.code != 0 || strings.Contains(r.err, "canary") || !strings.Contains(r.err, "GET "+server.URL) || r.out != "{}\n" {
		t.Errorf("%+v", r)
	}
}

func TestDeletingAsksOnATerminal(t *testing.T) {
	server := api(t, "/gateways/prod\n"+`{"result":{"id":"prod"}}`)
	for answer, deleted := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "": false, "y": false} {
		env := cli.Env{Environ: []string{"SLUICE_URL=" + server.URL}, Stdin: strings.NewReader(answer), InTerminal: true, ErrTerminal: true}
		r := run(t, env, "gateway", "delete", "prod")
		if !strings.Contains(r.err, "Delete gateway prod?") || (r.code == 0) != deleted || strings.Contains(r.err, "deleted (version") != deleted {
			t.Errorf("%q: %+v", answer, r)
		}
		if r := run(t, env, "gateway", "delete", "prod", "--yes"); r.code != 0 || strings.Contains(r.err, "?") {
			t.Errorf("--yes: %+v", r)
		}
	}
}
