package upkeep

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files are what an archive of these tests holds.
func files() map[string]string {
	return map[string]string{
		"sluice.db": "settings", "log/index/analytics.db": "sums", "log/index/2026-11-24.db": "rows",
		"log/segments/00000001.rows": strings.Repeat("row ", 10_000), "log/segments/00000001.bodies": "", "budgets": "money",
	}
}

// order is the order of files in an archive of these tests.
func order() []string {
	return []string{"sluice.db", "log/index/2026-11-24.db", "log/index/analytics.db", "log/segments/00000001.rows", "log/segments/00000001.bodies", "budgets"}
}

func write(t testing.TB, m Manifest) []byte {
	t.Helper()
	var b bytes.Buffer
	a, err := newArchive(&b, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range order() {
		text := files()[name]
		from := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(from, []byte(text+"behind the end"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.add(name, from, int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample() Manifest {
	return Manifest{Format: format, Version: "1.2.3", Created: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
}

func TestARestoredDirectoryIsTheArchives(t *testing.T) {
	for name, made := range map[string]bool{"a directory that does not exist": false, "an empty one": true} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "deep", "data")
			if made {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			m, err := Restore(bytes.NewReader(write(t, sample())), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m.Version != "1.2.3" || len(m.Files) != len(files()) || m.Bytes() != 40_021 {
				t.Errorf("%+v, %d bytes", m, m.Bytes())
			}
			for name, want := range files() {
				path := filepath.Join(dir, filepath.FromSlash(name))
				text, err := os.ReadFile(path)
				if err != nil || string(text) != want {
					t.Errorf("%s: %.20q, %v", name, text, err)
				}
				if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", name, info.Mode())
				}
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".sluice-restore-*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// untouched checks that nothing is in dir but what keep names.
func untouched(t *testing.T, dir string, keep ...string) {
	t.Helper()
	var left []string
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(dir) {
			left = append(left, e.Name())
		}
	}
	entries, err = os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if strings.Join(left, " ") != strings.Join(keep, " ") {
		t.Errorf("there is %v, want %v", left, keep)
	}
}

func TestADirectoryInUseIsNotTouched(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(bytes.NewReader(write(t, sample())), dir, nil); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("%v", err)
	}
	untouched(t, dir, "lock")
}

func TestABrokenArchiveRestoresNothing(t *testing.T) {
	whole := write(t, sample())
	refused := func(name string, archive []byte, want string) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "data")
		_, err := Restore(bytes.NewReader(archive), dir, nil)
		if sluice.KindOf(err) != sluice.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		untouched(t, dir)
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/50 {
		refused("cut", whole[:n], "no whole backup")
	}
	refused("nothing of the kind", []byte("PK\x03\x04 this is a zip file"), "no whole backup")
	later := sample()
	later.Format = format + 1
	refused("of a later program", write(t, later), "format 2")

	// Archives that somebody made up.
	for name, entries := range map[string][]tar.Header{
		"out of the directory":   {{Name: "../evil", Typeflag: tar.TypeReg}},
		"further out":            {{Name: "log/segments/../../../evil", Typeflag: tar.TypeReg}},
		"by its whole name":      {{Name: "/tmp/evil", Typeflag: tar.TypeReg}},
		"a link":                 {{Name: "sluice.db", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}},
		"a hard link":            {{Name: "sluice.db", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"a directory":            {{Name: "log/", Typeflag: tar.TypeDir}},
		"a device":               {{Name: "limits", Typeflag: tar.TypeChar}},
		"a file of another kind": {{Name: "lock", Typeflag: tar.TypeReg}},
		"the same file twice":    {{Name: "limits", Typeflag: tar.TypeReg}, {Name: "limits", Typeflag: tar.TypeReg}},
		"a file with holes": {{Name: "limits", Typeflag: tar.TypeReg, Size: 0, PAXRecords: map[string]string{
			"XNU.sparse.map": "0,0", "XNU.sparse.numblocks": "1", "XNU.sparse.size": "9000000000", "XNU.sparse.name": "limits", "XNU.sparse.major": "0", "XNU.sparse.minor": "1",
		}}},
		"without a manifest":      {{Name: "limits", Typeflag: tar.TypeReg}},
		"with nothing but an end": {},
	} {
		want := "no whole backup: it holds"
		if strings.HasPrefix(name, "with") {
			want = "breaks off"
		}
		refused(name, madeUp(t, entries, nil), want)
	}
	other := sample()
	other.Files = []Entry{{Name: "limits", Bytes: 0, SHA256: strings.Repeat("0", 64)}}
	refused("with a wrong hash", madeUp(t, []tar.Header{{Name: "limits", Typeflag: tar.TypeReg}}, &other), "not as it was written")
	other.Files = nil
	refused("with a file that the manifest does not know", madeUp(t, []tar.Header{{Name: "limits", Typeflag: tar.TypeReg}}, &other), "it holds 1 files")
}

// madeUp makes an archive of empty files.
func madeUp(t testing.TB, entries []tar.Header, m *Manifest) []byte {
	t.Helper()
	var b, plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for i := range entries {
		if err := w.WriteHeader(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if m != nil {
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: manifestName, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	// The library writes no files with holes.
	if _, err := z.Write(bytes.ReplaceAll(plain.Bytes(), []byte("XNU.sparse."), []byte("GNU.sparse."))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzRead: whatever the bytes, no file is made but those that an archive may hold, and an archive is taken only when
// each is as the manifest says.
func FuzzRead(f *testing.F) {
	plain := func(archive []byte) []byte {
		z, err := zstd.NewReader(bytes.NewReader(archive))
		if err != nil {
			f.Fatal(err)
		}
		defer z.Close()
		text, err := io.ReadAll(z)
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	m := sample()
	m.Files = []Entry{{"limits", 0, empty}}
	f.Add(plain(madeUp(f, []tar.Header{{Name: "limits", Typeflag: tar.TypeReg}}, &m)))
	f.Add(plain(madeUp(f, []tar.Header{{Name: "../evil", Typeflag: tar.TypeReg}}, nil)))
	f.Add(plain(madeUp(f, []tar.Header{{Name: "limits", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"comment": "GNU.sparse.realsize=9000000000"}}}, nil)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, archive []byte) {
		made := map[string]bool{}
		got, err := read(tar.NewReader(bytes.NewReader(archive)), func(name string, r io.Reader) (Entry, error) {
			if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name || strings.Contains(name, "\\") {
				t.Errorf("it makes %q", name)
			}
			made[name] = true
			sum := sha256.New()
			n, err := io.Copy(sum, r)
			return Entry{name, n, hex.EncodeToString(sum.Sum(nil))}, err
		})
		if (got == nil) != (err != nil) {
			t.Errorf("%v and %v", got, err)
		}
		if got != nil {
			for _, e := range got.Files {
				if !made[e.Name] {
					t.Errorf("%s was not made", e.Name)
				}
			}
		}
	})
}

// empty is the hash of nothing.
const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
