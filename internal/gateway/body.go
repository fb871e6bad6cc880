package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// Faults is all that is wrong with what a caller says of a gateway: each has sluice.KindInvalid and names
// its field.
type Faults []*sluice.Error

// Error returns the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, e := range f {
		lines[i] = e.Msg
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, e := range f {
		errs[i] = e
	}
	return errs
}

func fault(field, msg, hint string) *sluice.Error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
}

// Body is what a call says of a gateway.
type Body struct {
	// Ignored lists the members that mean nothing here, sorted. The reference ignores them too, and its
	// clients learn of settings earlier than we do.
	Ignored []string
	// Was is the version that an update was made from; 0: whichever there is. The call's If-Match says it.
	Was int64

	members map[string]json.RawMessage
}

// ParseBody reads a JSON object. It is read strictly: a name that occurs twice is a fault, because two
// readers of it may take different ones. Its error is Faults.
func ParseBody(text []byte) (Body, error) {
	members, err := object(text)
	if err != nil {
		return Body{}, Faults{fault("", "the body is not a gateway: "+err.Error(), "send one JSON object")}
	}
	b := Body{members: members}
	fields := Fields()
	for name := range members {
		if !slices.Contains(readOnly(), name) && !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name }) {
			b.Ignored = append(b.Ignored, name)
		}
	}
	slices.Sort(b.Ignored)
	return b, nil
}

// readOnly lists what answers hold besides settings, and what clients send back with a changed copy.
func readOnly() []string {
	return []string{"id", "account_id", "account_tag", "internal_id", "is_default", "created_at", "modified_at", "wholesale", "version", "origin"}
}

// object reads the members of one JSON object.
func object(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, errors.New("not JSON")
		}
		name, _ := t.(string) // nothing else can stand before a value in an object
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%.64q occurs twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("not JSON")
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the object")
	}
	return members, nil
}

// ID returns the id that the body names.
func (b Body) ID() (string, error) {
	var id string
	if json.Unmarshal(b.members["id"], &id) != nil || !idForm.MatchString(id) {
		return "", Faults{fault("id", "id must be 1 to 64 characters of a-z, 0-9, - and _", "")}
	}
	return id, nil
}

// idForm is that of the configuration. Compiled once; nothing changes it.
var idForm = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// apply changes s as the body says: what it leaves out stays, a null sets back. Its error is Faults; s may
// be half changed then.
func (b Body) apply(s *Settings) error {
	var faults Faults
	v := reflect.ValueOf(s).Elem()
	for _, f := range Fields() {
		raw, named := b.members[f.Name]
		if !named {
			if f.Required {
				faults = append(faults, fault(f.Name, f.Name+" is required", "create and update name "+strings.Join(requiredNames(), ", ")))
			}
			continue
		}
		if err := f.set(v.Field(f.index), raw); err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, f.check(raw)...)
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

func requiredNames() []string {
	var names []string
	for _, f := range Fields() {
		if f.Required {
			names = append(names, f.Name)
		}
	}
	return names
}

// check says what is wrong within a document that has the right outermost form.
func (f *Field) check(raw json.RawMessage) (faults Faults) {
	if f.form == "spend" {
		_, err := ParseSpendLimits(raw)
		faults, _ = errors.AsType[Faults](err)
	}
	return faults
}

// set reads raw into the setting v.
func (f *Field) set(v reflect.Value, raw json.RawMessage) *sluice.Error {
	if string(raw) == "null" {
		if f.Required && f.Type == FieldBool {
			return f.fault()
		}
		v.Set(reflect.ValueOf(Defaults()).Field(f.index))
		return nil
	}
	into := v
	if v.Kind() == reflect.Pointer {
		into = reflect.New(v.Type().Elem()).Elem()
	}
	if !f.read(into, raw) {
		return f.fault()
	}
	if v.Kind() == reflect.Pointer {
		v.Set(into.Addr())
	}
	return nil
}

// read reads a value that is not null, and reports whether it is allowed.
func (f *Field) read(v reflect.Value, raw json.RawMessage) bool {
	switch f.Type {
	case FieldBool:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return false
		}
		v.SetBool(b)
	case FieldNumber:
		n, ok := wholeNumber(raw)
		if !ok || n < f.Min || n > f.Max {
			return false
		}
		v.SetInt(n)
	case FieldText:
		var s string
		if json.Unmarshal(raw, &s) != nil || f.Enum != nil && !slices.Contains(f.Enum, s) {
			return false
		}
		if n := int64(utf8.RuneCountInString(s)); f.Max > 0 && (n < f.Min || n > f.Max) {
			return false
		}
		v.SetString(s)
	case FieldJSON:
		if len(raw) > maxDocument || !formFits(f.form, raw) {
			return false
		}
		text, err := canonical(raw)
		if err != nil {
			return false
		}
		v.SetBytes(text)
	}
	return true
}

