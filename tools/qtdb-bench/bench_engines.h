/* The engines that are always there. */
#ifndef TOOLS_QTDB_BENCH_BENCH_ENGINES_H
#define TOOLS_QTDB_BENCH_BENCH_ENGINES_H

#include "tools/qtdb-bench/bench_engine.h"

extern const struct bench_engine bench_qtdb;
extern const struct bench_engine bench_qtdb_sql;
extern const struct bench_engine bench_legacy;
extern const struct bench_engine bench_legacy_memory;
extern const struct bench_engine bench_legacy_copy;
/** Only what `learned` asks of it, so it is not to be had by name. */
extern const struct bench_engine bench_textbook;

#endif
