package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// vertexAddress finds the host in the path's locations/{region}. The locations "global", "us" and
// "eu" have hosts of their own form; a path without a location (express mode) goes to the global one.
func vertexAddress(p *Provider, in Call) (Target, error) {
	const global = "aiplatform.googleapis.com"
	_, rest, _ := strings.Cut(in.Path, "/projects/")
	_, rest, ok := strings.Cut(rest, "/locations/")
	if !ok {
		return p.at(global, in.Path, in.Query), nil
	}
	region, _, _ := strings.Cut(rest, "/")
	name, err := label("location", region, len("-aiplatform"))
	if err != nil {
		return Target{}, err
	}
	host := p.fill("region", name)
	switch name {
	case "global":
		host = global
	case "us", "eu":
		host = "aiplatform." + name + ".rep.googleapis.com"
	}
	return p.at(host, in.Path, in.Query), nil
}

// vertexAuth takes an access token as one text, or a service account.
func vertexAuth() Auth {
	a := bearer().with("x-goog-api-key").inQuery("key")
	a.Kinds = []credential.Kind{credential.Google}
	a.Test = vertexTest
	return a
}

// vertexTest lists cached contents, which every user of Vertex AI may.
func vertexTest(k *credential.Key) (Call, bool) {
	if k.Kind != credential.Google || k.Project == "" {
		return Call{}, false
	}
	return Call{
		Method: "GET", Path: "v1/projects/" + k.Project + "/locations/" + k.Region + "/cachedContents", Query: "pageSize=1",
		Header: sluice.Header{{Name: "Accept", Value: "application/json"}},
	}, true
}
