/*
 * Changing rows of one table: rules, row, index entries, and what foreign keys ask for afterwards. Used
 * by INSERT, UPDATE, DELETE and MERGE, and by the actions of foreign keys.
 *
 * Every check of a row comes before its first write; a failing statement is rolled back to its start by
 * the session.
 */
#ifndef EXECUTOR_CHANGE_H
#define EXECUTOR_CHANGE_H

#include "executor/exec_private.h"
#include "executor/table_rules.h"

struct key_bytes {
    uint8_t bytes[QTDB_KEY_SIZE_MAX];
    size_t size;
};

/* change_written.c: keys of the rows that a statement has put. */
struct written {
    struct arena arena;
    struct exec__table rows; /* Schema and name of the table, key. */
};

struct foreign_queue;

struct change {
    struct exec_context *context;
    const struct table *table;
    const struct table_rules *rules;
    struct foreign_queue *queue; /* NULL: no foreign keys are looked at. */
    struct written *written;     /* NULL: nothing of the statement asks what it has put. */
    struct qtdb_tree *rows;
    struct qtdb_tree *indexes[TABLE_INDEX_MAX];
    struct arena arena; /* Of one row; the caller resets it. */
    int64_t next_row;   /* Hidden row number; 0: not looked up yet. */
};

/** change_close is needed after a failure too. */
MUST_CHECK enum status change_open(struct change *change, struct exec_context *context,
                                   const struct table_rules *rules, struct foreign_queue *queue);
void change_close(struct change *change);

/** The row with its generated columns filled and the values of index expressions behind it, in memory of
 * the change; checked (23502, 23514). */
MUST_CHECK enum status change_prepare(struct change *change, const struct value *row,
                                      struct value **out);
/** An old row in the same shape, unchecked. */
MUST_CHECK enum status change_extend(struct change *change, const struct value *row,
                                     struct value **out);
/** Prepared rows. 23505 on a duplicate. */
MUST_CHECK enum status change_insert(struct change *change, const struct value *row);
/** An extended row. */
MUST_CHECK enum status change_delete(struct change *change, const struct value *row,
                                     const struct key_bytes *key);
/** A prepared new version of a row that was taken out by change_delete: a hidden row number stays. */
MUST_CHECK enum status change_put_again(struct change *change, const struct key_bytes *key,
                                        const struct value *row);

/** The key of the row that is in the way of a prepared one. `constraint` UINT32_MAX: the primary key.
 * Size 0: none. */
MUST_CHECK enum status change_find_conflict(struct change *change, const struct value *row,
                                            uint32_t constraint, struct key_bytes *out);
/** With any of them. */
MUST_CHECK enum status change_find_any_conflict(struct change *change, const struct value *row,
                                                struct key_bytes *out);
/** The row under a key; `*found_out` false: there is none. */
MUST_CHECK enum status change_read(struct change *change, const struct key_bytes *key,
                                   struct value *out, bool *found_out);
/** Fails when what is held passes the budget (53200). */
MUST_CHECK enum status change_check_memory(struct exec_context *context, const struct arena *arena);

/* change_written.c. */

void written_init(struct written *written, struct memory *memory);
/** As after written_init. */
void written_clear(struct written *written);
void written_deinit(struct written *written);
/** The row under the key has been put. Nothing when nobody asks. */
MUST_CHECK enum status written_note(struct change *change, const struct key_bytes *key);
/** 21000 when the statement itself has put the row. */
MUST_CHECK enum status written_refuse(struct change *change, const struct key_bytes *key);

/* foreign_key.c: what a statement's changes have to answer to, looked at when it ends. */

struct foreign_queue *foreign_queue_new(struct exec_context *context);
void foreign_queue_free(struct foreign_queue *queue);
/** `old_row` NULL: inserted; `new_row` NULL: deleted. `key` is that of the new row. */
MUST_CHECK enum status foreign_note(struct foreign_queue *queue, struct change *change,
                                    const struct value *old_row, const struct value *new_row,
                                    const struct key_bytes *key);
/** Checks, and runs actions, until nothing is left. 23503. */
MUST_CHECK enum status foreign_run(struct foreign_queue *queue);
/** Every row of the table has its parent: for ADD CONSTRAINT. */
MUST_CHECK enum status foreign_validate(struct exec_context *context, const struct table *table,
                                        const struct table_foreign *foreign);

#endif
