package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/auth"
)

// runTokenLife is how long a run token is good: the playground fetches another one when it needs it, and somebody
// who was signed out has soon no way left to call.
const runTokenLife = 15 * time.Minute

// runTokenRoutes are those of tokens by which the dashboard's playground calls a gateway.
func runTokenRoutes() []route {
	return []route{
		edit(http.MethodPost, scope+"/gateways/{gateway}/run-token", "create-run-token", "Get a token for calls through a gateway, good for 15 minutes (ours)", handle((*server).createRunToken)),
	}
}

// RunToken lets who is signed in call a gateway for a short while.
type RunToken struct {
	ID        string `json:"id"`
	Value     string `json:"value" doc:"to be sent as cf-aig-authorization: Bearer …"`
	ExpiresAt string `json:"expires_at" format:"date-time"`
}

// createRunToken is for people, who have no gateway token. A gateway token that may edit is refused: it would get
// itself a permission that it was not given.
func (s *server) createRunToken(ctx context.Context, in *GatewayPath) (*output[Envelope[RunToken]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	if callerOf(ctx).token != nil {
		return nil, errDenied("run tokens are for people who are signed in; a gateway token that may run calls the gateway itself")
	}
	now := time.Now()
	n := auth.New{Account: a.ID, Gateways: []string{g.ID}, Permissions: auth.Run, Expires: now.Add(runTokenLife)}
	n.Name = "playground-" + now.UTC().Format("20060102-150405.000000")
	t, value, err := s.Tokens.Create(ctx, n, now)
	if err != nil {
		return nil, fmt.Errorf("create a run token for %s/%s: %w", a.ID, g.ID, err)
	}
	s.audit(ctx, g.ID, tokenObject(&t), nil, viewToken(&t, now))
	return answer(RunToken{ID: t.ID, Value: value.Reveal(), ExpiresAt: stamp(t.Expires)}), nil // the one time that it is shown
}
