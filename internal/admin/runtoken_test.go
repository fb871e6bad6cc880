package admin

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/auth"
)

func TestRunTokensRunAndNothingElse(t *testing.T) {
	b := newBench(t)
	r := b.send(http.MethodPost, accountPath+"/gateways/default/run-token", "")
	if r.status != http.StatusOK {
		t.Fatalf("status = %d: %v", r.status, r)
	}
	var got RunToken
	if err := json.Unmarshal(r.Result, &got); err != nil {
		t.Fatal(err)
	}
	found, verdict := b.deps.Tokens.Find(got.Value, time.Now())
	if verdict != auth.Valid || !found.Allows("default", "default", auth.Run) {
		t.Errorf("the token is %v and does not run", verdict)
	}
	for name, allowed := range map[string]bool{
		"read": found.Allows("default", "default", auth.Read), "edit": found.Allows("default", "default", auth.Edit),
		"another gateway": found.Allows("default", "other", auth.Run),
	} {
		if allowed {
			t.Errorf("the token is good for: %s", name)
		}
	}
	if _, verdict = b.deps.Tokens.Find(got.Value, time.Now().Add(runTokenLife+time.Second)); verdict == auth.Valid {
		t.Error("the token outlives its time")
	}
}

func TestRunTokensAreNotForGatewayTokens(t *testing.T) {
	b := newBench(t)
	_, value := b.token(func(n *auth.New) { n.Permissions = auth.Read | auth.Edit })
	if r := b.as(value, http.MethodPost, accountPath+"/gateways/default/run-token", ""); r.status != http.StatusForbidden {
		t.Errorf("status = %d, want 403", r.status)
	}
}
