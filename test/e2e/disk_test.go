package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// smallDisk returns a directory on a file system of size bytes. Where the test may not mount one, the
// process gets a limit on the size of its files instead, which stops the log alike: limit is not 0.
func smallDisk(t *testing.T, size int64) (dir string, limit int64) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
	if err != nil {
		if !errors.Is(err, syscall.EPERM) {
			t.Logf("no small file system: %v", err)
		}
		return dir, size / 8
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir, 0
}

// incompressible is a chat request whose prompt has about n bytes that do not compress.
func incompressible(n int) string {
	b := make([]byte, n*3/4)
	_, _ = rand.Read(b)
	return `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"` + base64.StdEncoding.EncodeToString(b) + `"}]}`
}

func TestDiskFull(t *testing.T) {
	const size = 96 << 20
	up := upstream.New(t, mixed)
	disk, limit := smallDisk(t, size)
	config := to("http://"+up.Addr+"/v1") + "log: {min_free: 4MB, queue_bytes: 8MB}\n"
	g := gateway.Start(t, gateway.Options{Config: config, DataDir: filepath.Join(disk, "data"), FileLimit: limit})

	body := incompressible(100 << 10)
	send := func(n int) {
		t.Helper()
		for range n {
			resp, got, err := g.TryPost(context.Background(), "openai", "chat/completions", body)
			if err != nil || resp.StatusCode != 200 || string(got) != answered {
				t.Fatalf("a request failed on a full disk: %v %s", err, got)
			}
			body = incompressible(100 << 10)
		}
	}
	send(5)
	if limit == 0 {
		fill(t, filepath.Join(disk, "filler"))
	}
	// More than disk and queue hold together.
	send(2 * size / (100 << 10))
	lost := regexp.MustCompile(`"dropped_(bodies|rows)": ?[1-9]`)
	var status string
	g.Eventually("a count of what was lost in the status", func() bool {
		send(1)
		status = g.Status()
		return lost.MatchString(status)
	}, func() string { return status })
	if strings.Contains(status, `"state":"ok"`) {
		t.Errorf("the status says that all is well: %s", status)
	}
	if limit != 0 {
		return
	}
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	// With room again, the log goes on by itself.
	g.Eventually("a row that was stored with its body after there was room again", func() bool {
		resp, _, err := g.TryPost(context.Background(), "openai", "chat/completions", chat)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := g.StoredBody(resp.Header.Get("cf-aig-log-id"), "request")
		return err == nil && string(stored) == chat
	}, g.Status)
}

// fill takes all room but a little.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return
			}
			t.Fatal(err)
		}
	}
}
