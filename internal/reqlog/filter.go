package reqlog

import (
	"fmt"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Filter is a parsed filter expression: rows pass that meet all its terms. The zero Filter takes
// every row. ParseFilter reads the language of the dashboard, the command line and the API's q
// parameter; the reference's filters parameter is turned into terms by the management API.
type Filter struct{ Terms []Term }

// Term is one condition: the row's value of Field stands in relation Op to one of Values.
//
// Values of text fields are patterns: "*" stands for any text, `\*` for a star and `\\` for a
// backslash; Literal makes one that stands for itself. Upper and lower case are the same. Values of
// all other fields are read as ParseFilter reads them: numbers, amounts, durations, times, yes or no.
type Term struct {
	Field  Field
	Key    string // of FieldMeta: the metadata key; "" any
	Op     Op
	Values []string // any of them is enough; texts as the user wrote them
	Not    bool
}

// Field is what a Term looks at.
type Field string

// The fields, under the names that the language prints. FilterHelp says what each looks at.
const (
	FieldID           Field = "id"
	FieldCreated      Field = "created_at"
	FieldRange        Field = "range"
	FieldGateway      Field = "gateway"
	FieldProvider     Field = "provider"
	FieldModel        Field = "model"
	FieldServed       Field = "served"
	FieldEndpoint     Field = "endpoint"
	FieldType         Field = "type"
	FieldMethod       Field = "method"
	FieldPath         Field = "path"
	FieldStatus       Field = "status"
	FieldSuccess      Field = "success"
	FieldEnding       Field = "ending"
	FieldErrorType    Field = "error_type"
	FieldError        Field = "error"
	FieldStream       Field = "stream"
	FieldCached       Field = "cached"
	FieldCache        Field = "cache"
	FieldKey          Field = "key"
	FieldUserAgent    Field = "ua"
	FieldEventID      Field = "event_id"
	FieldTraceID      Field = "trace_id"
	FieldRequestType  Field = "request_content_type"
	FieldResponseType Field = "response_content_type"
	FieldFinish       Field = "finish"
	FieldDuration     Field = "duration"
	FieldTTFT         Field = "ttft"
	FieldAttempts     Field = "attempts"
	FieldTokens       Field = "tokens"
	FieldTokensIn     Field = "tokens_in"
	FieldTokensOut    Field = "tokens_out"
	FieldCost         Field = "cost"
	FieldBasis        Field = "basis"
	FieldFeedback     Field = "feedback"
	FieldMeta         Field = "meta"     // Term.Key names the entry; with "" the value of any entry
	FieldMetaKey      Field = "meta_key" // the key of any entry
	FieldText         Field = "text"     // words without a field
)

// Op is a Term's relation.
type Op string

// The relations. Texts have OpEq and OpContains; everything that has an order has all but OpContains.
// Unlike SQL's, a relation to an unknown value is plainly false, and its negation true.
const (
	OpEq       Op = "eq"
	OpContains Op = "contains"
	OpLt       Op = "lt"
	OpLte      Op = "lte"
	OpGt       Op = "gt"
	OpGte      Op = "gte"
	OpBetween  Op = "between" // the value is "low..high", both ends included
)

// Bounds of a filter; what is longer is refused with sluice.KindInvalid.
const (
	maxFilterBytes  = 8 << 10
	maxFilterTerms  = 64
	maxFilterValues = 512
)

// Literal returns the pattern that matches text itself and nothing else: the value of a Term for a
// text that comes from elsewhere than the filter language.
func Literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(text)
}

// kind is how a field's values are read and compared.
type kind uint8

const (
	kindText     kind = iota
	kindNumber        // whole numbers, with k and m
	kindDuration      // microseconds
	kindMoney         // nano-USD
	kindTime          // unix milliseconds
	kindBool          // 0 and 1
	kindStatus        // codes, classes and words
	kindID            //
	kindMeta          // like text, on metadata entries
	kindAge           // time since, as a duration
)

// field is one line of the table that parsing, matching and help share.
type field struct {
	name    Field
	aliases []string
	kind    kind
	deflt   Op // the relation that stands when none is written
	help    string
	example string
	text    func(*sluice.LogEntry) string
	number  func(*sluice.LogEntry) (n int64, known bool)
}

// filterFields is the table of all fields, in the order of the help. It is built anew for each caller:
// nobody can change what others see.
func filterFields() []field {
	return append(append(textFields(), numberFields()...), []field{
		{name: FieldStatus, kind: kindStatus, deflt: OpEq, example: "status:error,429", help: "status code, 4xx, or a word: " + statusWords()},
		{name: FieldID, kind: kindID, deflt: OpEq, example: "id:019a7b3e-5f2c-7d10-8a4e-0123456789c0", help: "the exchange's id"},
		{name: FieldMeta, aliases: []string{"metadata", "metadata.value"}, kind: kindMeta, deflt: OpEq, example: "meta.user_id:42", help: "a metadata entry's value; without a name, of any entry"},
		{name: FieldMetaKey, aliases: []string{"metadata.key"}, kind: kindMeta, deflt: OpEq, example: "meta_key:user_id", help: "the key of any metadata entry"},
		{name: FieldText, kind: kindText, deflt: OpContains, example: `"rate limit"`, help: "words without a field: in path, error, model, names, metadata"},
	}...)
}

