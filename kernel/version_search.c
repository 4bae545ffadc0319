/*
 * Questions to the version store (versions.c): what did a snapshot have of a key, what is the next key
 * of which it had something else than the tree has now, was anything of a range changed since.
 *
 * The tree is read first, then the store: a change that shows in the page is in the store by then. A
 * change that is only in the store is no harm, for the row before it is what the page showed. An
 * entry of a commit that failed in the end is as little harm.
 *
 * Answers are copied out under the snapshot latch, for entries go when nobody needs them. Room for
 * them is made without the latch, so a question may have to be put twice.
 *
 * What big commits changed is not in memory: undo_search.c adds it, without the latch.
 */
#include "kernel/kernel_private.h"

/* Entries looked at in vain under one hold of the latch. */
enum { SKIPS_MAX = 64 };

/* The nearest thing found so far. */
struct search {
    const struct qtdb_tree *tree;
    uint64_t snapshot;
    const uint8_t *key;
    size_t key_size; /* 0: the edge. */
    bool backward;
    bool inclusive;
    const struct write_entry *entry; /* NULL: none. */
    uint64_t csn;
    bool is_version; /* Else only: nothing lies before it. */
};

/* ---- One key ------------------------------------------------------------------------------------ */

/* The entry of the chain with the smallest CSN above the snapshot, or NULL. */
static const struct write_entry *
chain_at(const struct write_entry *newest, uint64_t snapshot)
{
    const struct write_entry *found = NULL;

    for (const struct write_entry *at = newest; at != NULL && at->csn > snapshot; at = at->older)
        found = at;
    return found;
}

/* `*csn_out`: of the commit that the entry was before; CSN_NEVER when there is none. */
static const struct write_entry *
find(const struct qtdb *db, const struct qtdb_tree *tree, const uint8_t *key, size_t key_size,
     uint64_t snapshot, uint64_t *csn_out)
{
    const struct write_entry *found =
        chain_at(key_map_find(&tree->versions, key, key_size), snapshot);
    uint64_t csn = found != NULL ? found->csn : CSN_NEVER;

    for (const struct write_chunk *chunk = db->pending; chunk != NULL; chunk = chunk->next) {
        if (chunk->csn <= snapshot || chunk->csn >= csn)
            continue;
        for (const struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
            if (part->tree != tree)
                continue;
            const struct write_entry *entry = key_map_find(&part->writes, key, key_size);

            if (entry != NULL && entry->kind != WRITE_NONE) {
                found = entry;
                csn = chunk->csn;
            }
        }
    }
    *csn_out = csn;
    return found;
}

static enum status
refuse_ended(struct qtdb *db)
{
    atomic_fetch_add(&db->conflict_count, 1);
    return error_raise(STATUS_CONFLICT,
                       "snapshot too old: the rows of its time took more memory than version_limit "
                       "(%zu bytes) allows and were dropped; run the transaction again",
                       db->version_limit);
}

enum status
versions__get(struct qtdb_txn *txn, const struct qtdb_tree *tree, const void *key, size_t key_size,
              struct version_value *value, bool *found_out)
{
    struct qtdb *db = txn->db;
    size_t room = value->size;

    latch_lock(&db->snapshot_latch);
    bool ended = txn->snapshot < db->version_floor;
    uint64_t csn = CSN_NEVER;
    const struct write_entry *entry =
        ended ? NULL : find(db, tree, key, key_size, txn->snapshot, &csn);

    *found_out = entry != NULL;
    if (entry != NULL) {
        CHECK(entry->before_kind != WRITE_NONE);
        value->kind = entry->before_kind;
        value->size = entry->before_kind == WRITE_LARGE ? 0 : entry->before_size;
        if (entry->before_kind == WRITE_LARGE)
            memcpy(&value->large, entry->before, sizeof(value->large));
        if (value->size > 0 && value->size <= room)
            memcpy(value->bytes, entry->before, value->size);
    }
    latch_unlock(&db->snapshot_latch);
    if (ended)
        return refuse_ended(db);
    if (atomic_load_explicit(&db->undo_count, memory_order_acquire) == 0)
        return STATUS_OK;
    return undo__get(txn, tree, key, key_size, csn, room, value, found_out);
}

/* ---- The next key ------------------------------------------------------------------------------- */

/* Takes the entry over when it is nearer than what is there, or as near and older. */
static void
offer(struct search *search, const struct write_entry *entry, uint64_t csn, bool is_version)
{
    const struct write_entry *now = search->entry;
    int order = -1;

    if (now != NULL) {
        order = key_compare(entry->key, entry->key_size, now->key, now->key_size);
        if (search->backward)
            order = -order;
    }
    if (order > 0 || (order == 0 && search->is_version && (!is_version || csn >= search->csn)))
        return;
    search->entry = entry;
    search->csn = csn;
    search->is_version = is_version;
}

