// Package config is the one struct of settings that a process is started with. Name, default and
// help stand on the field; the environment name follows from the path (log.level is
// SLUICE_LOG_LEVEL). Flags beat the environment, which beats the file, which beats the defaults.
//
// The tags of a field: key is its name in the file; default and help speak for themselves; enum
// lists the texts that are allowed; min and max bound a number, a size (bytes) or a duration
// (nanoseconds), where min is 0 when it is not given; unit is that of a bare number where a
// duration is wanted, which must be whole in it; each names the key of a map in help and
// documentation, and env:"known" there says that the environment can only speak of keys that the file
// has, because a key cannot be told from its name in the environment; restart:"yes" marks what a running process cannot change.
package config

import (
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Config is the whole configuration. The file docs/configuration.md is generated from it.
type Config struct {
	Listen      string        `key:"listen" restart:"yes" default:"127.0.0.1:8088" help:"address that applications call"`
	AdminListen string        `key:"admin_listen" restart:"yes" help:"address of a second listener for management API, dashboard and operations; empty: all on listen"`
	BasePath    string        `key:"base_path" help:"path prefix that a reverse proxy in front leaves on, for example /ai"`
	DataDir     string        `key:"data_dir" restart:"yes" default:"./sluice-data" help:"directory for log, databases and keys; one process each, no network file system"`
	AdminToken  sluice.Secret `key:"admin_token" help:"token for the management API; when listening on more than loopback, it or an admin who signs in is needed"`

	MasterKey sluice.Secret `key:"master_key" restart:"yes" help:"key that seals the stored provider keys: 32 bytes in base64; empty: it is in vault.key_file. To change it: the new one, a comma, the old one"`

	TLS       TLS                 `key:"tls"`
	Hosts     map[string]Host     `key:"hosts" each:"host" env:"known" help:"custom host names: which account and gateway a host means; paths there begin at the provider"`
	Accounts  map[string]Account  `key:"accounts" each:"account" help:"accounts and their gateways; default/default exists from the start while listening on loopback"`
	Providers map[string]Provider `key:"providers" each:"provider" help:"settings of built-in providers by slug, and self-hosted engines of your own"`
	Limits    Limits              `key:"limits"`
	Timeouts  Timeouts            `key:"timeouts"`
	Upstream  Upstream            `key:"upstream"`
	CORS      CORS                `key:"cors"`
	Prices    Prices              `key:"prices"`
	Cache     Cache               `key:"cache"`
	Vault     Vault               `key:"vault"`
	SignIn    SignIn              `key:"sign_in"`
	OIDC      OIDC                `key:"oidc"`
	Audit     Audit               `key:"audit"`
	WebSocket WebSocket           `key:"websocket"`
	Log       Log                 `key:"log"`
	Metrics   Metrics             `key:"metrics"`
	Jobs      Jobs                `key:"jobs"`
}

// TLS makes the listeners speak TLS, with HTTP/2 by ALPN.
type TLS struct {
	Cert string `key:"cert" restart:"yes" help:"file with the certificate chain, PEM; read again on reload"`
	Key  string `key:"key" restart:"yes" help:"file with its private key, PEM"`
}

// Host is what a custom host name means.
type Host struct {
	Account string `key:"account" default:"default" help:"account that the host name means"`
	Gateway string `key:"gateway" default:"default" help:"gateway that the host name means"`
}

// Account is a tenant: its id stands first in every path.
type Account struct {
	Aliases  []string           `key:"aliases" help:"other ids that mean this account, for example the 32-hex id that apps carry from elsewhere"`
	Gateways map[string]Gateway `key:"gateways" each:"gateway" help:"gateways by id, 1 to 64 characters of a-z, 0-9, - and _"`
}

// Gateway is the set of rules that a caller names in the path. The settings have the reference's names; a
// duration may be a bare number in the reference's unit.
type Gateway struct {
	Authentication          *bool         `key:"authentication" default:"false" help:"callers need a gateway token"`
	CollectLogs             *bool         `key:"collect_logs" default:"true" help:"write a log entry for each request; a request's cf-aig-collect-log header overrides it"`
	CollectPayload          *bool         `key:"collect_payload" default:"true" help:"store request and answer bodies with the entry; cf-aig-collect-log-payload overrides it"`
	MetadataEntries         int           `key:"metadata_entries" max:"64" default:"5" help:"most entries of cf-aig-metadata that are kept"`
	CacheTTL                time.Duration `key:"cache_ttl" unit:"s" max:"3153600000000000000" default:"0" help:"how long answers are cached; 0: off"`
	CacheInvalidateOnUpdate *bool         `key:"cache_invalidate_on_update" default:"false" help:"a change of the gateway's settings forgets its cached answers"`
	RateLimitingLimit       int64         `key:"rate_limiting_limit" max:"9007199254740991" default:"0" help:"most requests in a window; 0: off"`
	RateLimitingInterval    time.Duration `key:"rate_limiting_interval" unit:"s" max:"3153600000000000000" default:"0" help:"length of a window; 0: off"`
	RateLimitingTechnique   string        `key:"rate_limiting_technique" enum:"fixed,sliding" default:"fixed" help:"fixed: windows are cut by the clock; sliding: no interval of that length holds more than the limit"`
	RetryMaxAttempts        int           `key:"retry_max_attempts" min:"1" max:"5" default:"1" help:"most tries of a failed call at one target, the first counted"`
	RetryDelay              time.Duration `key:"retry_delay" unit:"ms" max:"60000000000" default:"0" help:"wait before the second try"`
	RetryBackoff            string        `key:"retry_backoff" enum:"constant,linear,exponential" default:"constant" help:"how the wait grows from try to try: constant (d, d, d), linear (d, 2d, 3d) or exponential (d, 2d, 4d)"`
	RequestTimeout          time.Duration `key:"request_timeout" unit:"ms" max:"3600000000000" default:"0" help:"how long a try waits for the first byte of an answer; 0: as timeouts.first_byte says"`
	Hedge                   int           `key:"hedge" max:"100" default:"0" help:"most calls that are sent a second time while the first is slow, percent of all; 0: none"`
	LogManagement           int64         `key:"log_management" max:"10000000" default:"0" help:"most log entries of this gateway, 10000 at least; 0: none; log.max_rows bounds all gateways together"`
	LogManagementStrategy   string        `key:"log_management_strategy" enum:"STOP_INSERTING,DELETE_OLDEST" default:"DELETE_OLDEST" help:"at log_management: count new requests without an entry, or drop the oldest entries"`
	SpendLimits             JSON          `key:"spend_limits" help:"what calls may cost in a window: enabled and rules, as the management API has them"`
	ByokOnly                *bool         `key:"byok_only" default:"false" help:"no call without a provider key: the caller's own, or a stored one"`
	ZDR                     *bool         `key:"zdr" default:"false" help:"only upstream accounts that keep nothing; stored and shown"`
	WorkersAIBillingMode    string        `key:"workers_ai_billing_mode" enum:"postpaid,unified" default:"postpaid" help:"stored and shown"`
}

// Provider changes a built-in provider, or makes one of a kind for a self-hosted engine.
type Provider struct {
	BaseURL string `key:"base_url" help:"address to call instead of the built-in one: scheme, host and path prefix"`
	Kind    string `key:"kind" enum:"openai" help:"for a slug that is not built in: openai (any OpenAI-compatible address)"`
}

// Limits bound what one caller can use up.
type Limits struct {
	BodyBytes   Bytes         `key:"body_bytes" min:"1" default:"25MB" help:"largest request body that is read whole; larger ones stream through where nothing must read them"`
	HeaderBytes Bytes         `key:"header_bytes" min:"4096" max:"16777216" restart:"yes" default:"64KB" help:"largest request head"`
	MemoryBytes Bytes         `key:"memory_bytes" restart:"yes" default:"0" help:"most memory for bodies of all requests together; 0: a quarter of the memory limit, 1 GB at most"`
	SpoolBytes  Bytes         `key:"spool_bytes" restart:"yes" default:"4GB" help:"most disk for request bodies that memory has no room for"`
	Wait        time.Duration `key:"wait" default:"5s" help:"how long a request waits for room for its body before 503"`
	Conns       int           `key:"conns" restart:"yes" default:"0" help:"most open client connections; 0: what the process's file limit allows"`
}

// Timeouts bound the stages of a request. 0 means unbounded.
type Timeouts struct {
	Header      time.Duration `key:"header" restart:"yes" default:"10s" help:"a client's time to send a request's head"`
	Body        time.Duration `key:"body" default:"60s" help:"a client's longest pause within a request's body"`
	Keepalive   time.Duration `key:"keepalive" restart:"yes" default:"120s" help:"how long an idle client connection stays open"`
	ClientWrite time.Duration `key:"client_write" restart:"yes" default:"60s" help:"how long a client may take no byte of an answer"`
	Connect     time.Duration `key:"connect" default:"10s" help:"DNS, dial and a place among the host's connections"`
	TLS         time.Duration `key:"tls" default:"10s" help:"TLS handshake with the upstream"`
	FirstByte   time.Duration `key:"first_byte" default:"10m" help:"until the head of the upstream's answer"`
	Idle        time.Duration `key:"idle" default:"5m" help:"longest silence within an upstream's answer"`
	Total       time.Duration `key:"total" default:"60m" help:"a whole call to an upstream"`
	Shutdown    time.Duration `key:"shutdown" default:"30s" help:"grace for running requests after SIGTERM"`
}

// Upstream is about connections to providers.
type Upstream struct {
	Transport    string `key:"transport" enum:"auto,std" restart:"yes" default:"auto" help:"auto: the own HTTP/1.1 client where it applies; std: net/http's Transport for all"`
	ConnsPerHost int    `key:"conns_per_host" restart:"yes" default:"0" help:"most connections to one upstream host; 0: no bound"`
	IdlePerHost  int    `key:"idle_per_host" restart:"yes" default:"512" help:"most idle connections kept to one upstream host"`
	CAFile       string `key:"ca_file" restart:"yes" help:"more trusted certificate authorities, PEM, besides the system's"`
	// PrivateHosts are hosts, addresses or CIDR ranges that may be called although they are private.
	PrivateHosts []string `key:"private_hosts" restart:"yes" help:"hosts, addresses or CIDR ranges that custom addresses may lead to although they are private"`
	RetryBudget  int      `key:"retry_budget" max:"100" default:"20" help:"most retries, percent of calls, so that an outage upstream does not multiply the traffic; 0: none"`
}

// Vault is about stored provider keys.
type Vault struct {
	KeyFile string `key:"key_file" restart:"yes" help:"file with the master key, unless master_key is set; made when the first provider key is stored. Empty: master.key in data_dir"`

	GoogleTokenURL string `key:"google_token_url" restart:"yes" default:"https://oauth2.googleapis.com/token" help:"address that Google service accounts are exchanged for tokens at; another one is for tests and private networks"`
}

// Cache is about answers that are kept to be given again.
type Cache struct {
	MemoryBytes Bytes `key:"memory_bytes" restart:"yes" default:"64MB" help:"most memory for cached answers"`
	DiskBytes   Bytes `key:"disk_bytes" restart:"yes" default:"1GB" help:"most disk for cached answers"`
	EntryBytes  Bytes `key:"entry_bytes" restart:"yes" default:"25MB" help:"largest answer that is cached"`
}

// WebSocket is about WebSocket connections of clients.
type WebSocket struct {
	MessageBytes Bytes `key:"message_bytes" min:"1024" max:"1073741824" default:"16MB" help:"largest message"`
	Streams      int   `key:"streams" min:"1" max:"10000" default:"100" help:"most requests that run at the same time on one connection"`
}

// CORS lets browsers call the data plane.
type CORS struct {
	Origins []string `key:"origins" help:"origins that may call from a browser, or *; empty: preflights go to the provider"`
}

// Prices says what calls cost.
type Prices struct {
	Source  string                `key:"source" help:"file or https address of a price catalogue to use instead of the built-in one; a broken one is refused and the old one kept"`
	Refresh time.Duration         `key:"refresh" min:"60000000000" default:"24h" help:"how often prices.source is read again"`
	Models  map[string]ModelPrice `key:"models" each:"provider/model" help:"prices of your own, before every catalogue; * in a model name is any text"`
}

// ModelPrice is a price of the operator's own: decimal US dollars, for a million tokens or characters,
// a thousand requests, searches, images or pages, or a second. What it leaves out has no price.
type ModelPrice struct {
	As             string `key:"as" help:"take the prices of another model: provider/model"`
	Times          string `key:"times" help:"multiply the prices, for example 1.1 or 1/2"`
	Input          string `key:"input" help:"US dollars for a million input tokens"`
	Output         string `key:"output" help:"US dollars for a million output tokens"`
	CacheRead      string `key:"cache_read" help:"US dollars for a million tokens read from the provider's cache"`
	CacheWrite5m   string `key:"cache_write_5m" help:"US dollars for a million tokens written to it for a short time"`
	CacheWrite1h   string `key:"cache_write_1h" help:"US dollars for a million tokens written to it for a long time"`
	Reasoning      string `key:"reasoning" help:"US dollars for a million reasoning tokens, where they cost other than output"`
	AudioInput     string `key:"audio_input" help:"US dollars for a million tokens of audio read"`
	AudioOutput    string `key:"audio_output" help:"US dollars for a million tokens of audio made"`
	AudioCacheRead string `key:"audio_cache_read" help:"US dollars for a million tokens of audio read from the cache"`
	ImageInput     string `key:"image_input" help:"US dollars for a million tokens of images read"`
	ImageOutput    string `key:"image_output" help:"US dollars for a million tokens of images made"`
	Citations      string `key:"citations" help:"US dollars for a million citation tokens"`
	Requests       string `key:"requests" help:"US dollars for a thousand calls"`
	WebSearches    string `key:"web_searches" help:"US dollars for a thousand web searches"`
	SearchUnits    string `key:"search_units" help:"US dollars for a thousand search units"`
	Images         string `key:"images" help:"US dollars for a thousand images"`
	Pages          string `key:"pages" help:"US dollars for a thousand pages"`
	Characters     string `key:"characters" help:"US dollars for a million characters of speech"`
	Seconds        string `key:"seconds" help:"US dollars for a second of hardware or audio"`
}

// USD returns the prices by class, those that are given, as price.NewOverride takes them.
func (p ModelPrice) USD() map[string]string {
	all := map[string]string{
		"input": p.Input, "output": p.Output, "cache_read": p.CacheRead, "cache_write_5m": p.CacheWrite5m,
		"cache_write_1h": p.CacheWrite1h, "reasoning": p.Reasoning, "audio_input": p.AudioInput, "audio_output": p.AudioOutput,
		"audio_cache_read": p.AudioCacheRead, "image_input": p.ImageInput, "image_output": p.ImageOutput,
		"citations": p.Citations, "requests": p.Requests, "web_searches": p.WebSearches, "search_units": p.SearchUnits,
		"images": p.Images, "pages": p.Pages, "characters": p.Characters, "seconds": p.Seconds,
	}
	for class, usd := range all {
		if usd == "" {
			delete(all, class)
		}
	}
	return all
}

// SignIn is about people who use the management API by name.
type SignIn struct {
	Idle           time.Duration `key:"idle" min:"60000000000" restart:"yes" default:"12h" help:"how long a session lasts that nobody uses"`
	Lifetime       time.Duration `key:"lifetime" min:"60000000000" restart:"yes" default:"168h" help:"how long a session lasts at most"`
	TrustedProxies []string      `key:"trusted_proxies" help:"addresses or CIDR ranges of reverse proxies whose X-Forwarded-For is believed; loopback always is"`
}

// OIDC is about signing in by an identity provider, which speaks OpenID Connect.
type OIDC struct {
	Issuer           string           `key:"issuer" help:"address of the identity provider; empty: nobody signs in by one"`
	Name             string           `key:"name" default:"SSO" help:"what it is called where people sign in"`
	ClientID         string           `key:"client_id" help:"id of Sluice there"`
	ClientSecret     sluice.Secret    `key:"client_secret" help:"secret of Sluice there; empty: it has none"`
	RedirectURL      string           `key:"redirect_url" help:"address of /client/v4/session/oidc/callback as browsers call it; it is registered there"`
	Scopes           []string         `key:"scopes" help:"what is asked for; empty: openid, email, profile"`
	Domains          []string         `key:"domains" help:"domains of e-mail addresses that are let in; empty: all"`
	UnverifiedEmails *bool            `key:"unverified_emails" default:"false" help:"let in e-mail addresses that the provider does not say to be verified"`
	GroupsClaim      string           `key:"groups_claim" default:"groups" help:"claim that lists somebody's groups"`
	Grants           map[string]Grant `key:"grants" each:"grant" help:"who may do what: each grant is for those who are in its group and have its domain"`
}

// Grant is what some of those who sign in by an identity provider may do.
type Grant struct {
	Group   string `key:"group" help:"group that they are in; empty: any"`
	Domain  string `key:"domain" help:"domain of their e-mail address; empty: any"`
	Account string `key:"account" default:"default" help:"account that the role is in"`
	Role    string `key:"role" enum:"viewer,editor,admin,instance" default:"viewer" help:"viewer, editor, admin, or instance: admin of every account and of the process"`
	Bodies  *bool  `key:"bodies" default:"false" help:"viewers see stored bodies"`
}

// Audit is about the audit log: who changed what.
type Audit struct {
	MaxAge time.Duration `key:"max_age" default:"8760h" help:"delete entries of the audit log older than this; 0: keep"`
}

// Log is about the log of exchanges and the process's own messages.
type Log struct {
	Level      string        `key:"level" enum:"debug,info,warn,error" default:"info" help:"of the process's own messages: debug, info, warn, error"`
	Format     string        `key:"format" enum:"text,json,auto" restart:"yes" default:"auto" help:"of the process's own messages: text, json, or auto (text on a terminal)"`
	Durability string        `key:"durability" enum:"batched,strict,fsync" restart:"yes" default:"batched" help:"batched: a killed process loses at most 50 ms; strict: nothing that a client has wholly received; fsync: that on power loss too"`
	FsyncEvery time.Duration `key:"fsync_every" min:"1" restart:"yes" default:"1s" help:"how often appended records are forced to disk: what power loss can cost"`
	QueueBytes Bytes         `key:"queue_bytes" min:"1048576" restart:"yes" default:"64MB" help:"most memory for records on their way to disk"`
	BodyBytes  Bytes         `key:"body_bytes" default:"10MB" help:"most bytes stored of one body; the entry says when it was cut"`
	MaxAge     time.Duration `key:"max_age" default:"0" help:"delete entries older than this; 0: keep"`
	MaxBodyAge time.Duration `key:"max_body_age" default:"0" help:"delete stored bodies older than this; 0: as long as entries"`
	MaxRows    int64         `key:"max_rows" default:"10000000" help:"most entries"`
	MaxBytes   Bytes         `key:"max_bytes" default:"10GB" help:"most disk for the log"`
	MinFree    Bytes         `key:"min_free" default:"512MB" help:"free disk space below which the log gives way: oldest entries, then bodies, then rows"`
	Metadata   []string      `key:"metadata" restart:"yes" help:"metadata keys whose values are summed up as they come, for charts; 3 at most, counted from then on"`
	WhenFull   string        `key:"when_full" enum:"DELETE_OLDEST,STOP_INSERTING" default:"DELETE_OLDEST" help:"at max_rows or max_bytes: DELETE_OLDEST or STOP_INSERTING"`
}

// Metrics is about /metrics, for Prometheus.
type Metrics struct {
	Access string        `key:"access" enum:"token,open" default:"token" help:"token: the admin token or metrics.token is needed to scrape; open: anybody who reaches the listener may"`
	Token  sluice.Secret `key:"token" help:"a token that may scrape, and nothing else"`
}

// Jobs is about long work: exports, backups and the like.
type Jobs struct {
	Keep     time.Duration `key:"keep" min:"60000000000" restart:"yes" default:"24h" help:"how long files that jobs leave for download are kept"`
	MaxBytes Bytes         `key:"max_bytes" restart:"yes" default:"10GB" help:"most disk for all files that jobs leave, but for backups"`
}
