package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a vault over a real database, in a directory of its own.
type house struct {
	*vault.Vault
	t    *testing.T
	dir  string
	db   *sqlstore.DB
	said *bytes.Buffer // what the vault logged since it was opened
}

func (h *house) master() string { return filepath.Join(h.dir, "master.key") }

// build opens a vault in a new directory.
func build(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	h.open(sluice.Secret{})
	t.Cleanup(h.close)
	return h
}

func (h *house) open(key sluice.Secret) {
	h.t.Helper()
	var err error
	if h.db, err = sqlstore.Open(context.WithoutCancel(h.t.Context()), filepath.Join(h.dir, "sluice.db")); err != nil {
		h.t.Fatal(err)
	}
	h.said = &bytes.Buffer{}
	h.Vault, err = vault.Open(h.t.Context(), vault.Options{
		Store: h.db, Master: vault.Master{Key: key, File: h.master()}, Logger: slog.New(slog.NewTextHandler(h.said, nil)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	h.t.Helper()
	if err := h.Close(context.WithoutCancel(h.t.Context())); err != nil {
		h.t.Error(err)
	}
	if err := h.db.Close(); err != nil {
		h.t.Error(err)
	}
}

// reopen is a new start.
func (h *house) reopen(key ...sluice.Secret) {
	h.t.Helper()
	h.close()
	h.open(append(key, sluice.Secret{})[0])
}

const secret = "sk-proj-0123456789abcdefwxyz"

func (h *house) add(change ...func(*vault.New)) vault.Credential {
	h.t.Helper()
	n := vault.New{Account: "acme", Gateway: "prod", Provider: "openai", Secret: sluice.NewSecret(secret)}
	for _, c := range change {
		c(&n)
	}
	c, err := h.Create(h.t.Context(), n, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func alias(name string) func(*vault.New) { return func(n *vault.New) { n.Alias = name } }

// picked is the secret that a call with an alias would show; "" none.
func (h *house) picked(alias string) string {
	k := h.Keys("acme", "prod", "openai")
	if k == nil || k.Pool(alias) == nil {
		return ""
	}
	c, _ := k.Pool(alias).Pick(time.Now(), nil)
	if c == nil {
		return ""
	}
	return c.Secret().Reveal()
}

func TestASecretComesBackAfterANewStart(t *testing.T) {
	h := build(t)
	if _, err := os.Stat(h.master()); err == nil {
		t.Error("there is a master key before it is needed")
	}
	made := h.add()
	if made.Hint != "wxyz" || made.Alias != "default" || made.Version != 1 || made.Weight != 1 || !made.Secret().IsZero() {
		t.Errorf("%+v", made)
	}
	info, err := os.Stat(h.master())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	for range 2 {
		if got := h.picked(""); got != secret {
			t.Fatalf("picked %q", got)
		}
		h.reopen()
	}
	if h.Locked() != nil || h.said.Len() > 0 {
		t.Errorf("%v, %s", h.Locked(), h.said)
	}
}

func TestTheDatabaseAloneTellsNothing(t *testing.T) {
	h := build(t)
	h.add()
	h.close()
	defer h.open(sluice.Secret{})
	master, err := os.ReadFile(h.master())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "sluice.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(text, []byte("acme"))
		for _, lost := range []string{secret, secret[:20], strings.Fields(string(master))[len(strings.Fields(string(master)))-1]} {
			if bytes.Contains(text, []byte(lost)) {
				t.Errorf("%s holds %q", name, lost)
			}
		}
	}
	if !found {
		t.Error("no file holds the row: the search finds nothing")
	}
}

func TestChangesHoldAtOnce(t *testing.T) {
	h := build(t)
	c := h.add()
	before := h.Keys("acme", "prod", "openai").Pool("").Version
	next, name, hosts := sluice.NewSecret("sk-another-key-5678"), "live", []string{" B.example ", "a.example", "b.example"}
	got, err := h.Update(t.Context(), "acme", "prod", c.ID, vault.Change{Secret: next, Alias: &name, Hosts: &hosts}, time.Now())
	if err != nil || got.Version != 2 || got.Hint != "5678" || fmt.Sprint(got.Hosts) != "[a.example b.example]" {
		t.Fatalf("%+v, %v", got, err)
	}
	for range 2 {
		if h.picked("live") != next.Reveal() || h.picked("") != "" || h.picked("default") != "" {
			t.Errorf("picked %q, %q", h.picked("live"), h.picked(""))
		}
		h.reopen()
	}
	if after := h.Keys("acme", "prod", "openai").Pool("live").Version; after == before {
		t.Error("the pool's version is the one of before")
	}
	if _, err := h.Delete(t.Context(), "acme", "prod", c.ID); err != nil || h.Keys("acme", "prod", "openai") != nil {
		t.Errorf("after deletion: %v", err)
	}
	for name, err := range map[string]error{
		"update": func() error {
			_, err := h.Update(t.Context(), "acme", "prod", c.ID, vault.Change{}, time.Now())
			return err
		}(),
		"delete": func() error { _, err := h.Delete(t.Context(), "acme", "prod", c.ID); return err }(),
		"get":    func() error { _, err := h.Get("acme", "prod", c.ID); return err }(),
	} {
		if sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("%s of one that is gone: %v", name, err)
		}
	}
}

// TestNobodyReachesAnothersCredential: ids are good in their own gateway only.
func TestNobodyReachesAnothersCredential(t *testing.T) {
	h := build(t)
	c := h.add()
	for _, at := range [][2]string{{"acme", "staging"}, {"other", "prod"}, {"", ""}} {
		if _, err := h.Get(at[0], at[1], c.ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("Get in %v: %v", at, err)
		}
		if _, err := h.Update(t.Context(), at[0], at[1], c.ID, vault.Change{}, time.Now()); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("Update in %v: %v", at, err)
		}
		if _, err := h.Delete(t.Context(), at[0], at[1], c.ID); sluice.KindOf(err) != sluice.KindNotFound {
			t.Errorf("Delete in %v: %v", at, err)
		}
		if h.Keys(at[0], at[1], "openai") != nil || len(h.List(at[0], at[1])) > 0 {
			t.Errorf("%v has it", at)
		}
	}
	if h.Keys("acme", "prod", "anthropic") != nil {
		t.Error("another provider has it")
	}
}

func TestWhatServesACallWithoutAnAlias(t *testing.T) {
	h := build(t)
	h.add(alias("a"), func(n *vault.New) { n.Secret = sluice.NewSecret("key-of-a-0000") })
	if got := h.picked(""); got != "" {
		t.Errorf("neither marked nor named default: %q", got)
	}
	h.add(alias("b"), func(n *vault.New) { n.Secret, n.Default = sluice.NewSecret("key-of-b-0000"), true })
	if got := h.picked(""); got != "key-of-b-0000" {
		t.Errorf("marked as default: %q", got)
	}
	h.add()
	if got := h.picked(""); got != secret {
		t.Errorf("named default: %q", got)
	}
	if got := fmt.Sprint(h.Keys("acme", "prod", "openai").Aliases()); got != "[a b default]" {
		t.Error(got)
	}
}

func TestWhatIsRefused(t *testing.T) {
	h := build(t)
	h.add()
	text := func(s string) func(*vault.New) { return func(n *vault.New) { n.Secret = sluice.NewSecret(s) } }
	for name, c := range map[string]struct {
		change func(*vault.New)
		kind   sluice.Kind
		field  string
	}{
		"an alias that is taken":      {func(*vault.New) {}, sluice.KindConflict, "alias"},
		"no secret":                   {text(""), sluice.KindInvalid, "secret"},
		"a space":                     {text("Bearer sk-1"), sluice.KindInvalid, "secret"},
		"a line end":                  {text("sk-1\r\nX-Evil: 1"), sluice.KindInvalid, "secret"},
		"what is no ASCII":            {text("sk-ü"), sluice.KindInvalid, "secret"},
		"the masked key written back": {text("****wxyz"), sluice.KindInvalid, "secret"},
		"a printed secret":            {text("[redacted]"), sluice.KindInvalid, "secret"},
		"a service account":           {text(`{"type":"service_account"}`), sluice.KindInvalid, "secret"},
		"too long":                    {text(strings.Repeat("k", 17000)), sluice.KindInvalid, "secret"},
		"a bad alias":                 {alias("a b"), sluice.KindInvalid, "alias"},
		"a long alias":                {alias(strings.Repeat("a", 65)), sluice.KindInvalid, "alias"},
		"a weight below":              {func(n *vault.New) { n.Weight = -1 }, sluice.KindInvalid, "weight"},
		"a weight above":              {func(n *vault.New) { n.Weight = 1001 }, sluice.KindInvalid, "weight"},
		"an address as a host":        {func(n *vault.New) { n.Hosts = []string{"https://evil.example/x"} }, sluice.KindInvalid, "hosts"},
		"a limit below":               {func(n *vault.New) { n.RateLimit = -1 }, sluice.KindInvalid, "rate_limit"},
		"a period below":              {func(n *vault.New) { n.RateLimitPeriod = -1 }, sluice.KindInvalid, "rate_limit_period"},
	} {
		n := vault.New{Account: "acme", Gateway: "prod", Provider: "openai", Secret: sluice.NewSecret(secret)}
		c.change(&n)
		_, err := h.Create(t.Context(), n, time.Now())
		if e := new(sluice.Error); !asError(err, &e) || e.Kind != c.kind || e.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(h.List("acme", "prod")); n != 1 {
		t.Errorf("%d are stored", n)
	}
}

func TestLastUseIsWritten(t *testing.T) {
	h := build(t)
	c := h.add()
	used, err := h.Find("acme", "prod", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Truncate(time.Second)
	used.Used(at)
	for range 2 {
		if got, err := h.Get("acme", "prod", c.ID); err != nil || !got.LastUsed.Equal(at) {
			t.Errorf("%v, %v", got.LastUsed, err)
		}
		h.reopen()
	}
}

func TestAGatewaysCredentialsGoWithIt(t *testing.T) {
	h := build(t)
	h.add()
	h.add(alias("b"))
	h.add(func(n *vault.New) { n.Gateway = "staging" })
	if err := h.DeleteGateway(t.Context(), "acme", "prod"); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if len(h.List("acme", "prod")) != 0 || len(h.List("acme", "staging")) != 1 {
		t.Errorf("%+v, %+v", h.List("acme", "prod"), h.List("acme", "staging"))
	}
}
