/*
 * Parked transactions: a read-only transaction that ends keeps its place in the list of running ones, and the
 * thread that ended it takes it up again for its next one, with one exchange and no latch.
 *
 *   running --park__put: flag up--> parked --park__take: flag down, by its thread--> taken --fresh--> running
 *                                     |                                                +--stale--> listed anew
 *                                     +--park__steal: flag down, by whoever it stands in the way of--> finished
 *
 * Whoever takes the flag down has the handle (T19). A parked transaction's snapshot is protected like a
 * running one's, for it is still listed; it is begun again only if a new one would get the same snapshot, so
 * nobody sees less than was acknowledged before. Who asks for the oldest snapshot takes those parked ones
 * out of the list that are older than a new one would be: so they hold back nothing.
 *
 * What it spares is the latch twice, and what one transaction waits for the memory of the one
 * before: a locked instruction lets no later look-up's cache misses begin before it. One is left of four.
 *
 * Each thread has a queue of those that it parked. They are taken in the order in which they ended and only
 * when FINISHED_KEPT others have ended since, as with finished handles, so that the use of one that has
 * ended is told from the use of the next. An entry may be out of date: stolen, used by others, even
 * parked by another thread. Then the flag decides. Handles live as long as the database's, which has a number
 * that no other opening in the process has; a queue of another number is not looked into.
 */
#include "kernel/kernel_private.h"

enum { PARK_ROOM = 2 * FINISHED_KEPT, TAKEOVER_MISSES = 64 };

/* A thread's parked transactions, of one database. */
struct park {
    uint64_t opening; /* 0: of none. */
    uint32_t first;
    uint32_t count;
    uint32_t misses; /* Ends for another database, in a row. */
    struct qtdb_txn *txns[PARK_ROOM];
};

static _Thread_local struct park park;
static _Atomic uint64_t openings;

uint64_t
park__opening(void)
{
    return atomic_fetch_add_explicit(&openings, 1, memory_order_relaxed) + 1;
}

/* True for one thread only. What was done before it was parked is seen afterwards. */
static bool
take_down(struct qtdb_txn *txn)
{
    bool parked = true;

    return atomic_compare_exchange_strong_explicit(&txn->parked, &parked, false,
                                                   memory_order_acquire, memory_order_relaxed);
}

bool
park__steal(struct qtdb_txn *txn)
{
    CHECK(latch_is_held(&txn->db->snapshot_latch));
    return take_down(txn);
}

struct qtdb_txn *
park__take(struct qtdb *db)
{
    if (park.opening != db->opening)
        return NULL;
    while (park.count > FINISHED_KEPT) {
        struct qtdb_txn *txn = park.txns[park.first];

        park.first = (park.first + 1) % PARK_ROOM;
        park.count--;
        if (__builtin_expect(take_down(txn), 1))
            return txn;
    }
    return NULL;
}

bool
park__resume(struct qtdb_txn *txn, const struct qtdb_txn_options *options)
{
    struct qtdb *db = txn->db;

    CHECK(!txn->running && txn->trees == NULL && txn->cursors == NULL);
    if (txn->snapshot != txn__new_snapshot(db, true))
        return false;
    uint64_t version = atomic_load_explicit(&db->route_version, memory_order_acquire);

    txn->isolation = options->isolation;
    txn->durability = options->durability;
    txn->statistics = options->statistics;
    txn->page_reads_before = txn->statistics != NULL ? pager_thread_page_reads() : 0;
    route__txn_begin(txn);
    txn->trees = txn->keeps_tree ? &txn->first_tree : NULL;
    atomic_store_explicit(&txn->routes.seen, version, memory_order_release);
    txn->running = true;
    return true;
}

/* Is there room in the thread's queue, or can it be had? */
static bool
has_room(const struct qtdb *db)
{
    if (__builtin_expect(park.opening == db->opening, 1)) {
        park.misses = 0;
        return park.count < PARK_ROOM;
    }
    if (park.opening != 0 && ++park.misses < TAKEOVER_MISSES)
        return false;
    park.opening = db->opening;
    park.count = 0;
    park.misses = 0;
    return true;
}

/*
 * One whose snapshot is old is of no use to the next. Where the store has rows that this one may have kept
 * there, they have to be looked at under the latch. A commit that comes at this moment may leave its rows
 * there until the next one, or the next transaction's end.
 */
static bool
is_worth_parking(const struct qtdb_txn *txn)
{
    struct qtdb *db = txn->db;

    return txn->arena.head == NULL && txn->cursors == NULL && txn->value_streams == NULL &&
           !txn->has_values && atomic_load_explicit(&db->merged, memory_order_relaxed) == NULL &&
           txn->snapshot == txn__new_snapshot(db, true);
}

bool
park__put(struct qtdb_txn *txn)
{
    CHECK(txn->running && txn->read_only && !atomic_load(&txn->parked));
    if (!is_worth_parking(txn) || !has_room(txn->db))
        return false;
    txn__report(txn);
    /* Under READ COMMITTED the snapshot may be newer than the look at the tree. */
    txn->keeps_tree = txn->trees == &txn->first_tree && txn->first_tree.next == NULL &&
                      txn->isolation != QTDB_READ_COMMITTED;
    txn->trees = NULL;
    txn->running = false;
    park.txns[(park.first + park.count++) % PARK_ROOM] = txn;
    atomic_store_explicit(&txn->parked, true, memory_order_release);
    return true;
}
