package proxy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

// FuzzSteps: a body is taken apart only if it is JSON of the right shape, and each part is what stands there.
func FuzzSteps(f *testing.F) {
	for _, seed := range []string{
		`[{"provider":"openai","endpoint":"x","query":{}}]`, `{"provider":"a"}`, `[]`, `[{}`, ` [ {} , {} ] `, `[[]]`, `{}{}`, `[{}]x`, "\xef\xbb\xbf[]",
		`[{"a":"]}"}]`, `[{"a":[{"b":1}]},{"c":"\ud800"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := splitSteps([]byte(text))
		trimmed := strings.Trim(text, " \t\r\n")
		if strings.HasPrefix(trimmed, "{") {
			if err != nil || len(steps) != 1 || string(steps[0]) != trimmed {
				t.Fatalf("%q: %q, %v", text, steps, err)
			}
			return
		}
		var want []json.RawMessage
		isArray := json.Unmarshal([]byte(text), &want) == nil && strings.HasPrefix(trimmed, "[")
		good := isArray && len(want) > 0 && len(want) <= maxSteps
		for _, w := range want {
			good = good && bytes.HasPrefix(w, []byte("{"))
		}
		if good != (err == nil) {
			t.Fatalf("%q: %v, want ok %v", text, err, good)
		}
		for i := range steps {
			if !bytes.Equal(steps[i], want[i]) {
				t.Fatalf("%q: step %d is %q, want %q", text, i, steps[i], want[i])
			}
		}
	})
}

// FuzzControl: whatever a header of ours says, what is obeyed lies within its bounds.
func FuzzControl(f *testing.F) {
	for _, name := range []string{"cf-aig-max-attempts", "cf-aig-retry-delay", "cf-aig-backoff", "cf-aig-cache-ttl", "cf-aig-request-timeout", "cf-aig-skip-cache", "cf-aig-cache-key"} {
		for _, value := range []string{"1", "true", "-1", "99999999999999999999", "exponential", " 5 ", "0x1", "1e3"} {
			f.Add(name, value)
		}
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		x := &exchange{}
		x.gateway = &sluice.Gateway{MetadataEntries: 5}
		var c control
		x.set(&c, strings.ToLower(name), value)
		if c.retry.MaxAttempts < 0 || c.retry.MaxAttempts > maxTries || c.retry.Delay < 0 || c.retry.Delay > 60e9 || c.timeout < 0 || c.timeout > maxTimeout ||
			len(c.caching.key) > maxKey || c.caching.ttl < 0 || c.caching.ttl > 30*24*3600e9 || c.caching.ttl > 0 && c.caching.ttl < 60e9 || len(c.eventID) > 256 {
			t.Errorf("%s: %q: %+v", name, value, c)
		}
	})
}
