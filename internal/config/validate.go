package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Validate reports all that is wrong as an *Errors, nil when nothing is. It looks at nothing but c:
// no file is read and no name is looked up. Load calls it.
func (c *Config) Validate() error {
	if p := c.problems(); len(p) > 0 {
		return &Errors{List: p}
	}
	return nil
}

// problems collects what Validate reports, in the order of the settings.
func (c *Config) problems() []Problem {
	k := &checker{c: c}
	visit(tree(), reflect.ValueOf(c).Elem(), nil, k.bounds)
	k.listeners()
	k.basePath()
	k.secret("admin_token", c.AdminToken)
	k.secret("metrics.token", c.Metrics.Token)
	k.tls()
	k.accounts()
	k.hosts()
	k.providers()
	k.signIn()
	k.oidc()
	k.privateHosts()
	k.origins()
	k.tokenURL()
	k.rollUps()
	if c.DataDir == "" {
		k.fail("data_dir", "no directory", "for example ./sluice-data")
	}
	return k.list
}

// maxRollUps is how many metadata keys can be summed up as they come: each costs as much as another question.
const maxRollUps = 3

// rollUps checks the metadata keys of roll-ups.
func (k *checker) rollUps() {
	keys := k.c.Log.Metadata
	if len(keys) > maxRollUps {
		k.fail("log.metadata", fmt.Sprintf("%d keys", len(keys)), fmt.Sprintf("%d at most", maxRollUps))
	}
	for i, key := range keys {
		if key == "" || len(key) > 256 || slices.Contains(keys[:i], key) {
			k.fail("log.metadata", fmt.Sprintf("%.60q is empty, too long, or there twice", key), "names of metadata entries, such as user_id")
		}
	}
}

// tokenURL checks where tokens for service accounts come from.
func (k *checker) tokenURL() {
	text := k.c.Vault.GoogleTokenURL
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		k.fail("vault.google_token_url", "is no http or https address without a password", "leave it out")
	}
}

// LoopbackOnly reports whether all listeners are on loopback addresses, so that no other machine
// reaches them.
func (c *Config) LoopbackOnly() bool {
	return loopback(c.Listen) && (c.AdminListen == "" || loopback(c.AdminListen))
}

// loopback reports whether a listener on addr is reached from this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// checker collects the problems of c.
type checker struct {
	c    *Config
	list []Problem
}

func (k *checker) fail(path, msg, fix string) {
	k.list = append(k.list, Problem{Path: path, Msg: msg, Fix: fix})
}

// bounds checks what the tags say of a value.
func (k *checker) bounds(path []string, n *node, v reflect.Value) {
	name := strings.Join(path, ".")
	switch n.leaf {
	case TypeString:
		if s := v.String(); n.enum != nil && s != n.def && !slices.Contains(n.enum, s) {
			fix := "one of: " + strings.Join(n.enum, ", ")
			if near := Nearest(s, n.enum); near != "" {
				fix = "did you mean " + near + "?"
			}
			k.fail(name, fmt.Sprintf("%q is not known", s), fix)
		}
	case TypeInt, TypeSize, TypeDuration:
		if v.Int() < n.min {
			k.fail(name, n.text(v)+" is too small", "at least "+n.bound(n.min))
		}
		if n.max > 0 && v.Int() > n.max {
			k.fail(name, n.text(v)+" is too large", "at most "+n.bound(n.max))
		}
		if n.unit > 0 && v.Int()%int64(n.unit) != 0 {
			k.fail(name, n.text(v)+" is not whole in its unit", "a multiple of "+FormatDuration(n.unit))
		}
	}
}

// bound writes a bound in the setting's own unit.
func (n *node) bound(i int64) string {
	switch n.leaf {
	case TypeSize:
		return Bytes(i).String()
	case TypeDuration:
		return FormatDuration(time.Duration(i))
	}
	return strconv.FormatInt(i, 10)
}

// listeners checks addresses. Without an admin token, a process that other machines reach stays closed until
// somebody has claimed it, which is not for a configuration to say.
func (k *checker) listeners() {
	k.address("listen", k.c.Listen)
	if k.c.AdminListen != "" {
		k.address("admin_listen", k.c.AdminListen)
		if k.c.AdminListen == k.c.Listen && !strings.HasSuffix(k.c.Listen, ":0") {
			k.fail("admin_listen", "the same address as listen", "another port, or remove it to have all on one listener")
		}
	}
}

