/*
 * Reading a tree without locks.
 *
 * The way down takes one view a page and does not couple them: it reads the child's number, ends the
 * view, and looks at the child. Whatever page it arrives at proves itself: of this tree, of the level
 * expected, its fences around the key (rule B2). Such a page is the node for the key at some moment
 * since the descent began, for these reasons:
 *
 *  - A commit publishes new pages first, then changed ones from the leaves up, then it takes freed
 *    pages out of memory (pager/change_commit.c). Before the commit's CSN is the pager's last one, all
 *    of it is done. So a reader whose snapshot includes the commit sees none of the pages from before.
 *  - A reader whose snapshot lies before it may see some pages from before and some from after; each
 *    leaf it accepts holds all rows of its key range from before or from after, and its CSN says
 *    which. The caller compares that with its snapshot.
 *  - A page that was freed and taken again proves to be another one, or to be the right one.
 *
 * A page that does not prove itself is met during a publication or is damaged. So the descent is
 * repeated, more than once behind a barrier: taking the commit latch means that no publication is
 * under way. Only what is still wrong then is called damage.
 */
#include "btree/tree_private.h"
#include "kernel/base/sync.h"
#include "pager/page.h"

enum {
    TRIES_BETWEEN_BARRIERS = 64,
    TRIES_MAX = 8 * TRIES_BETWEEN_BARRIERS,
    REFUSALS_MAX = 3, /* Of pages that cannot be read; they cost I/O. */
};

enum status
tree__corrupt(const struct btree *tree, uint32_t page_number, const char *reason)
{
    return error_raise(STATUS_CORRUPT, "page %u of tree %u: %s; run qtdb-check for the extent",
                       page_number, tree->tree_id, reason);
}

uint64_t
tree__leaf_csn(const struct page_view *view)
{
    uint8_t flags = view_u8(view, offsetof(struct page_header, flags));
    uint64_t csn = view_u64(view, offsetof(struct page_header, csn));

    return (flags & PAGE_FLAG_DIRECT) != 0 ? BTREE_CSN_UNKNOWN : csn;
}

/* Opens a view, bringing the page in as needed. */
static enum status
view_open(const struct btree *tree, uint32_t page_number, struct page_view *view)
{
    const struct page_table *table = pager_table(tree->pager);

    while (!page_view_begin(table, page_number, view)) {
        struct pager_pin pin;

        TRY(pager_pin(tree->pager, page_number, &pin));
        bool begun = page_view_begin(table, page_number, view);
        pager_unpin(tree->pager, &pin);
        if (begun)
            break;
        sync_pause();
    }
    /* The lines that every search looks at come side by side rather than one after another. */
    __builtin_prefetch(view->bytes + 64);
    __builtin_prefetch(view->bytes + 128);
    __builtin_prefetch(view->bytes + PAGE_SIZE - 64);
    return STATUS_OK;
}

uint32_t
btree_depth(const struct btree *tree)
{
    struct page_view view;

    if (!page_view_begin(pager_table(tree->pager), tree->root, &view))
        return 0;
    uint32_t level = view_u8(&view, offsetof(struct page_header, level));
    return page_view_end(&view) ? level + 1 : 0;
}

/* Waits until no publication that was under way when it was called still is. */
static enum status
barrier(struct pager *pager)
{
    struct pager_change *change;

    if (pager_is_read_only(pager) || pager_is_failed(pager))
        return STATUS_OK;
    TRY(pager_change_begin(pager, &change));
    pager_change_abandon(change);
    return STATUS_OK;
}

enum status
tree__leaf_retry(const struct btree *tree, struct leaf_view *leaf, const char *reason)
{
    leaf->tries++;
    if (leaf->tries >= TRIES_MAX)
        return tree__corrupt(tree, leaf->page_number, reason);
    if (leaf->tries % TRIES_BETWEEN_BARRIERS == 0)
        return barrier(tree->pager);
    sync_pause();
    return STATUS_OK;
}

/* What is expected of the next page on the way down. */
struct expectation {
    enum node_side side;
    const uint8_t *key;
    size_t key_size;
    uint32_t level; /* UINT32_MAX at the root: any. */
};

