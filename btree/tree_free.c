/*
 * Freeing a whole tree, a limited number of pages at a time, from its right edge.
 *
 * Values that are trees of their own are the caller's: it is told of them as their rows go.
 *
 * Each step goes to the last leaf, frees the values outside it row by row, then the leaf, and takes it
 * out of its parent; a parent that thereby lost its last child goes with it, up to the root. After
 * every step what is left is again a tree of pages that are all in use (only its high fences do not
 * fit any more), so a crash between two steps loses nothing and the next call goes on.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

/* Who takes values over. */
struct heir {
    btree_value_fn value;
    void *context;
};

/* Frees what the reference names, or hands it over. */
static enum status
free_value(struct pager_change *change, const struct btree *tree, uint32_t page_number,
           const struct node_row *row, const struct heir *heir, uint32_t *freed)
{
    struct btree_value value;
    size_t size;

    if (tree__overflow_size(row->value, row->value_size, &size) != STATUS_OK)
        return tree__corrupt(tree, page_number, "an overflow reference is impossible");
    if (tree__overflow_value(row->value, row->value_size, &value)) {
        if (heir->value == NULL)
            return tree__corrupt(tree, page_number, "a large value names another one");
        ++*freed;
        return heir->value(change, &value, heir->context);
    }
    *freed += (uint32_t)(size / OVERFLOW_DATA_SIZE) + 1;
    return tree__overflow_free(change, tree, row->value, row->value_size);
}

/* Frees the large values of the leaf from its last row on; `*freed` counts pages. Rows before the
 * first large value need no touching. `*done_out`: none is left. */
static enum status
free_values(struct pager_change *change, const struct btree *tree, uint32_t page_number,
            uint32_t page_limit, const struct heir *heir, uint32_t *freed, bool *done_out)
{
    struct node node;

    *done_out = false;
    TRY(tree__change_node(change, tree, page_number, 0, &node));
    for (uint32_t i = node.count; i > 0; i--) {
        struct node_moves moves;
        struct node_row row;
        uint8_t *page;

        TRY(tree__change_node(change, tree, page_number, 0, &node));
        if (!node_row_at(&node, i - 1, &row))
            return tree__corrupt(tree, page_number, "a row lies outside its page");
        if (!row.is_overflow)
            continue;
        if (*freed >= page_limit)
            return STATUS_OK;
        TRY(free_value(change, tree, page_number, &row, heir, freed));
        TRY(tree__change_edit(change, tree, page_number, &page));
        node_remove(page, i - 1, &moves);
        tree__change_moved(change, page_number, &moves);
    }
    *done_out = true;
    return STATUS_OK;
}

/* Frees the path's leaf and every parent that has no other child. */
static enum status
free_edge(struct pager_change *change, const struct btree *tree, const struct tree_path *path,
          uint32_t *freed, bool *done_out)
{
    CHECK(path->depth > 0 && path->depth <= BTREE_DEPTH_MAX);
    CHECK(path->step[0].page_number == tree->root);
    for (uint32_t depth = path->depth; depth-- > 0;) {
        TRY(pager_change_free(change, path->step[depth].page_number));
        ++*freed;
        if (depth == 0)
            break;
        uint32_t parent_number = path->step[depth - 1].page_number;
        uint32_t place = path->step[depth - 1].place;
        struct node_moves moves;
        uint8_t *parent;

        if (place == 0)
            continue;
        TRY(tree__change_edit(change, tree, parent_number, &parent));
        node_remove(parent, place - 1, &moves);
        tree__change_moved(change, parent_number, &moves);
        return STATUS_OK;
    }
    *done_out = true;
    return STATUS_OK;
}

enum status
btree_free(struct pager_change *change, const struct btree *tree, uint32_t page_limit,
           btree_value_fn value, void *context, bool *done_out)
{
    struct heir heir = {value, context};
    uint32_t freed = 0;

    CHECK(page_limit > 0 && tree->root != PAGE_CATALOG_ROOT);
    *done_out = false;
    while (!*done_out && freed < page_limit) {
        struct tree_path path = {.depth = 0};
        bool values_done;

        TRY(tree__change_descend_edge(change, tree, 0, &path));
        TRY(free_values(change, tree, path.step[path.depth - 1].page_number, page_limit, &heir,
                        &freed, &values_done));
        if (!values_done)
            return STATUS_OK;
        TRY(free_edge(change, tree, &path, &freed, done_out));
    }
    return STATUS_OK;
}
