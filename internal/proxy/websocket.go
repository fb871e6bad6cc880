package proxy

import (
	"context"
	"errors"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// switching reports whether the request asks for its connection to become a WebSocket (RFC 6455, 4.1).
func (x *exchange) switching() bool {
	return x.req.Method == "GET" && strings.EqualFold(x.req.Header.Get("Upgrade"), "websocket") && x.asksToUpgrade()
}

func (x *exchange) asksToUpgrade() bool {
	for _, f := range x.req.Header {
		if len(f.Name) == len("Connection") && strings.EqualFold(f.Name, "Connection") && http1.HasToken(f.Value, "upgrade") {
			return true
		}
	}
	return false
}

// typeRealtime is the log's Type of realtime connections, and of what was used on them.
const typeRealtime = "realtime"

// decodeRealtime is decode for a connection that is to become a WebSocket to a provider
// (cloudflare-ai-gateway.md, 1.7).
func (x *exchange) decodeRealtime() error {
	e := x.entry()
	e.Type = typeRealtime
	if _, ok := x.sink.(front.Upgrader); !ok || x.req.Body != nil {
		return errClientHTTP()
	}
	if x.provider.Serve != nil {
		return &sluice.Error{Kind: sluice.KindInvalid, Msg: x.provider.Name + " has no WebSocket connections", Field: "Upgrade"}
	}
	target, model, err := x.provider.ResolveRealtime(x.call)
	if err != nil {
		return err
	}
	x.target, e.Model = target, printableText(model, 256)
	if e.Endpoint == "" {
		e.Endpoint = typeRealtime
	}
	x.out = x.switchFields(x.out)
	x.control.payload = false // frames are counted, not kept
	x.entry().Timeline.Received = x.since()
	return nil
}

// switchFields makes the fields of the handshake what the provider is to see: no extensions, so that frames
// are plain; no subprotocol that is ours; and credentials of subprotocols where the provider takes them.
func (x *exchange) switchFields(h sluice.Header) sluice.Header {
	kept := h[:0]
	var credential sluice.Field
	for _, f := range h {
		switch {
		case strings.EqualFold(f.Name, "Sec-WebSocket-Extensions"):
		case strings.EqualFold(f.Name, "Sec-WebSocket-Protocol"):
			var c sluice.Field
			if f.Value, c = x.protocols(f.Value); c.Name != "" {
				credential = c
			}
			if f.Value != "" {
				kept = append(kept, f)
			}
		default:
			kept = append(kept, f)
		}
	}
	if credential.Name != "" && !kept.Has(credential.Name) {
		kept = append(kept, credential)
	}
	return kept
}

// protocols sorts a list of subprotocols: what the provider is offered, and the credential that it is to get
// otherwise.
func (x *exchange) protocols(list string) (offered string, credential sluice.Field) {
	var kept []string
	for item := range strings.SplitSeq(list, ",") {
		item = strings.Trim(item, " \t")
		c, ok := x.provider.Credential(item)
		switch {
		case item == "" || strings.HasPrefix(item, protocolToken):
		case ok && x.ourToken(c.Value):
		case ok:
			credential = c
		default:
			kept = append(kept, item)
		}
	}
	return strings.Join(kept, ", "), credential
}

// chooseProtocol returns the subprotocol to name where the provider has named none: browsers drop a
// connection on which they offered some and none was chosen. One that carries a credential is the last
// choice, a provider's the very last. "": the client offered none.
func chooseProtocol(h sluice.Header) string {
	best, rank := "", 0
	for _, list := range h.Values("Sec-WebSocket-Protocol") {
		for item := range strings.SplitSeq(list, ",") {
			item = strings.Trim(item, " \t")
			r := 3
			switch {
			case item == "":
				continue
			case strings.HasPrefix(item, protocolToken):
				r = 2
			case strings.Contains(item, "api-key."), strings.Contains(item, "authorization."), strings.Contains(item, "token."):
				r = 1
			}
			if r > rank {
				best, rank = item, r
			}
		}
	}
	return best
}

// switchClient answers the client's handshake as the provider answered ours.
func (x *exchange) switchClient(ctx context.Context) (*tunnel, error) {
	a := &x.answer
	up, ok := x.sink.(front.Upgrader)
	if !ok {
		return nil, errClientHTTP()
	}
	if !a.header.Has("Sec-WebSocket-Protocol") {
		if chosen := chooseProtocol(x.req.Header); chosen != "" {
			a.header.Add("Sec-WebSocket-Protocol", chosen)
		}
	}
	send := append(x.headFields(), sluice.Field{Name: "Connection", Value: "Upgrade"}, sluice.Field{Name: "Upgrade", Value: "websocket"})
	client, err := up.Upgrade(send)
	switch {
	case errors.Is(err, front.ErrUpgrade):
		return nil, errClientHTTP()
	case err != nil:
		return nil, x.departed(ctx)
	}
	x.sentHead(send)
	return x.newTunnel(client, a.conn), nil
}

func errClientHTTP() error {
	return &sluice.Error{Kind: sluice.KindInvalid, Msg: "WebSocket connections begin with a GET without a body over HTTP/1.1", Field: "Upgrade"}
}

// allowed reports whether the caller may go on: its token is asked for again with each message, under the
// settings of that moment.
func (x *exchange) allowed() error {
	g, err := x.proxy.settings.Load().gateways.Gateway(x.named, x.gateway.ID)
	if err != nil {
		return err
	}
	c := caller{}
	if x.proxy.tokens != nil || g.Authentication {
		c = x.callerAt(time.Now())
	}
	if c.valid(g) || x.lent == nil && !x.provider.AddsCredential() && c.anonymous(g) { // what is stored is for nobody without a token
		return nil
	}
	return errors.New("the gateway token is not good any more")
}
