package provider

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestMarkdownNamesEveryProvider(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, p := range table(t, nil).All() {
		if n := strings.Count(b.String(), "\n| `"+p.Slug+"`"); n < 2 {
			t.Errorf("%s stands %d times at the beginning of a row", p.Slug, n)
		}
	}
	committed, err := os.ReadFile("../../docs/providers.md")
	if err != nil || !bytes.Equal(committed, b.Bytes()) {
		t.Errorf("docs/providers.md is out of date, run make docs (%v)", err)
	}
}
