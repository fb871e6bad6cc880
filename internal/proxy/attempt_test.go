package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/route"
)

// drawnStep is a step of a universal request: what its provider does at each call, and how often it may be tried.
type drawnStep struct {
	do    string
	tries int
}

// TestTriesFollowTheModel draws universal requests and compares what reaches the provider, and what the client
// gets, with a model of the rules: a step is tried as often as it may while a try may help, then comes the next;
// what the last try of all gives is the answer.
func TestTriesFollowTheModel(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	doings := []string{"", "status 400", "status 401", "status 409", "status 429", "status 500", "status 503", "status 529", "cut", "error-event"}
	rapid.Check(t, func(t *rapid.T) {
		g.Proxy.ResetRetries()
		var all []drawnStep
		var body []string
		for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
			d := drawnStep{rapid.SampledFrom(doings).Draw(t, fmt.Sprint("do ", i)), rapid.IntRange(1, 3).Draw(t, fmt.Sprint("tries ", i))}
			all = append(all, d)
			body = append(body, oneStep("openai", fmt.Sprintf(`"config":{"maxAttempts":%d,"retryDelay":0},`, d.tries), chat(d.do, true)))
		}
		before := len(s.seen())
		resp, text := post(g, "", steps(body...), nil)
		calls, step, status, ending := model(all)
		if got := len(s.seen()) - before; got != calls || resp.StatusCode != status || resp.Header.Get("cf-aig-step") != fmt.Sprint(step) {
			t.Fatalf("%+v: %d calls, step %s, %d; want %d, %d, %d", all, got, resp.Header.Get("cf-aig-step"), resp.StatusCode, calls, step, status)
		}
		if !strings.HasSuffix(text, ending) || ending == "" && status == 200 && text != streamStart {
			t.Fatalf("%+v: the client got %q", all, text)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); g.Memory.Used() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of what was held are not given back", g.Memory.Used())
		}
	}
}

// model says how many calls all make, which step answers, and with what.
func model(all []drawnStep) (calls, step, status int, ending string) {
	for i, d := range all {
		for n := 1; n <= d.tries; n++ {
			calls++
			last := n == d.tries && i == len(all)-1
			again := true
			switch d.do {
			case "":
				return calls, i, 200, streamEnd
			case "cut":
				if last {
					return calls, i, 200, ""
				}
			case "error-event":
				if last {
					return calls, i, 200, "\"server_error\"}}\n\n"
				}
			default:
				_, _ = fmt.Sscanf(d.do, "status %d", &status)
				again = route.Retryable(status)
			}
			if !again {
				break
			}
		}
	}
	return calls, len(all) - 1, status, "}}"
}
