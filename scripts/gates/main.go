// gates checks what no compiler or test does: the size of the binary, the licences of what is linked
// into it, pins that must move together, and that lock files name no download addresses.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	maxBinary  = 50_000_000 // bytes, docs/architecture.md
	maxModules = 150        // linked
)

func main() {
	root := flag.String("root", ".", "the repository")
	binary := flag.String("binary", "bin/sluice", "the built program")
	flag.Parse()
	failed := false
	for _, g := range []struct {
		name string
		run  func(root, binary string) (string, error)
	}{
		{"binary size", size},
		{"linked modules and their licences", licences},
		{"modernc.org/libc is the one that modernc.org/sqlite wants", libcPin},
		{"lock files name no download address", lockFiles},
		{"no file tells where it was made", strayPaths},
		{"links between pages lead somewhere", links},
	} {
		note, err := g.run(*root, *binary)
		if err != nil {
			failed = true
			fmt.Printf("FAIL  %s: %v\n", g.name, err)
			continue
		}
		fmt.Printf("ok    %s   %s\n", g.name, note)
	}
	if failed {
		os.Exit(1)
	}
}

func size(_, binary string) (string, error) {
	fi, err := os.Stat(binary)
	if err != nil {
		return "", err
	}
	if fi.Size() > maxBinary {
		return "", fmt.Errorf("%.1f MB, the budget is %.0f MB", float64(fi.Size())/1e6, float64(maxBinary)/1e6)
	}
	return fmt.Sprintf("%.1f MB", float64(fi.Size())/1e6), nil
}

func goOutput(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// linked returns module@version of all that is in the binary, replacements in place of what they replace.
func linked(root, binary string) ([]string, error) {
	out, err := goOutput(root, "version", "-m", binary)
	if err != nil {
		return nil, err
	}
	var modules []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "dep":
			modules = append(modules, f[1]+"@"+f[2])
		case len(f) >= 3 && f[0] == "=>":
			modules[len(modules)-1] = f[1] + "@" + f[2]
		}
	}
	return modules, nil
}

func licences(root, binary string) (string, error) {
	modules, err := linked(root, binary)
	if err != nil {
		return "", err
	}
	if len(modules) > maxModules {
		return "", fmt.Errorf("%d modules are linked, the budget is %d", len(modules), maxModules)
	}
	cache, err := goOutput(root, "env", "GOMODCACHE")
	if err != nil {
		return "", err
	}
	counts := map[string]int{}
	var bad []string
	for _, m := range modules {
		name, err := licenceOf(filepath.Join(cache, escape(m)), reviewed(m))
		if err != nil {
			bad = append(bad, m+": "+err.Error())
			continue
		}
		counts[name]++
	}
	if len(bad) > 0 {
		return "", fmt.Errorf("\n\t%s", strings.Join(bad, "\n\t"))
	}
	return fmt.Sprintf("%d modules: %v", len(modules), counts), nil
}

// escape writes a module path as it stands in the module cache: an upper-case letter becomes ! and
// the lower-case one (golang.org/ref/mod#module-cache).
func escape(m string) string {
	var b strings.Builder
	for _, r := range m {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('!')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// reviewed lists the files of a module that a person has read, because no phrase in them says that they
// allow what we do. A version is part of it: the next one is read anew.
func reviewed(module string) []string {
	return map[string][]string{
		// A picture that is not in the program.
		"modernc.org/memory@v1.12.1": {"LICENSE-LOGO"},
		// SQLite's dedication to the public domain; and a list of all that the module is made from, built
		// with and tested by: what is linked of it is MIT, BSD, Apache-2.0 or in the public domain.
		"modernc.org/sqlite@v1.60.1": {"LICENSE-SQLITE", "LICENSE-3RD-PARTY.md"},
	}[module]
}

// licenceOf classifies the licence texts in a module's root directory but those that were reviewed.
// All of them must be allowed: a module with a second, stricter text is for a person to look at.
func licenceOf(dir string, reviewed []string) (string, error) {
	var names []string
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "License*", "license*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		names = append(names, found...)
	}
	first := ""
	for _, name := range names {
		if slices.Contains(reviewed, filepath.Base(name)) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a directory of licence texts of test data
		}
		kind := classify(text)
		if kind == "" {
			return "", fmt.Errorf("%s is none of MIT, BSD, ISC, Apache-2.0", filepath.Base(name))
		}
		if first == "" {
			first = kind
		}
	}
	if first == "" {
		return "", fmt.Errorf("no licence found in %s", dir)
	}
	return first, nil
}

