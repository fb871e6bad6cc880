package sdk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// block is a piece of code on a page of docs: what stands between two fences.
type block struct {
	lang string
	file string // that it is the content of; "": none
	text string
}

// blocks reads a page. Behind the language a fence may name a file, which Markdown does not show.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	parts := strings.Split("\n"+string(text), "\n```")
	if len(parts)%2 == 0 {
		t.Fatalf("%s: a fence without an end", page)
	}
	for i := 1; i < len(parts); i += 2 {
		head, body, _ := strings.Cut(parts[i], "\n")
		lang, file, _ := strings.Cut(head, " ")
		all = append(all, block{lang, file, body + "\n"})
	}
	return all
}

// write puts the content of a file that a page names into dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// link gives dir the packages of folders beside this file, each as a link: what `npm install` would bring,
// at the versions of the lock files.
func link(t *testing.T, dir string, folders ...string) {
	t.Helper()
	to := filepath.Join(dir, "node_modules")
	for _, folder := range folders {
		from := filepath.Join(absolute(t, folder), "node_modules")
		for _, pattern := range []string{"*", "@*/*", ".bin/*"} {
			found, err := filepath.Glob(filepath.Join(from, filepath.FromSlash(pattern)))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range found {
				name, err := filepath.Rel(from, path)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(name, "@") != strings.ContainsRune(name, filepath.Separator) && !strings.HasPrefix(name, ".bin") {
					continue // a folder of packages
				}
				place := filepath.Join(to, name)
				if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, place); err != nil && !os.IsExist(err) {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := os.Stat(to); err != nil {
		t.Fatalf("%v (has `make setup` run?)", err)
	}
}
