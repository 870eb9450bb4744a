# Each target works as the first command on a fresh Debian 12 with git, make and Python 3.11: it makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OFFLINE = { echo "kvtui: its Python packages could not be had from PyPI (see above); with a mirror:" \
  "PIP_INDEX_URL=https://... make $(MAKECMDGOALS); with no network: copy the single file here (packaging/README.md)" >&2; exit 1; }

# an environment whose making failed half-way is made again
.DELETE_ON_ERROR:
.PHONY: run lab test test-full lab-packages lint types unit bench packages image clean help

help: ## these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## kvtui on this node's keepalived; else on node-a of the lab's cluster; else the demo (ARGS="...")
	@$(BIN)/python -m tests.lab.run $(ARGS)

lab: $(VENV)/.run ## a terminal on the lab: kvtui on node-a, traffic flowing, a shell beside it
	@packaging/debian-packages lab
	@$(BIN)/python -m tests.lab.terminal $(ARGS)

test: $(VENV)/.dev lab-packages ## what CI runs: lint, types and all tests but the long ones, the lab included (tests/README.md)
	@$(BIN)/python -m tests.parallel $(ARGS)

test-full: $(VENV)/.dev lab-packages ## the long tests too, and the whole lab on Debian 13's kernel as well
	@$(BIN)/python -m tests.parallel --full $(ARGS)

lint: $(VENV)/.dev ## ruff and the layer contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev ## mypy --strict on kvtui and tests
	$(BIN)/mypy

unit: $(VENV)/.dev ## the tests that need neither the lab's kernel nor a package, in random order
	$(BIN)/python -m pytest --ignore=tests/lab --ignore=tests/packaging $(ARGS)

lab-packages: $(VENV)/.dev
	@packaging/debian-packages lab
	@packaging/debian-packages shells # completions and the man page, by the programs that read them
	@packaging/keepalived-versions || true # tests/lab/test_versions.py fails with the reason
	@$(BIN)/python -m compileall -q kvtui tests # the lab's guests cannot keep what they compile

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kvtui needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || packaging/debian-packages venv
	$(PYTHON) -m venv $(VENV)
	@$(PIP) install -q 'pip>=25.1' || $(OFFLINE)

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	@echo "kvtui: installing what it needs into $(VENV)" >&2
	@$(PIP) install -q -e . || $(OFFLINE)
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "kvtui: installing what it and its tests need into $(VENV)" >&2
	@$(PIP) install -q -e . --group dev || $(OFFLINE)
	@touch $@ $(VENV)/.run

bench: $(VENV)/.dev ## time kvtui beside ipvsadm, watch and pyroute2, in the lab's kernel and here; see benchmarks/RESULTS.md
	@packaging/debian-packages lab
	@$(BIN)/python -m compileall -q kvtui tests benchmarks # the lab's guests cannot keep what they compile
	@$(BIN)/python -m tests.lab.kernel --timeout 600 -- python -m benchmarks.bench_ipvs $(ARGS)
	@$(BIN)/python -m tests.lab.kernel --timeout 900 -- python -m benchmarks.bench_node
	@$(BIN)/python -m benchmarks.bench_screen
	@$(BIN)/python -m benchmarks.bench_kube

packages: $(VENV)/.dev ## wheel, sdist, single file and Debian package, into dist/ (packaging/README.md)
	@packaging/debian-packages deb
	@packaging/build packages

image: packages ## the container image localhost/kvtui, by podman, docker or buildah ($$ENGINE, $$BASE)
	@packaging/build image

clean: ## remove what these targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* .lab dist build
