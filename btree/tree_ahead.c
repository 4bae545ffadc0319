/*
 * Reading ahead: the leaves that a scan will come to are brought in side by side, by the numbers that
 * their parent has. A hint that never fails: only pages of the way that are in memory are looked at, once,
 * and what a page that was changed meanwhile said costs a few reads for nothing.
 */
#include "btree/tree_private.h"

/* The numbers of the child that holds the key and of those behind it (NODE_AT) or before it. */
static uint32_t
list_children(const struct node *node, enum node_side side, const uint8_t *key, size_t key_size,
              uint32_t *numbers, uint32_t limit)
{
    uint32_t place;
    uint32_t count = 0;

    if (!node_child_place(node, side, key, key_size, &place))
        return 0;
    while (count < limit && place <= node->count && node_child_at(node, place, &numbers[count])) {
        count++;
        place = side == NODE_AT ? place + 1 : place - 1; /* Before the first it wraps. */
    }
    return count;
}

void
tree__read_ahead(const struct btree *tree, enum node_side side, const uint8_t *key, size_t key_size,
                 uint32_t limit)
{
    const struct page_table *table = pager_table(tree->pager);
    uint32_t numbers[TREE_AHEAD_MAX];
    uint32_t page_number = tree->root;

    CHECK(limit <= TREE_AHEAD_MAX);
    for (uint32_t depth = 0; depth < BTREE_DEPTH_MAX; depth++) {
        uint32_t level = 0, count = 0;
        struct page_view view;
        struct node node;

        if (!page_view_begin(table, page_number, &view))
            return;
        if (node_load(&view, &node) && node.tree_id == tree->tree_id && node.level > 0 &&
            node.kind == tree__node_kind(tree) && node_holds(&node, side, key, key_size)) {
            level = node.level;
            count = list_children(&node, side, key, key_size, numbers, level == 1 ? limit : 1);
        }
        if (!page_view_end(&view) || count == 0)
            return;
        if (level == 1) {
            pager_prefetch(tree->pager, numbers, count);
            return;
        }
        page_number = numbers[0];
    }
}
