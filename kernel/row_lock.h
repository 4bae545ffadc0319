/*
 * Row locks: who may write a key next. Keys need not exist. Shared and exclusive, waiting in order of
 * arrival, with deadlock detection; held until the transaction has ended, which for a durable commit
 * is when it is durable.
 *
 * A transaction belongs to one thread at a time, so it waits for at most one lock. The table is cut into
 * partitions, each with a latch of its own that is held for a look at one chain; only who has to wait
 * takes them all, in order, to look for a cycle. They come last in the order of locks, and nothing but
 * memory is asked for under them.
 *
 * A transaction whose row locks take more memory than it may have locks whole trees instead
 * (row_lock_tree.c). One that locks many rows for the first time, or in ascending order, while nobody else has
 * any keeps them to itself until somebody else comes (row_lock_alone.c).
 */
#ifndef KERNEL_ROW_LOCK_H
#define KERNEL_ROW_LOCK_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base/memory.h"
#include "kernel/base/status.h"
#include "kernel/base/sync.h"

enum { LOCK_PARTITIONS = 16 };

enum lock_mode { LOCK_NONE = 0, LOCK_SHARED = 1, LOCK_EXCLUSIVE = 2 };

#define LOCK_WAIT_FOR_EVER UINT64_MAX

struct lock_holder;

/* What one transaction has or wants of one key. In the holder's arena. */
struct row_lock {
    struct row_lock *next; /* In the chain, in order of arrival. */
    struct row_lock *holder_next;
    struct lock_holder *holder;
    uint64_t hash;
    uint32_t tree_id;
    uint32_t key_size;
    enum lock_mode mode;   /* Granted. */
    enum lock_mode wanted; /* Waited for; LOCK_NONE: it does not wait. */
    uint8_t key[];
};

/* A transaction as the lock table sees it. Embedded in it. */
struct lock_holder {
    /* The owner's. */
    struct arena arena;
    struct row_lock *locks;
    size_t size_limit; /* Bytes of the arena; past it whole trees are locked. */
    struct event event;

    /* The owner's: is it worth being alone (row_lock_alone.c)? */
    struct row_lock
        *newest;            /* Its claim, if it has any; while it is alone, of those in no chain. */
    struct row_lock *first; /* Of those; NULL: none. */
    uint32_t
        claim_count; /* So far, each of a row that it had none of, or was said to have none of. */
    bool unordered;  /* They were not each behind the one before. */
    bool joined;     /* It was alone, and is not any more. */
    bool alone;      /* Claims go to `unseen`, as far as the owner knows. */

    /* Claims that are in no chain, newest first, down to `seen`. The owner pushes; whoever links them
     * into the table takes the list away, under the latches of all partitions. */
    _Atomic(struct row_lock *) unseen;
    const struct row_lock *seen;

    /* Guarded by the partitions' latches. */
    struct row_lock *waiting; /* Written under the one of its key. */
    uint64_t visited;         /* Under all of them. */
    struct lock_holder *visit_next;
};

/* Who has a whole tree. In the holder's arena. */
struct lock_owner {
    struct lock_owner *next;
    struct lock_holder *holder;
    uint32_t tree_id;
};

struct lock_partition {
    _Alignas(64) struct latch latch;
    uint32_t count;
    uint32_t wait_count;  /* Claims that wait. */
    uint32_t chain_count; /* A power of two. */
    struct row_lock **chains;
};

struct lock_table {
    struct memory *memory;
    uint64_t round; /* Of looking for cycles; under all latches. */
    _Atomic uint64_t wait_count;
    _Atomic uint64_t deadlock_count;
    _Atomic uint64_t escalation_count;
    _Atomic uint32_t owner_count;
    struct latch owner_latch; /* Nothing else is taken under it. */
    struct lock_owner *owners;
    /* Who has claims in no chain; or NULL. Set under the latches of all partitions. */
    _Atomic(struct lock_holder *) loner;
    struct lock_partition partition[LOCK_PARTITIONS];
};

MUST_CHECK enum status lock_table_init(struct lock_table *table, struct memory *memory);
void lock_table_deinit(struct lock_table *table);
void lock_holder_init(struct lock_holder *holder, struct memory *memory, size_t size_limit);
void lock_holder_deinit(struct lock_holder *holder);

/**
 * Grants the lock or waits for it, at most `timeout_ns` (0: not at all). A lock that is held in this mode
 * or a stronger one costs nothing new. STATUS_BUSY: not granted in time. STATUS_CONFLICT: waiting
 * would close a circle (deadlock); the locks held so far stay. Past the holder's size_limit the whole tree
 * is locked, exclusively, which waits for all others who have rows of it. `key_size` is 1 to 1,024.
 */
MUST_CHECK enum status lock_acquire(struct lock_table *table, struct lock_holder *holder,
                                    uint32_t tree_id, const void *key, size_t key_size,
                                    enum lock_mode mode, uint64_t timeout_ns);
/** The same, exclusively, of a row that the holder has never written: rarely one that it has a lock of. */
MUST_CHECK enum status lock_acquire_fresh(struct lock_table *table, struct lock_holder *holder,
                                          uint32_t tree_id, const void *key, size_t key_size,
                                          uint64_t timeout_ns);
/** Gives all locks back and lets the next ones have them. */
void lock_release_all(struct lock_table *table, struct lock_holder *holder);

#endif
