/* Running plans, inside: what exec*.c share. */
#ifndef EXECUTOR_EXEC_PRIVATE_H
#define EXECUTOR_EXEC_PRIVATE_H

#include "executor/exec.h"

/* What one kind of node does. Functions may be NULL but `next`. */
struct exec__class {
    size_t state_size;
    enum status (*open)(struct exec *exec);
    /* Adds rows to the empty batch, or sets `done`. */
    enum status (*next)(struct exec *exec);
    /* Inputs are rescanned by the caller. */
    void (*rescan)(struct exec *exec);
    /* Lets go of what is the transaction's; a rescan follows before the next row. */
    void (*park)(struct exec *exec);
    void (*close)(struct exec *exec);
};

struct exec {
    const struct exec__class *class;
    struct exec_context *context;
    const struct plan *plan;
    struct exec *input;
    struct exec *right;
    struct batch batch;
    uint32_t capacity; /* Rows a batch can take. */
    uint64_t goal;     /* Rows the caller wants in the next batch at most. */
    bool counts;       /* A SCAN without columns, whose caller takes batches past the capacity. */
    bool done;
    bool started;                 /* Since it was opened or rescanned. */
    struct exec_measure *measure; /* NULL: not measured. */
    bool holds;                   /* `held` has what the rows come from. */
    struct arena held;            /* What has to be kept from batch to batch. */
    size_t extra_size;            /* Bytes held beside `held`. */
    size_t charged;               /* Of both, against the budget. */
    void *state;
};

extern const struct exec__class exec__result_class;
extern const struct exec__class exec__values_class;
extern const struct exec__class exec__series_class;
extern const struct exec__class exec__work_class;
extern const struct exec__class exec__scan_class;
extern const struct exec__class exec__filter_class;
extern const struct exec__class exec__project_class;
extern const struct exec__class exec__limit_class;
extern const struct exec__class exec__sort_class;
extern const struct exec__class exec__aggregate_class;
extern const struct exec__class exec__group_class;
extern const struct exec__class exec__distinct_class;
extern const struct exec__class exec__set_class;
extern const struct exec__class exec__recursive_class;
extern const struct exec__class exec__loop_join_class;
extern const struct exec__class exec__hash_join_class;
extern const struct exec__class exec__merge_join_class;
extern const struct exec__class exec__window_class;
extern const struct exec__class exec__shared_class;
extern const struct exec__class exec__lock_class;
extern const struct exec__class exec__zip_class;

/* exec.c */
struct eval exec__eval(struct exec *exec);
struct value *exec__row(const struct batch *batch, uint32_t index);
/** The next free row of the node's batch. */
struct value *exec__new_row(struct exec *exec);
/** SEMI and ANTI give left rows alone. */
static inline bool
exec__shows_right(const struct plan *plan)
{
    return plan->join != REL_SEMI && plan->join != REL_ANTI;
}
/** A row of a join, which borrows from both; NULL: that side's columns are null. */
void exec__give_pair(struct exec *exec, const struct value *left, const struct value *right);
bool exec__is_full(const struct exec *exec);
/** Counts what `held` and `extra_size` have grown by; 53200 past the budget. */
MUST_CHECK enum status exec__charge(struct exec *exec);
MUST_CHECK enum status exec__charge_arena(struct exec_context *context, const struct arena *arena,
                                          size_t *charged);
/** Empties `held` and gives its share of the budget back. */
void exec__release(struct exec *exec);
MUST_CHECK enum status exec__check_interrupt(const struct exec_context *context);
/** 57014, for who has seen that the deadline is past. */
MUST_CHECK enum status exec__timed_out(const struct exec_context *context);
/** Fills the slots one after the other: a later source may read an earlier slot. */
MUST_CHECK enum status exec__fill_slots(struct exec *exec, const struct plan_slots *slots,
                                        const struct value *row, struct arena *arena);

/* exec_rows.c: values and rows that are kept. */
/** A value whose bytes are the arena's own. */
MUST_CHECK enum status exec__keep_value(const struct value *value, struct arena *arena,
                                        struct value *out);
MUST_CHECK enum status exec__keep_row(const struct value *row, uint32_t width, struct arena *arena,
                                      struct value **out);
/** Nulls equal each other, and sort as told. */
int exec__compare(const struct value *left, const struct value *right, bool nulls_first);
MUST_CHECK enum status exec__rows_add(struct exec_rows *rows, const struct value *row);
int exec__compare_rows(const struct plan_sort_key *keys, uint32_t key_count,
                       const struct value *left, const struct value *right);
/** Stable. `scratch` has room for as many pointers. */
void exec__sort_rows(struct value ***rows, size_t count, const struct plan_sort_key *keys,
                     uint32_t key_count, struct value **scratch);

/* exec_table.c: a hash table of rows of `width` values; nulls equal each other. */
struct exec__entry {
    struct exec__entry *next;  /* In its bucket. */
    struct exec__entry *after; /* In order of appearance. */
    uint64_t hash;
    struct value *keys;
    void *payload;
    uint64_t count;
};

struct exec__table {
    struct arena *arena;
    uint32_t width;
    size_t count;
    size_t bucket_count; /* A power of two. */
    struct exec__entry **buckets;
    uint16_t *marks; /* One a bucket: bits of the hashes in it, so that most misses end here. */
    struct exec__entry *first;
    struct exec__entry *last;
};

