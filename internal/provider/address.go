package provider

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Resolve says where a call goes. The path is kept exactly as it was sent; between it and the base
// stands one slash. The error is a *sluice.Error of KindInvalid that says what in the path is wrong.
// p comes from a Table.
func (p *Provider) Resolve(in Call) (Target, error) {
	if err := checkPath(in.Path); err != nil {
		return Target{}, err
	}
	if err := checkQuery(in.Query); err != nil {
		return Target{}, err
	}
	if p.Address != nil {
		return p.Address(p, in)
	}
	return p.ordinary(in)
}

// ordinary joins the base and the path.
func (p *Provider) ordinary(in Call) (Target, error) {
	if p.exact {
		return p.at(p.base.host, in.Path, in.Query), nil
	}
	version := p.version()
	if version == "" {
		return p.at(p.base.host, in.Path, in.Query), nil
	}
	rest, slash := strip(in.Path, p.Strip)
	t := Target{Scheme: p.base.scheme, Host: p.base.host, Query: in.Query}
	switch {
	case rest == in.Path && p.besides(in.Path):
		t.Path = strings.TrimSuffix(p.base.prefix, "/"+version) + "/" + in.Path
	case rest == "" && !slash:
		t.Path = p.base.prefix
	default:
		t.Path = p.base.prefix + "/" + rest
	}
	return t, nil
}

// at is the target for path below the base's prefix, at host unless the operator gave another.
func (p *Provider) at(host, path, query string) Target {
	if p.custom {
		host = p.base.host
	}
	if path != "" || p.base.prefix == "" {
		path = "/" + path
	}
	return Target{Scheme: p.base.scheme, Host: host, Path: p.base.prefix + path, Query: query}
}

// version returns the prefix of Strip that the base ends in, "" when it ends in none.
func (p *Provider) version() string {
	for _, v := range p.Strip {
		if rest, ok := strings.CutSuffix(p.base.prefix, v); ok && strings.HasSuffix(rest, "/") {
			// "openai/v1" and "v1" are both listed: what Beside replaces is the shortest.
			return v[strings.LastIndexByte(v, '/')+1:]
		}
	}
	return ""
}

// besides reports whether path begins with a segment that stands beside the version.
func (p *Provider) besides(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	for _, b := range p.Beside {
		if first == b {
			return true
		}
	}
	return false
}

// strip drops all leading copies of the prefixes from path. slash tells that a slash stood behind
// the last of them, so that an empty rest with it differs from none.
func strip(path string, prefixes []string) (rest string, slash bool) {
again:
	for _, v := range prefixes {
		tail, ok := strings.CutPrefix(path, v)
		if !ok {
			continue
		}
		if tail == "" {
			return "", false
		}
		if tail[0] == '/' {
			path, slash = tail[1:], true
			goto again
		}
	}
	return path, slash
}

// invalid is a refusal of a path.
func invalid(msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: "path", Msg: msg, Hint: hint}
}

// checkPath refuses what a path must not hold: bytes that end a request line or that servers read in
// different ways, broken escapes, and segments that lead upwards, escaped or not.
func checkPath(path string) error {
	start, special := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if special && climbs(path[start:i]) {
				return errClimbs()
			}
			start, special = i+1, false
		case c == '.':
			special = true
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return invalid("The path has a % that two hexadecimal digits do not follow", "write a percent sign as %25")
			}
			special = true
		case c <= ' ' || c == 0x7f || c == '\\' || c == '#' || c == '?':
			return invalid("The path holds a character that cannot stand there", "escape spaces, backslashes, # and control characters")
		}
	}
	if special && climbs(path[start:]) {
		return errClimbs()
	}
	return nil
}

func errClimbs() error {
	return invalid("The path has a . or .. segment", "write the path as the provider documents it")
}

// climbs reports whether a segment, or a part of it between escaped slashes or backslashes, is "."
// or ".." once escapes are undone. What stands behind a semicolon does not count: some servers cut it.
func climbs(seg string) bool {
	dots, other := 0, false // of the part that i is in; other: it has more than dots
	bad := func() bool { return !other && (dots == 1 || dots == 2) }
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		if c == '%' {
			c = unhex(seg[i+1])<<4 | unhex(seg[i+2])
			i += 2
		}
		switch c {
		case '/', '\\':
			if bad() {
				return true
			}
			dots, other = 0, false
		case ';':
			if bad() {
				return true
			}
			other = true
		case '.':
			dots++
		default:
			other = true
		}
	}
	return bad()
}

// checkQuery refuses what ends a request line.
func checkQuery(query string) error {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == 0x7f || c == '#' {
			return &sluice.Error{
				Kind: sluice.KindInvalid, Field: "query", Msg: "The query holds a character that cannot stand there",
				Hint: "escape spaces, # and control characters",
			}
		}
	}
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// maxLabel is the most bytes between two dots of a host name (RFC 1035, section 2.3.4).
const maxLabel = 63

// label returns s as a part of a host name, in lower case; beside is how many bytes stand with it
// between the same dots. It is checked strictly, so that a path never chooses the host: what would end
// the name or add to it does not pass.
func label(what, s string, beside int) (string, error) {
	ok := s != "" && len(s)+beside <= maxLabel && s[0] != '-' && s[len(s)-1] != '-'
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-'
	}
	if !ok {
		return "", invalid("The path does not name a valid "+what, "it has letters, digits and hyphens, and fits into a host name")
	}
	return strings.ToLower(s), nil
}

// fill puts value in place of "{name}" in the base's host.
func (p *Provider) fill(name, value string) string {
	return strings.Replace(p.base.host, "{"+name+"}", value, 1)
}
