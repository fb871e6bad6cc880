// Package upkeep looks after a data directory as a whole: it is backed up while it is in use, restored, and checked.
//
// A backup is one file, a tar archive compressed with zstd: the databases as they were at one moment each, then the
// log's segments as they were afterwards, and at the end a manifest with the hash of every file. What happened
// between the two is in the segments, and the index takes it from there when the restored log is opened.
package upkeep

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	sluice "github.com/sluicehq/sluice"
)

// format is the version of archives; later ones may be written by later programs only.
const format = 1

// manifestName is the last file of an archive.
const manifestName = "manifest.json"

// maxManifest bounds a manifest that is read, in bytes.
const maxManifest = 64 << 20

// Manifest tells what an archive holds.
type Manifest struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that wrote it
	Created   time.Time `json:"created"` // what had ended before is in it
	MasterKey bool      `json:"master_key"`
	Files     []Entry   `json:"files"`
}

// Entry is one file of an archive.
type Entry struct {
	Name   string `json:"name"` // below the data directory, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is how much all files hold.
func (m *Manifest) Bytes() (n int64) {
	for _, e := range m.Files {
		n += e.Bytes
	}
	return n
}

// allowed are the names of files that an archive may hold, and nothing else.
func allowed() *regexp.Regexp {
	return regexp.MustCompile(`^(sluice\.db|log/index/([0-9]{4}-[0-9]{2}-[0-9]{2}|analytics)\.db|log/segments/[0-9]{8,20}\.(rows|bodies)|limits|budgets|reservations|master\.key)$`)
}

// archive writes an archive.
type archive struct {
	manifest Manifest
	tar      *tar.Writer
	zstd     *zstd.Encoder
	progress func(bytes int64)
}

func newArchive(w io.Writer, m Manifest, progress func(bytes int64)) (*archive, error) {
	// One core at most: requests need the others.
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	return &archive{manifest: m, tar: tar.NewWriter(z), zstd: z, progress: progress}, nil
}

// add writes the first bytes of a file.
func (a *archive) add(name, file string, bytes int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: bytes, ModTime: a.manifest.Created, Format: tar.FormatPAX}); err != nil {
		return err
	}
	sum := sha256.New()
	counted := counter{a.progress}
	if _, err := io.Copy(io.MultiWriter(a.tar, sum, counted), io.LimitReader(f, bytes)); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	a.manifest.Files = append(a.manifest.Files, Entry{name, bytes, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// close writes the manifest and ends the archive.
func (a *archive) close() error {
	text, err := json.Marshal(a.manifest)
	if err != nil {
		return err
	}
	err = a.tar.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: a.manifest.Created, Format: tar.FormatPAX})
	if err == nil {
		_, err = a.tar.Write(text)
	}
	return errors.Join(err, a.tar.Close(), a.zstd.Close())
}

// counter tells a function how much is written.
type counter struct{ f func(bytes int64) }

func (c counter) Write(b []byte) (int, error) {
	if c.f != nil {
		c.f(int64(len(b)))
	}
	return len(b), nil
}

// notEmpty is what is said of a directory that a backup would have to be mixed into.
func notEmpty(dir string) error {
	return &sluice.Error{
		Kind: sluice.KindConflict, Msg: fmt.Sprintf("%s is not empty, and a backup is restored into an empty directory only", dir),
		Hint: "move what is there away, after stopping the process that uses it, or name another directory",
	}
}

// broken is what is said of a file that is no whole backup.
func broken(err error, format string, args ...any) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Msg: "this is no whole backup: " + fmt.Sprintf(format, args...), Hint: "nothing was restored; take another copy of it", Err: err}
}

// Restore makes the data directory dir of an archive. dir does not exist, or is empty, so nobody uses it: otherwise the
// error has sluice.KindConflict. Until all is there and every hash was right, nothing is in dir. The error has
// sluice.KindInvalid when r is no whole backup, or one that a later program wrote. progress is told the bytes that were
// restored; nil: nobody asks.
func Restore(r io.Reader, dir string, progress func(bytes int64)) (*Manifest, error) {
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
		return nil, notEmpty(dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".sluice-restore-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(temp) }() // moved, when all went well
	m, err := extract(r, temp, progress)
	if err != nil {
		return nil, err
	}
	if err := syncTree(temp); err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, notEmpty(dir) // somebody was faster
	}
	if err := os.Rename(temp, dir); err != nil {
		return nil, err
	}
	return m, syncDir(filepath.Dir(dir))
}

// extract writes what an archive holds into dir, and compares it with the manifest.
func extract(r io.Reader, dir string, progress func(bytes int64)) (*Manifest, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, broken(err, "it cannot be decompressed")
	}
	defer z.Close()
	return read(tar.NewReader(z), func(name string, r io.Reader) (Entry, error) { return extractFile(r, dir, name, progress) })
}

// read calls file with each file of an archive, whose name is an allowed one, and compares what it returns with the
// manifest.
func read(t *tar.Reader, file func(name string, r io.Reader) (Entry, error)) (*Manifest, error) {
	names := allowed()
	var found []Entry
	for {
		h, err := t.Next()
		if err != nil { // the end, too: the manifest should have come before
			return nil, broken(err, "it breaks off, or is damaged, after %d files", len(found))
		}
		if h.Name == manifestName {
			return manifest(t, found)
		}
		if h.Typeflag != tar.TypeReg || !names.MatchString(h.Name) || sparse(h) {
			return nil, broken(nil, "it holds %.100q", h.Name)
		}
		e, err := file(h.Name, t)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
}

// sparse reports whether a file has holes, which a few bytes can make as large as anything. An archive has none.
func sparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// extractFile writes one file.
func extractFile(t io.Reader, dir, name string, progress func(bytes int64)) (Entry, error) {
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return Entry{}, err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Entry{}, broken(err, "it holds %s twice", name)
	}
	if err != nil {
		return Entry{}, err
	}
	out := &fileSum{file: f, sum: sha256.New(), progress: progress}
	n, err := io.Copy(out, t)
	if err != nil && out.err == nil { // of reading
		err = broken(err, "it breaks off, or is damaged, in %s", name)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Entry{}, err
	}
	return Entry{name, n, hex.EncodeToString(out.sum.Sum(nil))}, nil
}

// fileSum is a file that is written, its hash, and the error of writing.
type fileSum struct {
	file     *os.File
	sum      hash.Hash
	progress func(bytes int64)
	err      error
}

func (f *fileSum) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	if err != nil {
		f.err = err
		return n, err
	}
	_, _ = f.sum.Write(b) // never fails, by its contract
	return counter{f.progress}.Write(b)
}

// manifest reads the manifest and compares it with what was found.
func manifest(r io.Reader, found []Entry) (*Manifest, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	var m Manifest
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	switch {
	case err != nil:
		return nil, broken(err, "its manifest is damaged")
	case m.Format != format:
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: fmt.Sprintf("the backup is of format %d, and this program knows format %d", m.Format, format), Hint: "restore it with the version of Sluice that wrote it, " + clip(m.Version) + ", or a later one"}
	case len(m.Files) != len(found):
		return nil, broken(nil, "it holds %d files, and should hold %d", len(found), len(m.Files))
	}
	for i := range found {
		if found[i] != m.Files[i] {
			return nil, broken(nil, "%.100q is not as it was written", found[i].Name)
		}
	}
	return &m, nil
}

func clip(text string) string { return fmt.Sprintf("%.40q", text) }

// syncTree makes the names of all that is in dir last; the files themselves were synced.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(name)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// inArchive is a file's name in an archive.
func inArchive(elements ...string) string { return path.Join(elements...) }
