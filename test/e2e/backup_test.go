package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// requestsIn asks a gateway how many requests began in a range, by its roll-ups.
func requestsIn(t *testing.T, g *gateway.Gateway, from, to time.Time) int64 {
	t.Helper()
	const minute = time.RFC3339
	span := from.UTC().Format(minute) + ".." + to.UTC().Format(minute)
	status, _, body, err := g.Get("/analytics?metric=requests&interval=none&range=" + url.QueryEscape(span))
	if err != nil || status != http.StatusOK {
		t.Fatalf("analytics: %d %v %s", status, err, body)
	}
	var v struct {
		Result struct{ Series []struct{ Total *int64 } }
	}
	if err := json.Unmarshal(body, &v); err != nil || len(v.Result.Series) != 1 || v.Result.Series[0].Total == nil {
		t.Fatalf("%v in %s", err, body)
	}
	return *v.Result.Series[0].Total
}

// TestABackupUnderLoadIsWhole: a backup that is made while requests run, restored, has every row of what had ended when
// it began, once, as it was, bodies and sums with it.
func TestABackupUnderLoadIsWhole(t *testing.T) {
	up := upstream.New(t, mixed)
	config := to("http://" + up.Addr + "/v1")
	g := gateway.Start(t, gateway.Options{Config: config})
	if status, result := keyCall(t, g, http.MethodPost, "/gateways/default/provider_configs", `{"provider_slug":"openai","alias":"spare","default_config":false,"secret":"sk-stored-0123456789abcdef"}`); status != 200 {
		t.Fatalf("%d %s", status, result)
	}
	if _, code := gateway.RunWith(t, []string{"SLUICE_URL=http://" + g.Addr}, "gateway", "create", "kept"); code != 0 {
		t.Fatal(code)
	}
	start := time.Now()
	l := drive(t, g, 4)
	for len(l.finished()) < 200 {
		pause(10 * time.Millisecond)
	}
	before := time.Now()
	owed := answeredBefore(l.finished(), before)
	file := filepath.Join(t.TempDir(), "backup.tar.zst")
	out, code := gateway.RunWith(t, []string{"SLUICE_URL=http://" + g.Addr}, "backup", "-O", file)
	if code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	during := len(answeredBefore(l.finished(), time.Now())) - len(owed)
	l.stop()
	l.wg.Wait()
	if during == 0 {
		t.Error("nothing ran while the backup was made")
	}
	was, err := g.Rows(nil)
	if err != nil {
		t.Fatal(err)
	}

	// A directory in use is not touched.
	if out, code := gateway.Run(t, "restore", file, "--data-dir", g.DataDir); code != 7 || !strings.Contains(out, "not empty") {
		t.Errorf("restored over a running gateway: %d %s", code, out)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if out, code := gateway.Run(t, "restore", file, "--data-dir", dir); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "master.key")); !os.IsNotExist(err) {
		t.Errorf("the master key is in the backup: %v", err)
	}
	restored := gateway.Start(t, gateway.Options{Config: config, DataDir: dir})
	rows, err := restored.Rows(nil)
	if err != nil {
		t.Fatal(err)
	}
	checkRestored(t, owed, was, rows)
	for _, f := range owed[:10] {
		for _, side := range []string{"request", "response"} {
			want, err := g.StoredBody(f.id, side)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := restored.StoredBody(f.id, side); err != nil || string(got) != string(want) {
				t.Errorf("%s of %s: %v", side, f.id, err)
			}
		}
	}
	from, end := start.Add(-time.Minute).Truncate(time.Minute), time.Now().Add(2*time.Minute).Truncate(time.Minute)
	if n := requestsIn(t, restored, from, end); n != int64(len(rows)) {
		t.Errorf("roll-ups count %d requests, and there are %d rows", n, len(rows))
	}
	if status, _, body, err := restored.Get("/gateways/kept"); status != 200 || err != nil {
		t.Errorf("the gateway that was made: %d %s %v", status, body, err)
	}
	if resp, body := restored.Post("openai", "chat/completions", chat, "Authorization", "Bearer sk-own"); resp.StatusCode != 200 {
		t.Errorf("it does not serve: %d %s", resp.StatusCode, body)
	}
}

// checkRestored compares the rows of a restored log with those of the log that was backed up.
func checkRestored(t *testing.T, owed []finished, was, rows []gateway.Row) {
	t.Helper()
	before, after := map[string]*gateway.Row{}, map[string]*gateway.Row{}
	for i := range was {
		before[was[i].ID] = &was[i]
	}
	for i := range rows {
		r := &rows[i]
		if after[r.ID] != nil {
			t.Errorf("two rows for %s", r.ID)
		}
		after[r.ID] = r
		if r.Ending == "crashed" {
			continue // it was running
		}
		if !reflect.DeepEqual(before[r.ID], r) {
			t.Errorf("got  %s\nwant %s", r, before[r.ID])
		}
	}
	missing := 0
	for _, f := range owed {
		if after[f.id] == nil {
			missing++
		}
	}
	if missing > 0 || len(owed) < 200 {
		t.Errorf("of %d answers that had ended when the backup began %d have no row", len(owed), missing)
	}
}
