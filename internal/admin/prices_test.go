package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
)

// post sends a call without a body, with the token.
func (b *bench) post(path string, header ...string) (int, reply) {
	b.t.Helper()
	r := mustRequest(b.t, http.MethodPost, b.server.URL+path)
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var v reply
	_ = json.NewDecoder(resp.Body).Decode(&v) // a refusal of the browser's has another body
	return resp.StatusCode, v
}

func TestPrices(t *testing.T) {
	b := newBench(t)
	if resp := b.get(accountPath + "/prices"); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	if status, v := b.post(accountPath + "/prices/refresh"); status != http.StatusOK || !v.Success {
		t.Errorf("a refusal is an answer: %d %+v", status, v)
	}
	if status, _ := b.post(accountPath+"/prices/refresh", "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a page of another origin: %d", status)
	}
	b = newBench(t, func(d *Deps) {
		d.Prices = func() Prices { return Prices{Version: "built in"} }
		d.RefreshPrices = func(context.Context) Prices { t.Error("called without a source"); return Prices{} }
	})
	if status, v := b.post(accountPath + "/prices/refresh"); status != http.StatusBadRequest || len(v.Errors) != 1 {
		t.Errorf("%d %+v", status, v)
	}
}
