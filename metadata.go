package sluice

import (
	"encoding/json"
	"strconv"
	"strings"
)

// AppendMetadata reads metadata as the reference's header cf-aig-metadata has it, a flat JSON object, and appends its
// entries to the empty to. The first most entries count; keys that begin with "cf." are left out. One value that is
// null or nested, or text that is no object, loses the whole: false.
func AppendMetadata(to []MetaValue, text string, most int) ([]MetaValue, bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return to[:0], false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return to[:0], false
		}
		value, err := dec.Token()
		if err != nil {
			return to[:0], false
		}
		m := MetaValue{Key: name.(string)} // a JSON object's names are strings, or Token fails
		switch v := value.(type) {
		case string:
			m.Value, m.Kind = v, MetaString
		case json.Number:
			m.Value, m.Kind = v.String(), MetaNumber
		case bool:
			m.Value, m.Kind = strconv.FormatBool(v), MetaBool
		default:
			return to[:0], false
		}
		if len(to) < most && !strings.HasPrefix(m.Key, "cf.") {
			to = append(to, m)
		}
	}
	if _, err := dec.Token(); err != nil {
		return to[:0], false
	}
	return to, true
}
