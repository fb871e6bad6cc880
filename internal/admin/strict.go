package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
)

// strictJSON reads bodies so that they have one meaning: encoding/json takes "Role" for role, and the last of two,
// so that what was looked at would not be what is done. Objects with two such names are refused.
func strictJSON() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = func(data []byte, v any) error {
		if _, first := v.(*any); first { // huma reads a body twice: to validate it, then into its type
			if err := oneMeaning(data); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	}
	return f
}

// oneMeaning refuses JSON in which an object has a name twice, in whatever case.
func oneMeaning(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		names map[string]string // of an object, folded; nil: an array
		name  bool              // a name comes next
	}
	var open []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		if text, ok := token.(string); ok && top >= 0 && open[top].name {
			folded := fold(text)
			if was, twice := open[top].names[folded]; twice {
				return fmt.Errorf("the names %.64q and %.64q are the same here", was, text)
			}
			open[top].names[folded], open[top].name = text, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]string{}, name: true})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
			top--
		}
		if top >= 0 && open[top].names != nil {
			open[top].name = true // the value is over
		}
	}
}

// fold maps names that encoding/json takes for the same to one: those that differ in case, by Unicode's simple
// folding.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
