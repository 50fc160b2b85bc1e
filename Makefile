# make lab | app | test | notebooks | bench | record | evidence — see README.md. Everything runs in one environment, $(VENV).
PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?=
APP_ARGS ?=
PORT ?= 8866
EVIDENCE_ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
FIRST := notebooks/00_start_here.ipynb

.PHONY: lab app test lint unit nbval notebooks bench record evidence clean

lab: $(READY)
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --LabApp.default_url=/lab/tree/$(FIRST) $(LAB_ARGS)

# The strategy lab alone, as a page: no code, no files. PORT=9000 and APP_ARGS=--no-browser are yours.
app: $(READY)
	$(BIN)/python -m helpers.lab.app --port=$(PORT) $(APP_ARGS)

# A cell may take 1,500 s: room for a machine eight times slower than the one it was timed on.
# Threads that wait for each other sleep: with another program on a core, spinning ones stop the rest.
PYTEST := TQDM_DISABLE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=1500 \
	--nbval-sanitize-with tests/nbval_sanitize.cfg

# Everything runs, whatever fails before it, and pytest's summary at the end names all that failed.
# One process a core; a file's tests, and so a notebook's cells, stay together and in order.
WORKERS ?= 2
test: $(READY)
	@lint=passed; $(MAKE) --no-print-directory lint || lint=FAILED; \
	$(PYTEST) $(NBVAL) -n $(WORKERS) --dist loadscope --durations=10 tests $(NOTEBOOKS); tests=$$?; \
	echo "lint $$lint"; test $$lint = passed && exit $$tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: $(READY)
	$(PYTEST) tests

# Every notebook is run again and each cell's text compared with what is stored.
nbval: $(READY)
	$(PYTEST) $(NBVAL) --durations=5 $(NOTEBOOKS)

notebooks: $(READY)
	TQDM_DISABLE=1 $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False \
		$(NOTEBOOKS)
	$(BIN)/python docs/finish_notebooks.py

# The peers are extras of the benchmark, not of the course.
bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.run

# The best of the course against published results; chest X-rays only where COURSE_DATA_DIR has them.
record: $(READY)
	$(BIN)/python -m benchmarks.record elpv
	if test -d "$$COURSE_DATA_DIR/chest_xray"; then $(BIN)/python -m benchmarks.record chest_xray; fi

# Hours of measuring, resumable; COURSE_DATA_DIR names the folder with the image sets besides elpv.
evidence: $(READY)
	OMP_NUM_THREADS=1 THP_MEM_ALLOC_ENABLE=1 $(BIN)/python -m measure $(EVIDENCE_ARGS)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@echo "Making the environment in $(VENV): a few minutes and about 6 GB on Linux, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@cp docs/lab_settings.json $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
