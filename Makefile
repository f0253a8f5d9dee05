# Everything a person does with this tree. `make help` lists it.
#
# Needs make and Python >= 3.11; the rest is installed into .venv and web/node_modules.
# A stamp file stands for each thing installed, so that nothing is done twice.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# How many processes share the Python tests; two saturate a small machine.
TEST_WORKERS ?= 2
# Extra arguments for pytest: make test-py ARGS="-k rooms"
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_SYSTEM_CERTS := 1
export UV_NO_PROGRESS := 1
export PYTHON

UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
HATCH := $(BIN)/python hatch_build.py
# Folders too: they change when a file in them goes.
WEB_SOURCES := $(shell find web -mindepth 1 -name node_modules -prune -o -print 2>/dev/null)

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# --- set up ---------------------------------------------------------------------------------------------------------

$(STAMPS)/venv: requirements/uv.lock scripts/make_venv.sh
	@sh scripts/make_venv.sh
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: $(STAMPS)/venv requirements/run.lock requirements/build.lock pyproject.toml
	@echo "kanal: installing Python packages"
	@$(UV_INSTALL) --require-hashes -r requirements/run.lock -r requirements/build.lock
	@KANAL_SKIP_WEB_BUILD=1 $(UV_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/run requirements/dev.lock
	@echo "kanal: installing development packages"
	@$(UV_INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

# The stamp only spares starting Python; hatch_build.py itself compares contents.
$(STAMPS)/web: $(STAMPS)/run hatch_build.py $(WEB_SOURCES)
	@$(HATCH) build
	@touch $@

# With development packages first, so that the build finds its own among them.
$(STAMPS)/web-dev: $(STAMPS)/dev web/package-lock.json tests/realtime/clients/package-lock.json
	@$(HATCH) install web
	@$(HATCH) install tests/realtime/clients
	@touch $@

.PHONY: setup
setup: $(STAMPS)/dev $(STAMPS)/web-dev ## install everything a developer needs, build the web app
	@$(MAKE) --no-print-directory web

.PHONY: services
services: ## install the servers and the browser that tests use (Debian, as root or with sudo)
	@sh scripts/install_services.sh

# --- run ------------------------------------------------------------------------------------------------------------

.PHONY: run
run: $(STAMPS)/run $(STAMPS)/web ## build and start Kanal with a demo workspace
	@test -f src/kanal/entrypoints/static/index.html || $(HATCH) build
	@exec $(BIN)/kanal serve --demo

.PHONY: web
web: $(STAMPS)/web ## build the web app into the package

# --- check ----------------------------------------------------------------------------------------------------------

.PHONY: test
test: setup services ## everything: lint, types, layers, generated files, web checks, all tests
	@$(BIN)/python scripts/check.py lint types generated web python

.PHONY: lint
lint: $(STAMPS)/dev ## ruff, formatting, layers
	@$(BIN)/python scripts/check.py lint

.PHONY: types
types: $(STAMPS)/dev ## mypy, strict
	@$(BIN)/python scripts/check.py types

.PHONY: check-generated
check-generated: $(STAMPS)/dev ## generated files say what their sources say
	@$(BIN)/python scripts/check.py generated

.PHONY: test-web
test-web: setup ## eslint, vue-tsc, vitest
	@$(BIN)/python scripts/check.py web

.PHONY: test-py
test-py: setup ## the Python tests, without the browser
	@$(BIN)/pytest -n $(TEST_WORKERS) -m "not e2e" $(ARGS)

.PHONY: test-e2e
test-e2e: setup ## the browser tests
	@$(BIN)/pytest -m e2e $(ARGS)

.PHONY: chaos
chaos: setup services ## processes and servers killed on purpose, with 5,000 clients
	@CHAOS_CLIENTS=5000 $(BIN)/pytest -m chaos $(ARGS)

.PHONY: bench
bench: setup services ## figures and ratios of speed and size
	@$(BIN)/python -m bench $(ARGS)

.PHONY: bench-realtime
bench-realtime: $(STAMPS)/dev ## the real-time server against its floor and its peers; ARGS=--quick for five minutes
	@$(BIN)/python -m bench realtime $(ARGS)

# --- change ---------------------------------------------------------------------------------------------------------

.PHONY: fmt
fmt: $(STAMPS)/dev ## format and mend what can be mended without a person
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: generate
generate: $(STAMPS)/dev ## write the generated files anew
	@$(BIN)/python scripts/generate.py

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(ARGS)

.PHONY: lock
lock: $(STAMPS)/venv ## resolve the pinned packages anew; ARGS=--upgrade moves them all
	@$(LOCK) pyproject.toml --output-file requirements/run.lock
	@$(LOCK) --group build --constraints requirements/run.lock --output-file requirements/build.lock
	@$(LOCK) pyproject.toml --group dev --constraints requirements/run.lock --output-file requirements/dev.lock

.PHONY: clean
clean: ## remove what was built and installed, but no data
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist src/kanal/entrypoints/static
	@rm -rf web/node_modules tests/realtime/clients/node_modules
