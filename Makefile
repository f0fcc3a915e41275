# One command per job; everything it needs is put into .venv on first use.
#   make lab PYTHON=python3.13       another interpreter (after `make clean`)
#   make lab LAB_ARGS="--port=9000"  anything else for JupyterLab

PYTHON      ?= python3
LAB_ARGS    ?=
SOAK_ROUNDS ?= 10
SEED        ?= $(shell date +%Y%m%d)
LESSON      ?= 00_start_here
DIR         ?= classroom
WORKERS     ?= 3
NOTEBOOKS   ?= $(sort $(wildcard notebooks/*.ipynb notebooks/exercises/source/*/*.ipynb))

VENV := .venv
BIN  := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY   := $(BIN)/python

# Without bytecode each process compiles what it imports; JupyterLab then starts two seconds later.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help lab test test-code test-code-again test-notebooks shuffled soak lint check \
    record bench exercises classroom cheatsheet slides lite site constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

lab: $(VENV)/.lab ## open the course in JupyterLab
	@$(PY) -m wslab lab $(LAB_ARGS)

test: test-code test-notebooks ## every test, then every notebook against its recorded outputs

# Python's development mode, but without its checks of memory: they find mistakes in C, of which the
# course has none, and take a fifth of the time.
DEV_MODE := PYTHONDEVMODE=1 PYTHONMALLOC=default

# More workers than cores: most tests wait, for a browser, a kernel or a heartbeat. At most two of
# them run a browser at a time, see tests/scheduler.py.
test-code: $(VENV)/.dev
	$(DEV_MODE) $(PY) -m pytest -n $(WORKERS) --cov --durations=40

test-code-again: $(VENV)/.dev # only what failed, one test at a time
	$(DEV_MODE) $(PY) -m pytest --last-failed --last-failed-no-failures=none

# Both ways: on sockets, and then the lessons that can do without them on the network in memory.
# If none of these is among them, pytest says 5.
test-notebooks: $(VENV)/.dev
	@status=0; for network in sockets memory; do \
	    echo "== notebooks, WSLAB_NETWORK=$$network"; \
	    WSLAB_NETWORK=$$network $(PY) -m pytest -n $(WORKERS) --dist loadfile --durations=20 \
	        --nbval $(NOTEBOOKS) || [ $$? = 5 ] || status=1; \
	done; exit $$status

shuffled: $(VENV)/.dev ## the quick tests in a random order (SEED=20301231; without it, the day's)
	@echo "== SEED=$(SEED)"
	WSLAB_SHUFFLE=$(SEED) $(DEV_MODE) $(PY) -m pytest -m "not slow"

lint: $(VENV)/.dev ## format, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy --strict wslab

check: lint ## format, lint, types, quick tests: before every commit
	$(PY) -X dev -m pytest -m "not slow"

record: $(VENV)/.dev ## run the changed notebooks and save their outputs (ARGS=--all, or names)
	$(PY) tests/notebooks/record.py $(ARGS)

soak: $(VENV)/.dev ## 10,000 networks; every notebook again and again, in any order, every cell twice
	WSLAB_SCHEDULES=10000 $(PY) -m pytest -q --timeout 0 tests/kit/test_fault_matrix.py -k in_memory
	$(PY) tests/notebooks/soak.py $(SOAK_ROUNDS)

bench: $(VENV)/.dev ## every benchmark, one after the other
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(PY) $$script; done

exercises: $(VENV)/.dev ## make the student copies of the exercises from their sources
	$(PY) notebooks/exercises/kit.py students

classroom: $(VENV)/.teach ## a teacher's folder: the course for nbgrader, and what to hand out (DIR=classroom)
	$(PY) notebooks/exercises/kit.py classroom $(DIR)

cheatsheet: $(VENV)/.lab ## write cheatsheet.html: WebSocket on two pages, to print
	$(PY) notebooks/exercises/cheatsheet.py

