/*
 * Changing a tree under the commit latch: the way down, get, put and delete.
 *
 * Everything here sees scratch copies or published bytes that nobody else changes, so there are no
 * views and no repetitions. What can fail leaves through a status and the change is abandoned, scratch
 * copies and all; so steps need no undoing.
 *
 * A page is validated in shape when the change first edits it: from then on the node's own CHECKs
 * speak of our own state. Pages that are only read on the way down are bounded access by access.
 *
 * A put descends, and inserts if the entry fits. If not, one page on the way is split (the highest
 * that has no room for what the split below it would post) and the put begins again from the root. Each
 * such step makes room at one level, so the number of steps is bounded by twice the depth and a few
 * more where long keys make a half too small (node_split.c).
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum { PUT_STEPS_MAX = 8 * BTREE_DEPTH_MAX, LINE_SIZE = 64 };

bool
tree__value_is_inline(size_t key_size, size_t value_size)
{
    return value_size <= BTREE_INLINE_VALUE_MAX && key_size + value_size <= NODE_ENTRY_SIZE_MAX;
}

void
tree__change_moved(struct pager_change *change, uint32_t page_number,
                   const struct node_moves *moves)
{
    for (uint32_t i = 0; i < moves->count; i++) {
        const struct page_move *move = &moves->move[i];

        pager_change_move(change, page_number, move->from, move->to, move->size);
    }
}

enum status
tree__change_node(struct pager_change *change, const struct btree *tree, uint32_t page_number,
                  uint32_t level, struct node *out)
{
    const uint8_t *page;

    TRY(pager_change_read(change, page_number, &page));
    if (!node_load_page(page, out))
        return tree__corrupt(tree, page_number, "it is not a node");
    if (out->kind != tree__node_kind(tree))
        return tree__corrupt(tree, page_number, "it is a node of another kind of tree");
    if (out->tree_id != tree->tree_id)
        return tree__corrupt(tree, page_number, "it belongs to another tree");
    if (level != UINT32_MAX && out->level != level)
        return tree__corrupt(tree, page_number, "its level is not what its parent says");
    if (out->level >= BTREE_DEPTH_MAX)
        return tree__corrupt(tree, page_number, "its level is out of range");
    return STATUS_OK;
}

static enum status
edit(struct pager_change *change, const struct btree *tree, uint32_t page_number,
     enum status (*validate)(const void *page, const char **reason_out), bool always, uint8_t **out)
{
    const uint8_t *before;
    const char *reason = NULL;

    TRY(pager_change_read(change, page_number, &before));
    TRY(pager_change_edit(change, page_number, out));
    CHECK(le32_get(page_header(*out)->page_number) == page_number);
    if ((always || before != *out) && validate(*out, &reason) != STATUS_OK)
        return tree__corrupt(tree, page_number, reason);
    return STATUS_OK;
}

enum status
tree__change_edit(struct pager_change *change, const struct btree *tree, uint32_t page_number,
                  uint8_t **out)
{
    return edit(change, tree, page_number, node_validate_shape, false, out);
}

enum status
tree__change_edit_whole(struct pager_change *change, const struct btree *tree, uint32_t page_number,
                        uint8_t **out)
{
    return edit(change, tree, page_number, node_validate, true, out);
}

enum status
tree__change_descend(struct pager_change *change, const struct btree *tree, const uint8_t *key,
                     size_t key_size, struct tree_path *path)
{
    uint32_t page_number = tree->root;
    uint32_t level = UINT32_MAX;
    struct node node;

    for (path->depth = 0; path->depth < BTREE_DEPTH_MAX;) {
        uint32_t place = 0;

        TRY(tree__change_node(change, tree, page_number, level, &node));
        if (!node_holds(&node, NODE_AT, key, key_size))
            return tree__corrupt(tree, page_number, "its fences are not what its parent says");
        path->step[path->depth].page_number = page_number;
        path->step[path->depth].place = 0;
        path->depth++;
        if (node.level == 0)
            return STATUS_OK;
        level = node.level - 1u;
        if (!node_child_place(&node, NODE_AT, key, key_size, &place))
            return tree__corrupt(tree, page_number, "a key lies outside its page");
        path->step[path->depth - 1].place = place;
        if (!node_child_at(&node, place, &page_number))
            return tree__corrupt(tree, page_number, "a child lies outside its page");
    }
    return tree__corrupt(tree, page_number, "the tree is deeper than any");
}

enum status
tree__change_descend_edge(struct pager_change *change, const struct btree *tree,
                          uint32_t target_level, struct tree_path *path)
{
    uint32_t page_number = tree->root;
    uint32_t level = UINT32_MAX;
    struct node node;

    for (path->depth = 0; path->depth < BTREE_DEPTH_MAX;) {
        TRY(tree__change_node(change, tree, page_number, level, &node));
        path->step[path->depth].page_number = page_number;
        path->step[path->depth].place = node.count;
        path->depth++;
        if (node.level <= target_level)
            return STATUS_OK;
        level = node.level - 1u;
        if (!node_child_at(&node, node.count, &page_number))
            return tree__corrupt(tree, page_number, "a child lies outside its page");
    }
    return tree__corrupt(tree, page_number, "the tree is deeper than any");
}

/* The leaf at the path's end, and where the key is or would be in it. */
static enum status
find_in_leaf(struct pager_change *change, const struct btree *tree, const struct tree_path *path,
             const uint8_t *key, size_t key_size, struct node *node, uint32_t *index_out,
             bool *equal_out)
{
    CHECK(path->depth > 0 && path->depth <= BTREE_DEPTH_MAX);
    uint32_t page_number = path->step[path->depth - 1].page_number;

    TRY(tree__change_node(change, tree, page_number, 0, node));
    if (!node_search(node, key, key_size, index_out, equal_out))
        return tree__corrupt(tree, page_number, "a key lies outside its page");
    return STATUS_OK;
}

