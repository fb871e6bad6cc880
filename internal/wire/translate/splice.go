package translate

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Edits are what a provider wants otherwise of a request in OpenAI's dialect. The zero Edits change nothing.
type Edits struct {
	// Rename are the new names of top-level fields. What stands under such a name already gives way.
	Rename map[string]string
	// Drop are fields that the provider refuses.
	Drop []string
	// NoStreamOptions: it refuses stream_options, or reports usage without.
	NoStreamOptions bool
	// Anew: it refuses what it does not know within messages, and answers in forms of its own. So requests are
	// read and written anew, and answers translated, although the dialect is the same.
	Anew bool
	// ShortIDs: ids of calls have nine letters and digits, and their results the tool's name (Mistral).
	ShortIDs bool
	// Efforts are the provider's words for efforts of reasoning, where it has fewer.
	Efforts map[string]string
}

// Splice makes a request in the target's own dialect the target's: with its name of the model, and the edits that
// it needs. All other bytes stay as they are. filter is whether the answer needs an Answer made of c.Context;
// otherwise it goes to the client as it comes.
func Splice(body []byte, t Target, edits *Edits) (c *Call, filter bool, err error) {
	v, err := parseBody(body)
	if err != nil {
		return nil, false, err
	}
	s := &splicer{body: body, end: strings.LastIndexByte(v.Raw, '}') + v.Index}
	c = &Call{Context: Context{From: t.Dialect, To: t.Dialect, Model: t.Model, pass: true}}
	s.read(v)
	if at := s.find("model"); at < 0 {
		s.add("model", quoted(t.Model))
	} else {
		s.members[at].newText = quoted(t.Model)
	}
	for i := range s.members {
		m := &s.members[i]
		switch to, ok := edits.Rename[m.name]; {
		case slices.Contains(edits.Drop, m.name), slices.Contains(values(edits.Rename), m.name) && s.renamed(edits, m.name):
			m.dropped = true
			c.Dropped = append(c.Dropped, m.name)
		case ok:
			m.newKey = quoted(to)
		}
	}
	if at := s.find("stream"); t.Dialect == Chat && at >= 0 && s.members[at].value.Type == gjson.True {
		c.Context.Stream = true
		c.Context.IncludeUsage, filter = s.usage(edits, c)
	}
	c.Body = s.apply()
	return c, filter, nil
}

// renamed reports whether another field takes the name.
func (s *splicer) renamed(edits *Edits, name string) bool {
	for from, to := range edits.Rename {
		if to == name && s.find(from) >= 0 {
			return true
		}
	}
	return false
}

func values(m map[string]string) []string { return slices.Collect(maps.Values(m)) }

// usage asks for usage at the end of a stream, which the bill needs, and reports whether the client has asked for
// it, and whether what comes must be kept from it.
func (s *splicer) usage(edits *Edits, c *Call) (asked, filter bool) {
	at := s.find("stream_options")
	if at >= 0 {
		asked = s.members[at].value.Get("include_usage").Type == gjson.True
	}
	switch {
	case edits.NoStreamOptions && at >= 0:
		s.members[at].dropped = true
		c.Dropped = append(c.Dropped, "stream_options")
	case edits.NoStreamOptions, asked:
		return asked, false
	case at >= 0 && s.members[at].value.IsObject():
		o := &out{}
		o.open('{')
		s.members[at].value.ForEach(func(key, v gjson.Result) bool {
			if key.Str != "include_usage" {
				o.sep()
				o.b = append(appendString(o.b, key.Str), ':')
				o.raw(v.Raw)
			}
			return true
		})
		o.key("include_usage").raw("true")
		o.close('}')
		s.members[at].newText = string(o.b)
	case at >= 0:
		s.members[at].newText = `{"include_usage":true}`
	default:
		s.add("stream_options", `{"include_usage":true}`)
	}
	return asked, !asked
}

// splicer changes members of an object's top level.
type splicer struct {
	body    []byte
	end     int // of the object: where its last brace stands
	members []memberAt
	added   []byte
}

// memberAt is a member, where it stands, and what becomes of it.
type memberAt struct {
	name    string
	key     string // as it is written
	value   gjson.Result
	keyAt   int
	at      int // of the value
	newKey  string
	newText string
	dropped bool
}

func (s *splicer) read(v gjson.Result) {
	v.ForEach(func(key, value gjson.Result) bool {
		s.members = append(s.members, memberAt{
			name: key.Str, key: key.Raw, value: value, keyAt: key.Index, at: value.Index, newKey: key.Raw, newText: value.Raw,
		})
		return true
	})
}

// find returns the index of the last member of a name: that is the one that counts. -1: there is none.
func (s *splicer) find(name string) int {
	for i := len(s.members) - 1; i >= 0; i-- {
		if s.members[i].name == name {
			return i
		}
	}
	return -1
}

func (s *splicer) add(name, value string) {
	s.added = append(s.added, ',')
	s.added = append(appendString(s.added, name), ':')
	s.added = append(s.added, value...)
}

// apply writes the object. Where nothing is dropped, all that is not replaced stays, white space too.
func (s *splicer) apply() []byte {
	b := make([]byte, 0, len(s.body)+len(s.added)+64)
	if slices.ContainsFunc(s.members, func(m memberAt) bool { return m.dropped }) {
		b = append(b, '{')
		for _, m := range s.members {
			if !m.dropped {
				b = append(append(append(append(b, m.newKey...), ':'), m.newText...), ',')
			}
		}
		b = append(b, s.added[min(1, len(s.added)):]...)
		return append([]byte(strings.TrimSuffix(string(b), ",")), '}')
	}
	at := 0
	for _, m := range s.members {
		b = append(append(b, s.body[at:m.keyAt]...), m.newKey...)
		b = append(append(b, s.body[m.keyAt+len(m.key):m.at]...), m.newText...)
		at = m.at + len(m.value.Raw)
	}
	b = append(b, s.body[at:s.end]...)
	b = append(b, s.added[min(len(s.added), map[bool]int{true: 1}[len(s.members) == 0]):]...)
	return append(b, s.body[s.end:]...)
}
