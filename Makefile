# Everything that the README tells people, and what CI runs. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTEST := $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile
PIP := $(PY) -m pip --disable-pip-version-check

.PHONY: help demo load test coverage test-containers test-matrix check lint types lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

# A bare Debian has neither ensurepip nor a pip that may install outside an environment;
# `--without-pip` and `pip --python` work there and everywhere else.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, found " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (once; takes about a minute)"
	@test -x $(PY) || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV); }
	@$(PYTHON) -m pip --disable-pip-version-check --python $(PY) install -q "pip>=25.1"
	@$(PIP) install -q --group dev -e '.[all]' -c constraints.txt
	@touch $@

demo: $(STAMP) ## Examine the reference application: N+1, load, pool exhaustion, one report
	@$(PY) -m harness checkup --strict-allow

# What is counted fails anywhere. What is measured is inconclusive (3) on a machine that others use,
# as CI's are: that is told, and is no failure. But 3 is also a run that loaded nothing.
load: $(STAMP) ## Run all load probes on the reference application, in their short form
	@rm -f harness-report/load.json
	@$(VENV)/bin/locust -f loadtests --headless --short || $(PY) scripts/load_told.py $$?

test: $(STAMP) ## Run the test suite on an embedded PostgreSQL
	@$(PYTEST)

# Measuring doubles the time of a run, so it is no part of `make check`.
coverage: $(STAMP) ## Run the test suite and list the lines that it leaves out
	@rm -f .coverage .coverage.*
	@$(PY) -m coverage run $(PYTEST:$(PY)%=%)
	@$(PY) -m coverage combine -q
	@$(PY) -m coverage report --fail-under=90

# A machine without an engine skips these tests; here they must run. The first run as root on Debian
# unpacks an engine and makes an image, both from Debian's packages, and keeps them in the cache folder.
test-containers: $(STAMP) ## Run the tests on containers; root on Debian needs no engine
	@REQUIRED_TESTS=containers $(PY) scripts/container_engine.py $(PY) -m pytest -q -k container tests/database/test_container.py tests/plugin/test_places.py tests/database/test_server_counts.py tests/database/test_server_differences.py tests/target_app/test_server_counts.py

# Each version takes one or two minutes; `make test` runs on the newest 2.1 anyway.
test-matrix: $(STAMP) ## Run what touches SQLAlchemy's inside on 2.0.36, 2.0.49, newest 2.0 and 2.1
	@$(PY) scripts/test_matrix.py

lint: $(STAMP) ## ruff: rules and format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

types: $(STAMP) ## mypy --strict and pyright
	@$(VENV)/bin/mypy
	@$(VENV)/bin/pyright

# On a developer's machine containers and the matrix of versions are targets of their own.
check: lint types $(if $(CI),test-containers test-matrix) load test ## Everything CI runs: lint, types, load probes, tests

lock: $(STAMP) ## Write constraints.txt anew from pyproject.toml
	@$(PIP) install -q uv
	@$(VENV)/bin/uv pip compile -q pyproject.toml --all-extras --group dev --universal --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o constraints.txt --upgrade

clean: ## Remove the environment, caches and reports
	rm -rf $(VENV) .matrix .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.* harness-report dist build
