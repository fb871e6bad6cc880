package provider

import (
	"net/url"
	"strings"
	"testing"
)

func TestCredentialHeaders(t *testing.T) {
	for _, name := range strings.Fields(`authorization Authorization PROXY-AUTHORIZATION x-api-key api-key Api-Key X-API-Key
		x-goog-api-key xi-api-key X-Amz-Security-Token Cookie Set-Cookie cf-aig-authorization X-Auth-Key Sec-WebSocket-Protocol
		X-Portkey-Api-Key x-hf-token My_Secret`) {
		if !CredentialHeader(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range strings.Fields(`content-type accept user-agent anthropic-version x-amz-date x-amz-content-sha256
		openai-organization idempotency-key x-ratelimit-remaining-tokens cf-aig-metadata cf-aig-cache-key key token host
		x-fal-target-url`) {
		if CredentialHeader(name) {
			t.Errorf("%s is hidden", name)
		}
	}
	if !CredentialHeader(strings.Repeat("x", 65)) || CredentialHeader("") {
		t.Error("edges")
	}
}

func TestCredentialHeaderAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { CredentialHeader("X-Amz-Security-Token"); CredentialHeader("Content-Type") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRedactQuery(t *testing.T) {
	own := &Provider{Auth: Auth{Query: "Pass_Code"}}
	for in, want := range map[string]string{
		"":                               "",
		"a=b&c":                          "a=b&c",
		"key=S":                          "key=[redacted]",
		"alt=sse&key=S&x=1":              "alt=sse&key=[redacted]&x=1",
		"KEY=S&Api_Key=S;S&z=%26":        "KEY=[redacted]&Api_Key=[redacted]&z=%26",
		"%6bey=S":                        "%6bey=[redacted]",
		"a=1;key=S;b=S":                  "a=1;key=[redacted]",
		"a;key=S":                        "a;key=[redacted]",
		"key=&key=S&key":                 "key=&key=[redacted]&key",
		"X-Amz-Signature=S&X-Amz-Date=1": "X-Amz-Signature=[redacted]&X-Amz-Date=1",
		"X-Amz-Credential=S%2Fa&X-Amz-Security-Token=S==": "X-Amz-Credential=[redacted]&X-Amz-Security-Token=[redacted]",
		"pass_code=S&monkey=1&keys=2":                     "pass_code=[redacted]&monkey=1&keys=2",
		"&&=&=x&%zz=1&":                                   "&&=&=x&%zz=1&",
	} {
		if got := RedactQuery(in, own); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := RedactQuery("pass_code=S&key=S", nil); got != "pass_code=S&key=[redacted]" {
		t.Errorf("without a provider: %q", got)
	}
}

func FuzzRedactQuery(f *testing.F) {
	f.Add("a=1;key=CANARY&b", "")
	f.Add("%6Bey=CANARY;x", "token")
	f.Fuzz(func(t *testing.T, raw, own string) {
		p := &Provider{Auth: Auth{Query: own}}
		out := RedactQuery(raw, p)
		if again := RedactQuery(out, p); again != out {
			t.Errorf("%q becomes %q, then %q", raw, out, again)
		}
		for pair := range strings.SplitSeq(out, "&") {
			name, value, ok := strings.Cut(pair, "=")
			if u, err := url.QueryUnescape(name); ok && err == nil && strings.EqualFold(u, "key") && value != "" && value != Redacted {
				t.Errorf("%q shows %q", raw, value)
			}
		}
	})
}

func BenchmarkCredentialHeader(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		CredentialHeader("X-Stainless-Runtime-Version")
	}
}
