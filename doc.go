// Package sluice is the vocabulary of an AI gateway: the words that every other
// package shares, and nothing that does anything. It imports only the standard
// library.
//
// The map of the module, lowest level first. A package imports smaller levels
// only; TestImportOrder in this directory holds that.
//
//	0  sluice                 ID, Header, Usage, Money, LogEntry, Error, Secret
//	1  internal/wire/...      bytes <-> structs: framings (sse, jsonscan, inflate), dialects (openai, anthropic)
//	1  internal/config        the one configuration struct, its defaults and its validation
//	2  internal/provider      the table of upstreams; the offline provider echo
//	2  internal/upstream      connections to providers: pools, deadlines, dial rules
//	2  internal/reqlog        the append-only log: records, segments, queue, recovery
//	3  internal/proxy         the life of one request; proxy/serve.go is the first file to read
//	3  internal/admin         the management API
//	3  internal/store/...     implementations of what level 2 declares: logindex (SQLite)
//	3  internal/client        the public API as Go calls
//	4  internal/app           wiring, top to bottom
//	5  internal/cli           the commands; cmd/sluice runs them
package sluice
