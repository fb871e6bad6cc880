package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestClassify(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"MIT":                        {"Permission is hereby\ngranted, free of charge, to any person", "MIT"},
		"BSD":                        {"Redistribution and use in source\nand binary forms, with or without", "BSD"},
		"ISC":                        {"Permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"},
		"Apache":                     {"Apache License\n   Version 2.0, January 2004", "Apache-2.0"},
		"copyleft":                   {"Mozilla Public License Version 2.0", ""},
		"copyleft beside permissive": {"Permission is hereby granted, free of charge\nGNU GENERAL PUBLIC LICENSE Version 3", ""},
		"something else":             {"All rights reserved.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := classify([]byte(c.text)); got != c.want {
				t.Errorf("classify = %q, want %q", got, c.want)
			}
		})
	}
}

func TestLicenceOf(t *testing.T) {
	dir := t.TempDir()
	if _, err := licenceOf(dir, nil); err == nil {
		t.Error("a module without a licence passes")
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("LICENSE", "Permission is hereby granted, free of charge")
	if got, err := licenceOf(dir, nil); got != "MIT" || err != nil {
		t.Errorf("licenceOf = %q, %v; want MIT", got, err)
	}
	write("LICENSE-other", "Proprietary.")
	if _, err := licenceOf(dir, nil); err == nil {
		t.Error("a second, unknown licence passes")
	}
	if got, err := licenceOf(dir, []string{"LICENSE-other"}); got != "MIT" || err != nil {
		t.Errorf("with the other one reviewed: %q, %v; want MIT", got, err)
	}
}

func TestEscape(t *testing.T) {
	if got := escape("github.com/BurntSushi/toml@v1"); got != "github.com/!burnt!sushi/toml@v1" {
		t.Errorf("escape = %q", got)
	}
}