func (k *checker) address(path, addr string) {
	const fix = "for example 127.0.0.1:8088, or :8088 for all addresses"
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		k.fail(path, fmt.Sprintf("%q is not host:port", addr), fix)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || port != strconv.FormatUint(n, 10) {
		k.fail(path, fmt.Sprintf("%q is not a port", port), "0 to 65535; 0: any free one")
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !hostName(host) {
		k.fail(path, fmt.Sprintf("%q is neither an address nor a host name", host), fix)
	}
}

// basePath checks the path prefix.
func (k *checker) basePath() {
	p := k.c.BasePath
	if p == "" {
		return
	}
	if !segments.MatchString(p) || strings.Contains(p+"/", "/./") || strings.Contains(p+"/", "/../") {
		k.fail("base_path", fmt.Sprintf("%q is not a path prefix", p),
			"begin with / and end without, letters, digits, -, _, . and ~ between: /ai")
	}
}

// secret checks that a token can stand in a header.
func (k *checker) secret(path string, s sluice.Secret) {
	for _, r := range s.Reveal() {
		if r <= ' ' || r > '~' {
			k.fail(path, "holds a space, a line end or a letter outside ASCII, which no header carries", "")
			return
		}
	}
}

func (k *checker) tls() {
	t := k.c.TLS
	if (t.Cert == "") != (t.Key == "") {
		k.fail("tls", "cert and key go together", "set both, or neither")
	}
}

// accounts checks ids and that no name means two accounts.
func (k *checker) accounts() {
	owner := map[string]string{}
	for id := range k.c.Accounts {
		owner[id] = id
	}
	for _, id := range slices.Sorted(maps.Keys(k.c.Accounts)) {
		at, a := "accounts."+id, k.c.Accounts[id]
		k.id(at, id)
		for _, alias := range a.Aliases {
			k.id(at+".aliases", alias)
			if other, taken := owner[alias]; taken {
				k.fail(at+".aliases", fmt.Sprintf("%q means account %s already", alias, other), "")
			}
			owner[alias] = id
		}
		for _, gateway := range slices.Sorted(maps.Keys(a.Gateways)) {
			k.id(at+".gateways."+gateway, gateway)
			k.gateway(at+".gateways."+gateway, a.Gateways[gateway])
		}
	}
}

// gateway checks what the tags cannot say.
func (k *checker) gateway(path string, g Gateway) {
	const fewest = 10_000
	if g.LogManagement > 0 && g.LogManagement < fewest {
		k.fail(path+".log_management", strconv.FormatInt(g.LogManagement, 10)+" is too small", "0 for no bound of its own, or at least "+strconv.Itoa(fewest))
	}
}

func (k *checker) id(path, id string) {
	if !idForm.MatchString(id) {
		k.fail(path, fmt.Sprintf("%q is not an id", id), "1 to 64 characters of a-z, 0-9, - and _")
	}
}

func (k *checker) hosts() {
	for _, name := range slices.Sorted(maps.Keys(k.c.Hosts)) {
		at, h := "hosts."+name, k.c.Hosts[name]
		if !hostName(name) || name != strings.ToLower(name) {
			k.fail(at, fmt.Sprintf("%q is not a host name", name), "lower case, no port: ai.example.com")
		}
		if _, found := k.c.Accounts[h.Account]; !found && h.Account != "default" {
			k.fail(at+".account", fmt.Sprintf("there is no account %q", h.Account), "add it under accounts")
		}
		k.id(at+".gateway", h.Gateway) // it may be stored: a call finds out
	}
}

// providers checks shapes only: which slugs are built in, the table of providers knows.
func (k *checker) providers() {
	for _, slug := range slices.Sorted(maps.Keys(k.c.Providers)) {
		at, p := "providers."+slug, k.c.Providers[slug]
		if !slugForm.MatchString(slug) || slug == "compat" {
			k.fail(at, fmt.Sprintf("%q is not a provider's slug", slug), "1 to 64 characters of a-z, 0-9, -, _ and ., and not compat")
		}
		if p.Kind != "" && p.BaseURL == "" {
			k.fail(at+".base_url", "missing, and kind says that the provider is not built in", "for example http://127.0.0.1:8000/v1")
		}
		if p.BaseURL != "" {
			if msg := baseURLProblem(p.BaseURL); msg != "" {
				k.fail(at+".base_url", fmt.Sprintf("%q: %s", p.BaseURL, msg), "for example http://127.0.0.1:8000/v1")
			}
		}
	}
}

// baseURLProblem says what is wrong with a provider's address, "" when nothing is.
func baseURLProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "begins with neither http:// nor https://"
	case u.Hostname() == "" || u.Opaque != "":
		return "names no host"
	case u.User != nil:
		return "holds a user or password"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "holds a query or fragment"
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return "holds a wrong port"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostName(u.Hostname()) {
		return "names a host that cannot be"
	}
	return ""
}

