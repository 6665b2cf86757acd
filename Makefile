# zonemelt: `make help` lists what can be made.
PYTHON ?= python3
VENV   ?= .venv
ORACLE ?= gpaw
BIN    := $(VENV)/bin
# One thread a process: workers share the cores, and oversubscription costs a factor of 30.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install oracle cluster crate-validator quickstart test coverage test-slow lint audit docs docs-links format bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.installed: pyproject.toml constraints.txt
	@echo "Installing zonemelt into $(VENV): about 3 minutes, 2 GB"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,docs,mpi,potentials,databases,serve]"
	@touch $@

install: $(BIN)/.installed ## Create .venv and install zonemelt with everything pinned (about 3 minutes)

# GPAW lives in an environment of its own: the oracle never shares libraries with the campaign.
.venv-gpaw/.installed: containers/gpaw-siteconfig.py
	@echo "Building GPAW in .venv-gpaw: about 1 minute, 0.5 GB"
	$(PYTHON) -m venv .venv-gpaw
	GPAW_CONFIG=$(CURDIR)/containers/gpaw-siteconfig.py .venv-gpaw/bin/python -m pip install --quiet \
	    --disable-pip-version-check "gpaw==26.7.0" "gpaw-data==1.2.1" "ase==3.29.0" "numpy==2.4.6" "scipy==1.17.1"
	@touch $@

oracle: $(if $(filter gpaw,$(ORACLE)),.venv-gpaw/.installed) ## Install a DFT code: ORACLE=gpaw (1 minute; needs g++), qe or abinit (Debian, as root)
ifeq ($(ORACLE),qe)
	@containers/debian.sh "make oracle" "tests marked dft will be skipped" quantum-espresso quantum-espresso-data
endif
ifeq ($(ORACLE),abinit)
	@containers/debian.sh "make oracle" "tests marked dft will be skipped" abinit abinit-data
endif
	@:

cluster: ## Install SLURM (Debian, as root), so that tests on a real cluster are not skipped
	@tests/cluster/install.sh

# It wants an older rich than we do, so it lives in an environment of its own; its contexts are fetched once.
.venv-crates/.installed:
	$(PYTHON) -m venv .venv-crates
	.venv-crates/bin/python -m pip install --quiet --disable-pip-version-check "roc-validator==0.13.0"
	.venv-crates/bin/rocrate-validator -y cache warm --cache-path .venv-crates/http_cache \
	    -p provenance-run-crate-0.5 -u https://w3id.org/ro/crate/1.1/context
	@touch $@

crate-validator: .venv-crates/.installed ## Install the public validator of RO-Crates, for the test of crates (needs a network)

quickstart: install oracle ## Run the first campaign to its report (ORACLE=emt: a toy potential, under a minute)
	@if [ -e quickstart-$(ORACLE)/ledger.db ]; then $(BIN)/zonemelt resume quickstart-$(ORACLE); \
	else $(BIN)/zonemelt run quickstart --oracle $(ORACLE) --directory quickstart-$(ORACLE); fi

# Tests wait as much as they compute: three processes keep two cores busy.
TESTERS ?= 3

test: install ## Run the tests, side by side in TESTERS=3 processes
	$(BIN)/python -m pytest -m "not slow" -n $(TESTERS) --dist loadgroup

coverage: install ## Run the tests and say which lines and branches of the rooms they leave out
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow" -n $(TESTERS) --dist loadgroup
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --precision=1

test-slow: install oracle ## Run everything, chaos and real DFT included
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadgroup

lint: install ## Check style, types, imports between rooms, spelling and what bandit calls unsafe
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/bandit -q -c pyproject.toml -r workflows flows tasks sites

audit: install ## Ask the public database of weaknesses about every pinned package (needs a network)
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9"
	.venv-audit/bin/pip-audit --disable-pip --no-deps -r constraints.txt

docs: install ## Build the pages strictly into build/docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

docs-links: install ## Follow every link of the pages to the web (needs a network)
	$(BIN)/sphinx-build -q -b linkcheck docs build/links

format: install ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## Run all benchmarks, quickly, and write build/benchmarks/benchmarks.md
	$(BIN)/python -m benchmarks --quick --results build/benchmarks

clean: ## Remove environments and caches
	rm -rf $(VENV) .venv-gpaw .venv-crates .venv-audit .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* build dist src/*.egg-info
