package admin

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

func TestMoneyIsAnExactDecimal(t *testing.T) {
	for _, c := range []struct {
		m    Money
		want string
	}{
		{Money{}, "null"},
		{Money{0, true}, "0"},
		{Money{1, true}, "0.000000001"},
		{Money{56_800, true}, "0.0000568"},
		{Money{1_000_000_000, true}, "1"},
		{Money{1_500_000_000, true}, "1.5"},
		{Money{-21_100_000, true}, "-0.0211"},
		{Money{9_223_372_036_854_775_807, true}, "9223372036.854775807"},
		{Money{-9_223_372_036_854_775_808, true}, "-9223372036.854775808"},
	} {
		if got, err := json.Marshal(c.m); string(got) != c.want || err != nil {
			t.Errorf("%+v: %s, %v; want %s", c.m, got, err, c.want)
		}
	}
	for d, want := range map[Millis]string{0: "null", Millis(time.Microsecond): "0.001", Millis(2100 * time.Millisecond): "2100", Millis(1500 * time.Microsecond): "1.5"} {
		if got, err := json.Marshal(d); string(got) != want || err != nil {
			t.Errorf("%d: %s, %v; want %s", d, got, err, want)
		}
	}
}

func TestClipCutsAtRunes(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"ééééé", 8, "éé…"}, {"ééééé", 9, "ééé…"}, {"\xff\xff\xff\xff", 3, "…"},
	} {
		if got := clip(c.s, c.n); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

// jsonObject marshals v and reads it back, numbers as texts.
func jsonObject(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return m
}

func TestAnEntryHasTheReferencesFields(t *testing.T) {
	var ids sluice.IDs
	e := entryAt(&ids, 0)
	e.Metadata = []sluice.MetaValue{
		{Key: "user_id", Value: "42", Kind: sluice.MetaNumber},
		{Key: "team", Value: "a\"b", Kind: sluice.MetaString},
		{Key: "test", Value: "true", Kind: sluice.MetaBool},
		{Key: "broken", Value: "1e", Kind: sluice.MetaNumber},
	}
	got := jsonObject(t, viewEntry(&e, basisAttempts))
	want := map[string]any{
		"id": e.ID.String(), "created_at": "2025-11-24T14:00:00.000Z", "provider": "openai", "model": "gpt-4.1-mini",
		"model_type": "text generation", "path": "chat/completions", "duration": json.Number("412"), "request_type": nil,
		"request_content_type": "application/json", "response_content_type": "application/json", "status_code": json.Number("200"),
		"success": true, "cached": false, "tokens_in": json.Number("14"), "tokens_out": json.Number("32"), "cost": json.Number("0.0000568"),
		"custom_cost": false, "step": json.Number("0"),
		"metadata": map[string]any{"user_id": json.Number("42"), "team": `a"b`, "test": true, "broken": "1e"},

		"gateway": "default", "served_model": "gpt-4.1-mini-2025-04-14", "endpoint": "chat/completions", "ending": "complete", "error_kind": nil,
		"error_text": nil, "streamed": false, "ttft": json.Number("181"), "attempt_count": json.Number("1"), "key": nil, "usage_basis": "provider",
		"usage":    map[string]any{"basis": "provider", "input": json.Number("14"), "output": json.Number("32")},
		"timeline": map[string]any{"received_ms": json.Number("1.2"), "connected_ms": json.Number("2"), "sent_ms": json.Number("3"), "first_byte_ms": json.Number("180"), "first_token_ms": json.Number("181"), "end_ms": json.Number("412")},
	}
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s = %#v, want %#v", name, got[name], value)
		}
	}
}

func TestWhatIsNotKnownIsNull(t *testing.T) {
	e := sluice.LogEntry{Start: base, Ending: sluice.EndingRefused}
	got := jsonObject(t, viewEntry(&e, basisRequests))
	for _, name := range []string{
		"model_type", "request_type", "request_content_type", "response_content_type", "status_code", "tokens_in", "tokens_out", "cost",
		"served_model", "endpoint", "error_kind", "error_text", "ttft", "key", "finish", "user_agent", "event_id", "trace_id", "feedback", "score",
	} {
		if v, there := got[name]; !there || v != nil {
			t.Errorf("%s = %v, want null", name, v)
		}
	}
	for _, name := range []string{"attempts", "notes", "request_headers", "response_headers"} {
		if v, ok := got[name].([]any); !ok || len(v) != 0 {
			t.Errorf("%s = %v, want an empty list", name, got[name])
		}
	}
}

func TestACacheHitHasNoTokensInTheReferencesShape(t *testing.T) {
	var ids sluice.IDs
	e := entryAt(&ids, 0)
	e.Cache, e.Cost, e.Usage.Basis = sluice.CacheHit, 0, sluice.BasisCached
	reference, ours := jsonObject(t, viewEntry(&e, basisAttempts)), jsonObject(t, viewEntry(&e, basisRequests))
	if reference["tokens_in"] != json.Number("0") || reference["cost"] != json.Number("0") || reference["cached"] != true {
		t.Errorf("as in the reference: %v tokens, cost %v", reference["tokens_in"], reference["cost"])
	}
	if ours["tokens_in"] != json.Number("14") || ours["usage_basis"] != "cached" {
		t.Errorf("ours: %v tokens, basis %v", ours["tokens_in"], ours["usage_basis"])
	}
}

