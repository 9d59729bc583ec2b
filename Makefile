# `make` alone lists what there is. Everything runs in .venv, made on first use.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
# Threads of several processes on as many cores wait for each other.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# A file is one process's: a notebook's cells, a module's browser. Where a process dies,
# xdist 3.8 may wait for its successor for ever: it gets none, and the test's name is said.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile \
	--max-worker-restart 0 --durations 10

AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
COMPUTING := tests/models tests/training tests/reinit book/01_introduction.ipynb \
	$(foreach name,golden runner/checkpoints lws/frozen_prefix measures/selection \
	papers/dial papers/loss_surface papers/partial_sgd, \
	tests/$(dir $(name))test_$(notdir $(name)).py)

.DEFAULT_GOAL := help
.PHONY: help book publish pdf test avx2 drill lint outputs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

book: $(INSTALLED)  ## build the pages; LAZYRICH_BUDGET is smoke, laptop (default) or paper
	LAZYRICH_BUDGET=$${LAZYRICH_BUDGET:-laptop} $(BIN)/jupyter-book build . -n -W --keep-going
	@echo "Open $(CURDIR)/_build/html/index.html"

REMOTE ?= origin
publish: book  ## build, then put the pages on branch gh-pages of REMOTE (origin)
	test -s _build/html/book/intro.html
	$(BIN)/ghp-import --no-jekyll --push --force --remote $(REMOTE) \
		--branch gh-pages --message "Built pages" _build/html

pdf: book  ## build, then print all pages into _build/book.pdf; needs a Chromium
	$(BIN)/python book/extensions/print_pdf.py _build/html _build/book.pdf

test: lint  ## lint, then all tests (ARGS="-k pages" for some of them)
	$(TEST) $(SIDE_BY_SIDE) $(ARGS)

avx2: $(INSTALLED)  ## what computes once more, as on a processor without AVX-512
	@if grep -qs avx512f /proc/cpuinfo; then $(AVX2) $(TEST) $(COMPUTING); \
	else echo "No AVX-512 here: \`make test\` computes without it."; fi

drill: $(INSTALLED)  ## lose a node and run out of time on a private Slurm cluster
	$(BIN)/python -m tests.runner.slurm_drill

lint: $(INSTALLED)  ## style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

outputs: $(INSTALLED)  ## renew the committed outputs that tests compare with
	$(BIN)/python -m tests.refresh_outputs

clean:  ## remove built pages and caches; records, trained nets and .venv stay
	rm -rf _build book/static/lib .pytest_cache .ruff_cache

$(INSTALLED): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@
