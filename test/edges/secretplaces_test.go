package edges

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	_ "modernc.org/sqlite" // registers the driver
)

// manage makes a call of the management API as the admin. The answer is searched, unless it is to show a secret.
func (p pair) manage(t *testing.T, h hay, token, what, method, path, body string, shows bool) (result json.RawMessage, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %d %s %v", what, resp.StatusCode, text, err)
	}
	if !shows {
		h["the answer to "+what] = text
	}
	var v struct{ Result json.RawMessage }
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v in %s", what, err, text)
	}
	return v.Result, resp.Header
}

// signs plants what people sign in with.
func signs(t *testing.T, p pair, c *canaries, token string, h hay) {
	t.Helper()
	var made struct {
		Link  string
		Token string
	}
	read := func(result json.RawMessage) {
		t.Helper()
		if err := json.Unmarshal(result, &made); err != nil {
			t.Fatal(err)
		}
	}
	result, _ := p.manage(t, h, token, "making a link", http.MethodPost, "/client/v4/claim/link", "", true)
	read(result)
	c.all["a one-time link"] = made.Link
	password := c.plant("a password")
	result, _ = p.manage(t, h, "", "using a link", http.MethodPost, "/client/v4/claim", fmt.Sprintf(`{"link":%q,"email":"a@example.com","password":%q,"token":true}`, made.Link, password), true)
	read(result)
	c.all["a session's token"] = made.Token
	_, header := p.manage(t, h, "", "signing in", http.MethodPost, "/client/v4/session", fmt.Sprintf(`{"email":"a@example.com","password":%q}`, password), false)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	_, value, _ := strings.Cut(cookie, "=")
	c.all["a session's cookie"] = value
	for place, secret := range c.all {
		if len(secret) < 24 {
			t.Fatalf("%s is %q: nothing to look for", place, secret)
		}
	}
	p.manage(t, h, made.Token, "who is signed in", http.MethodGet, "/client/v4/session", "", false)
}

// silent sends prompts that are not to be kept, by each way to say so.
func silent(t *testing.T, p pair, c *canaries, token string, h hay) {
	t.Helper()
	custom := fmt.Sprintf(`{"name":"lab","slug":"lab","base_url":"https://lab.example","headers":%q}`, `{"X-Tenant-Key":"`+c.plant("a custom provider's header")+`"}`)
	p.manage(t, h, token, "making a custom provider", http.MethodPost, management+"/custom-providers", custom, false)
	p.manage(t, h, token, "making a gateway", http.MethodPost, management+"/gateways",
		`{"id":"mute","collect_logs":false,"cache_ttl":0,"cache_invalidate_on_update":false,"rate_limiting_interval":0,"rate_limiting_limit":0,"rate_limiting_technique":"fixed"}`, false)
	for _, way := range []struct{ what, gateway, field string }{
		{"a prompt whose body is not logged", "default", "cf-aig-collect-log-payload: false"},
		{"a prompt that is not logged", "default", "cf-aig-collect-log: false"},
		{"a prompt to a gateway without a log", "mute", "X-Nothing: 1"},
	} {
		prompt := fmt.Sprintf(`{"model":"echo-1","messages":[{"role":"user","content":%q}]}`, c.plant(way.what))
		m := dirty(t, p.Addr, fmt.Sprintf("POST /v1/default/%s/echo/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\ncf-aig-authorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
			way.gateway, c.all["a gateway token"], way.field, len(prompt), prompt))
		if m.Status() != http.StatusOK {
			t.Fatalf("%s: %d %s", way.what, m.Status(), m.Body)
		}
	}
}

// exports adds what exports of the log hold, bodies too.
func (p pair) exports(t *testing.T, h hay, token, when string) {
	t.Helper()
	for _, format := range []string{"jsonl", "csv"} {
		what := when + "an export as " + format
		result, _ := p.manage(t, h, token, what, http.MethodPost, management+"/logs/export", `{"format":"`+format+`","bodies":true}`, false)
		var job struct{ ID, State string }
		if err := json.Unmarshal(result, &job); err != nil {
			t.Fatal(err)
		}
		p.Eventually(what, func() bool {
			_, text := p.ask(t, token, management+"/jobs/"+job.ID)
			var v struct{ Result struct{ State string } }
			return json.Unmarshal(text, &v) == nil && v.Result.State == "done"
		}, p.Output)
		status, text := p.ask(t, token, management+"/jobs/"+job.ID+"/result")
		if status != http.StatusOK || len(text) == 0 {
			t.Fatalf("%s: %d", what, status)
		}
		h[what] = text
	}
}

// unpacked is what the blocks of a segment's file hold. The form is that of docs/log.md.
func unpacked(t *testing.T, file []byte) []byte {
	t.Helper()
	const head = 64
	var all []byte
	for at := head; at+head <= len(file) && string(file[at:at+4]) == "SLB1"; {
		codec, stored, plain := file[at+5], binary.LittleEndian.Uint32(file[at+20:]), binary.LittleEndian.Uint32(file[at+24:])
		if at+head+int(stored) > len(file) {
			break // torn
		}
		b := file[at+head : at+head+int(stored)]
		var err error
		switch codec {
		case 1:
			b, err = s2.Decode(nil, b)
		case 2:
			var d *zstd.Decoder
			if d, err = zstd.NewReader(nil); err == nil {
				b, err = d.DecodeAll(b, nil)
				d.Close()
			}
		}
		if err != nil || len(b) != int(plain) {
			t.Fatalf("a block of codec %d has %d bytes, want %d: %v", codec, len(b), plain, err)
		}
		all = append(all, b...)
		at += head + int(stored)
	}
	return all
}

// rows is what all tables of a database hold, value by value.
func rows(t *testing.T, path string) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, end := range []string{"", "-wal"} { // a copy: the process owns the file
		if b, err := os.ReadFile(path + end); err == nil {
			if err := os.WriteFile(filepath.Join(dir, "copy.db"+end), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := column(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	var all []byte
	for _, table := range tables {
		for _, value := range column(t, db, `SELECT * FROM "`+table+`"`) {
			all = append(append(all, value...), '\n')
		}
	}
	return all
}

// column is all values of all columns of a query.
func column(t *testing.T, db *sql.DB, query string) (values []string) {
	t.Helper()
	r, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	names, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	row, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
	for i := range row {
		into[i] = &row[i]
	}
	for r.Next() {
		if err := r.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range row {
			values = append(values, string(v))
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
