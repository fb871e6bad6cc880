package proxy

import (
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/provider"
)

// FuzzProtocols: whatever a list of subprotocols holds, no gateway token in it is offered to a provider, and
// one that is chosen for the client was offered by it.
func FuzzProtocols(f *testing.F) {
	for _, seed := range []string{"realtime, openai-insecure-api-key.sk, cf-aig-authorization.slc_x", ",,", "cf-aig-authorization.", " \t", "a,a", "xi-api-key.k"} {
		f.Add(seed)
	}
	table, err := provider.NewTable(nil)
	if err != nil {
		f.Fatal(err)
	}
	p, _ := table.Find("elevenlabs")
	f.Fuzz(func(t *testing.T, list string) {
		h := sluice.Header{{Name: "Sec-WebSocket-Protocol", Value: list}}
		x := &exchange{}
		x.proxy, x.provider, x.req = &Proxy{}, p, &front.Request{Header: h, Target: "/v1/a/b/c?" + list}
		offered, _ := x.protocols(list)
		for item := range strings.SplitSeq(offered, ",") {
			if strings.HasPrefix(strings.Trim(item, " \t"), protocolToken) {
				t.Errorf("%q: %q is offered", list, offered)
			}
		}
		if chosen := chooseProtocol(h); !strings.Contains(list, chosen) {
			t.Errorf("%q: %q was not offered", list, chosen)
		}
		x.findCaller() // must not panic
	})
}
