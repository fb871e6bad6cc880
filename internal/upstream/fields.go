package upstream

import "strings"

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
