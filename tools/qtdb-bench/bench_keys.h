/*
 * Keys and values that need no memory to be checked: row number i (its rank in key order) has one
 * key, and a value that follows from key and version. So every engine gets the same rows, and a
 * value that was read can be compared with what was written without keeping it.
 *
 * Generated keys lie in equal slots of [0, 2^62), one slot a row: the row's own key in the first
 * quarter, a second key (the "extra" row, for inserts between the loaded ones) in the second, and keys
 * that are never written in the upper half. `--keys FILE` takes the keys of a file instead; it has
 * no extra rows.
 *
 * An id is 2 * rank for a row and 2 * rank + 1 for its extra row.
 */
#ifndef TOOLS_QTDB_BENCH_BENCH_KEYS_H
#define TOOLS_QTDB_BENCH_BENCH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/random.h"
#include "kernel/base/status.h"

struct bench_keys {
    uint64_t count;
    uint64_t step;        /* Width of a slot. */
    const uint64_t *list; /* NULL: generated. */
    size_t list_room;
    bool high; /* Some key has its top bit set. */
};

#define BENCH_NO_ID UINT64_MAX
enum { BENCH_VALUE_SIZE_MAX = 1 << 16 };

void bench_keys_init(struct bench_keys *keys, uint64_t count);
/** Sorted unique little-endian 64-bit keys, plain or zstd; raises a message. */
MUST_CHECK enum status bench_keys_read(struct bench_keys *keys, struct memory *memory,
                                       const char *path);
void bench_keys_deinit(struct bench_keys *keys, struct memory *memory);
/** The first `count` keys only (all when there are fewer). */
void bench_keys_limit(struct bench_keys *keys, uint64_t count);

uint64_t bench_keys_at(const struct bench_keys *keys, uint64_t id);
/** A key near that rank that is never written. */
uint64_t bench_keys_absent(const struct bench_keys *keys, uint64_t rank, struct random *random);
/** BENCH_NO_ID for a key that belongs to no row. */
uint64_t bench_keys_id(const struct bench_keys *keys, uint64_t key);

/* A permutation of [0, count) by a Feistel network with cycle walking. */
struct bench_shuffle {
    uint64_t count;
    uint64_t seed;
    uint32_t half_bits;
};
void bench_shuffle_init(struct bench_shuffle *shuffle, uint64_t count, uint64_t seed);
uint64_t bench_shuffle_at(const struct bench_shuffle *shuffle, uint64_t index);

/* Zipf-distributed numbers, 0 the most frequent (Gray et al. 1994, as YCSB does it). */
struct bench_zipf {
    uint64_t count;
    double theta;
    double alpha;
    double zeta;
    double eta;
    double half; /* 1 + 2^-theta */
};
void bench_zipf_init(struct bench_zipf *zipf, uint64_t count, double theta);
uint64_t bench_zipf_next(const struct bench_zipf *zipf, struct random *random);

/** Half of the bytes random, half of them one letter; `version` > 0. */
void bench_value_fill(uint64_t key, uint32_t version, void *out, size_t size);
/** A sum that depends on every byte and its place. */
uint64_t bench_value_sum(uint64_t key, const void *value, size_t size);
/** True when it is the row's value of some version, which is given. Sizes below 8: of `*version_io`. */
bool bench_value_holds(uint64_t key, const void *value, size_t size, uint32_t *version_io);

#endif
