# The checks: each is scripts/check-NAME, one line of output, exit 1 and a report when it fails.
# scripts/check-selftest shows that each of them can fail.

CHECKS := format layers headers thirdparty guards names length banned symbols invariants text links \
	tidy cppcheck selftest

.PHONY: check-tidy-files check-tidy-deep check-header-files check-selftest-run format

# ---- Checks of single files, done again only when the file or what it includes has changed -------

CHECK_FLAGS := -std=gnu11 $(CPPFLAGS) $(if $(PG_PARSE),$(PG_CPPFLAGS))
TIDY_SOURCES := $(LIB_SOURCES) $(TOOL_SOURCES) $(BENCH_SOURCES)
TIDY_STAMPS := $(TIDY_SOURCES:%=build/check/%.tidy)
HEADER_STAMPS := $(patsubst ./%,build/check/%.alone,$(sort $(shell find $(addprefix ./,$(wildcard \
	kernel wal pager btree learned executor tools tests bench)) -name '*.h' 2>/dev/null)))

$(TIDY_STAMPS): build/check/%.tidy: % .clang-tidy scripts/check-tidy mk/flags.mk | build/deps.ok
	$(Q)mkdir -p $(@D)
	$(Q)$(GCC) $(CHECK_FLAGS) -MM -MP -MT $@ -MF $@.d $<
	$(Q)CHECK_FLAGS='$(CHECK_FLAGS)' scripts/check-tidy $<
	$(Q)touch $@

$(HEADER_STAMPS): build/check/%.alone: % scripts/check-headers mk/flags.mk | build/deps.ok
	$(Q)mkdir -p $(@D)
	$(Q)$(GCC) $(CHECK_FLAGS) -MM -MP -MT $@ -MF $@.d $<
	$(Q)CHECK_FLAGS='$(CHECK_FLAGS)' scripts/check-headers $<
	$(Q)touch $@

ifneq ($(PG_PARSE),)
$(TIDY_STAMPS) check-tidy-deep: | build/pg15/stamp
endif

check-tidy-files: $(TIDY_STAMPS)
	@:
# As deep as clang-tidy goes by itself, whatever was checked before.
check-tidy-deep:
	$(Q)printf '%s\n' $(TIDY_SOURCES) | TIDY_NODES=225000 CHECK_FLAGS='$(CHECK_FLAGS)' \
		xargs -n 1 -P 2 scripts/check-tidy
check-header-files: $(HEADER_STAMPS)
	@:

# The checks of the checks depend on nothing but themselves.
build/check/selftest.ok: $(wildcard scripts/check-*) scripts/common.sh scripts/strip-c \
		.clang-tidy .clang-format
	$(Q)mkdir -p $(@D)
	$(Q)scripts/check-selftest all
	$(Q)touch $@
check-selftest-run: build/check/selftest.ok
	@:

-include $(TIDY_STAMPS:%=%.d) $(HEADER_STAMPS:%=%.d)

format: ## rewrite all C sources with clang-format
	@. scripts/common.sh && c_files | xargs -r $$(first_program clang-format-14 clang-format) -i