enum status
tree__refuse_key(const struct btree *tree, size_t key_size)
{
    if (tree->kind == BTREE_INT && key_size != 8)
        return error_raise(STATUS_INVALID, "a key of this tree has 8 bytes, not %zu", key_size);
    if (key_size == 0 || key_size > BTREE_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has 1 to %d bytes, not %zu", BTREE_KEY_SIZE_MAX,
                           key_size);
    return STATUS_OK;
}

enum status
btree_create(struct pager_change *change, enum btree_kind kind, uint32_t tree_id, uint32_t root,
             uint32_t *root_out)
{
    struct node_fences fences = {NULL, 0, NULL, 0};
    enum node_kind node_kind = kind == BTREE_INT ? NODE_INT : NODE_VAR;
    uint8_t *page;

    CHECK(tree_id != 0 && (kind == BTREE_VAR || kind == BTREE_INT));
    if (root == PAGE_NONE)
        TRY(pager_change_allocate(change, tree_id, node_page_type(node_kind, 0), 0, &root, &page));
    else
        TRY(pager_change_edit(change, root, &page));
    node_init(page, node_kind, root, tree_id, 0, PAGE_NONE, &fences);
    *root_out = root;
    return STATUS_OK;
}

enum status
btree_change_get(struct pager_change *change, const struct btree *tree, const void *key,
                 size_t key_size, void *value, size_t *size_io)
{
    struct tree_path path = {.depth = 0};
    struct node node;
    struct node_row row;
    uint32_t index;
    bool equal;
    size_t room = *size_io;

    TRY(tree__refuse_key(tree, key_size));
    TRY(tree__change_descend(change, tree, key, key_size, &path));
    TRY(find_in_leaf(change, tree, &path, key, key_size, &node, &index, &equal));
    if (!equal)
        return STATUS_NOT_FOUND;
    if (!node_row_at(&node, index, &row))
        return tree__corrupt(tree, path.step[path.depth - 1].page_number,
                             "a row lies outside its page");
    *size_io = row.value_size;
    if (row.is_overflow && tree__overflow_size(row.value, row.value_size, size_io) != STATUS_OK)
        return tree__corrupt(tree, path.step[path.depth - 1].page_number,
                             "an overflow reference is impossible");
    if (*size_io > room)
        return STATUS_FULL;
    if (row.is_overflow)
        return tree__overflow_change_read(change, tree, row.value, row.value_size, value);
    if (*size_io > 0)
        memcpy(value, row.value, *size_io);
    return STATUS_OK;
}

