# The four commands of every day: make run, make test, make check, make bench.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-words test-perplexity test-arm64 test-load test-fuzz check wheel bench clean
run: .venv/.run
	$(BIN)/rushlight run -m smollm2 --temperature 0 "Write a haiku about ice hockey"

# One thread of NumPy's own in each process: two processes of two threads get in each other's way.
test: .venv/.test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# Every way to compute the words of tests/goldens/words.json: several minutes.
test-words: .venv/.test
	$(BIN)/python -m pytest -m words tests/test_words.py

# Perplexity over a whole text against llama.cpp's.
test-perplexity: .venv/.test
	$(BIN)/python -m pytest -m perplexity tests/test_perplexity.py

# The same words on an emulated Arm processor; Debian's qemu-user-static is needed.
test-arm64: .venv/.test
	$(BIN)/python -m pytest -m arm64 tests/test_arm64.py

# 64 clients of one server for ten minutes; some go away, none may get other words than alone.
test-load: .venv/.test
	$(BIN)/python -m benchmarks.load_test

# 100,000 damaged files: minutes.
test-fuzz: .venv/.test
	$(BIN)/python -m pytest -m fuzz tests/test_fuzz.py

check: .venv/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A wheel with the machine code of every target in it: minutes of compiling.
wheel: .venv/.run
	$(BIN)/python -m rushlight kernels build --target all --format all --output rushlight/backends/cpu/shipped
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

bench: .venv/.run
	$(BIN)/python -m benchmarks $(ARGS)

.venv/.run: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.test: .venv/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@

.venv/.check: .venv/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[check]"
	touch $@

clean:
	rm -rf .venv build dist rushlight/backends/cpu/shipped
