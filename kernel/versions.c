/*
 * The version store: what rows were before each commit, in memory, as far back as anybody may ask.
 *
 *   commit --push--> pending --publish--> retire --+--> merged, while a snapshot is older
 *                       |                          +--> freed, when none is
 *                       +--withdraw (the commit failed)
 *
 * A commit's chunk holds its keys, each with the row before or the fact that there was none. It is
 * pushed before the commit's first page is published (T2): whoever sees a page of it also finds its
 * rows here. While a chunk is pending, the transaction's own maps serve as they are. Merging links
 * its entries into one map a tree, which holds the newest entry of each key; older ones of the key hang
 * behind it, newest first. A snapshot S has of a key the row before the entry with the smallest CSN
 * above S, and without one the row as it is now (version_search.c).
 *
 * A chunk is kept until no snapshot is below its CSN: neither a running one nor the one that a
 * read-only transaction would get, which is durable. Everything happens under the snapshot latch, in
 * batches, so that nobody who asks waits for a whole commit to be linked or unlinked.
 *
 * The merged chunks have a bound (version_limit). Before it is reached, what no snapshot needs goes from
 * the middle too (version_sweep.c); past it the oldest chunks go although someone may need them, and
 * the floor rises: snapshots below it have ended (T6).
 */
#include "kernel/kernel_private.h"

enum { BATCH = 64, PENDING_MANY = 4 };

/* ---- Pending ------------------------------------------------------------------------------------ */

void
versions__push(struct qtdb *db, struct write_chunk *chunk)
{
    CHECK(latch_is_held(&db->snapshot_latch));
    CHECK(chunk->csn > pager_csn(db->pager) && !chunk->published);
    chunk->next = db->pending;
    db->pending = chunk;
    db->pending_count++;
    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next)
        if (part->writes.count > 0)
            atomic_store_explicit(&part->tree->csn_written, chunk->csn, memory_order_release);
    atomic_fetch_add_explicit(&db->version_epoch, 1, memory_order_release);
}

void
versions__withdraw(struct qtdb *db, struct write_chunk *chunk)
{
    struct write_chunk **link = &db->pending;

    CHECK(latch_is_held(&db->snapshot_latch));
    while (*link != chunk) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = chunk->next;
    chunk->next = NULL;
    CHECK(db->pending_count > 0);
    db->pending_count--;
}

/* ---- Merging ------------------------------------------------------------------------------------ */

/* Links an entry among those of its key, of which `newest` is in the map. */
static void
link_in_chain(struct key_map *map, struct write_entry *newest, struct write_entry *entry)
{
    struct write_entry *at = newest;

    CHECK(newest->csn != entry->csn);
    if (newest->csn < entry->csn) {
        key_map_remove(map, newest);
        key_map_insert(map, entry);
        entry->older = newest;
        newest->younger = entry;
        return;
    }
    while (at->older != NULL && at->older->csn > entry->csn)
        at = at->older;
    entry->older = at->older;
    entry->younger = at;
    if (at->older != NULL)
        at->older->younger = entry;
    at->older = entry;
}

static void
link_entry(struct txn_tree *part, struct write_entry *entry, uint64_t csn)
{
    struct key_map *map = &part->tree->versions;
    struct write_entry *newest = key_map_find(map, entry->key, entry->key_size);

    entry->csn = csn;
    entry->older = NULL;
    entry->younger = NULL;
    if (newest != NULL)
        link_in_chain(map, newest, entry);
    else
        key_map_insert(map, entry);
    entry->chunk_next = part->merged;
    part->merged = entry;
}

void
versions__unlink(struct txn_tree *part, struct write_entry *entry)
{
    if (entry->younger == NULL) {
        key_map_remove(&part->tree->versions, entry);
        if (entry->older != NULL)
            key_map_insert(&part->tree->versions, entry->older);
    } else {
        entry->younger->older = entry->older;
    }
    if (entry->older != NULL)
        entry->older->younger = entry->younger;
}

/* Lets those in who wait for the latch. */
static void
breathe(struct qtdb *db)
{
    latch_unlock(&db->snapshot_latch);
    latch_lock(&db->snapshot_latch);
}

/* Moves a published chunk from the pending to the merged ones. In between each entry is in exactly one
 * of the two maps, so whoever asks finds it. */
static void
merge(struct qtdb *db, struct write_chunk *chunk)
{
    uint32_t steps = 0;

    CHECK(chunk->published && !chunk->merging);
    chunk->merging = true;
    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
        while (part->writes.head[0] != NULL) {
            struct write_entry *entry = part->writes.head[0];

            key_map_remove(&part->writes, entry);
            if (entry->kind != WRITE_NONE)
                link_entry(part, entry, chunk->csn);
            if (++steps % BATCH == 0)
                breathe(db);
        }
    }
    versions__withdraw(db, chunk);
    if (db->merged_last != NULL)
        db->merged_last->next = chunk;
    else
        db->merged = chunk;
    db->merged_last = chunk;
    db->merged_size += versions__chunk_size(chunk);
}

