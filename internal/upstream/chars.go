package upstream

import "strings"

// Bit sets of the bytes below 64 and of those from 64 to 127 that may stand in a token (RFC 9110, 5.6.2).
const (
	tokenLow uint64 = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' |
		0x3ff<<'0'
	tokenHigh uint64 = 0x3ffffff<<('A'-64) | 0x3ffffff<<('a'-64) |
		1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)
)

// isToken reports whether s is a token: a method, or a field's name.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 64:
			if tokenLow>>c&1 == 0 {
				return false
			}
		case c < 128:
			if tokenHigh>>(c-64)&1 == 0 {
				return false
			}
		default:
			return false
		}
	}
	return s != ""
}

// isText reports whether s may stand in a field's value: no control bytes but the tab.
func isText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// fieldClass is what a field means to the hop between us and the upstream.
type fieldClass uint8

const (
	endToEnd fieldClass = iota
	hopByHop
	contentLength
	transferEncoding
	connection
	keepAlive
	hostField
	aboutHost // alt-svc, strict-transport-security: they speak for a host that the client did not call
)

// classOf finds a field's class by its length first: most names have none.
func classOf(name string) fieldClass {
	is := func(s string, c fieldClass) fieldClass {
		if strings.EqualFold(name, s) {
			return c
		}
		return endToEnd
	}
	switch len(name) {
	case 2:
		return is("te", hopByHop)
	case 4:
		return is("host", hostField)
	case 7:
		return max(is("trailer", hopByHop), is("upgrade", hopByHop), is("alt-svc", aboutHost))
	case 10:
		return max(is("connection", connection), is("keep-alive", keepAlive))
	case 14:
		return is("content-length", contentLength)
	case 17:
		return is("transfer-encoding", transferEncoding)
	case 25:
		return max(is("strict-transport-security", aboutHost), is("proxy-authentication-info", hopByHop))
	case 16:
		return is("proxy-connection", hopByHop)
	case 18:
		return is("proxy-authenticate", hopByHop)
	case 19:
		return is("proxy-authorization", hopByHop)
	}
	return endToEnd
}

// eachToken calls f with each member of a comma-separated list.
func eachToken(list string, f func(string)) {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		if one = strings.Trim(one, " \t"); one != "" {
			f(one)
		}
	}
}
