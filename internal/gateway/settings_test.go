package gateway

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// inReference lists the fields of the reference's gateway that can be set (cloudflare-ai-gateway.md, 9.1).
func inReference() []string {
	return strings.Fields(`authentication byok_only cache_invalidate_on_update cache_ttl collect_logs dlp guardrails
		log_classification log_management log_management_strategy logpush logpush_public_key otel rate_limiting_interval
		rate_limiting_limit rate_limiting_technique retry_backoff retry_delay retry_max_attempts spend_limits store_id
		stripe workers_ai_billing_mode zdr`)
}

func TestFieldsAreTheReferencesAndOurs(t *testing.T) {
	var theirs, names []string
	for _, f := range Fields() {
		names = append(names, f.Name)
		if !f.Ours {
			theirs = append(theirs, f.Name)
		}
		if f.Help == "" || f.Type == FieldNumber && f.Max == 0 || f.Type == FieldText && f.Enum == nil && f.Max == 0 || f.Type == FieldJSON && f.form == "" {
			t.Errorf("%+v lacks help or bounds", f)
		}
	}
	if !slices.Equal(theirs, inReference()) {
		t.Errorf("the reference's fields are %q", theirs)
	}
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %q", names)
	}
	if want := []string{"cache_invalidate_on_update", "cache_ttl", "collect_logs", "rate_limiting_interval", "rate_limiting_limit"}; !slices.Equal(requiredNames(), want) {
		t.Errorf("required: %q", requiredNames())
	}
}

// TestTheFileHasTheSameBounds holds the tags of config.Gateway against those of Settings.
func TestTheFileHasTheSameBounds(t *testing.T) {
	fields := map[string]Field{}
	for _, f := range Fields() {
		fields[f.Name] = f
	}
	units := map[string]int64{"s": int64(time.Second), "ms": int64(time.Millisecond), "": 1}
	file := reflect.TypeFor[config.Gateway]()
	for i := range file.NumField() {
		tag := file.Field(i).Tag
		name := tag.Get("key")
		f, found := fields[name]
		if !found {
			t.Errorf("the API does not have %s", name)
			continue
		}
		limit, _ := strconv.ParseInt(tag.Get("max"), 10, 64)
		if f.Type == FieldNumber && limit != f.Max*units[f.Unit] {
			t.Errorf("%s: at most %d in the file, %d in the API", name, limit, f.Max*units[f.Unit])
		}
		if tag.Get("unit") != f.Unit || tag.Get("enum") != strings.Join(f.Enum, ",") {
			t.Errorf("%s: unit %q and enum %q in the file, %q and %q in the API", name, tag.Get("unit"), tag.Get("enum"), f.Unit, f.Enum)
		}
	}
}

// TestAllSettingsOfTheFileArrive sets one after the other and sees that the gateway differs.
func TestAllSettingsOfTheFileArrive(t *testing.T) {
	plain := fileSettings(config.Gateway{})
	file := reflect.TypeFor[config.Gateway]()
	for i := range file.NumField() {
		var g config.Gateway
		v := reflect.ValueOf(&g).Elem().Field(i)
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.ValueOf(new(file.Field(i).Tag.Get("default") != "true")))
		case reflect.String:
			enum := strings.Split(file.Field(i).Tag.Get("enum"), ",")
			v.SetString(enum[len(enum)-1])
			if v.Type() == reflect.TypeFor[config.JSON]() {
				v.SetString(`{"rules":[{"limit":1,"window":60}]}`)
			}
		default:
			v.SetInt(int64(2 * time.Second)) // whole in every unit
		}
		set := fileSettings(g)
		if set.digest() == plain.digest() {
			t.Errorf("%s makes no difference", file.Field(i).Name)
		}
		if reflect.DeepEqual(set.inForce(), plain.inForce()) {
			t.Errorf("%s is not in force", file.Field(i).Name)
		}
	}
}

// full is a body that says something of every setting.
const full = `{"id":"prod","authentication":true,"byok_only":true,"cache_invalidate_on_update":true,"cache_ttl":300,"collect_logs":false,
	"collect_payload":false,"dlp":{"enabled":true,"action":"BLOCK","profiles":["a<b"]},"guardrails":{"prompt":{"S1":"BLOCK"}},"hedge":5,
	"log_classification":true,"log_management":20000,"log_management_strategy":"STOP_INSERTING","logpush":true,
	"logpush_public_key":"0123456789abcdef","metadata_entries":7,"otel":[{"url":"https://x.test","headers":{"a":"b"}}],
	"rate_limiting_interval":60,"rate_limiting_limit":100,"rate_limiting_technique":"sliding","request_timeout":1500,
	"retry_backoff":"linear","retry_delay":250,"retry_max_attempts":3,"spend_limits":{"enabled":false,"rules":[]},"store_id":"s",
	"stripe":{"authorization":"x","usage_events":[]},"workers_ai_billing_mode":"unified","zdr":true}`

