# make is the whole interface: `make` alone lists what there is.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TAGS      := grpcnotrace
LDFLAGS   := -s -w -X main.version=$(VERSION)
GO        := go
BIN       := bin/sluice
CACHE     := $(CURDIR)/.cache
TOOLS     := $(CACHE)/bin
RESULTS   := $(CACHE)/results
GOTESTSUM := $(TOOLS)/gotestsum --format pkgname-and-test-fails --hide-summary skipped
# -vet=off: the target vet says more, and once.
GOTEST    := -vet=off -shuffle=on
SCRIPTS   := $(GO) -C scripts run

# The modules of this repository: the product, and beside it what only builds, measures and tests it.
MODULES := . bench scripts test

FUZZTIME         ?= 2m
FUZZTIME_NETWORK ?= 10m
FUZZTIME_CHECK   ?= 3s
COUNT            ?= 1

# The same for all that compiles, so that vet, lint, build and the tests without the race detector share what they
# compile; a difference in either compiles all of it again.
export GOFLAGS += -buildvcs=false -trimpath
export CGO_ENABLED ?= 0

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what build and tests need; quick when all is there
	@scripts/setup.sh

# The dashboard's pages are built where a file of theirs is newer than what was built.
WEB := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/e2e -prune -o -type f -print)

.PHONY: web
web: web/dist/index.html ## build the dashboard's pages, which go into the binary

web/dist/index.html: $(WEB) | web/node_modules
	@cd web && node scripts/build.mjs

web/node_modules:
	@scripts/setup.sh web

.PHONY: build
build: web ## build bin/sluice, one static binary with the dashboard in it
	@$(GO) build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/sluice

.PHONY: run
run: build ## build and start a gateway; prints its addresses and a curl that works offline
	@exec $(BIN) serve $(ARGS)

.PHONY: check
check: setup ## everything that CI runs
	@rm -rf $(RESULTS)
	@$(MAKE) fmt-check
	@$(MAKE) lint
	@$(MAKE) vet
	@$(MAKE) test
	@$(MAKE) build
	@$(MAKE) gates
	@$(MAKE) docs-check
	@$(MAKE) web-check
	@$(MAKE) sdk
	@$(MAKE) e2e
	@$(MAKE) web-e2e
	@$(MAKE) fuzz-short
	@$(SCRIPTS) ./count $(RESULTS)

