/*
 * Pruning from the middle. One snapshot that stays open long keeps all chunks after it, although of a row
 * that was changed a thousand times since it needs one state. An entry with CSN c, behind which the next
 * older entry of its key has CSN p (0: none), serves exactly the snapshots in [p, c). When there is none,
 * it goes; whoever asks whether the key was changed since an older snapshot finds the older entry. A
 * chunk without entries is freed.
 *
 * Snapshots to come are not below the one that a read-only transaction would get when the sweep
 * begins, so entries up to that one are judged by the transactions running then, the rest stay. The sweep
 * visits everything, so it runs when the store has doubled since the last one.
 */
#include <stdlib.h>

#include "kernel/kernel_private.h"

enum { BATCH = 64, SNAPSHOTS_MAX = 512 };

struct sweep {
    uint64_t new_snapshot;
    uint32_t count;
    uint64_t snapshots[SNAPSHOTS_MAX]; /* Ascending. */
};

static int
compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* False: too many transactions to judge by. */
static bool
collect(struct qtdb *db, struct sweep *sweep)
{
    const struct txn_list *const lists[] = {&db->writers, &db->readers};

    txn__reap(db);
    sweep->count = 0;
    sweep->new_snapshot = txn__new_snapshot(db, true);
    for (int i = 0; i < 2; i++) {
        for (const struct qtdb_txn *txn = lists[i]->newest; txn != NULL; txn = txn->next) {
            if (sweep->count == SNAPSHOTS_MAX)
                return false;
            sweep->snapshots[sweep->count++] = txn->snapshot;
        }
    }
    qsort(sweep->snapshots, sweep->count, sizeof(sweep->snapshots[0]), compare);
    return true;
}

static bool
is_needed(const struct sweep *sweep, const struct write_entry *entry)
{
    uint64_t older = entry->older != NULL ? entry->older->csn : 0;
    uint32_t low = 0;
    uint32_t high = sweep->count;

    if (entry->csn > sweep->new_snapshot)
        return true;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (sweep->snapshots[middle] < older)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sweep->count && sweep->snapshots[low] < entry->csn;
}

/* Takes out what nobody needs of a chunk; true when nothing is left. */
static bool
sweep_chunk(struct qtdb *db, const struct sweep *sweep, struct write_chunk *chunk, uint32_t *steps)
{
    bool empty = true;

    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
        struct write_entry **link = &part->merged;

        while (*link != NULL) {
            struct write_entry *entry = *link;

            if (is_needed(sweep, entry)) {
                link = &entry->chunk_next;
                empty = false;
            } else {
                *link = entry->chunk_next;
                versions__unlink(part, entry);
            }
            if (++*steps % BATCH == 0) {
                latch_unlock(&db->snapshot_latch);
                latch_lock(&db->snapshot_latch);
            }
        }
    }
    return empty;
}

struct write_chunk *
versions__sweep(struct qtdb *db)
{
    struct write_chunk *empty = NULL;
    struct write_chunk *previous = NULL;
    struct write_chunk *chunk = db->merged;
    struct sweep sweep;
    uint32_t steps = 0;

    CHECK(latch_is_held(&db->snapshot_latch) && db->pruning);
    if (!collect(db, &sweep))
        return NULL;
    while (chunk != NULL) {
        bool is_empty = sweep_chunk(db, &sweep, chunk, &steps);
        struct write_chunk *next = chunk->next;

        if (is_empty) {
            if (previous != NULL)
                previous->next = next;
            else
                db->merged = next;
            if (next == NULL)
                db->merged_last = previous;
            CHECK(db->merged_size >= versions__chunk_size(chunk));
            db->merged_size -= versions__chunk_size(chunk);
            chunk->next = empty;
            empty = chunk;
        } else {
            previous = chunk;
        }
        chunk = next;
    }
    return empty;
}
