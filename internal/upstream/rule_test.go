package upstream

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestRule(t *testing.T) {
	rule, err := ParseRule([]string{"10.1.0.0/16", "192.168.7.7", "[fd00:1::1]", "fd12::/48", "Engine.Internal."})
	if err != nil {
		t.Fatal(err)
	}
	// What may be reached: by anyone, by a private call, by the host engine.internal.
	tests := []struct {
		addr                    string
		public, private, listed bool
	}{
		{"1.1.1.1", true, true, true},
		{"2606:4700::1111", true, true, true},
		{"::ffff:1.1.1.1", true, true, true},
		{"64:ff9b::1.1.1.1", true, true, true},
		{"10.1.2.3", true, true, true},
		{"::ffff:10.1.2.3", true, true, true},
		{"192.168.7.7", true, true, true},
		{"fd00:1::1", true, true, true},
		{"fd12:0:0:1::1", true, true, true},

		{"10.2.0.1", false, true, true},
		{"192.168.7.8", false, true, true},
		{"127.0.0.1", false, true, true},
		{"::1", false, true, true},
		{"::ffff:127.0.0.1", false, true, true},
		{"64:ff9b::127.0.0.1", false, true, true},
		{"64:ff9b:1::1.1.1.1", false, true, true},
		{"0.0.0.0", false, true, true},
		{"::", false, true, true},
		{"172.16.0.1", false, true, true},
		{"172.31.255.255", false, true, true},
		{"100.64.0.1", false, true, true},
		{"169.254.1.1", false, true, true},
		{"198.18.0.1", false, true, true},
		{"192.0.2.1", false, true, true},
		{"224.0.0.1", false, true, true},
		{"255.255.255.255", false, true, true},
		{"fe80::1", false, true, true},
		{"fe80::1%eth0", false, true, true},
		{"fc00::1", false, true, true},
		{"fec0::1", false, true, true},
		{"ff02::1", false, true, true},
		{"2001:db8::1", false, true, true},
		{"2002:0101:0101::1", false, true, true}, // 6to4
		{"2001:0:102:304::1", false, true, true}, // Teredo
		{"::7f00:1", false, true, true},

		{"169.254.169.254", false, false, false},
		{"169.254.170.2", false, false, false},
		{"100.100.100.200", false, false, false},
		{"168.63.129.16", false, false, false},
		{"fd00:ec2::254", false, false, false},
		{"fd00:ec2::254%1", false, false, false},
		{"::ffff:169.254.169.254", false, false, false},
		{"::169.254.169.254", false, false, false},
		{"64:ff9b::169.254.169.254", false, false, false},
		{"64:ff9b:1::169.254.169.254", false, false, false},
		{"2002:a9fe:a9fe::1", false, false, false},
		{"2001:0:a9fe:a9fe::1", false, false, false},
		{"2001::5601:5601", false, false, false}, // Teredo: the client's bits are flipped
		{"fe80::5efe:169.254.169.254", false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			a := netip.MustParseAddr(tt.addr)
			public, private := rule.check("api.example.com", a, false), rule.check("api.example.com", a, true)
			listed := rule.check("engine.INTERNAL", a, false)
			if (public == nil) != tt.public || (private == nil) != tt.private || (listed == nil) != tt.listed {
				t.Errorf("public: %v, private: %v, listed: %v", public, private, listed)
			}
		})
	}
}

func TestMetadataIsNeverAllowed(t *testing.T) {
	rule, err := ParseRule([]string{"0.0.0.0/0", "::/0", "metadata.test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"169.254.169.254", "fd00:ec2::254", "100.100.100.200"} {
		if rule.check("metadata.test", netip.MustParseAddr(a), true) == nil {
			t.Error(a)
		}
	}
}

func TestParseRule(t *testing.T) {
	bad := []string{"http://x.test", "x.test:80", "10.0.0.0/99", "10.1.2.3/8", "", "*.x.test", "a..b", "x y"}
	_, err := ParseRule(append(bad, "fine.test"))
	if err == nil || strings.Count(err.Error(), "\n") != len(bad)-1 || strings.Contains(err.Error(), "fine.test") {
		t.Errorf("%v", err)
	}
}

// TestRuleAtDial goes by names, so that the address is known only when it is dialled.
func TestRuleAtDial(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		up := play(t, nil, always(okAnswer))
		_, port, _ := net.SplitHostPort(up.host)
		way := c.o.Transport
		try := func(c *Client, host string, private bool) Stage {
			req := get(net.JoinHostPort(host, port))
			req.Private = private
			return roundTrip(t, c, req).err
		}
		if got := try(c, "localhost", false); got != StageAddress {
			t.Errorf("a name that leads to loopback: %q", got)
		}
		if got := try(c, "127.0.0.1", false); got != StageAddress {
			t.Errorf("a loopback address: %q", got)
		}
		if up.conns() != 0 {
			t.Error("a connection was made all the same")
		}
		if got := try(c, "localhost", true); got != "" {
			t.Errorf("a private call: %q", got)
		}
		if got := try(c, "localhost", false); got != StageAddress {
			t.Errorf("a public call after a private one, whose connection is idle: %q", got)
		}
		for _, list := range []string{"localhost", "127.0.0.0/8"} {
			rule, err := ParseRule([]string{list, "::1"})
			if err != nil {
				t.Fatal(err)
			}
			if got := try(client(t, func(o *Options) { o.Rule, o.Transport = rule, way }), "localhost", false); got != "" {
				t.Errorf("%s is listed: %q", list, got)
			}
		}
	})
}
