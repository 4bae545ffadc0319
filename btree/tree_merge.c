/*
 * Merging underfull pages, from a leaf up.
 *
 * A page that uses less than a quarter of its bytes is joined with the neighbour under the same
 * parent, the right one first, where both fit in one page with room to spare. The right page of the
 * two is freed: so the left neighbour of a freed leaf is always the page that took it in, and sibling
 * links never name a freed page (B6). The parent loses a key and may be underfull in turn. An inner
 * root without keys takes the place of its only child; the root keeps its number.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum { UNDERFULL_SIZE = PAGE_SIZE / 4 };

/* Do the two, both whole, fit in one page? */
static enum status
ask_fit(const struct btree *tree, const struct node *left, uint32_t left_number,
        const struct node *right, uint32_t right_number, bool *out)
{
    const char *reason = NULL;

    *out = false;
    if (left->high_size != right->low_size || memcmp(left->high, right->low, left->high_size) != 0)
        return tree__corrupt(tree, right_number, "its low fence is not its neighbour's high fence");
    if (!node_merge_may_fit(left, right))
        return STATUS_OK;
    if (node_validate(left->bytes, &reason) != STATUS_OK)
        return tree__corrupt(tree, left_number, reason);
    if (node_validate(right->bytes, &reason) != STATUS_OK)
        return tree__corrupt(tree, right_number, reason);
    *out = node_merge_fits(left->bytes, right->bytes);
    return STATUS_OK;
}

/* Joins the children at `place` and `place` + 1 if they fit. */
static enum status
join(struct pager_change *change, const struct btree *tree, uint32_t parent_number, uint32_t place,
     bool *joined_out)
{
    struct node_moves moves;
    struct node parent;
    struct node left_node;
    struct node right_node;
    uint32_t left_number = PAGE_NONE;
    uint32_t right_number = PAGE_NONE;
    uint8_t *left;
    uint8_t *page;

    *joined_out = false;
    TRY(tree__change_node(change, tree, parent_number, UINT32_MAX, &parent));
    CHECK(parent.level > 0 && place < parent.count);
    if (!node_child_at(&parent, place, &left_number) ||
        !node_child_at(&parent, place + 1, &right_number) || left_number == right_number)
        return tree__corrupt(tree, parent_number, "a child lies outside its page");
    uint32_t level = parent.level - 1u;

    TRY(tree__change_node(change, tree, left_number, level, &left_node));
    TRY(tree__change_node(change, tree, right_number, level, &right_node));
    TRY(ask_fit(tree, &left_node, left_number, &right_node, right_number, joined_out));
    if (!*joined_out)
        return STATUS_OK;
    TRY(tree__change_edit(change, tree, left_number, &left));
    TRY(tree__change_edit(change, tree, parent_number, &page));
    CHECK(right_number != tree->root && left != right_node.bytes);
    node_merge(left, right_node.bytes);
    node_remove(page, place, &moves);
    tree__change_moved(change, parent_number, &moves);
    if (tree->tally != NULL && level == 0)
        tree->tally->removed_count++;
    return pager_change_free(change, right_number);
}

/* An inner root without keys becomes its only child, as often as that is so. */
static enum status
lower_root(struct pager_change *change, const struct btree *tree)
{
    for (;;) {
        struct node root;
        struct node child;
        uint8_t *page;
        uint8_t *child_page;

        TRY(tree__change_node(change, tree, tree->root, UINT32_MAX, &root));
        if (root.level == 0 || root.count > 0)
            return STATUS_OK;
        uint32_t child_number = root.link;

        TRY(tree__change_node(change, tree, child_number, root.level - 1u, &child));
        if (child.low_size != 0 || child.high_size != 0)
            return tree__corrupt(tree, child_number, "it has fences, but no neighbours");
        TRY(tree__change_edit(change, tree, child_number, &child_page));
        TRY(tree__change_edit(change, tree, tree->root, &page));
        node_replace_root(page, child_page);
        TRY(pager_change_free(change, child_number));
    }
}

enum status
tree__merge(struct pager_change *change, const struct btree *tree, const struct tree_path *path)
{
    CHECK(path->depth > 0 && path->depth <= BTREE_DEPTH_MAX);
    CHECK(path->step[0].page_number == tree->root);
    for (uint32_t depth = path->depth - 1; depth > 0; depth--) {
        uint32_t parent_number = path->step[depth - 1].page_number;
        uint32_t place = path->step[depth - 1].place;
        struct node parent;
        const uint8_t *page;
        bool joined = false;

        TRY(pager_change_read(change, path->step[depth].page_number, &page));
        if (node_used_size(page) >= UNDERFULL_SIZE)
            return STATUS_OK;
        TRY(tree__change_node(change, tree, parent_number, UINT32_MAX, &parent));
        if (place < parent.count)
            TRY(join(change, tree, parent_number, place, &joined));
        if (!joined && place > 0)
            TRY(join(change, tree, parent_number, place - 1, &joined));
        if (!joined)
            return STATUS_OK;
    }
    return lower_root(change, tree);
}
