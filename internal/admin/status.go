package admin

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// statusRoutes are those of the process itself.
func statusRoutes() []route {
	return []route{
		process(get(RoleViewer, scope+"/status", "get-status", "What the process is doing", handle((*server).getStatus))),
	}
}

// Status is what the process knows of itself. It goes out as it is, with what the log adds.
type Status struct {
	Version   string     `json:"version"`
	Started   time.Time  `json:"started"`
	DataDir   string     `json:"data_dir"`
	Listeners []Listener `json:"listeners"`
	Config    Config     `json:"config"`
	Upstreams []Upstream `json:"upstreams" doc:"hosts that were called of late"`
	// InFlight counts the requests that are running.
	InFlight int64 `json:"in_flight" doc:"requests that are running"`
	// Refused counts, since the start, requests that broke HTTP/1.1's rules or the limits of a head.
	Refused []Refusals `json:"refused" doc:"requests since the start that were refused before they had a gateway and a log entry"`
	// Panics counts what was contained.
	Panics int64 `json:"panics" doc:"faults of the program that were contained, since the start"`
	// MemoryUsed and MemoryLimit are of the pool for bodies, in bytes.
	MemoryUsed  int64 `json:"body_memory_used" doc:"bytes"`
	MemoryLimit int64 `json:"body_memory_limit" doc:"bytes"`
	// Limits tells about the counts of rate limits.
	Limits Limits `json:"limits"`
}

// Limits tells about the counts of rate limits.
type Limits struct {
	Keys       int    `json:"keys" doc:"how many are counted, those of the past not yet forgotten among them"`
	Persistent bool   `json:"persistent" doc:"whether counts outlive the process"`
	Trouble    string `json:"trouble" doc:"what went wrong last with their file; empty: nothing"`
}

// Listener is an address that the process listens on.
type Listener struct {
	Purpose string `json:"purpose" enum:"all,data,admin"`
	Address string `json:"address"`
	TLS     bool   `json:"tls"`
}

// Refusals counts the requests that got one status.
type Refusals struct {
	Status int   `json:"status" doc:"400, 408, 413, 414, 417, 431, 501 or 505"`
	Count  int64 `json:"count"`
}

// Config tells about the configuration in force.
type Config struct {
	File     string    `json:"file" doc:"empty: there is none"`
	Loaded   time.Time `json:"loaded"`
	Error    string    `json:"error" doc:"why the last reload was refused; the settings before it are in force"`
	FailedAt time.Time `json:"failed_at,omitzero" doc:"when it was refused"`
	Warnings []string  `json:"warnings"`
}

// Upstream tells about the connections to one host.
type Upstream struct {
	Host    string `json:"host"`
	Scheme  string `json:"scheme"`
	Via     string `json:"via" doc:"own, std or proxy"`
	Open    int    `json:"open" doc:"connections"`
	Idle    int    `json:"idle" doc:"connections among them that wait for a request"`
	Dialing int    `json:"dialing"`
	Waiting int    `json:"waiting" doc:"requests that wait for a connection"`
}

// StatusView is the answer of status.
type StatusView struct {
	Status
	UptimeSeconds int64           `json:"uptime_seconds"`
	Gateways      []GatewayStatus `json:"gateways" doc:"of the account"`
	LastMinute    *Traffic        `json:"last_minute" doc:"of the account; null: the log did not answer in time"`
	Log           LogStatus       `json:"log"`
}

// GatewayStatus names a gateway and tells of its traffic.
type GatewayStatus struct {
	ID         string   `json:"id"`
	LastMinute *Traffic `json:"last_minute"`
}

// Traffic counts what was answered of late. Roll-ups know whole minutes, so that the window is one to
// two minutes long; the rate is over its true length.
type Traffic struct {
	WindowSeconds float64 `json:"window_seconds"`
	Requests      int64   `json:"requests"`
	Errors        int64   `json:"errors"`
	PerSecond     float64 `json:"requests_per_second"`
}

