package proxy

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// Probed is what came of a test call.
type Probed struct {
	Path   string // what was called, below the provider's address
	Status int    // 0: there was no answer
	Took   time.Duration
	Error  string // why it is not good; "": it is
}

// A test call is bounded, and what is read of its answer.
const (
	probeTime  = 15 * time.Second
	probeBytes = 64 << 10
)

// Probe makes a call that costs nothing with a stored key, and tells whether the provider takes it. Its error
// has sluice.KindInvalid where no such call is known, or sluice.KindUnavailable where the key cannot be opened.
func (p *Proxy) Probe(ctx context.Context, c *vault.Credential) (Probed, error) {
	s := p.settings.Load()
	pr, ok := s.providers.FindIn(c.Account, c.Provider)
	if !ok {
		return Probed{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "provider_slug", Msg: "no provider " + quote(c.Provider) + " is configured any more"}
	}
	if c.Fault != "" {
		return Probed{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the stored provider key cannot be opened: it is " + c.Fault}
	}
	in, ok := pr.Probe(c.Key())
	if !ok {
		return Probed{}, &sluice.Error{
			Kind: sluice.KindInvalid, Field: "provider_slug", Msg: "no call is known that tests a key of " + pr.Name + " for nothing",
			Hint: "make a small call through the gateway",
		}
	}
	if err := pr.Usable(); err != nil {
		return Probed{}, err
	}
	target, err := pr.Resolve(in)
	if err != nil {
		return Probed{}, err
	}
	if !pr.OwnHost(target.Host) && !c.MaySee(target.Host) {
		return Probed{}, &sluice.Error{Kind: sluice.KindForbidden, Msg: "the stored provider key may not be sent to the host " + quote(target.Host)}
	}
	times := s.timeouts
	times.FirstByte, times.Total = probeTime, probeTime
	req := upstream.Request{
		Method: in.Method, Scheme: target.Scheme, Host: target.Host, Target: target.Path, Header: pr.Added(in.Header),
		Timeouts: times, Private: pr.Local || pr.Overridden(), Repeatable: true,
	}
	if target.Query != "" {
		req.Target += "?" + target.Query
	}
	start := time.Now()
	shown, err := p.prove(ctx, c.Key(), pr, in, &req)
	if err != nil {
		e, ok := errors.AsType[*sluice.Error](err)
		if !ok || e.Kind != sluice.KindUpstream {
			return Probed{}, err
		}
		return Probed{Path: in.Path, Took: time.Since(start), Error: e.Msg}, nil
	}
	resp, err := p.upstream.Do(ctx, &req)
	if err != nil {
		return Probed{Path: in.Path, Took: time.Since(start), Error: probeFailure(err)}, nil //nolint:nilerr // it is the result
	}
	text, readErr := io.ReadAll(io.LimitReader(resp.Body, probeBytes))
	_ = resp.Body.Close() // what was wanted has been read
	result := Probed{Path: in.Path, Status: resp.Status, Took: time.Since(start)}
	switch {
	case readErr != nil:
		result.Error = probeFailure(readErr)
	case resp.Status >= 200 && resp.Status < 300, pr.Auth.Took != nil && pr.Auth.Took(resp.Status, resp.Header, text):
		c.Served()
	default:
		// Some providers repeat what they were shown.
		said := openai.ErrorText(text)
		if !shown.IsZero() {
			said = strings.ReplaceAll(said, shown.Reveal(), redacted)
		}
		result.Error = strings.TrimSpace("the provider answered " + strconv.Itoa(resp.Status) + ": " + printableText(said, 300))
	}
	return result, nil
}

// prove puts on a request what shows that the caller has the key, and returns what of it can be read there.
func (p *Proxy) prove(ctx context.Context, k *credential.Key, pr *provider.Provider, in provider.Call, req *upstream.Request) (shown sluice.Secret, err error) {
	if k.Signs() {
		return k.Session(), signed(ctx, k, pr, in, req, nil)
	}
	if shown, err = p.shownOf(ctx, k); err == nil {
		req.Header = pr.Present(req.Header, shown)
	}
	return shown, err
}

// probeFailure says in our words why there was no answer: the cause may name addresses.
func probeFailure(err error) string {
	stage := upstream.StageRead
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		stage = failed.Stage
	}
	return failureOf(stage).msg
}
