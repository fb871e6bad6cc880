package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must come to pass.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sluice": func() { os.Exit(run()) }})
}

// TestScripts starts the program, calls it, looks at what it did and stops it, as a user would. The
// scripts are in testdata; beside testscript's own commands they have:
//
//	serve [flags]           start a server on a free port; sets SLUICE_URL; its output goes to $WORK/serve.out
//	stop [signal] [code]    end it (INT, 0) and check its exit code
//	eventually re args…     run sluice until its stdout matches
//	tail n args…            sluice logs tail until n lines have come, then Ctrl-C; they are in $WORK/tail.out
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[serverKey{}] = &server{}
			e.Setenv("LANG", "C.UTF-8")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": serve, "stop": stop, "eventually": eventually, "tail": tail,
		},
	})
}

type serverKey struct{}

// server is the running server of a script.
type server struct {
	cmd    *exec.Cmd
	out    *output
	exited chan struct{}
}

// output keeps what a process writes, and tells when it has written.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newOutput() *output { return &output{wrote: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.wrote <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// until waits for ok of what was written; it reports false when ended is closed or time is up.
func (o *output) until(ok func(text string) bool, ended <-chan struct{}) bool {
	deadline := time.After(patience)
	for !ok(o.String()) {
		select {
		case <-o.wrote:
		case <-ended:
			return ok(o.String())
		case <-deadline:
			return false
		}
	}
	return true
}

// start starts sluice in the script's directory and environment.
func start(ts *testscript.TestScript, out *output, args ...string) (*exec.Cmd, chan struct{}) {
	cmd := exec.Command("sluice", args...)
	cmd.Path = lookPath(ts)
	cmd.Err = nil
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = environ(ts)
	cmd.Stdout, cmd.Stderr = out, out
	ts.Check(cmd.Start())
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ProcessState tells
		close(exited)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	return cmd, exited
}

// lookPath finds sluice in the script's PATH.
func lookPath(ts *testscript.TestScript) string {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/sluice"); err == nil {
			return dir + "/sluice"
		}
	}
	ts.Fatalf("sluice is not in PATH")
	return ""
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "LANG", "WORK", "SLUICE_ADMIN_TOKEN", "SLUICE_TOKEN", "SLUICE_URL", "SLUICE_LOG_LEVEL",
		"GOCOVERDIR", "TESTSCRIPT_COMMAND_FILE",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("! serve: use exec sluice serve")
	}
	s := ts.Value(serverKey{}).(*server)
	s.out = newOutput()
	s.cmd, s.exited = start(ts, s.out, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	var url string
	re := regexp.MustCompile(`Management +(http://\S+)/client/v4`)
	ready := func(text string) bool {
		m := re.FindStringSubmatch(text)
		if m == nil || !strings.Contains(text, "Waiting for") {
			return false
		}
		url = m[1]
		return true
	}
	if !s.out.until(ready, s.exited) {
		ts.Fatalf("the server does not listen:\n%s", s.out)
	}
	ts.Setenv("SLUICE_URL", url)
	ts.Check(os.WriteFile(ts.MkAbs("serve.out"), []byte(s.out.String()), 0o600))
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	sig, want := syscall.SIGINT, 0
	if len(args) > 0 {
		sig = map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	}
	if len(args) > 1 {
		want, _ = strconv.Atoi(args[1])
	}
	ts.Check(s.cmd.Process.Signal(sig))
	select {
	case <-s.exited:
	case <-time.After(patience):
		ts.Fatalf("the server does not end:\n%s", s.out)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("the server ended with %d, want %d:\n%s", got, want, s.out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("serve.out"), []byte(s.out.String()), 0o600))
}

func eventually(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[0])
	deadline := time.Now().Add(patience)
	for {
		out := newOutput()
		_, exited := start(ts, out, args[1:]...)
		<-exited
		if re.MatchString(out.String()) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never matched; at last:\n%s", args[0], out)
		}
	}
}

func tail(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	out := newOutput()
	cmd, exited := start(ts, out, append([]string{"logs", "tail"}, args[1:]...)...)
	if !out.until(func(text string) bool { return strings.Count(text, "\n") >= n }, exited) {
		ts.Fatalf("fewer than %d lines:\n%s", n, out)
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	select {
	case <-exited:
	case <-time.After(patience):
		ts.Fatalf("tail does not end with Ctrl-C")
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("tail ended with %d:\n%s", code, out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("tail.out"), fmt.Append(nil, out), 0o600))
}
