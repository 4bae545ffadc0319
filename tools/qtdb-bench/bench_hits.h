/* The best that any buffer pool could do with a given sequence of pages. */
#ifndef TOOLS_QTDB_BENCH_BENCH_HITS_H
#define TOOLS_QTDB_BENCH_BENCH_HITS_H

#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"

/*
 * Requests in order, by page number below `page_count`. Both choices begin alike: the pool is full, of the pages that
 * the choice wants there; and a page that was read need not be kept.
 */
struct bench_requests {
    const uint32_t *pages;
    uint64_t count;
    uint32_t page_count;
    uint32_t frames;
};

/** Hits when the pages that are asked for most often are in the pool all the while. */
MUST_CHECK enum status bench_hits_fixed(struct memory *memory,
                                        const struct bench_requests *requests, uint64_t *out);
/**
 * Hits when the page whose next use is furthest away is the one that is not kept (Belady 1966): no policy has more,
 * whatever it begins with.
 */
MUST_CHECK enum status bench_hits_future(struct memory *memory,
                                         const struct bench_requests *requests, uint64_t *out);

#endif