// maxDocument bounds a setting that is JSON of its own.
const maxDocument = 64 << 10

// canonical returns a document in one way of writing it, so that the same, escaped in another way or in
// another order, is no change. Numbers keep their digits.
func canonical(raw json.RawMessage) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// wholeNumber reads a JSON number without a fraction. Some clients write 300 as 300.0 or 3e2.
func wholeNumber(raw json.RawMessage) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	const exact = 1 << 53
	var x float64
	if json.Unmarshal(raw, &x) != nil || x != float64(int64(x)) || x < -exact || x > exact {
		return 0, false
	}
	return int64(x), true
}

// formFits reports whether a document has the outermost form that its setting wants.
func formFits(form string, raw json.RawMessage) bool {
	if form != "otel" {
		return raw[0] == '{'
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return false
	}
	for _, target := range list {
		if len(target["url"]) == 0 || target["url"][0] != '"' || len(target["headers"]) == 0 || target["headers"][0] != '{' {
			return false
		}
	}
	return true
}

// fault says what the setting must be.
func (f *Field) fault() *sluice.Error {
	or := ""
	if f.Null || f.Type == FieldNumber {
		or = ", or null"
	}
	return fault(f.Name, f.Name+" must be "+f.wanted()+or, "")
}

// wanted says what a value is allowed to be.
func (f *Field) wanted() string {
	switch {
	case f.Type == FieldBool:
		return "true or false"
	case f.Enum != nil:
		return "one of " + strings.Join(f.Enum, ", ")
	case f.Type == FieldNumber:
		unit := map[string]string{"s": " (seconds)", "ms": " (milliseconds)"}[f.Unit]
		return fmt.Sprintf("a whole number from %d to %d", f.Min, f.Max) + unit
	case f.Type == FieldText:
		return fmt.Sprintf("a text of %d to %d characters", f.Min, f.Max)
	case f.form == "otel":
		return fmt.Sprintf("a list of objects, each with url and headers, of at most %d bytes", maxDocument)
	}
	return fmt.Sprintf("an object of at most %d bytes", maxDocument)
}

// Text reads a value as a person writes it: a duration where the field has a unit (5m), a word without
// quotes, on and off. It returns it as JSON; its error has sluice.KindInvalid and names the field.
func (f *Field) Text(text string) (json.RawMessage, error) {
	raw := json.RawMessage(text)
	switch {
	case text == "null":
	case f.Type == FieldText:
		raw, _ = json.Marshal(text) // a text always has a JSON form
	case f.Type == FieldBool:
		word := map[string]string{"on": "true", "yes": "true", "off": "false", "no": "false"}[text]
		if word != "" {
			raw = json.RawMessage(word)
		}
	case f.Unit != "" && strings.Trim(text, "0123456789") != "":
		d, err := config.ParseDuration(text)
		unit := map[string]time.Duration{"s": time.Second, "ms": time.Millisecond}[f.Unit]
		if err != nil || d%unit != 0 {
			return nil, fault(f.Name, f.Name+" must be "+f.wanted(), "or a duration such as 5m or 1h30m, whole in that unit")
		}
		raw = strconv.AppendInt(nil, int64(d/unit), 10)
	}
	if !json.Valid(raw) {
		return nil, f.fault()
	}
	var s Settings
	if err := f.set(reflect.ValueOf(&s).Elem().Field(f.index), raw); err != nil {
		return nil, err
	}
	if faults := f.check(raw); len(faults) > 0 {
		return nil, faults[0]
	}
	return raw, nil
}

// Check reports what is wrong with the settings that b names and, of those that must be named, does not name.
// Its error is Faults.
func (b Body) Check() error {
	s := Defaults()
	return b.apply(&s)
}
