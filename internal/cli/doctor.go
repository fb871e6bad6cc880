package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
)

// Verdicts of doctor's checks.
const (
	verdictOK      = "ok"
	verdictWarning = "warning"
	verdictProblem = "problem"
)

// finding is what one check found.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	What    string `json:"what"`
	Fix     string `json:"fix,omitempty"`
}

func (a *commands) doctorCommand() *cobra.Command {
	var strict, offline bool
	c := a.command("doctor", "Find what is wrong and how to fix it (local, and the server when it runs)", func(cmd *cobra.Command, _ []string) error {
		d := &doctor{app: a}
		d.local()
		if !offline {
			d.remote(cmd.Context())
		}
		return a.showFindings(d.found, strict)
	})
	c.Args = args(0, 0)
	c.Long = "Ends with 9 when there is a problem; warnings alone end with 0, or 9 with --strict."
	c.Example = "sluice doctor\nsluice doctor --strict --json\nsluice doctor --offline"
	c.Flags().BoolVar(&strict, "strict", false, "warnings count like problems")
	c.Flags().BoolVar(&offline, "offline", false, "only what is on this machine: no calls, not even to the server")
	return c
}

// doctor collects findings.
type doctor struct {
	app    *commands
	loaded *config.Loaded // nil: it is not valid
	found  []finding
}

func (d *doctor) ok(check, format string, args ...any) {
	d.found = append(d.found, finding{check, verdictOK, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, fix, format string, args ...any) {
	d.found = append(d.found, finding{check, verdictWarning, fmt.Sprintf(format, args...), fix})
}

func (d *doctor) problem(check, fix, format string, args ...any) {
	d.found = append(d.found, finding{check, verdictProblem, fmt.Sprintf(format, args...), fix})
}

// local looks at what is on this machine.
func (d *doctor) local() {
	d.ok("version", "version %s", d.app.Version)
	d.configuration()
	d.dataDir()
	d.files()
	d.proxies()
}

func (d *doctor) configuration() {
	v, err := validate(d.app.source())
	switch {
	case err != nil:
		d.problem("configuration", "sluice config validate", "%v", err)
		return
	case !v.Valid:
		for _, p := range v.Problems {
			d.problem("configuration", "sluice config validate", "%s", p.String())
		}
		return
	}
	d.loaded, err = config.Load(d.app.source())
	if err != nil {
		d.problem("configuration", "sluice config validate", "%v", err)
		return
	}
	file := v.File
	if file == "" {
		file = "no file"
	}
	d.ok("configuration", "configuration valid (%s)", file)
	for _, w := range v.Warnings {
		d.warn("configuration", "", "%s", w)
	}
	c := &d.loaded.Config
	if c.AdminListen == "" && !c.LoopbackOnly() {
		d.warn("exposure", "give it a listener of its own: SLUICE_ADMIN_LISTEN=127.0.0.1:8089",
			"the management API is on the same address as the data plane, which other machines reach")
	}
}

// dataDir checks that the directory of the log can be written.
func (d *doctor) dataDir() {
	if d.loaded == nil {
		return
	}
	dir := d.loaded.Config.DataDir
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if parent := existingParent(dir); !writable(parent) {
			d.problem("data directory", "make it writable, or set data_dir (SLUICE_DATA_DIR)", "%s does not exist, and %s cannot be written", dir, parent)
			return
		}
		d.ok("data directory", "%s will be made at the first start", dir)
		return
	}
	switch {
	case err != nil:
		d.problem("data directory", "", "%v", err)
	case !info.IsDir():
		d.problem("data directory", "set data_dir (SLUICE_DATA_DIR)", "%s is no directory", dir)
	case !writable(dir):
		d.problem("data directory", "make it writable for the user that runs the server", "%s cannot be written", dir)
	case info.Mode().Perm()&0o007 != 0:
		d.warn("data directory", "chmod o-rwx "+dir, "%s is open to every user of this machine", dir)
	default:
		d.ok("data directory", "%s is writable", dir)
	}
}

// existingParent is the nearest directory above dir that exists.
func existingParent(dir string) string {
	for {
		parent := filepath.Dir(filepath.Clean(dir))
		if _, err := os.Stat(parent); err == nil || parent == dir {
			return parent
		}
		dir = parent
	}
}

// writable tries it: permissions alone do not tell.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".sluice-doctor-*")
	if err != nil {
		return false
	}
	_ = f.Close()
	return os.Remove(f.Name()) == nil
}

