# Everything a fresh machine needs: Python 3.11 or later with pip, git, make. Paths are relative, so any folder will do.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
WORKERS ?= 2
# A file's tests share what their module sets up; the order is ours (tests/conftest.py): the slow files first.
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:

RUN := .venv/bin/python
# The environment is right when it was made for this folder and from these files.
STAMP := .venv/.made-for-$(shell (pwd; cat requirements-dev.lock pyproject.toml) | cksum | tr ' ' '-')
HERE := .venv/.stands-in-$(shell pwd | cksum | tr ' ' '-')

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: $(STAMP) ## Make .venv from the hashed lock file; quick when nothing changed

.PHONY: demo
demo: $(STAMP) ## Run a whole Lockstep here and walk through its day
	$(RUN) -m console demo

.PHONY: play
play: $(STAMP) ## Open a house with played shops and keep it up, to try things in
	$(RUN) -m console play

.PHONY: test
test: lint types ## Everything CI checks: format, lint, types, import contracts, tests (in a browser where there is one)
	$(RUN) -m pytest $(SPREAD) -rs -m "not battery"

.PHONY: test-battery
test-battery: $(STAMP) ## Kill and freeze real processes for minutes, one at a time; `make test` has the short form
	$(RUN) -m pytest -m battery

.PHONY: test-causes
test-causes: $(STAMP) ## Twenty drifts of every cause among live sales, and what each is called; some minutes
	$(RUN) -m pytest -m battery tests/console/test_drill.py

.PHONY: test-chaos
test-chaos: $(STAMP) ## Ten thousand random schedules with everything failing that may; an hour or more
	$(RUN) -m console chaos --schedules 10000 --json

.PHONY: test-faults
test-faults: $(STAMP) ## Kill, freeze, cut off and fill up a house of real processes, one fault after another; half an hour
	$(RUN) -m console faults run

.PHONY: test-proof
test-proof: $(STAMP) ## What allocation promises, each with ten thousand houses; `make test` tries a hundred
	$(RUN) -m pytest --hypothesis-profile=proof --timeout=1800 $(SPREAD) tests/allocation/test_promises.py tests/allocation/test_escrow.py

.PHONY: test-fuzz
test-fuzz: $(STAMP) ## A hundred thousand pieces of bad input, for every reader, flow and door; half an hour
	$(RUN) -m tests.fuzz.run --cases 100000 --json

# Beside what .venv holds it needs one package, which stands in a folder of its own in front.
GUIDED_STAMP := .venv-guided/.made-for-$(shell (pwd; cat requirements-guided.lock) | cksum | tr ' ' '-')
RUNS ?= 100000

.PHONY: test-fuzz-guided
test-fuzz-guided: $(GUIDED_STAMP) ## The readers again, led by the code they reach (Atheris); RUNS=100000, some minutes
	PYTHONPATH=.venv-guided $(RUN) -m pytest -q tests/fuzz/test_guided.py
	PYTHONPATH=.venv-guided $(RUN) -m tests.fuzz.guided --runs $(RUNS) --json

.PHONY: test-browser
test-browser: $(STAMP) ## The dashboard in a real Chromium (Debian: apt-get install chromium); skipped without one
	$(RUN) -m pytest -rs tests/browser

REFEREES := .venv-referees/bin/python
REFEREES_STAMP := .venv-referees/.made-for-$(shell (pwd; cat requirements-referees.lock) | cksum | tr ' ' '-')

.PHONY: test-referees
test-referees: $(REFEREES_STAMP) ## The vendors' own SDKs against the simulators, in .venv-referees
	$(REFEREES) -m pytest -W ignore::DeprecationWarning -W ignore::SyntaxWarning --confcutdir=tests/referees tests/referees

FORECASTERS := .venv-forecasters/bin/python
FORECASTERS_STAMP := .venv-forecasters/.made-for-$(shell (pwd; cat requirements-forecasters.lock) | cksum | tr ' ' '-')

.PHONY: test-forecasters
test-forecasters: $(FORECASTERS_STAMP) ## Our forecasts against a reference library (statsforecast), in .venv-forecasters
	$(FORECASTERS) -m pytest --confcutdir=tests/forecasters tests/forecasters

.PHONY: test-fast
test-fast: $(STAMP) ## The tests that need no long wait
	$(RUN) -m pytest $(SPREAD) -m "not slow and not battery and not browser" -q

AUDIT := .venv-audit/bin/python
AUDIT_STAMP := .venv-audit/.made-for-$(shell (pwd; cat requirements-audit.lock) | cksum | tr ' ' '-')

.PHONY: audit
audit: $(AUDIT_STAMP) ## Known weaknesses of the packages in requirements.lock; needs the advisory database on the network
	$(AUDIT) -m pip_audit --strict --disable-pip --require-hashes --requirement requirements.lock

.PHONY: wheel
wheel: $(STAMP) ## Build dist/lockstep-....whl
	rm -f dist/lockstep-*.whl
	.venv/bin/uv build --wheel --no-build-isolation --python $(RUN) --out-dir dist

.PHONY: docs
docs: $(STAMP) ## Write what is generated of the documentation: the tables of settings and of commands
	$(RUN) -m console config schema > docs/settings.md.draft
	mv docs/settings.md.draft docs/settings.md
	$(RUN) -m console.cli.handbook > docs/commands.md.draft
	mv docs/commands.md.draft docs/commands.md

.PHONY: pictures
pictures: $(STAMP) ## Take the pictures of the README from a played house; needs Chromium, some minutes
	$(RUN) -m tests.browser.pictures docs/pictures

