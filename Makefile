# The whole of what a person types. Each target sets up what it needs, on a fresh Debian 12 with a Rust toolchain.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/tools/bin:$(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
PBX := target/release/pbx
CALLS ?= 100000
SEED ?= 1
TRACE ?=

.PHONY: help run demo test fuzz simulate bench soak build ui format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: build ## build and serve: SIP on 5060 (TLS 5061), the administration on http://localhost:8080, data in ./data
	exec $(PBX) --data-dir "$${PBX_DATA_DIR:-data}" serve

demo: build ## the switchboard and two phones without heads that call each other through it
	@scripts/prerequisites demo
	scripts/demo $(PBX)

test: ## the whole check: format, lints, front end, every test, dependency policy
	@scripts/prerequisites test
	@scripts/front-end check build walk
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) nextest run --workspace
	$(CARGO) deny --log-level error check bans licenses sources

fuzz: ## any octets against every parser and the stack, FUZZ_SECONDS (60) each; by libFuzzer where nightly and cargo-fuzz are
	@scripts/fuzz "$${FUZZ_SECONDS:-60}"

simulate: ## worlds of the switch, seed after seed: make simulate CALLS=1000000 SEED=7; TRACE=1 shows each message
	$(CARGO) run --quiet --release -p pbx-simulation -- $(SEED) $(CALLS) $(TRACE)

bench: build ## the figures beside Kamailio and rtpengine, written into README.md; WHAT=signalling|media|memory|flood|inside: only printed
	@scripts/prerequisites bench
	scripts/bench $(PBX) $(or $(WHAT),--write)

soak: build ## random calls for SECONDS (600): memory, descriptors and ports must stay flat
	SECONDS_OF_SOAK=$(or $(SECONDS),600) scripts/soak $(PBX)

build: ## the release binary, front end included
	@scripts/prerequisites run
	@scripts/front-end build
	$(CARGO) build --release --bin pbx

ui: ## the front end alone
	@scripts/prerequisites run
	@scripts/front-end build

format: ## put the sources in form
	$(CARGO) fmt --all

clean: ## forget everything built, keep data and tools
	$(CARGO) clean
	rm -rf admin-web/ui/dist admin-web/ui/node_modules
