package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestObjects(t *testing.T) {
	storetest.Objects(t, func(t *testing.T, dir string) object.Store { return opened(t, dir) })
}