/* B2: the page proves to be the one looked for. */
static bool
is_as_expected(const struct btree *tree, const struct node *node, const struct expectation *wanted)
{
    if (node->tree_id != tree->tree_id || node->level >= BTREE_DEPTH_MAX ||
        node->kind != tree__node_kind(tree))
        return false;
    if (wanted->level != UINT32_MAX && node->level != wanted->level)
        return false;
    return node_holds(node, wanted->side, wanted->key, wanted->key_size);
}

/* One page of the way: true with an open view when it is the leaf, else the view is ended. */
enum step { STEP_LEAF, STEP_DOWN, STEP_WRONG };

static enum step
take_step(const struct btree *tree, struct leaf_view *leaf, struct expectation *wanted)
{
    uint32_t place;
    uint32_t child = PAGE_NONE;
    bool right = node_load(&leaf->view, &leaf->node) && is_as_expected(tree, &leaf->node, wanted);

    if (right && leaf->node.level == 0)
        return STEP_LEAF;
    right = right &&
            node_child_place(&leaf->node, wanted->side, wanted->key, wanted->key_size, &place) &&
            node_child_at(&leaf->node, place, &child);
    if (!page_view_end(&leaf->view) || !right)
        return STEP_WRONG;
    wanted->level = leaf->node.level - 1u;
    leaf->page_number = child;
    return STEP_DOWN;
}

/* A page could not be read: perhaps it was freed since its number was. */
static enum status
retry_refused(const struct btree *tree, struct leaf_view *leaf, enum status status)
{
    leaf->refusals++;
    if (status != STATUS_CORRUPT || leaf->refusals >= REFUSALS_MAX)
        return status;
    return barrier(tree->pager);
}

enum status
tree__leaf_open(const struct btree *tree, enum node_side side, const uint8_t *key, size_t key_size,
                struct leaf_view *leaf)
{
    CHECK(key != NULL && key_size <= BTREE_KEY_SIZE_MAX);
    for (;;) {
        struct expectation wanted = {side, key, key_size, UINT32_MAX};
        enum step step = STEP_DOWN;
        enum status status = STATUS_OK;

        leaf->page_number = tree->root;
        while (step == STEP_DOWN) {
            status = view_open(tree, leaf->page_number, &leaf->view);
            if (status != STATUS_OK)
                break;
            step = take_step(tree, leaf, &wanted);
        }
        if (step == STEP_LEAF)
            return STATUS_OK;
        if (status == STATUS_OK)
            status = tree__leaf_retry(tree, leaf, "the node is not what its parent says");
        else
            status = retry_refused(tree, leaf, status);
        TRY(status);
    }
}

bool
tree__leaf_open_at(const struct btree *tree, uint32_t page_number, enum node_side side,
                   const uint8_t *key, size_t key_size, struct leaf_view *leaf)
{
    struct expectation wanted = {side, key, key_size, 0};

    CHECK(key != NULL && key_size > 0);
    leaf->page_number = page_number;
    if (!page_view_begin(pager_table(tree->pager), page_number, &leaf->view))
        return false;
    if (node_load(&leaf->view, &leaf->node) && is_as_expected(tree, &leaf->node, &wanted))
        return true;
    (void)page_view_end(&leaf->view);
    return false;
}

bool
tree__is_leaf(const struct btree *tree, const struct node *node, enum node_side side,
              const uint8_t *key, size_t key_size)
{
    const struct expectation wanted = {side, key, key_size, 0};

    return is_as_expected(tree, node, &wanted);
}

/* Looks into an open leaf; copies an inline value that fits `room`. False: the bytes are impossible. */
static bool
look_up(const struct leaf_view *leaf, const uint8_t *key, size_t key_size, uint8_t *value,
        size_t room, struct tree_cell *out)
{
    struct node_row row;
    uint32_t index;

    out->csn = tree__leaf_csn(&leaf->view);
    out->is_overflow = false;
    if (!node_search(&leaf->node, key, key_size, &index, &out->equal))
        return false;
    if (!out->equal)
        return true;
    if (!node_row_at(&leaf->node, index, &row))
        return false;
    out->is_overflow = row.is_overflow;
    if (row.is_overflow) {
        out->ref_size = row.value_size;
        if (row.value_size > OVERFLOW_REF_SIZE_MAX)
            return false;
        memcpy(out->ref, row.value, row.value_size);
        return tree__overflow_size(out->ref, out->ref_size, &out->size) == STATUS_OK;
    }
    out->size = row.value_size;
    if (out->size > 0 && out->size <= room)
        memcpy(value, row.value, out->size);
    return true;
}

