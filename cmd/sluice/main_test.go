package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
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
//	demo [flags]            the same with made-up traffic
//	stop [signal] [code]    end it (INT, 0) and check its exit code
//	eventually re args…     run sluice until its stdout matches
//	tail n args…            sluice logs tail until n lines have come, then Ctrl-C; they are in $WORK/tail.out
//	proxy                   put a relay before the server, which SLUICE_URL then names
//	tail-begin args…        begin sluice logs tail
//	cut n                   when the tail has n lines, break all connections through the relay
//	tail-end n              as tail, of the one that was begun
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[serverKey{}] = &server{}
			e.Setenv("LANG", "C.UTF-8")
			e.Setenv("GORACE", "atexit_sleep_ms=10") // a program under the race detector waits a second at its end
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": serve, "demo": demo, "stop": stop, "eventually": eventually, "tail": tail,
			"proxy": proxy, "cut": cut, "tail-begin": tailBegin, "tail-end": tailEnd,
		},
	})
}

type serverKey struct{}

// process is a running command of a script.
type process struct {
	cmd    *exec.Cmd
	out    *output
	exited chan struct{}
}

// server is what runs beside a script.
type server struct {
	process
	tail  process
	relay *relay
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
		"GOCOVERDIR", "GORACE", "TESTSCRIPT_COMMAND_FILE",
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
	serveAs(ts, regexp.MustCompile(`(?s)Management +(http://\S+)/client/v4.*Waiting for`), append([]string{"serve"}, args...))
}

func demo(ts *testscript.TestScript, _ bool, args []string) {
	serveAs(ts, regexp.MustCompile(`(?s)Dashboard +(http://\S+)/ui/.*Ctrl-C ends it`), append([]string{"demo"}, args...))
}

// serveAs starts a command that serves; re matches what it has printed when it is ready, and finds its address.
func serveAs(ts *testscript.TestScript, re *regexp.Regexp, args []string) {
	s := ts.Value(serverKey{}).(*server)
	s.out = newOutput()
	s.cmd, s.exited = start(ts, s.out, append(args, "--listen", "127.0.0.1:0")...)
	var url string
	ready := func(text string) bool {
		m := re.FindStringSubmatch(text)
		if m == nil {
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

func tail(ts *testscript.TestScript, neg bool, args []string) {
	tailBegin(ts, neg, args[1:])
	tailEnd(ts, neg, args[:1])
}

func tailBegin(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	s.tail.out = newOutput()
	s.tail.cmd, s.tail.exited = start(ts, s.tail.out, append([]string{"logs", "tail"}, args...)...)
}

func tailEnd(ts *testscript.TestScript, _ bool, args []string) {
	t := &ts.Value(serverKey{}).(*server).tail
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if !t.out.until(func(text string) bool { return strings.Count(text, "\n") >= n }, t.exited) {
		ts.Fatalf("fewer than %d lines:\n%s", n, t.out)
	}
	ts.Check(t.cmd.Process.Signal(os.Interrupt))
	select {
	case <-t.exited:
	case <-time.After(patience):
		ts.Fatalf("tail does not end with Ctrl-C")
	}
	if code := t.cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("tail ended with %d:\n%s", code, t.out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("tail.out"), fmt.Append(nil, t.out), 0o600))
}

// relay carries connections to a server, and can break them.
type relay struct {
	mu    sync.Mutex
	conns []net.Conn
	work  sync.WaitGroup
}

func proxy(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	to := strings.TrimPrefix(ts.Getenv("SLUICE_URL"), "http://")
	r := &relay{}
	ts.Value(serverKey{}).(*server).relay = r
	r.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.carry(c, to)
		}
	})
	ts.Defer(func() {
		_ = l.Close()
		r.cut()
		r.work.Wait()
	})
	ts.Setenv("SLUICE_URL", "http://"+l.Addr().String())
}

// carry copies both ways until either side ends.
func (r *relay) carry(in net.Conn, to string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		_ = in.Close()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, in, out)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		r.work.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = in.Close()
			_ = out.Close()
		})
	}
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

func cut(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if !s.tail.out.until(func(text string) bool { return strings.Count(text, "\n") >= n }, s.tail.exited) {
		ts.Fatalf("fewer than %d lines before the cut:\n%s", n, s.tail.out)
	}
	s.relay.cut()
}