func parsed(t *testing.T, text string) Body {
	t.Helper()
	b, err := ParseBody([]byte(text))
	if err != nil {
		t.Fatalf("ParseBody(%s): %v", text, err)
	}
	return b
}

func TestEverySettingComesBackAsItWasSaid(t *testing.T) {
	s := Defaults()
	if err := parsed(t, full).apply(&s); err != nil {
		t.Fatal(err)
	}
	text, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := decodeSettings(text)
	if err != nil || !reflect.DeepEqual(s, stored) {
		t.Errorf("stored and read: %+v, %v; want %+v", stored, err, s)
	}
	var want, got map[string]any
	if json.Unmarshal([]byte(full), &want) != nil || json.Unmarshal(text, &got) != nil {
		t.Fatal("not JSON")
	}
	delete(want, "id")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	g := s.inForce()
	want2 := &sluice.Gateway{
		Authentication: true, MetadataEntries: 7, CacheTTL: 5 * time.Minute, CacheInvalidateOnUpdate: true,
		RateLimit:      sluice.RateLimit{Max: 100, Per: time.Minute, Sliding: true},
		Retry:          sluice.Retry{MaxAttempts: 3, Delay: 250 * time.Millisecond, Backoff: sluice.BackoffLinear},
		RequestTimeout: 1500 * time.Millisecond, Hedge: 5, ByokOnly: true, LogClassification: true, LogManagement: new(int64(20000)),
		LogManagementStrategy: "STOP_INSERTING", Logpush: true, LogpushPublicKey: "0123456789abcdef", StoreID: "s",
		WorkersAIBillingMode: "unified", ZDR: true, DLP: s.DLP, Guardrails: s.Guardrails, OTel: s.OTel, SpendLimits: s.SpendLimits, Stripe: s.Stripe,
	}
	if !reflect.DeepEqual(g, want2) {
		t.Errorf("in force: %+v; want %+v", g, want2)
	}
}

func TestNullSetsBackAndWhatIsLeftOutStays(t *testing.T) {
	s := Defaults()
	if err := parsed(t, full).apply(&s); err != nil {
		t.Fatal(err)
	}
	all := s
	base := `{"cache_invalidate_on_update":true,"cache_ttl":300,"collect_logs":false,"rate_limiting_interval":60,"rate_limiting_limit":100}`
	if err := parsed(t, base).apply(&s); err != nil || !reflect.DeepEqual(s, all) {
		t.Errorf("what was left out has changed: %+v, %v", s, err)
	}
	nulls := map[string]any{}
	for _, f := range Fields() {
		nulls[f.Name] = nil
	}
	nulls["cache_invalidate_on_update"], nulls["collect_logs"] = false, true
	text, _ := json.Marshal(nulls)
	if err := parsed(t, string(text)).apply(&s); err != nil || !reflect.DeepEqual(s, Defaults()) {
		t.Errorf("nulls give %+v, %v; want the defaults", s, err)
	}
	out, _ := s.encode()
	for _, want := range []string{`"cache_ttl":0`, `"rate_limiting_limit":null`, `"rate_limiting_technique":null`, `"retry_delay":null`, `"dlp":null`, `"otel":null`, `"metadata_entries":5`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
	if back, err := decodeSettings(out); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("stored and read: %+v, %v", back, err)
	}
}

func TestADocumentWrittenInAnotherWayIsTheSame(t *testing.T) {
	a, b := Defaults(), Defaults()
	name := `{"cache_invalidate_on_update":true,"cache_ttl":0,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0,"dlp":`
	if err := errors.Join(parsed(t, name+`{"a":"<\u00e9","n":1.50}}`).apply(&a), parsed(t, name+"{ \"n\":1.50,\"a\":\"\\u003c\u00e9\"}}").apply(&b)); err != nil {
		t.Fatal(err)
	}
	if a.digest() != b.digest() || string(a.DLP) != `{"a":"<é","n":1.50}` {
		t.Errorf("%s and %s", a.DLP, b.DLP)
	}
}

