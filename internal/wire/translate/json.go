package translate

import (
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
)

// out builds JSON by appending. Values that came as JSON go in as they stand: schemas and arguments keep their
// key order and their digits.
type out struct{ b []byte }

// sep writes the comma that stands before a value or a name, where one does.
func (o *out) sep() {
	if n := len(o.b); n > 0 {
		switch o.b[n-1] {
		case '{', '[', ':', ' ': // a blank ends "data: "
			return
		}
		o.b = append(o.b, ',')
	}
}

func (o *out) open(c byte) {
	o.sep()
	o.b = append(o.b, c)
}

func (o *out) close(c byte) { o.b = append(o.b, c) }

// key writes the name of a member. Names are ours: nothing in them is escaped.
func (o *out) key(name string) *out {
	o.sep()
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
	return o
}

// raw writes a value that is JSON already.
func (o *out) raw(json string) {
	o.sep()
	o.b = append(o.b, json...)
}

func (o *out) int(n int64) {
	o.sep()
	o.b = strconv.AppendInt(o.b, n, 10)
}

func (o *out) str(s string) {
	o.sep()
	o.b = appendString(o.b, s)
}

// text writes a member with a text, unless that is empty.
func (o *out) text(name, s string) {
	if s != "" {
		o.key(name).str(s)
	}
}

// rest writes a member with JSON, unless there is none.
func (o *out) rest(name, json string) {
	if json != "" {
		o.key(name).raw(json)
	}
}

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// quoted returns s as a JSON string.
func quoted(s string) string { return string(appendString(nil, s)) }

// reader reads a request and keeps the first thing that is wrong with it.
type reader struct{ err *sluice.Error }

// bad notes what is wrong with the field at path.
func (r *reader) bad(path, msg string) {
	if r.err == nil {
		r.err = &sluice.Error{Kind: sluice.KindInvalid, Field: path, Msg: path + " " + msg}
	}
}

// refuse notes that the target cannot do what the field at path asks for.
func (r *reader) refuse(path, msg, hint string) {
	if r.err == nil {
		r.err = unsupported(path, msg, hint)
	}
}

func (r *reader) failed() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// unsupported is the refusal of a field that would change the meaning if it were dropped.
func unsupported(path, msg, hint string) *sluice.Error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: path, Msg: path + " " + msg, Hint: hint}
}

// null reports whether a member is missing or null: both mean that nothing was said.
func null(v gjson.Result) bool { return v.Type == gjson.Null }

// textAt reads a text. "" stands for one that is missing.
func (r *reader) textAt(v gjson.Result, path string) string {
	if null(v) {
		return ""
	}
	if v.Type != gjson.String {
		r.bad(path, "is no text")
		return ""
	}
	return v.Str
}

// number reads a number, as it is written. "" stands for one that is missing.
func (r *reader) number(v gjson.Result, path string) string {
	if null(v) {
		return ""
	}
	if v.Type != gjson.Number {
		r.bad(path, "is no number")
		return ""
	}
	return v.Raw
}

// count reads a whole number that is not negative. -1 stands for one that is missing.
func (r *reader) count(v gjson.Result, path string) int64 {
	text := r.number(v, path)
	if text == "" {
		return -1
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f > 1<<53 || f != float64(int64(f)) {
		r.bad(path, "is no whole number from 0 to 2^53")
		return -1
	}
	return int64(f)
}

// truth reads a truth value. known is false for one that is missing.
func (r *reader) truth(v gjson.Result, path string) (value, known bool) {
	switch v.Type {
	case gjson.Null:
		return false, false
	case gjson.True, gjson.False:
		return v.Type == gjson.True, true
	}
	r.bad(path, "is neither true nor false")
	return false, false
}

// object reads an object. ok is false for one that is missing or something else.
func (r *reader) object(v gjson.Result, path string) (ok bool) {
	if !null(v) && !v.IsObject() {
		r.bad(path, "is no object")
	}
	return v.IsObject()
}

// each calls f with each element of an array, and its path.
func (r *reader) each(v gjson.Result, path string, f func(v gjson.Result, path string)) {
	if null(v) {
		return
	}
	if !v.IsArray() {
		r.bad(path, "is no array")
		return
	}
	i := 0
	v.ForEach(func(_, e gjson.Result) bool {
		f(e, path+"["+strconv.Itoa(i)+"]")
		i++
		return r.err == nil
	})
}

// members reads an object's members in one pass: the last one of a name that stands there twice counts, as it
// does for providers.
func members(v gjson.Result) map[string]gjson.Result {
	m := map[string]gjson.Result{}
	if v.IsObject() {
		v.ForEach(func(key, value gjson.Result) bool {
			m[key.Str] = value
			return true
		})
	}
	return m
}

// clamp keeps a number within bounds. A number within them stays as it is written.
func clamp(number string, low, high float64) string {
	f, err := strconv.ParseFloat(number, 64)
	switch {
	case number == "" || err != nil:
		return number
	case f < low:
		return strconv.FormatFloat(low, 'f', -1, 64)
	case f > high:
		return strconv.FormatFloat(high, 'f', -1, 64)
	}
	return number
}

// compact returns JSON without the white space between its tokens; the tokens stay as they are written.
func compact(json string) string {
	b := make([]byte, 0, len(json))
	inString := false
	for i := 0; i < len(json); i++ {
		c := json[i]
		switch {
		case inString && c == '\\' && i+1 < len(json):
			b = append(b, c)
			i++
			c = json[i]
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		b = append(b, c)
	}
	return string(b)
}
