package admin

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestABodyHasOneMeaning(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}`: true,
		`{"a":"a","b":"a"}`:                         true,
		`[1,"x",null,{"x":"x"}]`:                    true,
		`{}`:                                        true,
		`"a"`:                                       true,
		`{"a":1,"a":2}`:                             false,
		`{"role":1,"Role":2}`:                       false,
		`{"a":{"b":1,"B":2}}`:                       false,
		`[[{"b":[],"c":{},"B":2}]]`:                 false,
		`{"kind":1,"\u212aind":2}`:                  false, // the Kelvin sign folds to k
		`{"a":1`:                                    false,
		`{"a" 1}`:                                   false,
	} {
		if err := oneMeaning([]byte(text)); (err == nil) != want && json.Valid([]byte(text)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzOneMeaning reads any JSON: what is let through has, for every name that a type could ask for, one value at most.
func FuzzOneMeaning(f *testing.F) {
	f.Add(`{"role":"viewer","Role":"admin"}`)
	f.Add(`{"role":"viewer","r\u006fle":"admin"}`)
	f.Add(`[{"role":{"role":1}},{"rOLE":2}]`)
	f.Fuzz(func(t *testing.T, text string) {
		if oneMeaning([]byte(text)) != nil || !json.Valid([]byte(text)) {
			return
		}
		var typed struct{ Role json.RawMessage }
		var all map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &all) != nil || json.Unmarshal([]byte(text), &typed) != nil {
			return
		}
		n := 0
		for name := range all {
			if strings.EqualFold(name, "role") {
				n++
			}
		}
		if n > 1 || n == 0 && typed.Role != nil {
			t.Fatalf("%s: %d, %s", text, n, typed.Role)
		}
	})
}
