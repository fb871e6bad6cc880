package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

// compatSegment stands in the provider's place of a call to the unified endpoint (cloudflare-ai-gateway.md, 1.4).
const compatSegment = "compat"

// typeCompat is a log entry's Type of a call to the unified endpoint.
const typeCompat = "compat"

// compatSurface is the dialect of the unified endpoint's paths.
func compatSurface(path string) (translate.Dialect, bool) {
	path = strings.TrimPrefix(strings.Trim(path, "/"), "v1/")
	d, ok := map[string]translate.Dialect{
		"chat/completions": translate.Chat, "messages": translate.Messages,
		"responses": translate.Responses, "embeddings": translate.Embeddings,
	}[path]
	return d, ok
}

// decodeCompat is decode for the unified endpoint: the model names the provider, whose dialect the request is
// written in. From here on it is a call to that provider; deliver translates the answer back.
func (x *exchange) decodeCompat(ctx context.Context, rest string) error {
	e := x.entry()
	path, _, _ := strings.Cut(rest, "?")
	e.Type, e.Path = typeCompat, printable(compatSegment+"/"+path, 1024)
	x.sortHeader()
	if x.req.Method == "GET" && strings.TrimPrefix(strings.Trim(path, "/"), "v1/") == "models" {
		return x.listModels()
	}
	if x.req.Method != "POST" {
		return &sluice.Error{Kind: sluice.KindInvalid, Field: "method", Msg: "the unified endpoint takes POST"}
	}
	if !identity(x.req.Header.Get("Content-Encoding")) {
		return &sluice.Error{Kind: sluice.KindUnsupported, Msg: "the body of a unified request must have no content encoding", Field: "Content-Encoding"}
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	if !x.body.whole() {
		return &sluice.Error{Kind: sluice.KindTooLarge, Msg: "the body of a unified request is larger than limits.body_bytes"}
	}
	s := x.step
	s.fields = append(sluice.Header(nil), x.out...)
	s.query = x.body.bytes
	if err := x.translateStep(&s, path, ""); err != nil {
		return err
	}
	x.step = s
	x.out = append(x.out[:0], s.fields...)
	e.Provider, e.Model, e.Path, e.Streamed = s.provider.Slug, s.model, s.path, s.streamed
	e.Request.Type = "application/json"
	if s.endpoint != nil {
		e.Endpoint = s.endpoint.Name
	}
	return nil
}

// translateStep makes a step of a unified request: s.query is the request as the client wrote it, and becomes what
// the provider gets. field stands before the names of fields in errors.
func (x *exchange) translateStep(s *step, path, field string) error {
	from, ok := compatSurface(path)
	if !ok {
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: field + "path", Msg: "the unified endpoint has no " + quote(printable(path, 64)),
			Hint: "it has chat/completions, v1/messages, responses, embeddings, and models (GET)",
		}
	}
	name, stream, err := askedOf(s.query)
	if err == nil {
		err = x.routeTo(s, name, stream, from)
	}
	var call *translate.Call
	if err == nil {
		call, err = x.written(s, from)
	}
	if own, ok := errors.AsType[*sluice.Error](err); ok {
		if own.Field != "" && own.Kind == sluice.KindInvalid {
			own.Field = field + own.Field
		}
		return own
	}
	if err != nil {
		return err
	}
	s.query = call.Body
	if len(call.Dropped) > 0 {
		x.note("not sent on: " + printable(strings.Join(call.Dropped, ", "), 512))
	}
	x.dress(s, call, from)
	return x.address(s)
}

// askedOf reads model and stream of a unified request, strictly: Sluice acts on them.
func askedOf(body []byte) (model string, stream bool, err error) {
	keys := [...]string{"model", "stream"}
	var found [len(keys)]jsonscan.Value
	scan := jsonscan.Top(body, keys[:], found[:])
	bad := func(field, msg, hint string) (string, bool, error) {
		return "", false, &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
	}
	const shape = `name the model as provider/model: {"model": "openai/gpt-5-mini", "messages": […]}`
	switch {
	case !scan.Valid:
		return bad("body", "Chat completion bad format: the body is not a valid JSON object", shape)
	case scan.BadUTF8:
		return bad("body", "Chat completion bad format: the body is not valid UTF-8", "")
	case scan.Repeated != "":
		return bad(scan.Repeated, "Chat completion bad format: "+scan.Repeated+" is there more than once", "")
	case scan.Variant != "":
		return bad(printable(scan.Variant, 64), "Chat completion bad format: "+quote(printable(scan.Variant, 64))+" differs from a field only in case", "field names are in lower case")
	case found[0].Kind != jsonscan.String || found[0].String() == "":
		return bad("model", "Chat completion bad format: model is missing, or no text", shape)
	}
	stream, _ = found[1].Bool()
	return found[0].String(), stream, nil
}

