/*
 * What row_lock.c (claims on keys) and row_lock_tree.c (whole trees) share.
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
};

/** lock_acquire for the key alone, which may have no bytes. `*new_out`: the holder had no claim on it
 * before. STATUS_FULL: past the holder's size_limit. */
MUST_CHECK enum status lock__key(struct lock_table *table, struct lock_holder *holder,
                                 uint32_t tree_id, const void *key, size_t key_size,
                                 enum lock_mode mode, uint64_t timeout_ns, bool *new_out);
/** Does the holder have the row in this mode or a stronger one? */
bool lock__is_held(struct lock_table *table, const struct lock_holder *holder,
                   const struct lock_row *row);
/** Gives back the claim that lock__key made last. */
void lock__give_back_newest(struct lock_table *table, struct lock_holder *holder);
/** The holder owns no tree any more. */
void lock__disown_all(struct lock_table *table, struct lock_holder *holder);

#endif
