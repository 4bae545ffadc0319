/*
 * Splitting, one page a call. From the leaf upwards: choose the cut; if the parent has room for the
 * separator, cut here; if not, the parent is what has to be split first, for that separator. The root
 * is never cut: its content moves to a new page below it, so that the root keeps its number (B1), and
 * the cut waits for the next call.
 *
 * The cut is made between the page's own entries (node_split.c); the entry that found no room is put
 * again from the root.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum status
tree__grow(struct pager_change *change, const struct btree *tree)
{
    struct node_fences fences = {NULL, 0, NULL, 0};
    uint32_t child_number;
    uint8_t *root;
    uint8_t *child;

    TRY(tree__change_edit(change, tree, tree->root, &root));
    CHECK(le32_get(page_header(root)->page_number) == tree->root);
    uint8_t level = page_header(root)->level;
    enum page_type type = (enum page_type)page_header(root)->type;

    if (level + 1 >= BTREE_DEPTH_MAX)
        return error_raise(STATUS_FULL,
                           "tree %u has reached its depth of %d pages: its keys are too long and "
                           "too much alike; use shorter keys",
                           tree->tree_id, BTREE_DEPTH_MAX);
    TRY(pager_change_allocate(change, tree->tree_id, type, level, &child_number, &child));
    memcpy(child + PAGE_HEADER_SIZE, root + PAGE_HEADER_SIZE, PAGE_SIZE - PAGE_HEADER_SIZE);
    node_init(root, tree__node_kind(tree), tree->root, tree->tree_id, (uint8_t)(level + 1),
              child_number, &fences);
    CHECK(page_header(child)->level == level && child_number != tree->root); /* B1 */
    return STATUS_OK;
}

/* A leaf is about to be cut. */
static void
count_leaf(struct btree_leaf_tally *tally, const void *left)
{
    struct node node;

    if (node_load_page(left, &node) && node.high_size == 0)
        tally->appended_count++;
    else
        tally->split_count++;
}

/* Cuts the page and posts the separator to its parent, which has room. */
static enum status
cut_page(struct pager_change *change, const struct btree *tree, uint32_t page_number,
         uint32_t parent_number, uint32_t place, const struct node_cut *cut)
{
    struct node_moves moves;
    uint32_t right_number;
    uint8_t *left;
    uint8_t *right;
    uint8_t *parent;

    CHECK(page_number != parent_number && page_number != tree->root);
    TRY(tree__change_edit(change, tree, page_number, &left));
    TRY(tree__change_edit(change, tree, parent_number, &parent));
    CHECK(page_header(parent)->level == page_header(left)->level + 1);
    TRY(pager_change_allocate(change, tree->tree_id, (enum page_type)page_header(left)->type,
                              page_header(left)->level, &right_number, &right));
    if (tree->tally != NULL && page_header(left)->level == 0)
        count_leaf(tree->tally, left);
    node_split(left, right, right_number, cut);
    le32 child = le32_of(right_number);
    struct node_entry entry = {
        .key = cut->separator,
        .key_size = cut->separator_size,
        .value = child.byte,
        .value_size = NODE_CHILD_SIZE,
    };

    node_insert(parent, place, &entry, &moves);
    tree__change_moved(change, parent_number, &moves);
    return STATUS_OK;
}

enum status
tree__split(struct pager_change *change, const struct btree *tree, const struct tree_path *path,
            uint32_t index, const struct node_entry *entry)
{
    struct node_cut cuts[2];
    le32 child = le32_of(PAGE_NONE);
    struct node_entry wanted = *entry;

    CHECK(path->depth > 0 && path->depth <= BTREE_DEPTH_MAX);
    CHECK(path->step[0].page_number == tree->root);
    for (uint32_t depth = path->depth - 1; depth > 0; depth--) {
        uint32_t page_number = path->step[depth].page_number;
        uint32_t parent_number = path->step[depth - 1].page_number;
        uint32_t place = path->step[depth - 1].place;
        struct node_cut *cut = &cuts[depth % 2];
        uint8_t *page;
        uint8_t *parent;

        TRY(tree__change_edit_whole(change, tree, page_number, &page));
        TRY(tree__change_edit(change, tree, parent_number, &parent));
        node_cut_choose(page, index, &wanted, cut);
        wanted = (struct node_entry){
            .key = cut->separator,
            .key_size = cut->separator_size,
            .value = child.byte,
            .value_size = NODE_CHILD_SIZE,
        };
        if (node_fits(parent, &wanted))
            return cut_page(change, tree, page_number, parent_number, place, cut);
        index = place;
    }
    return tree__grow(change, tree);
}
