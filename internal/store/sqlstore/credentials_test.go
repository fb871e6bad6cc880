package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/store/storetest"
	"github.com/sluicehq/sluice/internal/vault"
)

func TestVault(t *testing.T) {
	storetest.Vault(t, func(t *testing.T, dir string) vault.Store { return opened(t, dir) })
}
