// Package sluice is the vocabulary of an AI gateway: the words that every other
// package shares, and nothing that does anything. It imports only the standard
// library.
//
// The map of the module, lowest level first. A package imports smaller levels
// only; TestImportOrder in this directory holds that.
//
//	0  sluice                   ID, Header, Usage, Money, LogEntry, Error, Secret
//	0  web                      the dashboard's built pages
//	1  internal/wire/...        bytes <-> structs: framings (sse, jsonscan, inflate), dialects (openai, anthropic)
//	1  internal/price           prices and cost
//	1  internal/credential      provider keys of several parts: signatures, tokens for service accounts
//	1  internal/config          the one configuration struct, its defaults and its validation
//	1  internal/socket          TCP connections whose system calls are cheap
//	1  internal/routing         dynamic routes: their elements read, checked and compiled to a graph
//	2  internal/provider        the table of upstreams; the offline provider echo
//	2  internal/front           connections of clients: what they send as a Request, the answer as a Sink
//	2  internal/upstream        connections to providers: pools, deadlines, dial rules
//	2  internal/gateway         the set of all gateways: built in, of the file, stored; one snapshot per change
//	2  internal/reqlog          the append-only log: records, segments, queue, recovery
//	2  internal/hello           the last calls that came to nothing, for who sets up a client
//	2  internal/auth            gateway tokens: their form, their hashes, what each may do
//	2  internal/audit           the audit log: who changed what, with the secrets left out
//	2  internal/people          who signs in by name: passwords, identities, roles, one-time links, sessions
//	2  internal/vault           provider keys: sealed, chosen by alias and weight, rested when refused
//	2  internal/object          datasets, evaluations, views, custom domains, routes with versions: stored, versioned
//	2  internal/limit           rate limits: fixed and sliding windows
//	2  internal/spend           budgets: which calls a rule is of, what to reserve for one
//	2  internal/cache           answers kept, and calls shared: keys, entries, flights
//	2  internal/route           tries at a target: backoff, advice, budgets, hedges
//	2  internal/export          rows as files for other programs: JSON lines, CSV, Parquet
//	2  internal/job             long work: queued, run few at a time, resumed after a restart
//	3  internal/proxy           the life of one request; proxy/serve.go is the first file to read
//	3  internal/estimate        LLM tokens where a provider reported none
//	3  internal/admin           the management API
//	3  internal/ui              the dashboard's pages, served
//	3  internal/upkeep          a data directory as a whole: backup, restore, check
//	3  internal/store/logindex  the log's index: SQLite files, one per day
//	3  internal/store/slots     counters of limits and budgets in shared-mapped files
//	3  internal/store/answers   cached answers: memory over disk
//	3  internal/store/sqlstore  what operators make, in a database: gateways, tokens
//	3  internal/client          the public API as Go calls
//	3  internal/metrics         counters for Prometheus, by what has ended
//	4  internal/app             wiring, top to bottom
//	4  internal/demo            a day of made-up traffic, and a provider and clients that go on with it
//	4  internal/store/storetest  proof of what level 2 declares, run by every implementation
//	4  internal/credential/credentialtest  the other side of signatures and service accounts, for tests
//	4  internal/proxy/proxytest  a gateway and a scripted upstream in one line, for tests
//	5  internal/cli             the commands
//	6  cmd/sluice               main: a signal context, and the commands
package sluice
