package proxy

import (
	"strings"

	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/provider"
)

// greet tells those who are setting up a client of a call that came to nothing, and of a gateway's first
// success. A call that goes well where others have pays one look.
func (p *Proxy) greet(x *exchange) {
	if p.hello == nil {
		return
	}
	e := x.entry()
	if e.Success {
		if !p.hello.Greeted(e.Account, e.Gateway) {
			p.hello.Succeeded(hello.Success{Time: e.Start, LogID: x.idText, Account: e.Account, Gateway: e.Gateway, Provider: e.Provider, Model: e.Model})
		}
		return
	}
	c, known := hello.Call{Time: x.start, Status: e.Status}, false
	if own := x.refused; own != nil {
		c.Cause, known = hello.FromError(own.Kind)
		c.Code, c.Message, c.Hint = wireOf(own.Kind).code, own.Msg, own.Hint
	} else {
		c.Cause, known = hello.FromStatus(e.Status)
		c.Message = e.ErrorText
	}
	if known {
		x.describeMiss(&c)
		p.hello.Add(&c)
	}
}

// describeMiss fills in what was asked for, and by whom.
func (x *exchange) describeMiss(c *hello.Call) {
	e := x.entry()
	c.Method, c.Target, c.Host, c.Remote = x.req.Method, x.req.Target, x.req.Host, x.req.Remote
	c.UserAgent = x.req.Header.Get("User-Agent")
	c.Account, c.Gateway, c.Provider, c.Model, c.Key = e.Account, x.wanted, e.Provider, e.Model, e.Key
	if x.gateway == nil {
		if a, ok := x.settings.gateways.Account(x.named); ok {
			c.Account = a.ID
		}
	} else if x.control.collect {
		c.LogID = x.idText
	}
	for i := range x.req.Header {
		if name := x.req.Header[i].Name; provider.CredentialHeader(name) {
			c.Credential = strings.ToLower(name)
			break
		}
	}
}
