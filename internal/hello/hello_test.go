package hello

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestTheRingKeepsTheLastMisses(t *testing.T) {
	var r Ring
	for i := range Size + 10 {
		r.Add(&Call{Time: noon, Cause: NoPath, Target: fmt.Sprintf("/p%d", i)})
	}
	all := r.Since(0)
	if len(all) != Size || all[0].Path != "/p10" || all[Size-1].Path != fmt.Sprintf("/p%d", Size+9) {
		t.Fatalf("%d misses, from %s", len(all), all[0].Path)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Seq <= all[i-1].Seq {
			t.Fatalf("%d comes behind %d", all[i].Seq, all[i-1].Seq)
		}
	}
	if some := r.Since(all[Size-3].Seq); len(some) != 2 || some[0].Path != all[Size-2].Path {
		t.Errorf("%d misses since the last but two", len(some))
	}
	if r.Since(r.Seq()) != nil {
		t.Error("there is something behind the last")
	}
}

func TestEqualMissesAreOne(t *testing.T) {
	var r Ring
	first := Call{Time: noon, Cause: NoGateway, Target: "/v1/a/b/openai?key=1", LogID: "1"}
	r.Add(&first)
	r.Add(&Call{Time: noon, Cause: NoPath, Target: "/x"})
	again := first
	again.Time, again.Target, again.LogID = noon.Add(time.Minute), "/v1/a/b/openai?key=2", "2"
	r.Add(&again)
	all := r.Since(0)
	if len(all) != 2 || all[1].Count != 2 || !all[1].First.Equal(noon) || !all[1].Last.Equal(again.Time) || all[1].LogID != "2" {
		t.Errorf("%+v", all)
	}
}

func TestNoSecretIsKept(t *testing.T) {
	for target, want := range map[string]string{
		"/v1/default/default/openai?key=sk-abcdefghijkl":            "/v1/default/default/openai",
		"/v1/sk-proj-abcdefghijklmnop/x":                            "/v1/[redacted]/x",
		"/v1/a/slc_0123456789abcdefghij/x":                          "/v1/a/[redacted]/x",
		"http://host/v1/x#y":                                        "/v1/x",
		"/v1/3ebbcb006d484d0d9038ac3a31b4b5ae/prod/openai":          "/v1/3ebbcb006d484d0d9038ac3a31b4b5ae/prod/openai",
		"/v1/a/b/x/models/claude-3-5-sonnet-20241022":               "/v1/a/b/x/models/claude-3-5-sonnet-20241022",
		"/v1/a/b/x/models/AbCdEf0123456789AbCdEfGh":                 "/v1/a/b/x/models/[redacted]",
		"/v1/a/b/x;key=1":                                           "/v1/a/b/x",
		"/\x1b[31mred\n\u202e":                                      `/\x1b[31mred\n\u202e`,
		"/v1/a/b/openai/" + strings.Repeat("long-", 30) + "segment": "/v1/a/b/openai/[redacted]",
	} {
		if got := cleanPath(target); got != want {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
	var r Ring
	r.Add(&Call{Message: `no provider "sk-abcdefghijklmnop"`, UserAgent: "a\r\nb"})
	if m := r.Since(0)[0]; m.Message != `no provider "[redacted]"` || m.UserAgent != `a\r\nb` {
		t.Errorf("%+v", m)
	}
}

func TestAddressesAreMasked(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.77:5": "203.0.113.x", "127.0.0.1:5": "127.0.0.1", "[::1]:5": "::1", "[::ffff:203.0.113.7]:5": "203.0.113.x",
		"[2001:db8:1:2::3]:5": "2001:db8:1::x", "10.0.0.0:1": "10.0.0.x",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := mask(a); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if mask(nil) != "" {
		t.Error("of nobody")
	}
}

func TestTheFirstSuccessOfAGatewayIsKept(t *testing.T) {
	var r Ring
	if r.Greeted("a", "g") {
		t.Error("nothing has gone well yet")
	}
	r.Succeeded(Success{Time: noon, Account: "a", Gateway: "g", LogID: "1"})
	r.Succeeded(Success{Time: noon.Add(time.Hour), Account: "a", Gateway: "g", LogID: "2"})
	r.Succeeded(Success{Time: noon.Add(time.Minute), Account: "a", Gateway: "h", LogID: "3"})
	r.Succeeded(Success{Time: noon.Add(time.Minute), Account: "b", Gateway: "h", LogID: "4"})
	if all := r.Successes("a"); len(all) != 2 || all[0].LogID != "3" || all[1].LogID != "1" {
		t.Errorf("%+v", all)
	}
	if !r.Greeted("a", "g") || r.Greeted("b", "g") {
		t.Error("gateways are mixed up")
	}
	if n := testing.AllocsPerRun(100, func() { r.Greeted("a", "g") }); n != 0 {
		t.Errorf("a look allocates %v times", n)
	}
}

func TestTheRingIsSafeForAll(t *testing.T) {
	var r Ring
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				r.Add(&Call{Time: noon, Cause: NoPath, Target: fmt.Sprint("/", i, n%60)})
				r.Succeeded(Success{Account: "a", Gateway: fmt.Sprint(n % 20)})
				r.Since(0)
				r.Successes("a")
			}
		})
	}
	all.Wait()
	if len(r.Since(0)) != Size || len(r.Successes("a")) != 20 {
		t.Errorf("%d misses, %d successes", len(r.Since(0)), len(r.Successes("a")))
	}
}

func TestKindsHaveCauses(t *testing.T) {
	if c, ok := FromError(sluice.KindNoProvider); !ok || c != NoProvider {
		t.Error(c)
	}
	if _, ok := FromError(sluice.KindRateLimited); ok {
		t.Error("a rate limit is no mistake of who sets up")
	}
	if _, ok := FromStatus(500); ok {
		t.Error("a provider's failure is no mistake of who sets up")
	}
}

// FuzzClean: whatever a caller sends, what is shown of it is printable, short and the same when cleaned again.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"/v1/a/b", "\x00\xff", "http://x/y?z", "/sk-123456789012", strings.Repeat("é", 200), "\u2028\u202e\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{cleanPath(s), clean(s, maxText), clean(cleanWords(s), maxText)} {
			if !utf8.ValidString(got) || len(got) > 12*maxText {
				t.Errorf("%q", got)
			}
			for _, c := range got {
				if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
					t.Errorf("%q has %U", got, c)
				}
			}
		}
	})
}