func textFields() []field {
	return []field{
		{name: FieldProvider, deflt: OpEq, example: "provider:openai,anthropic", help: "provider", text: func(e *sluice.LogEntry) string { return e.Provider }},
		{name: FieldModel, deflt: OpEq, example: "-model:gpt-*", help: "model, as the request named it", text: func(e *sluice.LogEntry) string { return e.Model }},
		{name: FieldServed, aliases: []string{"model_served"}, deflt: OpEq, example: "served:gpt-4.1-2025-04-14", help: "model, as the answer named it", text: func(e *sluice.LogEntry) string { return e.Served }},
		{name: FieldGateway, aliases: []string{"gw"}, deflt: OpEq, example: "gateway:default", help: "gateway", text: func(e *sluice.LogEntry) string { return e.Gateway }},
		{name: FieldEndpoint, deflt: OpEq, example: "endpoint:chat/completions", help: "endpoint", text: func(e *sluice.LogEntry) string { return e.Endpoint }},
		{name: FieldKey, deflt: OpEq, example: "key:ci", help: "name of the caller's gateway token", text: func(e *sluice.LogEntry) string { return e.Key }},
		{name: FieldUserAgent, aliases: []string{"user_agent"}, deflt: OpContains, example: "ua:openai-python", help: "part of the caller's user agent", text: func(e *sluice.LogEntry) string { return e.UserAgent }},
		{name: FieldEnding, deflt: OpEq, example: "ending:cut", help: "how it ended: complete, refused, unreachable, timeout, cut, stalled, error_event, client_gone, client_slow, shutdown, crashed, panic", text: func(e *sluice.LogEntry) string { return e.Ending.String() }},
		{name: FieldErrorType, aliases: []string{"error_kind"}, deflt: OpEq, example: "error_type:dial", help: "kind of error", text: func(e *sluice.LogEntry) string { return e.ErrorKind }},
		{name: FieldError, aliases: []string{"error_text"}, deflt: OpContains, example: `error:"context length"`, help: "part of the error's text", text: func(e *sluice.LogEntry) string { return e.ErrorText }},
		{name: FieldCache, deflt: OpEq, example: "cache:miss", help: "what the cache did: off, miss, hit", text: func(e *sluice.LogEntry) string { return CacheName(e.Cache) }},
		{name: FieldBasis, deflt: OpEq, example: "basis:estimated", help: "where token counts come from: provider, estimated, partial, cached, none", text: func(e *sluice.LogEntry) string { return e.Usage.Basis.String() }},
		{name: FieldType, aliases: []string{"request_type"}, deflt: OpEq, example: "type:universal", help: "surface that it came by", text: func(e *sluice.LogEntry) string { return e.Type }},
		{name: FieldMethod, deflt: OpEq, example: "method:POST", help: "HTTP method", text: func(e *sluice.LogEntry) string { return e.Method }},
		{name: FieldPath, deflt: OpEq, example: "path:*/files/*", help: "path after the provider, with the query", text: func(e *sluice.LogEntry) string { return e.Path }},
		{name: FieldEventID, deflt: OpEq, example: "event_id:order-77", help: "event id, as the caller set it", text: func(e *sluice.LogEntry) string { return e.EventID }},
		{name: FieldTraceID, deflt: OpEq, example: "trace_id:4bf92f35*", help: "trace id", text: func(e *sluice.LogEntry) string { return e.TraceID }},
		{name: FieldFinish, deflt: OpEq, example: "finish:length", help: "finish reason", text: func(e *sluice.LogEntry) string { return e.Finish }},
		{name: FieldRequestType, deflt: OpEq, example: "request_content_type:multipart/*", help: "content type of the request", text: func(e *sluice.LogEntry) string { return e.Request.Type }},
		{name: FieldResponseType, deflt: OpEq, example: "response_content_type:text/event-stream", help: "content type of the answer", text: func(e *sluice.LogEntry) string { return e.Response.Type }},
	}
}

