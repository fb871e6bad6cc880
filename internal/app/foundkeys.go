package app

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/provider"
)

// foundKeys are the provider keys in the environment that this process was started with.
func (a *App) foundKeys() (list []admin.FoundKey) {
	values := map[string]string{}
	for _, pair := range a.options.Source.Env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = strings.TrimSpace(value)
	}
	for _, p := range a.table.Load().All() {
		for _, name := range provider.KeyVariables(p.Slug) {
			// CLOUDFLARE_API_TOKEN is that of an account, for all that one can do there: it is not offered.
			if values[name] != "" && name != "CLOUDFLARE_API_TOKEN" && !p.Keyless() {
				list = append(list, admin.FoundKey{Provider: p.Slug, Name: name, Secret: sluice.NewSecret(values[name])})
				break
			}
		}
	}
	return list
}