enum status
tree__look(const struct btree *tree, const uint8_t *key, size_t key_size, uint8_t *value,
           size_t room, struct tree_cell *out)
{
    struct leaf_view leaf = {.tries = 0};

    for (;;) {
        TRY(tree__leaf_open(tree, NODE_AT, key, key_size, &leaf));
        bool possible = look_up(&leaf, key, key_size, value, room, out);

        if (page_view_end(&leaf.view) && possible)
            return STATUS_OK;
        TRY(tree__leaf_retry(tree, &leaf, "a row lies outside its page"));
    }
}

enum status
tree__get_at(const struct btree *tree, uint32_t page_number, const uint8_t *key, size_t key_size,
             uint8_t *value, size_t *size_io, uint64_t *csn_out)
{
    struct leaf_view leaf = {.tries = 0};
    struct tree_cell found = {.equal = false};

    if (!tree__leaf_open_at(tree, page_number, NODE_AT, key, key_size, &leaf))
        return STATUS_MISSING;
    bool possible = look_up(&leaf, key, key_size, value, *size_io, &found);

    if (!page_view_end(&leaf.view) || !possible || (found.equal && found.is_overflow))
        return STATUS_MISSING;
    *csn_out = found.csn;
    if (!found.equal)
        return STATUS_NOT_FOUND;
    bool fits = found.size <= *size_io;

    *size_io = found.size;
    return fits ? STATUS_OK : STATUS_FULL;
}

/* With views repeated, pages brought in, large values read. */
static enum status
get_long_way(const struct btree *tree, const void *key, size_t key_size, void *value,
             size_t *size_io, uint64_t *csn_out)
{
    struct tree_cell found;
    struct tree_cell before = {.ref_size = 0};
    size_t room = *size_io;

    if (key_size == 0 || key_size > BTREE_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has 1 to %d bytes, not %zu", BTREE_KEY_SIZE_MAX,
                           key_size);
    for (;;) {
        enum status status;

        TRY(tree__look(tree, key, key_size, value, room, &found));
        *csn_out = found.csn;
        if (!found.equal)
            return STATUS_NOT_FOUND;
        *size_io = found.size;
        if (found.size > room)
            return STATUS_FULL;
        if (!found.is_overflow)
            return STATUS_OK;
        status = tree__overflow_read(tree, found.ref, found.ref_size, value);
        /* Freed meanwhile? Then the row says something else now. */
        if (status != STATUS_CORRUPT || (before.ref_size == found.ref_size &&
                                         memcmp(before.ref, found.ref, found.ref_size) == 0))
            return status;
        before = found;
    }
}

enum status
btree_get(const struct btree *tree, const void *key, size_t key_size, void *value, size_t *size_io,
          uint64_t *csn_out)
{
    if (tree->kind == BTREE_INT && key_size == NODE_INT_KEY_SIZE) {
        uint64_t number;

        memcpy(&number, key, sizeof(number));
        enum status status =
            tree__get_int(tree, __builtin_bswap64(number), value, size_io, csn_out);

        if (__builtin_expect(status != STATUS_MISSING, 1))
            return status;
    }
    return get_long_way(tree, key, key_size, value, size_io, csn_out);
}

enum status
btree_warm(const struct btree *tree, const void *key, size_t key_size, uint8_t *high_out,
           size_t *high_size_out)
{
    struct leaf_view leaf = {.tries = 0};

    CHECK(key_size > 0 && key_size <= BTREE_KEY_SIZE_MAX);
    do {
        TRY(tree__leaf_open(tree, NODE_AT, key, key_size, &leaf));
        CHECK(leaf.node.high != NULL && leaf.node.high_size <= BTREE_KEY_SIZE_MAX);
        memcpy(high_out, leaf.node.high, leaf.node.high_size);
        *high_size_out = leaf.node.high_size;
    } while (!page_view_end(&leaf.view));
    return STATUS_OK;
}
