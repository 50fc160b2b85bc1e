# The course's commands for those who have make; course.py does the work, here and without make.
# make install | lab | app | test | lint | unit | nbval | notebooks | bench | record | evidence | wheelhouse | site | slides | student | handout | test-all | clean
PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?=
APP_ARGS ?=
PORT ?= 8866
EVIDENCE_ARGS ?=
export VENV

.PHONY: install lab app test lint unit nbval notebooks bench record evidence wheelhouse site slides student handout test-all clean

lab:
	@$(PYTHON) course.py lab $(LAB_ARGS)

# The strategy lab alone, as a page: no code, no files. PORT=9000 and APP_ARGS=--no-browser are yours.
app:
	@$(PYTHON) course.py app --port=$(PORT) $(APP_ARGS)

install test lint unit nbval notebooks bench record wheelhouse site slides student handout test-all clean:
	@$(PYTHON) course.py $@

evidence:
	@$(PYTHON) course.py evidence $(EVIDENCE_ARGS)