/* Frees the overflow pages of the row at `index`, if it has any. */
static enum status
free_value(struct pager_change *change, const struct btree *tree, const uint8_t *page,
           uint32_t index)
{
    struct node node;
    struct node_row row;

    if (!node_load_page(page, &node) || !node_row_at(&node, index, &row))
        return tree__corrupt(tree, le32_get(page_header_const(page)->page_number),
                             "a row lies outside its page");
    if (!row.is_overflow)
        return STATUS_OK;
    return tree__overflow_free(change, tree, row.value, row.value_size);
}

/* Replaces or inserts if there is room; false in `*done_out` when there is none: then a row that was
 * there is gone, and `*index_out` is where the entry belongs. */
static enum status
put_in_leaf(struct pager_change *change, const struct btree *tree, const struct tree_path *path,
            const struct node_entry *entry, bool *existed, uint32_t *index_out, bool *done_out)
{
    uint32_t page_number = path->step[path->depth - 1].page_number;
    struct node_moves moves = {0};
    struct node node;
    uint8_t *page;
    bool equal;

    TRY(find_in_leaf(change, tree, path, entry->key, entry->key_size, &node, index_out, &equal));
    TRY(tree__change_edit(change, tree, page_number, &page));
    *done_out = true;
    if (equal) {
        *existed = true;
        TRY(free_value(change, tree, page, *index_out));
        if (node_replace_fits(page, *index_out, entry)) {
            node_replace(page, *index_out, entry);
            return STATUS_OK;
        }
        node_remove(page, *index_out, &moves);
        tree__change_moved(change, page_number, &moves);
    }
    if (!node_fits(page, entry)) {
        *done_out = false;
        return STATUS_OK;
    }
    CHECK(!equal || *existed);
    node_insert(page, *index_out, entry, &moves);
    tree__change_moved(change, page_number, &moves);
    return STATUS_OK;
}

static enum status
put_entry(struct pager_change *change, const struct btree *tree, const struct node_entry *entry,
          bool *existed)
{
    for (uint32_t steps = 0; steps < PUT_STEPS_MAX; steps++) {
        struct tree_path path = {.depth = 0};
        uint32_t index;
        bool done;

        TRY(tree__change_descend(change, tree, entry->key, entry->key_size, &path));
        TRY(put_in_leaf(change, tree, &path, entry, existed, &index, &done));
        if (done)
            return STATUS_OK;
        TRY(tree__split(change, tree, &path, index, entry));
    }
    return tree__corrupt(tree, tree->root, "splitting makes no room below it");
}

static bool
is_leaf_for(const struct btree *tree, const struct node *node, const struct node_entry *entry)
{
    return node->tree_id == tree->tree_id && node->kind == tree__node_kind(tree) &&
           node->level == 0 && node_holds(node, NODE_AT, entry->key, entry->key_size);
}

/* As it is published, which nobody else changes now: then the change may read it. */
static bool
is_published_leaf(const struct btree *tree, uint32_t page_number, const struct node_entry *entry)
{
    struct page_view view;
    struct node node;

    if (!page_view_begin(pager_table(tree->pager), page_number, &view))
        return false;
    bool right = node_load(&view, &node) && is_leaf_for(tree, &node, entry);

    return page_view_end(&view) && right;
}

/* Without the way down, if the leaf is the key's and has room. */
static enum status
put_near(struct pager_change *change, const struct btree *tree, uint32_t leaf,
         const struct node_entry *entry, bool *existed, bool *done_out)
{
    struct tree_path path = {.depth = 1, .step[0].page_number = leaf};
    const uint8_t *page;
    struct node node;
    uint32_t index;

    *done_out = false;
    if (leaf == 0 || !is_published_leaf(tree, leaf, entry))
        return STATUS_OK;
    TRY(pager_change_read(change, leaf, &page));
    /* The change itself may have split it. */
    if (!node_load_page(page, &node) || !is_leaf_for(tree, &node, entry))
        return STATUS_OK;
    return put_in_leaf(change, tree, &path, entry, existed, &index, done_out);
}

