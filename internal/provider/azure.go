package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// azureOpenAIAddress maps {resource}/{deployment}/{rest} to that deployment at the resource's host.
// Azure's own paths behind {resource} stay: they are what its SDKs send, and no call of a deployment
// looks like them.
func azureOpenAIAddress(p *Provider, in Call) (Target, error) {
	resource, rest, _ := strings.Cut(in.Path, "/")
	name, err := label("resource", resource, 0)
	if err != nil {
		return Target{}, err
	}
	if strings.HasPrefix(rest, "openai/deployments/") || strings.HasPrefix(rest, "openai/v1/") {
		return p.at(p.fill("resource", name), rest, in.Query), nil
	}
	deployment, _, _ := strings.Cut(rest, "/")
	if deployment == "" {
		return Target{}, invalid("The path does not name a deployment",
			"call azure-openai/{resource}/{deployment}/chat/completions?api-version=…")
	}
	return p.at(p.fill("resource", name), "openai/deployments/"+rest, in.Query), nil
}

// foundryAddress maps {resource}/{rest} to the resource's host.
func foundryAddress(p *Provider, in Call) (Target, error) {
	resource, rest, _ := strings.Cut(in.Path, "/")
	name, err := label("resource", resource, 0)
	if err != nil {
		return Target{}, err
	}
	return p.at(p.fill("resource", name), rest, in.Query), nil
}

// azureAuth adds keys that know their resource to a.
func azureAuth(a Auth) Auth {
	a.Kinds = []credential.Kind{credential.Azure}
	a.Test = azureTest
	return a
}

// foundryAuth is azureAuth for the resource's other dialects, which have no call that costs nothing.
func foundryAuth() Auth {
	a := azureAuth(bare("x-api-key").with("api-key", "Authorization"))
	a.Test = func(*credential.Key) (Call, bool) { return Call{}, false }
	return a
}

// azureTest lists the models of the key's resource.
func azureTest(k *credential.Key) (Call, bool) {
	if k.Kind != credential.Azure {
		return Call{}, false // of one text the resource is not known
	}
	return Call{
		Method: "GET", Path: k.Resource + "/openai/v1/models", Header: sluice.Header{{Name: "Accept", Value: "application/json"}},
	}, true
}
