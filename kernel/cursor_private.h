/* The parts of a transaction's cursor, for txn_cursor.c and cursor_merge.c. */
#ifndef KERNEL_CURSOR_PRIVATE_H
#define KERNEL_CURSOR_PRIVATE_H

#include "kernel/kernel_private.h"

enum direction { NOWHERE = 0, FORWARD = 1, BACKWARD = 2 };

struct key_buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

struct qtdb_cursor {
    struct qtdb_txn *txn; /* NULL: it has ended. */
    struct qtdb_cursor *next;
    struct qtdb_cursor *previous;
    struct memory *memory;
    struct qtdb_tree *handle;
    struct txn_tree *tree;

    struct btree_cursor rows;
    enum direction rows_direction; /* In which `rows` stands at or past the place. */
    bool rows_ended;
    uint64_t rows_csn; /* Highest CSN of the leaves from where `rows` came to where it is. */

    struct version_row old;       /* The next key in the version store, when `rows` is too young. */
    enum direction old_direction; /* NOWHERE: not asked. */
    bool old_counts;              /* At the present step. */

    struct btree_cursor spilled; /* Own writes that are not in memory. */
    bool spilled_open;
    bool spilled_ended;
    enum direction spilled_direction; /* As rows_direction. */

    struct key_buffer place; /* Size 0: before all rows, or behind all. */
    bool has_row;
    bool plain;         /* The row is the tree's, in a leaf that is as the snapshot has it. */
    enum direction lag; /* Place and range are behind the row, which lies that way of them. */
    bool row_is_own;    /* It lies in the memory of the transaction's writes ... */
    uint8_t *kept;      /* ... or lay there, and was copied. */
    size_t kept_size;
    const uint8_t *key;
    const uint8_t *value;
    size_t key_size;
    size_t value_size;
    uint8_t *large; /* A large value that is not the tree's row; large_size bytes. */
    size_t large_size;

    bool has_range; /* Passed since the last jump. */
    struct key_buffer low;
    struct key_buffer high;
};

/* A row that the cursor may come to next. */
struct candidate {
    const uint8_t *key; /* NULL: none. */
    const uint8_t *value;
    size_t key_size;
    size_t value_size;
    enum write_kind kind; /* WRITE_NONE: the tree's row. */
    bool is_own;          /* In the memory of the writes. */
};

/** The first row, or deletion, at (`inclusive`) or past the place; its key is NULL when there is none. */
MUST_CHECK enum status cursor__find(struct qtdb_cursor *cursor, enum direction direction,
                                    bool inclusive, struct candidate *out);
/** The tree's cursor has been moved, with this status: notes where it is. */
MUST_CHECK enum status cursor__rows_moved(struct qtdb_cursor *cursor, enum direction direction,
                                          enum status status);

#endif
