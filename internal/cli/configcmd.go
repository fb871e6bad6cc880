package cli

import (
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/provider"
)

func (a *commands) configCommand() *cobra.Command {
	c := a.command("config", "Look at the configuration (local)", nil)
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	c.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) == 0 {
			return nil
		}
		return unknownCommand(cmd, given[0])
	}
	c.Example = "sluice config print\nsluice config validate\nsluice config init"
	c.AddCommand(a.configPrint(), a.configValidate(), a.configInit())
	return c
}

// shownValue is a value as config print shows it to programs.
type shownValue struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Type   string `json:"type"`
	Origin string `json:"origin"`
}

func (a *commands) configPrint() *cobra.Command {
	var changed bool
	c := a.command("print", "Print every value with its origin; secrets are masked (local)", func(*cobra.Command, []string) error {
		l, err := config.Load(a.source())
		if err != nil {
			return err
		}
		var rows []json.RawMessage
		t := &table{columns: []column{{title: "SETTING"}, {title: "VALUE", flex: 12}, {title: "ORIGIN"}}}
		for _, v := range l.Values() {
			if changed && v.Origin.Kind == config.FromDefault {
				continue
			}
			row, err := json.Marshal(shownValue{v.Path, v.Text, string(v.Type), v.Origin.String()})
			if err != nil {
				return err
			}
			rows = append(rows, row)
			color := plain
			if v.Origin.Kind == config.FromDefault {
				color = dim
			}
			t.rows = append(t.rows, []cell{{text: v.Path}, {text: v.Text}, {v.Origin.String(), color}})
		}
		if rows == nil {
			rows = []json.RawMessage{}
		}
		raw, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		a.warn(l.Warnings)
		return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
	})
	c.Args = args(0, 0)
	c.Example = "sluice config print\nsluice config print --changed\nsluice config print --json"
	c.Flags().BoolVar(&changed, "changed", false, "only what is not the default")
	return c
}

func (a *commands) warn(warnings []string) {
	for _, w := range warnings {
		a.say("%s", a.sign("⚠ ")+w)
	}
}

// validity is what config validate tells programs.
type validity struct {
	Valid    bool             `json:"valid"`
	File     string           `json:"file"`
	Problems []config.Problem `json:"problems"`
	Warnings []string         `json:"warnings"`
}

func (a *commands) configValidate() *cobra.Command {
	c := a.command("validate [file]", "Report everything that is wrong (local)", func(_ *cobra.Command, given []string) error {
		s := a.source()
		if len(given) > 0 {
			s.File = given[0]
		}
		v, err := validate(s)
		if err != nil {
			return err
		}
		if contains([]string{"table", "wide"}, a.flags.output) {
			return a.saysValid(v)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := a.show(view{raw: raw}); err != nil {
			return err
		}
		if !v.Valid {
			return errReported{exitConfig}
		}
		return nil
	})
	c.Args = args(0, 1)
	c.Example = "sluice config validate\nsluice config validate ./sluice.yaml\nsluice config validate --json"
	return c
}

// validate loads the configuration, the table of providers with it. Its error is of reading the file.
func validate(s config.Source) (*validity, error) {
	v := &validity{Problems: []config.Problem{}, Warnings: []string{}}
	l, err := config.Load(s)
	if problems, ok := errors.AsType[*config.Errors](err); ok {
		v.Problems = problems.List
		return v, nil
	}
	if err != nil {
		return nil, &failure{code: exitConfig, err: err}
	}
	v.File = l.File
	v.Warnings = append(v.Warnings, l.Warnings...)
	if _, err := provider.NewTable(l.Config.Providers); err != nil {
		for _, msg := range strings.Split(err.Error(), "\n") {
			v.Problems = append(v.Problems, config.Problem{Path: "providers", Msg: msg})
		}
	}
	if problems, ok := errors.AsType[*config.Errors](gateway.Check(l)); ok {
		v.Problems = append(v.Problems, problems.List...)
	}
	v.Valid = len(v.Problems) == 0
	return v, nil
}

func (a *commands) saysValid(v *validity) error {
	if !v.Valid {
		return &config.Errors{List: v.Problems}
	}
	a.warn(v.Warnings)
	file := v.File
	if file == "" {
		file = "no file; environment and defaults"
	}
	return a.write(a.sign("✓ valid: ") + printable(file, false) + "\n")
}

func (a *commands) configInit() *cobra.Command {
	var schema bool
	c := a.command("init [file]", "Write a configuration file to start from (local)", func(_ *cobra.Command, given []string) error {
		file := "sluice.yaml"
		text := config.Sample()
		if schema {
			file, text = "-", string(config.Schema())
		}
		if len(given) > 0 {
			file = given[0]
		}
		if file == "-" {
			return a.write(text)
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // it may come to hold secrets
		if errors.Is(err, os.ErrExist) {
			return &failure{code: exitConflict, what: file + " exists", hint: "another name: sluice config init FILE; or - for stdout"}
		}
		if err != nil {
			return err
		}
		if _, err := f.WriteString(text); err != nil {
			_ = f.Close() // the write says more
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		a.say("wrote %s; next: sluice config validate", file)
		return nil
	})
	c.Args = args(0, 1)
	c.Long = "Every setting stands in it with its help and default, commented out. With --schema: the JSON Schema that\n" +
		"editors check such a file with."
	c.Example = "sluice config init\nsluice config init - | less\nsluice config init --schema > sluice.schema.json"
	c.Flags().BoolVar(&schema, "schema", false, "a JSON Schema instead, to stdout unless a file is named")
	return c
}
