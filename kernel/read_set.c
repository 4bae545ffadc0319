/*
 * What a serializable transaction relies on: ranges of keys, one key for a get. At commit each is held
 * against the keys committed since the transaction's snapshot (T3). Reads themselves were already
 * answered as of the snapshot (access.c), so a transaction that writes nothing needs none
 * of this and keeps no ranges.
 */
#include "kernel/kernel_private.h"

enum { READS_FIRST = 16, READS_MAX = 16384 };

static void
read_everything(struct qtdb_txn *txn, struct txn_tree *tree)
{
    memory_free(txn->db->env.memory, MEMORY_LOCKS, tree->reads,
                tree->read_capacity * sizeof(*tree->reads));
    tree->reads = NULL;
    tree->read_count = 0;
    tree->read_capacity = 0;
    tree->read_whole = true;
}

static enum status
reserve(struct qtdb_txn *txn, struct txn_tree *tree)
{
    uint32_t capacity = tree->read_capacity == 0 ? READS_FIRST : tree->read_capacity * 2;

    if (tree->read_count < tree->read_capacity)
        return STATUS_OK;
    struct key_range *fresh =
        memory_resize(txn->db->env.memory, MEMORY_LOCKS, tree->reads,
                      tree->read_capacity * sizeof(*fresh), capacity * sizeof(*fresh));

    if (fresh == NULL)
        return STATUS_NO_MEMORY;
    tree->reads = fresh;
    tree->read_capacity = capacity;
    return STATUS_OK;
}

static bool
ranges_are_equal(const struct key_range *a, const struct key_range *b)
{
    return key_compare(a->low, a->low_size, b->low, b->low_size) == 0 &&
           key_compare(a->high, a->high_size, b->high, b->high_size) == 0;
}

/* Copies one end into the arena. */
static enum status
copy_end(struct qtdb_txn *txn, const uint8_t *bytes, size_t size, const uint8_t **out)
{
    uint8_t *copy = NULL;

    if (size > 0) {
        copy = arena_alloc(&txn->arena, size);
        if (copy == NULL)
            return STATUS_NO_MEMORY;
        memcpy(copy, bytes, size);
    }
    *out = copy;
    return STATUS_OK;
}

enum status
read_set__add(struct qtdb_txn *txn, struct txn_tree *tree, const struct key_range *range)
{
    struct key_range copy = {.low_size = range->low_size, .high_size = range->high_size};

    CHECK(txn->track_reads);
    if (tree->read_whole)
        return STATUS_OK;
    if (tree->read_count > 0 && ranges_are_equal(&tree->reads[tree->read_count - 1], range))
        return STATUS_OK;
    if (tree->read_count == READS_MAX) {
        read_everything(txn, tree);
        return STATUS_OK;
    }
    TRY(reserve(txn, tree));
    TRY(copy_end(txn, range->low, range->low_size, &copy.low));
    copy.high = copy.low;
    if (!(range->low == range->high && range->low_size == range->high_size))
        TRY(copy_end(txn, range->high, range->high_size, &copy.high));
    tree->reads[tree->read_count++] = copy;
    return STATUS_OK;
}

enum status
read_set__conflict(struct qtdb_txn *txn, const struct qtdb_tree *tree, const char *what)
{
    atomic_fetch_add(&txn->db->conflict_count, 1);
    return error_raise(STATUS_CONFLICT,
                       "could not serialize access: another transaction changed %s of tree '%s' "
                       "since this one began; run it again",
                       what, tree->name);
}

static enum status
validate_reads(struct qtdb_txn *txn, const struct txn_tree *tree)
{
    static const struct key_range everything;

    if (tree->read_whole && versions__is_changed(txn->db, tree->tree, &everything, txn->snapshot))
        return read_set__conflict(txn, tree->tree, "what this one read");
    for (uint32_t i = 0; i < tree->read_count; i++)
        if (versions__is_changed(txn->db, tree->tree, &tree->reads[i], txn->snapshot))
            return read_set__conflict(txn, tree->tree, "what this one read");
    return STATUS_OK;
}

enum status
read_set__validate(struct qtdb_txn *txn)
{
    CHECK(latch_is_held(&txn->db->snapshot_latch));
    if (pager_csn(txn->db->pager) == txn->snapshot)
        return STATUS_OK;
    for (const struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        if (atomic_load(&tree->tree->csn_dropped) != CSN_NEVER)
            return read_set__conflict(txn, tree->tree, "the existence");
        TRY(validate_reads(txn, tree));
    }
    return STATUS_OK;
}

static enum status
validate_range(struct qtdb_txn *txn, const struct txn_tree *tree, const struct key_range *range)
{
    bool changed;

    TRY(undo__is_changed(txn->db, tree->tree, range, txn->snapshot, &changed));
    return changed ? read_set__conflict(txn, tree->tree, "what this one read") : STATUS_OK;
}

enum status
read_set__validate_undo(struct qtdb_txn *txn)
{
    static const struct key_range everything;

    if (atomic_load(&txn->db->undo_count) == 0)
        return STATUS_OK;
    for (const struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next) {
        if (tree->read_whole)
            TRY(validate_range(txn, tree, &everything));
        for (uint32_t i = 0; i < tree->read_count; i++)
            TRY(validate_range(txn, tree, &tree->reads[i]));
    }
    return STATUS_OK;
}
