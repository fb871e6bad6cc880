package route

import (
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// MaxAdvice is the longest wait that a provider may ask for: when it asks for more, the target is given
// up for this request.
const MaxAdvice = 30 * time.Second

// Advice is what an error answer says about a next try.
type Advice struct {
	Retry bool          // a next try at the same target makes sense
	After time.Duration // how long to wait, -1 when the answer does not say
}

// Advise reads an error answer: its status, its head and the beginning of its body
// (providers.md, 4.2). x-should-retry goes before the status; a quota that is used up is not retried
// although its status is 429; a wait beyond MaxAdvice gives the target up.
func Advise(status int, h sluice.Header, body []byte, now time.Time) Advice {
	a := Advice{Retry: Retryable(status) && !exhausted(status, body), After: after(h, body, now)}
	for _, f := range h {
		if len(f.Name) == len("x-should-retry") && strings.EqualFold(f.Name, "x-should-retry") {
			switch strings.ToLower(strings.TrimSpace(f.Value)) {
			case "true":
				a.Retry = true
			case "false":
				a.Retry = false
			}
		}
	}
	if a.After > MaxAdvice {
		a.Retry = false
	}
	return a
}

// after returns the wait that the answer asks for; -1: none.
func after(h sluice.Header, body []byte, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(strings.TrimSpace(h.Get("retry-after-ms")), 64); err == nil && ms >= 0 && ms < 1e12 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if d, ok := RetryAfter(h.Get("Retry-After"), now); ok {
		return d
	}
	return retryInfo(body)
}

// httpDates are the forms of a date in a header (RFC 9110, 5.6.7), and the one with a zone that some
// servers send.
func httpDates() [4]string {
	return [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC, time.RFC1123Z}
}

// RetryAfter reads a Retry-After field: seconds, fractions allowed as some providers send them, or a date.
func RetryAfter(v string, now time.Time) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if v == "" || len(v) > 64 {
		return 0, false
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if !(s >= 0 && s < 1e9) { // also not a number
			return 0, false
		}
		return time.Duration(s * float64(time.Second)), true
	}
	for _, form := range httpDates() {
		if at, err := time.Parse(form, v); err == nil {
			return max(at.Sub(now), 0), true
		}
	}
	return 0, false
}

// retryInfo reads the delay of Google's google.rpc.RetryInfo ("36s"), which stands in the body; -1: there
// is none.
func retryInfo(body []byte) time.Duration {
	var found [1]jsonscan.Value
	jsonscan.Top(body, []string{"error"}, found[:])
	if found[0].Kind != jsonscan.Object {
		return -1
	}
	var details [1]jsonscan.Value
	jsonscan.Top(found[0].Raw, []string{"details"}, details[:])
	for d := range details[0].Elements() {
		if d.Kind != jsonscan.Object {
			continue
		}
		var delay [1]jsonscan.Value
		jsonscan.Top(d.Raw, []string{"retryDelay"}, delay[:])
		if wait, err := time.ParseDuration(delay[0].String()); err == nil && wait >= 0 {
			return wait
		}
	}
	return -1
}

// exhausted reports whether a 429 says that a quota is used up, which no wait of seconds mends: OpenAI's
// insufficient_quota, Workers AI's 3036, Gemini's quotas per day.
func exhausted(status int, body []byte) bool {
	if status != 429 {
		return false
	}
	text := string(body[:min(len(body), maxAdviceBody)])
	for _, sign := range [...]string{`insufficient_quota`, `billing_hard_limit_reached`, `PerDay`, `"code":3036`, `"code": 3036`, `"1308"`} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// maxAdviceBody is how much of an error body is looked at, in bytes.
const maxAdviceBody = 4 << 10
