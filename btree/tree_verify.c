/*
 * Walking a whole tree to see that it is one: depth first, with a copy of each page on the way down,
 * so without recursion and in bounded memory. What is checked of each page: header, tree id, level,
 * the node's own rule (node_format.h), fences equal to what the parent says, and for leaves that the
 * one before links to it. A page that fails is one finding and is not entered.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

struct floor {
    uint8_t *page;
    struct node node;
    uint32_t page_number;
    uint32_t place; /* Next child to enter. */
};

struct walker {
    const struct btree *tree;
    struct btree_walk *walk;
    bool partial;
    bool is_value; /* It is itself a large value. */
    struct memory *memory;
    uint8_t *pages; /* BTREE_DEPTH_MAX of them */
    struct floor floor[BTREE_DEPTH_MAX];
    uint32_t depth; /* Floors in use. */
    bool linked;    /* link_expected is known. */
    uint32_t link_expected;
};

static void
report(struct walker *walker, uint32_t page_number, const char *reason)
{
    walker->walk->finding_count++;
    if (walker->walk->finding != NULL)
        walker->walk->finding(walker->walk->context, page_number, reason);
}

static bool
count_page(void *context, uint32_t page_number)
{
    struct walker *walker = context;

    walker->walk->page_count++;
    return walker->walk->page == NULL || walker->walk->page(walker->walk->context, page_number);
}

/* The key of the floor above that bounds the child at its place from below or from above. */
static bool
bound_of(const struct floor *above, bool low, uint8_t *out, size_t *size_out)
{
    const struct node *node = &above->node;
    struct node_row row;

    if (low ? above->place > 0 : above->place < node->count) {
        uint32_t index = low ? above->place - 1 : above->place;

        return node_row_at(node, index, &row) && node_row_key(node, &row, out, size_out);
    }
    *size_out = low ? node->low_size : node->high_size;
    memcpy(out, low ? node->low : node->high, *size_out);
    return true;
}

/* B3 */
static const char *
wrong_fences(const struct floor *above, const struct node *node)
{
    uint8_t key[BTREE_KEY_SIZE_MAX];
    size_t size = 0;

    if (!bound_of(above, true, key, &size))
        return "its parent's key cannot be read";
    if (node->low_size != size || memcmp(node->low, key, size) != 0)
        return "its low fence is not what its parent says";
    if (!bound_of(above, false, key, &size))
        return "its parent's key cannot be read";
    if (node->high_size != size || memcmp(node->high, key, size) != 0)
        return "its high fence is not what its parent says";
    return NULL;
}

/* Why the page just copied is not the child that the floor above says; NULL if it is. */
static const char *
why_not(const struct walker *walker, struct floor *floor)
{
    const struct floor *above = walker->depth > 0 ? &walker->floor[walker->depth - 1] : NULL;
    const struct node *node = &floor->node;
    const char *reason = NULL;

    if (node_validate(floor->page, &reason) != STATUS_OK)
        return reason;
    if (!node_load_page(floor->page, &floor->node))
        return "the header of the node is out of bounds";
    if (le32_get(page_header_const(floor->page)->page_number) != floor->page_number)
        return "it carries another page's number";
    if (node->tree_id != walker->tree->tree_id)
        return "it belongs to another tree";
    if (node->kind != tree__node_kind(walker->tree))
        return "it is a node of another kind of tree";
    if (node->level >= BTREE_DEPTH_MAX)
        return "the tree is too deep";
    if (above == NULL)
        return node->low_size == 0 && node->high_size == 0 ? NULL : "the root has fences";
    if (node->level + 1 != above->node.level)
        return "its level is not what its parent says";
    return walker->partial ? NULL : wrong_fences(above, node);
}

