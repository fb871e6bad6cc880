package admin

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneOf(t rapid.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestDaysBeginWhereTheirZoneSays(t *testing.T) {
	for _, c := range []struct {
		zone  string
		day   [3]int
		start string
		hours float64
	}{
		{"UTC", [3]int{2026, 3, 29}, "2026-03-29T00:00:00Z", 24},
		{"Europe/Paris", [3]int{2026, 3, 29}, "2026-03-29T00:00:00+01:00", 23},
		{"Europe/Paris", [3]int{2026, 10, 25}, "2026-10-25T00:00:00+02:00", 25},
		{"Asia/Kathmandu", [3]int{2026, 1, 1}, "2026-01-01T00:00:00+05:45", 24},
		{"Australia/Lord_Howe", [3]int{2026, 4, 5}, "2026-04-05T00:00:00+11:00", 24.5},
		{"Africa/Cairo", [3]int{2025, 4, 25}, "2025-04-25T01:00:00+03:00", 23},      // midnight is skipped
		{"America/Sao_Paulo", [3]int{2018, 11, 4}, "2018-11-04T01:00:00-02:00", 23}, // so it is
		{"America/Sao_Paulo", [3]int{2018, 2, 17}, "2018-02-17T00:00:00-02:00", 25}, // back to 23:00 at its end
		{"America/Sao_Paulo", [3]int{2018, 2, 18}, "2018-02-18T00:00:00-03:00", 24}, // the day before it is left once only
		{"America/Havana", [3]int{2025, 11, 2}, "2025-11-02T00:00:00-04:00", 25},    // two midnights of the same day
		{"Pacific/Apia", [3]int{2011, 12, 29}, "2011-12-29T00:00:00-10:00", 24},     // the 30th was left out
	} {
		zone := zoneOf(t, c.zone)
		start := startOfDay(c.day[0], time.Month(c.day[1]), c.day[2], zone)
		next := startOfDay(c.day[0], time.Month(c.day[1]), c.day[2]+1, zone)
		if got := start.Format(time.RFC3339); got != c.start || next.Sub(start).Hours() != c.hours {
			t.Errorf("%s %v: from %s, %v hours; want %s, %v", c.zone, c.day, got, next.Sub(start).Hours(), c.start, c.hours)
		}
	}
}

// TestIntervalsCoverTheRange: without gaps, in order, and no interval within a day reaches into the next.
func TestIntervalsCoverTheRange(t *testing.T) {
	zones := []string{"UTC", "Europe/Paris", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "America/Havana", "America/Sao_Paulo", "Pacific/Chatham"}
	rapid.Check(t, func(t *rapid.T) {
		zone := zoneOf(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from := time.Unix(rapid.Int64Range(1_500_000_000, 1_900_000_000).Draw(t, "from"), 0).Truncate(quarter).In(zone)
		s := rapid.SampledFrom(append(autoSteps()[2:], step{every: 90 * time.Minute}, step{days: 2}, step{months: 3})).Draw(t, "step")
		to := from.Add(time.Duration(rapid.Int64Range(1, 100).Draw(t, "length")) * s.approximate() / 3)
		edges := s.edges(from, to)
		if edges[0].After(from) || !edges[len(edges)-1].Equal(to) || from.Sub(edges[0]) > s.approximate()+36*time.Hour {
			t.Fatalf("from %v to %v: %v", from, to, edges)
		}
		if again := s.floor(edges[0]); !again.Equal(edges[0]) {
			t.Fatalf("%v begins at %v", edges[0], again)
		}
		for i := 1; i < len(edges); i++ {
			a, b := edges[i-1], edges[i]
			if !a.Before(b) || a.Unix()%900 != 0 {
				t.Fatalf("%v, then %v", a, b)
			}
			last := b.Add(-time.Nanosecond)
			if s.every > 0 && (a.Day() != last.Day() || b.Sub(a) > s.every) {
				t.Fatalf("%v to %v leaves the day", a, b)
			}
			if i < len(edges)-1 && !s.floor(last).Equal(a) {
				t.Fatalf("%v is in the interval of %v, not %v", last, s.floor(last), a)
			}
		}
		before := s.before(edges)
		for i := 1; i < len(before); i++ {
			if !before[i-1].Before(before[i]) {
				t.Fatalf("before: %v", before)
			}
		}
		if last := before[len(before)-1]; last.After(edges[0]) || len(before) > len(edges) {
			t.Fatalf("before %v: %v", edges, before)
		}
	})
}