/* The oldest pending chunk that can be merged, or NULL. */
static struct write_chunk *
first_mergeable(const struct qtdb *db)
{
    struct write_chunk *first = NULL;

    for (struct write_chunk *chunk = db->pending; chunk != NULL; chunk = chunk->next)
        if (chunk->published && !chunk->merging && (first == NULL || chunk->csn < first->csn))
            first = chunk;
    return first;
}

void
versions__publish(struct qtdb *db, struct write_chunk *chunk)
{
    CHECK(latch_is_held(&db->snapshot_latch));
    chunk->published = true;
    /* Each pending chunk is one more map for those who ask. */
    if (db->pending_count <= PENDING_MANY)
        return;
    struct write_chunk *first = first_mergeable(db);

    if (first != NULL)
        merge(db, first);
}

/* ---- Pruning ------------------------------------------------------------------------------------ */

/* The chunk lies in the arena that it holds. */
static void
chunk_free(struct write_chunk *chunk)
{
    struct arena arena = chunk->arena;

    arena_deinit(&chunk->writes);
    arena_deinit(&arena);
}

size_t
versions__chunk_size(const struct write_chunk *chunk)
{
    return chunk->arena.total_size + chunk->writes.total_size;
}

/* The bytes at which looking through the whole store is worth it again. */
static size_t
sweep_size(const struct qtdb *db)
{
    size_t size = db->version_limit / 4;

    if (size < 2 * db->swept_size)
        size = 2 * db->swept_size;
    return size < db->version_limit ? size : db->version_limit;
}

bool
versions__prune_is_due(struct qtdb *db)
{
    return db->merged != NULL && !db->pruning &&
           (db->merged_size > sweep_size(db) || db->merged->csn <= txn__oldest_snapshot(db));
}

/* Takes the first merged chunk out of list and maps. */
static struct write_chunk *
unmerge_first(struct qtdb *db)
{
    struct write_chunk *chunk = db->merged;
    uint32_t steps = 0;

    db->merged = chunk->next;
    if (db->merged == NULL)
        db->merged_last = NULL;
    CHECK(db->merged_size >= versions__chunk_size(chunk));
    db->merged_size -= versions__chunk_size(chunk);
    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
        for (struct write_entry *entry = part->merged; entry != NULL; entry = entry->chunk_next) {
            versions__unlink(part, entry);
            if (++steps % BATCH == 0)
                breathe(db);
        }
    }
    return chunk;
}

static void
free_first(struct qtdb *db)
{
    struct write_chunk *chunk = unmerge_first(db);

    latch_unlock(&db->snapshot_latch);
    chunk_free(chunk);
    latch_lock(&db->snapshot_latch);
}

static void
prune_middle(struct qtdb *db)
{
    struct write_chunk *empty = versions__sweep(db);

    latch_unlock(&db->snapshot_latch);
    while (empty != NULL) {
        struct write_chunk *next = empty->next;

        chunk_free(empty);
        empty = next;
    }
    latch_lock(&db->snapshot_latch);
    db->swept_size = db->merged_size;
}

void
versions__prune(struct qtdb *db)
{
    latch_lock(&db->snapshot_latch);
    while (versions__prune_is_due(db)) {
        db->pruning = true;
        while (db->merged != NULL && db->merged->csn <= txn__oldest_snapshot(db))
            free_first(db);
        if (db->merged_size > sweep_size(db))
            prune_middle(db);
        while (db->merged != NULL && db->merged_size > db->version_limit) {
            if (db->merged->csn > db->version_floor)
                db->version_floor = db->merged->csn;
            free_first(db);
        }
        if (db->merged == NULL)
            db->swept_size = 0;
        db->pruning = false;
    }
    latch_unlock(&db->snapshot_latch);
}

void
versions__free_all(struct qtdb *db)
{
    CHECK(!txn__any_running(db) && db->pending == NULL);
    latch_lock(&db->snapshot_latch);
    while (db->merged != NULL)
        chunk_free(unmerge_first(db));
    latch_unlock(&db->snapshot_latch);
}

void
versions__retire(struct qtdb *db, struct write_chunk *chunk, uint64_t csn)
{
    bool is_mine = false;

    latch_lock(&db->snapshot_latch);
    /* Merged by another, it is the store's and may be freed already. */
    for (struct write_chunk *at = db->pending; at != NULL; at = at->next)
        is_mine = is_mine || (at == chunk && at->csn == csn && !at->merging);
    bool unneeded = is_mine && csn <= txn__oldest_snapshot(db);

    if (unneeded)
        versions__withdraw(db, chunk);
    else if (is_mine)
        merge(db, chunk);
    bool due = versions__prune_is_due(db);

    latch_unlock(&db->snapshot_latch);
    if (unneeded)
        chunk_free(chunk);
    if (due)
        versions__prune(db);
}
