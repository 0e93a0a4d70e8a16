# Everything a person does here, by name. `make` alone tells what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Any Python >= 3.11 makes the environment; everything else runs in it. make PYTHON=python3.12 ...
PYTHON ?= $(shell command -v python3 || command -v python || echo python3)
RUN := .venv/bin/python
ENV ?= laptop
JOBS ?= 2

# Compiled modules are kept: without them importing the CDK takes seconds in every process.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export NODE_NO_WARNINGS := 1

PORTS := $(if $(PORT),--port $(PORT)) $(if $(ATHENA_PORT),--athena-port $(ATHENA_PORT))
SQL_ENGINE := $(if $(SQL),--sql $(SQL))

.PHONY: help
help: ## Say what each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

.PHONY: env
env: ## Make the environment: .venv and the CDK command line, from lock files (every other target does it first)
	@command -v "$(PYTHON)" >/dev/null || { echo "error: Python was not found; install Python 3.11 or newer, or name it: make env PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" local/bootstrap.py

.PHONY: demo
demo: env ## Deploy to a ground of its own, stream real data in, ask, compare, show; DATA=<folder> takes your files
	@$(RUN) -m local.demo $(if $(DATA),--data "$(DATA)")

.PHONY: up
up: env ## Start the laptop ground, deploy the platform and keep it; PORT= ATHENA_PORT= choose ports, SQL=trino real Trino
	@$(RUN) -m local up $(PORTS) $(SQL_ENGINE)

.PHONY: down
down: env ## Stop the laptop ground; its state is kept for the next `make up`
	@$(RUN) -m local down

.PHONY: status
status: env ## Say whether the ground runs, and where
	@$(RUN) -m local status

.PHONY: register
register: env ## Bring tables, online store, ledger and processors' state back from the lake, after the ground was killed
	@$(RUN) -m local register

.PHONY: deploy
deploy: env ## Deploy to ENV=laptop (the running ground) or to the account you are signed in to: ENV=dev|staging|prod
	@$(RUN) -m local deploy "$(ENV)"

.PHONY: synth
synth: env ## Write the CloudFormation templates of ENV to cdk.out, offline: to look at, not to deploy (`make deploy` makes its own)
	@node_modules/.bin/cdk synth --quiet --no-notices -c environment="$(ENV)" -c layers=skip

.PHONY: test
test: env ## Run all tests but those of the real engines, those from end to end on a ground of their own
	@$(RUN) -m pytest -q -n $(JOBS) --dist loadgroup tests --ignore tests/conformance

.PHONY: test-fast
test-fast: env ## Run the unit, property, contract and infra tests
	@$(RUN) -m pytest -q -n $(JOBS) --dist loadgroup tests --ignore tests/e2e --ignore tests/conformance

.PHONY: conformance
conformance: env ## Compare real Trino and Spark with our own engines, statement by statement; says what was left out and why
	@$(RUN) -m local.conformance

.PHONY: engines
engines: env ## Fetch real Trino and Spark (once, about 1 GB, into a cache that every clone shares)
	@$(RUN) -m local.engines

.PHONY: check
check: env ## Run what guards a merge besides tests: lint, format, types, laws, secrets, addresses
	@$(RUN) -m local.check

.PHONY: sql
sql: env ## Write the generated files of athena/ anew (local/saved_reads)
	@$(RUN) -m local.saved_reads

.PHONY: lock
lock: env ## Write requirements/*.lock anew from pyproject.toml
	@$(RUN) -m local.lock

.PHONY: clean
clean: ## Remove what was built (not .venv, node_modules, or the ground's state)
	@rm -rf build cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -path ./node_modules -prune -o -name __pycache__ -type d -exec rm -rf {} +