func numberFields() []field {
	return []field{
		{name: FieldDuration, aliases: []string{"dur"}, kind: kindDuration, deflt: OpEq, example: "duration:>2s", help: "from first to last byte; a bare number is milliseconds", number: durationOf},
		{name: FieldTTFT, aliases: []string{"first_token"}, kind: kindDuration, deflt: OpEq, example: "ttft:>1s", help: "time to the first token", number: ttftOf},
		{name: FieldCost, kind: kindMoney, deflt: OpEq, example: "cost:>0.01", help: "cost in USD; none: not known", number: costOf},
		{name: FieldTokens, aliases: []string{"total_tokens"}, deflt: OpEq, kind: kindNumber, example: "tokens:>10k", help: "input and output tokens", number: tokensOf},
		{name: FieldTokensIn, deflt: OpEq, kind: kindNumber, example: "tokens_in:1000..5000", help: "input tokens", number: func(e *sluice.LogEntry) (int64, bool) { return e.Usage.Get(sluice.Input) }},
		{name: FieldTokensOut, deflt: OpEq, kind: kindNumber, example: "tokens_out:<=16", help: "output tokens", number: func(e *sluice.LogEntry) (int64, bool) { return e.Usage.Get(sluice.Output) }},
		{name: FieldAttempts, deflt: OpEq, kind: kindNumber, example: "attempts:>1", help: "how many tries were made", number: func(e *sluice.LogEntry) (int64, bool) { return int64(len(e.Attempts)), true }},
		{name: FieldFeedback, deflt: OpEq, kind: kindNumber, example: "feedback:-1", help: "-1 or 1; none: nobody judged", number: func(e *sluice.LogEntry) (int64, bool) { return int64(e.Feedback), e.Feedback != 0 }},
		{name: FieldSuccess, deflt: OpEq, kind: kindBool, example: "success:no", help: "yes or no", number: func(e *sluice.LogEntry) (int64, bool) { return oneIf(e.Success), true }},
		{name: FieldCached, deflt: OpEq, kind: kindBool, example: "cached:yes", help: "answered by the cache", number: func(e *sluice.LogEntry) (int64, bool) { return oneIf(e.Cache == sluice.CacheHit), true }},
		{name: FieldStream, aliases: []string{"streamed"}, deflt: OpEq, kind: kindBool, example: "stream:yes", help: "the answer was a stream of events", number: func(e *sluice.LogEntry) (int64, bool) { return oneIf(e.Streamed), true }},
		{name: FieldCreated, aliases: []string{"time"}, deflt: OpEq, kind: kindTime, example: "created_at:>=2026-11-24T14:00", help: "start, UTC: a day, a minute, or RFC 3339", number: milliOf},
		{name: FieldRange, aliases: []string{"last"}, deflt: OpEq, kind: kindAge, example: "range:30d", help: "started within this time before now", number: milliOf},
	}
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func durationOf(e *sluice.LogEntry) (int64, bool) {
	return e.Timeline.End.Microseconds(), e.Timeline.End > 0
}

func ttftOf(e *sluice.LogEntry) (int64, bool) {
	return e.Timeline.FirstToken.Microseconds(), e.Timeline.FirstToken > 0
}

func costOf(e *sluice.LogEntry) (int64, bool) { return int64(e.Cost), e.Priced }

func tokensOf(e *sluice.LogEntry) (int64, bool) {
	in, inKnown := e.Usage.Get(sluice.Input)
	out, outKnown := e.Usage.Get(sluice.Output)
	return in + out, inKnown || outKnown
}

// milliOf is the time that everything about rows goes by: the id's, so that order, file and time agree.
func milliOf(e *sluice.LogEntry) (int64, bool) {
	if e.ID.IsZero() {
		return e.Start.UnixMilli(), true
	}
	return e.ID.Milli(), true
}

// CacheName returns the cache status as the API shows it.
func CacheName(c sluice.CacheStatus) string {
	switch c {
	case sluice.CacheMiss:
		return "miss"
	case sluice.CacheHit:
		return "hit"
	}
	return "off"
}

// findField returns the table's line for a name or alias, in any case.
func findField(name string) (field, bool) {
	name = strings.ToLower(name)
	for _, f := range filterFields() {
		if string(f.name) == name {
			return f, true
		}
		for _, a := range f.aliases {
			if a == name {
				return f, true
			}
		}
	}
	return field{}, false
}

// FilterHelp explains the filter language: the text of "sluice help filters" and of the documentation.
func FilterHelp() string {
	var b strings.Builder
	b.WriteString(`A filter is a list of conditions; a row is shown when all of them hold.

  status:error provider:openai,anthropic -model:gpt-* cost:>0.01 duration:>2s "exact words"

  space      and
  ,          or, between the values of one field
  -field:    not
  *          any text, in texts: model:gpt-*
  > >= < <=  more, less; a..b from a to b, both included: tokens_in:1000..5000
  ~ =        part of the text, the whole text: model:~mini ua:=curl/8.5.0
  none       not known, in numbers: cost:none
  "…"        a text with spaces or signs, taken as it stands; \ does so for one sign

Upper and lower case are the same. What is unknown is in no relation to anything: cost:<1 leaves out
rows without a cost, -cost:<1 shows them.

`)
	for _, f := range filterFields() {
		fmt.Fprintf(&b, "  %-22s %s\n  %-22s   %s\n", f.name, f.help, strings.Join(f.aliases, " "), f.example)
	}
	b.WriteString("\nWords of status:\n\n")
	for _, c := range StatusClasses() {
		fmt.Fprintf(&b, "  %-22s %s\n", c.Name, c.Help)
	}
	return b.String()
}

// Fields lists all fields, in the order of the help.
func Fields() []Field {
	table := filterFields()
	names := make([]Field, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// HasTexts reports whether the field is compared as a text, with OpEq and OpContains, and not by order.
func HasTexts(name Field) bool {
	f, ok := findField(string(name))
	return ok && f.patterns()
}
