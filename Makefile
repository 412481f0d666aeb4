# `make run` and `make test` are all one needs; both install what they need into .venv.
PY := .venv/bin/python
KRONK := .venv/bin/kronk
export PYTHON
# Set in many containers; with it every process of every test would compile its modules anew.
unexport PYTHONDONTWRITEBYTECODE

# A file's tests share servers, so they stay together; what takes long comes first, and the many
# short unit tests fill what is left of each processor's time.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart=0

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run stop test check bench doctor ui screens reinstall-llama clean install install-check install-test

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'

run: install ## Install, fetch the starter model, start the server, stream one answer
	@deploy/first_answer.sh

stop: ## Stop the server
	@if [ -x $(KRONK) ]; then $(KRONK) server stop; else echo "Kronk is not installed here"; fi

test: install-test ## Run every check and test; ARGS goes to pytest
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

check: install-check ## Lint, formatting, types, the browser UI's own checks
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@PYTHON=$(CURDIR)/$(PY) deploy/types.sh
	@$(PY) deploy/ui_check.py

ui: ## Build the browser UI now
	@deploy/venv.sh
	@$(PY) deploy/install.py --ui

screens: install-test ## Take pictures of the browser UI's pages into build/screens; ARGS are paths
	@cd tests && $(CURDIR)/$(PY) -m browser.screens $(ARGS)

bench: install ## Measure what is promised, as ratios; ARGS is a model, --rounds, --only
	@$(PY) bench/everything.py $(ARGS)

doctor: install ## Check this machine and say what to do
	@$(KRONK) doctor

reinstall-llama: ## Compile llama.cpp anew, with flags chosen for this machine
	@deploy/venv.sh
	@$(PY) deploy/install.py --rebuild-llama

clean: ## Remove .venv and everything built; models stay
	rm -rf web/static web/static.* web/ui/node_modules
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

install:
	@deploy/venv.sh
	@$(PY) deploy/install.py

install-check:
	@deploy/venv.sh
	@$(PY) deploy/install.py check

install-test:
	@deploy/venv.sh
	@$(PY) deploy/install.py check test