.PHONY: fmt
fmt: ## format all Go code
	@for m in $(MODULES); do (cd $$m && $(TOOLS)/golangci-lint fmt --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: fmt-check
fmt-check:
	@echo "== format"
	@for m in $(MODULES); do (cd $$m && $(TOOLS)/golangci-lint fmt --diff --config $(CURDIR)/.golangci.yml ./...); done

.PHONY: lint
lint: ## golangci-lint over all modules
	@for m in $(MODULES); do \
		echo "== lint $$m"; \
		(cd $$m && GOLANGCI_LINT_CACHE=$(CACHE)/golangci $(TOOLS)/golangci-lint run --build-tags $(TAGS) --config $(CURDIR)/.golangci.yml ./...); \
	done

.PHONY: vet
vet:
	@for m in $(MODULES); do echo "== vet $$m"; $(GO) -C $$m vet ./...; done

.PHONY: test
test: ## unit and integration tests, with the race detector, in random order
	@echo "== tests"
	@mkdir -p $(RESULTS)
	@CGO_ENABLED=1 $(GOTESTSUM) --jsonfile $(RESULTS)/unit.json -- $(GOTEST) -race -count=$(COUNT) -tags $(TAGS) ./...
	@cd bench && CGO_ENABLED=1 $(GOTESTSUM) --jsonfile $(RESULTS)/bench.json -- $(GOTEST) -race -count=$(COUNT) ./...
	@cd scripts && CGO_ENABLED=1 $(GOTESTSUM) --jsonfile $(RESULTS)/scripts.json -- $(GOTEST) -race -count=$(COUNT) ./...
	@cd test && CGO_ENABLED=1 $(GOTESTSUM) --jsonfile $(RESULTS)/helpers.json -- $(GOTEST) -race -count=$(COUNT) ./internal/...

.PHONY: sdk
sdk: build ## the providers' own SDKs through the binary, compared with direct calls
	@echo "== SDK clients"
	@mkdir -p $(RESULTS)
	@cd test && SLUICE_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --jsonfile $(RESULTS)/sdk.json -- $(GOTEST) -count=$(COUNT) -timeout 15m ./sdk/...

.PHONY: e2e
e2e: build ## the binary against scripted upstreams: kills, full disks, broken streams
	@echo "== end to end"
	@mkdir -p $(RESULTS)
	@cd test && SLUICE_BIN=$(CURDIR)/$(BIN) $(GOTESTSUM) --jsonfile $(RESULTS)/e2e.json -- $(GOTEST) -count=$(COUNT) -timeout 15m ./e2e/... ./golden/... ./edges/... ./truth/...

.PHONY: web-check
web-check: web ## the dashboard's types, lint, dead code, words, unit tests and sizes
	@echo "== dashboard"
	@mkdir -p $(RESULTS)
	@cd web && npx tsc && npx oxlint --quiet && npx knip && node scripts/words.mjs && \
		npx vitest run --reporter=dot --reporter=json --outputFile=$(RESULTS)/web.json && node scripts/size.mjs

.PHONY: shots
shots: build ## pictures of every page of the dashboard in both themes, from sluice demo: web/e2e/shots
	@cd web && SLUICE_BIN=$(CURDIR)/$(BIN) node e2e/shots.mjs

.PHONY: web-measure
web-measure: build ## times, frames and memory of the dashboard's list with 100,000 rows; asserts nothing
	@cd web && SLUICE_BIN=$(CURDIR)/$(BIN) node e2e/measure.mjs

.PHONY: web-e2e
web-e2e: build ## the dashboard in a real browser against the binary
	@echo "== dashboard in the browser"
	@mkdir -p $(RESULTS)
	@cd web && SLUICE_BIN=$(CURDIR)/$(BIN) npx vitest run --config vitest.e2e.config.ts --reporter=default --reporter=json --outputFile=$(RESULTS)/web-e2e.json

CALLS ?= 50000

.PHONY: truth
truth: build ## CALLS mixed calls, some over restarts and kills: every total equals what the driver counted
	@cd test && SLUICE_TRUTH_CALLS=$(CALLS) SLUICE_BIN=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -v ./truth/...

.PHONY: fuzz
fuzz: ## fuzz every target, minutes each (FUZZTIME, FUZZTIME_NETWORK, ARGS='-match REGEXP')
	@$(SCRIPTS) ./fuzz -root $(CURDIR) -time $(FUZZTIME) -network-time $(FUZZTIME_NETWORK) $(ARGS)

.PHONY: fuzz-short
fuzz-short:
	@echo "== fuzz, $(FUZZTIME_CHECK) each"
	@$(SCRIPTS) ./fuzz -root $(CURDIR) -time $(FUZZTIME_CHECK) -network-time $(FUZZTIME_CHECK) -jobs 2

.PHONY: golden
golden: ## rewrite the expectations of tests that have -update; look at the diff before you commit
	@pkgs=$$(grep -rlE --include='*_test.go' 'flag\.Bool\("update"' cmd internal *.go 2>/dev/null | xargs -rn1 dirname | sort -u | sed 's|^|./|'); \
		if [ -n "$$pkgs" ]; then $(GO) test $$pkgs -count=1 -update; else echo "no test has -update"; fi

.PHONY: bench
bench: build ## the table of ratios against nginx; BASE=<revision> measures a former commit beside it
	@cd bench && $(GO) run ./cmd/table -root $(CURDIR) -base '$(BASE)' -json results.json $(ARGS)

ROWS ?= 10000000

.PHONY: tail-delay
tail-delay: build ## how long after an answer those who follow the log hear of it, at 200 calls a second
	@cd bench && $(GO) run ./cmd/taildelay -binary $(CURDIR)/$(BIN) $(ARGS)

.PHONY: bench-store
bench-store: build ## lists, entries and charts over ROWS rows while 200 calls a second are written; ARGS='-dir DIR' keeps them
	@cd bench && $(GO) run ./cmd/store -binary $(CURDIR)/$(BIN) -rows $(ROWS) $(ARGS)

.PHONY: profile
profile: build ## CPU profile of the request path under load: the top ten functions
	@cd bench && $(GO) run ./cmd/table -root $(CURDIR) -profile $(CACHE)/cpu.prof $(ARGS)

.PHONY: gates
gates:
	@echo "== gates"
	@$(SCRIPTS) ./gates -root $(CURDIR) -binary $(CURDIR)/$(BIN)

.PHONY: docs
docs: build ## write the generated pages of docs/, and the dashboard's types of the API
	@$(BIN) docs
	@$(MAKE) types

.PHONY: types
types:
	@$(BIN) docs --openapi | $(SCRIPTS) ./apitypes >$(CACHE)/types.gen.ts
	@cmp -s $(CACHE)/types.gen.ts web/src/api/types.gen.ts || cp $(CACHE)/types.gen.ts web/src/api/types.gen.ts

.PHONY: prices
prices: ## write the price catalogue anew from its pinned source
	@scripts/prices/make.sh

.PHONY: docs-check
docs-check: build
	@echo "== generated pages are current"
	@before=$$(cat docs/*.md docs/*.yaml web/src/api/types.gen.ts | sha256sum); $(BIN) docs >/dev/null; $(MAKE) types; \
		if [ "$$before" != "$$(cat docs/*.md docs/*.yaml web/src/api/types.gen.ts | sha256sum)" ]; then \
			echo "docs/ or web/src/api/types.gen.ts was out of date and has been written anew: commit it" >&2; exit 1; fi

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin $(RESULTS)
