/*
 * How many rows a tree has, told from one way down: the product of the numbers of children met and the
 * rows of the leaf. Over ways that are spread evenly the mean is the number of rows, however unevenly
 * the tree is filled (Knuth, Estimating the efficiency of backtrack programs, 1975). The ways are named
 * by a share of the tree, so that the same shares tell the same again.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum { SAMPLE_TRIES_MAX = 8 };

/* Copies the page; its header bounded, of this tree and level. STATUS_BUSY: not what was looked for. */
static enum status
copy_node(const struct btree *tree, uint32_t page_number, uint32_t level, uint8_t *page,
          struct node *out)
{
    enum status status = pager_copy(tree->pager, page_number, page);

    if (status == STATUS_CORRUPT) {
        error_clear(); /* Freed meanwhile, or damaged: those who read rows will say. */
        return STATUS_BUSY;
    }
    TRY(status);
    if (!node_load_page(page, out) || out->tree_id != tree->tree_id ||
        out->kind != tree__node_kind(tree) || out->level >= BTREE_DEPTH_MAX ||
        (level != UINT32_MAX && out->level != level))
        return STATUS_BUSY;
    return STATUS_OK;
}

/* With `leaf_out` only to the leaf's number; PAGE_NONE where the root is one. */
static enum status
go_down(const struct btree *tree, double share, uint8_t *page, struct node *node, double *rows,
        uint32_t *leaf_out)
{
    uint32_t page_number = tree->root, level = UINT32_MAX;

    for (*rows = 1;; level = node->level - 1u) {
        if (leaf_out != NULL && level == 0) {
            *leaf_out = page_number;
            return STATUS_OK;
        }
        TRY(copy_node(tree, page_number, level, page, node));
        if (node->level == 0) {
            *rows *= node->count;
            return STATUS_OK;
        }
        uint32_t children = node->count + 1u;
        double place = share * children;
        uint32_t child = place < children ? (uint32_t)place : children - 1;

        if (!node_child_at(node, child, &page_number))
            return STATUS_BUSY;
        share = place - child;
        *rows *= children;
    }
}

enum status
btree_sample(const struct btree *tree, double share, double *rows_out, uint8_t *low_out,
             size_t *low_size_out)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    enum status status = STATUS_BUSY;
    struct node node = {.count = 0};

    CHECK(share >= 0 && share <= 1);
    for (uint32_t tries = 0; tries < SAMPLE_TRIES_MAX && status == STATUS_BUSY; tries++)
        status = go_down(tree, share, page, &node, rows_out, NULL);
    TRY(status);
    CHECK(node.low_size <= BTREE_KEY_SIZE_MAX);
    memcpy(low_out, node.low, node.low_size);
    *low_size_out = node.low_size;
    return STATUS_OK;
}

void
btree_sample_fetch(const struct btree *tree, const double *shares, uint32_t count)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    uint32_t leaves[BTREE_SAMPLE_FETCH_MAX], leaf_count = 0;

    CHECK(count <= BTREE_SAMPLE_FETCH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct node node = {.count = 0};
        uint32_t leaf = PAGE_NONE;
        double rows;

        if (go_down(tree, shares[i], page, &node, &rows, &leaf) != STATUS_OK)
            error_clear(); /* Who samples there will see. */
        else if (leaf != PAGE_NONE && (leaf_count == 0 || leaves[leaf_count - 1] != leaf))
            leaves[leaf_count++] = leaf;
    }
    pager_prefetch(tree->pager, leaves, leaf_count);
}
