/* Latencies: a histogram with a bounded relative error, so that any number of them costs the same. */
#include "tools/qtdb-bench/bench.h"

enum { SUB_BITS = 5, SUB_COUNT = 1 << SUB_BITS };

static uint32_t
slot_of(uint64_t ns)
{
    if (ns < 2 * SUB_COUNT)
        return (uint32_t)ns;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(ns);
    uint32_t slot = ((power - SUB_BITS) << SUB_BITS) + (uint32_t)(ns >> (power - SUB_BITS));
    return slot < BENCH_LATENCY_SLOTS ? slot : BENCH_LATENCY_SLOTS - 1;
}

/* The middle of a slot. */
static uint64_t
ns_of(uint32_t slot)
{
    if (slot < 2 * SUB_COUNT)
        return slot;
    uint32_t shift = (slot >> SUB_BITS) - 1;
    uint64_t low = (uint64_t)(SUB_COUNT + (slot & (SUB_COUNT - 1))) << shift;
    return low + ((UINT64_C(1) << shift) >> 1);
}

void
bench_latency_add(struct bench_latency *latency, uint64_t ns)
{
    latency->count++;
    latency->slots[slot_of(ns)]++;
}

void
bench_latency_merge(struct bench_latency *into, const struct bench_latency *from)
{
    into->count += from->count;
    for (uint32_t i = 0; i < BENCH_LATENCY_SLOTS; i++)
        into->slots[i] += from->slots[i];
}

uint64_t
bench_latency_at(const struct bench_latency *latency, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)latency->count);
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BENCH_LATENCY_SLOTS; i++) {
        seen += latency->slots[i];
        if (seen > wanted)
            return ns_of(i);
    }
    return 0;
}
