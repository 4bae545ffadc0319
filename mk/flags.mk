# Compilers and flags, per variant. Every object depends on this file: a change rebuilds all.

GCC ?= gcc
CLANG ?= $(if $(wildcard /usr/bin/clang-14),clang-14,clang)
CC = $(GCC)
AR ?= ar

CPPFLAGS := -I. -D_GNU_SOURCE
OPTIMISE := -O2 -g
SANITIZE :=

ifeq ($(VARIANT),debug)
OPTIMISE := -O1 -g -fno-omit-frame-pointer
CPPFLAGS += -DQTDB_DEBUG=1
else ifeq ($(VARIANT),asan)
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),tsan)
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=thread
CPPFLAGS += -DQTDB_TSAN=1
else ifeq ($(VARIANT),clang)
CC = $(CLANG)
else ifeq ($(VARIANT),bugs)
CPPFLAGS += -DQTDB_BUGS=1
else ifeq ($(VARIANT),cov)
OPTIMISE := -O0 -g
SANITIZE := --coverage
else ifeq ($(VARIANT),fuzz)
CC = $(CLANG)
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifneq ($(VARIANT),)
$(error no variant is called '$(VARIANT)'; the head of Makefile lists them)
endif

# gcc 12 reports some warnings only falsely once sanitizers have rewritten the code.
QUIET_asan := -Wno-maybe-uninitialized -Wno-stringop-overflow
QUIET_tsan := -Wno-maybe-uninitialized -Wno-tsan

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wvla -Wundef -Wwrite-strings $(QUIET_$(VARIANT))
# Criterion's macros do not pass the rest; see tests/README.md. clang does not know each warning of gcc.
TEST_WARNINGS := -Wall -Wextra -Werror -Wvla -Wno-missing-field-initializers $(QUIET_$(VARIANT)) \
	-Wno-unknown-warning-option -Wno-maybe-uninitialized

# All objects are position independent, so that one set makes both the archive and the shared
# library; hidden visibility keeps calls between them direct.
COMMON := -std=gnu11 -fPIC -fvisibility=hidden -pthread
CFLAGS = $(COMMON) $(OPTIMISE) $(SANITIZE) $(WARNINGS) $(EXTRA_CFLAGS)
TEST_CFLAGS = $(COMMON) $(OPTIMISE) $(SANITIZE) $(TEST_WARNINGS) $(EXTRA_CFLAGS)
LDFLAGS = $(OPTIMISE) $(SANITIZE) -pthread

comma := ,

# The parser keeps a thread-specific key per thread that parses; executor/pg_wrap.c prevents that.
PG_PARSE := $(wildcard executor/pg_parse.c)
PG_WRAP := $(if $(wildcard executor/pg_wrap.c),-Wl$(comma)--wrap=pthread_key_create)
PG_QUERY := -Wl,-Bstatic -lpg_query -Wl,-Bdynamic
PG_CPPFLAGS := -isystem build/pg15/server
# The parser's archive holds a copy of xxhash without run-time dispatch: the library comes before it, and
# stays although the dispatching functions are only weakly wanted.
XXHASH := -Wl,--no-as-needed -lxxhash -Wl,--as-needed
LIBS := -Wl,--as-needed -lxxhash -lzstd -luring -lssl -lcrypto -lpthread -lm
TOOL_LIBS := -Wl,--as-needed -ledit
