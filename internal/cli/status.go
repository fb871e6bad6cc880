package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) statusCommand() *cobra.Command {
	c := a.command("status", "Say whether the gateway is up and what it is doing", func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		s, err := c.Status(cmd.Context())
		if err != nil {
			return err
		}
		return a.show(view{raw: s.Raw, table: func(wide bool) *table { return a.statusTable(c, s, wide) }})
	})
	c.Args = args(0, 0)
	c.Example = "sluice status\nsluice status --json\nsluice status --url http://10.0.0.5:8088"
	return c
}

func (a *commands) statusTable(c *client.Client, s *client.Status, wide bool) *table {
	var rows [][2]string
	add := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	add("up", "%s, version %s, for %s", c.URL(), s.Version, a.age(time.Duration(s.UptimeSeconds)*time.Second))
	for _, l := range s.Listeners {
		add("listening", "%s://%s (%s)", schemeOf(l.TLS), l.Address, l.Purpose)
	}
	file := s.Config.File
	if file == "" {
		file = "no file"
	}
	add("config", "%s, read %s", file, a.ago(s.Config.Loaded, time.Now()))
	if s.Config.Error != "" {
		add("", "%s NOT reloaded, the old settings are in force: %s", a.sign("✕"), s.Config.Error)
	}
	for _, w := range s.Config.Warnings {
		add("", "%s %s", a.sign("⚠"), w)
	}
	if t := s.LastMinute; t != nil {
		add("requests", "%s in the last minute (%.1f/s), %s, %d running", a.count(t.Requests), t.PerSecond, plural(int(t.Errors), "error"), s.InFlight)
	}
	if len(s.Refused) > 0 {
		var each []string
		for _, r := range s.Refused {
			each = append(each, fmt.Sprintf("%s with %d", a.count(r.Count), r.Status))
		}
		add("refused", "%s, before they reached a gateway (no log entry)", strings.Join(each, ", "))
	}
	if s.Panics > 0 {
		add("", "%s %s of the program contained: its own output tells more", a.sign("⚠"), plural(int(s.Panics), "fault"))
	}
	for _, g := range s.Gateways {
		if g.LastMinute == nil {
			add("gateway", "%s", g.ID)
			continue
		}
		add("gateway", "%s: %s (%.1f/s), %s", g.ID, a.count(g.LastMinute.Requests), g.LastMinute.PerSecond, plural(int(g.LastMinute.Errors), "error"))
	}
	a.addLog(add, s)
	if s.Limits.Trouble != "" {
		add("limits", "%s %s", a.sign("⚠"), s.Limits.Trouble)
	}
	if wide {
		add("lag", "to disk %s, to the index %s; over 50 ms to disk since the start: %s", a.millis(s.Log.AppendLag), a.millis(s.Log.IndexLag), plural(int(s.Log.Late), "record"))
		add("memory", "bodies: %s of %s", a.size(s.MemoryUsed), a.size(s.MemoryLimit))
		for _, u := range s.Upstreams {
			add("upstream", "%s: %d connections, %d idle, %d requests waiting (%s)", u.Host, u.Open, u.Idle, u.Waiting, u.Via)
		}
	}
	add("data", "%s", s.DataDir)
	return pairs(rows...)
}

// addLog adds what the log says of itself.
func (a *commands) addLog(add func(name, format string, args ...any), s *client.Status) {
	l := &s.Log
	add("log", "%s; %s entries since the start, %s on disk, %s free", l.State, a.count(l.Rows), a.size(l.DiskBytes), a.size(l.DiskFree))
	if l.DroppedRows > 0 || l.DroppedBodies > 0 {
		add("", "%s lost for lack of room: %s entries, and the bodies of %s", a.sign("⚠"), a.count(l.DroppedRows), a.count(l.DroppedBodies))
	}
	if l.LostCounts > 0 {
		add("", "%s missing in totals as well: %s of these entries", a.sign("⚠"), a.count(l.LostCounts))
	}
	if l.NotIndexed > 0 {
		add("", "%s not in lists: %s that the index could not take", a.sign("⚠"), plural(int(l.NotIndexed), "record"))
	}
	if l.Panics > 0 {
		add("", "%s %s of the log contained: the server's own output tells more", a.sign("⚠"), plural(int(l.Panics), "fault"))
	}
	if l.LastError != "" {
		add("", "last error: %s", l.LastError)
	}
}

// age writes a length of time in its two largest units.
func (a *commands) age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

func (a *commands) versionCommand() *cobra.Command {
	c := a.command("version", "Print the version (local)", func(*cobra.Command, []string) error {
		v := struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			System  string `json:"system"`
		}{a.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return a.show(view{raw: raw, table: func(bool) *table {
			return &table{columns: []column{{}}, rows: [][]cell{{{text: strings.Join([]string{"sluice", v.Version, v.Go, v.System}, " ")}}}}
		}})
	})
	c.Args = args(0, 0)
	c.Example = "sluice version\nsluice version --json"
	return c
}
