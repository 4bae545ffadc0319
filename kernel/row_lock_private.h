/*
 * What row_lock.c (claims on keys), row_lock_tree.c (whole trees) and row_lock_alone.c (claims that nobody
 * else has to see) share.
 */
#ifndef KERNEL_ROW_LOCK_PRIVATE_H
#define KERNEL_ROW_LOCK_PRIVATE_H

#include "kernel/row_lock.h"

/* What is asked for. */
struct lock_row {
    const void *key;
    size_t key_size;
    uint32_t tree_id;
    enum lock_mode mode;
    uint64_t timeout_ns;
    bool fresh; /* The holder has hardly a lock of it. */
};

/** lock_acquire for the key alone, which may have no bytes. `*new_out`: the holder had no claim on it
 * before. STATUS_FULL: past the holder's size_limit. */
MUST_CHECK enum status lock__key(struct lock_table *table, struct lock_holder *holder,
                                 uint32_t tree_id, const void *key, size_t key_size,
                                 enum lock_mode mode, uint64_t timeout_ns, bool *new_out);
/** A claim on the row, not linked anywhere. STATUS_FULL: past the holder's size_limit. */
MUST_CHECK enum status lock__claim_new(struct lock_holder *holder, const struct lock_row *row,
                                       struct row_lock **out);
/** Links a claim that no other holder can be in the way of. Under the latches of all partitions. */
void lock__chain(struct lock_table *table, struct row_lock *claim);
/** In order, and the other way. */
void lock__latch_all(struct lock_table *table);
void lock__unlatch_all(struct lock_table *table);
/** Does the holder have the row in this mode or a stronger one? */
bool lock__is_held(struct lock_table *table, const struct lock_holder *holder,
                   const struct lock_row *row);
/** Gives back the claim that lock__key made last. */
void lock__give_back_newest(struct lock_table *table, struct lock_holder *holder);
/** The holder owns no tree any more. */
void lock__disown_all(struct lock_table *table, struct lock_holder *holder);

/* row_lock_alone.c */

/** Takes note of a claim that was granted, and begins to be alone when that is worth it. */
void lock__note(struct lock_table *table, struct lock_holder *holder, const struct lock_row *row,
                bool is_new);
/** Claims the row if the holder is alone. STATUS_MISSING: it is not, or not any more, or the row is for the
 * table. */
MUST_CHECK enum status lock__claim_alone(struct lock_table *table, struct lock_holder *holder,
                                         const struct lock_row *row);
/** Links the claims of whoever is alone into the table. With no latch held. */
void lock__end_loner(struct lock_table *table);
/** Before the holder's locks are given back: its list has all those that are in the table. */
void lock__leave_alone(struct lock_table *table, struct lock_holder *holder);

#endif
