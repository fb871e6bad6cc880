package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// Settings is what an operator says of a gateway, in the reference's names, units and nulls
// (cloudflare-ai-gateway.md, 9.1): what a call of the management API said comes back as it was said. It is
// the form of the API and of a Store; sluice.Gateway is what it comes to. A switch of which nobody said anything is
// null, which is off: tools that declare gateways compare what they said with what they read, and false is not
// nothing.
//
// The tags are read by all who need them: json is the name; minimum, maximum, minLength, maxLength and
// enum bound a value; doc says what it is; unit is that of the number ("s", "ms"), where a duration may be
// written in its place; required:"true" marks what create and update must name; a doc that begins with "ours: "
// is of what the reference does not have. A test holds the bounds against those of the configuration file.
type Settings struct {
	Authentication          *bool           `json:"authentication" doc:"callers need a gateway token; null: nobody said so, and they need none"`
	ByokOnly                *bool           `json:"byok_only" doc:"no call without a provider key: the caller's own, or a stored one"`
	CacheInvalidateOnUpdate bool            `json:"cache_invalidate_on_update" required:"true" doc:"a change of the settings forgets cached answers"`
	CacheTTL                int64           `json:"cache_ttl" required:"true" minimum:"0" maximum:"3153600000" unit:"s" doc:"how long answers are cached; 0 or null: off, stored as 0"`
	CollectLogs             bool            `json:"collect_logs" required:"true" doc:"write a log entry for each request"`
	CollectPayload          bool            `json:"collect_payload" doc:"ours: store request and answer bodies with the entry"`
	DLP                     json.RawMessage `json:"dlp" form:"object" doc:"stored only"`
	Guardrails              json.RawMessage `json:"guardrails" form:"object" doc:"stored only"`
	Hedge                   int64           `json:"hedge" minimum:"0" maximum:"100" doc:"ours: most hedged calls, percent of all; 0: none"`
	LogClassification       *bool           `json:"log_classification" doc:"stored only"`
	LogManagement           *int64          `json:"log_management" minimum:"10000" maximum:"10000000" doc:"most log entries, held within a hundredth; null: none of its own. The log's bound on all gateways together holds, too"`
	LogManagementStrategy   *string         `json:"log_management_strategy" enum:"STOP_INSERTING,DELETE_OLDEST" doc:"at log_management: count new requests without an entry, or drop the oldest entries (null, too)"`
	Logpush                 *bool           `json:"logpush" doc:"stored only"`
	LogpushPublicKey        *string         `json:"logpush_public_key" minLength:"16" maxLength:"1024" doc:"stored only"`
	MetadataEntries         int64           `json:"metadata_entries" minimum:"0" maximum:"64" doc:"ours: most entries of cf-aig-metadata that are kept"`
	OTel                    json.RawMessage `json:"otel" form:"otel" doc:"stored only: a list of objects with url and headers"`
	RateLimitingInterval    *int64          `json:"rate_limiting_interval" required:"true" minimum:"0" maximum:"3153600000" unit:"s" doc:"window of the rate limit; 0 or null: off"`
	RateLimitingLimit       *int64          `json:"rate_limiting_limit" required:"true" minimum:"0" maximum:"9007199254740991" doc:"most requests in a window; 0 or null: off"`
	RateLimitingTechnique   *string         `json:"rate_limiting_technique" enum:"fixed,sliding" doc:"fixed: windows cut by the clock, and what null means; sliding: any interval"`
	RequestTimeout          *int64          `json:"request_timeout" minimum:"0" maximum:"3600000" unit:"ms" doc:"ours: how long a try waits for the first byte; 0 or null: no bound of its own"`
	RetryBackoff            *string         `json:"retry_backoff" enum:"constant,linear,exponential" doc:"how the wait grows from try to try; null: constant"`
	RetryDelay              *int64          `json:"retry_delay" minimum:"0" maximum:"60000" unit:"ms" doc:"wait before the second try"`
	RetryMaxAttempts        *int64          `json:"retry_max_attempts" minimum:"1" maximum:"5" doc:"most tries, the first counted; null: 1"`
	SpendLimits             json.RawMessage `json:"spend_limits" form:"spend" doc:"what calls may cost in a window: {enabled, rules}, see docs/budgets.md; null: no bound"`
	StoreID                 *string         `json:"store_id" maxLength:"256" doc:"stored only"`
	Stripe                  json.RawMessage `json:"stripe" form:"object" doc:"stored only"`
	WorkersAIBillingMode    string          `json:"workers_ai_billing_mode" enum:"postpaid,unified" doc:"stored only"`
	ZDR                     *bool           `json:"zdr" doc:"stored only"`
}

