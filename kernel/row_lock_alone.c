/*
 * Being alone: a load locks thousands of rows that nobody else asks for. Linked one by one into the table
 * and taken out again, they cost more than the rows' way into leaves.
 *
 * A holder is alone from its ALONE_MIN-th claim on, if the table has no claim of anybody else. Its further
 * claims are in a list of its own, where it pushes them with one atomic step. That they are new is not looked
 * up: a claim is when all have come in ascending order, each behind the last one, or when who asks has not
 * written the row. Claims of which neither is true go into the table. So a row may be claimed twice, here and
 * there, which costs memory and means nothing else. Whoever else wants a lock, of whatever row,
 * first ends that (lock__end_loner): takes the list away, so that the next push fails, and links its claims
 * into the table as if they had always been there. When nobody came, the list is forgotten as a whole.
 *
 *   begin   under the latches of all partitions: no claim but the holder's own is in the table
 *   push    by the holder: unseen: last -> claim, or it finds that the list was taken
 *   end     under the latches of all partitions: unseen -> NULL, each claim linked, loner = NULL
 *   join    by the holder, when it finds that out, under one of them: the list goes before `locks`
 *   leave   by the holder, under one of them: loner = NULL, if it still was
 *
 * Who holds the latch of one partition and reads that nobody is alone can rely on it until it lets go; what
 * the last loner did happened before (`leave` is a release, and that look an acquire). A transaction is
 * alone at most once: two writers that meet again and again share the table. The claims of a loner are
 * bounded, for whoever ends that links them while all others wait.
 */
#include "kernel/base/check.h"
#include "kernel/key_map.h"
#include "kernel/row_lock.h"
#include "kernel/row_lock_private.h"

enum { ALONE_MIN = 64, ALONE_MAX = 1 << 17, FETCH_AHEAD = 256 };

/* Of the row and the holder's last claim, by tree and key. */
static int
compare_to_last(const struct lock_holder *holder, const struct lock_row *row)
{
    const struct row_lock *last = holder->newest;

    if (row->tree_id != last->tree_id)
        return row->tree_id < last->tree_id ? -1 : 1;
    return key_compare(row->key, row->key_size, last->key, last->key_size);
}

static void
begin(struct lock_table *table, struct lock_holder *holder)
{
    uint64_t count = 0;

    lock__latch_all(table);
    for (uint32_t i = 0; i < LOCK_PARTITIONS; i++)
        count += table->partition[i].count;
    if (count == holder->claim_count && atomic_load(&table->owner_count) == 0 &&
        atomic_load_explicit(&table->loner, memory_order_relaxed) == NULL) {
        CHECK(holder->newest == holder->locks);
        holder->seen = holder->locks;
        atomic_store_explicit(&holder->unseen, holder->locks, memory_order_relaxed);
        atomic_store_explicit(&table->loner, holder, memory_order_relaxed);
        holder->alone = true;
        holder->first = NULL;
    }
    lock__unlatch_all(table);
}

void
lock__note(struct lock_table *table, struct lock_holder *holder, const struct lock_row *row,
           bool is_new)
{
    if (holder->alone || holder->joined || !is_new)
        return;
    if (holder->newest != NULL && compare_to_last(holder, row) <= 0)
        holder->unordered = true;
    holder->newest = holder->locks;
    if (++holder->claim_count == ALONE_MIN && (row->fresh || !holder->unordered))
        begin(table, holder);
}

/* Its claims are in the table now. Whoever linked them there followed the list that is tied to `locks` here. */
static void
join(struct lock_table *table, struct lock_holder *holder)
{
    holder->alone = false;
    holder->joined = true;
    if (holder->first == NULL)
        return;
    latch_lock(&table->partition[0].latch);
    holder->first->holder_next = holder->locks;
    latch_unlock(&table->partition[0].latch);
    holder->locks = holder->newest;
}

enum status
lock__claim_alone(struct lock_table *table, struct lock_holder *holder, const struct lock_row *row)
{
    int order = compare_to_last(holder, row);
    struct row_lock *claim = NULL;

    CHECK(holder->alone && holder->waiting == NULL);
    if (order == 0 && row->mode <= holder->newest->mode)
        return STATUS_OK;
    if (order <= 0)
        holder->unordered = true;
    if (holder->claim_count == ALONE_MAX || holder->arena.total_size > holder->size_limit) {
        lock__end_loner(table);
        join(table, holder);
        return STATUS_MISSING;
    }
    if (holder->unordered && !row->fresh)
        return STATUS_MISSING;
    TRY(lock__claim_new(holder, row, &claim));
    CHECK(claim != NULL);
    struct row_lock *newest = holder->newest;

    __builtin_prefetch((const char *)claim + FETCH_AHEAD, 1); /* For the claims to come. */
    claim->mode = row->mode;
    claim->holder_next = newest;
    if (!atomic_compare_exchange_strong_explicit(&holder->unseen, &newest, claim,
                                                 memory_order_release, memory_order_relaxed)) {
        join(table, holder);
        return STATUS_MISSING;
    }
    if (holder->first == NULL)
        holder->first = claim;
    holder->newest = claim;
    holder->claim_count++;
    return STATUS_OK;
}

void
lock__end_loner(struct lock_table *table)
{
    lock__latch_all(table);
    struct lock_holder *holder = atomic_load_explicit(&table->loner, memory_order_relaxed);

    if (holder != NULL) {
        struct row_lock *claim =
            atomic_exchange_explicit(&holder->unseen, NULL, memory_order_acquire);

        for (; claim != holder->seen; claim = claim->holder_next)
            lock__chain(table, claim);
        atomic_store_explicit(&table->loner, NULL, memory_order_relaxed);
    }
    lock__unlatch_all(table);
}

void
lock__leave_alone(struct lock_table *table, struct lock_holder *holder)
{
    bool unseen = false;

    if (holder->alone) {
        latch_lock(&table->partition[0].latch);
        unseen = atomic_load_explicit(&table->loner, memory_order_relaxed) == holder;
        if (unseen)
            atomic_store_explicit(&table->loner, NULL, memory_order_release);
        latch_unlock(&table->partition[0].latch);
    }
    if (holder->alone && !unseen)
        join(table, holder);
    holder->alone = false;
    holder->unordered = false;
    holder->joined = false;
    holder->claim_count = 0;
    holder->newest = NULL;
}
