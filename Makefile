# Gazecheck. `make demo` is the place to start; every target sets up .venv by itself.
# Wanted on the machine: git, make, and Python 3.11 or newer with its venv module.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
CACHE ?= var/cache
DATA ?= stampbirds
DEMO_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=

# The first Python that is new enough and can make a virtual environment.
FIND_PYTHON = for python in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11 python; do \
    [ -n "$$python" ] && "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
        >/dev/null 2>&1 && break; python=; done; \
  if [ -z "$$python" ]; then \
    echo "Gazecheck needs Python 3.11 or newer with its venv module, and none was found." >&2; \
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
    exit 1; fi

# Deployment settings that are safe, so that `check --deploy` judges the code and not this machine.
SAFE_ENVIRONMENT = GAZECHECK_BEHIND_TLS=1 GAZECHECK_ALLOWED_HOSTS=gazecheck.example.org GAZECHECK_DEBUG=0 \
  GAZECHECK_SECRET_KEY=only-for-make-check-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789

.PHONY: help install demo demo-headless packages test check bench clean

help:
	@echo "make demo           build a project on real photographs and open it in your browser"
	@echo "make demo-headless  the same, answered by simulated annotators; writes var/demo/report.json"
	@echo "make test           all tests that this machine can run"
	@echo "make check          lint, types, import contracts, deployment settings, migrations"
	@echo "make bench          how fast this machine is, as ratios within one run"
	@echo "make install        set up .venv (every other target does it by itself)"
	@echo "make clean          remove .venv and caches; var/ with your data stays"

install: $(VENV)/.installed-dev
	@:

# What the demo needs; the tools for development come on top for `install`, `test` and `check`.
$(VENV)/.installed-demo: pyproject.toml $(VENV)/.made
	@echo "Installing Gazecheck into $(VENV) (some minutes the first time)"
	@$(PY) -m pip install --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.made
	@echo "Installing Gazecheck and its development tools into $(VENV) (some minutes the first time)"
	@$(PY) -m pip install --disable-pip-version-check -e '.[demo,dev]'
	@touch $(VENV)/.installed-demo $@

$(VENV)/.made:
	@$(FIND_PYTHON); "$$python" -m venv $(VENV)
	@touch $@

# Fetching packages of pictures counts as installing and is shown apart; a machine that cannot have
# them is told why, and the demo goes on with the next data set.
packages: $(VENV)/.installed-demo
	@started=$$(date +%s); \
	$(VENV)/bin/gazecheck data fetch $(DATA) --cache $(CACHE) || true; \
	echo "Packages for $(DATA): $$(( $$(date +%s) - started )) s"

demo: packages
	@$(PY) manage.py demo --data $(DATA) --cache $(CACHE) $(DEMO_ARGS)

demo-headless: packages
	@$(PY) manage.py demo --headless --data $(DATA) --cache $(CACHE) $(DEMO_ARGS)

test: $(VENV)/.installed-dev
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(PY) -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/mypy
	@$(SAFE_ENVIRONMENT) $(PY) manage.py check --deploy --fail-level WARNING
	@GAZECHECK_DATABASE_URL=sqlite://:memory: $(PY) manage.py makemigrations --check --dry-run

bench: $(VENV)/.installed-demo
	@$(VENV)/bin/gazecheck bench attention $(BENCH_ARGS)

clean:
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .coverage
	@find annotation_site engine tests -name __pycache__ -type d -prune -exec rm -rf {} +
