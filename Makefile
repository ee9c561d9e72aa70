# pincall: make run, make test, make build. Everything else is for those who work on it.

GO ?= go

# The benchmarks are commands of bench/, a module of its own. Variables reach them through the environment: make bench-verify SECONDS_EACH=20
BENCHES := bench-verify bench-load bench-crash bench-race bench-ear bench-calls

.PHONY: run build test test-postgres lint bench $(BENCHES)

run: ## starts the server with its simulator: no account, no carrier, no database to install
	$(GO) run ./cmd/pincall serve

build: ## bin/pincall: one static file
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/pincall ./cmd/pincall

# The race detector needs cgo and a C compiler; without one the suite runs without it. (scripts/deps fails in CI.)
RACE = $(if $(shell command -v $${CC:-gcc} 2>/dev/null),-race)

test: ## the whole suite
	./scripts/deps
	$(GO) vet ./...
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 10m ./...

# PG is a list of folders with a server's programs (initdb, postgres); without it, the newest that Debian's packages have put
# under /usr/lib/postgresql.
PG ?= ""

test-postgres: ## what needs a database, with each server in PG: make test-postgres PG="/usr/lib/postgresql/14/bin /opt/pg18/bin"
	@set -e; for bin in $(PG); do echo "$${bin:-the newest installed}:"; PINCALL_TEST_PG_BIN=$$bin $(GO) test -count 1 -timeout 10m \
		-run 'Callback|Nodes|NodeLost|Postgres|Kill|Leaks|BrokenDatabase' ./internal/app ./cmd/pincall; \
		PINCALL_TEST_PG_BIN=$$bin $(GO) test -count 1 -timeout 10m ./internal/store/postgres; done

lint: ## form, vet, and staticcheck where the module proxy can be reached
	@unformed=$$(gofmt -l .); if [ -n "$$unformed" ]; then echo "run gofmt -w on:"; echo "$$unformed"; exit 1; fi
	$(GO) vet ./...
	@if $(GO) run honnef.co/go/tools/cmd/staticcheck@latest -version >/dev/null 2>&1; then \
		$(GO) run honnef.co/go/tools/cmd/staticcheck@latest ./...; \
	else echo "staticcheck cannot be downloaded here: skipped"; fi

bench: $(BENCHES) ## every benchmark at its defaults, each within a minute

# Variables given to make (DB=postgres, N=1000, ...) reach the benchmark through its environment.
$(BENCHES): bench-%:
	@test -d bench/$* || { echo "there is no bench/$* yet"; exit 1; }
	cd bench && $(GO) run ./$*
