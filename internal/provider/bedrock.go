package provider

import (
	"bytes"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
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

// bedrockAuth takes a Bedrock API key as one text, or an AWS key that signs.
func bedrockAuth() Auth {
	a := bearer().with("x-amz-security-token", "x-api-key").inQuery("X-Amz-Signature")
	a.Kinds = []credential.Kind{credential.AWS}
	a.Scope, a.Test, a.Took = bedrockScope, bedrockTest, bedrockTook
	return a
}

// bedrockScope names service and region of a signature. The path was checked when the call was resolved.
func bedrockScope(in Call) (service, region string) {
	service, rest, _ := strings.Cut(in.Path, "/")
	region, _, _ = strings.Cut(rest, "/")
	if service != bedrockMantle {
		service = "bedrock" // whatever the host, by https://docs.aws.amazon.com/general/latest/gr/bedrock.html
	}
	return service, strings.ToLower(region)
}

// bedrockTest lists the asynchronous calls, which needs no model and costs nothing.
func bedrockTest(k *credential.Key) (Call, bool) {
	if k.Kind != credential.AWS {
		return Call{}, false // of an API key the region is not known
	}
	return Call{
		Method: "GET", Path: "bedrock-runtime/" + k.Region + "/async-invoke", Query: "maxResults=1",
		Header: sluice.Header{{Name: "Accept", Value: "application/json"}},
	}, true
}

// bedrockTook tells a refusal that comes behind the check of the signature: the key is good, and may not list.
func bedrockTook(status int, h sluice.Header, body []byte) bool {
	kind, _, _ := strings.Cut(h.Get("X-Amzn-ErrorType"), ":")
	return status == 403 && kind == "AccessDeniedException" && bytes.Contains(body, []byte("is not authorized to perform"))
}
