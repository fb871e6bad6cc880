package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// What stands where a secret stood. Changed stands in the JSON after a change of it.
const (
	Redacted = "[redacted]"
	Changed  = "[redacted, changed]"
)

// secretNames are the members whose values are secrets, without - and _ and in lower case.
func secretNames() []string {
	return []string{
		"secret", "clientsecret", "password", "passphrase", "authorization", "apikey", "privatekey", "token", "accesstoken",
		"refreshtoken", "sessiontoken", "secretaccesskey", "serviceaccount", "credentials", "link", "masterkey",
	}
}

// JSON writes an object as it was before and after something, as JSON without secrets: the values of members
// whose names say that they are secret, and those of all members of "headers". nil stays nil. What cannot be
// written as JSON is left out.
func JSON(before, after any) (b, a json.RawMessage) {
	old, now := plain(before), plain(after)
	redact(&old, &now, false, false)
	return text(old), text(now)
}

// plain is v as JSON sees it; numbers keep their text.
func plain(v any) any {
	if v == nil || reflect.ValueOf(v).Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil() {
		return nil
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var out any
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

func text(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return doc
}

// redact walks both values at once, so that a secret that changed can be told from one that did not. secret:
// the values are secrets. within: so are those of all members.
func redact(before, after *any, secret, within bool) {
	b, isObject := (*before).(map[string]any)
	a, isObjectToo := (*after).(map[string]any)
	bl, isList := (*before).([]any)
	al, isListToo := (*after).([]any)
	switch {
	case within && (isObject || isObjectToo):
		redactObject(b, a, true)
	case within && (isList || isListToo):
		redactList(bl, al, true)
	case secret || within:
		changed := *before != nil && *after != nil && !reflect.DeepEqual(*before, *after)
		hide(before, Redacted)
		hide(after, Redacted)
		if changed {
			hide(after, Changed)
		}
	default:
		redactObject(b, a, false)
		redactList(bl, al, false)
	}
}

func redactObject(before, after map[string]any, within bool) {
	for name := range merged(before, after) {
		b, wasThere := before[name] // copies, because the values of a map have no address
		a, isThere := after[name]
		redact(&b, &a, isSecret(name), within || strings.EqualFold(name, "headers"))
		if wasThere {
			before[name] = b
		}
		if isThere {
			after[name] = a
		}
	}
}

// redactList walks the items at the same places.
func redactList(before, after []any, within bool) {
	for i := range max(len(before), len(after)) {
		var none, none2 any
		b, a := &none, &none2
		if i < len(before) {
			b = &before[i]
		}
		if i < len(after) {
			a = &after[i]
		}
		redact(b, a, false, within)
	}
}

func isSecret(name string) bool {
	return slices.Contains(secretNames(), strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)))
}

// hide replaces a value; null and "" say that there is no secret, and stay.
func hide(v *any, by string) {
	if *v != nil && *v != "" {
		*v = by
	}
}

func merged(a, b map[string]any) map[string]struct{} {
	names := map[string]struct{}{}
	for name := range a {
		names[name] = struct{}{}
	}
	for name := range b {
		names[name] = struct{}{}
	}
	return names
}

// Difference is a value that an entry changed.
type Difference struct {
	Path          string          // names and indexes, with dots between
	Before, After json.RawMessage // nil: there was none, or there is none now
}

// maxDiff bounds what Diff lists.
const maxDiff = 200

// Diff lists what an entry changed of its object, by path, 200 differences at most. What was created or deleted
// has none: Before or After is all there is to say. Nor have modified times and versions, which change always.
func Diff(e *Entry) []Difference {
	list := []Difference{}
	if e.Before == nil || e.After == nil {
		return list
	}
	diff("", plain(e.Before), plain(e.After), &list)
	return list
}

func diff(path string, before, after any, list *[]Difference) {
	if len(*list) == maxDiff {
		return
	}
	b, isObject := before.(map[string]any)
	a, isObjectToo := after.(map[string]any)
	if isObject && isObjectToo {
		names := make([]string, 0, len(b))
		for name := range merged(b, a) {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if path == "" && (name == "modified_at" || name == "version") {
				continue
			}
			diff(joined(path, name), b[name], a[name], list)
		}
		return
	}
	bl, isList := before.([]any)
	al, isListToo := after.([]any)
	if isList && isListToo && len(bl) == len(al) {
		for i := range bl {
			diff(joined(path, strconv.Itoa(i)), bl[i], al[i], list)
		}
		return
	}
	if after == Changed || !reflect.DeepEqual(before, after) {
		*list = append(*list, Difference{path, text(before), text(after)})
	}
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
