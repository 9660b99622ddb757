# What people run. Settings are environment variables; `PORT=8080 make run` and
# `make run PORT=8080` both reach the farm.
.SILENT:
.PHONY: help run test test-fast test-dedicated test-long coverage bench chaos soak overload gallery \
	setup lint lock release clean

# For pytest, `make test ARGS='-k health'`, or for the lock, `make lock ARGS=--upgrade`.
ARGS ?=

help:  ## Show this list
	sed -n 's/^\([a-z-]*\):.*##/  make \1\t/p' $(MAKEFILE_LIST)

run:  ## Start the farm; installs what it needs first
	conf/setup run
	exec .venv/bin/farm serve

# The tests start the farm hundreds of times: none is to compile it anew.
test test-fast test-dedicated test-long coverage: export PYTHONDONTWRITEBYTECODE =

PYTEST = .venv/bin/pytest --numprocesses 4 --dist loadgroup --no-loadscope-reorder

test: setup  ## Run the tests, some of them in a short form; ARGS go to pytest
	$(PYTEST) -m "not dedicated" $(ARGS)

test-dedicated: setup  ## Run the tests that `make test` leaves out, 15 to 20 minutes
	$(PYTEST) -m dedicated $(ARGS)

test-fast: setup  ## Run the tests that start no browser and no server
	.venv/bin/pytest --numprocesses 2 --dist loadgroup --fast -p no:schemathesis \
		--hypothesis-profile fast -q -rfE $(ARGS)

test-long: setup  ## Run all tests with every picture, every request of the API, more examples
	.venv/bin/pytest --whole-corpus --whole-schema --hypothesis-profile long --timeout 3600 $(ARGS)

# The proxy's process, which is nobody's, writes into the folder too.
coverage: setup  ## Run the tests and say which lines they miss; build/coverage/html
	rm -rf build/coverage
	mkdir -p build && mkdir -m 1777 build/coverage
	PYTHONPATH=$(CURDIR)/tests/coverage:$(CURDIR) $(PYTEST) $(ARGS); status=$$?; \
	.venv/bin/coverage combine --quiet && .venv/bin/coverage report && \
	.venv/bin/coverage html --quiet && exit $$status

bench:  ## Measure everything, 20 minutes; QUICK=1: three; PEERS=1: beside other services
	conf/setup bench
	.venv/bin/python -m bench $(if $(QUICK),--quick) $(if $(PEERS),--peers)

chaos: setup  ## Kill and stop everything under load for ten minutes; ARGS: --seconds 60
	.venv/bin/python -m tests.chaos $(ARGS)

soak:  ## Watch memory, files and processes over 10,000 renders; draws docs/soak.svg
	conf/setup bench
	.venv/bin/python -m bench.measures.soak --plot docs/soak.svg $(ARGS)

overload: setup  ## Offer eight times as much as fits for a minute
	.venv/bin/python -m bench.measures.overload $(ARGS)

gallery: setup  ## Render docs/gallery.md, a picture for each option that can be seen
	.venv/bin/python docs/gallery/make.py

setup:  ## Install what running, testing and linting need
	conf/setup dev

lint: setup  ## Check style, types and the generated files
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/farm settings --check docs/settings.md
	.venv/bin/farm contract --check docs
	.venv/bin/python conf/kubernetes/prometheus_rule.py --check

# The requirements are in setup.cfg and conf/requirements-build.in. Versions stay as they are
# locked where they can.
UV = .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(ARGS)
COMPILE = $(UV) --no-emit-package pyvips \
	--extra server --extra dashboard setup.cfg conf/requirements-build.in

lock:  ## Lock the requirements anew; ARGS go to uv
	test -x .venv/bin/python || $${PYTHON:-python3} -m venv .venv
	test -x .venv/bin/uv || .venv/bin/python -m pip install --quiet uv
	$(COMPILE) --output-file conf/requirements.txt
	$(UV) --no-deps conf/requirements-source.in --output-file conf/requirements-source.txt
	$(COMPILE) --output-file conf/requirements-dev.txt --extra dev \
		--constraint conf/requirements.txt
	$(COMPILE) --output-file conf/requirements-bench.txt --extra dev --extra bench \
		--constraint conf/requirements-dev.txt
	$(UV) conf/requirements-release.in --output-file conf/requirements-release.txt

release: setup  ## Build and try what VERSION=1.2.0 releases, in dist/; prints what is left to do
	conf/release "$(VERSION)"

clean:  ## Remove all that make and the tools have made here
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
