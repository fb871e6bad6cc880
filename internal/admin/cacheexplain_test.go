package admin

import (
	"encoding/json"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestWhyTheCacheDidNotAnswer(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	missed := func(change ...func(e *sluice.LogEntry)) func(e *sluice.LogEntry) {
		return func(e *sluice.LogEntry) {
			e.Cache, e.CacheReason = sluice.CacheMiss, "absent"
			e.ReqHeader = sluice.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "a"}, {Name: "Authorization", Value: "[redacted]"}}
			for _, c := range change {
				c(e)
			}
		}
	}
	explain := func(id string) CacheExplanation {
		return resultOf[CacheExplanation](b, logsPath+"/"+id+"/cache-explain")
	}
	alone := said(t, b, log, "Hello", missed())
	if v := explain(alone); v.Nearest != nil || v.Compared != 0 || !strings.Contains(v.Why, "no request like it") {
		t.Errorf("the first: %+v", v)
	}
	said(t, b, log, "not stored", missed(func(e *sluice.LogEntry) { e.CacheReason = "absent; not kept: status" }))
	said(t, b, log, "failed", missed(func(e *sluice.LogEntry) { e.Success = false }))

	for name, c := range map[string]struct {
		text   string
		change func(e *sluice.LogEntry)
		differ string
		this   string
	}{
		"another question": {"Hello there", func(*sluice.LogEntry) {}, "body.messages[0].content", `"Hello there"`},
		"another header": {"Hello", func(e *sluice.LogEntry) {
			e.ReqHeader = append(e.ReqHeader, sluice.Field{Name: "X-Mode", Value: "dry"})
		}, "header.x-mode", "dry"},
		"another path":           {"Hello", func(e *sluice.LogEntry) { e.Path += "?v=2" }, "path", "chat/completions?v=2"},
		"a stream":               {"Hello", func(e *sluice.LogEntry) { e.Streamed = true }, "stream", "true"},
		"only who sends differs": {"Hello", func(e *sluice.LogEntry) { e.ReqHeader[1].Value = "b" }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := said(t, b, log, c.text, missed(c.change))
			v := explain(id)
			if v.Nearest == nil || v.Compared == 0 {
				t.Fatalf("%+v", v)
			}
			differ, this := "", ""
			if v.Different != nil {
				differ = *v.Different
			}
			for _, p := range v.Parts {
				if p.Name == differ && p.This != nil {
					this = *p.This
				}
				if p.Name == "credential" && p.Same != nil {
					t.Error("the credential is known")
				}
			}
			if differ != c.differ || this != c.this || !strings.Contains(v.Why, c.differ) {
				t.Errorf("%q (%s), want %q (%s): %s", differ, this, c.differ, c.this, v.Why)
			}
		})
	}
	own := func(key string) func(e *sluice.LogEntry) {
		return missed(func(e *sluice.LogEntry) {
			e.ReqHeader = append(e.ReqHeader, sluice.Field{Name: "cf-aig-cache-key", Value: key})
		})
	}
	said(t, b, log, "mine", own("one"))
	if v := explain(said(t, b, log, "mine", own("two"))); v.Different == nil || *v.Different != "custom_key" || len(v.Parts) != 2 {
		t.Errorf("another key of its own: %+v", v)
	}
	if v := explain(said(t, b, log, "off")); v.Nearest != nil || !strings.Contains(v.Why, "cache_ttl") {
		t.Errorf("off: %+v", v)
	}
	if v := explain(said(t, b, log, "Hello", missed(func(e *sluice.LogEntry) { e.Cache, e.CacheReason = sluice.CacheHit, "" }))); v.Different != nil || !strings.Contains(v.Why, "all parts") {
		t.Errorf("a hit: %+v", v)
	}
}

func FuzzBodyPart(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":2}]}`), []byte(`{"a":[1,{"b":3}]}`))
	f.Add([]byte(`{"a":1,"b":2}`), []byte(`{"b":2, "a":1}`))
	f.Add([]byte(`[1`), []byte(`[2`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		there, back := bodyPart(a, b), bodyPart(b, a)
		if there.Name != back.Name || *there.Same != *back.Same || *there.Same != (string(a) == string(b)) {
			t.Errorf("%+v and %+v", there, back)
		}
		if text, err := json.Marshal(there); err != nil || len(text) > 16<<10 {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
}
