package wiretest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Recordings reads the answers in testdata/*.txtar and compares each reading with what the file wants.
// A file is named after its endpoint ("chat.moonshot.txtar") and holds the sections "upstream", the
// answer's bytes, and "want", its reading as Format prints it. With update, "want" is rewritten.
func Recordings(t *testing.T, update bool, open func(endpoint string) Open) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			endpoint, _, _ := strings.Cut(name, ".")
			body, want := Section(t, a, "upstream"), Section(t, a, "want")
			r := Cuts(t, func() wire.Meter { return open(endpoint)(true) }, body.Data)
			if other := Read(open(endpoint)(false), body.Data, 100); !other.Equal(&r) {
				t.Errorf("it depends on what was asked for: %+v, %+v", r, other)
			}
			if got := Format(r); update {
				want.Data = []byte(got)
			} else if got != string(want.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
			if update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Section returns a section of an archive.
func Section(t testing.TB, a *txtar.Archive, name string) *txtar.File {
	t.Helper()
	for i := range a.Files {
		if a.Files[i].Name == name {
			return &a.Files[i]
		}
	}
	t.Fatalf("no section %q", name)
	return nil
}

// Seeds returns the answers of testdata/*.txtar and of the examples in dir, for fuzzing.
func Seeds(t testing.TB, dir string, providers ...string) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var seeds [][]byte
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, Section(t, a, "upstream").Data)
	}
	for _, e := range Examples(t, dir, providers...) {
		seeds = append(seeds, e.Body)
	}
	return seeds
}

// Format prints a reading, a line for each of its parts that say something.
func Format(r wire.Reading) string {
	var b strings.Builder
	formatUsage(&b, "usage", &r.Usage)
	for i := range r.Charges {
		c := &r.Charges[i]
		formatUsage(&b, fmt.Sprintf("charge: %q %q", c.Model, c.Tier), &c.Usage)
	}
	for _, part := range []struct{ name, text string }{
		{"model", r.Model},
		{"finish", r.Finish},
		{"error", r.Error},
		{"tier", r.Tier},
		{"geo", r.Geo},
		{"cost", r.Cost},
	} {
		if part.text != "" {
			fmt.Fprintf(&b, "%s: %q\n", part.name, part.text)
		}
	}
	b.WriteString("seen:")
	for i, name := range []string{"event", "content", "usage", "error", "end"} {
		if r.Seen&(1<<i) != 0 {
			b.WriteString(" " + name)
		}
	}
	return b.String() + "\n"
}

func formatUsage(b *strings.Builder, name string, u *sluice.Usage) {
	fmt.Fprintf(b, "%s: %v", name, u.Basis)
	for c := range sluice.ClassCount {
		if n, known := u.Get(c); known {
			fmt.Fprintf(b, " %v=%d", c, n)
		}
	}
	b.WriteByte('\n')
}
