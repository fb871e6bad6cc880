package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestMetadata(t *testing.T) {
	str := func(k, v string) sluice.MetaValue { return sluice.MetaValue{Key: k, Value: v, Kind: sluice.MetaString} }
	tests := []struct {
		name string
		text string
		want []sluice.MetaValue
		ok   bool
	}{
		{"strings, numbers and booleans keep their kinds", `{"user":"u-1","n":1.50,"ok":true}`, []sluice.MetaValue{
			str("user", "u-1"), {Key: "n", Value: "1.50", Kind: sluice.MetaNumber}, {Key: "ok", Value: "true", Kind: sluice.MetaBool},
		}, true},
		{"the first five entries count", `{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6"}`, []sluice.MetaValue{
			str("a", "1"), str("b", "2"), str("c", "3"), str("d", "4"), str("e", "5"),
		}, true},
		{"keys of the gateway's own are dropped and do not count", `{"cf.user_id":"x","a":"1","b":"2","c":"3","d":"4","e":"5"}`, []sluice.MetaValue{
			str("a", "1"), str("b", "2"), str("c", "3"), str("d", "4"), str("e", "5"),
		}, true},
		{"a long value is kept whole", `{"a":"` + strings.Repeat("x", 600) + `"}`, []sluice.MetaValue{str("a", strings.Repeat("x", 600))}, true},
		{"a null loses all", `{"a":"1","b":null}`, nil, false},
		{"an object loses all", `{"a":"1","b":{}}`, nil, false},
		{"an array loses all", `{"a":"1","b":[1]}`, nil, false},
		{"a bad entry beyond the fifth loses all", `{"a":"1","b":"2","c":"3","d":"4","e":"5","f":null}`, nil, false},
		{"an array is no object", `["a"]`, nil, false},
		{"text is no object", `user=1`, nil, false},
		{"a cut object is none", `{"a":"1"`, nil, false},
		{"an empty object is fine", `{}`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := sluice.AppendMetadata(nil, tt.text, 5)
			if ok != tt.ok || !slices.Equal(got, tt.want) {
				t.Errorf("metadata(%s) = %v, %v; want %v, %v", tt.text, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// FuzzMetadata proves that only flat JSON objects are taken, and never more than five entries.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{}}`, `{`, `{"a":"b","a":"c"}`, `[]`, `{"cf.x":1}`, "{\"\\u0000\":true}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := sluice.AppendMetadata(nil, text, 5)
		if len(got) > 5 || !ok && len(got) > 0 {
			t.Errorf("metadata(%q) = %v, %v", text, got, ok)
		}
		var flat map[string]any
		if json.Unmarshal([]byte(text), &flat) == nil && flat != nil {
			nested := false
			for _, v := range flat {
				switch v.(type) {
				case string, float64, bool:
				default:
					nested = true
				}
			}
			if ok && nested && !strings.Contains(text, `\`) && len(flat) == strings.Count(text, ":") {
				t.Errorf("metadata(%q) was taken; it is not flat", text)
			}
		}
	})
}

func TestOurs(t *testing.T) {
	tests := map[string]bool{
		"cf-aig-metadata": true, "Cf-Aig-Cache-Ttl": true, "CF-ACCESS-JWT-ASSERTION": true, "X-Forwarded-For": true, "cf-cache-ttl": true,
		"cf-skip-cache": true, "cf-connecting-ip": true, "cf-ray": false, "x-api-key": false, "X-Amz-Date": false, "anthropic-beta": false, "": false, "cf": false,
	}
	for name, want := range tests {
		if got := ours(name); got != want {
			t.Errorf("ours(%q) = %v; want %v", name, got, want)
		}
	}
}

func TestHopByHop(t *testing.T) {
	for _, name := range []string{"Connection", "keep-alive", "Proxy-Connection", "TE", "Trailer", "transfer-encoding", "Upgrade", "Host", "Content-Length", "Expect", "Proxy-Authorization"} {
		if !hopByHop(name) {
			t.Errorf("%s goes on to the provider", name)
		}
	}
	for _, name := range []string{"Authorization", "Accept", "Content-Type", "Content-Encoding", "Cookie", "Range", "Date", "Via"} {
		if hopByHop(name) {
			t.Errorf("%s does not go on to the provider", name)
		}
	}
}

func TestConnectionNames(t *testing.T) {
	h := sluice.Header{{Name: "connection", Value: "close, X-Mine ,keep-alive"}, {Name: "Connection", Value: "Other"}}
	if got := connectionNames(h); !slices.Equal(got, []string{"X-Mine", "Other"}) {
		t.Errorf("names = %q", got)
	}
}

func TestCookieOfTheAccessProxyIsDropped(t *testing.T) {
	tests := map[string]string{
		"a=1; CF_Authorization=jwt; b=2": "a=1; b=2", "CF_Authorization=jwt": "", "a=1;b=2": "a=1;b=2", "xCF_Authorization=1": "xCF_Authorization=1",
	}
	for in, want := range tests {
		if got := withoutOurCookie(in); got != want {
			t.Errorf("withoutOurCookie(%q) = %q; want %q", in, got, want)
		}
	}
}
