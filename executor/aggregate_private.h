/* Aggregates, inside: what aggregate*.c share. */
#ifndef EXECUTOR_AGGREGATE_PRIVATE_H
#define EXECUTOR_AGGREGATE_PRIVATE_H

#include "executor/exec_private.h"
#include "executor/numeric.h"

/* Different integers, in an open-addressed table of a group's memory. */
struct integer_set {
    int64_t *slots;  /* 0: free. */
    size_t capacity; /* A power of two. */
    size_t count;
    bool has_zero;
    bool has_null;
};

struct aggregate_state {
    uint64_t count;     /* Values taken. */
    struct value value; /* MIN, MAX, BOOL_*, STRING_AGG; SUM of numeric: borrowing `buffer`. */
    __int128 sum;       /* Of integers; of numerics in units of 10^-16 until `is_wide`. */
    uint16_t scale;     /* The most decimals of the numerics. */
    bool is_wide;       /* The sum of numerics is `value`. */
    double real;
    uint8_t *buffer; /* Text or number that grows. */
    size_t buffer_size;
    struct exec__table *seen; /* DISTINCT; */
    struct integer_set *set;  /* of one argument that is kept as an integer. */
    struct exec_rows *rows;   /* Arguments, then sort keys. */
    struct exec_rows *kept;   /* Arguments of aggregates that need them all. */
};

/** The value becomes the state's, with its bytes in the state's buffer. */
MUST_CHECK enum status aggregate__store(struct aggregate_state *state, const struct value *value,
                                        struct arena *held);
/** One more value of a sum or average of numerics. */
MUST_CHECK enum status aggregate__add_numeric(const struct rel_aggregate *call, struct eval *eval,
                                              const struct value *value, struct arena *held,
                                              struct aggregate_state *state);
/** DISTINCT of an integer, which may be null: true in *out when it is the first of its kind (aggregate_batch.c). */
MUST_CHECK enum status aggregate__first_integer(const struct value *value, struct arena *held,
                                                struct aggregate_state *state, bool *out);

#endif
