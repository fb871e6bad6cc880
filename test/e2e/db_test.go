package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// TestACheckFindsADamagedDisk: the databases and segments of a gateway that was used are sound, also after they were
// compacted; and bytes that a disk has changed are found and told.
func TestACheckFindsADamagedDisk(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	for range 20 {
		if resp, body := g.Post("echo", "chat/completions", `{"model":"echo-1","messages":[{"role":"user","content":"Hello"}]}`); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	db := func(g *gateway.Gateway, args ...string) (string, int) {
		return gateway.RunWith(t, []string{"SLUICE_URL=http://" + g.Addr}, append([]string{"db"}, args...)...)
	}
	if out, code := db(g, "check"); code != 0 || !strings.Contains(out, "20 rows") {
		t.Errorf("check: %d %s", code, out)
	}
	if out, code := db(g, "compact"); code != 0 || !strings.Contains(out, "written anew") {
		t.Errorf("compact: %d %s", code, out)
	}
	if out, code := db(g, "check", "--json"); code != 0 || !strings.Contains(out, `"problems":[]`) && !strings.Contains(out, `"problems": []`) {
		t.Errorf("check --json: %d %s", code, out)
	}
	g.Stop()

	files, err := filepath.Glob(filepath.Join(g.DataDir, "log", "segments", "*.rows"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("\xff\xff\xff\xff"), 64+64+10); err != nil { // behind the headers of file and block
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := gateway.Start(t, gateway.Options{DataDir: g.DataDir})
	out, code := db(again, "check")
	if code != 1 || !strings.Contains(out, "log/segments/"+filepath.Base(files[0])) || !strings.Contains(out, "checksum is wrong") {
		t.Errorf("of a damaged disk: %d %s", code, out)
	}
}
