/*
 * First keys of leaves, of shapes that models find hard, and those of real key sets.
 */
#ifndef TESTS_SUPPORT_LEAF_SETS_H
#define TESTS_SUPPORT_LEAF_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learned/directory.h"

enum leaf_set {
    LEAF_SET_DENSE,         /* 254 rows a leaf, consecutive keys */
    LEAF_SET_UNIFORM,       /* random 64-bit keys */
    LEAF_SET_ALL_EQUAL,     /* one key on all leaves */
    LEAF_SET_TWO_CLUSTERS,  /* dense at 0 and dense near 2^64 */
    LEAF_SET_ONE_OUTLIER,   /* dense, and one key 2^64 - 1 */
    LEAF_SET_MANY_OUTLIERS, /* a hundredth of the leaves far away at both ends */
    LEAF_SET_2_53,          /* neighbours around 2^53, where doubles stop telling them apart */
    LEAF_SET_2_64,          /* neighbours up to 2^64 - 1 */
    LEAF_SET_ENDS,          /* 0 and 2^64 - 1 only, each on many leaves */
    LEAF_SET_POWERS,        /* exponentially growing gaps */
    LEAF_SET_SQUARES,       /* gaps that grow evenly */
    LEAF_SET_STEPS,         /* clusters of clusters */
    LEAF_SET_DUPLICATES,    /* runs of equal keys of random length */
    LEAF_SET_COUNT,
};

const char *leaf_set_name(enum leaf_set set);

/** Fills `keys` with `count` keys in ascending order. */
void leaf_set_fill(enum leaf_set set, uint64_t seed, uint32_t count, uint64_t *keys);

/** A directory of these keys, pages counted up from 7. Asserts on refusal. */
void leaf_set_directory(const uint64_t *keys, uint32_t count, uint32_t spare, struct memory *memory,
                        struct leaf_directory *out);

/** The keys of $QTDB_SHARED/keys/NAME.u64.zst, from malloc; NULL when the file is not there. Asserts on
 * one that cannot be read. */
uint64_t *leaf_set_load(const char *name, struct memory *memory, size_t *count_out);

#endif
