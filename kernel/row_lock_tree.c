/*
 * Whole trees: where a transaction's row locks end that were too many.
 *
 * When the claims of a holder have used up their memory, it takes the tree of the next one as a whole:
 *
 *   1. claim the tree's own lock (a key of no bytes) exclusively
 *   2. be listed as the tree's owner
 *   3. wait for every row of the tree that another holder has: claim it
 *
 * From then on its locks in that tree cost nothing. Others look at the list before they claim a row and
 * again afterwards; who finds an owner gives a new claim back, waits for the tree's lock, shared, and
 * begins again. Either the owner's walk through the table meets the row's claim, or the claimant finds the
 * owner listed: both pass through the latch of the row's partition. A holder that has the row already goes
 * on, for the owner waits for it.
 *
 * All waits are for claims in the table, so circles are found as ever. There is no list of who is about to
 * lock rows of a tree (intention locks): it would be written by everybody, for the sake of a few.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/row_lock.h"
#include "kernel/row_lock_private.h"

enum { KEY_MAX = 1024 };

static const uint8_t whole[1]; /* The key of no bytes. */

/* ---- Owners ------------------------------------------------------------------------------------- */

static struct lock_holder *
owner_of(struct lock_table *table, uint32_t tree_id)
{
    struct lock_holder *holder = NULL;

    if (atomic_load(&table->owner_count) == 0)
        return NULL;
    latch_lock(&table->owner_latch);
    for (const struct lock_owner *owner = table->owners; owner != NULL && holder == NULL;
         owner = owner->next)
        if (owner->tree_id == tree_id)
            holder = owner->holder;
    latch_unlock(&table->owner_latch);
    return holder;
}

static enum status
own(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id)
{
    struct lock_owner *owner = arena_alloc(&holder->arena, sizeof(*owner));

    if (owner == NULL)
        return STATUS_NO_MEMORY;
    owner->tree_id = tree_id;
    owner->holder = holder;
    latch_lock(&table->owner_latch);
    owner->next = table->owners;
    table->owners = owner;
    atomic_fetch_add(&table->owner_count, 1);
    latch_unlock(&table->owner_latch);
    return STATUS_OK;
}

/* Of one tree, or (0) of all. */
static void
disown(struct lock_table *table, const struct lock_holder *holder, uint32_t tree_id)
{
    struct lock_owner **link = &table->owners;

    if (atomic_load(&table->owner_count) == 0)
        return;
    latch_lock(&table->owner_latch);
    while (*link != NULL) {
        const struct lock_owner *owner = *link;

        if (owner->holder == holder && (tree_id == 0 || owner->tree_id == tree_id)) {
            *link = owner->next;
            atomic_fetch_sub(&table->owner_count, 1);
        } else {
            link = &(*link)->next;
        }
    }
    latch_unlock(&table->owner_latch);
}

void
lock__disown_all(struct lock_table *table, struct lock_holder *holder)
{
    disown(table, holder, 0);
}

/* ---- Becoming one ------------------------------------------------------------------------------- */

/* A row of the tree that another holder has. */
struct other {
    size_t key_size; /* 0: there is none. */
    uint8_t key[KEY_MAX];
};

/* Who only waits for a row waits for one that has it: for this holder, or for another one that is found. */
static bool
is_other(const struct row_lock *claim, const struct lock_holder *holder, uint32_t tree_id)
{
    return claim->tree_id == tree_id && claim->holder != holder && claim->key_size > 0 &&
           claim->mode != LOCK_NONE;
}

static void
find_in(struct lock_partition *partition, const struct lock_holder *holder, uint32_t tree_id,
        struct other *out)
{
    latch_lock(&partition->latch);
    for (uint32_t i = 0; i < partition->chain_count && out->key_size == 0; i++) {
        const struct row_lock *claim = partition->chains[i];

        while (claim != NULL && !is_other(claim, holder, tree_id))
            claim = claim->next;
        if (claim == NULL)
            continue;
        CHECK(claim->key_size <= KEY_MAX);
        memcpy(out->key, claim->key, claim->key_size);
        out->key_size = claim->key_size;
    }
    latch_unlock(&partition->latch);
}

static void
find_other(struct lock_table *table, const struct lock_holder *holder, uint32_t tree_id,
           struct other *out)
{
    out->key_size = 0;
    for (uint32_t i = 0; i < LOCK_PARTITIONS && out->key_size == 0; i++)
        find_in(&table->partition[i], holder, tree_id, out);
}

