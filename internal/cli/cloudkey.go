package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// completed adds to a key what the flags say of it: a region, or the resource that it is of.
func (f *keyFlags) completed(key sluice.Secret) (sluice.Secret, error) {
	if f.region == "" && f.place == "" {
		return key, nil
	}
	parts := map[string]any{}
	switch text := key.Reveal(); {
	case strings.HasPrefix(text, "{"):
		if json.Unmarshal([]byte(text), &parts) != nil {
			return key, usage("the key begins like a JSON object, and is none")
		}
	case f.place == "":
		return key, usage("--region is for keys of several parts, and this is one text")
	default:
		parts["apiKey"] = text
	}
	if f.region != "" {
		parts["region"] = f.region
	}
	if f.place != "" {
		parts["resource"] = f.place
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return key, err
	}
	return sluice.NewSecret(string(text)), nil
}

// cloudKey finds a key of several parts where a cloud's own tools look for it. found is false for providers that
// have none, and where nothing is set.
func (a *commands) cloudKey(provider string) (key sluice.Secret, found bool, err error) {
	switch provider {
	case "aws-bedrock", "bedrock":
		return a.awsKey()
	case "google-vertex-ai", "google-vertex":
		name := a.getenv("GOOGLE_APPLICATION_CREDENTIALS")
		if name == "" {
			return key, false, nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return key, false, &failure{code: exitNotFound, what: fmt.Sprintf("GOOGLE_APPLICATION_CREDENTIALS: %v", err)}
		}
		return sluice.NewSecret(strings.TrimSpace(string(text))), true, nil
	}
	return key, false, nil
}

// awsKey makes a key of the environment of AWS's tools, unless that has a Bedrock API key.
func (a *commands) awsKey() (key sluice.Secret, found bool, err error) {
	parts := map[string]string{}
	for _, v := range [...]struct{ member, name string }{
		{"accessKeyId", "AWS_ACCESS_KEY_ID"},
		{"secretAccessKey", "AWS_SECRET_ACCESS_KEY"},
		{"sessionToken", "AWS_SESSION_TOKEN"},
		{"region", "AWS_DEFAULT_REGION"},
		{"region", "AWS_REGION"},
	} {
		if value := a.getenv(v.name); value != "" {
			parts[v.member] = value
		}
	}
	if a.getenv("AWS_BEARER_TOKEN_BEDROCK") != "" || parts["accessKeyId"] == "" {
		return key, false, nil
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return key, false, err
	}
	return sluice.NewSecret(string(text)), true, nil
}
