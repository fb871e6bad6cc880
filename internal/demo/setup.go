package demo

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluicehq/sluice/internal/client"
)

// SetUp makes what the made-up applications have been given: gateways, budgets, provider keys. What is there
// already stays as it is.
func SetUp(ctx context.Context, c *client.Client) error {
	have, err := c.ListGateways(ctx, "")
	if err != nil {
		return fmt.Errorf("list the demo's gateways: %w", err)
	}
	ids := map[string]*client.Gateway{}
	for i := range have {
		ids[have[i].ID] = &have[i]
	}
	if len(ids) > 1 {
		return nil
	}
	for _, id := range Gateways() {
		settings := map[string]json.RawMessage{
			"cache_ttl": json.RawMessage("3600"), "retry_max_attempts": json.RawMessage("2"), "retry_delay": json.RawMessage("500"), "retry_backoff": json.RawMessage(`"exponential"`),
			"rate_limiting_limit": json.RawMessage("600"), "rate_limiting_interval": json.RawMessage("60"), "rate_limiting_technique": json.RawMessage(`"sliding"`),
			"spend_limits": rules(id),
		}
		if _, err := c.CreateGateway(ctx, id, settings); err != nil {
			return fmt.Errorf("make the demo's gateway %s: %w", id, err)
		}
	}
	if g := ids["default"]; g != nil {
		set := map[string]json.RawMessage{"retry_max_attempts": json.RawMessage("2"), "retry_delay": json.RawMessage("500"), "spend_limits": rules("default")}
		if _, err := c.UpdateGateway(ctx, g, set); err != nil {
			return fmt.Errorf("set up the demo's gateway: %w", err)
		}
	}
	return nil
}

// rules are the budgets of a gateway. The first is small enough to be nearly used up by the trickle while somebody looks.
func rules(gateway string) json.RawMessage {
	return text(map[string]any{"enabled": true, "rules": []object{
		{"id": gateway + "-hourly", "limitType": "cost", "limit": 0.05, "window": 3600, "technique": "sliding", "action": "alert"},
		{"id": gateway + "-daily", "limitType": "cost", "limit": 25, "window": 86400, "technique": "fixed"},
		{"id": "per-user", "limitType": "cost", "limit": 0.5, "window": 86400, "technique": "fixed", "metadata": map[string]any{"user": map[string]any{"mode": "partition"}}},
	}})
}
