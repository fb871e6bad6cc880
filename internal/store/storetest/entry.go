package storetest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Full makes an entry in which every field has a value of its own, so that none can be forgotten.
func Full(id sluice.ID, start time.Time) sluice.LogEntry {
	var e sluice.LogEntry
	n := 0
	fill(reflect.ValueOf(&e).Elem(), &n)
	e.ID, e.Start = id, start
	e.Usage = usage(100)
	for i := range e.Attempts {
		e.Attempts[i].Usage = usage(int64(200 * i))
	}
	e.Ending, e.Cache, e.Feedback = sluice.EndingCut, sluice.CacheMiss, -1
	for i := range e.Metadata {
		e.Metadata[i].Kind = sluice.MetaKind(i % 3)
	}
	return e
}

func usage(n int64) sluice.Usage {
	u := sluice.Usage{Basis: sluice.BasisPartial}
	for class := range sluice.ClassCount {
		if class != sluice.AudioIn {
			u.Set(class, n+int64(class))
		}
	}
	return u
}

// fill gives every exported field below v a value that is not zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1001)
	case reflect.Int8, reflect.Int16, reflect.Int32:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				fill(v.Field(i), n)
			}
		}
	}
}

// Same reports where two entries differ; empty and missing lists are the same.
func Same(t rapid.TB, got, want sluice.LogEntry) {
	t.Helper()
	if !got.Start.Equal(want.Start) {
		t.Errorf("Start = %v; want %v", got.Start, want.Start)
	}
	got.Start = want.Start
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		a, b := g.Field(i), w.Field(i)
		if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			t.Errorf("%s = %+v; want %+v", g.Type().Field(i).Name, a, b)
		}
	}
}

// unsafeString is a string that changes with b: what a reader of records may hand out.
func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

// The few values that drawn entries and filters have in common, so that filters find something.
func drawnTexts() []string {
	return []string{"", "openai", "Anthropic", "gpt-4.1", "gpt-4.1-mini", "a*b", `back\slash`, `quo"te`, "ünïcode", "with space", "x,y:z", "42", "-1.5", "yes"}
}

func drawnKeys() []string { return []string{"user_id", "team", "Team", "odd key", ""} }

// Draw makes an entry that starts within a few days around a time.
func Draw(t *rapid.T, ids *sluice.IDs, around time.Time) sluice.LogEntry {
	text := func(label string) string { return rapid.SampledFrom(drawnTexts()).Draw(t, label) }
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	small := func(label string) int64 { return rapid.Int64Range(0, 3).Draw(t, label) }
	start := around.Add(time.Duration(rapid.Int64Range(-36*60, 36*60).Draw(t, "minutes")) * time.Minute)
	e := sluice.LogEntry{
		ID: ids.New(start), Start: start, Account: "acme", Gateway: rapid.SampledFrom([]string{"main", "side", ""}).Draw(t, "gateway"),
		Provider: text("provider"), Model: text("model"), Served: text("served"), Endpoint: text("endpoint"), Method: text("method"),
		Path: text("path"), Type: text("type"), Status: rapid.SampledFrom([]int{0, 200, 204, 400, 429, 499, 500, 503}).Draw(t, "status"),
		Success: flag("success"), Ending: sluice.Ending(rapid.IntRange(0, int(sluice.EndingPanic)).Draw(t, "ending")),
		ErrorKind: text("error kind"), ErrorText: text("error text"), Streamed: flag("streamed"),
		Cache: sluice.CacheStatus(small("cache") % 3), Key: text("key"), UserAgent: text("user agent"), EventID: text("event"), TraceID: text("trace"),
		CacheReason: text("cache reason"), Step: int(small("step")),
		Finish: text("finish"), Feedback: int8(small("feedback")%3 - 1), Priced: flag("priced"),
		Request: sluice.Body{Size: small("size"), Type: text("request type")}, Response: sluice.Body{Size: small("size"), Type: text("response type")},
		Attempts: make([]sluice.Attempt, small("attempts")),
	}
	for range small("entries of metadata") {
		e.Metadata = append(e.Metadata, sluice.MetaValue{Key: rapid.SampledFrom(drawnKeys()).Draw(t, "meta key"), Value: text("meta value"), Kind: sluice.MetaKind(small("kind") % 3)})
	}
	if e.Priced {
		e.Cost = sluice.NanoUSD(small("cost") * 5e8)
	}
	e.Timeline.End = time.Duration(small("end")) * 1500 * time.Microsecond
	e.Timeline.FirstToken = time.Duration(small("first")) * time.Millisecond
	e.Timeline.Received = time.Duration(small("received")) * 100 * time.Microsecond
	if e.Cache == sluice.CacheHit {
		e.Saved = sluice.Saving{Cost: sluice.NanoUSD(small("saved cost")), Priced: true, Time: time.Duration(small("saved time")) * time.Millisecond}
	}
	for i := range e.Attempts {
		e.Attempts[i] = drawAttempt(t, text, small)
	}
	for range small("charges") / 2 {
		c := sluice.Charge{Model: text("charged model"), Priced: flag("charge priced"), Usage: sluice.Usage{Basis: sluice.BasisProvider}}
		if c.Priced {
			c.Cost = sluice.NanoUSD(small("charge"))
		}
		c.Usage.Set(sluice.Input, small("charged tokens"))
		e.Charges = append(e.Charges, c)
	}
	e.Usage.Basis = sluice.Basis(rapid.IntRange(0, int(sluice.BasisCached)).Draw(t, "basis"))
	for class := range sluice.Class(3) {
		if flag("known") {
			e.Usage.Set(class, small("tokens"))
		}
	}
	return e
}

