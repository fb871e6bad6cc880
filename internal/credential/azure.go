package credential

import "strings"

func parseAzure(m members) (*Key, error) {
	p := parts{APIKey: m.first("apikey", "key"), Resource: strings.ToLower(m.first("resource", "resourcename"))}
	switch {
	case p.APIKey == "":
		return nil, invalid("apiKey", "the key has no apiKey", "one of the two keys of the resource")
	case !visible(p.APIKey):
		return nil, invalid("apiKey", "apiKey has characters that cannot be sent", "")
	case p.Resource == "":
		return nil, invalid("resource", "the key has no resource", `add "resource": "my-resource", the first part of its host name`)
	case !isLabel(p.Resource):
		return nil, invalid("resource", "the resource is no name of one", "the first part of its host name alone: my-resource, not my-resource.openai.azure.com")
	}
	k := &Key{Kind: Azure, ID: p.Resource, Hint: hintOf(p.APIKey), Resource: p.Resource}
	return k.keep(p), nil
}

// azureHosts are those of a resource.
func azureHosts(resource string) []string {
	return []string{resource + ".openai.azure.com", resource + ".services.ai.azure.com", resource + ".cognitiveservices.azure.com"}
}
