package provider

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// addressing is one case of testdata/<slug>/addressing.txt: a line
//
//	METHOD path?query => URL => endpoint model
//
// with "refused: part of the message" in place of the URL, and "-" for no endpoint. Lines before it set
// what it needs: "base:" and "account:" until changed, "header:" for the next case.
type addressing struct {
	line     string
	settings map[string]config.Provider
	call     Call
	url      string
	refused  string
	endpoint string
	model    string
}

// addressings reads a provider's cases.
func addressings(t testing.TB, slug string) []addressing {
	f, err := os.Open(filepath.Join("testdata", slug, "addressing.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var cases []addressing
	var next addressing
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		if v, ok := strings.CutPrefix(line, "base:"); ok {
			next.settings = map[string]config.Provider{slug: {BaseURL: strings.TrimSpace(v)}}
			continue
		}
		if v, ok := strings.CutPrefix(line, "account:"); ok {
			next.call.Account = strings.TrimSpace(v)
			continue
		}
		if v, ok := strings.CutPrefix(line, "header:"); ok {
			name, value, _ := strings.Cut(strings.TrimSpace(v), ":")
			next.call.Header.Add(name, strings.TrimSpace(value))
			continue
		}
		c := next
		next.call.Header = nil
		c.read(t, line)
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		t.Errorf("%s has no recorded cases", slug)
	}
	return cases
}

// read reads the line of a case itself.
func (c *addressing) read(t testing.TB, line string) {
	parts := strings.Split(line, " => ")
	method, request, ok := strings.Cut(parts[0], " ")
	if !ok || len(parts) < 2 {
		t.Fatalf("bad line %q", line)
	}
	c.line, c.call.Method = line, method
	c.call.Path, c.call.Query, _ = strings.Cut(request, "?")
	if c.refused, ok = strings.CutPrefix(parts[1], "refused: "); ok {
		return
	}
	c.refused, c.url = "", parts[1]
	if len(parts) != 3 {
		t.Fatalf("bad line %q", line)
	}
	c.endpoint, c.model, _ = strings.Cut(parts[2], " ")
}

// String is the target as a URL.
func (t Target) String() string {
	s := t.Scheme + "://" + t.Host + t.Path
	if t.Query != "" {
		s += "?" + t.Query
	}
	return s
}

// resolved finds the provider of a case in a table of its own and resolves the call.
func (c *addressing) resolved(t testing.TB, slug string) (*Provider, Target, error) {
	table, err := NewTable(c.settings)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := table.Find(slug)
	if !ok {
		t.Fatalf("no provider %s", slug)
	}
	target, err := p.Resolve(c.call)
	return p, target, err
}

func TestAddressingAsRecorded(t *testing.T) {
	for _, p := range Builtin() {
		t.Run(p.Slug, func(t *testing.T) {
			for _, c := range addressings(t, p.Slug) {
				p, target, err := c.resolved(t, p.Slug)
				if c.refused != "" {
					if sluice.KindOf(err) != sluice.KindInvalid || !strings.Contains(err.Error(), c.refused) {
						t.Errorf("%s: error %v, target %s", c.line, err, target)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", c.line, err)
					continue
				}
				if target.String() != c.url {
					t.Errorf("%s: target %s", c.line, target)
				}
				ep, model := p.Match(c.call.Method, c.call.Path)
				name := "-"
				if ep != nil {
					name = ep.Name
				}
				if name != c.endpoint || model != c.model {
					t.Errorf("%s: endpoint %s %s", c.line, name, model)
				}
			}
		})
	}
}