func drawAttempt(t *rapid.T, text func(string) string, small func(string) int64) sluice.Attempt {
	a := sluice.Attempt{
		Step: int(small("attempt's step")), Provider: text("attempt's provider"), Model: text("attempt's model"), Host: "host",
		Status: rapid.SampledFrom([]int{0, 200, 429, 500}).Draw(t, "attempt's status"), Cause: rapid.SampledFrom([]string{"", "", "dial", "timeout"}).Draw(t, "cause"),
		Start: time.Duration(small("attempt's start")) * time.Millisecond, End: time.Duration(small("attempt's end")) * time.Millisecond,
	}
	if small("attempt's usage") > 1 {
		a.Usage.Basis = sluice.BasisPartial
		a.Usage.Set(sluice.Output, small("attempt's tokens"))
		if a.Priced = small("attempt priced") > 1; a.Priced {
			a.Cost = sluice.NanoUSD(small("attempt's cost") * 1e9)
		}
	}
	return a
}

// DrawFilter makes a filter of up to three terms, over all fields and relations.
func DrawFilter(t *rapid.T) reqlog.Filter {
	var f reqlog.Filter
	for range rapid.IntRange(0, 3).Draw(t, "terms") {
		f.Terms = append(f.Terms, drawTerm(t))
	}
	return f
}

func drawTerm(t *rapid.T) reqlog.Term {
	text := rapid.SampledFrom(append(drawnTexts(), "GPT*", "*mini", "*", "*a*c*e", "g*4*i", `a\*b`, "none"))
	number := rapid.SampledFrom([]string{"0", "1", "2", "0.5", "1.5", "3", "-1", "none"})
	values := map[reqlog.Field]*rapid.Generator[string]{
		reqlog.FieldDuration: rapid.SampledFrom([]string{"0", "1.5", "2ms", "1500us", "3ms", "1s", "none"}),
		reqlog.FieldTTFT:     rapid.SampledFrom([]string{"0", "1", "2ms", "1.0005ms", "none"}),
		reqlog.FieldCost:     rapid.SampledFrom([]string{"0", "0.5", "$1", "0.25", "none"}),
		reqlog.FieldTokens:   number, reqlog.FieldTokensIn: number, reqlog.FieldTokensOut: number,
		reqlog.FieldAttempts: number, reqlog.FieldFeedback: number,
		reqlog.FieldStatus:  rapid.SampledFrom(append(statusNames(), "200", "429", "4xx", "5xx", "none")),
		reqlog.FieldSuccess: rapid.SampledFrom([]string{"yes", "no"}), reqlog.FieldStream: rapid.SampledFrom([]string{"yes", "no"}), reqlog.FieldCached: rapid.SampledFrom([]string{"yes", "no"}),
		reqlog.FieldCreated: rapid.SampledFrom([]string{"2025-06-09", "2025-06-10T12", "2025-06-10T12:30", "2025-06-10T11:59:59Z"}),
		reqlog.FieldRange:   rapid.SampledFrom([]string{"1h", "5000w"}),
		reqlog.FieldEnding:  rapid.SampledFrom([]string{"cut", "c*", "client_*", "nothing", "*"}),
		reqlog.FieldCache:   rapid.SampledFrom([]string{"hit", "MISS", "o*"}),
		reqlog.FieldBasis:   rapid.SampledFrom([]string{"provider", "*ed", "none"}),
		reqlog.FieldGateway: rapid.SampledFrom([]string{"main", "side", "", "s*", "*"}),
	}
	fields := reqlog.Fields()
	term := reqlog.Term{Field: rapid.SampledFrom(fields).Draw(t, "field"), Not: rapid.Bool().Draw(t, "not")}
	if term.Field == reqlog.FieldID {
		term.Field = reqlog.FieldModel
	}
	if term.Field == reqlog.FieldMeta {
		term.Key = rapid.SampledFrom(drawnKeys()).Draw(t, "key")
	}
	value, isNumber := values[term.Field]
	if !isNumber {
		value = text
	}
	ops := []reqlog.Op{reqlog.OpEq, reqlog.OpContains}
	if !reqlog.HasTexts(term.Field) {
		ops = []reqlog.Op{reqlog.OpEq, reqlog.OpLt, reqlog.OpLte, reqlog.OpGt, reqlog.OpGte, reqlog.OpBetween}
	}
	term.Op = rapid.SampledFrom(ops).Draw(t, "op")
	for range rapid.IntRange(1, 3).Draw(t, "values") {
		v := value.Draw(t, "value")
		if term.Op == reqlog.OpBetween {
			v += ".." + value.Draw(t, "to")
		}
		term.Values = append(term.Values, v)
	}
	if _, err := term.Compile(time.Now()); err != nil {
		// What has no order, or no such end of a range, is at least equal or not.
		term.Op = reqlog.OpEq
		for i, v := range term.Values {
			term.Values[i], _, _ = strings.Cut(v, "..")
		}
	}
	return term
}

func statusNames() []string {
	var names []string
	for _, c := range reqlog.StatusClasses() {
		names = append(names, c.Name)
	}
	return names
}

// near reports whether a duration that comes from a histogram is as good as promised.
func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= 0.05*float64(want)+float64(2*time.Microsecond)
}