static enum status
wait_for_others(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
                uint64_t timeout_ns)
{
    struct other other;
    bool is_new;

    for (find_other(table, holder, tree_id, &other); other.key_size > 0;
         find_other(table, holder, tree_id, &other))
        TRY(lock__key(table, holder, tree_id, other.key, other.key_size, LOCK_EXCLUSIVE, timeout_ns,
                      &is_new));
    return STATUS_OK;
}

static enum status
take_tree(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
          uint64_t timeout_ns)
{
    bool is_new;

    TRY(lock__key(table, holder, tree_id, whole, 0, LOCK_EXCLUSIVE, timeout_ns, &is_new));
    TRY(own(table, holder, tree_id));
    enum status status = wait_for_others(table, holder, tree_id, timeout_ns);

    if (status != STATUS_OK)
        disown(table, holder, tree_id);
    return status;
}

/* The few claims that this takes come on top of the limit. */
static enum status
escalate(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
         uint64_t timeout_ns)
{
    size_t limit = holder->size_limit;

    holder->size_limit = SIZE_MAX;
    enum status status = take_tree(table, holder, tree_id, timeout_ns);

    holder->size_limit = limit;
    if (status == STATUS_OK) {
        atomic_fetch_add_explicit(&table->escalation_count, 1, memory_order_relaxed);
        error_clear(); /* Of the claim that did not fit. */
    }
    return status;
}

/* ---- Acquiring ---------------------------------------------------------------------------------- */

/* Waits until the tree's owner has ended. */
static enum status
wait_for_owner(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
               uint64_t timeout_ns)
{
    size_t limit = holder->size_limit;
    bool is_new;

    holder->size_limit = SIZE_MAX;
    enum status status =
        lock__key(table, holder, tree_id, whole, 0, LOCK_SHARED, timeout_ns, &is_new);

    holder->size_limit = limit;
    return status;
}

/* `*done_out` false: an owner has come or gone meanwhile; again. */
static enum status
acquire_once(struct lock_table *table, struct lock_holder *holder, const struct lock_row *row,
             bool *done_out)
{
    struct lock_holder *owner = owner_of(table, row->tree_id);
    bool is_new = false;

    *done_out = owner == holder;
    if (*done_out)
        return STATUS_OK;
    *done_out = owner != NULL && lock__is_held(table, holder, row);
    if (*done_out)
        return STATUS_OK;
    if (owner != NULL)
        return wait_for_owner(table, holder, row->tree_id, row->timeout_ns);
    TRY(lock__key(table, holder, row->tree_id, row->key, row->key_size, row->mode, row->timeout_ns,
                  &is_new));
    owner = owner_of(table, row->tree_id);
    *done_out = owner == NULL || !is_new;
    if (!*done_out)
        lock__give_back_newest(table, holder);
    else
        lock__note(table, holder, row, is_new);
    return STATUS_OK;
}

static enum status
acquire(struct lock_table *table, struct lock_holder *holder, const struct lock_row *row)
{
    bool done = false;

    CHECK(row->mode != LOCK_NONE && row->key_size > 0);
    if (holder->alone) {
        enum status status = lock__claim_alone(table, holder, row);

        if (status != STATUS_MISSING)
            return status;
    }
    while (!done) {
        enum status status = acquire_once(table, holder, row, &done);

        if (status == STATUS_FULL)
            return escalate(table, holder, row->tree_id, row->timeout_ns);
        TRY(status);
    }
    return STATUS_OK;
}

enum status
lock_acquire(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
             const void *key, size_t key_size, enum lock_mode mode, uint64_t timeout_ns)
{
    const struct lock_row row = {.key = key,
                                 .key_size = key_size,
                                 .tree_id = tree_id,
                                 .mode = mode,
                                 .timeout_ns = timeout_ns};

    return acquire(table, holder, &row);
}

enum status
lock_acquire_fresh(struct lock_table *table, struct lock_holder *holder, uint32_t tree_id,
                   const void *key, size_t key_size, uint64_t timeout_ns)
{
    const struct lock_row row = {.key = key,
                                 .key_size = key_size,
                                 .tree_id = tree_id,
                                 .mode = LOCK_EXCLUSIVE,
                                 .timeout_ns = timeout_ns,
                                 .fresh = true};

    return acquire(table, holder, &row);
}
