# berth: build, test and try. `make help` lists the targets.
GO       ?= go
BIN      := bin
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X github.com/berthhq/berth/internal/buildinfo.Version=$(VERSION)
CGOTAGS  := netgo osusergo seccomp
PLAIN    := berth berth-engine berth-netd berth-init
PLATFORMS := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64

export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## all programs, into ./bin
	@mkdir -p $(BIN)
	@for p in $(PLAIN); do \
		[ -d cmd/$$p ] || continue; echo "building $$p"; \
		CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/$$p ./cmd/$$p || exit 1; \
	done
	@if [ -d cmd/berth-supervisor ]; then echo "building berth-supervisor"; \
		CGO_ENABLED=1 $(GO) build -trimpath -tags '$(CGOTAGS)' -ldflags '$(LDFLAGS) -extldflags -static' -o $(BIN)/berth-supervisor ./cmd/berth-supervisor; fi

.PHONY: test
test: build ## all tests (minutes; those of namespaces want root)
	$(GO) vet -tags '$(CGOTAGS)' ./...
	$(GO) test -tags '$(CGOTAGS)' -timeout 15m ./...

.PHONY: race
race: build ## all tests with the race detector
	$(GO) test -race -tags '$(CGOTAGS)' -timeout 25m ./...

.PHONY: cross
cross: ## vet and build for every platform, without cgo; with it for Linux
	@for t in $(PLATFORMS); do \
		echo "checking $$t"; \
		GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
		GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./... || exit 1; \
	done
	@echo "checking linux with cgo"
	@CGO_ENABLED=1 $(GO) build -tags '$(CGOTAGS)' -o /dev/null ./...

.PHONY: ci
ci: cross race ## what .ci/run calls
