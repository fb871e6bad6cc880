package vault_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/vault"
)

func asError(err error, to **sluice.Error) bool { return errors.As(err, to) }

func (h *house) writeMaster(text string) {
	h.t.Helper()
	if err := os.WriteFile(h.master(), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) readMaster() string {
	h.t.Helper()
	text, err := os.ReadFile(h.master())
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// masterKey is the i-th of keys that differ.
func masterKey(i byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('A'+i)), 32)))
}

// TestTrouble: whatever is wrong with the keys, the vault opens, says what to do, and works again when it is
// done.
func TestTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(h *house)
		undo func(h *house, master string)
		says string
	}{
		"the file is gone":      {func(h *house) { _ = os.Remove(h.master()) }, (*house).writeMaster, "missing"},
		"another key":           {func(h *house) { h.writeMaster(masterKey(0)) }, (*house).writeMaster, "not the master key"},
		"no key":                {func(h *house) { h.writeMaster("password\n") }, (*house).writeMaster, "holds no master key"},
		"an empty file":         {func(h *house) { h.writeMaster("# nothing\n") }, (*house).writeMaster, "holds no master key"},
		"a large file":          {func(h *house) { h.writeMaster(strings.Repeat("#\n", 1<<16)) }, (*house).writeMaster, "cannot be read"},
		"the data key has gone": {func(h *house) { h.exec("DELETE FROM data_key") }, nil, "damaged"},
		"a damaged data key":    {func(h *house) { h.exec("UPDATE data_key SET sealed = '!' || sealed") }, nil, "damaged"},
		"a shortened data key":  {func(h *house) { h.exec("UPDATE data_key SET sealed = substr(sealed, 1, 40)") }, nil, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			made := h.add()
			master := h.readMaster()
			h.around(c.do)
			e := h.Locked()
			if e == nil || !strings.Contains(e.Msg, c.says) || e.Hint == "" || e.Kind != sluice.KindUnavailable {
				t.Fatalf("locked: %v", e)
			}
			if !strings.Contains(h.said.String(), e.Hint) {
				t.Errorf("it said %s", h.said)
			}
			k := h.Keys("acme", "prod", "openai")
			if k == nil || k.Pool("") == nil || len(k.Pool("").All()) != 0 {
				t.Error("what cannot be opened is not known any more")
			}
			if list := h.List("acme", "prod"); len(list) != 1 || list[0].Fault == "" {
				t.Errorf("%+v", list)
			}
			for _, err := range []error{h.create(), h.update(made.ID), h.Rotate(t.Context())} {
				if sluice.KindOf(err) != sluice.KindUnavailable {
					t.Errorf("a change: %v", err)
				}
			}
			if c.undo != nil {
				h.around(func(h *house) { c.undo(h, master) })
				if h.Locked() != nil || h.picked("") != secret {
					t.Errorf("when it is put right: %v, %q", h.Locked(), h.picked(""))
				}
				return
			}
			if _, err := h.Delete(t.Context(), "acme", "prod", made.ID); err != nil {
				t.Fatal(err)
			}
			h.add()
			h.reopen()
			if h.Locked() != nil || h.picked("") != secret {
				t.Errorf("begun anew: %v, %q", h.Locked(), h.picked(""))
			}
		})
	}
}

func (h *house) create() error {
	_, err := h.Create(h.t.Context(), vault.New{Account: "a", Gateway: "g", Provider: "p", Secret: sluice.NewSecret(secret)}, time.Now())
	return err
}

func (h *house) update(id string) error {
	_, err := h.Update(h.t.Context(), "acme", "prod", id, vault.Change{Secret: sluice.NewSecret(secret)}, time.Now())
	return err
}

// around does something while the vault is closed.
func (h *house) around(do func(h *house)) {
	h.close()
	do(h)
	h.open(sluice.Secret{})
}

// exec changes the database as somebody could who has it.
func (h *house) exec(query string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "sluice.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := db.ExecContext(context.Background(), query); err != nil {
		h.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// TestRowsCannotBeChangedOrMoved: what a credential is for is sealed with it.
func TestRowsCannotBeChangedOrMoved(t *testing.T) {
	for name, query := range map[string]string{
		"another account":  "UPDATE credentials SET account = 'acme' WHERE account = 'victim'",
		"another gateway":  "UPDATE credentials SET gateway = 'prod'",
		"another provider": "UPDATE credentials SET provider = 'openai'",
		"another alias":    "UPDATE credentials SET alias = 'default'",
		"more hosts":       `UPDATE credentials SET hosts = '["evil.example"]'`,
		"one for another":  "UPDATE credentials SET sealed = (SELECT o.sealed FROM credentials o WHERE o.id <> credentials.id LIMIT 1) WHERE id = (SELECT MIN(id) FROM credentials)",
		"cut":              "UPDATE credentials SET sealed = substr(sealed, 1, 24)",
		"nothing":          "UPDATE credentials SET sealed = ''",
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.add(func(n *vault.New) {
				n.Account, n.Gateway, n.Provider, n.Alias = "victim", "live", "anthropic", "vip"
			})
			h.add(func(n *vault.New) {
				n.Account, n.Gateway, n.Provider, n.Alias, n.Weight, n.Secret = "victim", "live", "anthropic", "vip", 1, sluice.NewSecret("another-0123456")
			})
			h.around(func(h *house) { h.exec(query) })
			if h.Locked() != nil || !strings.Contains(h.said.String(), "cannot be opened") {
				t.Errorf("%v, %s", h.Locked(), h.said)
			}
			faults := 0
			for _, at := range [][2]string{{"victim", "live"}, {"victim", "prod"}, {"acme", "live"}} {
				for _, c := range h.List(at[0], at[1]) {
					if c.Fault == "damaged" {
						faults++
					}
				}
			}
			if want := 2 - strings.Count(query, "MIN(id)"); faults != want {
				t.Errorf("%d of %d are refused", faults, want)
			}
		})
	}
}

