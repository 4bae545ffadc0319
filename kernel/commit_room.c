/*
 * How much room a commit's change will take, estimated from the writes, so that the change need not begin
 * again in the middle for want of it (pager_change_foresee).
 *
 * Leaves that are edited are known: commit_capture.c noted where each row belongs. New pages are made by
 * splits; a leaf that was cut is half full, so what the rows grow by fills at most twice as many pages as
 * they have bytes for, over time. A batch that meets only full leaves cuts each of them and needs more: it
 * begins again, once for each chunk that the file grows by. Each new page has its parent edited.
 */
#include "kernel/kernel_private.h"

enum {
    ROOM_SIZE_MIN = 8 * 1024, /* Bytes of writes: smaller commits hardly ever need new room. */
    ROW_OVERHEAD = 16,        /* In its page. */
    PAGE_GAIN = PAGE_SIZE / 2,
    PAGE_LOG_SIZE = 256, /* Of the record of a page, beside the rows' bytes. */
    SPINE = 8,           /* Pages above the leaves, however few those are. */
    RUN_SHARE = 16,      /* Pages of a run that count as one (btree.h). */
};

static void
count_put(const struct write_entry *entry, struct pager_change_room *room, uint64_t *growth)
{
    uint64_t size = (uint64_t)entry->key_size + entry->value_size + ROW_OVERHEAD;

    if (entry->value_size > BTREE_INLINE_VALUE_MAX) {
        room->new_count += entry->value_size / PAGE_GAIN + 1;
        room->log_size += entry->value_size;
    } else if (entry->before_kind == WRITE_DELETE) {
        *growth += size;
    } else if (entry->value_size > entry->before_size) {
        *growth += entry->value_size - entry->before_size;
    }
    room->log_size += size;
}

static void
count_tree(const struct txn_tree *tree, struct pager_change_room *room)
{
    uint32_t leaf = UINT32_MAX;
    uint64_t growth = 0;

    for (const struct write_entry *entry = tree->writes.head[0]; entry != tree->run_first;
         entry = entry->next[0]) {
        if (entry->kind == WRITE_NONE)
            continue;
        room->edit_count += entry->leaf != leaf;
        leaf = entry->leaf;
        if (entry->kind != WRITE_DELETE)
            count_put(entry, room, &growth);
    }
    if (tree->run != NULL)
        room->edit_count += btree_build_page_count(tree->run) / RUN_SHARE;
    room->new_count += (uint32_t)(growth / PAGE_GAIN) + 1;
    room->edit_count += SPINE;
}

void
commit_room__foresee(const struct qtdb_txn *txn)
{
    struct pager_change_room room = {.edit_count = 0};

    if (txn->write_size < ROOM_SIZE_MIN)
        return;
    for (const struct txn_tree *tree = txn->trees; tree != NULL; tree = tree->next)
        if (tree->tree != txn->db->catalog && tree->writes.count > 0)
            count_tree(tree, &room);
    room.edit_count += room.new_count;
    room.log_size += (uint64_t)room.edit_count * PAGE_LOG_SIZE;
    pager_change_foresee(txn->db->pager, &room);
}
