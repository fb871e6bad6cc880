package provider

import "strings"

// basetenAddress sends model/{model_id} to the model's own host, all else to the shared one. What
// follows the id is a path there; nothing means its production deployment.
func basetenAddress(p *Provider, in Call) (Target, error) {
	after, ok := strings.CutPrefix(in.Path, "model/")
	if !ok {
		return p.ordinary(in)
	}
	id, rest, more := strings.Cut(after, "/")
	name, err := label("model id", id, len("model-"))
	if err != nil {
		return Target{}, err
	}
	if !more {
		rest = "production/predict"
	}
	if p.custom {
		return p.at("", rest, in.Query), nil
	}
	return Target{Scheme: p.base.scheme, Host: "model-" + name + ".api.baseten.co", Path: "/" + rest, Query: in.Query}, nil
}
