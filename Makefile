# Needs make and Python 3.11 or newer; everything else is installed into .venv, pinned by hash.
# ARGS reaches the command behind a target: make demo ARGS=--once, make test ARGS="-n 0 -x tests/unit".

PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done),python3)
ARGS ?=
BIN := .venv/bin
LOCK = uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(ARGS)

export UV_SYSTEM_CERTS ?= 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench check-zapier check-n8n install lock image clean install-demo install-dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: install-demo ## Watch the whole line work, with a local Beat API; ARGS=--once leaves when it is done
	@$(BIN)/beatrelay demo $(ARGS)

test: install-dev ## Run every test, two at a time
	@$(BIN)/python -m pytest -n 2 --dist loadfile -r s $(ARGS)

check: install-dev ## Check format, lint, types, the arrows between packages, and what is generated and committed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/beatrelay openapi --check
	$(BIN)/beatrelay recipes schema --check recipes/schema.json

fix: install-dev ## Repair what can be repaired: format, simple lint, what is generated
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/beatrelay openapi
	$(BIN)/beatrelay recipes schema >recipes/schema.json.part && mv recipes/schema.json.part recipes/schema.json

bench: install-dev ## Measure ingest, outbox and fan-out; ARGS=--quick for a smoke test
	@$(BIN)/python -m tests.bench $(ARGS)

check-zapier: install-dev ## Drive a live relay with Zapier's platform core, which BEATRELAY_ZAPIER_CORE names; never part of CI
	@$(BIN)/python -m pytest -n 0 -s $(ARGS) tests/optin/check_zapier.py

check-n8n: install-dev ## Deliver to the n8n webhook that BEATRELAY_N8N_URL names; never part of CI
	@$(BIN)/python -m pytest -n 0 -s $(ARGS) tests/optin/check_n8n.py

install: install-dev ## Make .venv with everything in it

install-demo install-dev:
	@command -v "$(PYTHON)" >/dev/null || { echo "no $(PYTHON) here: install Python 3.11 or newer, or name one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" requirements/install.py $(@:install-%=%)

lock: ## Bring requirements/*.txt up to pyproject.toml (needs uv); ARGS=--upgrade takes newer releases too
	@command -v uv >/dev/null || { echo "make lock needs uv; install it with: $(PYTHON) -m pip install uv" >&2; exit 1; }
	$(LOCK) requirements/build.in pyproject.toml --all-extras --output-file requirements/dev.txt
	$(LOCK) requirements/build.in pyproject.toml --extra s3 --extra sandbox --constraint requirements/dev.txt --output-file requirements/demo.txt
	$(LOCK) pyproject.toml --extra s3 --constraint requirements/dev.txt --output-file requirements/runtime.txt
	$(LOCK) requirements/build.in --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) requirements/ci.in --output-file requirements/ci.txt

image: ## Build the container image with podman or docker; ENGINE=... names another
	@engine="$(or $(ENGINE),$(shell command -v podman || command -v docker))"; \
	[ -n "$$engine" ] || { echo "make image needs podman or docker" >&2; exit 1; }; \
	"$$engine" build --tag beatrelay $(ARGS) .

clean: ## Remove what was made: .venv and caches, not your data
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