/* A value that is a tree of its own; it names no further one, so this goes one level deep. */
static enum status
visit_value(struct walker *walker, uint32_t page_number, const struct btree_value *value)
{
    struct btree tree = {.pager = walker->tree->pager,
                         .root = value->root,
                         .tree_id = value->tree_id,
                         .kind = BTREE_INT};
    struct btree_walk walk = {
        .finding = walker->walk->finding,
        .page = walker->walk->page,
        .context = walker->walk->context,
    };

    if (walker->is_value) {
        report(walker, page_number, "a large value names another one");
        return STATUS_OK;
    }
    TRY(tree__verify(&tree, false, true, &walk));
    walker->walk->page_count += walk.page_count;
    walker->walk->finding_count += walk.finding_count;
    if (walk.finding_count == 0 && walk.row_count != btree_value_chunk_count(value))
        report(walker, page_number, "a large value in it has too few or too many chunks");
    return STATUS_OK;
}

static enum status
visit_leaf(struct walker *walker, const struct floor *floor)
{
    const struct node *node = &floor->node;

    if (!walker->partial && walker->linked && walker->link_expected != floor->page_number)
        report(walker, floor->page_number, "the leaf before does not link to it");
    walker->linked = true;
    walker->link_expected = node->link;
    if (!walker->partial && node->high_size == 0 && node->link != PAGE_NONE)
        report(walker, floor->page_number, "the last leaf links to another");
    walker->walk->row_count += node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        struct btree_value value;
        struct node_row row;

        if (!node_row_at(node, i, &row) || !row.is_overflow)
            continue;
        if (tree__overflow_value(row.value, row.value_size, &value))
            TRY(visit_value(walker, floor->page_number, &value));
        else if (tree__overflow_walk(walker->tree, row.value, row.value_size, count_page, walker) !=
                 STATUS_OK)
            report(walker, floor->page_number, "a large value in it is damaged");
    }
    return STATUS_OK;
}

/* Copies and checks a page; goes down into it when it is right. */
static enum status
enter(struct walker *walker, uint32_t page_number)
{
    struct floor *floor = &walker->floor[walker->depth];
    enum status status;
    const char *reason;

    CHECK(walker->depth < BTREE_DEPTH_MAX);
    floor->page = walker->pages + (size_t)walker->depth * PAGE_SIZE;
    floor->page_number = page_number;
    floor->place = 0;
    if (!count_page(walker, page_number)) {
        report(walker, page_number, "it is named twice, or belongs to something else");
        walker->linked = false;
        return STATUS_OK;
    }
    status = pager_copy(walker->tree->pager, page_number, floor->page);
    if (status != STATUS_OK && status != STATUS_CORRUPT)
        return status;
    reason = status == STATUS_OK ? why_not(walker, floor) : "it cannot be read";
    if (reason != NULL) {
        report(walker, page_number, reason);
        walker->linked = false;
        return STATUS_OK;
    }
    if (floor->node.level == 0)
        return visit_leaf(walker, floor);
    walker->depth++;
    return STATUS_OK;
}

enum status
tree__verify(const struct btree *tree, bool partial, bool is_value, struct btree_walk *walk)
{
    struct memory *memory = pager_env(tree->pager).memory;
    size_t pages_size = (size_t)BTREE_DEPTH_MAX * PAGE_SIZE;
    struct walker walker = {
        .tree = tree, .walk = walk, .partial = partial, .is_value = is_value, .memory = memory};
    enum status status;

    walker.pages = memory_alloc_aligned(memory, MEMORY_OTHER, pages_size, 64);
    if (walker.pages == NULL)
        return STATUS_NO_MEMORY;
    TRY_OUT(enter(&walker, tree->root));
    while (walker.depth > 0) {
        struct floor *floor = &walker.floor[walker.depth - 1];
        uint32_t child;

        if (floor->place > floor->node.count) {
            walker.depth--;
            continue;
        }
        if (!node_child_at(&floor->node, floor->place, &child)) {
            report(&walker, floor->page_number, "a child lies outside its page");
        } else {
            TRY_OUT(enter(&walker, child));
        }
        /* Entering looked at `place` for the fences; the floor is still the same one. */
        floor->place++;
    }
    status = STATUS_OK;
out:
    memory_free(memory, MEMORY_OTHER, walker.pages, pages_size);
    return status;
}

enum status
btree_verify(const struct btree *tree, bool partial, struct btree_walk *walk)
{
    return tree__verify(tree, partial, false, walk);
}