// full fills every field of an entry with something.
func full(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				full(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		full(t, v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			full(t, v.Index(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		t.Fatalf("no value for %s", v.Type())
	}
}

// TestNoFieldOfALogEntryIsForgotten changes one field of an entry after the other: the view must show
// a difference, or the field stands in the list of those that it does not show.
func TestNoFieldOfALogEntryIsForgotten(t *testing.T) {
	hidden := []string{"Account"} // it stands in the path
	typ := reflect.TypeFor[sluice.LogEntry]()
	empty := jsonObject(t, viewEntry(&sluice.LogEntry{}, basisRequests))
	for i := range typ.NumField() {
		var e sluice.LogEntry
		name := typ.Field(i).Name
		switch name {
		case "Start":
			e.Start = base
		case "Usage":
			e.Usage.Set(sluice.Reasoning, 3)
		case "Cost":
			e.Cost, e.Priced = 1, true
		case "Score":
			e.Score, e.Scored = 1, true
		default:
			full(t, reflect.ValueOf(&e).Elem().Field(i))
		}
		shown := !reflect.DeepEqual(jsonObject(t, viewEntry(&e, basisRequests)), empty)
		if shown == slices.Contains(hidden, name) {
			t.Errorf("%s: shown %v", name, shown)
		}
	}
}

func TestARowOfAListIsSmall(t *testing.T) {
	var ids sluice.IDs
	fields := newFieldSet()
	size := func(e *sluice.LogEntry) int {
		v := viewEntry(e, basisRequests)
		v.cutForList()
		b, err := json.Marshal(Row{v, &fields, fields.list})
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	ordinary := entryAt(&ids, 0)
	ordinary.Metadata = []sluice.MetaValue{{Key: "user_id", Value: "42", Kind: sluice.MetaNumber}, {Key: "team", Value: "search"}, {Key: "request", Value: "019a7b3e-5f2c-7d10-8a4e-0123456789c0"}}
	if n := size(&ordinary); n > 1024 {
		t.Errorf("an ordinary row has %d bytes", n)
	}
	hostile := entryAt(&ids, 0)
	long := strings.Repeat("\"<é\x00", 20_000)
	for _, s := range []*string{&hostile.Model, &hostile.Served, &hostile.Path, &hostile.ErrorText, &hostile.Key, &hostile.Provider, &hostile.Request.Type, &hostile.Response.Type} {
		*s = long
	}
	hostile.Metadata = []sluice.MetaValue{{Key: "k", Value: "v"}, {Key: long, Value: long}}
	if n := size(&hostile); n > 8<<10 {
		t.Errorf("a row with hostile texts has %d bytes", n)
	}
	v := viewEntry(&hostile, basisRequests)
	v.cutForList()
	for _, name := range []string{"model", "served_model", "path", "error_text", "key", "metadata"} {
		if !slices.Contains(v.Cut, name) {
			t.Errorf("%s was cut without a word: %q", name, v.Cut)
		}
	}
	if len(v.Metadata) != 1 || hostile.Metadata[1].Key != long {
		t.Errorf("metadata: %d entries", len(v.Metadata))
	}
}

func TestAnAttemptIsAnEntryInTheReferencesShape(t *testing.T) {
	var ids sluice.IDs
	e := entryAt(&ids, 0)
	var spent sluice.Usage
	spent.Set(sluice.Input, 9)
	e.Attempts = []sluice.Attempt{
		{Provider: "anthropic", Model: "claude", Status: 529, Cause: "upstream_status", Start: 2 * time.Millisecond, First: 50 * time.Millisecond, End: 60 * time.Millisecond, Usage: spent, Cost: 7, Priced: true},
		{Provider: "anthropic", Model: "claude", Cause: "timeout", Start: 70 * time.Millisecond, End: 100 * time.Millisecond},
		{Provider: "openai", Model: "gpt-4.1-mini", Step: 1, Status: 200, Start: 200 * time.Millisecond, First: 50 * time.Millisecond, End: 210 * time.Millisecond},
	}
	items := itemsOf(&e, basisAttempts)
	if len(items) != 3 || len(itemsOf(&e, basisRequests)) != 1 {
		t.Fatalf("%d items", len(items))
	}
	for i, want := range []struct {
		attempt  int
		provider string
		status   int
		success  bool
		step     int
		ending   sluice.Ending
		duration time.Duration
		input    int64
	}{
		{1, "anthropic", 529, false, 0, sluice.EndingComplete, 60 * time.Millisecond, 9},
		{2, "anthropic", 0, false, 0, sluice.EndingTimeout, 100 * time.Millisecond, 0},
		{0, "openai", 200, true, 1, sluice.EndingComplete, 212 * time.Millisecond, 14},
	} {
		got := &items[i].entry
		in, _ := got.Usage.Get(sluice.Input)
		if got.ID.Attempt() != want.attempt || got.ID.WithAttempt(0) != e.ID || got.Provider != want.provider || got.Status != want.status || got.Success != want.success ||
			items[i].entry.Step != want.step || got.Ending != want.ending || got.Timeline.End != want.duration || in != want.input {
			t.Errorf("attempt %d = %+v, step %d", i, got, items[i].entry.Step)
		}
	}
	if v := viewAttempts(&e); v[0].ID != e.ID.WithAttempt(1).String() || v[2].ID != e.ID.String() {
		t.Errorf("ids inside the request: %s, %s", v[0].ID, v[2].ID)
	}
}

// BenchmarkPage writes the rows of a page of 50 as a list shows them.
func BenchmarkPage(b *testing.B) {
	var ids sluice.IDs
	s := &server{fields: newFieldSet()}
	stored := make([]reqlog.Row, 50)
	for i := range stored {
		stored[i].Entry = entryAt(&ids, 0)
		stored[i].Entry.Metadata = []sluice.MetaValue{{Key: "user_id", Value: "42", Kind: sluice.MetaNumber}, {Key: "team", Value: "search"}}
	}
	q := &logsQuery{keep: s.fields.list, basis: basisRequests}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(s.rows(stored, q)); err != nil {
			b.Fatal(err)
		}
	}
}
