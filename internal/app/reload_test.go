package app

import (
	"log/slog"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

// TestAPanicWhileAnEntryIsShown costs this entry's line only.
func TestAPanicWhileAnEntryIsShown(t *testing.T) {
	var log strings.Builder
	shown := 0
	a := &App{logger: slog.New(slog.NewTextHandler(&log, nil)), options: Options{OnEntry: func(e *sluice.LogEntry) {
		if e.Model == "bad" {
			panic("a model that nobody can show")
		}
		shown++
	}}}
	bad := sluice.LogEntry{ID: sluice.ID{1}, Model: "bad"}
	a.tell(t.Context(), &bad)
	a.tell(t.Context(), &sluice.LogEntry{Model: "good"})
	if shown != 1 || !strings.Contains(log.String(), "nobody can show") || !strings.Contains(log.String(), bad.ID.String()) {
		t.Errorf("%d shown; log: %s", shown, log.String())
	}
}
