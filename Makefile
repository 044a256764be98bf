# berth: build, test and try. `make help` lists the targets.
GO       ?= go
BIN      := bin
VERSION  ?= $(shell git -c safe.directory='*' describe --tags --always --dirty 2>/dev/null || echo 0.1.0-dev)
COMMIT   ?= $(shell git -c safe.directory='*' rev-parse HEAD 2>/dev/null || echo unknown)
INFO     := github.com/berthhq/berth/internal/buildinfo
LDFLAGS  := -s -w -X $(INFO).version=$(VERSION) -X $(INFO).commit=$(COMMIT)
CGOTAGS  := netgo osusergo seccomp
PLAIN    := berth berth-engine berth-netd berth-init berth-hostagent
# Programs that are modules of their own, and which program of docker each is, name:module.
FOREIGN  := compose:github.com/docker/compose/v5 buildx:github.com/docker/buildx
# Tests that are a module of their own, for a library that berth itself does not need.
CLIENTS  := test/clients/testcontainers
PLATFORMS := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint

# The virtual machine's image: one directory an architecture, whose manifest's digest is compiled into the host agent.
VMARCHES ?= $(shell $(GO) env GOARCH)
VMIMAGE  := $(BIN)/vm
DIGEST    = $(shell sha256sum $(VMIMAGE)/$$($(GO) env GOARCH)/manifest.json 2>/dev/null | cut -d' ' -f1)
HOSTLD    = -X github.com/berthhq/berth/hostagent/bootimage.digest=$(DIGEST)

