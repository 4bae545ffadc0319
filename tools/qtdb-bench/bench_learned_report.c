#include "tools/qtdb-bench/bench_learned.h"
bool
learned_report_write(const struct bench_options *options, const struct bench_results *results,
                     const struct bench_keys *keys, const char *key_set)
{
    (void)options;
    (void)results;
    (void)keys;
    (void)key_set;
    return true;
}
