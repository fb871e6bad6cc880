package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/bench/internal/traffic"
)

// server is the program, running on the store.
type server struct {
	base   string
	cmd    *exec.Cmd
	client *http.Client
}

const (
	startTime = 2 * time.Minute // to serve
	stopTime  = time.Minute
)

// launch starts the program, with rows as the bound on its log.
func launch(ctx context.Context, o options, rows int64) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(o.dir, "bench.yaml")
	text := fmt.Sprintf("log:\n  max_rows: %d\n  max_bytes: 100GB\n  metadata: [%s]\naccounts:\n  %s:\n    gateways:\n", rows, traffic.Metadata, traffic.Account)
	for _, g := range traffic.Gateways() {
		text += "      " + g + ": {}\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s := &server{base: "http://" + addr, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: time.Minute}}
	s.cmd = exec.Command(o.binary, "serve", "--quiet", "--config", config, "--listen", addr, "--data-dir", o.dir)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(startTime); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.get(ctx, "/readyz")
		if err == nil {
			return s, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
}

func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	return s.cmd.Wait()
}

// api is where the management API has what is asked.
const api = "/client/v4/accounts/" + traffic.Account + "/ai-gateway"

// get returns the answer at a path.
func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	return s.do(ctx, http.MethodGet, path, nil)
}

func (s *server) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	return text, err
}

// ask returns the result of an answer at a path of the API.
func (s *server) ask(ctx context.Context, path string, params url.Values, result, info any) error {
	if len(params) > 0 {
		path += "?" + params.Encode()
	}
	text, err := s.get(ctx, api+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &struct {
		Result any `json:"result"`
		Info   any `json:"result_info"`
	}{result, info})
}

// rested waits until the program has sealed all days but yesterday and today, of which yesterday may not be quiet
// yet: it looks for such days once a minute.
func (s *server) rested(ctx context.Context, dir string) error {
	before := int64(-1)
	for same := 0; same < 6; {
		wait(ctx, 2*time.Second)
		if err := ctx.Err(); err != nil {
			return err
		}
		now := usage(dir).analytics
		if now == before && now > 1<<20 {
			same++
		} else {
			same = 0
		}
		before = now
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// disk is what the log takes, in bytes.
type disk struct{ index, analytics, rows, bodies, rest int64 }

func (d disk) all() int64 { return d.index + d.analytics + d.rows + d.bodies + d.rest }

func usage(dir string) (d disk) {
	_ = filepath.WalkDir(filepath.Join(dir, "log"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // it was removed meanwhile
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		n := info.Size()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n = st.Blocks * 512
		}
		switch name := entry.Name(); {
		case strings.HasPrefix(name, "analytics.db"):
			d.analytics += n
		case strings.Contains(name, ".db"):
			d.index += n
		case strings.HasSuffix(name, ".rows"):
			d.rows += n
		case strings.HasSuffix(name, ".bodies"):
			d.bodies += n
		default:
			d.rest += n
		}
		return nil
	})
	return d
}

func size(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }
