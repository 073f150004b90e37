# Keywatt. Two commands: `make demo` opens the product, `make test` passes all tests.
# Both set up what they need first.

VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lock system clean

demo: $(VENV)/installed
	$(BIN)/keywatt demo $(ARGS)

test: $(VENV)/installed system tests/timescale/node_modules/.package-lock.json
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	scripts/lock --check

# Pins every dependency again after a change in pyproject.toml.
lock: $(VENV)/installed
	scripts/lock

$(VENV)/installed: requirements-dev.lock pyproject.toml scripts/make-venv
	scripts/make-venv $(VENV)

# System packages that some tests need; says what to install where it may not.
system:
	scripts/system-packages

tests/timescale/node_modules/.package-lock.json: tests/timescale/package-lock.json
	if command -v npm >/dev/null; then npm ci --prefix tests/timescale --no-audit --no-fund; \
	else echo "npm is missing: tests on TimescaleDB will skip (apt-get install nodejs npm)."; fi

clean:
	rm -rf $(VENV) tests/timescale/node_modules .mypy_cache .ruff_cache .pytest_cache build *.egg-info
