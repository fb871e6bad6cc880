package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

// Some models of Bedrock are counted in the head of the answer only.
func TestCountsInAHeadAreLogged(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", "31")
		w.Header().Set("X-Amzn-Bedrock-Output-Token-Count", "12")
		_, _ = w.Write([]byte(`{"outputs":[{"text":"So.","stop_reason":"stop"}]}`))
	}))
	t.Cleanup(up.Close)
	g := proxytest.Start(t, up.URL, func(c *config.Config) {
		c.Providers["aws-bedrock"] = config.Provider{BaseURL: up.URL}
	})
	_, _, err := g.Do("POST", "aws-bedrock/bedrock-runtime/us-east-1/model/mistral.m/invoke", nil,
		strings.NewReader(`{"prompt":"<s>[INST] Hello [/INST]"}`))
	if err != nil {
		t.Fatal(err)
	}
	u := g.Row().Usage
	in, _ := u.Get(sluice.Input)
	out, _ := u.Get(sluice.Output)
	if in != 31 || out != 12 || u.Basis != sluice.BasisProvider {
		t.Errorf("usage %+v", u)
	}
}
