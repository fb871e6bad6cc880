package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestTokens(t *testing.T) {
	storetest.Tokens(t, func(t *testing.T, dir string) auth.Store { return opened(t, dir) })
}
