package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// bedrockMantle is the first segment of calls to Bedrock's endpoint for other vendors' dialects.
const bedrockMantle = "bedrock-mantle"

// bedrockAddress maps {service}/{region}/{rest} to the service's host in that region. Path and query
// stay as they are, because callers sign them for that host.
func bedrockAddress(p *Provider, in Call) (Target, error) {
	service, rest, _ := strings.Cut(in.Path, "/")
	region, rest, _ := strings.Cut(rest, "/")
	var host string
	switch service {
	case "bedrock-runtime", "bedrock-runtime-fips":
		host = strings.Replace(p.base.host, "bedrock-runtime", service, 1)
	case bedrockMantle:
		host = "bedrock-mantle.{region}.api.aws"
	default:
		return Target{}, invalid("The path does not begin with a service of Bedrock",
			"call aws-bedrock/bedrock-runtime/{region}/model/{model}/converse or aws-bedrock/bedrock-mantle/{region}/anthropic/v1/messages")
	}
	name, err := label("region", region, 0)
	if err != nil {
		return Target{}, err
	}
	host = strings.Replace(host, "{region}", name, 1)
	if strings.HasPrefix(name, "cn-") && service != bedrockMantle {
		host += ".cn" // China's partition has a domain of its own
	}
	return p.at(host, rest, in.Query), nil
}

// bedrockKey moves a Bedrock API key to where mantle's Messages endpoint reads it: SDKs of AWS send
// it as a bearer token. Signatures stay where they are.
func bedrockKey(h *sluice.Header, in Call) {
	_, rest, _ := strings.Cut(in.Path, "/")
	_, rest, _ = strings.Cut(rest, "/")
	if !strings.HasPrefix(in.Path, bedrockMantle+"/") || !strings.HasPrefix(rest, "anthropic/") || h.Has("x-api-key") {
		return
	}
	for i, f := range *h {
		if !strings.EqualFold(f.Name, "Authorization") {
			continue
		}
		if scheme, key, ok := strings.Cut(f.Value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			(*h)[i] = sluice.Field{Name: "x-api-key", Value: strings.TrimSpace(key)}
			return
		}
	}
}