slides: $(VENV)/.lab ## make slides of a lesson, one HTML file (LESSON=03_framing)
	$(PY) notebooks/exercises/slides.py $(LESSON)

lite: $(VENV)/.lite ## build the edition that runs in a web page, into build/lite
	$(PY) lite/build.py

site: $(VENV)/.site ## build the book, into build/site; after `make lite` with buttons that run the lessons
	$(PY) book/build.py

# The oldest Python decides, and that is 3.11.0: a version that needs a newer one must not get in.
# Nothing is installed: pip resolves and reports.
constraints: ## write the newest versions allowed into constraints.txt (needs python3.11)
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	python3.11 -m venv "$$tmp"; \
	"$$tmp/bin/pip" install --quiet --dry-run --report "$$tmp/report" --target "$$tmp/nowhere" \
	    --python-version 3.11.0 --only-binary=:all: -r requirements-dev.txt; \
	"$$tmp/bin/python" -c 'import json, sys; \
	    found = [package["metadata"] for package in json.load(sys.stdin)["install"]]; \
	    pins = [m["name"] + "==" + m["version"] for m in found if m["name"] != "wslab"]; \
	    print("# The exact versions that were tested. Made by `make constraints`, not by hand."); \
	    print(*sorted(pins, key=lambda pin: pin.lower().split("==")), sep="\n")' < "$$tmp/report" > "$$tmp/pins"; \
	cp "$$tmp/pins" constraints.txt

clean: ## remove .venv and everything that was generated
	rm -rf $(VENV) artifacts build *.egg-info .coverage .hypothesis .*_cache tests/interop/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +

# uv installs in a few seconds what takes pip a minute. It does not read pip's configuration, such as
# the address of a company's mirror: where uv fails, pip does the work.
define install
@$(PY) -c 'import pip' 2>/dev/null || { \
    echo "The $(VENV) that is here has no pip, as when uv has made it."; \
    $(MAKE) --no-print-directory --always-make $(VENV)/.created; }
@echo "Installing what $(1) lists, with the versions of constraints.txt ..."
@$(PY) -m uv pip install --quiet --python $(PY) -c constraints.txt -r $(1) || { \
    echo "uv did not manage; now pip does the same, which takes about a minute ..."; \
    $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -r $(1); }
endef

# Each stamp is younger than what it was made from, so a second run starts at once.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "wslab needs Python 3.11 or newer, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)."; \
	    echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing uv into it ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt uv || \
	    echo "No uv for this machine: pip will do its work."
	@touch $@

$(VENV)/.lab: $(VENV)/.created requirements.txt constraints.txt pyproject.toml
	$(call install,requirements.txt)
	@touch $@

$(VENV)/.teach: $(VENV)/.created requirements.txt requirements-teach.txt constraints.txt pyproject.toml
	$(call install,requirements-teach.txt)
	@$(PY) notebooks/exercises/kit.py quiet
	@touch $(VENV)/.lab $@

$(VENV)/.lite: $(VENV)/.created requirements.txt requirements-lite.txt constraints.txt pyproject.toml
	$(call install,requirements-lite.txt)
	@$(PY) lite/build.py aside
	@touch $(VENV)/.lab $@

$(VENV)/.site: $(VENV)/.created requirements.txt requirements-site.txt constraints.txt pyproject.toml
	$(call install,requirements-site.txt)
	@touch $(VENV)/.lab $@

$(VENV)/.dev: $(VENV)/.created requirements.txt requirements-teach.txt requirements-dev.txt \
    requirements-site.txt requirements-lite.txt constraints.txt \
    pyproject.toml
	$(call install,requirements-dev.txt)
	@$(PY) notebooks/exercises/kit.py quiet
	@$(PY) lite/build.py aside
	@touch $(VENV)/.lab $(VENV)/.teach $(VENV)/.lite $(VENV)/.site $@
