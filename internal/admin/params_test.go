package admin

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

func TestRangesOfTime(t *testing.T) {
	now := base
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for s, want := range map[string][2]time.Time{
		"":                              {},
		"15m":                           {now.Add(-15 * time.Minute), {}},
		"24h":                           {now.Add(-24 * time.Hour), {}},
		"7d":                            {now.AddDate(0, 0, -7), {}},
		"2w":                            {now.AddDate(0, 0, -14), {}},
		"2026-11-01..2026-11-02":        {at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z")},
		"2026-11-01T00:00Z..":           {at("2026-11-01T00:00:00Z"), {}},
		"..2026-11-01T02:00:00.5+02:00": {{}, at("2026-11-01T00:00:00.5Z")},
		"..":                            {},
	} {
		from, to, err := parseRange(s, now)
		if err != nil || !from.Equal(want[0]) || !to.Equal(want[1]) {
			t.Errorf("%q: %v, %v, %v; want %v", s, from, to, err, want)
		}
	}
	for _, s := range []string{"h", "0h", "-1h", "1.5h", "24", "1y", "99999999999d", "4000d", "x..", "..x", "2026-11-02..2026-11-01", "2026-11-01..2026-11-01"} {
		if _, _, err := parseRange(s, now); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzRange: what is read lies the right way round, and its length is bounded.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"24h", "7d", "2026-11-01..2026-11-02", "..", "2026-11-01T00:00Z..", "999999999w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, err := parseRange(s, base)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if !from.IsZero() && !to.IsZero() && !from.Before(to) {
			t.Errorf("%q: from %v to %v", s, from, to)
		}
	})
}

// FuzzCursor: what is read leads one way or the other, and what is not is the caller's fault.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"n.x", "p.12", "n.", ".", "z.1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var q reqlog.Query
		err := setCursor(&q, s)
		if err != nil && sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%q: %v", s, err)
		}
		mark := map[bool]string{false: cursorNext, true: cursorPrev}[q.Back]
		if err == nil && mark+q.Cursor != s {
			t.Errorf("%q became %+v", s, q)
		}
	})
}

// FuzzFilters: whatever stands in the query, it is read or refused; and a list in JSON reads as its
// dotted form does, and becomes conditions that compile.
func FuzzFilters(f *testing.F) {
	for _, s := range []string{
		"filters=" + url.QueryEscape(`[{"key":"provider","operator":"eq","value":["openai"]},{"key":"cost","operator":"gt","value":[0.01,1]}]`),
		"filters.key=provider&filters.operator=eq&filters.value=openai&filters.key=cost&filters.operator=lt&filters.value=1&filters.value=2",
		"filters.value=x&filters.key=model_type&filters.operator=contains", "filters=%zz", "filters.key", "filters=[]&filters=null&filters=[null]",
		`filters=[{"key":"metadata.value","operator":"contains","value":["*",null,true,-1e9,"\\"]}]`, "fil%74ers=x&a=b;c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		conditions, err := parseConditions(query)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		dotted := ""
		for i := range conditions {
			c := &conditions[i]
			if c.Key == "" || c.Operator == "" {
				return // the dotted form cannot say so
			}
			dotted += "&filters.key=" + url.QueryEscape(c.Key) + "&filters.operator=" + url.QueryEscape(c.Operator)
			for _, v := range c.values {
				dotted += "&filters.value=" + url.QueryEscape(v)
			}
			c.Value = nil
		}
		again, err := parseConditions(dotted)
		same := func(a, b condition) bool {
			return a.Key == b.Key && a.Operator == b.Operator && slices.Equal(a.values, b.values)
		}
		if err != nil || !slices.EqualFunc(conditions, again, same) {
			t.Errorf("%q: %+v, dotted %+v, %v", query, conditions, again, err)
		}
		b := filterBuilder{now: base}
		for _, c := range conditions {
			if b.add("filters", "", c) != nil {
				return
			}
		}
		if _, err := b.done(); err != nil && len(b.filter.Terms) <= 64 && sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%q: %v", query, err)
		}
	})
}

func TestEveryKeyOfTheReferenceIsKnown(t *testing.T) {
	reference := []string{
		"id", "created_at", "request_content_type", "response_content_type", "request_type", "success", "cached", "provider", "model", "model_type",
		"cost", "tokens", "tokens_in", "tokens_out", "duration", "feedback", "event_id", "metadata.key", "metadata.value", "authentication", "wholesale",
		"compatibilityMode", "dlp_action", "user_agent",
	}
	sample := map[string]string{"id": "019a7b3e-5f2c-7d10-8a4e-0123456789c0", "created_at": "2025-11-24T00:00:00Z", "success": "true", "cached": "false"}
	for _, key := range reference {
		value := sample[key]
		if value == "" {
			value = "1"
		}
		for _, op := range []string{"eq", "neq"} {
			b := filterBuilder{now: base}
			if err := b.add("filters", "", condition{Key: key, Operator: op, values: []string{value}}); err != nil {
				t.Errorf("%s %s: %v", key, op, err)
			}
		}
	}
	if len(filterKeys()) != len(reference) {
		t.Errorf("%d keys", len(filterKeys()))
	}
}

func TestFieldsAreInTheOrderAsked(t *testing.T) {
	fields := newFieldSet()
	keep, err := fields.pick("cost, id,provider", false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(Row{&Entry{ID: "x", Provider: "<p>", Cost: Money{1, true}}, &fields, keep})
	if want := `{"id":"x","cost":0.000000001,"provider":"\u003cp\u003e"}`; string(b) != want || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	if n := reflect.TypeFor[Entry]().NumField(); len(fields.entry) != n || len(fields.byName) != n {
		t.Errorf("%d fields of %d, %d names", len(fields.entry), n, len(fields.byName))
	}
}

// FuzzAppendText: a text is written as encoding/json writes it.
func FuzzAppendText(f *testing.F) {
	for _, s := range []string{"", "plain", "<a>&", "\"\\\n\x00\x7f", "é\u2028", "\xff\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		got, err2 := appendText([]byte("x"), s)
		if err != nil || err2 != nil || string(got) != "x"+string(want) {
			t.Errorf("%q: %s, %v; want %s, %v", s, got, err2, want, err)
		}
	})
}