func classify(text []byte) string {
	t := strings.Join(strings.Fields(strings.ToLower(string(text))), " ")
	for _, no := range []string{
		"gnu general public license version", "gnu affero general public", "gnu lesser general public",
		"mozilla public license", "business source license", "server side public license", "commons clause",
	} {
		if strings.Contains(t, no) {
			return ""
		}
	}
	for _, yes := range []struct{ phrase, name string }{
		{"apache license version 2.0", "Apache-2.0"},
		{"apache license, version 2.0", "Apache-2.0"},
		{"redistribution and use in source and binary forms", "BSD"},
		{"permission is hereby granted, free of charge", "MIT"},
		{"permission to use, copy, modify, and/or distribute this software for any", "ISC"},
		{"permission to use, copy, modify, and distribute this software for any", "ISC"},
	} {
		if strings.Contains(t, yes.phrase) {
			return yes.name
		}
	}
	return ""
}

// libcPin: modernc.org/sqlite is C made Go against one version of modernc.org/libc; a newer libc, lifted
// by another module, breaks it in ways that tests may not find.
func libcPin(root, _ string) (string, error) {
	file, err := goOutput(root, "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")
	if err != nil {
		return "", err
	}
	have, err := goOutput(root, "list", "-m", "-f", "{{.Version}}", "modernc.org/libc")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s names no modernc.org/libc", file)
	}
	if want := string(m[1]); have != want {
		return "", fmt.Errorf("have %s, want %s", have, want)
	}
	return have, nil
}

// tracked lists the files of the repository.
func tracked(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00"), nil
}

// lockFiles: a lock file that names where a package was fetched from forces that mirror on everybody.
func lockFiles(root, _ string) (string, error) {
	names, err := tracked(root)
	if err != nil {
		return "", err
	}
	n := 0
	for _, name := range names {
		base := filepath.Base(name)
		if base != "package-lock.json" && base != "requirements.txt" && base != ".npmrc" {
			continue
		}
		n++
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		if regexp.MustCompile(`"resolved"|--(extra-)?index-url|registry\s*=| @ https?:`).Match(text) {
			return "", fmt.Errorf("%s names download addresses", name)
		}
	}
	return fmt.Sprintf("%d files", n), nil
}

// strayPaths looks for the absolute path of this very checkout in what is tracked.
func strayPaths(root, _ string) (string, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	names, err := tracked(root)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // deleted, or a submodule
		}
		if len(abs) > len("/app") && bytes.Contains(text, []byte(abs+"/")) {
			return "", fmt.Errorf("%s holds the path %s", name, abs)
		}
	}
	return fmt.Sprintf("%d files", len(names)), nil
}

// links follows the relative links of the Markdown pages.
func links(root, _ string) (string, error) {
	names, err := tracked(root)
	if err != nil {
		return "", err
	}
	n := 0
	var dead []string
	for _, name := range names {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // deleted
		}
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, ":") {
				continue // within the page, or elsewhere
			}
			n++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target)); err != nil {
				dead = append(dead, name+" -> "+target)
			}
		}
	}
	if len(dead) > 0 {
		return "", fmt.Errorf("%s", strings.Join(dead, ", "))
	}
	return fmt.Sprintf("%d links", n), nil
}
