/*
 * Many look-ups of one transaction at once.
 *
 * Each is answered as access__get answers it alone (T1): own writes first, then the tree's row where its
 * leaf is as the snapshot has it, then the version store. Only the middle is done together: what the
 * transaction has not written itself goes to the tree in groups, which overlap their misses
 * (btree/tree_batch.c), from the leaves that the tree's router names where it has one. Keys are checked and
 * reads are noted before the first answer, so that a call that fails there has read nothing.
 */
#include "kernel/kernel_private.h"

enum { GROUP_SIZE = ROUTE_NAMES_MAX };

struct group {
    uint32_t count;
    struct qtdb_lookup *lookup[GROUP_SIZE];
    struct btree_get get[GROUP_SIZE];
};

static enum status
refuse(const struct qtdb_tree *tree, const struct qtdb_lookup *lookups, size_t count)
{
    if (count > 0 && lookups == NULL)
        return error_raise(STATUS_INVALID, "there are no look-ups");
    for (size_t i = 0; i < count; i++)
        TRY(access__refuse_key(tree, lookups[i].key_size));
    return STATUS_OK;
}

static enum status
note_reads(struct qtdb_txn *txn, struct txn_tree *tree, const struct qtdb_lookup *lookups,
           size_t count)
{
    for (size_t i = 0; txn->track_reads && i < count; i++) {
        struct key_range range = {lookups[i].key, lookups[i].key, lookups[i].key_size,
                                  lookups[i].key_size};

        TRY(read_set__add(txn, tree, &range));
    }
    return STATUS_OK;
}

static bool
is_answer(enum status status)
{
    return status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_FULL;
}

/* One answer; any other status ends the batch. */
static enum status
answer(struct qtdb_lookup *lookup, enum status status)
{
    if (!is_answer(status))
        return status;
    lookup->code = (enum qtdb_code)status;
    return STATUS_OK;
}

static enum status
settle(struct qtdb_txn *txn, const struct txn_tree *tree, struct group *group)
{
    bool named = route__name(txn, tree->tree, group->get, group->count);

    TRY(btree_get_batch(&tree->btree, group->get, group->count));
    if (named)
        route__named(txn, tree->tree, group->get, group->count);
    for (uint32_t i = 0; i < group->count; i++) {
        struct qtdb_lookup *lookup = group->lookup[i];
        const struct btree_get *get = &group->get[i];

        if (__builtin_expect(access__is_of_snapshot(txn, tree->tree, get->csn), 1)) {
            lookup->value_size = get->status == STATUS_NOT_FOUND ? lookup->value_size : get->size;
            TRY(answer(lookup, get->status));
        } else {
            TRY(answer(lookup, access__get_committed(txn, tree->tree, lookup->key, lookup->key_size,
                                                     lookup->value, &lookup->value_size)));
        }
    }
    group->count = 0;
    return STATUS_OK;
}

static enum status
get_batch(struct qtdb_txn *txn, struct qtdb_tree *handle, struct qtdb_lookup *lookups, size_t count)
{
    struct group group;
    struct txn_tree *tree;

    TRY(txn__tree(txn, handle, &tree));
    TRY(refuse(handle, lookups, count));
    TRY(note_reads(txn, tree, lookups, count));
    group.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct qtdb_lookup *lookup = &lookups[i];
        const struct write_entry *own =
            tree->writes.count > 0 ? write_set__find(tree, lookup->key, lookup->key_size) : NULL;

        if ((own != NULL && own->kind != WRITE_NONE) || tree->spill != NULL ||
            tree->btree.root == PAGE_NONE) {
            TRY(answer(lookup, access__get_unnoted(txn, tree, lookup->key, lookup->key_size,
                                                   lookup->value, &lookup->value_size)));
            continue;
        }
        group.lookup[group.count] = lookup;
        group.get[group.count++] = (struct btree_get){.key = lookup->key,
                                                      .key_size = lookup->key_size,
                                                      .value = lookup->value,
                                                      .size = lookup->value_size};
        if (group.count == GROUP_SIZE)
            TRY(settle(txn, tree, &group));
    }
    return group.count > 0 ? settle(txn, tree, &group) : STATUS_OK;
}

enum status
database_fetch(struct qtdb_txn *txn, struct qtdb_tree *handle, const struct qtdb_lookup *lookups,
               size_t count, uint32_t *absent_out)
{
    struct btree_get gets[GROUP_SIZE];
    struct txn_tree *tree;
    uint32_t filled = 0, absent_count = 0;

    TRY(txn__tree(txn, handle, &tree));
    for (size_t i = 0; i < count && tree->btree.root != PAGE_NONE; i++) {
        gets[filled++] = (struct btree_get){.key = lookups[i].key, .key_size = lookups[i].key_size};
        if (filled < GROUP_SIZE && i + 1 < count)
            continue;
        absent_count += btree_fetch_batch(&tree->btree, gets, filled);
        filled = 0;
    }
    *absent_out = absent_count;
    return STATUS_OK;
}

enum qtdb_code
qtdb_get_batch(struct qtdb_txn *txn, struct qtdb_tree *tree, struct qtdb_lookup *lookups,
               size_t count)
{
    return api_error(get_batch(txn, tree, lookups, count));
}
