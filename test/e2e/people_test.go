package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// exposed is an address that other machines reach, which is what these tests are about. What they start refuses
// every call that is not theirs.
const exposed = "SLUICE_LISTEN=0.0.0.0:0"

// shell runs commands as one person with a configuration directory of their own.
type shell struct {
	t   *testing.T
	env []string
}

func newShell(t *testing.T) *shell {
	return &shell{t: t, env: []string{"XDG_CONFIG_HOME=" + t.TempDir(), "HOME=" + t.TempDir()}}
}

// run runs a command with lines of stdin, and returns what it printed.
func (s *shell) run(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), gateway.Binary(s.t), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, s.env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for a command that succeeds.
func (s *shell) must(stdin string, args ...string) string {
	s.t.Helper()
	out, errs, code := s.run(stdin, args...)
	if code != 0 {
		s.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

const sentence = "correct horse battery\n"

// TestAGatewayIsClosedUntilSomebodyClaimsIt: from the first start, by the link that it prints, to a gateway with
// an editor in it, over a restart.
func TestAGatewayIsClosedUntilSomebodyClaimsIt(t *testing.T) {
	dir := t.TempDir()
	options := gateway.Options{DataDir: dir, Config: "accounts: {default: {gateways: {default: {}}}}\n", Env: []string{exposed}}
	g := gateway.Start(t, options)
	base := "http://" + g.Addr
	if resp, body := g.Post("echo", "chat/completions", chat); resp.StatusCode != http.StatusUnauthorized || gateway.ErrorCode(body) != 2009 || !strings.Contains(string(body), "sluice auth link") {
		t.Errorf("a call before: %d %s", resp.StatusCode, body)
	}
	if status, _, body, err := g.Get("/gateways"); err != nil || status != http.StatusUnauthorized {
		t.Errorf("the management API, from this machine: %d %s %v", status, body, err)
	}
	link := regexp.MustCompile(`http://\S+/ui/claim#(sll_\S+)`).FindStringSubmatch(g.Output())
	if link == nil {
		t.Fatalf("no link in\n%s", g.Output())
	}
	page, err := http.Get(base + "/ui/claim")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(page.Body)
	page.Body.Close()
	if page.StatusCode != http.StatusOK || !strings.Contains(string(text), `<base href="/ui/"`) {
		t.Errorf("%d %s", page.StatusCode, text)
	}

	root := newShell(t)
	root.must(link[0]+"\n"+sentence, "auth", "login", "--url", base, "--link", "--email", "root@acme.example")
	if out := root.must("", "auth", "whoami"); !strings.Contains(out, "root@acme.example") || !strings.Contains(out, "of the process") {
		t.Errorf("whoami: %s", out)
	}
	if _, errs, code := newShell(t).run(link[1]+"\n"+sentence, "auth", "login", "--url", base, "--link", "--email", "evil@acme.example"); code != 5 {
		t.Errorf("the link again: exit %d, %s", code, errs)
	}
	if resp, body := g.Post("echo", "chat/completions", chat); resp.StatusCode != http.StatusOK {
		t.Errorf("a call after: %d %s", resp.StatusCode, body)
	}

	invitation := strings.TrimSpace(root.must("", "member", "invite", "bob@acme.example", "--role", "editor"))
	bob := newShell(t)
	bob.must(invitation+"\n"+sentence, "auth", "login", "--url", base, "--link")
	bob.must("", "gateway", "create", "bobs")
	if _, errs, code := bob.run("", "member", "list"); code != 5 || !strings.Contains(errs, "this needs admin") {
		t.Errorf("an editor lists members: exit %d, %s", code, errs)
	}
	root.must("", "member", "set", "bob@acme.example", "--role", "viewer")
	if _, _, code := bob.run("", "gateway", "list"); code != 5 {
		t.Errorf("bob's session after another role: exit %d", code)
	}
	if _, errs, code := bob.run("wrong password\n", "auth", "login", "--url", base, "--email", "bob@acme.example"); code != 5 || !strings.Contains(errs, "is wrong") {
		t.Errorf("a wrong password: exit %d, %s", code, errs)
	}

	g.Signal(os.Interrupt)
	if code := g.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "command.token")); !os.IsNotExist(err) {
		t.Errorf("the file for commands outlives the process: %v", err)
	}
	options.Env = []string{"SLUICE_LISTEN=0.0.0.0:" + g.Addr[strings.LastIndexByte(g.Addr, ':')+1:]}
	again := gateway.Start(t, options)
	if strings.Contains(again.Output(), "sll_") {
		t.Errorf("a claimed gateway prints a link:\n%s", again.Output())
	}
	// What was signed in before the restart is so after it.
	var entries []struct {
		Action struct{ Info string }
		Actor  struct{ Name, Type string }
	}
	if err := json.Unmarshal([]byte(root.must("", "audit", "--json")), &entries); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range entries {
		told = append(told, e.Actor.Type+" "+e.Actor.Name+": "+e.Action.Info)
	}
	want := []string{
		"anonymous bob@acme.example: session signed in: refused", "user root@acme.example: member updated", "user bob@acme.example: gateway created",
		"user bob@acme.example: link used", "user root@acme.example: member created", "user root@acme.example: link used",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("the audit log:\n%s", strings.Join(told, "\n"))
	}
	root.must("", "auth", "logout")
	if _, _, code := root.run("", "auth", "whoami", "--url", base); code != 5 {
		t.Errorf("after signing out: exit %d", code)
	}
}

// TestCommandsInTheDataDirectory: who can read it makes the first link, also where nobody else is let in.
func TestCommandsInTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	g := gateway.Start(t, gateway.Options{DataDir: dir, Env: []string{exposed}})
	config := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(config, []byte("listen: '"+g.Addr+"'\ndata_dir: "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh := newShell(t)
	if out := sh.must("", "auth", "link", "--config", config); !strings.HasPrefix(out, "http://"+g.Addr+"/ui/claim#sll_") {
		t.Errorf("%s", out)
	}
	token, err := os.ReadFile(filepath.Join(dir, "command.token"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(g.Output(), strings.TrimSpace(string(token))) {
		t.Error("the token is printed")
	}
	if info, err := os.Stat(filepath.Join(dir, "command.token")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Remove(filepath.Join(dir, "command.token")); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := sh.run("", "auth", "link", "--config", config); code != 5 {
		t.Errorf("without the file: exit %d, %s", code, errs)
	}
}
