package credential

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential/credentialtest"
)

// newMinter makes a Minter that is closed with the test.
func newMinter(t *testing.T, transport http.RoundTripper, url string) *Minter {
	t.Helper()
	m := NewMinter(transport, url)
	t.Cleanup(m.Close)
	return m
}

// transport is one whose connections end with the test.
func transport(t *testing.T) *http.Transport {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// fetched is the token for a key, which must be had.
func fetched(t *testing.T, m *Minter, k *Key) string {
	t.Helper()
	token, err := m.Token(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func TestATokenIsFetchedAndKept(t *testing.T) {
	text, key := newAccount(t, nil)
	k := mustParse(t, text, Google)
	server := credentialtest.NewTokenServer(t, k.ID, "0123456789abcdefwxyz", &key.PublicKey)
	m := newMinter(t, transport(t), server.URL)
	for range 3 {
		if got := fetched(t, m, k); got != "ya29.1" {
			t.Errorf("token %s", got)
		}
	}
	// One that the provider refuses is replaced; what another call has dropped before is not dropped again.
	m.Drop(k, sluice.NewSecret("ya29.1"))
	if got := fetched(t, m, k); got != "ya29.2" {
		t.Errorf("after it was dropped: %s", got)
	}
	m.Drop(k, sluice.NewSecret("ya29.1"))
	if got := fetched(t, m, k); got != "ya29.2" || server.Given() != 2 {
		t.Errorf("%s, %d were given", got, server.Given())
	}
}

func TestCallsAtTheSameTimeShareOneFetch(t *testing.T) {
	text, key := newAccount(t, nil)
	k := mustParse(t, text, Google)
	server := credentialtest.NewTokenServer(t, k.ID, "0123456789abcdefwxyz", &key.PublicKey)
	m := newMinter(t, transport(t), server.URL)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if token, err := m.Token(t.Context(), k); err != nil || token.Reveal() != "ya29.1" {
				t.Errorf("%q, %v", token.Reveal(), err)
			}
		})
	}
	calls.Wait()
	if server.Given() != 1 {
		t.Errorf("%d tokens were given", server.Given())
	}
}

func TestWhyThereIsNoToken(t *testing.T) {
	text, key := newAccount(t, nil)
	for name, test := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"refused":       {400, `{"error":"invalid_grant","error_description":"canary"}`, "service account: invalid_grant"},
		"other words":   {400, `{"error":"<canary>"}`, "no access token"},
		"no JSON":       {200, `canary`, "no access token"},
		"no token":      {200, `{}`, "no access token"},
		"a bad token":   {200, `{"access_token":"can\r\nary"}`, "no access token"},
		"an error":      {500, `canary`, "no access token"},
		"a redirection": {302, `canary`, "no access token"},
	} {
		k := mustParse(t, text, Google)
		server := credentialtest.NewTokenServer(t, k.ID, "0123456789abcdefwxyz", &key.PublicKey)
		server.Refuse(test.status, test.body)
		m := newMinter(t, transport(t), server.URL)
		_, err := m.Token(t.Context(), k)
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindUpstream || !strings.Contains(e.Msg, test.says) || strings.Contains(e.Error()+e.Hint, "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tripper is a transport without sockets.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func token(name string, life int) *http.Response {
	body := `{"access_token":"` + name + `","token_type":"Bearer","expires_in":` + strconv.Itoa(life) + `}`
	return &http.Response{StatusCode: 200, Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestATokenIsReplacedBeforeItRunsOut(t *testing.T) {
	text, _ := newAccount(t, nil)
	synctest.Test(t, func(t *testing.T) {
		k := mustParse(t, text, Google)
		var asked atomic.Int32
		m := newMinter(t, tripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return token("t"+strconv.Itoa(int(asked.Add(1))), 3600), nil
		}), "")
		if got := fetched(t, m, k); got != "t1" {
			t.Errorf("first %s", got)
		}
		time.Sleep(51 * time.Minute)
		began := time.Now()
		if got := fetched(t, m, k); got != "t1" || time.Since(began) != 0 {
			t.Errorf("ahead of its end: %s after %s", got, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		if got := fetched(t, m, k); got != "t2" {
			t.Errorf("then %s", got)
		}
		time.Sleep(2 * time.Hour)
		if got := fetched(t, m, k); got != "t3" || asked.Load() != 3 {
			t.Errorf("behind its end: %s, asked %d times", got, asked.Load())
		}
	})
}

func TestAFailureToReplaceATokenLetsItServe(t *testing.T) {
	text, _ := newAccount(t, nil)
	synctest.Test(t, func(t *testing.T) {
		k := mustParse(t, text, Google)
		var asked atomic.Int32
		m := newMinter(t, tripper(func(*http.Request) (*http.Response, error) {
			if asked.Add(1) == 1 {
				return token("t1", 3600), nil
			}
			return nil, errors.New("down")
		}), "")
		fetched(t, m, k)
		time.Sleep(55 * time.Minute)
		for range 10 {
			if got := fetched(t, m, k); got != "t1" {
				t.Errorf("%s", got)
			}
			synctest.Wait()
		}
		if asked.Load() != 2 {
			t.Errorf("asked %d times at once", asked.Load())
		}
		time.Sleep(6 * time.Minute)
		for range 10 {
			if _, err := m.Token(t.Context(), k); sluice.KindOf(err) != sluice.KindUpstream {
				t.Errorf("behind its end: %v", err)
			}
		}
		if asked.Load() != 3 {
			t.Errorf("asked %d times in all: a failure is to be remembered for a moment", asked.Load())
		}
	})
}

func TestWaitingForATokenEndsWithTheCall(t *testing.T) {
	text, _ := newAccount(t, nil)
	synctest.Test(t, func(t *testing.T) {
		k := mustParse(t, text, Google)
		m := newMinter(t, tripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := m.Token(ctx, k); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		// The fetch is everybody's, and ends by itself.
		if _, err := m.Token(t.Context(), k); sluice.KindOf(err) != sluice.KindUpstream || time.Since(began) != fetchTime {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
