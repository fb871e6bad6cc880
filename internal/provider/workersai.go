package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// workersAddress maps the three forms of Workers AI paths. run/{model}, v1/…, models/… and tomarkdown
// are paths of its API; anything else is a model to run. The model stays as it was sent: its @ is
// never escaped.
func workersAddress(p *Provider, in Call) (Target, error) {
	path := in.Path
	switch first, _, _ := strings.Cut(path, "/"); first {
	case "", "run", "v1", "models", "tomarkdown":
	default:
		path = "run/" + path
	}
	if p.custom {
		return p.at("", path, in.Query), nil
	}
	if !isAccountID(in.Account) {
		return Target{}, &sluice.Error{
			Kind: sluice.KindInvalid, Field: "account", Msg: "Workers AI needs a Cloudflare account id in the path",
			Hint: "call /v1/{32 hexadecimal digits}/{gateway}/workers-ai/…, with that id as the account's alias, " +
				"or set providers.workers-ai.base_url",
		}
	}
	t := p.at(p.base.host, path, in.Query)
	t.Path = strings.Replace(t.Path, "{account_id}", in.Account, 1)
	return t, nil
}

// isAccountID reports whether s is an account id of Cloudflare: 32 hexadecimal digits.
func isAccountID(s string) bool {
	for i := range len(s) {
		if !isHex(s[i]) {
			return false
		}
	}
	return len(s) == 32
}
