package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m", true)
	f.Add("a\u202eb\u200bc\r\n\td\xff", false)
	f.Fuzz(func(t *testing.T, s string, lines bool) {
		got := printable(s, lines)
		for _, r := range got {
			if unicode.IsControl(r) && (r != '\n' || !lines) || unicode.Is(unicode.Cf, r) {
				t.Errorf("%q keeps %q", s, r)
			}
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q is no text", got)
		}
		if printable(got, lines) != got {
			t.Errorf("%q changes twice", s)
		}
	})
}

func TestNumbersForPeopleAndForPipes(t *testing.T) {
	person := &commands{Env: Env{OutTerminal: true, Environ: []string{"LANG=C.UTF-8"}}}
	pipe := &commands{}
	var got []string
	for _, c := range []*commands{person, pipe} {
		for _, n := range []int64{0, 999, 1000, 12345, 1234567, -1234} {
			got = append(got, c.count(n))
		}
		for _, ms := range []float64{0, 3.25, 412, 2100, 60200, 185_000, 90_000_000} {
			got = append(got, c.millis(ms))
		}
		for _, n := range []int64{0, 999, 1500, 2_500_000, 12_300_000_000} {
			got = append(got, c.size(n))
		}
		got = append(got, c.optionalCount(nil), c.optionalMillis(nil), c.money(nil))
	}
	want := []string{
		"0", "999", "1 000", "12 345", "1 234 567", "-1 234",
		"0.0 ms", "3.2 ms", "412 ms", "2.1 s", "60.2 s", "3 min 5 s", "25 h 0 min",
		"0 B", "999 B", "1.5 KB", "2.5 MB", "12.3 GB", "–", "–", "–",
		"0", "999", "1000", "12345", "1234567", "-1234",
		"0.0ms", "3.2ms", "412ms", "2.1s", "60.2s", "185s", "90000s",
		"0B", "999B", "1.5KB", "2.5MB", "12.3GB", "–", "–", "–",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestColours(t *testing.T) {
	tests := []struct {
		name, flag string
		env        []string
		terminal   bool
		want       bool
	}{
		{"a terminal", "auto", nil, true, true},
		{"a pipe", "auto", nil, false, false},
		{"NO_COLOR", "auto", []string{"NO_COLOR=1"}, true, false},
		{"a dumb terminal", "auto", []string{"TERM=dumb"}, true, false},
		{"CLICOLOR_FORCE", "auto", []string{"CLICOLOR_FORCE=1"}, false, true},
		{"NO_COLOR beats CLICOLOR_FORCE", "auto", []string{"NO_COLOR=1", "CLICOLOR_FORCE=1"}, true, false},
		{"the flag beats NO_COLOR", "always", []string{"NO_COLOR=1"}, false, true},
		{"never", "never", []string{"CLICOLOR_FORCE=1"}, true, false},
	}
	for _, tt := range tests {
		c := &commands{Env: Env{Environ: tt.env}, flags: globalFlags{color: tt.flag}}
		if got := c.colored(tt.terminal); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestMembersKeepOrderAndEndAtWhatIsBroken(t *testing.T) {
	var names []string
	for _, m := range members(json.RawMessage(`{"b":{"x":[1]},"a":"t","c":`)) {
		names = append(names, m.name+"="+flat(m.value))
	}
	if got := strings.Join(names, " "); got != `b={"x":[1]} a=t` {
		t.Error(got)
	}
	for _, none := range []string{``, `[]`, `1`, `{`, `nonsense`} {
		if got := members(json.RawMessage(none)); len(got) != 0 {
			t.Errorf("%s: %v", none, got)
		}
	}
}
