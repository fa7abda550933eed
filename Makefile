# Everything that a newcomer, a developer and CI do. Needs Python 3.11 to 3.13 and make.

PYTHON ?= python3
SEED ?= 1
MINUTES ?= 20
HISTORIES ?= 20000
BIN := .venv/bin
READY := .venv/.ready
TESTS := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# One thread for numeric libraries: the same bits on every run, and no fight between workers.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help run test check soak torture format bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: $(READY) ## land the flights of 2013, train and judge the model, say what was done
	@$(BIN)/python -m tasks.landing
	@$(BIN)/luigi --module tasks TrainModel
	@$(BIN)/python -m tasks.report

test: $(READY) ## run the tests, but for the thorough ones
	$(TESTS) -m "not thorough"

check: $(READY) ## format, lint, types, import contracts, tests: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	HISTORIES=500 $(TESTS)

soak: $(READY) ## hold HISTORIES=20000 others to the laws, on all cores; SEED=1 begins the seeds of 500 each
	$(BIN)/python -m benchmarks.soak --histories $(HISTORIES) --seed $(SEED)

torture: $(READY) ## attack the store for MINUTES=20: kills, power cuts, failing calls; SEED=1 draws them
	$(BIN)/python -m tests.torture --minutes $(MINUTES) --seed $(SEED)

format: $(READY) ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure; results go to benchmarks/results
	$(BIN)/python -m benchmarks

clean: ## remove the environment and all data of the worked pipeline
	rm -rf .venv data

# Compiled, as pip does with what it installs, so that the first night starts as fast as the others.
$(READY): requirements.lock setup.cfg
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Headrace needs Python 3.11 to 3.13: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	$(BIN)/python -m compileall -q pipeline tasks
	@touch $@
