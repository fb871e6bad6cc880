package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// recordings is where the exchanges are.
var recordings = filepath.Join("..", "..", "internal", "provider", "testdata", "golden")

// exchange is one recording. Its sections: request, upstream and want, as internal/provider describes
// them, and bill.
type exchange struct {
	name         string
	method, path string
	header       []string // of the request: "Name: value"
	body         string   // of the request
	status       int
	answerHeader []string
	answer       string
	want         reading
	bill         bill
}

// reading is what a correct meter reads from the answer. A class that is null or missing is unknown.
type reading struct {
	Usage  map[string]*int64 `json:"usage"`
	Basis  string            `json:"basis"`
	Model  string            `json:"model"`
	Finish string            `json:"finish"`
	Error  string            `json:"error"`
	Tier   string            `json:"tier"`
	Geo    string            `json:"geo"`
	Cost   string            `json:"cost"`
	// Charges are of other models, whose counts stand beside the usage.
	Charges []charge `json:"charges"`
}

// charge is what another model used for the answer.
type charge struct {
	Model string           `json:"model"`
	Tier  string           `json:"tier"`
	Usage map[string]int64 `json:"usage"`
}

// provider is the segment that the call names.
func (x *exchange) provider() string {
	slug, _, _ := strings.Cut(strings.TrimPrefix(x.path, "/"), "/")
	return slug
}

// field returns the first value of a field of the answer's head.
func (x *exchange) field(name string) string {
	for _, f := range x.answerHeader {
		if n, v, _ := strings.Cut(f, ": "); strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// streamed says whether a provider sends the answer piece by piece.
func (x *exchange) streamed() bool {
	if x.status != 200 {
		return false
	}
	kind, _, _ := strings.Cut(x.field("Content-Type"), ";")
	switch kind {
	case "text/event-stream", "application/x-ndjson", "application/stream+json", "application/vnd.amazon.eventstream":
		return true
	}
	return strings.Contains(x.path, ":stream")
}

// counts are the known classes of the reading.
func (r *reading) counts() map[string]int64 {
	known := map[string]int64{}
	for class, n := range r.Usage {
		if n != nil {
			known[class] = *n
		}
	}
	return known
}

// exchanges reads all recordings.
func exchanges(t *testing.T) []*exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordings, "*.txtar"))
	if err != nil || len(files) < 125 {
		t.Fatalf("%d recordings, want at least 125 (%v)", len(files), err)
	}
	all := make([]*exchange, len(files))
	for i, file := range files {
		all[i] = readExchange(t, file)
	}
	return all
}

func readExchange(t *testing.T, file string) *exchange {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
	s := sections(string(text))
	line, header, body := message(s["request"])
	x.method, x.path, _ = strings.Cut(line, " ")
	x.header, x.body = header, body
	if strings.Contains(header[0], "multipart/form-data") {
		x.body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	line, x.answerHeader, x.answer = message(s["upstream"])
	if x.status, err = strconv.Atoi(line); err != nil {
		t.Fatalf("%s: status: %v", x.name, err)
	}
	raw, err := os.ReadFile(strings.TrimSuffix(file, ".txtar") + ".raw")
	if err == nil {
		x.answer = string(raw)
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(s["want"])))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&x.want); err != nil {
		t.Fatalf("%s: %v", x.name, err)
	}
	if x.bill, err = readBill(s["bill"]); err != nil {
		t.Fatalf("%s: bill: %v", x.name, err)
	}
	return x
}

// sections takes a txtar file apart. The comment at its beginning is left out.
func sections(text string) map[string]string {
	s := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(rest, " --\n") {
			name = strings.TrimSuffix(rest, " --\n")
			continue
		}
		s[name] += line
	}
	return s
}

// message takes a request or an answer apart.
func message(text string) (line string, header []string, body string) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	return lines[0], lines[1:], body
}