.PHONY: lint
lint: $(STAMP) ## Format, lint and import contracts, checked only
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	.venv/bin/lint-imports

.PHONY: types
types: $(STAMP) ## mypy --strict over the whole tree
	$(RUN) -m mypy --strict

.PHONY: format
format: $(STAMP) ## Put the code into its form
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

.PHONY: lock
lock: $(STAMP) ## Resolve the lock files anew
	.venv/bin/uv pip compile $(COMPILE) pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile $(COMPILE) --group dev pyproject.toml -o requirements-dev.lock
	.venv/bin/uv pip compile $(HASHED) --group referees -o requirements-referees.lock
	.venv/bin/uv pip compile $(HASHED) --group audit -o requirements-audit.lock
	.venv/bin/uv pip compile $(HASHED) --extra statsforecast --group forecasters pyproject.toml -o requirements-forecasters.lock
	.venv/bin/uv pip compile $(HASHED) --group guided -o requirements-guided.lock

HASHED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
COMPILE := $(HASHED) --extra local --extra sftp --extra otel --extra export

.PHONY: clean
clean: ## Remove .venv, caches and the local stack's home with its data
	if [ -d .lockstep ] && [ -x $(RUN) ]; then $(RUN) -m console.local forget; fi
	rm -rf .venv .venv-referees .venv-audit .venv-guided .venv-forecasters .lockstep .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv reads none of pip's settings: hand over where this machine gets its packages. Every file is checked against the lock's
# hashes, so it does not matter which index a package comes from.
define PIP_TO_UV
pip_says() { $(RUN) -m pip config get "$$1" 2>/dev/null || true; }; \
for pair in index-url:UV_DEFAULT_INDEX extra-index-url:UV_EXTRA_INDEX_URL find-links:UV_FIND_LINKS cert:SSL_CERT_FILE; do \
	key=$${pair%%:*}; name=$${pair#*:}; \
	value=$$(pip_says ":env:.$$key"); [ -n "$$value" ] || value=$$(pip_says "global.$$key"); \
	if [ -n "$$value" ]; then export "$$name=$$value"; fi; \
done; \
export UV_INDEX_STRATEGY=unsafe-best-match
endef

$(STAMP): $(HERE)
	@rm -f .venv/.made-for-*
	@echo "installing what requirements-dev.lock names (log: .venv/setup.log)"
	@if [ ! -x .venv/bin/uv ]; then \
		awk '/^uv==/ {on = 1} on && /^[^ ]/ && !/^uv==/ {exit} on' requirements-dev.lock > .venv/uv.lock; \
		$(RUN) -m pip install -qq --require-hashes -r .venv/uv.lock >.venv/setup.log 2>&1 || true; \
	fi
	@$(PIP_TO_UV); \
	if [ -x .venv/bin/uv ] \
		&& .venv/bin/uv pip sync --python $(RUN) --require-hashes requirements-dev.lock >>.venv/setup.log 2>&1 \
		&& .venv/bin/uv pip install --python $(RUN) --no-deps --no-build-isolation --editable . >>.venv/setup.log 2>&1; \
	then :; else \
		echo "uv could not do it; pip does, more slowly"; \
		$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip; \
		$(RUN) -m pip install -qq --require-hashes -r requirements-dev.lock; \
		$(RUN) -m pip install -qq --no-deps --no-build-isolation --editable .; \
	fi
	@touch $@

$(AUDIT_STAMP): $(STAMP)
	$(RUN) -m venv --clear .venv-audit
	@$(PIP_TO_UV); .venv/bin/uv pip sync --quiet --python $(AUDIT) --require-hashes requirements-audit.lock
	@touch $@

$(GUIDED_STAMP): $(STAMP)
	@rm -rf .venv-guided && mkdir .venv-guided
	@$(PIP_TO_UV); \
	if ! .venv/bin/uv pip install --quiet --python $(RUN) --target .venv-guided --require-hashes -r requirements-guided.lock >.venv-guided/setup.log 2>&1; then \
		echo "uv could not do it; pip does, more slowly"; \
		$(RUN) -m pip install -qq --target .venv-guided --require-hashes -r requirements-guided.lock; \
	fi
	@touch $@

$(REFEREES_STAMP): $(STAMP)
	@echo "installing what requirements-referees.lock names (log: .venv-referees/setup.log)"
	$(RUN) -m venv --clear .venv-referees
	@$(PIP_TO_UV); \
	if ! .venv/bin/uv pip sync --python $(REFEREES) --require-hashes requirements-referees.lock >.venv-referees/setup.log 2>&1; then \
		echo "uv could not do it; pip does, more slowly"; \
		$(REFEREES) -m pip install -qq --require-hashes -r requirements-referees.lock; \
	fi
	@touch $@

$(FORECASTERS_STAMP): $(STAMP)
	@echo "installing what requirements-forecasters.lock names (log: .venv-forecasters/setup.log)"
	$(RUN) -m venv --clear .venv-forecasters
	@$(PIP_TO_UV); \
	if ! .venv/bin/uv pip sync --python $(FORECASTERS) --require-hashes requirements-forecasters.lock >.venv-forecasters/setup.log 2>&1; then \
		echo "uv could not do it; pip does, more slowly"; \
		$(FORECASTERS) -m pip install -qq --require-hashes -r requirements-forecasters.lock; \
	fi
	@touch $@

# A virtual environment does not survive a move: its scripts hold the old path.
$(HERE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear .venv
	@touch $@
