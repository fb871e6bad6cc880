package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

// exchange is a file of testdata/golden: what an application sent, what the provider answered, and what
// was used. Its sections are written by hand:
//
//	request   method and path after the account and gateway, headers, a blank line, the body
//	upstream  status, headers, a blank line, the body; or without the last two, when the body is the
//	          file of the same name that ends in .raw
//	want      what a correct meter reads, as JSON: usage by class (a class that is null or missing is
//	          unknown), basis, and model, finish, error, tier, geo, cost and charges where the answer has them
//	bill      what it costs, as arithmetic; the test that sends these exchanges through the program reads it
//
// Names begin with the provider. "3.1-08" in one is the item of the list of other gateways' wrong counts
// that it belongs to; the comment says which.
type exchange struct {
	method, path string
	header       sluice.Header // of the answer
	body         []byte        // of the answer
	want         reading
}

// reading is a wire.Reading as files have it.
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
	Charges []struct {
		Model string            `json:"model"`
		Tier  string            `json:"tier"`
		Usage map[string]*int64 `json:"usage"`
	} `json:"charges"`
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) < 70 {
		t.Fatalf("%d exchanges, want at least 70 (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			x := readExchange(t, file)
			slug, path, _ := strings.Cut(strings.TrimPrefix(x.path, "/"), "/")
			path, _, _ = strings.Cut(path, "?")
			ep, _ := find(t, slug).Match(x.method, path)
			if ep == nil || ep.Meter == nil {
				t.Fatalf("%s has no meter", x.path)
			}
			got := wiretest.Cuts(t, func() wire.Meter { return x.meter(t, ep, true) }, x.body)
			x.compare(t, got)
			if other := wiretest.Read(x.meter(t, ep, false), x.body, 100); !other.Equal(&got) {
				t.Errorf("it depends on what was asked for: %+v, %+v", got, other)
			}
		})
	}
}

// TestGoldenHasTheWrongCountsOfOthers: item 3.1 of the list of other gateways' bugs has eleven parts.
func TestGoldenHasTheWrongCountsOfOthers(t *testing.T) {
	for item := 1; item <= 11; item++ {
		files, err := filepath.Glob(fmt.Sprintf("testdata/golden/*-3.1-%02d*.txtar", item))
		if err != nil || len(files) == 0 {
			t.Errorf("no exchange for 3.1, item %d (%v)", item, err)
		}
	}
}

// meter makes a meter as the gateway does.
func (x *exchange) meter(t *testing.T, ep *Endpoint, stream bool) wire.Meter {
	t.Helper()
	m := ep.Meter(stream)
	if h, ok := m.(wire.HeadReader); ok {
		h.Head(x.header)
	}
	m, ok := inflate.Meter(x.header.Get("Content-Encoding"), m)
	if !ok {
		t.Fatal("content encoding")
	}
	return m
}

// compare compares a reading with what the file wants.
func (x *exchange) compare(t *testing.T, got wire.Reading) {
	t.Helper()
	usage := usageOf(t, x.want.Usage)
	for _, b := range []sluice.Basis{sluice.BasisNone, sluice.BasisProvider, sluice.BasisPartial} {
		if b.String() == x.want.Basis {
			usage.Basis = b
		}
	}
	want := wire.Reading{
		Usage: usage, Model: x.want.Model, Finish: x.want.Finish, Error: x.want.Error,
		Tier: x.want.Tier, Geo: x.want.Geo, Cost: x.want.Cost, Seen: got.Seen,
	}
	for _, c := range x.want.Charges {
		charge := sluice.Charge{Model: c.Model, Tier: c.Tier, Usage: usageOf(t, c.Usage)}
		charge.Usage.Basis = sluice.BasisProvider
		want.Charges = append(want.Charges, charge)
	}
	if !got.Equal(&want) {
		t.Errorf("got\n%s\nwant\n%s", wiretest.Format(got), wiretest.Format(want))
	}
	if failed := got.Seen&wire.SeenError != 0; failed != (want.Error != "") {
		t.Errorf("an error was seen: %t", failed)
	}
}

// usageOf reads counts by class.
func usageOf(t *testing.T, counts map[string]*int64) sluice.Usage {
	t.Helper()
	var usage sluice.Usage
	left := len(counts)
	for c := range sluice.ClassCount {
		n, ok := counts[c.String()]
		if ok {
			left--
		}
		if n != nil {
			usage.Set(c, *n)
		}
	}
	if left != 0 {
		t.Errorf("the file names a class that does not exist: %v", counts)
	}
	return usage
}

// readExchange reads a file.
func readExchange(t *testing.T, file string) *exchange {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x exchange
	line, _, _ := message(t, wiretest.Section(t, a, "request").Data)
	x.method, x.path, _ = strings.Cut(line, " ")
	status, header, body := message(t, wiretest.Section(t, a, "upstream").Data)
	if n, err := strconv.Atoi(status); err != nil || n < 200 || n > 599 {
		t.Fatalf("status %q", status)
	}
	x.header, x.body = header, body
	raw, err := os.ReadFile(strings.TrimSuffix(file, ".txtar") + ".raw")
	if err == nil {
		x.body = raw
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(wiretest.Section(t, a, "want").Data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&x.want); err != nil {
		t.Fatal(err)
	}
	if basis := x.want.Basis; basis != "provider" && basis != "partial" && basis != "none" || (basis == "none") != (len(x.want.Usage) == 0) {
		t.Fatalf("basis %q with usage %v", basis, x.want.Usage)
	}
	return &x
}

// message takes a request or an answer apart.
func message(t *testing.T, in []byte) (line string, header sluice.Header, body []byte) {
	t.Helper()
	head, body, _ := bytes.Cut(in, []byte("\n\n"))
	lines := strings.Split(strings.TrimRight(string(head), "\n"), "\n")
	for _, field := range lines[1:] {
		name, value, ok := strings.Cut(field, ": ")
		if !ok {
			t.Fatalf("header %q", field)
		}
		header = append(header, sluice.Field{Name: name, Value: value})
	}
	return lines[0], header, body
}
