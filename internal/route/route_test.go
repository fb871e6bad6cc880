package route_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/route"
)

func TestWait(t *testing.T) {
	for _, c := range []struct {
		backoff sluice.Backoff
		want    [4]time.Duration
	}{
		{"", [4]time.Duration{2, 2, 2, 2}},
		{sluice.BackoffConstant, [4]time.Duration{2, 2, 2, 2}},
		{sluice.BackoffLinear, [4]time.Duration{2, 4, 6, 8}},
		{sluice.BackoffExponential, [4]time.Duration{2, 4, 8, 16}},
	} {
		for i, want := range c.want {
			r := sluice.Retry{Delay: 2 * time.Second, Backoff: c.backoff}
			if got := route.Wait(r, i+1); got != want*time.Second {
				t.Errorf("%q: wait after %d tries = %v, want %v", c.backoff, i+1, got, want*time.Second)
			}
		}
	}
}

// TestWaitIsBounded holds for every setting: never negative, never beyond the bound, never shorter than
// the wait before it.
func TestWaitIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := sluice.Retry{
			Delay:   time.Duration(rapid.Int64().Draw(t, "delay")),
			Backoff: rapid.SampledFrom([]sluice.Backoff{"", sluice.BackoffConstant, sluice.BackoffLinear, sluice.BackoffExponential, "odd"}).Draw(t, "backoff"),
		}
		last := time.Duration(0)
		for n := range 50 {
			d := route.Wait(r, n)
			if d < last || d > route.MaxDelay {
				t.Fatalf("wait %d of %+v = %v after %v", n, r, d, last)
			}
			last = d
		}
	})
}

func TestAdvise(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	field := func(name, value string) sluice.Header { return sluice.Header{{Name: name, Value: value}} }
	for name, c := range map[string]struct {
		status int
		header sluice.Header
		body   string
		retry  bool
		after  time.Duration
	}{
		"a server error":                  {status: 500, retry: true, after: -1},
		"a caller's fault":                {status: 400, after: -1},
		"a missing model":                 {status: 404, after: -1},
		"a refused credential":            {status: 401, after: -1},
		"a validation error":              {status: 422, after: -1},
		"overloaded":                      {status: 529, retry: true, after: -1},
		"from the network in front":       {status: 524, retry: true, after: -1},
		"not implemented":                 {status: 501, after: -1},
		"seconds":                         {status: 429, header: field("Retry-After", "7"), retry: true, after: 7 * time.Second},
		"fractions":                       {status: 429, header: field("retry-after", "0.5"), retry: true, after: 500 * time.Millisecond},
		"milliseconds before seconds":     {status: 503, header: sluice.Header{{Name: "Retry-After", Value: "9"}, {Name: "retry-after-ms", Value: "250"}}, retry: true, after: 250 * time.Millisecond},
		"a date":                          {status: 503, header: field("Retry-After", "Tue, 24 Nov 2026 12:00:05 GMT"), retry: true, after: 5 * time.Second},
		"a date that has passed":          {status: 503, header: field("Retry-After", "Tue, 24 Nov 2026 11:00:05 GMT"), retry: true, after: 0},
		"longer than anyone waits":        {status: 429, header: field("Retry-After", "31"), after: 31 * time.Second},
		"no number":                       {status: 429, header: field("Retry-After", "soon"), retry: true, after: -1},
		"not a number":                    {status: 429, header: field("Retry-After", "NaN"), retry: true, after: -1},
		"negative":                        {status: 429, header: field("Retry-After", "-1"), retry: true, after: -1},
		"the provider says no":            {status: 500, header: field("x-should-retry", "false"), after: -1},
		"the provider says yes":           {status: 400, header: field("X-Should-Retry", "true"), retry: true, after: -1},
		"a used-up quota":                 {status: 429, body: `{"error":{"code":"insufficient_quota"}}`, after: -1},
		"Workers AI's daily limit":        {status: 429, body: `{"errors":[{"code":3036}]}`, after: -1},
		"Gemini's quota of the day":       {status: 429, body: `{"error":{"details":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}}`, after: -1},
		"Google's delay":                  {status: 429, body: `{"error":{"details":[{"@type":"x"},{"retryDelay":"3.5s"}]}}`, retry: true, after: 3500 * time.Millisecond},
		"a body that is not JSON":         {status: 503, body: `<html>`, retry: true, after: -1},
		"details that are not an array":   {status: 503, body: `{"error":{"details":{"retryDelay":"1s"}}}`, retry: true, after: -1},
		"a delay that is not a text":      {status: 503, body: `{"error":{"details":[{"retryDelay":1}]}}`, retry: true, after: -1},
		"a lock that another call holds":  {status: 409, retry: true, after: -1},
		"a timeout that the provider met": {status: 408, retry: true, after: -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := route.Advise(c.status, c.header, []byte(c.body), now)
			if got.Retry != c.retry || got.After != c.after {
				t.Errorf("advice = %+v, want retry %v after %v", got, c.retry, c.after)
			}
		})
	}
}