static const struct write_entry *
seek(const struct key_map *map, const struct search *search)
{
    if (search->backward)
        return key_map_seek_last(map, search->key, search->key_size, !search->inclusive);
    return key_map_seek(map, search->key, search->key_size, !search->inclusive);
}

static const struct write_entry *
next_of(const struct write_entry *entry, const struct search *search)
{
    return search->backward ? entry->previous : entry->next[0];
}

static void
search_merged(struct search *search)
{
    const struct write_entry *entry =
        search->tree->versions.count > 0 ? seek(&search->tree->versions, search) : NULL;
    uint32_t skips = 0;

    for (; entry != NULL; entry = next_of(entry, search)) {
        const struct write_entry *version = chain_at(entry, search->snapshot);

        if (version != NULL || ++skips == SKIPS_MAX) {
            offer(search, version != NULL ? version : entry, version != NULL ? version->csn : 0,
                  version != NULL);
            return;
        }
    }
}

static void
search_pending(const struct qtdb *db, struct search *search)
{
    for (const struct write_chunk *chunk = db->pending; chunk != NULL; chunk = chunk->next) {
        if (chunk->csn <= search->snapshot)
            continue;
        for (const struct txn_tree *part = chunk->trees; part != NULL; part = part->next) {
            if (part->tree != search->tree || part->writes.count == 0)
                continue;
            const struct write_entry *entry = seek(&part->writes, search);

            while (entry != NULL && entry->kind == WRITE_NONE)
                entry = next_of(entry, search);
            if (entry != NULL)
                offer(search, entry, chunk->csn, true);
        }
    }
}

/* Copies the find out; false when a buffer is too small: `*room_out` is what it takes. */
static bool
take(const struct search *search, struct version_row *out, size_t *room_out)
{
    const struct write_entry *entry = search->entry;

    out->ended = entry == NULL;
    out->kind = WRITE_NONE;
    if (entry == NULL)
        return true;
    size_t value_size = search->is_version ? entry->before_size : 0;

    *room_out = entry->key_size + value_size;
    if (*room_out > out->capacity)
        return false;
    out->key_size = entry->key_size;
    memcpy(out->bytes, entry->key, entry->key_size);
    out->value_size = value_size;
    if (value_size > 0)
        memcpy(out->bytes + out->key_size, entry->before, value_size);
    out->kind = search->is_version ? entry->before_kind : WRITE_NONE;
    out->csn = search->csn;
    CHECK(!search->is_version || out->kind != WRITE_NONE);
    return true;
}

enum status
version_row__reserve(struct version_row *row, size_t room)
{
    struct memory *memory = row->memory;
    size_t capacity = room < 256 ? 256 : room + room / 2;
    uint8_t *fresh = memory_alloc(memory, MEMORY_OTHER, capacity);

    if (fresh == NULL)
        return STATUS_NO_MEMORY;
    memory_free(memory, MEMORY_OTHER, row->bytes, row->capacity);
    row->bytes = fresh;
    row->capacity = capacity;
    return STATUS_OK;
}

enum status
versions__seek(struct qtdb_txn *txn, const struct qtdb_tree *tree,
               const struct version_place *place, struct version_row *out)
{
    struct qtdb *db = txn->db;

    for (;;) {
        struct search search = {
            .tree = tree,
            .snapshot = txn->snapshot,
            .key = place->key,
            .key_size = place->key_size,
            .backward = place->backward,
            .inclusive = place->inclusive,
        };
        size_t room = 0;
        bool taken = false;

        latch_lock(&db->snapshot_latch);
        bool ended = txn->snapshot < db->version_floor;

        if (!ended) {
            search_merged(&search);
            search_pending(db, &search);
            taken = take(&search, out, &room);
            out->epoch = atomic_load_explicit(&db->version_epoch, memory_order_relaxed);
        }
        latch_unlock(&db->snapshot_latch);
        if (ended)
            return refuse_ended(db);
        if (!taken) {
            TRY(version_row__reserve(out, room));
            continue;
        }
        if (atomic_load_explicit(&db->undo_count, memory_order_acquire) == 0)
            return STATUS_OK;
        return undo__seek(txn, tree, place, out);
    }
}

void
version_row__deinit(struct version_row *row)
{
    memory_free(row->memory, MEMORY_OTHER, row->bytes, row->capacity);
    row->bytes = NULL;
    row->capacity = 0;
}

/* ---- Was anything changed? ---------------------------------------------------------------------- */

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
versions__is_changed(const struct qtdb *db, const struct qtdb_tree *tree,
                     const struct key_range *range, uint64_t snapshot)
{
    /* Set before the pages of a commit are published, and never back. */
    if (atomic_load_explicit(&tree->csn_written, memory_order_acquire) <= snapshot)
        return false;
    return snapshot < db->version_floor || map_has_newer(&tree->versions, range, snapshot, 0) ||
           pending_has_newer(db, tree, range, snapshot);
}
