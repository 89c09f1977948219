# The two commands that matter: `make repro` and `make test`. Set-up is done once, by itself.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
# The pipeline tests, which are long, begin first.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: repro test test-all lint check smoke bench compare docs remote-demo setup lock-is-current clean

repro: $(READY)  ## the whole default pipeline; ends with the scorecard
	PYTHONPATH=src python -m spinlock.check
	dvc repro
	PYTHONPATH=src python -m spinlock.cli scorecard

test: $(READY)  ## all tests but the slow ones
	python -m pytest -m "not slow" $(TOGETHER)

test-all: $(READY)  ## the slow ones too
	python -m pytest $(TOGETHER)

lint: $(READY)  ## lint, types, import contract
	ruff check . && ruff format --check .
	mypy
	PYTHONPATH=src lint-imports

check: lint  ## lint, types, import contract, fast tests
	python -m pytest -m "not slow and not pipeline" $(TOGETHER)

smoke: $(READY)  ## the real pipeline on a handful of operators, twice, equal to the byte
	python -m pytest -m pipeline -k smoke

bench: $(READY)  ## speeds as ratios, measured in one run; writes benchmarks/results.*
	PYTHONPATH=src python benchmarks/run.py

compare: $(READY)  ## the experiments on this commit side by side: what was changed, what came of it
	PYTHONPATH=src python -m spinlock.experiments table

remote-demo: $(READY)  ## share through a real S3 server on the loopback; ends with zero stages run
	python .ci/remote_demo.py

docs: $(READY)  ## what is made from the code: docs/features.md, docs/initial_conditions.md and .png
	PYTHONPATH=src python docs/make_features.py
	PYTHONPATH=src python docs/make_initial_conditions.py

lock-is-current: $(READY)  ## fails if dvc.lock is not what the code and parameters here would give
	python .ci/lock_is_current.py

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or newer is needed, $(PYTHON) is {sys.version.split()[0]}; say: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:  ## what stages wrote outside Git, and running checkpoints; not the cache, not the shards
	rm -rf .work data/* models/*
