package upstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule says which addresses a call may lead to. Public addresses always may. Private ones (loopback,
// link-local, unique local, shared, multicast, unspecified and all other special ranges) may when the
// request says Private, when Allow holds the address, or when Hosts holds the name. Addresses of
// cloud metadata services may never. The zero Rule allows public addresses.
type Rule struct {
	Allow []netip.Prefix
	Hosts []string // lower case, no port, no final dot
}

// ParseRule reads a list of hosts, addresses and CIDR ranges. The error names each bad entry.
func ParseRule(list []string) (Rule, error) {
	var r Rule
	var errs []error
	for _, entry := range list {
		e := strings.TrimSpace(entry)
		if p, err := netip.ParsePrefix(e); err == nil {
			if p != p.Masked() {
				errs = append(errs, fmt.Errorf("%q has bits behind its length; meant: %s", entry, p.Masked()))
			}
			r.Allow = append(r.Allow, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(e, "["), "]")); err == nil {
			a = a.WithZone("").Unmap()
			r.Allow = append(r.Allow, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		if name := plainName(e); isHostName(name) {
			r.Hosts = append(r.Hosts, name)
			continue
		}
		errs = append(errs, fmt.Errorf("%q is no host name (without port), address or CIDR range", entry))
	}
	return r, errors.Join(errs...)
}

// Names reports whether the rule names host, a name or an address without a port, so that calls there may be
// private.
func (r *Rule) Names(host string) bool {
	if slices.Contains(r.Hosts, plainName(host)) {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.WithZone("").Unmap()
	return slices.ContainsFunc(r.Allow, func(p netip.Prefix) bool { return p.Contains(a) })
}

// plainName is how names are compared: lower case, without the final dot of a full name.
func plainName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func isHostName(s string) bool {
	if s == "" || len(s) > 253 || strings.Contains(s, "..") || strings.HasPrefix(s, ".") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// addressError is a refusal by the rule.
type addressError struct {
	addr netip.Addr
	why  string
}

func (e *addressError) Error() string { return e.addr.String() + " " + e.why }

// check returns an *addressError when a call to the host may not lead to addr.
func (r *Rule) check(name string, addr netip.Addr, private bool) error {
	a := addr.WithZone("").Unmap()
	if isMetadata(a) {
		return &addressError{addr, "belongs to a cloud's metadata service"}
	}
	if private || isPublic(a) || slices.Contains(r.Hosts, plainName(name)) {
		return nil
	}
	for _, p := range r.Allow {
		if p.Contains(a) {
			return nil
		}
	}
	return &addressError{addr, "is not public"}
}

// isMetadata reports whether a is, or carries within itself, an address where clouds hand out
// credentials to whoever asks from inside.
func isMetadata(a netip.Addr) bool {
	switch a.String() {
	case "169.254.169.254", // AWS, Google, Azure, DigitalOcean, OpenStack, …
		"169.254.170.2", "169.254.170.23", // AWS: ECS tasks, EKS pods
		"100.100.100.200", // Alibaba
		"192.0.0.192",     // Oracle, its older address
		"168.63.129.16",   // Azure's wire server: public in form
		"169.254.0.23",    // Tencent
		"169.254.42.42",   // Scaleway
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42",
		"fe80::a9fe:a9fe": // OpenStack
		return true
	}
	for _, in := range embedded(a) {
		if isMetadata(in) {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 addresses that an IPv6 address stands for or tunnels to.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	v4 := func(at int, flip uint32) netip.Addr {
		var x [4]byte
		binary.BigEndian.PutUint32(x[:], binary.BigEndian.Uint32(b[at:])^flip)
		return netip.AddrFrom4(x)
	}
	var in []netip.Addr
	switch {
	case prefixed(a, "2002::/16"): // 6to4
		in = append(in, v4(2, 0))
	case prefixed(a, "2001::/32"): // Teredo: server, and client with its bits flipped
		in = append(in, v4(4, 0), v4(12, ^uint32(0)))
	}
	// NAT64 (RFC 6052, RFC 8215), IPv4-compatible and ISATAP addresses end in one. That another address
	// ends in the bits of a metadata address by chance is too rare to matter.
	return append(in, v4(12, 0))
}

func prefixed(a netip.Addr, cidr string) bool { return netip.MustParsePrefix(cidr).Contains(a) }

// isPublic goes by the special-purpose registries of IANA (RFC 6890 and its updates). a is unmapped.
func isPublic(a netip.Addr) bool {
	special := []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	}
	if a.Is6() {
		if prefixed(a, "64:ff9b::/96") { // how an IPv6-only network writes the IPv4 internet
			return isPublic(embedded(a)[0])
		}
		if !prefixed(a, "2000::/3") {
			return false
		}
		special = []string{"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"}
	}
	return !slices.ContainsFunc(special, func(cidr string) bool { return prefixed(a, cidr) })
}
