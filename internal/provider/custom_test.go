package provider

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// noStore forgets; the real ones are proven by storetest.
type noStore struct{}

func (noStore) ListCustoms(context.Context) ([]StoredCustom, error)        { return nil, nil }
func (noStore) PutCustom(_ context.Context, _ StoredCustom, _ int64) error { return nil }
func (noStore) DeleteCustom(context.Context, string) error                 { return nil }

// openSealer seals nothing.
type openSealer struct{}

func (openSealer) Seal(_ context.Context, s sluice.Secret, _ ...string) ([]byte, error) {
	return []byte(s.Reveal()), nil
}

func (openSealer) Unseal(b []byte, _ ...string) (sluice.Secret, error) {
	return sluice.NewSecret(string(b)), nil
}

func newTestCustoms(t *testing.T, allowed ...string) *Customs {
	t.Helper()
	s, err := OpenCustoms(t.Context(), CustomsOptions{
		Store: noStore{}, Sealer: openSealer{}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Allowed: func(host string) bool {
			for _, a := range allowed {
				if a == host {
					return true
				}
			}
			return false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(s string) *string { return &s }

func on() *bool {
	yes := true
	return &yes
}

// made makes an enabled custom provider of the slug s, in the account a.
func (s *Customs) made(t *testing.T, base string, change func(*CustomChange)) Custom {
	t.Helper()
	n := CustomChange{Name: text("N"), Slug: text("s"), BaseURL: &base, Enabled: on()}
	if change != nil {
		change(&n)
	}
	c, err := s.Create(t.Context(), "a", n, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAddressesOfCustomProviders(t *testing.T) {
	s := newTestCustoms(t, "engine.internal", "10.1.2.3")
	for base, ok := range map[string]bool{
		"https://api.example.com":         true,
		"https://api.example.com/":        true,
		"https://api.example.com:8443/v1": true,
		"https://8.8.8.8":                 true,
		"https://[2606:4700::1111]:8443":  true,
		"http://engine.internal:8000/v1":  true, // the configuration names it
		"https://engine.internal.":        true,
		"http://10.1.2.3":                 true,
		"http://api.example.com":          false,
		"ftp://api.example.com":           false,
		"api.example.com":                 false,
		"//api.example.com":               false,
		"https://":                        false,
		"https:///path":                   false,
		"https://user@api.example.com":    false,
		"https://user:pw@api.example.com": false,
		"https://:pw@api.example.com":     false,
		"https://api.example.com/?a=b":    false,
		"https://api.example.com?":        false,
		"https://api.example.com/#f":      false,
		"https://api.example.com/../x":    false,
		"https://api.example.com/%2e%2e/": false,
		"https://api.example.com:0":       false,
		"https://api.example.com:70000":   false,
		"https://api exa.example":         false,
		"https://api.example.com\r\nX: y": false,
		"https://api.example.com\\@evil":  false,
		"https://a,b.example":             false,
		// Addresses, in the forms that readers differ in.
		"https://127.0.0.1":          false,
		"https://127.1":              false,
		"https://2130706433":         false,
		"https://0177.0.0.1":         false,
		"https://0x7f000001":         false,
		"https://0x7f.1":             false,
		"https://0x7f.0.0.0x1":       false,
		"https://127.0.0.1.":         false,
		"https://0":                  false,
		"https://0.0.0.0":            false,
		"https://10.0.0.1":           false,
		"https://169.254.169.254":    false,
		"https://192.168.0.1":        false,
		"https://[::1]":              false,
		"https://[::]":               false,
		"https://[::ffff:127.0.0.1]": false,
		"https://[::ffff:7f00:1]":    false,
		"https://[fe80::1%25eth0]":   false,
		"https://[fe80::1]":          false,
		"https://[fd00:ec2::254]":    false,
		"https://[fc00::1]":          false,
		"https://[::1":               false,
		"https://1.2.3.4.5":          false,
		"https://example.123":        false,
		"https://example.0x1":        false,
		"https://①②⑦.⓪.⓪.①":          false,
		"https://" + strings.Repeat("a.", 1100) + "example": false,
	} {
		_, err := s.Create(t.Context(), "a", CustomChange{Name: text("N"), Slug: text("s"), BaseURL: &base}, time.Now())
		if (err == nil) != ok {
			t.Errorf("%s: %v; want it taken: %t", base, err, ok)
		}
		if err == nil {
			if _, err := s.Delete(t.Context(), "a", s.List("a")[0].ID); err != nil {
				t.Fatal(err)
			}
			continue
		}
		e, _ := err.(*sluice.Error) //nolint:errorlint // not wrapped
		if e == nil || e.Kind != sluice.KindInvalid || e.Field != "base_url" || e.Msg != "base_url must be a valid HTTPS URL starting with https://" || strings.Contains(e.Hint, "pw") {
			t.Errorf("%s: %#v", base, err)
		}
	}
}

func TestWhereCallsOfCustomProvidersGo(t *testing.T) {
	for _, test := range []struct{ base, path, query, want string }{
		{"https://api.example.com", "v1/chat/completions", "", "https://api.example.com/v1/chat/completions"},
		{"https://api.example.com/", "api/coding/paas/v4/chat/completions", "", "https://api.example.com/api/coding/paas/v4/chat/completions"},
		{"https://ml.example.com", "serving/models/my-model:predict", "a=b", "https://ml.example.com/serving/models/my-model:predict?a=b"},
		{"https://api.example.com/v1", "v1/chat", "", "https://api.example.com/v1/v1/chat"}, // nothing is guessed
		{"https://api.example.com/v1//", "/chat", "", "https://api.example.com/v1//chat"},
		{"https://API.example.com:8443/p%20q", "x%2Fy", "", "https://api.example.com:8443/p%20q/x%2Fy"},
		{"https://api.example.com/v1", "", "", "https://api.example.com/v1"},
	} {
		s := newTestCustoms(t)
		s.made(t, test.base, nil)
		table, err := NewTable(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := table.With(s).FindIn("a", "custom-s")
		if !ok || p.Usable() != nil || p.Overridden() || p.Local {
			t.Fatalf("%s: found %t, %+v", test.base, ok, p)
		}
		got, err := p.Resolve(Call{Method: "POST", Path: test.path, Query: test.query})
		address := got.Scheme + "://" + got.Host + got.Path
		if got.Query != "" {
			address += "?" + got.Query
		}
		if err != nil || address != test.want {
			t.Errorf("%s + %s: %s, %v; want %s", test.base, test.path, address, err, test.want)
		}
		if !p.OwnHost(got.Host) || p.OwnHost("evil.example") {
			t.Errorf("%s: a stored key would go elsewhere", test.base)
		}
	}
}

func TestCustomProvidersAreFoundByTheirAccountAlone(t *testing.T) {
	s := newTestCustoms(t)
	s.made(t, "https://api.example.com", nil)
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	with := table.With(s)
	for at, want := range map[customName]bool{
		{"a", "custom-s"}: true, {"b", "custom-s"}: false, {"a", "s"}: false, {"a", "custom-S"}: false, {"b", "openai"}: true, {"a", "custom-"}: false,
	} {
		if _, ok := with.FindIn(at.account, at.segment); ok != want {
			t.Errorf("%+v: found %t", at, ok)
		}
	}
	if _, ok := table.FindIn("a", "custom-s"); ok {
		t.Error("the table without them has changed")
	}
	if _, err := s.Delete(t.Context(), "a", s.List("a")[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := table.With(s).FindIn("a", "custom-s"); ok {
		t.Error("one that was deleted is found")
	}
}

func TestEndpointsOfCustomProvidersAreGuessed(t *testing.T) {
	s := newTestCustoms(t)
	s.made(t, "https://api.example.com", nil)
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := table.With(s).FindIn("a", "custom-s")
	for path, want := range map[string]string{
		"v1/chat/completions": "chat/completions", "chat/completions": "chat/completions", "api/coding/paas/v4/chat/completions": "chat/completions",
		"openai/v1/embeddings": "embeddings", "x/v1/messages": "messages", "v1/messages": "messages", "a/b/responses": "responses",
		"serving/models/my-model:predict": "", "chat": "", "chat/completions/x": "chat/completions", "": "",
	} {
		ep, _ := p.Match("POST", path)
		got := ""
		if ep != nil {
			got = ep.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestFieldsOfCustomProvidersAreAdded(t *testing.T) {
	s := newTestCustoms(t)
	c := s.made(t, "https://api.example.com", func(n *CustomChange) {
		h := sluice.NewSecret(`{"X-Tenant":"blue","x-api-key":"canary-0123456789"}`)
		n.Headers = &h
	})
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := table.With(s).FindIn("a", "custom-s")
	got := p.Added(sluice.Header{{Name: "X-TENANT", Value: "red"}, {Name: "Accept", Value: "*/*"}})
	if len(got) != 3 || got.Get("x-tenant") != "blue" || got.Get("x-api-key") != "canary-0123456789" || got.Get("Accept") != "*/*" {
		t.Errorf("%v", got)
	}
	if !p.AddsCredential() || !p.Shows(got, "") {
		t.Error("it is not seen that a credential is added")
	}
	if strings.Contains(c.ShownHeaders(), "canary") {
		t.Error(c.ShownHeaders())
	}
	// What is shown, sent back, changes nothing; a name that is new needs a value.
	shown := sluice.NewSecret(c.ShownHeaders())
	if _, err := s.Update(t.Context(), "a", c.ID, CustomChange{Headers: &shown}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p, _ = table.With(s).FindIn("a", "custom-s")
	if got := p.Added(nil); got.Get("x-api-key") != "canary-0123456789" {
		t.Errorf("%v", got)
	}
	bad := sluice.NewSecret(`{"X-New":"[redacted]"}`)
	if _, err := s.Update(t.Context(), "a", c.ID, CustomChange{Headers: &bad}, time.Now()); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("a value that is only a mask: %v", err)
	}
}

func TestACustomProviderThatIsNotUsableSaysWhy(t *testing.T) {
	s := newTestCustoms(t)
	c := s.made(t, "https://api.example.com", func(n *CustomChange) { n.Enabled = nil })
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	find := func() error {
		p, ok := table.With(s).FindIn("a", "custom-s")
		if !ok {
			t.Fatal("it is not found")
		}
		return p.Usable()
	}
	if err := find(); sluice.KindOf(err) != sluice.KindNoProvider || !strings.Contains(err.Error(), "not enabled") {
		t.Errorf("disabled: %v", err)
	}
	if _, err := s.Update(t.Context(), "a", c.ID, CustomChange{Enabled: on()}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := find(); err != nil {
		t.Errorf("enabled: %v", err)
	}
}

func FuzzCustomAddress(f *testing.F) {
	for _, s := range []string{"https://a.example/v1", "https://[::1]:80", "https://0x7f.1", "https://u:p@a", "https://a%2e.example", "http://\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		b, err := parseCustomBase(in, func(string) bool { return false })
		if err != nil {
			return
		}
		name := hostOf(b.host)
		if b.scheme != "https" || name == "" || strings.ContainsAny(b.host, "@/\\?# \r\n%") || checkPath(b.prefix) != nil {
			t.Errorf("%q gives %+v", in, b)
		}
	})
}

func FuzzCustomHeaders(f *testing.F) {
	for _, s := range []string{`{"A":"b"}`, `{"A":"\r\n"}`, `{"Host":"x"}`, `{"a":"1","A":"2"}`, `null`, `{"A":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		h, err := parseHeaders(in, nil)
		if err != nil {
			return
		}
		for _, field := range h {
			if !mayAdd(field.Name) || strings.ContainsAny(field.Value, "\r\n\x00") || field.Value == "" {
				t.Errorf("%q gives %q", in, field)
			}
		}
	})
}
