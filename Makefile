# Builds libqtdb, its programs and its tests, and runs every check. `make help` lists the targets.
#
# A variant is the whole build with other flags, below build/VARIANT: `make VARIANT=asan`.
#   (none)  gcc -O2                        bugs   seeded bugs, chosen at run time
#   debug   invariants checked throughout  cov    branch counters for make coverage
#   asan    address and undefined          clang  clang instead of gcc
#   tsan    thread sanitizer               fuzz   clang with libFuzzer's counters
#
# mk/flags.mk holds compilers and flags, mk/build.mk the library and programs, mk/test.mk the tests,
# mk/check.mk the checks, mk/install.mk the installation. Files are found by their place in the tree:
# nothing has to be listed. Variables for the command line: VARIANT, VERBOSE=1, EXTRA_CFLAGS, PREFIX,
# DESTDIR, QTDB_SHARED (data that some tests compare with; without it they are skipped and say so).

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# As many jobs as there are processors, unless the user said how many; one at a time when cleaning.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS))$(filter clean,$(MAKECMDGOALS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
endif

VARIANT ?=
B := build$(VARIANT:%=/%)
Q := $(if $(VERBOSE),,@)
# say NAME: one short line for what a rule does, unless VERBOSE shows the command itself.
say = $(if $(VERBOSE),,@printf '  %-5s %s\n' '$1' '$@')

QTDB_SHARED ?= ../shared
export QTDB_SHARED

.PHONY: all help clean
all: ## build library and programs into build/lib and build/bin (the default)

include mk/flags.mk
include mk/build.mk
include mk/test.mk
include mk/check.mk
include mk/install.mk

# ---- Packages ------------------------------------------------------------------------------------

.PHONY: deps deps-check deps-bench deps-pg
deps: ## install the packages that make and make test need (lists them first)
	@scripts/deps install core test
	$(if $(PG_PARSE),@scripts/pg-headers build/pg15)
deps-check: ## install what make check, test-clang, fuzz-short and coverage need
	@scripts/deps install core test check
deps-bench: ## install the databases that qtdb-bench compares with
	@scripts/deps install core bench
deps-pg: ## install PostgreSQL for the differential tests
	@scripts/deps install core pg

# ---- Tests and checks: their parts are in mk/test.mk and mk/check.mk -----------------------------

.PHONY: test check
test: ## build and run all tests; installs what is missing (VARIANT=... for others)
	@scripts/deps missing core test >/dev/null || scripts/deps install core test
	@$(MAKE) test-run
check: ## run every check on the sources (format, layers, headers, tidy and more)
	@scripts/deps check core test check
	+@$(MAKE) VARIANT= build/lib/libqtdb.a || echo "the library does not build: checks go on"
	+@MAKE='$(MAKE)' scripts/run-checks $(CHECKS)

# ---- Long runs and shows -------------------------------------------------------------------------
# Each hook is a script of that name; a missing script is said, and is not an error.

hook = $(if $(wildcard scripts/$1),@scripts/$1,@echo "scripts/$1 does not exist: nothing to do")

.PHONY: demo soak model bench bench-smoke bench-baseline rig-short store-report
demo: all ## show the programs at work (scripts/demo)
	$(call hook,demo)
soak: all ## long crash and stress runs (scripts/soak)
	$(call hook,soak)

model: test-programs ## 10 M operations against the model, 1 M transactions against the checker
	@scripts/model

rig-short: all ## a tenth of the crash rig's long runs (RIG_SEED, RIG_SCALE)
	@scripts/rig-short
store-report: all ## the table of the page store, measured; 15 minutes on a quiet machine
	@scripts/deps check core test check
	@scripts/store-report

BENCH_ARGS ?=
bench: build/bin/qtdb-bench ## the table of trees and transactions beside other databases (BENCH_ARGS)
	@build/bin/qtdb-bench trees $(BENCH_ARGS)

bench-smoke: all ## every benchmark once with few rows: do they run and are the answers right
ifneq ($(wildcard scripts/bench-smoke),)
	@scripts/bench-smoke
else ifneq ($(wildcard tools/qtdb-bench/*.c),)
	@build/bin/qtdb-bench --smoke
else
	@echo "tools/qtdb-bench does not exist: nothing to do"
endif

bench-baseline: all ## the micro-benchmarks beside their committed figures (bench/baselines)
	@scripts/bench-baseline

# ---- Housekeeping --------------------------------------------------------------------------------

clean: ## remove build/
	$(Q)rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile mk/*.mk