func TestADamagedKeyIsMendedByItsSecret(t *testing.T) {
	h := build(t)
	c := h.add()
	h.add(alias("other"))
	h.around(func(h *house) { h.exec("UPDATE credentials SET sealed = '' WHERE alias = 'default'") })
	if h.picked("") != "" || h.picked("other") != secret {
		t.Errorf("picked %q, %q", h.picked(""), h.picked("other"))
	}
	weight := 2
	if _, err := h.Update(t.Context(), "acme", "prod", c.ID, vault.Change{Weight: &weight}, time.Now()); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("without the secret: %v", err)
	}
	if err := h.update(c.ID); err != nil || h.picked("") != secret {
		t.Errorf("with the secret: %v, %q", err, h.picked(""))
	}
}

func TestRotation(t *testing.T) {
	h := build(t)
	h.add()
	first := h.readMaster()
	if err := h.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := h.readMaster()
	h.reopen()
	if second == first || h.Locked() != nil || h.picked("") != secret {
		t.Fatalf("%v, %q", h.Locked(), h.picked(""))
	}
	h.around(func(h *house) { h.writeMaster(first) })
	if h.Locked() == nil {
		t.Error("the old master key still opens")
	}
	// A crash in between leaves both in the file, the new one first, and the data key sealed by the old one.
	h.around(func(h *house) { h.writeMaster(masterKey(1) + "\n" + second) })
	if h.Locked() != nil || h.picked("") != secret {
		t.Fatalf("%v, %q", h.Locked(), h.picked(""))
	}
	h.around(func(h *house) { h.writeMaster(masterKey(1)) })
	if h.Locked() != nil || h.picked("") != secret {
		t.Errorf("the new one alone: %v, %q", h.Locked(), h.picked(""))
	}
	// A file that gets lost while the process runs is replaced.
	if err := os.Remove(h.master()); err != nil {
		t.Fatal(err)
	}
	if err := h.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if h.picked("") != secret {
		t.Errorf("after the loss: %v", h.Locked())
	}
}

// halfway is a store that takes no other data key.
type halfway struct{ vault.Store }

func (halfway) PutDataKey(context.Context, []byte, []byte) error {
	return errors.New("the disk is full")
}

func TestARotationThatFailsHalfwayLosesNothing(t *testing.T) {
	h := build(t)
	h.add()
	for range 10 { // more often than a file may have keys
		v, err := vault.Open(t.Context(), vault.Options{Store: halfway{h.db}, Master: vault.Master{File: h.master()}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Rotate(t.Context()); err == nil {
			t.Error("it went well")
		}
		if err := v.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	h.reopen()
	if h.Locked() != nil || h.picked("") != secret {
		t.Errorf("%v, %q", h.Locked(), h.picked(""))
	}
}

func TestRotationOfNothing(t *testing.T) {
	h := build(t)
	if err := h.Rotate(t.Context()); sluice.KindOf(err) != sluice.KindConflict {
		t.Error(err)
	}
}

func TestAKeyOfTheConfiguration(t *testing.T) {
	h := build(t)
	old, next := sluice.NewSecret(masterKey(2)), sluice.NewSecret(masterKey(3))
	h.reopen(old)
	h.add()
	if _, err := os.Stat(h.master()); err == nil {
		t.Error("a file was made all the same")
	}
	if err := h.Rotate(t.Context()); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("Rotate: %v", err)
	}
	h.reopen(next)
	if h.Locked() == nil || strings.Contains(h.said.String(), next.Reveal()) {
		t.Error("another key opens, or is shown")
	}
	h.reopen(sluice.NewSecret(next.Reveal() + ", " + old.Reveal()))
	if h.Locked() != nil || h.picked("") != secret {
		t.Fatalf("both: %v", h.Locked())
	}
	h.reopen(next)
	if h.Locked() != nil || h.picked("") != secret {
		t.Errorf("the new one alone: %v", h.Locked())
	}
}
