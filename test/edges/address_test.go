package edges

import (
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestAnAddressThatIsNotAllowed: where clouds hand out credentials nobody is called, in any spelling, even
// if the operator's own configuration names it.
func TestAnAddressThatIsNotAllowed(t *testing.T) {
	for name, host := range map[string]string{
		"IPv4": "169.254.169.254", "IPv4 within IPv6": "[::ffff:169.254.169.254]", "NAT64": "[64:ff9b::a9fe:a9fe]", "IPv6": "[fd00:ec2::254]",
	} {
		t.Run(name, func(t *testing.T) {
			p := pair{Gateway: gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"http://" + host + "/v1\"}}\n"})}
			resp, body := p.Post("openai", "chat/completions", chat)
			if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 {
				t.Errorf("client got %d %s; want 400 and code 2005", resp.StatusCode, body)
			}
			row := p.Row(resp.Header.Get("cf-aig-log-id"))
			if row.Status() != 400 || row.Ending != "unreachable" || row.Success || row.TokensIn != nil {
				t.Errorf("log: %s; want 400, unreachable, no tokens", row)
			}
			if n := len(row.Attempts); n == 0 || row.Attempts[n-1].Cause != "address" {
				t.Errorf("attempts = %+v, want one whose cause is the address", row.Attempts)
			}
		})
	}
}

// TestPrivateAddressesOfTheOperator: the operator's own choice may be private; loopback is what every test
// here calls.
func TestPrivateAddressesOfTheOperator(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	p.serves(t)
}