export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## all programs, into ./bin
	@mkdir -p $(BIN)
	@for p in $(PLAIN); do \
		ls cmd/$$p/*.go >/dev/null 2>&1 || { echo "cmd/$$p is not here yet"; continue; }; echo "building $$p"; \
		CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS) $(HOSTLD)' -o $(BIN)/$$p ./cmd/$$p || exit 1; \
	done
	@echo "building berth-supervisor"
	@CGO_ENABLED=1 $(GO) build -trimpath -tags '$(CGOTAGS)' -ldflags '$(LDFLAGS) -extldflags -static' -o $(BIN)/berth-supervisor ./cmd/berth-supervisor
	@$(MAKE) --no-print-directory foreign

# They lie in cli-plugins too, under the names that docker's command line looks for.
.PHONY: foreign
foreign:
	@mkdir -p $(BIN)/cli-plugins
	@for p in $(FOREIGN); do \
		name=$${p%%:*}; module=$${p#*:}; echo "building berth-$$name"; \
		version=$$(cd cmd/berth-$$name && $(GO) list -m -f '{{.Version}}' $$module) || exit 1; \
		(cd cmd/berth-$$name && CGO_ENABLED=0 $(GO) build -trimpath \
			-ldflags "-s -w -X main.version=$$version -X $$module/internal.Version=$$version -X $$module/version.Version=$$version" -o $(CURDIR)/$(BIN)/berth-$$name .) || exit 1; \
		ln -sf ../berth-$$name $(BIN)/cli-plugins/docker-$$name; \
	done

.PHONY: demo
demo: ## build, start an engine, run a container with a published port, fetch its page, clean up
	@bash scripts/demo.sh

.PHONY: vmimage
vmimage: ## the virtual machine's image, into ./bin/vm, and the host agent that boots it (VMARCHES="amd64 arm64" for both)
	@for a in $(VMARCHES); do \
		$(GO) run ./vmimage/mkimage -arch $$a -o $(VMIMAGE)/$$a -ldflags '$(LDFLAGS)' -version '$(VERSION)' || exit 1; \
	done
	@$(MAKE) --no-print-directory hostagent

.PHONY: hostagent
hostagent:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS) $(HOSTLD)' -o $(BIN)/berth-hostagent ./cmd/berth-hostagent

# The built page is committed, so that building berth needs no npm.
.PHONY: ui
ui: ## the window's page, from web/ into hostagent/ui/dist (needs npm)
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

.PHONY: ui-check
ui-check: ui ## builds the page anew and compares it with what is committed
	@changed=$$(git status --porcelain -- hostagent/ui/dist) && { [ -z "$$changed" ] || { echo "not as committed:"; echo "$$changed"; exit 1; }; }

.PHONY: e2e-vm
e2e-vm: build vmimage ## the stories of the virtual machine, with a real one under QEMU
	$(GO) test -count=1 -timeout 30m ./test/machine ./test/vm

.PHONY: vmimage-twice
vmimage-twice: ## builds the image twice and compares every byte
	@for a in $(VMARCHES); do \
		once=$$(mktemp -d) && twice=$$(mktemp -d) || exit 1; \
		$(GO) run ./vmimage/mkimage -arch $$a -o $$once -ldflags '$(LDFLAGS)' -version '$(VERSION)' >/dev/null && \
		$(GO) run ./vmimage/mkimage -arch $$a -o $$twice -ldflags '$(LDFLAGS)' -version '$(VERSION)' >/dev/null && \
		diff -r $$once $$twice && echo "image for $$a: two builds are the same"; rc=$$?; \
		rm -rf $$once $$twice; [ $$rc -eq 0 ] || exit $$rc; \
	done

DARWINARCH ?= arm64
DARWINBIN   = $(BIN)/darwin-$(DARWINARCH)
.PHONY: dist-darwin
dist-darwin: ## on a Mac: the archive for macOS, signed ad hoc, with the image in bin/vm/DARWINARCH that Linux has built
	@mkdir -p $(DARWINBIN)
	@digest=$$(openssl dgst -sha256 -r $(VMIMAGE)/$(DARWINARCH)/manifest.json 2>/dev/null | cut -d' ' -f1); \
	for p in berth berth-hostagent; do \
		GOOS=darwin GOARCH=$(DARWINARCH) CGO_ENABLED=0 $(GO) build -trimpath -o $(DARWINBIN)/$$p \
			-ldflags "$(LDFLAGS) -X github.com/berthhq/berth/hostagent/bootimage.digest=$$digest" ./cmd/$$p || exit 1; \
	done
	@bash dist/darwin/archive.sh $(DARWINARCH) $(DARWINBIN) $(VMIMAGE)/$(DARWINARCH) $(BIN)/berth-darwin-$(DARWINARCH).tar.gz

# Programs for Windows. What a zip holds is found beside berth.exe.
WINBIN := $(BIN)/windows-amd64
.PHONY: windows
windows:
	@mkdir -p $(WINBIN)
	@for p in berth berth-hostagent; do \
		echo "building $$p.exe"; \
		GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -trimpath -o $(WINBIN)/$$p.exe \
			-ldflags "$(LDFLAGS) -X github.com/berthhq/berth/hostagent/bootimage.digest=$$(sha256sum $(VMIMAGE)/amd64/manifest.json 2>/dev/null | cut -d' ' -f1)" ./cmd/$$p || exit 1; \
	done
	@for p in $(FOREIGN); do \
		name=$${p%%:*}; module=$${p#*:}; echo "building berth-$$name.exe"; \
		version=$$(cd cmd/berth-$$name && $(GO) list -m -f '{{.Version}}' $$module) || exit 1; \
		(cd cmd/berth-$$name && GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -trimpath \
			-ldflags "-s -w -X main.version=$$version -X $$module/internal.Version=$$version -X $$module/version.Version=$$version" -o $(CURDIR)/$(WINBIN)/berth-$$name.exe .) || exit 1; \
	done

# Every file in a package carries the time of the commit.
DIST  := $(BIN)/dist
EPOCH  = $(shell git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || echo $${SOURCE_DATE_EPOCH:-0})
MAKEDIST = $(BIN)/makedist -version '$(VERSION)' -time $(EPOCH) -bin $(BIN) -arch $(shell $(GO) env GOARCH) -windows $(WINBIN)
.PHONY: dist
dist: build windows ## packages, manifests, bills of materials and sums into ./bin/dist (minutes; with the image, if make vmimage has made it)
	@$(GO) -C tools/dist build -trimpath -o $(CURDIR)/$(BIN)/makedist .
	@$(MAKEDIST) -o $(DIST)

.PHONY: dist-twice
dist-twice: dist ## makes the packages again, after the programs were linked again, and compares every byte
	@rm -f $(addprefix $(BIN)/,$(PLAIN) berth-supervisor) $(WINBIN)/*.exe
	@$(MAKE) --no-print-directory build windows
	@again=$$(mktemp -d) && $(MAKEDIST) -o $$again >/dev/null && diff -r $(DIST) $$again && echo "packages: two runs are the same"; \
	rc=$$?; rm -rf $$again; exit $$rc

.PHONY: dist-test
dist-test: ## tests of the packages (the deb is installed, upgraded and removed where dpkg is)
	$(GO) -C tools/dist vet . && $(GO) -C tools/dist test .

.PHONY: vet
vet: ## go vet, with the tags of the supervisor
	$(GO) vet -tags '$(CGOTAGS)' ./...
	$(GO) -C $(CLIENTS) vet ./...

.PHONY: test
test: build vet ## all tests (minutes; those that want root are skipped without it)
	$(GO) test -tags '$(CGOTAGS)' -timeout 15m ./...
	$(GO) -C $(CLIENTS) test -timeout 15m ./...

.PHONY: race
race: build ## all tests with the race detector
	$(GO) test -race -p 2 -tags '$(CGOTAGS)' -timeout 15m ./...
	$(GO) -C $(CLIENTS) test -race -timeout 15m ./...

.PHONY: lint
lint: ## golangci-lint, pinned in tools/go.mod, with the layer rules
	GOMEMLIMIT=3GiB GOGC=50 $(LINT) run --timeout 8m --concurrency 2 --build-tags netgo,osusergo,seccomp ./...

.PHONY: cross
cross: ## vet and build for every platform without cgo, and for Linux with it
	@for t in $(PLATFORMS); do \
		echo "checking $$t"; \
		GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
		GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./... || exit 1; \
	done
	@for p in $(FOREIGN); do (cd cmd/berth-$${p%%:*} && CGO_ENABLED=0 $(GO) vet -trimpath .) || exit 1; done # flags of the build, whose cache serves
	@echo "checking linux with cgo"
	@CGO_ENABLED=1 $(GO) build -tags '$(CGOTAGS)' -o /dev/null ./...
	@if command -v aarch64-linux-gnu-gcc >/dev/null && ls /usr/lib/aarch64-linux-gnu/pkgconfig/libseccomp.pc >/dev/null 2>&1; then \
		echo "checking linux/arm64 with cgo"; \
		PKG_CONFIG_PATH=/usr/lib/aarch64-linux-gnu/pkgconfig CC=aarch64-linux-gnu-gcc GOARCH=arm64 CGO_ENABLED=1 \
			$(GO) build -tags '$(CGOTAGS)' -o /dev/null ./...; \
	else echo "linux/arm64 with cgo is left out: no aarch64-linux-gnu-gcc, or no libseccomp for it"; fi

# Packages whose tests run on Windows' own code, under Wine with a compute service of ours.
WINE := ./hostagent/vm/hyperv/...

.PHONY: wine
wine: ## tests of the Windows parts under Wine (root, debootstrap, mingw-w64; makes a Debian tree of 1.4 GB once)
	@dir=$$(mktemp -d) && trap 'rm -rf $$dir' EXIT && \
	x86_64-w64-mingw32-gcc -shared -O2 -Wall -o $$dir/computecore.dll hostagent/vm/hyperv/testdata/computecore.c && \
	WINE_DLLS=$$dir/computecore.dll GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) test -count=1 -p 1 -timeout 10m -exec '$(CURDIR)/scripts/wine.sh' $(WINE)

EROFS_STORIES := TestPull|TestInterruptedPull|TestTagsAndRemoval|TestArchives|TestImageMount|TestBuildAsOldClientsDo|TestBuildAndTheEngineIsKilled|TestLifecycle|TestUsersAreMapped

.PHONY: erofs
erofs: build ## tests of images, and stories that use them, with layers as EROFS images (skipped where the kernel has none)
	BERTH_TEST_STORAGE_DRIVER=erofs $(GO) test -tags '$(CGOTAGS)' -timeout 15m ./guestagent/engine/image
	BERTH_TEST_STORAGE_DRIVER=erofs $(GO) test -tags '$(CGOTAGS)' -timeout 15m -run '$(EROFS_STORIES)' ./test/stories

.PHONY: ci
ci: ## what .ci/run calls: cross, lint, race, erofs, dist-test
	$(MAKE) cross
	$(MAKE) lint
	$(MAKE) race
	$(MAKE) erofs
	$(MAKE) dist-test

PEERS ?= .cache/peers
BENCH ?=
.PHONY: bench
bench: build ## berth beside docker, podman, crun, runc and the kernel (BENCH="-run REGEXP -n N")
	bash scripts/peers.sh $(PEERS)
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/bench ./test/bench
	$(BIN)/bench -bin $(BIN) -peers $(PEERS) $(BENCH)

LONGFUZZ ?= 1h
.PHONY: long
long: build ## every long form: many repetitions under the race detector, each fuzz target for LONGFUZZ (1h)
	BERTH_LONG=1 $(GO) test -race -count=10 -p 1 -tags '$(CGOTAGS)' -timeout 180m ./guestagent/... ./cmd/...
	BERTH_LONG=1 $(GO) test -race -count=1 -p 1 -tags '$(CGOTAGS)' -timeout 180m ./test/...
	$(MAKE) fuzz FUZZTIME=$(LONGFUZZ)

# Tests record what they ask of the API, and the table is made from that.
.PHONY: coverage
coverage: ## docs/api-coverage.md anew, from what the tests ask of the API (minutes)
	@notes=$$(mktemp -d) && trap 'rm -rf $$notes' EXIT && \
	BERTH_COVERAGE=$$notes $(GO) test -count=1 -p 1 -timeout 30m ./guestagent/engine/api ./test/stories ./test/attack ./test/fields && \
	$(GO) run ./test/coverage $$notes

FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' bash scripts/fuzz.sh