func TestAllThatIsWrongComesInOneAnswer(t *testing.T) {
	wrong := map[string][]string{
		"authentication": {`"true"`, `1`, `{}`}, "collect_logs": {`null`}, "cache_ttl": {`-1`, `1.5`, `"300"`, `true`, `1e300`, `99999999999999999999`},
		"rate_limiting_limit": {`-1`, `9007199254740992`}, "rate_limiting_interval": {`-1`}, "rate_limiting_technique": {`"Fixed"`, `""`, `1`},
		"retry_max_attempts": {`0`, `6`}, "retry_delay": {`60001`}, "retry_backoff": {`"random"`}, "log_management": {`9999`, `10000001`},
		"log_management_strategy": {`"KEEP"`}, "logpush_public_key": {`"short"`, `"` + strings.Repeat("x", 1025) + `"`}, "workers_ai_billing_mode": {`"free"`},
		"dlp": {`[]`, `"x"`}, "otel": {`{}`, `[{"url":"x"}]`, `[1]`, `[null]`, `[{"url":1,"headers":{}}]`}, "guardrails": {`true`},
		"hedge": {`101`}, "metadata_entries": {`65`}, "request_timeout": {`3600001`}, "store_id": {`1`}, "spend_limits": {`{"a":"` + strings.Repeat("x", maxDocument) + `"}`},
	}
	for name, values := range wrong {
		for _, value := range values {
			body := parsed(t, `{"`+name+`":`+value+`}`)
			s := Defaults()
			faults, _ := errors.AsType[Faults](body.apply(&s))
			found := slices.ContainsFunc(faults, func(e *sluice.Error) bool {
				return e.Field == name && e.Kind == sluice.KindInvalid && strings.HasPrefix(e.Msg, name+" must be ")
			})
			if !found {
				t.Errorf("%s = %.40s: %v", name, value, faults)
			}
		}
	}
	s := Defaults()
	faults, _ := errors.AsType[Faults](parsed(t, `{"retry_delay":-1,"zdr":7}`).apply(&s))
	var fields []string
	for _, e := range faults {
		fields = append(fields, e.Field)
	}
	if want := append(requiredNames(), "retry_delay", "zdr"); !slices.Equal(fields, want) {
		t.Errorf("faults of %q; want %q", fields, want)
	}
	if sluice.KindOf(faults) != sluice.KindInvalid {
		t.Errorf("kind %v", sluice.KindOf(faults))
	}
}

func TestWhatIsNoBody(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{", "{}{}", "{} x", `{"a":1,"a":2}`, `{"a":}`, "\xff", "{\"a\":\"\xff\"}", `"x"`} {
		if _, err := ParseBody([]byte(text)); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	b := parsed(t, `{"id":"x","version":3,"created_at":"","Cache_TTL":1,"cache_tll":2}`)
	if !slices.Equal(b.Ignored, []string{"Cache_TTL", "cache_tll"}) {
		t.Errorf("ignored: %q", b.Ignored)
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]bool{`"a"`: true, `"my-gateway_1"`: true, `""`: false, `"A"`: false, `"a b"`: false, `"a/b"`: false, `1`: false, `null`: false, `"` + strings.Repeat("a", 64) + `"`: true, `"` + strings.Repeat("a", 65) + `"`: false} {
		if _, err := parsed(t, `{"id":`+id+`}`).ID(); (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestValuesAsPeopleWriteThem(t *testing.T) {
	fields := map[string]Field{}
	for _, f := range Fields() {
		fields[f.Name] = f
	}
	tests := []struct{ name, text, want string }{
		{"cache_ttl", "5m", "300"},
		{"cache_ttl", "300", "300"},
		{"cache_ttl", "1d", "86400"},
		{"retry_delay", "1.5s", "1500"},
		{"authentication", "on", "true"},
		{"authentication", "no", "false"},
		{"rate_limiting_technique", "sliding", `"sliding"`},
		{"rate_limiting_technique", "null", "null"},
		{"log_management", "null", "null"},
		{"dlp", `{"enabled": true}`, `{"enabled": true}`},
		{"cache_ttl", "500ms", ""},
		{"cache_ttl", "soon", ""},
		{"cache_ttl", "", ""},
		{"authentication", "maybe", ""},
		{"rate_limiting_technique", "loose", ""},
		{"dlp", "{", ""},
		{"collect_logs", "null", ""},
	}
	for _, tt := range tests {
		f := fields[tt.name]
		got, err := f.Text(tt.text)
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s=%s: %s, %v; want %s", tt.name, tt.text, got, err, tt.want)
		}
		if e, ok := errors.AsType[*sluice.Error](err); err != nil && (!ok || e.Field != tt.name) {
			t.Errorf("%s=%s: %v does not name the field", tt.name, tt.text, err)
		}
	}
}

// FuzzBody holds that no body breaks anything: what is taken can be stored and read again, and is the same.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{full, "{}", `{"cache_ttl":3e2}`, `{"otel":[{"url":"","headers":{}}],"dlp":{}}`, `{"a":{"a":1,"a":2}}`, `[[[[`} {
		f.Add([]byte(seed))
	}
	base := []byte(`"cache_invalidate_on_update":true,"cache_ttl":1,"collect_logs":true,"rate_limiting_interval":1,"rate_limiting_limit":1}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, body := range [][]byte{text, append(append(text[:len(text):len(text)], ','), base...)} {
			b, err := ParseBody(body)
			if err != nil {
				continue
			}
			_, _ = b.ID()
			s := Defaults()
			if b.apply(&s) != nil {
				continue
			}
			stored, err := s.encode()
			if err != nil {
				t.Fatalf("%s is taken and cannot be stored: %v", body, err)
			}
			back, err := decodeSettings(stored)
			if err != nil || back.digest() != s.digest() {
				t.Errorf("%s: stored %s, read %+v, %v", body, stored, back, err)
			}
		}
	})
}
