# `make` alone lists the targets. Needs make and a Python of 3.11 or newer with venv; the rest is set up in .venv.

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3.13 python3.12 python3.11 python3
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Without cached bytecode every start of the program compiles its libraries again.
unexport PYTHONDONTWRITEBYTECODE
# mkdocs is pinned below 2; its theme need not say so at every build.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint docs bench soak dev wheel

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## a small shop: build it, change one helper, see what that makes stale and why
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(VENV)/.developer ## all tests on two cores, then the documentation
	$(BIN)/python -m pytest -n 2 --dist worksteal
	$(BIN)/python -m mkdocs build --strict --quiet

lint: $(VENV)/.developer ## style, formatting, types, and which layer imports which
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m basedpyright
	$(BIN)/lint-imports

docs: $(VENV)/.developer ## the documentation, as pages in site/
	$(BIN)/python -m mkdocs build --strict

bench: $(VENV)/.developer ## measurements against their targets
	$(BIN)/python -m pytest -m bench -s

soak: $(VENV)/.developer ## 10,000 timelines and the kills, for minutes
	$(BIN)/python -m pytest -m soak

dev: $(VENV)/.developer ## set up for development: an editable install in .venv
	@echo "assetflow is installed in $(VENV), editable. Next: . $(BIN)/activate"

wheel: $(VENV)/.runtime ## the installable package, in dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(working-venv)
	@echo "Installing assetflow in $(VENV)"
	@$(INSTALL) .
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt
	$(working-venv)
	@echo "Installing assetflow and its development tools in $(VENV)"
	@$(INSTALL) '.[dev,docs]'
	@touch $@ $(VENV)/.runtime

# Keeps a .venv that works. Debian ships Python without ensurepip, which `venv` needs.
define working-venv
@usable='import sys, pip; sys.exit(sys.version_info < (3, 11))'; \
suitable='import sys; sys.exit(sys.version_info < (3, 11))'; \
$(BIN)/python -c "$$usable" 2>/dev/null && exit 0; \
found=; \
for python in $(PYTHONS); do \
    $$python -c "$$suitable" >/dev/null 2>&1 || continue; \
    found=$$python; \
    $$python -c 'import ensurepip, venv' 2>/dev/null && exec $$python -m venv --clear $(VENV); \
done; \
if [ -n "$$found" ]; then \
    echo "$$found cannot create virtual environments: install the package python3-venv (Debian, Ubuntu)." >&2; \
else \
    echo "assetflow needs Python 3.11 or newer, and none of $(PYTHONS) is one." >&2; \
fi; \
exit 1
endef
