package cli

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// topic is a text of "sluice help".
type topic struct {
	name, about string
	text        func() string
}

func topics() []topic {
	return []topic{
		{"filters", "how to say which log entries you mean", reqlog.FilterHelp},
		{"config", "where settings come from, and all of them", configHelp},
		{"exit-codes", "what a command's exit code says", exitCodesHelp},
		{"headers", "what a request can say to Sluice, and an answer says of it", headersHelp},
	}
}

// topic returns a topic's text; "topics" is the list of them.
func (a *commands) topic(name string) (string, bool) {
	if name == "topics" {
		var b strings.Builder
		b.WriteString("Topics:\n")
		for _, t := range topics() {
			fmt.Fprintf(&b, "  sluice help %-12s %s\n", t.name, t.about)
		}
		return b.String(), true
	}
	for _, t := range topics() {
		if t.name == name {
			return strings.TrimRight(t.text(), "\n") + "\n", true
		}
	}
	return "", false
}

func exitCodesHelp() string {
	var b strings.Builder
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "%3d  %s\n", c.Code, c.Meaning)
	}
	return b.String()
}

func configHelp() string {
	var b strings.Builder
	b.WriteString(`A setting comes from the first of these that has it: a flag of "sluice serve", the environment,
the configuration file, the default. The file is --config, else SLUICE_CONFIG, else the first that
exists of ./sluice.yaml, $XDG_CONFIG_HOME/sluice/sluice.yaml and /etc/sluice/sluice.yaml.

  sluice config init       write a file with every setting in it, commented out
  sluice config print      every value, and where it comes from
  sluice config validate   everything that is wrong

Settings, with their name in the environment, type and default:

`)
	for _, f := range config.Fields() {
		def := ""
		if f.Default != "" {
			def = ", " + f.Default
		}
		fmt.Fprintf(&b, "  %s\n      %s (%s%s)\n      %s\n", f.Path, f.Env, f.Type, def, f.Help)
	}
	return b.String()
}

// headersHelp lists what this version acts on.
func headersHelp() string {
	return `A request may carry these; none of them goes to the provider.

  cf-aig-metadata              JSON object of up to five texts, numbers or truth values: facts of your own,
                               to filter by ({"user": "42"} is found by meta.user:42)
  cf-aig-collect-log           true or false: whether this request gets a log entry; it is counted in any case
  cf-aig-collect-log-payload   true or false: whether its bodies are stored
  cf-aig-event-id              an id of your own for the request
  cf-aig-request-timeout       milliseconds until the first byte of the answer
  cf-aig-otel-trace-id         trace that the request belongs to; recorded

An answer carries these.

  cf-aig-request-id            id of the request
  cf-aig-log-id                id of its log entry, where there is one: sluice logs get ID
  cf-aig-event-id              your id, or the request's
  cf-aig-step                  which target answered, from 0
`
}
