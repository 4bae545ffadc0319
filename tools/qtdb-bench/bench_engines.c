/*
 * The table of engines. A peer whose file is not in the build leaves its symbol undefined, which a
 * weak reference turns into NULL: no #ifdef, and the program says which peers it lacks.
 */
#include <string.h>

#include "tools/qtdb-bench/bench_engines.h"

#define WEAK __attribute__((weak))

extern const struct bench_engine bench_peer_lmdb WEAK;
extern const struct bench_engine bench_peer_sqlite WEAK;
extern const struct bench_engine bench_peer_rocksdb WEAK;
extern const struct bench_engine bench_peer_leveldb WEAK;
extern const struct bench_engine bench_peer_bdb WEAK;

static const struct {
    const char *name;
    const struct bench_engine *engine;
} engines[] = {
    {"qtdb", &bench_qtdb},
    {"lmdb", &bench_peer_lmdb},
    {"sqlite", &bench_peer_sqlite},
    {"rocksdb", &bench_peer_rocksdb},
    {"leveldb", &bench_peer_leveldb},
    {"bdb", &bench_peer_bdb},
    {"legacy", &bench_legacy},
    {"legacy-memory", &bench_legacy_memory},
    {"legacy-copy", &bench_legacy_copy},
};

const struct bench_engine *
bench_engine_find(const char *name)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (strcmp(engines[i].name, name) == 0)
            return engines[i].engine;
    }
    return NULL;
}

const char *
bench_engine_name(size_t index)
{
    return index < sizeof(engines) / sizeof(engines[0]) ? engines[index].name : NULL;
}
