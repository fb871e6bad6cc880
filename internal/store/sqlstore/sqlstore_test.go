package sqlstore_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened opens the database in dir and closes it with the test.
func opened(t *testing.T, dir string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestGateways(t *testing.T) {
	storetest.Gateways(t, func(t *testing.T, dir string) gateway.Store { return opened(t, dir) })
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	opened(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "sluice.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ExecContext(t.Context(), "INSERT INTO migrations VALUES ('9999_later.sql', 0)"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db")); err == nil || !strings.Contains(err.Error(), "9999_later.sql") {
		t.Errorf("Open: %v", err)
	}
}

func TestWhatIsNoDatabaseIsNotTouched(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sluice.db")
	text := strings.Repeat("this is not a database\n", 100)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := sqlstore.Open(context.Background(), name); err == nil {
		db.Close()
		t.Error("Open took it")
	}
	if after, err := os.ReadFile(name); err != nil || string(after) != text {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestNamesOfFilesAreTakenAsTheyAre(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space? 100% #1")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	opened(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "sluice.db")); err != nil {
		t.Error(err)
	}
}
