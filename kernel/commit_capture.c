/*
 * What a commit's rows were before: read for the version store, before any latch is taken. Reading them also
 * brings in the pages that the writes will change, and finds each row's leaf, where its put looks first.
 *
 * Rows are read in groups, which overlap their waiting for memory and disk (btree/tree_batch.c), through the
 * tree's router where it has one. What is not simple is read alone: a row that the snapshot does not
 * have as the tree has it, and one whose value does not lie in a leaf. Rows behind the tree's last one
 * were not there.
 */
#include "kernel/kernel_private.h"

enum {
    APPENDED_MIN = 16, /* Writes to a tree: fewer are looked up. */
    GROUP_SIZE = 32,
};

struct group {
    uint32_t count;
    struct write_entry *entry[GROUP_SIZE];
    struct btree_get get[GROUP_SIZE];
    uint8_t value[GROUP_SIZE][BTREE_INLINE_VALUE_MAX];
};

/* What capture_alone notes of a row whose value is a tree of its own. */
static enum status
capture_large(struct qtdb_txn *txn, const struct qtdb_tree *tree, struct write_entry *entry,
              bool *is_large_out)
{
    struct btree_value value;

    TRY(value__find_committed(txn, tree, entry->key, entry->key_size, &value, is_large_out));
    if (!*is_large_out)
        return STATUS_OK;
    uint8_t *copy = arena_alloc_raw(&txn->arena, sizeof(value));

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, &value, sizeof(value));
    entry->before = copy;
    entry->before_size = sizeof(value);
    entry->before_kind = WRITE_LARGE;
    return STATUS_OK;
}

/* Notes what the row is before the commit. It is what it was at the snapshot, or the commit will be
 * refused. */
static enum status
capture_alone(struct qtdb_txn *txn, const struct qtdb_tree *tree, struct write_entry *entry)
{
    uint8_t inline_value[BTREE_INLINE_VALUE_MAX];
    uint8_t *value = inline_value;
    size_t size = sizeof(inline_value);
    enum status status =
        access__get_committed(txn, tree, entry->key, entry->key_size, value, &size);

    if (status == STATUS_NOT_FOUND) {
        entry->before_kind = WRITE_DELETE;
        return STATUS_OK;
    }
    if (status != STATUS_FULL)
        TRY(status);
    if (size > BTREE_CHUNK_SIZE) {
        bool is_large = false;

        TRY(capture_large(txn, tree, entry, &is_large));
        if (is_large)
            return STATUS_OK;
    }
    entry->before = arena_alloc_raw(&txn->arena, size);
    if (entry->before == NULL)
        return STATUS_NO_MEMORY;
    value = (uint8_t *)(uintptr_t)entry->before;
    if (status == STATUS_FULL)
        TRY(access__get_committed(txn, tree, entry->key, entry->key_size, value, &size));
    else
        memcpy(value, inline_value, size);
    entry->before_size = (uint32_t)size;
    entry->before_kind = WRITE_PUT;
    return STATUS_OK;
}

/* Rows behind the last one of the tree were not there, as their entries say from the beginning: many of
 * them are not looked up one by one. `*end_out` is the first of those. */
static enum status
capture_appended(struct qtdb_txn *txn, struct txn_tree *tree, const struct write_entry **end_out)
{
    struct btree btree = tree__btree(tree->tree);
    struct btree_cursor cursor;
    bool known = false;

    *end_out = NULL;
    if (tree->writes.count < APPENDED_MIN || btree.root == PAGE_NONE)
        return STATUS_OK;
    btree_cursor_init(&cursor, &btree, txn->db->env.memory);
    enum status status = row_absent__find_last(txn, tree->tree, &cursor, &known);

    if (status == STATUS_OK && known)
        *end_out = key_map_seek(&tree->writes, cursor.row.key, cursor.row.key_size, true);
    tree->appended = *end_out != NULL && *end_out == tree->writes.head[0];
    btree_cursor_deinit(&cursor);
    return status;
}

/* `get` is what the tree said of it, as the snapshot has it. */
static enum status
capture_read(struct qtdb_txn *txn, struct write_entry *entry, const struct btree_get *get)
{
    entry->before_kind = WRITE_DELETE;
    if (get->status == STATUS_NOT_FOUND)
        return STATUS_OK;
    uint8_t *copy = arena_alloc_raw(&txn->arena, get->size);

    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, get->value, get->size);
    entry->before = copy;
    entry->before_size = (uint32_t)get->size;
    entry->before_kind = WRITE_PUT;
    return STATUS_OK;
}

static enum status
capture_group(struct qtdb_txn *txn, const struct qtdb_tree *tree, const struct btree *btree,
              struct group *group)
{
    bool named = route__name(txn, tree, group->get, group->count);

    TRY(btree_get_batch(btree, group->get, group->count));
    if (named)
        route__named(txn, tree, group->get, group->count);
    for (uint32_t i = 0; i < group->count; i++) {
        const struct btree_get *get = &group->get[i];

        group->entry[i]->leaf = get->leaf;
        if (get->status == STATUS_FULL || !access__is_of_snapshot(txn, tree, get->csn))
            TRY(capture_alone(txn, tree, group->entry[i]));
        else
            TRY(capture_read(txn, group->entry[i], get));
    }
    return STATUS_OK;
}

/* The next entries, from `*at` to before `end`. */
static void
gather(struct group *group, struct write_entry **at, const struct write_entry *end)
{
    struct write_entry *entry = *at;

    for (group->count = 0; entry != end && group->count < GROUP_SIZE; entry = entry->next[0]) {
        uint32_t i = group->count;

        if (entry->kind == WRITE_NONE)
            continue;
        group->entry[i] = entry;
        group->get[i] = (struct btree_get){.key = entry->key,
                                           .key_size = entry->key_size,
                                           .value = group->value[i],
                                           .size = sizeof(group->value[i])};
        group->count++;
    }
    *at = entry;
}

/* Of one group; a row or two have nothing to overlap. */
static enum status
capture(struct qtdb_txn *txn, const struct txn_tree *tree, struct group *group)
{
    struct btree btree = tree__btree(tree->tree);

    if (group->count > 2 && btree.root != PAGE_NONE)
        return capture_group(txn, tree->tree, &btree, group);
    for (uint32_t i = 0; i < group->count; i++)
        TRY(capture_alone(txn, tree->tree, group->entry[i]));
    return STATUS_OK;
}

enum status
commit__capture(struct qtdb_txn *txn, struct txn_tree *tree, size_t *size_io)
{
    size_t limit = (size_t)pager_change_limit(txn->db->pager) * PAGE_SIZE;
    struct write_entry *at = tree->writes.head[0];
    const struct write_entry *end;
    struct group group;

    TRY(capture_appended(txn, tree, &end));
    while (at != end) {
        gather(&group, &at, end);
        TRY(capture(txn, tree, &group));
        for (uint32_t i = 0; i < group.count; i++)
            *size_io += group.entry[i]->before_size;
        txn->too_big = *size_io > limit;
        if (txn->too_big)
            return error_raise(STATUS_FULL, "the rows before do not fit one change");
    }
    return STATUS_OK;
}
