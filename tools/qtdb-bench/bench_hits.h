/* The best that any buffer pool could do with a given sequence of pages. */
#ifndef TOOLS_QTDB_BENCH_BENCH_HITS_H
#define TOOLS_QTDB_BENCH_BENCH_HITS_H

#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

/* Requests in order, by page number below `page_count`; hits are counted from `warm` on. */
struct bench_requests {
    const uint32_t *pages;
    uint64_t count;
    uint64_t warm;
    uint32_t page_count;
    uint32_t frames;
};

/** Hits when the pages that are asked for most often (from `warm` on) are in the pool all the while. */
MUST_CHECK enum status bench_hits_fixed(struct memory *memory,
                                        const struct bench_requests *requests, uint64_t *out);
/** Hits when the page whose next use is furthest away is evicted (Belady 1966): no policy has more. */
MUST_CHECK enum status bench_hits_future(struct memory *memory,
                                         const struct bench_requests *requests, uint64_t *out);

#endif