// files checks the limit of open files: each request needs two.
func (d *doctor) files() {
	const enough = 4096
	limit, known := fileLimit()
	switch {
	case !known:
	case limit < enough:
		d.warn("open files", "ulimit -n 65536, or LimitNOFILE= in the unit", "at most %d open files, which is about %d requests at once", limit, limit/2)
	default:
		d.ok("open files", "at most %d open files", limit)
	}
}

// proxies tells of proxy variables, which calls to providers obey.
func (d *doctor) proxies() {
	var set []string
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		if d.app.getenv(name) != "" {
			set = append(set, name)
		}
	}
	if len(set) > 0 {
		d.warn("proxy", "unset what is not meant; NO_PROXY lists exceptions", "calls to providers go through a proxy: %s is set", strings.Join(set, ", "))
	}
}

// remote looks at the running server.
func (d *doctor) remote(ctx context.Context) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := d.app.client()
	if err != nil {
		d.problem("server", "", "%v", err)
		return
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		f := explain(err)
		d.problem("server", f.hint, "%s", f.Error())
		return
	}
	d.ok("server", "%s answers, version %s", c.URL(), s.Version)
	d.settings(s)
	d.log(s)
	d.chat(ctx)
}

func (d *doctor) settings(s *client.Status) {
	if s.Config.Error != "" {
		d.problem("reload", "sluice config validate", "the changed configuration was refused, the old one is in force: %s", s.Config.Error)
	}
	if len(s.Gateways) == 0 {
		d.problem("gateways", "add accounts."+d.app.flags.account+".gateways.default to sluice.yaml", "account %s has no gateway, so every call is refused", d.app.flags.account)
		return
	}
	var names []string
	for _, g := range s.Gateways {
		names = append(names, g.ID)
	}
	d.ok("gateways", "gateways: %s", strings.Join(names, ", "))
}

// log checks that entries reach the disk and that there is room.
func (d *doctor) log(s *client.Status) {
	l := &s.Log
	if l.State != verdictOK {
		d.problem("log", "free disk space, or lower log.max_bytes", "log: %s %s", l.State, l.LastError)
	} else {
		d.ok("log", "log: %s on disk, %s free", d.app.size(l.DiskBytes), d.app.size(l.DiskFree))
	}
	if l.DroppedRows > 0 || l.DroppedBodies > 0 {
		d.warn("log", "raise log.queue_bytes, or use a faster disk", "lost for lack of room since the start: %d entries, and the bodies of %d", l.DroppedRows, l.DroppedBodies)
	}
	const slow = 5000.0
	if l.IndexLag > slow {
		d.warn("log", "", "the index is %s behind: new entries are found late", d.app.millis(l.IndexLag))
	}
}

// chat sends a call through the data plane, to the provider that is built in; it leaves no entry.
func (d *doctor) chat(ctx context.Context) {
	c, err := d.app.dataClient()
	if err != nil {
		d.problem("data plane", "", "%v", err)
		return
	}
	defer c.Close()
	pieces := 0
	h := d.app.gatewayToken()
	h.Set("cf-aig-collect-log", "false")
	r, err := c.Chat(ctx, client.ChatRequest{Provider: "echo", Model: "echo-1", Prompt: "a check by sluice doctor, in some words", Header: h}, func(string) { pieces++ })
	switch {
	case err != nil:
		d.problem("data plane", explain(err).hint, "a call through gateway %s failed: %v", c.Gateway(), err)
	case pieces < 2:
		d.warn("data plane", "switch off buffering in the proxy in front of Sluice", "a streamed answer came in one piece")
	default:
		d.ok("data plane", "a streamed call through gateway %s took %s", c.Gateway(), d.app.millis(ms(r.Duration)))
	}
}

// showFindings shows what was found, and ends as it deserves.
func (a *commands) showFindings(found []finding, strict bool) error {
	problems, warnings := 0, 0
	t := &table{columns: []column{{}, {}}}
	rows := make([]json.RawMessage, len(found))
	for i, f := range found {
		row, err := json.Marshal(f)
		if err != nil {
			return err
		}
		rows[i] = row
		sign := cell{a.sign("✓"), green}
		switch f.Verdict {
		case verdictProblem:
			problems++
			sign = cell{a.sign("✕"), red}
		case verdictWarning:
			warnings++
			sign = cell{"!", yellow}
		}
		t.rows = append(t.rows, []cell{sign, {text: f.What}})
		if f.Fix != "" {
			t.rows = append(t.rows, []cell{{}, {text: "fix: " + f.Fix}})
		}
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	if err := a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }}); err != nil {
		return err
	}
	a.say("%s, %s", plural(problems, "problem"), plural(warnings, "warning"))
	if problems > 0 || strict && warnings > 0 {
		return errReported{exitProblems}
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