/** Of the keys together; its high bits are as good as its low ones. */
uint64_t exec__hash_keys(const struct value *keys, uint32_t width);
void exec__table_init(struct exec__table *table, struct arena *arena, uint32_t width);
/** NULL when absent. */
struct exec__entry *exec__table_find(const struct exec__table *table, const struct value *keys);
/** The entry with these keys, added when absent. */
MUST_CHECK enum status exec__table_get(struct exec__table *table, const struct value *keys,
                                       struct exec__entry **out, bool *is_new_out);

/* aggregate.c: one state a group and call. */
struct aggregate_state;
size_t aggregate_state_size(void);
MUST_CHECK enum status aggregate_add(const struct rel_aggregate *call, struct eval *eval,
                                     const struct value *row, struct arena *held,
                                     struct aggregate_state *state);
/* What a call does with a row, where that is little and its argument, if any, a column. */
enum aggregate_shape {
    AGGREGATE_OTHER = 0,
    AGGREGATE_COUNTS_ROWS = 1,
    AGGREGATE_COUNTS = 2,
    AGGREGATE_SUMS_INTEGERS = 3,
    AGGREGATE_SUMS_REALS = 4,
    AGGREGATE_SUMS_NUMERICS = 5,
};
enum aggregate_shape aggregate_shape(const struct rel_aggregate *call);
/** As aggregate_add; `shape` is the call's, looked at once. */
MUST_CHECK enum status aggregate_add_shaped(const struct rel_aggregate *call,
                                            enum aggregate_shape shape, struct eval *eval,
                                            const struct value *row, struct arena *held,
                                            struct aggregate_state *state);
/** The same for all rows of a batch. */
MUST_CHECK enum status aggregate_add_batch(const struct rel_aggregate *call, struct eval *eval,
                                           const struct batch *batch, struct arena *held,
                                           struct aggregate_state *state);
MUST_CHECK enum status aggregate_finish(const struct rel_aggregate *call, struct eval *eval,
                                        struct arena *held, struct aggregate_state *state,
                                        struct value *out);
struct aggregate_state *aggregate_at(void *states, uint32_t index);
/** Back to no rows; memory stays for reuse. */
void aggregate_restart(struct aggregate_state *state);
/** True when rows can be taken out again in the order they came. */
bool aggregate_is_removable(const struct rel_aggregate *call);
MUST_CHECK enum status aggregate_remove(const struct rel_aggregate *call, struct eval *eval,
                                        const struct value *row, struct aggregate_state *state);
/** Of collected arguments, at least one row (aggregate_rows.c). */
MUST_CHECK enum status aggregate_of_rows(const struct rel_aggregate *call, struct eval *eval,
                                         const struct exec_rows *rows, struct value *out);

/** The same for those of pairs, neither null (aggregate_regression.c). */
MUST_CHECK enum status aggregate_of_pairs(const struct rel_aggregate *call, struct eval *eval,
                                          const struct exec_rows *rows, struct value *out);

/* exec_scan_prime.c: a scan that is run anew for each row of another side looks up for many of them at once. */
enum { EXEC__PRIME_MAX = 64 };
/** It can: its keys are slots, constants and parameters as they are. */
bool exec__scan_primes(const struct plan *plan);
/** Forgets earlier runs; `wanted` come next, 1 to EXEC__PRIME_MAX. */
MUST_CHECK enum status exec__prime_begin(struct exec *scan, uint32_t wanted);
/** Notes the run with the present values of the slots. False in *out: there is no room. */
MUST_CHECK enum status exec__prime_add(struct exec *scan, bool *out);
/** Looks the noted runs up. True in *gathers_out: each has to be gathered, in the same order, before the end. */
MUST_CHECK enum status exec__prime_look_up(struct exec *scan, bool *gathers_out);
/** With the slots as exec__prime_add had them. False in *out: neither this run nor those behind are primed. */
MUST_CHECK enum status exec__prime_gather(struct exec *scan, bool *out);
MUST_CHECK enum status exec__prime_end(struct exec *scan);
/** After exec_rescan, with the slots filled: the run is the index-th of those primed. */
void exec__prime_use(struct exec *scan, uint32_t index);

/* exec_subquery.c */
MUST_CHECK enum status exec__subquery(const struct expr *expr, const struct value *row,
                                      struct eval *eval, struct value *out);
/** Forgets results that depend on work tables. */
void exec__forget_subqueries(struct exec_context *context);
void exec__close_subplans(struct exec_context *context);
MUST_CHECK enum status exec__open_subplans(struct exec_context *context);

/* exec_shared.c */
MUST_CHECK enum status exec__open_shared(struct exec_context *context);
/** Fine after a failed open. */
void exec__close_shared(struct exec_context *context);

/* exec_index.c */
MUST_CHECK enum status exec__create_index(struct exec_context *context,
                                          const struct ast_create_index *ast, struct arena *arena);
MUST_CHECK enum status exec__drop_index(struct exec_context *context, const struct ast_name *name,
                                        struct arena *arena);

/* A work table: the rows the recursion made last. */
struct exec__work {
    struct exec_rows *rows;
};

#endif
