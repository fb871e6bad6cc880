package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) apiCommand() *cobra.Command {
	var flags struct {
		data, file string
		header     []string
		include    bool
	}
	c := a.command("api <method> <path>", "Make any call of the management API, signed in", func(cmd *cobra.Command, given []string) error {
		body, err := a.apiBody(flags.data, flags.file)
		if err != nil {
			return err
		}
		header := http.Header{}
		for _, line := range flags.header {
			name, value, found := strings.Cut(line, ":")
			if !found || strings.TrimSpace(name) == "" {
				return usage("--header is not %q: it is Name: value", line)
			}
			header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
		return a.withAPI(func(api *client.Client) error {
			answer, err := api.Call(cmd.Context(), strings.ToUpper(given[0]), given[1], header, body)
			if err != nil {
				return err
			}
			return a.showAnswer(answer, flags.include)
		})
	})
	c.Args = args(2, 2)
	c.Long = "A path begins with /client/v4/, or is one of the account's, such as gateways/prod/routes. It may have a query.\n" +
		"The answer's body goes to stdout as it came, of a refusal too. /client/v4/openapi.json lists all calls."
	c.Example = "sluice api get gateways\n" +
		"sluice api post gateways/default/datasets -d '{\"name\":\"dear\",\"filters\":[{\"key\":\"cost\",\"operator\":\"gt\",\"value\":[0.1]}]}'\n" +
		"sluice api get /client/v4/openapi.json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&flags.data, "data", "d", "", "the call's body: `text`, mostly JSON")
	f.StringVar(&flags.file, "file", "", "the call's body from a `file`, - for stdin")
	f.StringArrayVarP(&flags.header, "header", "H", nil, "a `line` of the call's header, such as If-Match: \"3\"; may be given several times")
	f.BoolVarP(&flags.include, "include", "i", false, "the answer's status and header before its body")
	return c
}

// maxAPIBody bounds a body that is read from a file.
const maxAPIBody = 32 << 20

// apiBody is what the flags say; nil: none.
func (a *commands) apiBody(data, file string) ([]byte, error) {
	switch {
	case data != "" && file != "":
		return nil, usage("--data and --file are both the call's body: give one")
	case data != "":
		return []byte(data), nil
	case file == "":
		return nil, nil
	}
	in := a.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &failure{code: exitUsage, what: err.Error(), err: err}
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAPIBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the call's body: %w", err)
	}
	if len(text) > maxAPIBody {
		return nil, usage("the call's body is larger than 32 MB")
	}
	return text, nil
}

func (a *commands) showAnswer(answer *client.Answer, include bool) error {
	var b strings.Builder
	if include {
		fmt.Fprintf(&b, "%d %s\n", answer.Status, http.StatusText(answer.Status))
		for _, name := range sortedKeys(answer.Header) {
			for _, value := range answer.Header[name] {
				fmt.Fprintf(&b, "%s: %s\n", name, printable(value, false))
			}
		}
		b.WriteString("\n")
	}
	text := string(answer.Body)
	if a.OutTerminal {
		text = printable(text, true)
	}
	b.WriteString(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteString("\n")
	}
	if err := a.write(b.String()); err != nil {
		return err
	}
	if answer.Status < http.StatusMultipleChoices {
		return nil
	}
	f := explainAPI(answer.Refusal())
	return f
}
