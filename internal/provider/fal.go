package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// falTarget is the header in which fal's SDKs tell a proxy the URL they mean: queue, storage and REST
// calls go to other hosts than fal.run.
const falTarget = "x-fal-target-url"

// falAddress sends a call to the URL of falTarget, or to fal.run when there is none. Only fal's own
// hosts are allowed there, by https: anything else would make an open proxy that carries a key.
func falAddress(p *Provider, in Call) (Target, error) {
	urls := in.Header.Values(falTarget)
	if len(urls) == 0 {
		return p.ordinary(in)
	}
	rest, ok := strings.CutPrefix(urls[0], "https://")
	if !ok || len(urls) > 1 {
		return Target{}, errFalTarget()
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host = strings.TrimSuffix(host, ":443")
	if !isFalHost(host) {
		return Target{}, errFalTarget()
	}
	path, query, _ := strings.Cut(path, "?")
	if checkPath(path) != nil || checkQuery(query) != nil {
		return Target{}, errFalTarget()
	}
	return p.at(strings.ToLower(host), strings.TrimPrefix(path, "/"), query), nil
}

// isFalHost reports whether host is one of fal's.
func isFalHost(host string) bool {
	for l := range strings.SplitSeq(host, ".") {
		if _, err := label("host", l, 0); err != nil {
			return false
		}
	}
	host = "." + strings.ToLower(host)
	return strings.HasSuffix(host, ".fal.run") || strings.HasSuffix(host, ".fal.ai")
}

func errFalTarget() error {
	return &sluice.Error{
		Kind: sluice.KindInvalid, Field: falTarget, Msg: falTarget + " is not an https address of fal",
		Hint: "it may lead to fal.run, fal.ai and names below them",
	}
}
