package config_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/config"
)

func TestParseBytes(t *testing.T) {
	tests := []struct {
		text string
		want config.Bytes
		ok   bool
	}{
		{"0", 0, true},
		{"1024", 1024, true},
		{"25MB", 25_000_000, true},
		{"25 mb", 25_000_000, true},
		{"64KiB", 65536, true},
		{"1.5GiB", 3 << 29, true},
		{"0.5KB", 500, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"7TB", 7e12, true},
		{"9223372036854775808", 0, false},
		{"9223372036854775807.5KB", 0, false},
		{"9999999999TB", 0, false},
		{"", 0, false},
		{"MB", 0, false},
		{"-1", 0, false},
		{"1.", 0, false},
		{".5GB", 0, false},
		{"1.2.3MB", 0, false},
		{"1e3", 0, false},
		{"25 parsecs", 0, false},
	}
	for _, tt := range tests {
		got, err := config.ParseBytes(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %d, %v; want %d, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"30s", 30 * time.Second, true},
		{"1h30m", 90 * time.Minute, true},
		{"30d", 720 * time.Hour, true},
		{"1d12h", 36 * time.Hour, true},
		{"30", 0, false},
		{"d", 0, false},
		{"-1d", 0, false},
		{"1d-2h", 0, false},
		{"4000000000d", 0, false},
		{"106751d24h", 0, false},
		{"", 0, false},
	}
	for _, tt := range tests {
		got, err := config.ParseDuration(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: %v, %v; want %v, ok %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func FuzzSizesAndDurationsReadBack(f *testing.F) {
	for _, n := range []int64{0, 1, 999, 1000, 1024, 25_000_000, 1 << 40, 86_400_000_000_000, 1<<63 - 1, 3_600_000_000_000} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		if n < 0 {
			return
		}
		if got, err := config.ParseBytes(config.Bytes(n).String()); err != nil || got != config.Bytes(n) {
			t.Errorf("%d is written %s and read %d, %v", n, config.Bytes(n), got, err)
		}
		if got, err := config.ParseDuration(config.FormatDuration(time.Duration(n))); err != nil || got != time.Duration(n) {
			t.Errorf("%v is written %s and read %v, %v", time.Duration(n), config.FormatDuration(time.Duration(n)), got, err)
		}
	})
}

func FuzzParseTexts(f *testing.F) {
	f.Add("25MB")
	f.Add("1d12h")
	f.Add("0.000000001TiB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := config.ParseBytes(text); err == nil && n < 0 {
			t.Errorf("%q is %d", text, n)
		}
		_, _ = config.ParseDuration(text)
	})
}
