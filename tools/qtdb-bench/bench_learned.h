/* learned: what its files share. */
#ifndef TOOLS_QTDB_BENCH_BENCH_LEARNED_H
#define TOOLS_QTDB_BENCH_BENCH_LEARNED_H

#include "tools/common/text_buffer.h"
#include "tools/qtdb-bench/bench.h"

enum { LEARNED_SUBJECTS_MAX = 16, LEARNED_VARIANTS = 5, LEARNED_SIZES_MAX = 4 };

/* What is measured: one way for a look-up to go. */
struct learned_subject {
    const struct bench_engine *engine;
    const char *router; /* Also the name of the line; of qtdb what `route` takes. */
    struct bench_db *db;
    struct bench_session *session;
    struct bench_routing routing; /* Of qtdb, after the last round. */
};

/* The report's own part: plots of models over the key set, for `report_dir`/learned.html. */
MUST_CHECK bool learned_report_write(const struct bench_options *options,
                                     const struct bench_results *results,
                                     const struct bench_keys *keys, const char *key_set);

/** ns a look-up, the least of all runs; 0: not measured. */
double learned_ns(const struct bench_results *results, const char *workload, const char *router,
                  uint64_t rows);
const char *learned_variant_name(int variant);
const char *learned_router_name(size_t index); /* NULL past the end. */

#endif