// LogStatus are the log's own numbers, since the start of the process.
type LogStatus struct {
	State         string  `json:"state" doc:"ok, or what is wrong"`
	LastError     string  `json:"last_error"`
	Appended      int64   `json:"appended"`
	Rows          int64   `json:"rows"`
	DroppedBodies int64   `json:"dropped_bodies" doc:"entries whose bodies found no room"`
	DroppedRows   int64   `json:"dropped_rows" doc:"entries that found no room, and are only counted"`
	LostCounts    int64   `json:"lost_counts" doc:"of dropped_rows, those that are not even counted in totals"`
	Late          int64   `json:"late" doc:"records that may have been longer than 50 ms on their way to a file"`
	NotIndexed    int64   `json:"not_indexed" doc:"records that the index could not take: in the segments, and in no list"`
	Panics        int64   `json:"panics" doc:"faults of the log's own that were contained"`
	QueueBytes    int64   `json:"queue_bytes"`
	AppendLag     float64 `json:"append_lag_ms"`
	IndexLag      float64 `json:"index_lag_ms"`
	DiskBytes     int64   `json:"disk_bytes"`
	DiskFree      int64   `json:"disk_free"`
	CompleteUntil *string `json:"complete_until" doc:"no entry will be added before this time; null: the log did not answer in time"`
}

// statusPatience is how long status waits for the log: it must answer above all when something is wrong.
const statusPatience = 2 * time.Second

func (s *server) getStatus(ctx context.Context, in *AccountPath) (*output[Envelope[StatusView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	v := StatusView{Status: s.Status(), Gateways: []GatewayStatus{}, Log: viewLogStats(s.Log.Stats())}
	v.UptimeSeconds = int64(now.Sub(v.Started).Seconds())
	v.Listeners, v.Upstreams = notNil(v.Listeners), notNil(v.Upstreams)
	v.Refused = notNil(v.Refused)
	v.Config.Warnings = notNil(v.Config.Warnings)

	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	if until, err := s.Log.CompleteUntil(ctx); err == nil {
		v.Log.CompleteUntil = knownStamp(until)
	}
	byGateway := s.traffic(ctx, a.ID, now, &v)
	for _, e := range a.Entries() {
		g := GatewayStatus{ID: e.ID}
		if v.LastMinute != nil {
			t := byGateway[g.ID]
			t.WindowSeconds = v.LastMinute.WindowSeconds
			g.LastMinute = &t
		}
		v.Gateways = append(v.Gateways, g)
	}
	return answer(v), nil
}

// traffic sums the last minute by gateway, and the account's into v. nil: the log did not answer.
func (s *server) traffic(ctx context.Context, account string, now time.Time, v *StatusView) map[string]Traffic {
	from := now.Add(-time.Minute).Truncate(time.Minute)
	totals, err := s.Log.Totals(ctx, reqlog.TotalsQuery{
		Account: account, From: from, To: now.Truncate(time.Minute).Add(time.Minute), Group: reqlog.GroupGateway,
	})
	if err != nil {
		return nil
	}
	window := now.Sub(from).Seconds()
	all := Traffic{WindowSeconds: window}
	byGateway := map[string]Traffic{}
	for _, t := range totals {
		all.Requests += t.Requests
		all.Errors += t.Errors
		byGateway[t.Value] = Traffic{window, t.Requests, t.Errors, float64(t.Requests) / window}
	}
	all.PerSecond = float64(all.Requests) / window
	v.LastMinute = &all
	return byGateway
}

func viewLogStats(s reqlog.Stats) LogStatus {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return LogStatus{
		State: s.State, LastError: s.LastError, Appended: s.Appended, Rows: s.Rows,
		DroppedBodies: s.DroppedBodies, DroppedRows: s.DroppedRows, LostCounts: s.LostCounts,
		Late: s.Late, NotIndexed: s.NotIndexed, Panics: s.Panics, QueueBytes: s.QueueBytes,
		AppendLag: ms(s.AppendLag), IndexLag: ms(s.IndexLag), DiskBytes: s.DiskBytes, DiskFree: s.DiskFree,
	}
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
