package provider

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluicehq/sluice/internal/wire/translate"
)

// FidelityMarkdown writes docs/fidelity.md: what becomes of each feature of a unified request, by the dialect that
// the model's provider speaks.
func FidelityMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# What translation keeps\n\n<!-- Generated from internal/wire/translate by \"make docs\"; changes belong there. -->\n\n" +
		"What becomes of a request to [the unified endpoint](unified.md), by the dialect of the model's provider. *yes*: said in its words; *adapted*: within\n" +
		"its bounds, or by other means; *dropped*: it only tunes, and the log entry names it; *refused*: 400, because leaving it out\n" +
		"would change what is asked for. A request that already speaks the provider's dialect keeps all its fields.\n\n")
	dialects := translate.Targets()
	b.WriteString("| |")
	for _, d := range dialects {
		b.WriteString(" " + string(d) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(dialects)) + "\n")
	for _, f := range translate.Features() {
		b.WriteString("| " + string(f) + " |")
		for _, d := range dialects {
			b.WriteString(" " + translate.Fidelity(d)[f].String() + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Who speaks what\n\n| provider | dialect | path |\n|---|---|---|\n")
	t, err := NewTable(nil)
	if err != nil {
		return err
	}
	for _, p := range t.All() {
		to := p.Unified
		if to.Path == "" {
			if ep, _ := p.Match("POST", chatPath); ep == nil || ep.Name != chatPath {
				continue
			}
			to.Path = chatPath
		}
		if to.Dialect == "" {
			to.Dialect = translate.Chat
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", p.Slug, to.Dialect, to.Path)
	}
	b.WriteString("\nCustom providers, and those of the configuration, speak chat at `chat/completions`.\n")
	_, err = io.WriteString(w, b.String())
	return err
}
