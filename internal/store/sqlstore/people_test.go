package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestPeople(t *testing.T) {
	storetest.People(t, func(t *testing.T, dir string) people.Store { return opened(t, dir) })
}
