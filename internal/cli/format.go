package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// color is an SGR sequence; "" is none.
type color string

// The colours. They only repeat what a sign and a word say.
const (
	plain  color = ""
	red    color = "\x1b[31m"
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	cyan   color = "\x1b[36m"
	dim    color = "\x1b[2m"
)

// colored reports whether what goes to a stream that is a terminal, or not, has colours.
func (a *commands) colored(terminal bool) bool {
	switch {
	case a.flags.color == "never":
		return false
	case a.flags.color == "always":
		return true
	case a.getenv("NO_COLOR") != "":
		return false
	case a.getenv("CLICOLOR_FORCE") != "" && a.getenv("CLICOLOR_FORCE") != "0":
		return true
	}
	return terminal && a.getenv("TERM") != "dumb"
}

func (a *commands) paint(terminal bool, c color, text string) string {
	if c == plain || text == "" || !a.colored(terminal) {
		return text
	}
	return string(c) + text + "\x1b[0m"
}

// utf8Locale reports whether signs outside ASCII can be shown.
func (a *commands) utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := a.getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return !a.OutTerminal // a pipe's reader says nothing of itself
}

// sign returns a sign, or what stands for it where only ASCII can be shown.
func (a *commands) sign(s string) string {
	if a.utf8Locale() {
		return s
	}
	for _, r := range []struct{ sign, ascii string }{
		{"✓", "+"}, {"✕", "x"}, {"⚠", "!"}, {"⟲", "="}, {"◌", "o"}, {"⊘", "-"}, {"–", "-"}, {"…", "..."}, {"≈", "~"}, {"\uFFFD", "?"}, {"→", "->"}, {"·", "|"},
	} {
		s = strings.ReplaceAll(s, r.sign, r.ascii)
	}
	return s
}

// printable replaces what could drive a terminal or hide text, in what others have written: control
// characters and marks of direction. lines: line ends stay.
func printable(s string, lines bool) string {
	ok := func(r rune) bool {
		return r == '\n' && lines || r != utf8.RuneError && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case ok(r):
			return r
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		}
		return '\uFFFD'
	}, s)
}

// clip cuts s to at most n characters.
func clip(s string, n int) string {
	if n < 1 || utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}

// human says whether values are written for people: with units apart and digits grouped. A pipe's
// reader wants one word per value.
func (a *commands) human() bool { return a.OutTerminal }

// none stands for what is not known.
func (a *commands) none() string { return a.sign("–") }

// unit joins a number and its unit.
func (a *commands) unit(number, unit string) string {
	if a.human() {
		return number + " " + unit
	}
	return number + unit
}

// millis writes milliseconds: 412 ms, 2.1 s, 3 min 5 s.
func (a *commands) millis(ms float64) string {
	switch {
	case ms < 10:
		return a.unit(strconv.FormatFloat(ms, 'f', 1, 64), "ms")
	case ms < 1000:
		return a.unit(strconv.FormatFloat(ms, 'f', 0, 64), "ms")
	case ms < 120_000:
		return a.unit(strconv.FormatFloat(ms/1000, 'f', 1, 64), "s")
	}
	seconds := int64(ms / 1000)
	if !a.human() {
		return strconv.FormatInt(seconds, 10) + "s"
	}
	if seconds < 7200 {
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d h %d min", seconds/3600, seconds/60%60)
}

func (a *commands) optionalMillis(ms *float64) string {
	if ms == nil {
		return a.none()
	}
	return a.millis(*ms)
}

// count writes a number, its digits in groups on a terminal.
func (a *commands) count(n int64) string {
	s := strconv.FormatInt(n, 10)
	if !a.human() || n > -10_000 && n < 10_000 && len(s) <= 3 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (a *commands) optionalCount(n *int64) string {
	if n == nil {
		return a.none()
	}
	return a.count(*n)
}

func (a *commands) money(n *json.Number) string {
	if n == nil {
		return a.none()
	}
	return "$" + n.String()
}

// size writes bytes.
func (a *commands) size(n int64) string {
	switch {
	case n < 1000:
		return a.unit(strconv.FormatInt(n, 10), "B")
	case n < 1_000_000:
		return a.unit(strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64), "KB")
	case n < 1_000_000_000:
		return a.unit(strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64), "MB")
	}
	return a.unit(strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64), "GB")
}

// ago writes a time for a list: relative within the hour on a terminal, else absolute.
func (a *commands) ago(t, now time.Time) string {
	if d := now.Sub(t); a.human() && d >= 0 && d < time.Hour && a.flags.zone == "" {
		if d < time.Minute {
			return fmt.Sprintf("%d s ago", int(d.Seconds()))
		}
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return a.stamp(t)
}

// stamp writes an absolute time.
func (a *commands) stamp(t time.Time) string {
	l, err := a.location()
	if err != nil {
		l = time.UTC // checkFlags has refused it
	}
	if a.human() {
		return t.In(l).Format("2006-01-02 15:04:05")
	}
	return t.In(l).Format("2006-01-02T15:04:05.000Z07:00")
}

// clock writes a time for a tail.
func (a *commands) clock(t time.Time) string {
	if !a.human() {
		return a.stamp(t)
	}
	l, err := a.location()
	if err != nil {
		l = time.UTC // checkFlags has refused it
	}
	return t.In(l).Format(time.TimeOnly)
}
