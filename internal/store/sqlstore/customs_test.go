package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestCustoms(t *testing.T) {
	storetest.Customs(t, func(t *testing.T, dir string) provider.CustomStore { return opened(t, dir) })
}
