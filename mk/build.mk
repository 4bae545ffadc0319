# The library and the programs.

# ---- What there is -------------------------------------------------------------------------------

LIB_FOLDERS := kernel/base wal pager btree learned kernel executor
LIB_SOURCES := $(sort $(wildcard $(LIB_FOLDERS:%=%/*.c)))
PROGRAMS := $(sort $(filter-out common,$(patsubst tools/%/,%,$(dir $(wildcard tools/*/*.c)))))

# A file peer_NAME.c talks to another database; it is left out when that one is not installed.
PEER_HEADERS := lmdb:lmdb.h sqlite:sqlite3.h sqlite3:sqlite3.h rocksdb:rocksdb/c.h \
	leveldb:leveldb/c.h bdb:db.h db:db.h
PEER_LIBS := lmdb:lmdb sqlite:sqlite3 sqlite3:sqlite3 rocksdb:rocksdb leveldb:leveldb bdb:db-5.3 \
	db:db-5.3
peer_value = $(patsubst $1:%,%,$(filter $1:%,$2))
PEER_NAMES := $(sort $(patsubst peer_%.c,%,$(notdir \
	$(wildcard tools/*/peer_*.c bench/peer_*.c bench/*/peer_*.c))))
PEERS := $(foreach p,$(PEER_NAMES),$(foreach h,$(call peer_value,$p,$(PEER_HEADERS)),\
	$(if $(wildcard /usr/include/$h),$p)))
PEERS_ABSENT := $(filter-out $(PEERS),$(PEER_NAMES))
PEER_LINK := $(foreach p,$(PEERS),-l$(call peer_value,$p,$(PEER_LIBS)))
without_absent_peers = $(foreach f,$1,$(if \
	$(filter $(PEERS_ABSENT:%=peer_%.c),$(notdir $f)),,$f))

TOOL_SOURCES := $(call without_absent_peers,$(sort $(wildcard tools/*/*.c)))
BENCH_SOURCES := $(call without_absent_peers,$(sort $(wildcard bench/*.c bench/*/*.c)))
BENCH_MAINS := $(filter bench/bench_%.c,$(BENCH_SOURCES))

objects = $(patsubst %.c,$(B)/obj/%.o,$1)
LIB_OBJECTS := $(call objects,$(LIB_SOURCES))
TOOL_OBJECTS := $(call objects,$(TOOL_SOURCES))
BENCH_OBJECTS := $(call objects,$(BENCH_SOURCES))

# remember FILE,WORDS: rewrites FILE when the words are others. What depends on FILE is then made
# anew when a source file is removed, which no date would show.
remember = $(if $(subst <$(strip $(file <$1))>,,<files $(strip $2)>),$(shell \
	mkdir -p $(dir $1))$(file >$1,files $(strip $2)))
$(B)/%.list:
	$(Q)mkdir -p $(@D) && echo files >$@

# ---- Objects -------------------------------------------------------------------------------------

build/deps.ok: packages.txt scripts/deps
	$(Q)scripts/deps check core
	$(Q)mkdir -p build && touch $@

build/pg15/stamp: scripts/pg-headers | build/deps.ok
	$(call say,GET)
	$(Q)scripts/pg-headers build/pg15

# executor/pg_*.c see PostgreSQL's node types.
$(B)/obj/executor/pg_%.o: CPPFLAGS += $(PG_CPPFLAGS)
$(patsubst %.c,$(B)/obj/%.o,$(wildcard executor/pg_*.c)): | build/pg15/stamp

$(B)/obj/tests/%.o: tests/%.c mk/flags.mk | build/deps.ok
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(TEST_CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.c mk/flags.mk | build/deps.ok
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# ---- Library -------------------------------------------------------------------------------------

VERSION := $(or $(shell awk -F '"' '/define QTDB_VERSION_STRING/ { print $$2 }' kernel/qtdb.h \
	2>/dev/null),0.1.0)
SONAME := libqtdb.so.$(firstword $(subst ., ,$(VERSION)))

LIB := $(B)/lib/libqtdb.a
$(call remember,$(B)/lib/libqtdb.list,$(LIB_OBJECTS))
$(LIB): $(LIB_OBJECTS) $(B)/lib/libqtdb.list
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJECTS)

# The shared library exists where the list of what it exports does, and not in variants whose
# run-time library has to come first.
SHARED := $(if $(wildcard kernel/qtdb.map),$(if $(filter asan tsan fuzz cov,$(VARIANT)),,\
	$(B)/lib/libqtdb.so))
$(B)/lib/libqtdb.so: $(LIB_OBJECTS) $(B)/lib/libqtdb.list kernel/qtdb.map
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=kernel/qtdb.map \
		-Wl,--exclude-libs,ALL -Wl,-z,defs $(PG_WRAP) $(LIB_OBJECTS) $(XXHASH) $(PG_QUERY) $(LIBS) -o $@
	$(Q)ln -sf libqtdb.so $(@D)/$(SONAME)

# The parser calls back into pg_wrap.c, so library and parser are searched in turns.
LINK_LIB = $(PG_WRAP) $(XXHASH) -Wl,--start-group $(LIB) $(PG_QUERY) -Wl,--end-group $(LIBS)

# ---- Programs ------------------------------------------------------------------------------------

TOOL_COMMON := $(filter $(B)/obj/tools/common/%,$(TOOL_OBJECTS))

# program NAME: tools/NAME/ becomes bin/NAME.
define program
$$(call remember,$(B)/bin/$1.list,$(filter $(B)/obj/tools/$1/%,$(TOOL_OBJECTS)) $(TOOL_COMMON))
$(B)/bin/$1: $(filter $(B)/obj/tools/$1/%,$(TOOL_OBJECTS)) $(TOOL_COMMON) $(B)/bin/$1.list $(LIB)
	$$(call say,LD)
	$$(Q)$$(CC) $$(LDFLAGS) $$(filter %.o,$$^) $$(LINK_LIB) $$(TOOL_LIBS) \
		$(if $(filter $(B)/obj/tools/$1/peer_%,$(TOOL_OBJECTS)),$(PEER_LINK)) -o $$@
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$p)))

# bench/bench_NAME.c becomes a program of its own; the other files of bench/ are linked into each.
BENCH_PROGRAMS := $(BENCH_MAINS:bench/%.c=$(B)/bench/%)
BENCH_COMMON := $(filter-out $(call objects,$(BENCH_MAINS)),$(BENCH_OBJECTS))
$(BENCH_PROGRAMS): $(B)/bench/%: $(B)/obj/bench/%.o $(BENCH_COMMON) $(TOOL_COMMON) $(LIB)
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(filter %.o,$^) $(LINK_LIB) $(TOOL_LIBS) $(PEER_LINK) -o $@

all: $(LIB) $(SHARED) $(PROGRAMS:%=$(B)/bin/%) $(BENCH_PROGRAMS)

-include $(LIB_OBJECTS:.o=.d) $(TOOL_OBJECTS:.o=.d) $(BENCH_OBJECTS:.o=.d)
