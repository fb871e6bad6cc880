package config

import "strings"

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path  string `json:"path"`  // of the setting; "" when there is none, as for bad syntax
	Where string `json:"where"` // origin: file and line, variable or flag; "" when the default or a combination is meant
	Msg   string `json:"msg"`   // what is wrong
	Fix   string `json:"fix"`   // how to put it right; "" when Msg says enough
}

// String returns "where: path: msg (fix)".
func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.Where, p.Path} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(p.Msg)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Errors is all that is wrong with a configuration.
type Errors struct{ List []Problem }

// Error returns the problems, one a line.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, p := range e.List {
		lines[i] = p.String()
	}
	return "configuration: " + strings.Join(lines, "\n")
}

// didYouMean returns a hint at the nearest of the keys that a section may hold.
func didYouMean(path []string, key string, keys []string) string {
	if near := Nearest(key, keys); near != "" {
		return "did you mean " + strings.Join(append(path[:len(path):len(path)], near), ".") + "?"
	}
	return "here may stand: " + strings.Join(keys, ", ")
}

// Nearest returns the one of names that text was probably meant to be, "" when none is near.
func Nearest(text string, names []string) string {
	best, least := "", max(1, min(len(text), 60)/3)+1
	for _, name := range names {
		if d := distance(text, name, least); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b;
// limit or more when there are at least that many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := last[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
