package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

// chatFlags are the flags of chat.
type chatFlags struct {
	model, system   string
	keyEnv, keyFile string
	keyStdin, unary bool
	meta            map[string]string
}

func (a *commands) chatCommand() *cobra.Command {
	var f chatFlags
	c := a.command("chat [prompt]", "Send one message through the gateway and stream the answer", func(cmd *cobra.Command, given []string) error {
		return a.chat(cmd, &f, strings.Join(given, " "))
	})
	c.Long = "The quickest check that everything works: without -m the built-in model echo answers, offline. The prompt may\n" +
		"also come from stdin. A provider's key is used only where you say so."
	c.Example = "sluice chat \"Hello, Sluice\"\nsluice chat -m openai/gpt-5-mini --key-env OPENAI_API_KEY \"Hello\"\necho \"Summarise: …\" | sluice chat --json"
	l := c.Flags()
	l.SortFlags = false
	l.StringVarP(&f.model, "model", "m", "echo/echo-1", "`provider/model` to ask")
	l.StringVar(&f.system, "system", "", "`text` of a system message")
	l.BoolVar(&f.unary, "no-stream", false, "ask for the answer in one piece")
	l.StringVar(&f.keyEnv, "key-env", "", "take the provider's key from this `variable`")
	l.StringVar(&f.keyFile, "key-file", "", "take the provider's key from this `file`")
	l.BoolVar(&f.keyStdin, "key-stdin", false, "take the provider's key from stdin")
	l.StringToStringVar(&f.meta, "meta", nil, "metadata of the request, `name=value`")
	return c
}

// maxPrompt bounds what is read from stdin.
const maxPrompt = 16 << 20

func (a *commands) chat(cmd *cobra.Command, f *chatFlags, prompt string) error {
	slug, model, ok := strings.Cut(f.model, "/")
	if !ok || slug == "" || model == "" {
		return usage("-m is provider/model, for example openai/gpt-5-mini, not %q", f.model)
	}
	key, err := a.providerKey(f)
	if err != nil {
		return err
	}
	if prompt, err = a.prompt(f, prompt); err != nil {
		return err
	}
	c, err := a.dataClient()
	if err != nil {
		return err
	}
	r := client.ChatRequest{Provider: slug, Model: model, System: f.system, Prompt: prompt, Key: key, Unary: f.unary, Header: a.gatewayToken()}
	if len(f.meta) > 0 {
		text, err := json.Marshal(f.meta)
		if err != nil {
			return err
		}
		r.Header.Set("cf-aig-metadata", string(text))
	}
	live := contains([]string{"table", "wide"}, a.flags.output)
	result, err := c.Chat(cmd.Context(), r, func(piece string) {
		if live {
			_ = a.write(a.shown(piece)) // a closed pipe shows at the end
		}
	})
	if err != nil {
		if live && result != nil && result.Text != "" {
			_ = a.write("\n") // what comes next is the error
		}
		return a.explainChat(err, slug, key)
	}
	if live {
		if err := a.write("\n"); err != nil {
			return err
		}
		a.chatSummary(slug, result)
		return nil
	}
	return a.showChat(slug, result)
}

// shown makes an answer fit for a terminal; a pipe gets it as it is.
func (a *commands) shown(text string) string {
	if a.OutTerminal {
		return printable(text, true)
	}
	return text
}

