package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestPrices(t *testing.T) {
	storetest.Prices(t, func(t *testing.T, dir string) price.OwnStore { return opened(t, dir) })
}
