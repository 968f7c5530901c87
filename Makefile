# Every target sets up what it needs: a bare Linux machine with Python 3.11+, make and the package
# registries is enough. `make help` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.run-ready
DEV := .venv/.dev-ready
# Most tests wait for servers more than they compute: four files at a time, whatever the machine.
SIDE_BY_SIDE := -n 4 --dist loadfile

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(RUN)  ## a recorded failure of an invented company, live on a page; no network, no accounts
	$(BIN)/groundswell demo

cluster: $(DEV)  ## the demo on Kafka, PostgreSQL and Redis, a process for each role; Ctrl-C ends it
	$(BIN)/python -m tests.servers.cluster

test: $(DEV) lint types layers  ## everything that must hold: style, types, layers, tests
	$(BIN)/pytest $(SIDE_BY_SIDE)

pds: $(DEV)  ## the test of Bluesky on a real PDS, which npm installs first (once, some two minutes)
	GROUNDSWELL_TEST_PDS=1 $(BIN)/pytest tests/end_to_end/test_pds.py

clickhouse: $(DEV) requirements/chdb.txt  ## the tests of ClickHouse, whose engine (900 MB) comes first
	# Its engine computes where others wait, and most of its tests stand in one file.
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements/chdb.txt
	$(BIN)/pytest -n 3 --dist worksteal tests/sinks/test_clickhouse_*.py tests/end_to_end/test_clickhouse.py

kafka: $(DEV)  ## Apache Kafka on this machine, until Ctrl-C; prints its address
	$(BIN)/python -m tests.servers.kafka

lint: $(DEV)  ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## static types, strict
	$(BIN)/mypy

layers: $(DEV)  ## who may import whom
	$(BIN)/lint-imports

schemas: $(DEV)  ## write the JSON Schemas of the words into docs/schemas
	$(BIN)/python -m config.schemas docs/schemas

dictionary: $(DEV)  ## write the data dictionary into docs/warehouse.md, and docs/dbt from the same
	$(BIN)/python -m config.dictionary docs/warehouse.md
	$(BIN)/python -m config.dbt docs/dbt/groundswell.yml

metrics: $(DEV)  ## write the table of all metrics into docs/operations.md
	$(BIN)/python -m config.operating.definitions docs/operations.md

pins: $(DEV)  ## resolve the dependencies anew and pin them with hashes
	$(BIN)/uv pip compile --upgrade $(PIN) pyproject.toml --extra bluesky -o requirements/run.txt
	$(BIN)/uv pip compile --upgrade $(PIN) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(BIN)/uv pip compile --upgrade $(PIN) --group chdb -c requirements/dev.txt -o requirements/chdb.txt
PIN := --quiet --generate-hashes --universal --no-annotate --no-header --python-version 3.11

clean:  ## remove the virtual environment and all caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.uv-ready:
	$(PYTHON) -m venv .venv || { $(PYTHON) -m pip install --user virtualenv && $(PYTHON) -m virtualenv .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	touch $@

$(RUN): .venv/.uv-ready requirements/run.txt pyproject.toml
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/run.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps -e .
	touch $@

$(DEV): .venv/.uv-ready requirements/dev.txt pyproject.toml
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps -e .
	touch $@ $(RUN)

.PHONY: help demo cluster pds clickhouse kafka test lint types layers schemas dictionary metrics pins clean
