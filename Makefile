PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install study programs test test-quick test-lowest test-gpu reliability reliability-page tests-page lint docs fields \
	errors clean

# Installed once; again when the pinned versions change.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(VENV)/installed

# A whole study on the embedded data set. Interrupted, the same command goes on.
study: install
	$(BIN)/dynsearch study --dataset motions

# What some tests start and pip does not bring: a browser for reports and dashboards, a PostgreSQL server. As root, by
# Debian's packages. Where they are not there, those tests are skipped, and say so.
POSTGRES := /usr/lib/postgresql/*/bin/postgres
programs:
	command -v chromium > /dev/null && ls $(POSTGRES) > /dev/null 2>&1 || { \
	  mkdir -p /etc/postgresql-common && \
	  echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf && \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium postgresql > /dev/null; }

# One thread: the tests' networks are tiny, and threads that wait for a busy core cost far more than they bring. One worker
# more than cores: many tests wait for processes. Files in tests/conftest.py's order: the slow ones first.
# Modules are compiled once, even where the environment says that every process shall.
export PYTHONDONTWRITEBYTECODE :=
WORKERS := $(shell n=$$(nproc); echo $$((n < 8 ? n + 1 : 8)))
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST) --durations 15

# What needs no network, process or video: a minute on two cores.
QUICK := -m "not slow" $(addprefix tests/,plan space scores thresholds display test_architecture.py test_map.py)
test-quick: install
	$(PYTEST) $(QUICK)

# The quick tests, and some of all that stands on other packages, with the lowest versions that pyproject.toml allows.
test-lowest: install
	$(BIN)/python -m tests.lowest build/lowest
	PYTHONPATH=$(CURDIR) OMP_NUM_THREADS=1 build/lowest/bin/python -m pytest -n $(WORKERS) $(QUICK) $(addprefix tests/, \
	  data/test_reader.py data/test_clips.py frontier/test_frontier.py report search/test_driver.py \
	  export/test_loaded.py training/test_training.py)

# What all other tests leave out where there is no GPU.
test-gpu: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/gpu -rs --durations 10

# Every fault of docs/reliability.md, and how many of them held; mutations of files in full number.
reliability: install
	$(PYTEST) --reliability

# docs/reliability.md, from the markers of the tests.
reliability-page: install
	$(BIN)/python -m tests.docs.reliability_page

# docs/tests.md, which tests hold which module.
tests-page: install
	$(BIN)/python -m tests.docs.tests_page

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The guides, the fields of a recipe and the API reference as a site, in build/docs.
docs: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/reference.py build/docs/api
	$(BIN)/python docs/site.py build/docs

# docs/fields.md, every field of a recipe and of a search space.
fields: install
	$(BIN)/python -m tests.docs.fields_page

# docs/errors.md, every error message of the source.
errors: install
	$(BIN)/python -m tests.docs.errors_page

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
