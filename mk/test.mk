# The tests; tests/README.md says which folder is for what.

# ---- What there is -------------------------------------------------------------------------------

TEST_SOURCES := $(sort $(shell find tests -name '*.c' 2>/dev/null))
THREAD_SOURCES := $(filter tests/thread/thread_%.c,$(TEST_SOURCES))
FUZZ_SOURCES := $(filter tests/fuzz/fuzz_%.c,$(TEST_SOURCES))
FUZZ_DRIVER := $(filter tests/fuzz/driver.c,$(TEST_SOURCES))
# Tests that compare with PostgreSQL: they need the packages of the group pg and are built on request.
POSTGRES_SOURCES := $(filter tests/postgres/%.c,$(TEST_SOURCES))
CRITERION_KINDS := tests/unit/% tests/golden/% tests/fault/% tests/property/%

# A folder with files test_*.c becomes one program of all files in that folder, because linking takes
# longer than compiling. tests/unit/kernel/base becomes build/tests/unit-kernel-base.
in_folder = $(foreach f,$2,$(if $(subst $1/,,$(dir $f)),,$f))
CRITERION_FOLDERS := $(sort $(foreach f,$(filter $(CRITERION_KINDS),$(TEST_SOURCES)),\
	$(if $(filter test_%,$(notdir $f)),$(patsubst %/,%,$(dir $f)))))
CRITERION_SOURCES := $(foreach d,$(CRITERION_FOLDERS),$(call in_folder,$d,$(TEST_SOURCES)))
program_of = $(B)/tests/$(subst /,-,$(patsubst tests/%,%,$1))

# Every other .c below tests/ is help for all of them.
SUPPORT_SOURCES := $(filter-out $(CRITERION_SOURCES) $(THREAD_SOURCES) $(FUZZ_SOURCES) \
	$(FUZZ_DRIVER) $(POSTGRES_SOURCES),$(TEST_SOURCES))

