package provider

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
)

//go:embed providers.md.tmpl
var pageTemplate string

// Markdown writes docs/providers.md: the table for people, how paths are mapped, how to add an address
// of one's own, and what echo does. Its error is w's.
func Markdown(w io.Writer) error {
	t, err := NewTable(nil)
	if err != nil {
		return err
	}
	var addresses, endpoints strings.Builder
	for _, p := range t.All() {
		at := "answered by Sluice itself"
		if p.Serve == nil {
			at = "`" + p.Base + "`"
		}
		fmt.Fprintf(&addresses, "| %s | %s | %s | %s |\n", segments(p), p.Name, at, credentialText(p.Auth))
		fmt.Fprintf(&endpoints, "| `%s` | %s | %s |\n", p.Slug, metered(p), source(p.Source))
	}
	// Plain replacement, not a template: package template keeps the linker from dropping unused methods.
	_, err = strings.NewReplacer("{{addresses}}\n", addresses.String(), "{{endpoints}}\n", endpoints.String(),
		"{{openai}}", strings.Join(openAINames(), ", ")).WriteString(w, pageTemplate)
	return err
}

// segments lists what names the provider in a path.
func segments(p *Provider) string {
	return "`" + strings.Join(append([]string{p.Slug}, p.Aliases...), "`, `") + "`"
}

// credentialText tells where one stands.
func credentialText(a Auth) string {
	ways := []string{"`" + strings.TrimSpace(a.Header+": "+a.Scheme) + "`"}
	if a.Scheme == "" {
		ways[0] = "`" + a.Header + "`"
	}
	for _, h := range a.Also {
		ways = append(ways, "`"+h+"`")
	}
	if a.Query != "" {
		ways = append(ways, "`?"+a.Query+"=`")
	}
	return strings.Join(ways, ", ")
}

// metered names the endpoints whose answers are read for usage; those of OpenAI's dialect, when a
// provider has them all, in one word.
func metered(p *Provider) string {
	names := meteredNames(p.Endpoints)
	openAI := openAINames()
	if all := slices.DeleteFunc(slices.Clone(openAI), func(n string) bool { return slices.Contains(names, n) }); len(all) == 0 {
		others := slices.DeleteFunc(names, func(n string) bool { return slices.Contains(openAI, n) })
		names = append([]string{"OpenAI's"}, others...)
	}
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}

// openAINames names the endpoints of OpenAI's dialect whose answers are read.
func openAINames() []string { return meteredNames(openAIEndpoints(wireMeters())) }

// meteredNames names the endpoints of es that have a meter.
func meteredNames(es []Endpoint) []string {
	var names []string
	for _, e := range es {
		if e.Meter != nil && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names
}

// source makes the address in a provider's Source a link that stays readable.
func source(s string) string {
	if url, date, ok := strings.Cut(s, " "); ok && strings.HasPrefix(url, "https://") {
		return "<" + url + "> " + date
	}
	return s
}