// Defaults returns the settings of a gateway of which nothing is said.
func Defaults() Settings {
	return Settings{CollectLogs: true, CollectPayload: true, MetadataEntries: 5, WorkersAIBillingMode: "postpaid"}
}

// defaultSettings are those of a gateway default that a first authenticated call makes (1.1).
func defaultSettings() Settings {
	s := Defaults()
	s.Authentication = new(true)
	return s
}

// fileSettings are those of a gateway of the configuration.
func fileSettings(g config.Gateway) Settings {
	s := Defaults()
	s.Authentication, s.ByokOnly, s.ZDR = g.Authentication, g.ByokOnly, g.ZDR
	s.CacheInvalidateOnUpdate = isOn(g.CacheInvalidateOnUpdate)
	s.CollectLogs, s.CollectPayload = g.CollectLogs == nil || *g.CollectLogs, g.CollectPayload == nil || *g.CollectPayload
	s.CacheTTL = int64(g.CacheTTL / time.Second)
	s.Hedge, s.MetadataEntries = int64(g.Hedge), int64(g.MetadataEntries)
	s.LogManagement, s.LogManagementStrategy = known(g.LogManagement), known(g.LogManagementStrategy)
	s.RateLimitingInterval, s.RateLimitingLimit = new(int64(g.RateLimitingInterval/time.Second)), &g.RateLimitingLimit
	s.RateLimitingTechnique = known(g.RateLimitingTechnique)
	s.RequestTimeout, s.RetryDelay = known(int64(g.RequestTimeout/time.Millisecond)), new(int64(g.RetryDelay/time.Millisecond))
	s.RetryBackoff, s.RetryMaxAttempts = known(g.RetryBackoff), known(int64(g.RetryMaxAttempts))
	if g.SpendLimits != "" {
		s.SpendLimits = json.RawMessage(g.SpendLimits)
	}
	s.WorkersAIBillingMode = cmp.Or(g.WorkersAIBillingMode, s.WorkersAIBillingMode)
	return s
}

func isOn(b *bool) bool { return b != nil && *b }