static enum status
put_from(struct pager_change *change, const struct btree *tree, uint32_t leaf,
         const struct node_entry *entry, bool *existed_out)
{
    bool existed = false;
    bool done = false;

    CHECK(entry->key_size + entry->value_size <= NODE_ENTRY_SIZE_MAX);
    TRY(put_near(change, tree, leaf, entry, &existed, &done));
    if (!done)
        TRY(put_entry(change, tree, entry, &existed));
    if (existed_out != NULL)
        *existed_out = existed;
    return STATUS_OK;
}

enum status
tree__put_entry(struct pager_change *change, const struct btree *tree,
                const struct node_entry *entry, bool *existed_out)
{
    return put_from(change, tree, 0, entry, existed_out);
}

void
btree_fetch_leaf(const struct btree *tree, uint32_t leaf, uint32_t leaf_after)
{
    const struct page_table *table = pager_table(tree->pager);

    if (leaf_after < table->page_limit)
        __builtin_prefetch((const uint8_t *)(uintptr_t)&table->words[leaf_after]);
    if (leaf == 0 || leaf >= table->page_limit)
        return;
    uint64_t word = atomic_load_explicit(&table->words[leaf], memory_order_relaxed);
    const uint8_t *bytes = table->frames + (word & WORD_FRAME_MASK) * PAGE_SIZE;

    for (uint32_t offset = 0; offset < PAGE_SIZE; offset += LINE_SIZE)
        __builtin_prefetch(bytes + offset, 0, 2);
}

enum status
btree_put(struct pager_change *change, const struct btree *tree, const void *key, size_t key_size,
          const void *value, size_t value_size, bool *existed_out)
{
    return btree_put_near(change, tree, 0, key, key_size, value, value_size, existed_out);
}

enum status
btree_put_near(struct pager_change *change, const struct btree *tree, uint32_t leaf,
               const void *key, size_t key_size, const void *value, size_t value_size,
               bool *existed_out)
{
    uint8_t ref[OVERFLOW_REF_SIZE_MAX];
    struct node_entry entry = {
        .key = key,
        .key_size = key_size,
        .value = value,
        .value_size = value_size,
    };

    TRY(tree__refuse_key(tree, key_size));
    if (value_size > BTREE_PUT_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a value put at once has at most %d bytes, not %zu",
                           BTREE_PUT_SIZE_MAX, value_size);
    if (!tree__value_is_inline(key_size, value_size)) {
        TRY(tree__overflow_write(change, tree, value, value_size, 0, ref, &entry.value_size));
        entry.value = ref;
        entry.is_overflow = true;
    }
    return put_from(change, tree, leaf, &entry, existed_out);
}

enum status
btree_put_packed(struct pager_change *change, const struct btree *tree, const void *key,
                 size_t key_size, const void *frame, size_t frame_size, size_t value_size)
{
    uint8_t ref[OVERFLOW_REF_SIZE_MAX];
    struct node_entry entry = {
        .key = key,
        .key_size = key_size,
        .value = ref,
        .is_overflow = true,
    };

    TRY(tree__refuse_key(tree, key_size));
    TRY(tree__overflow_write(change, tree, frame, frame_size, value_size, ref, &entry.value_size));
    return tree__put_entry(change, tree, &entry, NULL);
}

enum status
btree_delete(struct pager_change *change, const struct btree *tree, const void *key,
             size_t key_size)
{
    struct tree_path path = {.depth = 0};
    struct node_moves moves;
    struct node node;
    uint32_t index;
    uint8_t *page;
    bool equal;

    TRY(tree__refuse_key(tree, key_size));
    TRY(tree__change_descend(change, tree, key, key_size, &path));
    TRY(find_in_leaf(change, tree, &path, key, key_size, &node, &index, &equal));
    if (!equal)
        return STATUS_NOT_FOUND;
    uint32_t page_number = path.step[path.depth - 1].page_number;

    TRY(tree__change_edit(change, tree, page_number, &page));
    TRY(free_value(change, tree, page, index));
    node_remove(page, index, &moves);
    tree__change_moved(change, page_number, &moves);
    return tree__merge(change, tree, &path);
}
