package provider

import (
	"bytes"
	"os"
	"testing"

	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

func TestTheFidelityTableIsCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := FidelityMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil || !bytes.Equal(committed, b.Bytes()) {
		t.Errorf("docs/fidelity.md is out of date, run make docs (%v)", err)
	}
}

// TestChatsGoToAnEndpointThatIsKnown: where a chat goes by the unified endpoint, a meter reads its answer, or no
// bill is right.
func TestChatsGoToAnEndpointThatIsKnown(t *testing.T) {
	key := &credential.Key{Region: "eu-west-1", Project: "p", Resource: "res"}
	for _, p := range table(t, nil).All() {
		for _, stream := range []bool{false, true} {
			to, path, query, missing, ok := p.Call(translate.Chat, "model-x", stream, key)
			if !ok {
				continue
			}
			ep, _ := p.Match("POST", path)
			if missing != "" || ep == nil || ep.Meter == nil {
				t.Errorf("%s: %s goes to an endpoint without a meter (missing %q)", p.Slug, path, missing)
				continue
			}
			if p.Serve == nil {
				if _, err := p.Resolve(Call{Method: "POST", Path: path, Query: query, Account: "0123456789abcdef0123456789abcdef"}); err != nil {
					t.Errorf("%s: %s: %v", p.Slug, path, err)
				}
			}
			if to.Dialect == translate.Gemini && ep.Stream != stream {
				t.Errorf("%s: %s streams: %t", p.Slug, path, ep.Stream)
			}
		}
	}
}

func TestChatsThatNeedAStoredKeySaySo(t *testing.T) {
	for slug, want := range map[string]string{"azure-openai": "resource", "aws-bedrock": "region", "google-vertex-ai": "region"} {
		p, _ := table(t, nil).Find(slug)
		if _, _, _, missing, ok := p.Call(translate.Messages, "m", false, nil); !ok || missing != want {
			t.Errorf("%s: missing %q; want %q", slug, missing, want)
		}
	}
	p, _ := table(t, nil).Find("aws-bedrock")
	if _, path, _, _, _ := p.Call(translate.Chat, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", true, &credential.Key{Region: "us-east-1"}); path != "bedrock-runtime/us-east-1/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream" {
		t.Errorf("path = %s", path)
	}
}

func TestOtherEndpointsGoWhereTheyAreSpoken(t *testing.T) {
	for slug, want := range map[string]string{
		"openai": "embeddings", "mistral": "v1/embeddings", "cohere": "compatibility/v1/embeddings", "workers-ai": "v1/embeddings",
		"azure-openai": "res/m/embeddings", "anthropic": "", "deepgram": "",
	} {
		p, _ := table(t, nil).Find(slug)
		to, path, _, missing, ok := p.Call(translate.Embeddings, "m", false, &credential.Key{Resource: "res"})
		if ok != (want != "") || missing != "" || ok && (path != want || to.Dialect != translate.Embeddings) {
			t.Errorf("%s: %s as %s, %t; want %s", slug, path, to.Dialect, ok, want)
		}
	}
}