// FuzzAdvise: an answer of any shape gives an advice within bounds.
func FuzzAdvise(f *testing.F) {
	f.Add(429, "7", `{"error":{"details":[{"retryDelay":"36s"}]}}`)
	f.Add(503, "Tue, 24 Nov 2026 12:00:05 GMT", "")
	f.Add(200, "1e300", "{")
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, status int, value, body string) {
		a := route.Advise(status, sluice.Header{{Name: "Retry-After", Value: value}}, []byte(body), now)
		if a.After < -1 || a.Retry && a.After > route.MaxAdvice {
			t.Errorf("advice = %+v", a)
		}
	})
}

func TestBudget(t *testing.T) {
	b, now := route.NewBudget(), time.Unix(1_700_000_000, 0)
	take := func(n int, at time.Time) (taken int) {
		for range n {
			if b.Take("host", 20, at) {
				taken++
			}
		}
		return taken
	}
	if got := take(50, now); got != 10 {
		t.Errorf("%d retries of a quiet host; want the floor of 10", got)
	}
	for range 1000 {
		b.First("host", now.Add(time.Second))
	}
	if got := take(500, now.Add(time.Second)); got != 190 {
		t.Errorf("%d more retries beside 1000 calls; want 190, a fifth together", got)
	}
	if !b.Take("other", 20, now) {
		t.Error("one host's retries are counted against another")
	}
	if b.Take("none", 0, now) {
		t.Error("a retry where none is allowed")
	}
	if got := take(50, now.Add(20*time.Second)); got != 10 {
		t.Errorf("%d retries once all has passed; want 10", got)
	}
	if got := take(50, now.Add(-time.Hour)); got != 10 {
		t.Errorf("%d retries after the clock stepped back; want 10", got)
	}
}

// TestBudgetBounds: whatever the order of tries, second ones never pass their share or the floor.
func TestBudgetBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, now := route.NewBudget(), time.Unix(1_700_000_000, 0)
		type try struct {
			second bool
			at     int64
		}
		var all []try
		percent := rapid.IntRange(0, 100).Draw(t, "percent")
		for range rapid.IntRange(0, 300).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			second := rapid.Bool().Draw(t, "second")
			if !second {
				b.First("k", now)
			} else if !b.Take("k", percent, now) {
				continue
			}
			all = append(all, try{second, now.Unix()})
			var first, seconds int64
			for _, r := range all {
				if now.Unix()-r.at < 10 {
					if r.second {
						seconds++
					} else {
						first++
					}
				}
			}
			if second && seconds > max(first*int64(percent)/100, 10) {
				t.Fatalf("%d second tries beside %d first ones at %d percent", seconds, first, percent)
			}
		}
	})
}

func TestLatency(t *testing.T) {
	l := route.NewLatency()
	for i := range 19 {
		l.Observe("k", time.Duration(i+1)*10*time.Millisecond)
		if d, ok := l.Quantile("k", 0.95); ok {
			t.Fatalf("a quantile of %d calls: %v", i+1, d)
		}
	}
	for i := 19; i < 100; i++ {
		l.Observe("k", time.Duration(i+1)*10*time.Millisecond)
	}
	for _, q := range []float64{0.5, 0.95, 1} {
		d, ok := l.Quantile("k", q)
		if exact := time.Duration(q*1000) * time.Millisecond; !ok || d < exact || d > exact*11/10+time.Millisecond {
			t.Errorf("quantile %v = %v, %v; want %v to a tenth above", q, d, ok, exact)
		}
	}
	for range 3000 { // what was slow fades once all is quick
		l.Observe("k", 5*time.Millisecond)
	}
	if d, ok := l.Quantile("k", 0.95); !ok || d > 10*time.Millisecond {
		t.Errorf("quantile after 3000 quick calls = %v, %v", d, ok)
	}
}

func TestManyKeysAreBounded(t *testing.T) {
	l, b, now := route.NewLatency(), route.NewBudget(), time.Unix(1_700_000_000, 0)
	for i := range 25_000 {
		key := fmt.Sprint(i)
		l.Observe(key, time.Second)
		b.First(key, now)
	}
	if !b.Take("24999", 20, now) {
		t.Error("no retry at the newest key")
	}
}