func (k *checker) privateHosts() {
	for _, h := range k.c.Upstream.PrivateHosts {
		_, errAddr := netip.ParseAddr(h)
		_, errPrefix := netip.ParsePrefix(h)
		if errAddr != nil && errPrefix != nil && !hostName(h) {
			k.fail("upstream.private_hosts", fmt.Sprintf("%q is no host, address or range", h), "for example 10.1.2.3, 10.0.0.0/8 or models.internal")
		}
	}
}

func (k *checker) origins() {
	for _, o := range k.c.CORS.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || o != u.Scheme+"://"+u.Host) {
			k.fail("cors.origins", fmt.Sprintf("%q is not an origin", o), "scheme and host as the browser sends them: https://app.example.com; or *")
		}
	}
}

// missingFiles reports files that settings name and that cannot be read. It is not part of Validate,
// which looks at nothing outside.
func (c *Config) missingFiles() []Problem {
	var list []Problem
	for _, f := range []struct{ path, name string }{
		{"tls.cert", c.TLS.Cert},
		{"tls.key", c.TLS.Key},
		{"upstream.ca_file", c.Upstream.CAFile},
	} {
		if f.name == "" {
			continue
		}
		if file, err := os.Open(f.name); err != nil {
			reason := err
			if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
				reason = pathErr.Err
			}
			list = append(list, Problem{Path: f.path, Msg: fmt.Sprintf("cannot read %s: %v", f.name, reason)})
		} else {
			_ = file.Close()
		}
	}
	return list
}

// warnings lists what is allowed and probably not meant.
func (c *Config) warnings() []string {
	var list []string
	if n := len(c.AdminToken.Reveal()); n > 0 && n < 16 {
		list = append(list, "admin_token: short enough to be guessed; better: openssl rand -hex 32")
	}
	if !c.LoopbackOnly() {
		list = append(list, c.openGateways()...)
	}
	if !c.LoopbackOnly() && c.TLS.Cert == "" {
		list = append(list, "tls: other machines reach this listener without encryption, unless a proxy in front adds it")
	}
	return list
}

// openGateways warns of the gateways that need no token.
func (c *Config) openGateways() []string {
	var list []string
	for _, account := range slices.Sorted(maps.Keys(c.Accounts)) {
		gateways := c.Accounts[account].Gateways
		for _, id := range slices.Sorted(maps.Keys(gateways)) {
			if a := gateways[id].Authentication; a == nil || !*a {
				list = append(list, "accounts."+account+".gateways."+id+": authentication is off, so whoever reaches the listener can call it")
			}
		}
	}
	return list
}

// hostName reports whether s can be a host's name in DNS, or on this network.
func hostName(s string) bool {
	return len(s) <= 253 && hostForm.MatchString(s)
}

// Compiled once; nothing changes them.
var (
	idForm   = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	segments = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	hostForm = regexp.MustCompile(`^` + hostLabel + `(\.` + hostLabel + `)*\.?$`)
)

const hostLabel = `[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`

// signIn checks the networks of proxies.
func (k *checker) signIn() {
	if _, err := k.c.SignIn.Proxies(); err != nil {
		k.fail("sign_in.trusted_proxies", err.Error(), "for example 10.0.0.0/8")
	}
	if k.c.SignIn.Idle > k.c.SignIn.Lifetime {
		k.fail("sign_in.idle", "longer than sign_in.lifetime", "at most "+FormatDuration(k.c.SignIn.Lifetime))
	}
}

// Proxies reads TrustedProxies.
func (s *SignIn) Proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range s.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if ip, errIP := netip.ParseAddr(text); errIP == nil {
			p, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a CIDR range", text)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// oidc checks how an identity provider is asked.
func (k *checker) oidc() {
	o := &k.c.OIDC
	if o.Issuer == "" {
		return
	}
	k.secret("oidc.client_secret", o.ClientSecret)
	for path, address := range map[string]string{"oidc.issuer": o.Issuer, "oidc.redirect_url": o.RedirectURL} {
		u, err := url.Parse(address)
		local := err == nil && loopback(net.JoinHostPort(u.Hostname(), "1"))
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !local) {
			k.fail(path, fmt.Sprintf("%q is no https address", address), "http is for loopback only")
		}
	}
	if !strings.HasSuffix(o.RedirectURL, "/client/v4/session/oidc/callback") {
		k.fail("oidc.redirect_url", "it does not lead here", "it ends in /client/v4/session/oidc/callback")
	}
	if o.ClientID == "" {
		k.fail("oidc.client_id", "missing", "the identity provider gives it when Sluice is registered there")
	}
	if len(o.Grants) == 0 {
		k.fail("oidc.grants", "missing, so nobody who signs in may do anything", "for example grants: {everybody: {domain: example.com, role: viewer}}")
	}
}
