# Each target works as the first command on a fresh Debian 12 or 13 with git, make and Python: it makes what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OFFLINE = { echo "kvtui: its Python packages could not be had from PyPI (see above); with a mirror:" \
  "PIP_INDEX_URL=https://... make $(MAKECMDGOALS); with no network: copy the single file here (packaging/README.md)" >&2; exit 1; }

# The Debian packages of all targets of a call are asked for at once, before anything else (packaging/debian-packages).
# Without them each target goes on as far as it can.
NEEDS_VENV = $(shell test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip' 2>/dev/null || echo venv)
IS_ROOT = $(filter 0,$(shell id -u))
HAS_ENGINE = $(ENGINE)$(shell command -v podman || command -v docker)
GROUPS_run = $(NEEDS_VENV) $(shell $(or $(wildcard $(BIN)/python),$(PYTHON)) -m tests.lab.run --needs-lab $(ARGS) 2>/dev/null && echo lab)
GROUPS_lab = $(NEEDS_VENV) lab
GROUPS_lint = $(NEEDS_VENV)
GROUPS_types = $(NEEDS_VENV)
GROUPS_unit = $(NEEDS_VENV)
GROUPS_test = $(NEEDS_VENV) lab shells deb $(if $(IS_ROOT),root image) # tests that need root are skipped without
GROUPS_test-full = $(GROUPS_test)
GROUPS_bench = $(NEEDS_VENV) lab
GROUPS_pictures = $(NEEDS_VENV) lab
GROUPS_packages = $(NEEDS_VENV) deb
GROUPS_image = $(NEEDS_VENV) deb $(if $(HAS_ENGINE),,image $(if $(BASE),,root))
# what the lab needs of other releases comes while pip works; `lab-packages` waits for it, and says what is missing
FETCH_AHEAD = $(if $(filter test test-full,$(MAKECMDGOALS)),packaging/keepalived-versions >/dev/null 2>&1 &)
GROUPS = $(strip $(foreach goal,$(MAKECMDGOALS),$(GROUPS_$(goal))))

# an environment whose making failed half-way is made again
.DELETE_ON_ERROR:
.PHONY: run lab pictures test test-full lab-packages lint types unit fuzz bench packages image clean help debian

help: ## these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## kvtui on this node's keepalived; else on the lab's three nodes; else the demo (ARGS="...")
	@$(BIN)/python -m tests.lab.run $(ARGS)

lab: $(VENV)/.run ## the lab: kvtui, a Kubernetes API, traffic, and a shell to change all of it (type: lab tour)
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

fuzz: $(VENV)/.dev ## fuzz all that comes from outside, with more examples than in `make test` (KVTUI_FUZZ_EXAMPLES=N)
	KVTUI_FUZZ_EXAMPLES=$${KVTUI_FUZZ_EXAMPLES:-10000} $(BIN)/python -m pytest tests/fuzz $(ARGS)

lab-packages: $(VENV)/.dev
	@packaging/keepalived-versions || true # tests/lab/test_versions.py fails with the reason
	@$(BIN)/python -m compileall -q -j 0 kvtui tests # the lab's guests cannot keep what they compile

debian:
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kvtui needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(if $(KVTUI_ASKED),,$(if $(GROUPS),packaging/debian-packages --ask $(GROUPS) || true))

# the lab's tests read it as another user: its files are for everybody, whatever this shell's umask
$(VENV)/bin/python: | debian
	@umask 022; if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	  else $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) packaging/install_pip.py $@ || $(OFFLINE); fi
	@umask 022; packaging/progress "Python environment $(VENV)" $(PIP) install 'pip>=25.1' || $(OFFLINE)

$(VENV)/.run: pyproject.toml | debian $(VENV)/bin/python
	@umask 022; packaging/progress "Python packages into $(VENV)" $(PIP) install -e . --group lab || $(OFFLINE)
	@touch $@

$(VENV)/.dev: pyproject.toml | debian $(VENV)/bin/python
	@umask 022; $(FETCH_AHEAD) packaging/progress "Python packages of kvtui and its tests into $(VENV)" $(PIP) install -e . --group dev || $(OFFLINE)
	@touch $@ $(VENV)/.run

bench: $(VENV)/.dev ## time what users run, beside ipvsadm, watch and textual, in the lab's kernel and here (benchmarks/RESULTS.md; ARGS=--save)
	@$(BIN)/python -m compileall -q kvtui tests benchmarks # the lab's guests cannot keep what they compile
	@$(BIN)/python -m benchmarks $(ARGS)

pictures: $(VENV)/.dev ## each screen at three sizes in three themes, into build/pictures; the README's from the lab, into docs
	@$(BIN)/python -m tests.ui.pictures build/pictures $(ARGS)
	@$(BIN)/python -m tests.lab.kernel --timeout 600 --out build/pictures/lab -- python -m tests.lab.picture
	@cp build/pictures/lab/*.svg docs/

packages: $(VENV)/.dev ## wheel, sdist, single file and Debian package, into dist/ (packaging/README.md)
	@packaging/build packages

image: packages ## the container image localhost/kvtui, by podman, docker or buildah ($$ENGINE, $$BASE)
	@packaging/build image

clean: ## remove what these targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* .lab dist build
