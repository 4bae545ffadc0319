/*
 * The keys that were committed lately: as far back as the oldest running transaction's snapshot. This
 * is how a read finds out that a page younger than its snapshot has nothing new for it, and how a
 * commit finds out whether what it relies on still holds.
 *
 *   commit --push--> pending --publish--> settle --+--> merged, while an older transaction runs
 *                       |                          +--> freed, when none does
 *                       +--withdraw (the commit failed)
 *
 * A commit's writes are pushed before its first page is published (T2): whoever sees a page of it also
 * finds its keys here. The transaction's own maps serve as they are while the chunk is pending;
 * merging links the entries into one map a tree that keeps the newest write of each key. Pruning
 * takes the oldest chunks off. Everything happens under the snapshot latch.
 *
 * The merged chunks have a bound, that of a write set. Past it the oldest go although someone might
 * need them, and the floor rises: transactions with a snapshot below it are told that they conflict
 * (T6).
 */
#include "kernel/kernel_private.h"

static bool
map_has_newer(const struct key_map *map, const struct key_range *range, uint64_t snapshot,
              uint64_t csn_of_all)
{
    const struct write_entry *entry;

    if (map->count == 0)
        return false;
    entry = key_map_seek(map, range->low, range->low_size, false);
    for (; entry != NULL; entry = entry->next[0]) {
        uint64_t csn = csn_of_all != 0 ? csn_of_all : entry->csn;

        if (range->high_size > 0 &&
            key_compare(entry->key, entry->key_size, range->high, range->high_size) > 0)
            return false;
        if (entry->kind != WRITE_NONE && csn > snapshot)
            return true;
    }
    return false;
}

static bool
pending_has_newer(const struct qtdb *db, const struct qtdb_tree *tree,
                  const struct key_range *range, uint64_t snapshot)
{
    for (const struct write_chunk *chunk = db->pending; chunk != NULL; chunk = chunk->next) {
        if (chunk->csn <= snapshot)
            continue;
        for (const struct txn_tree *part = chunk->trees; part != NULL; part = part->next)
            if (part->tree == tree && map_has_newer(&part->writes, range, snapshot, chunk->csn))
                return true;
    }
    return false;
}

bool
recent__is_changed(const struct qtdb *db, const struct qtdb_tree *tree,
                   const struct key_range *range, uint64_t snapshot)
{
    return snapshot < db->recent_floor || map_has_newer(&tree->recent, range, snapshot, 0) ||
           pending_has_newer(db, tree, range, snapshot);
}

enum status
recent__check(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct key_range *range)
{
    struct qtdb *db = txn->db;

    latch_lock(&db->snapshot_latch);
    bool changed = recent__is_changed(db, tree, range, txn->snapshot);

    latch_unlock(&db->snapshot_latch);
    if (!changed)
        return STATUS_OK;
    atomic_fetch_add(&db->conflict_count, 1);
    return error_raise(STATUS_CONFLICT,
                       "could not serialize access: a row of tree '%s' was changed since this "
                       "transaction began, and its earlier state is not kept; run it again",
                       tree->name);
}

void
recent__push(struct qtdb *db, struct write_chunk *chunk)
{
    CHECK(latch_is_held(&db->snapshot_latch));
    CHECK(chunk->csn > pager_csn(db->pager));
    chunk->next = db->pending;
    db->pending = chunk;
}

void
recent__withdraw(struct qtdb *db, struct write_chunk *chunk)
{
    struct write_chunk **link = &db->pending;

    CHECK(latch_is_held(&db->snapshot_latch));
    while (*link != chunk) {
        CHECK(*link != NULL);
        link = &(*link)->next;
    }
    *link = chunk->next;
    chunk->next = NULL;
}

/* Links one write into the tree's map of recent ones, unless a younger one of its key is there. */
static void
merge_entry(struct txn_tree *part, struct write_entry *entry, uint64_t csn)
{
    struct key_map *map = &part->tree->recent;
    struct write_entry *other = key_map_find(map, entry->key, entry->key_size);

    entry->csn = csn;
    if (other != NULL && other->csn > csn) {
        entry->height = 0;
    } else {
        if (other != NULL)
            key_map_remove(map, other);
        key_map_insert(map, entry);
    }
    entry->chunk_next = part->merged;
    part->merged = entry;
}

static void
merge(struct qtdb *db, struct write_chunk *chunk)
{
    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
        struct write_entry *entry = part->writes.head[0];

        while (entry != NULL) {
            struct write_entry *next = entry->next[0];

            if (entry->kind != WRITE_NONE)
                merge_entry(part, entry, chunk->csn);
            entry = next;
        }
        memset(&part->writes, 0, sizeof(part->writes));
    }
    chunk->next = NULL;
    if (db->merged_last != NULL)
        db->merged_last->next = chunk;
    else
        db->merged = chunk;
    db->merged_last = chunk;
    db->merged_size += chunk->arena.total_size;
}

bool
recent__settle(struct qtdb *db, struct write_chunk *chunk)
{
    recent__withdraw(db, chunk);
    if (db->oldest == NULL || db->oldest->snapshot >= chunk->csn)
        return false;
    merge(db, chunk);
    return true;
}

/* Takes the oldest merged chunk out of the maps and the list. */
static struct write_chunk *
unmerge_first(struct qtdb *db)
{
    struct write_chunk *chunk = db->merged;

    for (struct txn_tree *part = chunk->trees; part != NULL; part = part->next)
        for (struct write_entry *entry = part->merged; entry != NULL; entry = entry->chunk_next)
            if (entry->height > 0)
                key_map_remove(&part->tree->recent, entry);
    db->merged = chunk->next;
    if (db->merged == NULL)
        db->merged_last = NULL;
    CHECK(db->merged_size >= chunk->arena.total_size);
    db->merged_size -= chunk->arena.total_size;
    return chunk;
}

struct write_chunk *
recent__prune(struct qtdb *db)
{
    uint64_t oldest = txn__oldest_snapshot(db);
    struct write_chunk *list = NULL;

    CHECK(latch_is_held(&db->snapshot_latch));
    while (db->merged != NULL &&
           (db->merged->csn <= oldest || db->merged_size > db->write_set_limit)) {
        struct write_chunk *chunk = unmerge_first(db);

        if (chunk->csn > oldest && chunk->csn > db->recent_floor)
            db->recent_floor = chunk->csn;
        chunk->next = list;
        list = chunk;
    }
    return list;
}

void
recent__free(struct qtdb *db, struct write_chunk *chunks)
{
    while (chunks != NULL) {
        struct write_chunk *next = chunks->next;

        arena_deinit(&chunks->arena);
        memory_free(db->env.memory, MEMORY_VERSIONS, chunks, sizeof(*chunks));
        chunks = next;
    }
}
