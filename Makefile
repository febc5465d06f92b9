# The two commands of the README are `make demo` and `make test`; both set up what they need.

SHELL := /bin/bash
GOLANGCI_LINT := bin/golangci-lint
GOLANGCI_LINT_VERSION := v2.15.0
LDFLAGS := -s -w

.PHONY: build demo docs test torture servers lint fmt bench clean

build: ## Build the binary into bin/.
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/drover ./cmd/drover

demo: ## Show the main job on an SQLite file; needs only Go.
	@go run ./examples/demo

docs: ## Write the reference of the commands, docs/cli, anew.
	rm -rf docs/cli && mkdir -p docs/cli
	go run ./cmd/drover man --markdown --dir docs/cli

test: servers ## Run all tests with the race detector on PostgreSQL, MariaDB and SQLite.
	cd bench && go test -race -count=1 -timeout 20m ./...
	go test -race -count=1 -timeout 20m ./...

torture: servers ## Kill runs on 200,000 rows 300 times per database, half an hour; see docs/explanation/torture.md. KILLS=80 is per case.
	scripts/torture.sh

servers: ## Install the database servers' binaries where they are absent (Debian, root).
	@scripts/install-servers.sh

lint: $(GOLANGCI_LINT) ## Check style and imports.
	$(GOLANGCI_LINT) run ./...
	cd bench && ../$(GOLANGCI_LINT) run ./...

fmt: $(GOLANGCI_LINT) ## Format the code.
	$(GOLANGCI_LINT) fmt ./...

$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

bench: servers ## Measure against the raw drivers; see docs/benchmarks.md.
	cd bench && go run ./cmd/bench

clean: ## Remove what was built.
	rm -rf bin
