package config_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watch starts Watch on file and returns a function that waits for the next call of changed.
func watch(t *testing.T, file string) (next func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	calls, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- config.Watch(ctx, file, func() { calls <- struct{}{} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func() {
		t.Helper()
		select {
		case <-calls:
		case err := <-ended:
			ended <- err
			t.Fatalf("watching ended: %v", err)
		case <-time.After(30 * time.Second):
			t.Fatal("no change was seen")
		}
	}
}

// put writes a file, again and again with other content until seen has returned: a change before the
// watch began is no change.
func put(t *testing.T, write func(content string), seen func()) {
	t.Helper()
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			write(time.Now().Format(time.RFC3339Nano))
			select {
			case <-done:
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	}()
	seen()
	close(done)
	<-stopped
}

func TestWatchSeesEveryWayOfChanging(t *testing.T) {
	write := func(t *testing.T, name, content string) {
		if err := os.WriteFile(name, []byte("# "+content+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	t.Run("written in place", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		write(t, file, "first")
		put(t, func(content string) { write(t, file, content) }, watch(t, file))
	})
	t.Run("renamed over", func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "sluice.yaml")
		write(t, file, "first")
		put(t, func(content string) {
			write(t, file+"~", content)
			if err := os.Rename(file+"~", file); err != nil {
				t.Error(err)
			}
		}, watch(t, file))
	})
	t.Run("removed and made again", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		write(t, file, "first")
		put(t, func(content string) {
			_ = os.Remove(file)
			write(t, file, content)
		}, watch(t, file))
	})
	t.Run("a link to a directory that is replaced", func(t *testing.T) {
		dir := t.TempDir()
		version := func(content string) string {
			d, err := os.MkdirTemp(dir, "v")
			if err != nil {
				t.Error(err)
			}
			write(t, filepath.Join(d, "sluice.yaml"), content)
			return d
		}
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(version("first"), link); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "sluice.yaml")
		if err := os.Symlink(filepath.Join(link, "sluice.yaml"), file); err != nil {
			t.Fatal(err)
		}
		put(t, func(content string) {
			if err := os.Symlink(version(content), link+"~"); err != nil {
				t.Error(err)
			}
			if err := os.Rename(link+"~", link); err != nil {
				t.Error(err)
			}
		}, watch(t, file))
	})
}

func TestWatchOfNothing(t *testing.T) {
	if err := config.Watch(t.Context(), filepath.Join(t.TempDir(), "no", "sluice.yaml"), func() {}); err == nil {
		t.Error("a directory that does not exist can be watched")
	}
}
