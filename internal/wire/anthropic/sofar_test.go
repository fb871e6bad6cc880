package anthropic_test

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
)

func TestUsageIsKnownWhileAStreamRuns(t *testing.T) {
	m := anthropic.Messages(true)
	p, ok := m.(wire.Progress)
	if !ok {
		t.Fatal("no progress")
	}
	if u := p.SoFar(); u.Known() {
		t.Errorf("before anything came: %+v", u)
	}
	m.Write([]byte("data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":812,\"output_tokens\":1}}}\n\n"))
	u := p.SoFar()
	if n, known := u.Get(sluice.Input); !known || n != 812 {
		t.Errorf("%d, %v", n, known)
	}
}
