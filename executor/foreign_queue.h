/*
 * What the two halves of foreign keys share: the queue of one statement, noted by foreign_key.c and worked
 * off by foreign_run.c. Everything is in the queue's arena and goes with it.
 */
#ifndef EXECUTOR_FOREIGN_QUEUE_H
#define EXECUTOR_FOREIGN_QUEUE_H

#include "executor/change.h"

/* A table of this statement other than its target, or the target once more. */
struct opened {
    struct opened *next;
    struct table *table;
    struct table_rules rules;
    struct change change;
};

/* A foreign key that points at a table which is changed. */
struct watch {
    struct watch *next;
    const char *schema; /* Of the parent. */
    const char *table;
    struct opened *child;
    const struct table_foreign *foreign;
    uint32_t positions[TABLE_KEY_COLUMNS_MAX]; /* In the parent. */
};

struct event {
    struct event *next;
    struct watch *watch;  /* A parent's key is gone; NULL: a child's row came. */
    struct value *before; /* The parent's key. */
    struct value *after;  /* NULL: deleted. */
    struct opened *child;
    const struct table_foreign *foreign;
    struct key_bytes key; /* Of the child's row. */
};

struct foreign_queue {
    struct exec_context *context;
    struct arena arena;
    struct opened *opened;
    struct watch *watches;
    struct event *first;
    struct event *last;
    /* The parent checked last. */
    const struct table_foreign *known;
    struct key_bytes known_key;
};

/** The table with its rules, locked and opened once a statement. */
MUST_CHECK enum status foreign_open(struct foreign_queue *queue, const char *schema,
                                    const char *name, struct opened **out);
/** XX001: the catalog's foreign key does not fit its table. */
MUST_CHECK enum status foreign_damaged(struct foreign_queue *queue,
                                       const struct table_foreign *foreign);
/** True when both name the same `count` columns, in any order. */
bool foreign_same_columns(const uint32_t *left, const uint32_t *right, uint32_t count);
/** The tree and key where the parent of these values would stand. Size 0: it cannot exist. */
MUST_CHECK enum status foreign_place(struct foreign_queue *queue, struct opened *parent,
                                     const struct table_foreign *foreign,
                                     const struct value *values, struct qtdb_tree **tree_out,
                                     struct key_bytes *out);
/** Whether the transaction sees a row at the place. */
MUST_CHECK enum status foreign_parent_exists(struct foreign_queue *queue, struct qtdb_tree *tree,
                                             const struct key_bytes *key, bool *out);
/** 23503 unless the child's row has its parent, which it then keeps while the transaction lasts. */
MUST_CHECK enum status foreign_check_parent(struct foreign_queue *queue, const struct table *child,
                                            const struct table_foreign *foreign,
                                            const struct value *row);

#endif