// providerKey finds the key that was pointed at; none is taken by itself.
func (a *commands) providerKey(f *chatFlags) (sluice.Secret, error) {
	given := 0
	for _, is := range []bool{f.keyEnv != "", f.keyFile != "", f.keyStdin} {
		if is {
			given++
		}
	}
	if given > 1 {
		return sluice.Secret{}, usage("--key-env, --key-file and --key-stdin: one of them")
	}
	var text, from string
	switch {
	case f.keyEnv != "":
		text, from = a.getenv(f.keyEnv), "the variable "+f.keyEnv
	case f.keyFile != "":
		content, err := os.ReadFile(f.keyFile)
		if err != nil {
			return sluice.Secret{}, err
		}
		text, from = string(content), f.keyFile
	case f.keyStdin:
		content, err := io.ReadAll(io.LimitReader(a.Stdin, 64<<10))
		if err != nil {
			return sluice.Secret{}, err
		}
		text, from = string(content), "stdin"
	default:
		return sluice.Secret{}, nil
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return sluice.Secret{}, usage("%s holds no key", from)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return sluice.Secret{}, usage("%s holds more than a key: a space, a line end or a letter outside ASCII", from)
	}
	return sluice.NewSecret(text), nil
}

// prompt is the argument, or what stdin holds.
func (a *commands) prompt(f *chatFlags, prompt string) (string, error) {
	if prompt != "" && prompt != "-" {
		return prompt, nil
	}
	if f.keyStdin || a.InTerminal && prompt == "" {
		return "", &failure{code: exitUsage, what: "there is no prompt", hint: "sluice chat \"Hello, Sluice\""}
	}
	text, err := io.ReadAll(io.LimitReader(a.Stdin, maxPrompt))
	if err != nil {
		return "", err
	}
	if prompt = strings.TrimSpace(string(text)); prompt == "" {
		return "", &failure{code: exitUsage, what: "there is no prompt: stdin is empty", hint: "sluice chat \"Hello, Sluice\""}
	}
	return prompt, nil
}

func (a *commands) chatSummary(slug string, r *client.ChatResult) {
	parts := []string{
		a.sign("✓") + " " + named(slug, r.Model),
		a.millis(ms(r.Duration)),
		"first byte " + a.millis(ms(r.FirstByte)),
	}
	if r.In != nil || r.Out != nil {
		parts = append(parts, a.optionalCount(r.In)+a.sign(" → ")+a.optionalCount(r.Out)+" tok")
	}
	if r.LogID != "" {
		parts = append(parts, "sluice logs get "+r.LogID)
	}
	a.say("%s", strings.Join(parts, "   "))
}

func (a *commands) showChat(slug string, r *client.ChatResult) error {
	raw, err := json.Marshal(struct {
		Text       string  `json:"text"`
		Provider   string  `json:"provider"`
		Model      string  `json:"model"`
		Finish     string  `json:"finish"`
		Status     int     `json:"status"`
		LogID      string  `json:"log_id"`
		TokensIn   *int64  `json:"tokens_in"`
		TokensOut  *int64  `json:"tokens_out"`
		FirstByte  float64 `json:"first_byte_ms"`
		DurationMs float64 `json:"duration_ms"`
	}{r.Text, slug, r.Model, r.Finish, r.Status, r.LogID, r.In, r.Out, ms(r.FirstByte), ms(r.Duration)})
	if err != nil {
		return err
	}
	return a.show(view{raw: raw})
}

// explainChat adds what is particular to a call through the data plane: who refuses is the provider.
func (a *commands) explainChat(err error, slug string, key sluice.Secret) error {
	e, ok := errors.AsType[*client.APIError](err)
	if !ok {
		return err
	}
	f := explainAPI(e)
	if e.Code != 0 { // the gateway's own errors have one
		f.what = "the gateway refuses: " + e.Error()
		return f
	}
	f.what = fmt.Sprintf("%s answered %d: %s", slug, e.Status, e.Error())
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		f.hint = "the provider wants a key of its own: --key-env, --key-file or --key-stdin"
		if !key.IsZero() {
			f.hint = "the provider does not take this key: is it of " + slug + "?"
		}
		for _, name := range slices.Sorted(maps.Keys(usualKeys())) {
			if key.IsZero() && strings.HasPrefix(usualKeys()[name], slug+"/") && a.getenv(name) != "" {
				f.hint = "the provider wants a key, and " + name + " is set: --key-env " + name
			}
		}
	}
	return f
}