// routeTo finds the provider that a model's name begins with, and where the call goes there.
func (x *exchange) routeTo(s *step, name string, stream bool, from translate.Dialect) error {
	slug, model, ok := strings.Cut(name, "/")
	if !ok || slug == "" || model == "" {
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: "model", Msg: "Chat completion bad format: model " + quote(printable(name, 64)) + " names no provider",
			Hint: "write provider/model: openai/gpt-5-mini",
		}
	}
	p, ok := x.settings.providers.FindIn(x.gateway.Account, slug)
	if slug == "azure" { // the reference's alias; Claude on Azure has no place in its unified endpoint
		p, ok = x.settings.providers.FindIn(x.gateway.Account, "azure-openai")
	}
	if !ok {
		return &sluice.Error{
			Kind: sluice.KindNoProvider, Field: "model", Msg: "no provider " + quote(printable(slug, 64)),
			Hint: "the part of model before the first / is a provider: docs/providers.md lists them",
		}
	}
	key := x.storedKey(p, s.control.alias)
	to, path, query, missing, ok := p.Call(from, model, stream, key)
	if !ok && translate.Reads(from) {
		to, path, query, missing, ok = p.Call(translate.Chat, model, stream, key) // in its own dialect
	}
	switch {
	case !ok:
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: "model", Msg: p.Slug + " has no " + string(from) + " that the unified endpoint can call",
			Hint: "call its own path: /v1/{account}/{gateway}/" + p.Slug + "/…",
		}
	case missing != "":
		return &sluice.Error{
			Kind: sluice.KindNoCredential, Field: "model", Msg: "calls to " + p.Slug + " by the unified endpoint need a stored provider key that knows its " + missing,
			Hint: "store one: sluice provider add " + p.Slug,
		}
	}
	s.provider, s.model, s.streamed, s.unified = p, model, stream, to
	s.surface, s.answer = from, nil
	s.path = path
	s.call = provider.Call{Method: "POST", Path: path, Query: query, Account: x.named}
	return nil
}

// storedKey is the key that a call would be sent with, for what it knows of its account.
func (x *exchange) storedKey(p *provider.Provider, alias string) *credential.Key {
	if x.proxy.vault == nil {
		return nil
	}
	keys := x.proxy.vault.Keys(x.gateway.Account, x.gateway.ID, p.Slug)
	if keys == nil {
		return nil
	}
	pool := keys.Pool(alias)
	if pool == nil || len(pool.All()) == 0 {
		return nil
	}
	return pool.All()[0].Key()
}

// written is the request in the provider's dialect. One that is in it already keeps its bytes.
func (x *exchange) written(s *step, from translate.Dialect) (*translate.Call, error) {
	target := translate.Target{Dialect: s.unified.Dialect, Provider: s.provider.Slug, Model: s.model, Edits: &s.unified.Edits}
	if from == target.Dialect && (!target.Edits.Anew || from != translate.Chat) {
		call, filter, err := translate.Splice(s.query, target, &s.unified.Edits)
		if err == nil && filter {
			s.answer = &call.Context
		}
		return call, err
	}
	r, err := translate.Decode(from, s.query)
	if err != nil {
		return nil, err
	}
	call, err := r.Encode(target)
	if err == nil {
		s.answer = &call.Context
	}
	return call, err
}

// dress makes the client's header fields the provider's: its credential where that one looks for it, what the
// dialect wants, and no coding of the answer where that is to be read.
func (x *exchange) dress(s *step, call *translate.Call, from translate.Dialect) {
	h := s.fields
	h.Set("Content-Type", "application/json")
	if s.answer != nil {
		h.Del("Accept-Encoding")
		h.Set("Accept-Encoding", "identity")
		call.Context.ID, call.Context.Created = answerID(from, x.idText), x.start.Unix()
	}
	if from != s.unified.Dialect {
		for _, name := range [...]string{"OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta", "anthropic-version", "anthropic-beta", "Accept"} {
			h.Del(name)
		}
	}
	for _, f := range call.Header {
		if !h.Has(f.Name) {
			h.Add(f.Name, f.Value)
		}
	}
	p := s.provider
	if p.Auth.Header != "" && p.Auth.Kinds == nil && from != s.unified.Dialect || !p.Shows(h, "") {
		h = presented(p, h)
	}
	s.fields = p.Added(h)
}

// presented moves the credential that a client shows in its own dialect's place to where the provider looks for it.
func presented(p *provider.Provider, h sluice.Header) sluice.Header {
	places := [...]string{p.Auth.Header, "Authorization", "x-api-key", "api-key", "x-goog-api-key"}
	for _, name := range places {
		if secret := bare(h.Get(name)); name != "" && secret != "" {
			for _, other := range places[1:] {
				h.Del(other)
			}
			return p.Present(h, sluice.NewSecret(secret))
		}
	}
	return h
}

// answerID is the id of an answer whose provider gives none.
func answerID(d translate.Dialect, id string) string {
	if d == translate.Messages {
		return "msg_" + strings.ReplaceAll(id, "-", "")
	}
	if d == translate.Responses {
		return "resp_" + strings.ReplaceAll(id, "-", "")
	}
	return "chatcmpl-" + id
}

// address finds out where a step goes.
func (x *exchange) address(s *step) error {
	p := s.provider
	s.call.Header = s.fields
	s.endpoint, _ = p.Match("POST", s.call.Path)
	if p.Serve != nil {
		return nil
	}
	if err := p.Usable(); err != nil {
		return err
	}
	target, err := p.Resolve(s.call)
	if err != nil {
		return err
	}
	s.target = target
	for _, name := range p.Consumes {
		s.fields.Del(name)
	}
	return nil
}

// listModels answers with the models that have a price, in OpenAI's form, and ends the request.
func (x *exchange) listModels() error {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", []model{}}
	for m := range x.settings.prices.Of(x.gateway.Account).Models() {
		p, ok := x.settings.providers.FindIn(x.gateway.Account, m.Provider)
		if !ok {
			continue
		}
		if _, _, _, _, ok := p.Call(translate.Chat, m.Name, false, nil); ok {
			list.Data = append(list.Data, model{p.Slug + "/" + m.Name, "model", 0, p.Slug})
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	x.entry().Ending = sluice.EndingComplete
	x.entry().Endpoint = "models"
	x.answer = answer{status: 200, length: int64(len(body)), own: true, header: sluice.Header{{Name: "Content-Type", Value: "application/json"}}}
	x.sendHead()
	if _, err := x.sink.Write(body); err != nil {
		x.abort = true
	}
	return errAnswered
}