// known returns nil for what is not set.
func known[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// valueOf is what p points at, the zero value where that is nothing.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// inForce returns what the settings come to.
func (s *Settings) inForce() *sluice.Gateway {
	return &sluice.Gateway{
		Authentication: valueOf(s.Authentication), CollectLogs: s.CollectLogs, CollectPayload: s.CollectPayload,
		MetadataEntries: int(s.MetadataEntries),
		CacheTTL:        time.Duration(s.CacheTTL) * time.Second, CacheInvalidateOnUpdate: s.CacheInvalidateOnUpdate,
		RateLimit: sluice.RateLimit{
			Max: valueOf(s.RateLimitingLimit), Per: time.Duration(valueOf(s.RateLimitingInterval)) * time.Second,
			Sliding: valueOf(s.RateLimitingTechnique) == "sliding",
		},
		Retry: sluice.Retry{
			MaxAttempts: int(valueOf(s.RetryMaxAttempts)), Delay: time.Duration(valueOf(s.RetryDelay)) * time.Millisecond,
			Backoff: sluice.Backoff(valueOf(s.RetryBackoff)),
		},
		RequestTimeout: time.Duration(valueOf(s.RequestTimeout)) * time.Millisecond, Hedge: int(s.Hedge),
		ByokOnly: valueOf(s.ByokOnly), LogClassification: valueOf(s.LogClassification), LogManagement: s.LogManagement,
		LogManagementStrategy: valueOf(s.LogManagementStrategy), Logpush: valueOf(s.Logpush), LogpushPublicKey: valueOf(s.LogpushPublicKey),
		StoreID: valueOf(s.StoreID), WorkersAIBillingMode: s.WorkersAIBillingMode, ZDR: valueOf(s.ZDR),
		DLP: s.DLP, Guardrails: s.Guardrails, OTel: s.OTel, SpendLimits: s.SpendLimits, Spend: spendInForce(s.SpendLimits), Stripe: s.Stripe,
	}
}

// encode returns the settings as a Store keeps them. Equal settings have equal bytes.
func (s *Settings) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decodeSettings reads what encode wrote. Settings that were not known then have their default.
func decodeSettings(text []byte) (Settings, error) {
	s := Defaults()
	err := json.Unmarshal(text, &s)
	for _, j := range s.documents() {
		if string(*j) == "null" {
			*j = nil
		}
	}
	return s, err
}

// documents are the settings that are JSON of their own.
func (s *Settings) documents() []*json.RawMessage {
	return []*json.RawMessage{&s.DLP, &s.Guardrails, &s.OTel, &s.SpendLimits, &s.Stripe}
}

// digest returns a number that is the same for equal settings, and for others most probably not. It
// stands for the version where nobody counts, and fits into the numbers of JavaScript.
func (s *Settings) digest() int64 {
	text, err := s.encode()
	if err != nil {
		return 0 // of documents that were checked when they came: cannot happen
	}
	h := fnv.New64a()
	_, _ = h.Write(text) // never fails
	return int64(h.Sum64() >> 11)
}

// Field describes one setting.
type Field struct {
	Name     string
	Type     FieldType
	Null     bool     // null is allowed
	Required bool     // create and update must name it
	Ours     bool     // the reference does not have it
	Min, Max int64    // of a number, or of a text's length; Max 0: no bounds
	Enum     []string // texts that are allowed; nil: any
	Unit     string   // "s" or "ms" where a duration may be written for the number
	Help     string

	index int
	form  string // of a document: "object", "otel" or "spend"
}

// FieldType is how a setting's value is written.
type FieldType string

// The types.
const (
	FieldBool   FieldType = "bool"
	FieldNumber FieldType = "number"
	FieldText   FieldType = "text"
	FieldJSON   FieldType = "json"
)

// Fields lists all settings, sorted by name.
func Fields() []Field {
	t := reflect.TypeFor[Settings]()
	fields := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		fields = append(fields, newField(i, t.Field(i)))
	}
	return fields
}

// newField reads the tags of a field. They are ours; a test finds what is wrong with them.
func newField(i int, s reflect.StructField) Field {
	tag := s.Tag
	f := Field{
		Name: tag.Get("json"), Required: tag.Get("required") == "true", Unit: tag.Get("unit"), index: i, form: tag.Get("form"),
	}
	f.Help, f.Ours = strings.CutPrefix(tag.Get("doc"), "ours: ")
	if enum := tag.Get("enum"); enum != "" {
		f.Enum = strings.Split(enum, ",")
	}
	low, high := "minimum", "maximum"
	t := s.Type
	if t.Kind() == reflect.Pointer {
		f.Null, t = true, t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		f.Type = FieldBool
	case reflect.Int64:
		f.Type = FieldNumber
	case reflect.String:
		f.Type, low, high = FieldText, "minLength", "maxLength"
	default:
		f.Type, f.Null = FieldJSON, true
	}
	f.Min, _ = strconv.ParseInt(tag.Get(low), 10, 64) // absent: 0
	f.Max, _ = strconv.ParseInt(tag.Get(high), 10, 64)
	return f
}
