# Measure: `make run`.  Check: `make test`.  Everything is installed into .venv, nothing outside it.
#   make run SUITES="suites/conv my/suite" ARGS="--tier smoke"
#   make run TORCH="torch==2.10.*"      another PyTorch; TORCH=torch takes the newest
#   make run PYTHON=python3.12          another Python
PYTHON ?= python3
TORCH ?= $(shell grep '^torch=' constraints.txt)
SUITES ?= suites/conv

BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Named after what .venv must hold, so that nothing is installed while that has not changed.
KEY := $(shell { cat pyproject.toml constraints.txt; echo '$(TORCH)'; $(PYTHON) -V; } 2>&1 | cksum | cut -d' ' -f1)
HARNESS := .venv/harness-$(KEY)
TESTING := .venv/testing-$(KEY)

.PHONY: run test lint gpu-check bench-self clean

run: $(HARNESS)
	$(BIN)/python -m bench run $(SUITES) $(ARGS)

test: $(TESTING)
	$(BIN)/python -m pytest $(ARGS)

lint: $(TESTING)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	@echo "bench/: $$(find bench -name '*.py' -exec cat {} + | wc -l) lines"

gpu-check: $(TESTING)
	PYTHON=$(BIN)/python bash scripts/gpu_check.sh

bench-self: $(HARNESS)
	$(BIN)/python benchmarks/self.py $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .tox .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment of another Python is replaced, not mixed with.
$(HARNESS):
	@$(PYTHON) -V >/dev/null
	@test "$$($(BIN)/python -V 2>&1)" = "$$($(PYTHON) -V 2>&1)" || $(PYTHON) -m venv --clear .venv || \
	  { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "installing into .venv; the first time this takes a minute or two"
	grep -v '^torch=' constraints.txt > .venv/constraints.txt
	$(BIN)/python -m pip install --quiet -c .venv/constraints.txt '$(TORCH)' -e .
	touch $@

$(TESTING): $(HARNESS)
	$(BIN)/python -m pip install --quiet -c .venv/constraints.txt '$(TORCH)' -e '.[test,browser]'
	touch $@
