# The two commands of the README are `make demo` and `make test`; neither needs the other.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow test-all test-without-vnni check lab clean

demo: .venv/.installed
	$(BIN)/edgeq demo

# All but what is marked `slow`: ten minutes, on every core. The lab, where it was built, is used.
test: .venv/.test-installed
	$(BIN)/python -m pytest -m 'not slow' $(PYTEST_ARGS)

test-slow: .venv/.test-installed
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

test-all: .venv/.test-installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# What rests on integer kernels, again on a CPU whose kernels saturate: one emulated process per file, without threads and
# timers. QEMU 7.2 crashes in some of numpy's loops for AVX2; numpy's own part of the figures is the same without.
HASWELL := qemu-x86_64-static -cpu Haswell
test-without-vnni: export EDGEQ_EMULATED_BY := $(HASWELL)
test-without-vnni: export NPY_DISABLE_CPU_FEATURES := X86_V3 X86_V4
test-without-vnni: .venv/.test-installed
	grep -rl pytest.mark.arithmetic tests --include='*.py' | xargs -P 2 -I FILE timeout 1500 \
	  $(HASWELL) $(BIN)/python -m pytest -n 0 -p no:timeout -m arithmetic --no-header -q FILE $(PYTEST_ARGS)

check: .venv/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Root file systems, keys and images for the tests marked `lab`; needs root once.
lab: .venv/.test-installed
	$(BIN)/python -m tests.lab.build

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "edgeq needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv || { echo 'python3 -m venv failed: on Debian and Ubuntu, apt-get install python3-venv'; rm -rf .venv; exit 1; }

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# torch first and exactly: what comes after finds it satisfied, so no CUDA build is ever pulled in.
.venv/.test-installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ .venv/.installed
