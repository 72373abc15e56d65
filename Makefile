# `make help` lists what there is. Nothing needs to be prepared: the first run makes .venv.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
TESTS ?= tests
ARGS ?=
JOBS ?= auto

export PYTHONDONTWRITEBYTECODE ?=

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

.PHONY: dev
dev: $(VENV)/base ## Run the server and watch a sample workflow; ONCE=1 ends after it
	$(BIN)/python manage.py hugo dev $(if $(ONCE),--once) $(ARGS)

.PHONY: cluster
cluster: $(VENV)/test ## Run a cluster, two frontends, two Celery workers, beat, and take orders through; ONCE=1 ends after them
	$(BIN)/python -m tests.support.show_cluster $(if $(ONCE),--once) $(if $(DATA),--data "$(DATA)") $(ARGS)

.PHONY: test
test: $(VENV)/test ## Run the tests with private PostgreSQL, MariaDB and Redis; TESTS=path ARGS="-k name" JOBS=1 narrow it
	$(BIN)/python -m tests.support.services -- \
		$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(TESTS) $(ARGS)

.PHONY: test-sdks
test-sdks: $(VENV)/test ## Test with the Go, Java and TypeScript SDKs on SQLite and PostgreSQL; ARGS="-k java" narrows it
	$(BIN)/python -m tests.support.toolchains
	$(BIN)/python -m tests.support.services -- \
		$(BIN)/python -m pytest -n 3 tests/functional/sdks.py $(ARGS)

.PHONY: check
check: $(VENV)/dev ## Check format, lint, types, layers, migrations, system checks, file lengths, pinned requirements
	.ci/check

.PHONY: bench
bench: $(VENV)/test ## Measure the server, clusters of it with CLUSTER=1, the library with HUGO=1; ARGS=--help says more
	$(BIN)/python -m benchmarks$(if $(HUGO),.hugo) $(if $(CLUSTER),--cluster) $(ARGS)

.PHONY: soak
soak: $(VENV)/dev ## Load the server for MINUTES=10 on PostgreSQL and plot tables, memory and latency into soak/
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),10) $(ARGS)

.PHONY: docs
docs: $(VENV)/base ## Write the reference of hugo in docs/reference/hugo/api from its docstrings
	$(BIN)/python -m docs.hugo_reference

.PHONY: simulate
simulate: $(VENV)/test ## Simulate whole clusters with faults: SEEDS=500 of them from seed START=1
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),500) --start $(or $(START),1)

.PHONY: chaos
chaos: $(VENV)/test ## Kill, freeze and cut off parts of a cluster under load for MINUTES=3, then check it; SEED=1 repeats
	$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: golden
golden: $(VENV)/test ## Compare with recorded histories and errors of a Temporal server, found by GOLDEN_DIR
	$(BIN)/python -m tests.golden.run $(ARGS)

.PHONY: format
format: $(VENV)/dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

.PHONY: services
services: $(VENV)/test ## Run COMMAND (default: a shell) with the private servers beside it
	$(BIN)/python -m tests.support.services -- $(or $(COMMAND),$${SHELL:-bash})

.PHONY: requirements
requirements: $(VENV)/dev ## Export pyproject.toml to requirements/*.txt; ARGS=--upgrade takes newer versions
	requirements/lock.sh $(ARGS)

.PHONY: clean
clean: ## Remove the virtualenv and caches; data in .hugo stays
	rm -rf tests/functional/*/build tests/functional/*/node_modules
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of requirements, newer than the file it came from.
$(VENV)/base $(VENV)/test $(VENV)/dev: $(VENV)/%: requirements/%.txt requirements/venv.sh
	@PYTHON="$(PYTHON)" requirements/venv.sh $(VENV) $*
