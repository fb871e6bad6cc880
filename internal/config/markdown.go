package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// intro explains the rules that hold for all settings.
const intro = `# Configuration

<!-- Generated from internal/config by "make docs"; changes belong there. -->

Sluice needs no configuration to start. What is set comes from four layers; the first that has a value wins:

1. a flag: ` + "`sluice serve --log-level debug`" + `
2. the environment: ` + "`SLUICE_LOG_LEVEL=debug`" + `
3. the file: ` + "`--config`, else `SLUICE_CONFIG`, else the first of `./sluice.yaml`, `$XDG_CONFIG_HOME/sluice/sluice.yaml` (`~/.config` without it), `/etc/sluice/sluice.yaml`" + `
4. the default

` + "`sluice config print`" + ` shows every value with its origin, ` + "`sluice config validate`" + ` reports everything that is wrong, and
` + "`sluice config init`" + ` writes a file to start from (the same as [sluice.yaml](sluice.yaml)); ` + "`sluice config init --schema`" + ` writes a
JSON Schema for editors. The file is YAML, or JSON. An unknown name in the file is an error. An unknown ` + "`SLUICE_…`" + ` variable is a warning.

**Names in the environment**: ` + "`SLUICE_`" + ` and the path in upper case, where ` + "`.` and `-` become `_`" + `. That holds for the names of accounts,
gateways and providers too: ` + "`SLUICE_PROVIDERS_WORKERS_AI_BASE_URL`" + ` sets ` + "`providers.workers-ai.base_url`" + `. A name that the file has is
found there; any other is read in lower case with ` + "`-` for `_`" + `. Host names must stand in the file. An empty variable counts as not set, but
for secrets: there it is an error. In lists, commas separate the entries.

**Secrets** may be written as they are, as ` + "`${NAME}`" + ` (a variable of the environment) or as ` + "`file:/path`" + ` (the file's content without the
last line end). They are never flags, and no command prints them.

**Sizes** are numbers with an optional unit: ` + "`512KB`, `25MB`, `4GB` (powers of 1,000), `64KiB`, `1GiB`" + ` (powers of 1,024).
**Durations**: ` + "`500ms`, `30s`, `10m`, `12h`, `30d`" + `.

**Reload**: a changed file or SIGHUP reads everything again. A configuration that is not valid changes nothing: the old settings stay, and the
log and ` + "`sluice status`" + ` say what is wrong. Settings marked *restart* change only when the process starts again.

**Reachable from other machines**: as long as all listeners are on loopback, account ` + "`default`" + ` with gateway ` + "`default`" + ` exists by itself and
the management API needs no token until somebody can sign in. Any other address needs ` + "`admin_token`" + ` or an admin who has claimed it (people.md), and gateways exist only as configured:

` + "```yaml" + `
listen: 0.0.0.0:8088
admin_token: file:/run/secrets/sluice-admin
accounts:
  default:
    gateways:
      default: {}
` + "```" + `
`

// Markdown writes docs/configuration.md.
func Markdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	_, _ = b.WriteString(intro) // Flush reports the error
	single := false
	for _, n := range tree().children {
		switch {
		case n.leaf == "":
			_, _ = fmt.Fprintf(b, "\n## %s\n", n.key)
			if n.help != "" {
				_, _ = fmt.Fprintf(b, "\n%s.\n", sentence(n.help))
			}
			tableHead(b)
		case !single:
			single = true
			_, _ = b.WriteString("\n## General\n")
			tableHead(b)
		}
		n.walk([]string{n.key}, func(path []string, leaf *node) { tableRow(b, path, leaf) })
	}
	return b.Flush()
}

func tableHead(b *bufio.Writer) {
	_, _ = b.WriteString("\n| setting | type | default | what it does |\n|---|---|---|---|\n")
}

// tableRow writes one setting.
func tableRow(b *bufio.Writer, path []string, n *node) {
	def := ""
	if n.def != "" {
		def = "`" + n.def + "`"
	}
	kind := string(n.leaf)
	if n.enum != nil {
		kind = "`" + strings.Join(n.enum, "` `") + "`"
	}
	help := sentence(n.help)
	if n.restart {
		help += " (*restart*)"
	}
	_, _ = fmt.Fprintf(b, "| `%s`<br>`%s` | %s | %s | %s |\n",
		strings.Join(path, "."), envName(path), kind, def, strings.ReplaceAll(help, "|", `\|`))
}

// sentence begins a help text with a capital letter.
func sentence(help string) string {
	if help == "" {
		return ""
	}
	return strings.ToUpper(help[:1]) + help[1:]
}
