package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// wireKind is how a Kind looks on the wire.
type wireKind struct {
	status  int
	code    int    // the reference's code (cloudflare-ai-gateway.md, A.2); where it has none, the nearest
	message string // the reference's text; "" where ours is shown
	name    string // in the log's ErrorKind
}

// wireOf is the one table from kinds to statuses and codes.
func wireOf(k sluice.Kind) wireKind {
	return map[sluice.Kind]wireKind{
		sluice.KindInternal:     {500, 2002, "", "internal"},
		sluice.KindInvalid:      {400, 2019, "", "invalid"},
		sluice.KindNoGateway:    {400, 2001, "Please configure AI Gateway in the Cloudflare dashboard", "no_gateway"},
		sluice.KindNoProvider:   {400, 2008, "Invalid provider", "no_provider"},
		sluice.KindUnauthorized: {401, 2009, "Unauthorized", "unauthorized"},
		sluice.KindForbidden:    {403, 2009, "", "forbidden"},
		sluice.KindNoCredential: {400, 2040, "", "no_credential"},
		sluice.KindNotFound:     {404, 7003, "", "not_found"},
		sluice.KindTooLarge:     {413, 2019, "", "body_too_large"},
		sluice.KindUnsupported:  {415, 2019, "", "unsupported"},
		sluice.KindRateLimited:  {429, 2003, "Rate limited", "rate_limited"},
		sluice.KindSpendLimit:   {429, 2041, "", "spend_limit"},
		sluice.KindUpstream:     {400, 2005, "Failed to get response from provider", "upstream"},
		sluice.KindTimeout:      {408, 2005, "Failed to get response from provider", "timeout"},
		sluice.KindUnavailable:  {503, 2005, "", "unavailable"},
		sluice.KindClientGone:   {statusClientGone, 0, "", "client_gone"},
	}[k]
}

// statusClientGone stands in the log for a client that left before a status was sent (nginx's
// number). Nobody receives it.
const statusClientGone = 499

// gatewayError is the body of an error that Sluice makes itself (cloudflare-ai-gateway.md, A.1).
type gatewayError struct {
	Success      bool          `json:"success"`
	Result       []string      `json:"result"`
	Messages     []string      `json:"messages"`
	Error        []errorDetail `json:"error"`
	Name         string        `json:"name"`
	HTTPCode     int           `json:"httpCode"`
	InternalCode int           `json:"internalCode"`
	Message      string        `json:"message"`
	Description  string        `json:"description"`
}

type errorDetail struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// fail is the only place where an error becomes bytes. Where the answer has begun, the connection is
// broken off instead: nobody must take a cut answer for a whole one.
func (x *exchange) fail(ctx context.Context, err error) {
	e := x.entry()
	own, ok := errors.AsType[*sluice.Error](err)
	if !ok {
		own = &sluice.Error{Kind: sluice.KindInternal, Msg: "internal error", Err: err}
	}
	kind := wireOf(own.Kind)
	x.refused = own
	if e.Ending == sluice.EndingUnknown {
		e.Ending = sluice.EndingRefused
		if own.Kind == sluice.KindClientGone {
			e.Ending = ctxEnding(ctx)
		}
	}
	if e.ErrorKind == "" {
		e.ErrorKind = kind.name
	}
	if e.ErrorText == "" {
		e.ErrorText = cut(own.Error())
	}
	if own.Kind == sluice.KindInternal {
		x.proxy.logger.ErrorContext(ctx, "request failed", "id", x.idText, "error", err)
	}
	if x.headSent || own.Kind == sluice.KindClientGone {
		x.abort = true
		if !x.headSent {
			e.Status = statusClientGone
		}
		return
	}
	x.sendError(kind, own)
}

// sendError answers with the error's body in the reference's shape.
func (x *exchange) sendError(kind wireKind, err *sluice.Error) {
	message, description := kind.message, err.Msg
	if message == "" {
		message = err.Msg
	}
	if err.Hint != "" {
		description += ": " + err.Hint
	}
	body, failed := json.Marshal(gatewayError{
		Result: []string{}, Messages: []string{}, Error: []errorDetail{{kind.code, message, err.Field}},
		Name: "AiGatewayError", HTTPCode: kind.status, InternalCode: kind.code, Message: message, Description: description,
	})
	if failed != nil {
		x.abort = true // cannot happen: the struct has only strings and numbers
		return
	}
	x.answer = answer{status: kind.status, length: int64(len(body)), own: true, header: sluice.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Content-Length", Value: strconv.Itoa(len(body))},
	}}
	if err.Kind == sluice.KindUnavailable {
		x.answer.header.Add("Retry-After", "1")
	}
	if x.body.rest != nil || x.body.size == 0 && x.req.Length != 0 {
		x.answer.header.Add("Connection", "close") // part of the request is still on its way
	}
	x.entry().Response.Type = "application/json"
	x.sendHead()
	if !x.bodyAllowed() {
		return
	}
	x.log.Bodies[reqlog.ResponseSide].Write(body)
	n, wrote := x.sink.Write(body)
	x.sent += int64(n)
	if wrote != nil {
		x.abort = true
	}
}
