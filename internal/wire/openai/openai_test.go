package openai_test

import (
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

func open(endpoint string) func(bool) wire.Meter {
	for part, open := range map[string]func(bool) wire.Meter{
		"/chat/completions": openai.Chat, "/responses": openai.Responses, "/embeddings": openai.Embeddings,
		"/images": openai.Images, "/audio": openai.Audio, "/moderations": openai.Moderations,
	} {
		if strings.Contains(endpoint, part) {
			return open
		}
	}
	panic(endpoint)
}

func TestExamples(t *testing.T) {
	for _, e := range wiretest.Examples(t, examples,
		"openai", "azure-openai", "groq", "deepseek", "openrouter", "cerebras", "mistral") {
		if e.Kind == "request" {
			continue
		}
		t.Run(e.File, func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				r := wiretest.Cuts(t, func() wire.Meter { return open(e.Endpoint)(stream) }, e.Body)
				if e.Expect.Usage != nil {
					wiretest.Usage(t, r.Usage, *e.Expect.Usage)
				} else if r.Usage != (sluice.Usage{}) {
					t.Errorf("usage %+v where there is none", r.Usage)
				}
				failed := e.Kind == "error" || e.Expect.Error != nil
				if failed != (r.Seen&wire.SeenError != 0) || failed != (r.Error != "") {
					t.Errorf("error %q, want one: %t", r.Error, failed)
				}
				t.Logf("%q %q %q %b", r.Model, r.Finish, r.Error, r.Seen)
			}
		})
	}
}