CRITERION_PROGRAMS := $(foreach d,$(CRITERION_FOLDERS),$(call program_of,$d))
THREAD_PROGRAMS := $(THREAD_SOURCES:tests/thread/%.c=$(B)/tests/%)
POSTGRES_MAINS := $(filter tests/postgres/compare_%.c,$(POSTGRES_SOURCES))
POSTGRES_COMMON := $(filter-out $(POSTGRES_MAINS),$(POSTGRES_SOURCES))
POSTGRES_PROGRAMS := $(POSTGRES_MAINS:tests/postgres/%.c=$(B)/tests/%)
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(B)/tests/%)
SHELL_TESTS := $(sort $(wildcard tests/cli/*.sh tests/sql/run.sh))

# ---- Programs ------------------------------------------------------------------------------------

# Tests of the programs' own code find it in libtools.a; -lcriterion comes first so that its main is
# the one taken.
SUPPORT_LIB := $(B)/lib/libtestsupport.a
TOOLS_LIB := $(B)/lib/libtools.a
$(call remember,$(B)/lib/libtestsupport.list,$(call objects,$(SUPPORT_SOURCES)))
$(call remember,$(B)/lib/libtools.list,$(TOOL_OBJECTS))
$(SUPPORT_LIB): $(call objects,$(SUPPORT_SOURCES)) $(B)/lib/libtestsupport.list
$(TOOLS_LIB): $(TOOL_OBJECTS) $(B)/lib/libtools.list
$(SUPPORT_LIB) $(TOOLS_LIB):
	$(call say,AR)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

TEST_LIBS := $(SUPPORT_LIB) $(TOOLS_LIB)
LINK_TEST = $(TEST_LIBS) $(LINK_LIB) $(TOOL_LIBS) $(PEER_LINK)

define criterion_program
$$(call remember,$(call program_of,$1).list,$(call objects,$(call in_folder,$1,$(TEST_SOURCES))))
$(call program_of,$1): $(call objects,$(call in_folder,$1,$(TEST_SOURCES))) \
		$(call program_of,$1).list $(TEST_LIBS) $(LIB)
	$$(call say,LD)
	$$(Q)$$(CC) $$(LDFLAGS) $$(filter %.o,$$^) -lcriterion $$(LINK_TEST) -o $$@
endef
$(foreach d,$(CRITERION_FOLDERS),$(eval $(call criterion_program,$d)))

$(THREAD_PROGRAMS): $(B)/tests/%: $(B)/obj/tests/thread/%.o $(TEST_LIBS) $(LIB)
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $< $(LINK_TEST) -o $@

# The same target is a plain test over its corpus, and in the variant fuzz a fuzzer.
$(FUZZ_PROGRAMS): $(B)/tests/%: $(B)/obj/tests/fuzz/%.o \
		$(if $(filter fuzz,$(VARIANT)),,$(call objects,$(FUZZ_DRIVER))) $(TEST_LIBS) $(LIB)
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) $(filter %.o,$^) \
		$(LINK_TEST) -o $@

$(POSTGRES_PROGRAMS): $(B)/tests/%: $(B)/obj/tests/postgres/%.o \
		$(call objects,$(POSTGRES_COMMON)) $(TEST_LIBS) $(LIB)
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) $(LINK_TEST) -lpq -o $@

-include $(patsubst %.c,$(B)/obj/%.d,$(TEST_SOURCES))

# ---- Runs ----------------------------------------------------------------------------------------

.PHONY: test-asan test-clang test-tsan test-programs test-run thread-programs thread-run
.PHONY: fuzz-programs fuzz-short coverage coverage-run test-postgres postgres-run

test-programs: all $(CRITERION_PROGRAMS) $(THREAD_PROGRAMS) $(FUZZ_PROGRAMS)
thread-programs: $(THREAD_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)

test-run: test-programs
	@VARIANT=$(VARIANT) scripts/run-tests --build $(B) --criterion $(CRITERION_PROGRAMS) \
		--plain $(THREAD_PROGRAMS) --fuzz $(FUZZ_PROGRAMS) --shell $(SHELL_TESTS)
thread-run: thread-programs
	@VARIANT=$(VARIANT) scripts/run-tests --build $(B) --plain $(THREAD_PROGRAMS)

test-asan: ## the same tests under the address and undefined-behaviour sanitizers
	@$(MAKE) VARIANT=asan test-run
test-clang: ## build everything with clang, warnings as errors
	@scripts/deps check core test check
	@$(MAKE) VARIANT=clang test-programs
test-tsan: ## run tests/thread under the thread sanitizer
	@$(MAKE) VARIANT=tsan thread-run

# Generated queries: 100,000 in the long run, a tenth of it elsewhere.
COMPARE_QUERIES ?= 10000
COMPARE_SEED ?= 1
# Where the packages of the group pg are missing, this says so and is no failure.
SQLLOGICTEST := $(QTDB_SHARED)/sqllogictest/tests.tar.zst
test-postgres: ## compare with PostgreSQL 15: sqllogictest and generated queries; make deps-pg installs it
	@if ! scripts/deps check core pg >/dev/null 2>&1; then \
		echo 'test-postgres: SKIPPED: make deps-pg installs PostgreSQL 15 and libpq'; \
	else $(MAKE) postgres-run; fi
postgres-run: $(POSTGRES_PROGRAMS)
	$(Q)rm -rf $(B)/postgres && mkdir -p $(B)/postgres/sample
	$(Q)if [ -r '$(SQLLOGICTEST)' ]; then tar -C $(B)/postgres/sample -xf '$(SQLLOGICTEST)' && \
		TMPDIR=$(B)/postgres scripts/with-postgres $(B)/tests/compare_logictest $(B)/postgres/sample; \
	else echo 'test-postgres: sqllogictest SKIPPED: QTDB_SHARED has no sqllogictest/tests.tar.zst'; fi
	$(Q)TMPDIR=$(B)/postgres scripts/with-postgres $(B)/tests/compare_queries \
		tests/postgres/differences.txt $(COMPARE_QUERIES) $(COMPARE_SEED)

# Damaged legacy files: 100,000 in the long run (make soak), some in make test and make fuzz-short.
LEGACY_FILES ?= 100000
LEGACY_SEED ?= 1
.PHONY: legacy-damage legacy-million legacy-large
legacy-damage: build/tests/unit-tools ## read LEGACY_FILES damaged legacy files, and rescue them, in 64 MB
	@QTDB_LEGACY_FILES=$(LEGACY_FILES) QTDB_LEGACY_SEED=$(LEGACY_SEED) build/tests/unit-tools \
		--timeout 7200 --filter 'legacy_damage/*'
legacy-million: all ## migrate a million rows of each legacy generation
	@mkdir -p build/million
	@TMPDIR=build/million QTDB_BIN=build/bin MIGRATE_ROWS=1000000 tests/cli/migrate_generations.sh
	@rm -rf build/million
LEGACY_GB ?= 10
legacy-large: all ## migrate a legacy file of LEGACY_GB gigabytes with 256 MB of memory; takes twice the room
	@LEGACY_GB=$(LEGACY_GB) scripts/legacy-large build/large

FUZZ_SECONDS ?= 10
fuzz-short: ## run each fuzz target for FUZZ_SECONDS; the canary has to fail
	@scripts/deps check core check
	@$(MAKE) VARIANT=fuzz fuzz-programs
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzz build/fuzz $(FUZZ_PROGRAMS:$(B)/%=build/fuzz/%)
	@$(MAKE) legacy-damage LEGACY_FILES=4000

# The target in docs/targets.md.
COVERAGE_MIN ?= 90
# Of the programs those that reach wal and pager most: the others take twice as long for no branch.
in_coverage = $(filter $(patsubst %,$(B)/tests/%,$1),$2)
COVERAGE_CRITERION := $(call in_coverage,unit-wal unit-pager unit-btree unit-kernel property fault golden,\
	$(CRITERION_PROGRAMS))
COVERAGE_THREADS := $(call in_coverage,thread_backup thread_change thread_pool thread_wal,\
	$(THREAD_PROGRAMS))
coverage-run: $(COVERAGE_CRITERION) $(COVERAGE_THREADS)
	@VARIANT=$(VARIANT) scripts/run-tests --build $(B) --criterion $(COVERAGE_CRITERION) \
		--plain $(COVERAGE_THREADS)

coverage: ## branch coverage of wal and pager, at least COVERAGE_MIN percent
	@scripts/deps check core test check
	@find build/cov -name '*.gcda' -delete 2>/dev/null || :
	@$(MAKE) VARIANT=cov coverage-run
	@scripts/coverage $(COVERAGE_MIN)
