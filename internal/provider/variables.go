package provider

import "strings"

// KeyVariables are the environment variables in which a provider's own tools look for a key, the likeliest first.
func KeyVariables(slug string) []string {
	if names, known := map[string][]string{ // where the name does not follow from the slug
		"google-ai-studio": {"GEMINI_API_KEY", "GOOGLE_API_KEY"},
		"huggingface":      {"HF_TOKEN", "HUGGINGFACE_API_KEY"},
		"replicate":        {"REPLICATE_API_TOKEN"},
		"workers-ai":       {"CLOUDFLARE_API_TOKEN"},
		"fal":              {"FAL_KEY"},
		"aws-bedrock":      {"AWS_BEARER_TOKEN_BEDROCK"},
		"grok":             {"XAI_API_KEY"},
		"perplexity-ai":    {"PERPLEXITY_API_KEY", "PPLX_API_KEY"},
	}[slug]; known {
		return names
	}
	return []string{strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(slug)) + "_API_KEY"}
}
