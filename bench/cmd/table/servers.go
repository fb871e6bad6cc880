package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/bench/internal/load"
	"github.com/sluicehq/sluice/bench/internal/proc"
)

// server is a program that runs while it is measured.
type server struct {
	name   string
	binary string
	url    string // of chat completions
	addr   string
	dir    string

	cmd   *exec.Cmd
	start time.Duration // from the start of the process to the first served request
	idle  int64         // resident bytes half a second later
}

// command runs a program to its end and shows what it printed when it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// freeAddr picks an address that is free now. Another program could take it before it is used, which
// a measuring tool may leave to chance.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// launch starts v's command and waits until it serves a request.
func (s *stage) launch(ctx context.Context, v *server, env []string, args ...string) error {
	out, err := os.Create(filepath.Join(s.dir, v.name+".out"))
	if err != nil {
		return err
	}
	defer out.Close()
	v.cmd = exec.Command(args[0], args[1:]...)
	v.cmd.Dir, v.cmd.Stdout, v.cmd.Stderr = s.dir, out, out
	v.cmd.Env = append(os.Environ(), env...)
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := v.cmd.Start(); err != nil {
		return err
	}
	s.running = append(s.running, v)
	for !v.serves(ctx) {
		if time.Since(began) > 30*time.Second || ctx.Err() != nil {
			text, _ := os.ReadFile(out.Name())
			return fmt.Errorf("%s serves nothing after %v:\n%.4000s", v.name, time.Since(began).Round(time.Second), text)
		}
		time.Sleep(time.Millisecond)
	}
	v.start = time.Since(began)
	time.Sleep(500 * time.Millisecond)
	v.idle = proc.RSS(proc.Tree(v.pids()))
	return nil
}

func (v *server) pids() []int {
	if v.cmd == nil {
		return nil
	}
	return []int{v.cmd.Process.Pid}
}

// serves tries one request on a connection of its own.
func (v *server) serves(ctx context.Context) bool {
	body, _ := load.Prompt("", 100, false)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url, strings.NewReader(string(body)))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// stop ends the process group that launch started.
func (v *server) stop() {
	if v.cmd == nil {
		return
	}
	_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = v.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	v.cmd = nil
}

func (s *stage) startMock(ctx context.Context) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	v := &server{name: "direct", addr: addr, url: "http://" + addr + "/v1/chat/completions"}
	return v, s.launch(ctx, v, nil, s.mockBin, "-addr", addr)
}

const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.err warn;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path %[1]s/nginx-body;
  proxy_temp_path %[1]s/nginx-proxy;
  fastcgi_temp_path %[1]s/nginx-fastcgi;
  uwsgi_temp_path %[1]s/nginx-uwsgi;
  scgi_temp_path %[1]s/nginx-scgi;
  client_body_buffer_size 64k;
  client_max_body_size 32m;
  keepalive_requests 1000000000;
  upstream mock { server %[2]s; keepalive 1024; keepalive_requests 1000000000; }
  server {
    listen %[3]s backlog=4096;
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`

// startNginx starts the yardstick: one worker that forwards and logs nothing. It passes each piece of
// an answer on at once, as a gateway for event streams must.
func (s *stage) startNginx(ctx context.Context) (*server, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(path); err != nil {
		return nil, errors.New("nginx is not installed: run `make setup`")
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, s.dir, s.mock.addr, addr), 0o644); err != nil {
		return nil, err
	}
	// nginx's worker runs as another user when its master is root.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return nil, err
	}
	v := &server{name: "nginx", addr: addr, url: "http://" + addr + "/v1/chat/completions"}
	return v, s.launch(ctx, v, nil, path, "-c", conf, "-p", s.dir)
}

// startSluice starts v with a new data directory and everything on that is on by default.
func (s *stage) startSluice(ctx context.Context, v *server, env ...string) error {
	var err error
	if v.addr, err = freeAddr(); err != nil {
		return err
	}
	if v.dir, err = os.MkdirTemp(s.dir, v.name+"-data-"); err != nil {
		return err
	}
	v.url = "http://" + v.addr + "/v1/default/default/openai/chat/completions"
	file := filepath.Join(s.dir, v.name+".yaml")
	text := fmt.Sprintf("listen: %s\ndata_dir: %s\nproviders:\n  openai:\n    base_url: http://%s/v1\n", v.addr, v.dir, s.mock.addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return s.launch(ctx, v, env, v.binary, "serve", "--config", file)
}

// withCache makes a gateway that caches, and returns v as it is reached through that one.
func (v *server) withCache(ctx context.Context) (*server, error) {
	const settings = `{"id":"cached","cache_ttl":3600,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":null,"rate_limiting_limit":null}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.addr+api+"/gateways", strings.NewReader(settings))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("make a gateway that caches: %s", resp.Status)
	}
	at := *v
	at.url = "http://" + v.addr + "/v1/default/cached/openai/chat/completions"
	return &at, nil
}

// restart gives each Sluice a new process and an empty log.
func (s *stage) restart(ctx context.Context) error {
	for _, v := range s.targets {
		old := v.dir
		v.stop()
		if err := s.startSluice(ctx, v); err != nil {
			return err
		}
		if old != "" {
			_ = os.RemoveAll(old)
		}
	}
	return nil
}

// control sets the mock's behaviour.
func (s *stage) control(ctx context.Context, query string) error {
	_, err := fetch(ctx, "http://"+s.mock.addr+"/control?chunks=64&gap=0s&first=0s&latency=0s&"+query)
	return err
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.300s", url, resp.Status, b)
	}
	return b, err
}
