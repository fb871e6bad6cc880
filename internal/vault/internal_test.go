package vault

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// poolOf makes a pool of credentials of some weights.
func poolOf(weights ...int) *Pool {
	p := &Pool{}
	for i, w := range weights {
		p.all = append(p.all, &Credential{ID: fmt.Sprint(i), Weight: w, use: &use{}})
	}
	return p
}

func TestWeights(t *testing.T) {
	p := poolOf(1, 3, 6)
	var got [3]int
	for n := range int64(10) {
		c, awake := p.pick(time.Now(), nil, func(most int64) int64 {
			if most != 10 {
				t.Fatalf("drawn from %d", most)
			}
			return n
		})
		if !awake {
			t.Fatal("nobody rests")
		}
		got[c.ID[0]-'0']++
	}
	if got != [3]int{1, 3, 6} {
		t.Errorf("shares %v", got)
	}
}

func TestWhoRestsIsPassedBy(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := poolOf(1, 1)
	a, b := p.all[0], p.all[1]
	pick := func(not ...*Credential) (*Credential, bool) { return p.Pick(now, not) }
	a.Refused(Refusal{After: -1}, now)
	for range 50 {
		if c, awake := pick(); c != b || !awake {
			t.Fatal("one that rests was picked")
		}
	}
	if c, awake := pick(b); c != a || awake {
		t.Error("of those that rest, one is better than none")
	}
	if c, _ := pick(a, b); c != nil {
		t.Error("both were tried")
	}
	b.Refused(Refusal{Quota: true, After: time.Second}, now)
	if c, awake := pick(); c != b || awake {
		t.Error("not the one that wakes first")
	}
	now = now.Add(2 * time.Second)
	if c, awake := pick(); c != b || !awake {
		t.Error("it does not wake")
	}
	a.Served()
	if _, awake := pick(b); !awake {
		t.Error("one that served still rests")
	}
}

func TestRestsGrowAndAreBounded(t *testing.T) {
	for _, c := range []struct {
		refusal Refusal
		want    []time.Duration
		most    time.Duration
	}{
		{Refusal{After: time.Hour}, []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}, 30 * time.Minute},
		{Refusal{Quota: true, After: -1}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, 5 * time.Minute},
		{Refusal{Quota: true, After: 7 * time.Second}, []time.Duration{7 * time.Second, 7 * time.Second}, 7 * time.Second},
		{Refusal{Quota: true, After: 24 * time.Hour}, []time.Duration{5 * time.Minute}, 5 * time.Minute},
	} {
		cred, now := poolOf(1).all[0], time.Unix(1_700_000_000, 0)
		for i := range 100 {
			cred.Refused(c.refusal, now)
			cred.Refused(c.refusal, now) // of a call that ran at the same time
			rest := time.Unix(0, cred.use.rests.Load()).Sub(now)
			if i < len(c.want) && rest != c.want[i] || i == 99 && rest != c.most {
				t.Errorf("%+v: rest %d is %v", c.refusal, i, rest)
			}
			now = now.Add(rest)
		}
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	secret := sluice.NewSecret("sk-canary-0123456789")
	c := &Credential{Hint: "6789"}
	var err error
	if c.key, err = parse(secret, nil); err != nil {
		t.Fatal(err)
	}
	if c.Secret() != secret {
		t.Error("the secret is not kept")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{c, *c, Stored{Credential: *c}, New{Secret: secret}, &Change{Secret: secret}} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, "canary") {
				t.Errorf("%s of %T prints %s", format, v, text)
			}
		}
	}
	if c.Preview() != "****6789" || c.key.Hint != "6789" {
		t.Error(c.Preview())
	}
}

func TestSealsOfOneTextDiffer(t *testing.T) {
	k := newKey()
	if bytes.Equal(k.seal([]byte("x"), nil), k.seal([]byte("x"), nil)) {
		t.Error("two seals are the same")
	}
}

func FuzzOpen(f *testing.F) {
	k := key{1}
	c := Credential{ID: "1", Account: "a", Gateway: "g", Provider: "p", Alias: "default"}
	good := k.seal([]byte("secret"), c.context())
	for _, seed := range [][]byte{nil, {1}, good, good[:9], good[:20], good[:len(good)-1], append(bytes.Clone(good), 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := k.open(sealed, c.context())
		if (err == nil) != (len(sealed) == len(good) && string(plain) == "secret") {
			t.Errorf("%x gives %q, %v", sealed, plain, err)
		}
		if data, _, err := (masters{k}).openDataKey(sealed); err == nil {
			t.Errorf("%x is taken for a data key: %x", sealed, data)
		}
	})
}

func FuzzMasters(f *testing.F) {
	k := newKey()
	for _, seed := range []string{"", "#", "\n,\n", k.text(), hex.EncodeToString(k[:]), k.text() + "," + k.text(), "# c\n" + k.text() + "\r\n", strings.Repeat("A", 43), strings.Repeat("A", 44)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseMasters(text)
		if err != nil {
			if len(list) > 0 || sluice.KindOf(err) != sluice.KindInvalid || len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		var again strings.Builder
		for _, k := range list {
			if k == (key{}) {
				t.Errorf("%q holds a key of zeroes", text)
			}
			again.WriteString(k.text() + " # comment\n")
		}
		same, err := parseMasters(again.String())
		if err != nil || len(list) == 0 || len(list) > maxMasters || fmt.Sprint(same) != fmt.Sprint(list) {
			t.Errorf("%q: %d keys, again %d, %v", text, len(list), len(same), err)
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	var all []*Credential
	for i := range 1000 {
		all = append(all, &Credential{ID: fmt.Sprint(i), Account: "acme", Gateway: fmt.Sprint("g", i), Provider: "openai", Alias: "default", Weight: 1, use: &use{}})
	}
	none, full := &Vault{}, &Vault{}
	none.found.Store(newSnapshot(nil))
	full.found.Store(newSnapshot(all))
	b.Run("nothing stored", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			none.Keys("acme", "prod", "openai")
		}
	})
	b.Run("of another gateway", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			full.Keys("acme", "prod", "openai")
		}
	})
	b.Run("pick", func(b *testing.B) {
		b.ReportAllocs()
		now := time.Now()
		for b.Loop() {
			full.Keys("acme", "g7", "openai").Pool("").Pick(now, nil)
		}
	})
}
