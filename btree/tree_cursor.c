/*
 * Cursors: one leaf copied, and on from leaf to leaf by fence keys.
 *
 * A copied leaf is good for ever: it was the truth for its key range when it was copied, and its CSN
 * says how old that truth is. The next leaf is the one that holds the copied leaf's high fence, found
 * through the sibling link where the page there proves to be it, else from the root; the one before is
 * the one that holds what lies before the low fence. So it does not matter what was split or merged in
 * between: no key is met twice, none is passed over.
 *
 * A row's value is handed out where it lies in the copied leaf; a step inside the leaf copies the key
 * and nothing else. While the rows of one leaf are being read the next one's bytes are on their way
 * from memory, and where it is not in memory, several are read side by side (tree_ahead.c). Large values
 * are read when the cursor arrives. When that fails the row may have been changed since the leaf was
 * copied; then the leaf is copied anew and the cursor looks for the key again.
 */
#include "btree/tree_private.h"
#include "pager/page.h"

enum direction { FORWARD, BACKWARD };

enum {
    TURNS_MIN = 2,  /* So many leaves further it is a scan. */
    SKIP_FETCH = 8, /* So many leaves ahead the headers of those passed over are asked for. */
    KEY_ROOM = 2 * PAGE_SIZE, /* Bytes of keys that are handed out together. */
};
static_assert((int)KEY_ROOM >= 2 * (int)BTREE_KEY_SIZE_MAX, "some long keys");
static_assert((int)KEY_ROOM >= (int)PAGE_SIZE, "all keys of an integer leaf");

void
btree_cursor_init(struct btree_cursor *cursor, const struct btree *tree, struct memory *memory)
{
    *cursor = (struct btree_cursor){.tree = *tree, .hint = PAGE_NONE};
    btree_row_init(&cursor->row, memory);
}

/* The copied page with its header as loaded, which is bounded: a page that does not load is no copy. */
struct leaf_copy {
    uint8_t bytes[PAGE_SIZE];
    struct node node;
};

static struct node *
node_of(const struct btree_cursor *cursor)
{
    return &((struct leaf_copy *)(void *)cursor->leaf)->node;
}

void
btree_cursor_deinit(struct btree_cursor *cursor)
{
    memory_free(cursor->row.memory, MEMORY_OTHER, cursor->leaf, sizeof(struct leaf_copy));
    memory_free(cursor->row.memory, MEMORY_OTHER, cursor->key_room, KEY_ROOM);
    cursor->leaf = NULL;
    cursor->key_room = NULL;
    cursor->valid = false;
    btree_row_deinit(&cursor->row);
}

/* Loading bounded the arrays. */
static void
find_arrays(struct btree_cursor *cursor)
{
    const struct node *node = node_of(cursor);

    if (node->kind != NODE_INT || node->form != NODE_INT_FIXED)
        return;
    cursor->keys = node->bytes + NODE_INT_HEADER_SIZE;
    cursor->values = cursor->keys + (size_t)node->capacity * NODE_INT_KEY_SIZE;
    cursor->array_count = node->count;
    cursor->value_size = node->value_size;
}

/* Takes over what an open view shows; false when it did not hold. */
static bool
copy_view(struct btree_cursor *cursor, struct leaf_view *leaf)
{
    cursor->array_count = 0;
    memcpy(cursor->leaf, leaf->view.bytes, PAGE_SIZE);
    cursor->leaf_csn = tree__leaf_csn(&leaf->view);
    if (!page_view_end(&leaf->view))
        return false;
    if (cursor->leaf_csn > cursor->csn)
        cursor->csn = cursor->leaf_csn;
    if (!node_load_page(cursor->leaf, node_of(cursor)))
        return false;
    find_arrays(cursor);
    return true;
}

/* Asks for the bytes of the leaf behind this one. What the page there is decides nothing. */
static void
fetch_next(const struct btree_cursor *cursor)
{
    uint32_t page_number = node_of(cursor)->link;
    struct page_view view;

    if (page_number == PAGE_NONE ||
        !page_view_begin(pager_table(cursor->tree.pager), page_number, &view))
        return;
    const uint8_t *bytes = view.bytes;

    (void)page_view_end(&view);
#pragma GCC unroll 16
    for (uint32_t offset = 0; offset < PAGE_SIZE; offset += 64)
        __builtin_prefetch(bytes + offset, 0, 2);
}

/* Copies the leaf that holds the key. */
static enum status
copy_leaf(struct btree_cursor *cursor, enum node_side side, const uint8_t *key, size_t key_size)
{
    struct leaf_view leaf = {.tries = 0};

    if (cursor->leaf == NULL) {
        cursor->leaf =
            memory_alloc_aligned(cursor->row.memory, MEMORY_OTHER, sizeof(struct leaf_copy), 64);
        if (cursor->leaf == NULL)
            return STATUS_NO_MEMORY;
    }
    uint32_t hint = side == NODE_AT && key_size > 0 ? cursor->hint : PAGE_NONE;

    cursor->hint = PAGE_NONE;
    if (hint != PAGE_NONE) {
        if (tree__leaf_open_near(&cursor->tree, hint, key, key_size, &leaf, &cursor->hint_hops) &&
            copy_view(cursor, &leaf))
            return STATUS_OK;
        cursor->hint_hops = UINT32_MAX;
    }
    for (;;) {
        TRY(tree__leaf_open(&cursor->tree, side, key, key_size, &leaf));
        if (copy_view(cursor, &leaf))
            return STATUS_OK;
        TRY(tree__leaf_retry(&cursor->tree, &leaf, "the leaf keeps changing or is damaged"));
    }
}

static enum status
damaged(const struct btree_cursor *cursor)
{
    uint32_t page_number = le32_get(page_header_const(cursor->leaf)->page_number);

    return tree__corrupt(&cursor->tree, page_number, "a row lies outside its page");
}

/* A scan that has gone over a few leaves will go on; when the next one is absent, so are those behind it,
 * most likely. Twice as many are brought in as it has passed. */
static void
read_ahead(struct btree_cursor *cursor, enum direction direction, uint32_t link, const uint8_t *key,
           size_t key_size)
{
    struct page_view view;

    if (++cursor->turns <= TURNS_MIN)
        return;
    /* Backward there is no link: each time the limit is passed again, the parent is asked. */
    if (direction == FORWARD && link == PAGE_NONE)
        return;
    if (direction == FORWARD && page_view_begin(pager_table(cursor->tree.pager), link, &view)) {
        (void)page_view_end(&view);
        return;
    }
    if (direction == BACKWARD && cursor->turns % TREE_AHEAD_MAX != TURNS_MIN + 1)
        return;
    uint32_t limit = 2 * cursor->turns < TREE_AHEAD_MAX && direction == FORWARD
                         ? 2 * cursor->turns
                         : (uint32_t)TREE_AHEAD_MAX;

    tree__read_ahead(&cursor->tree, direction == FORWARD ? NODE_AT : NODE_BEFORE, key, key_size,
                     limit);
}

/* Copies the page `link` when that is the leaf that holds the key; false when it is not, or is being changed.
 * Either way the old copy is gone. */
static bool
copy_link(struct btree_cursor *cursor, uint32_t link, const uint8_t *key, size_t key_size)
{
    struct leaf_view leaf = {.tries = 0};

    return page_view_begin(pager_table(cursor->tree.pager), link, &leaf.view) &&
           copy_view(cursor, &leaf) &&
           tree__is_leaf(&cursor->tree, node_of(cursor), NODE_AT, key, key_size);
}

/* To the first row of the copied leaf that is not below the key. A leaf that was merged since begins before the
 * fence, or goes on behind it. */
static enum status
find_place(struct btree_cursor *cursor, const uint8_t *key, size_t key_size)
{
    const struct node *node = node_of(cursor);
    bool equal;

    cursor->index = 0;
    if (node->low_size == key_size && memcmp(node->low, key, key_size) == 0)
        return STATUS_OK;
    return node_search(node, key, key_size, &cursor->index, &equal) ? STATUS_OK : damaged(cursor);
}

/* On to the leaf behind or before the fence `key`, forward perhaps the page `link`. Afterwards `index` is at the
 * first row that is not below the fence. */
static enum status
turn_to(struct btree_cursor *cursor, enum direction direction, uint32_t link, const uint8_t *key,
        size_t key_size)
{
    read_ahead(cursor, direction, link, key, key_size);
    if (direction == BACKWARD || link == PAGE_NONE || !copy_link(cursor, link, key, key_size))
        TRY(copy_leaf(cursor, direction == FORWARD ? NODE_AT : NODE_BEFORE, key, key_size));
    TRY(find_place(cursor, key, key_size));
    if (direction == FORWARD)
        fetch_next(cursor);
    return STATUS_OK;
}

/* On to the neighbour; STATUS_NOT_FOUND at the tree's edge. */
static enum status
turn_page(struct btree_cursor *cursor, enum direction direction)
{
    const struct node *node = node_of(cursor);
    uint8_t key[BTREE_KEY_SIZE_MAX];
    size_t key_size = direction == FORWARD ? node->high_size : node->low_size;

    if (key_size == 0)
        return STATUS_NOT_FOUND;
    memcpy(key, direction == FORWARD ? node->high : node->low, key_size);
    return turn_to(cursor, direction, node->link, key, key_size);
}

/* Moves to the next row at or after (FORWARD), or before (BACKWARD) the index. */
static enum status
settle(struct btree_cursor *cursor, enum direction direction)
{
    for (;;) {
        const struct node *node = node_of(cursor);

        CHECK(cursor->index <= node->count);
        if (direction == FORWARD && cursor->index < node->count)
            return STATUS_OK;
        if (direction == BACKWARD && cursor->index > 0) {
            cursor->index--;
            return STATUS_OK;
        }
        TRY(turn_page(cursor, direction));
    }
}

/* An overflow reference that could not be followed. */
struct stale {
    size_t size; /* 0: none. */
    uint8_t ref[OVERFLOW_REF_SIZE_MAX];
};

/* Copies the row at the index out. STATUS_CORRUPT with `stale_out->size` > 0: its large value could
 * not be read. */
static enum status
take_row(struct btree_cursor *cursor, struct stale *stale_out)
{
    const struct node *node = node_of(cursor);
    struct btree_row *out = &cursor->row;
    struct node_row row;
    size_t value_size;

    stale_out->size = 0;
    if (!node_row_at(node, cursor->index, &row))
        return damaged(cursor);
    value_size = row.value_size;
    if (row.is_overflow && tree__overflow_size(row.value, row.value_size, &value_size) != STATUS_OK)
        return damaged(cursor);
    TRY(tree__row_reserve(out, BTREE_KEY_SIZE_MAX, row.is_overflow ? value_size : 0));
    if (!node_row_key(node, &row, out->key, &out->key_size))
        return damaged(cursor);
    out->value_size = value_size;
    if (row.is_overflow) {
        enum status status =
            tree__overflow_read(&cursor->tree, row.value, row.value_size, out->buffer);

        if (status == STATUS_CORRUPT) {
            CHECK(row.value_size > 0 && row.value_size <= sizeof(stale_out->ref));
            stale_out->size = row.value_size;
            memcpy(stale_out->ref, row.value, row.value_size);
        }
        return status;
    }
    /* The leaf is the cursor's own copy. */
    out->value = row.value;
    return STATUS_OK;
}

bool
btree_cursor_step_to(struct btree_cursor *cursor, uint32_t index)
{
    const struct node *node = node_of(cursor);
    struct btree_row *out = &cursor->row;
    struct node_row row;

    CHECK(out->key_capacity >= BTREE_KEY_SIZE_MAX);
    if (index >= node->count)
        return false;
    if (!node_row_at(node, index, &row) || row.is_overflow ||
        !node_row_key(node, &row, out->key, &out->key_size))
        return false;
    out->value = row.value;
    out->value_size = row.value_size;
    cursor->index = index;
    return true;
}

uint32_t
btree_cursor_span(struct btree_cursor *cursor, uint32_t count, const void **values, uint32_t *sizes)
{
    const struct node *node = node_of(cursor);
    uint32_t first = cursor->index + 1, taken = 0;

    CHECK(cursor->valid && first <= node->count);
    if (count > node->count - first)
        count = node->count - first;
    taken = values == NULL ? count : node_row_values(node, first, count, values, sizes);
    /* The last one becomes the present row, with its key; a large value has to be arrived at. */
    while (taken > 0 && !btree_cursor_step_to(cursor, first + taken - 1))
        taken--;
    return taken;
}

/* Of the copied leaf: rows from the present one on that way, up to the bound. */
static uint32_t
count_rows(const struct btree_cursor *cursor, bool forward, const void *bound, size_t bound_size)
{
    const struct node *node = node_of(cursor);
    uint32_t end = forward ? node->count : 0; /* Forward behind the last, backward the last. */
    bool equal = false;

    if (bound_size > 0 && !node_search(node, bound, bound_size, &end, &equal))
        return 1;
    if (!forward && equal)
        end++;
    if (forward)
        return end > cursor->index ? end - cursor->index : 1;
    return end <= cursor->index ? cursor->index - end + 1 : 1;
}

static void
rows_of_arrays(const struct btree_cursor *cursor, bool forward, struct btree_row_ref *rows,
               uint32_t count)
{
    const uint8_t *from = cursor->keys + (size_t)cursor->index * NODE_INT_KEY_SIZE;
    const uint8_t *value = cursor->values + (size_t)cursor->index * cursor->value_size;
    ptrdiff_t key_step = forward ? NODE_INT_KEY_SIZE : -NODE_INT_KEY_SIZE;
    ptrdiff_t value_step = forward ? (ptrdiff_t)cursor->value_size : -(ptrdiff_t)cursor->value_size;
    uint8_t *out = cursor->key_room;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t key;

        memcpy(&key, from, sizeof(key));
        key = __builtin_bswap64(key);
        memcpy(out, &key, sizeof(key));
        rows[i] = (struct btree_row_ref){out, sizeof(key), value, cursor->value_size};
        out += sizeof(key);
        from += key_step;
        value += value_step;
    }
}

/* From the second on; returns how many there are with the first. */
static uint32_t
rows_of_leaf(const struct btree_cursor *cursor, bool forward, struct btree_row_ref *rows,
             uint32_t count)
{
    const struct node *node = node_of(cursor);
    size_t used = cursor->row.key_size;
    uint32_t taken = 1;

    for (; taken < count && used + BTREE_KEY_SIZE_MAX <= KEY_ROOM; taken++) {
        struct btree_row_ref *out = &rows[taken];
        struct node_row row;

        if (!node_row_at(node, forward ? cursor->index + taken : cursor->index - taken, &row) ||
            row.is_overflow || !node_row_key(node, &row, cursor->key_room + used, &out->key_size))
            break;
        out->key = cursor->key_room + used;
        out->value = row.value;
        out->value_size = row.value_size;
        used += out->key_size;
    }
    return taken;
}

uint32_t
btree_cursor_rows(struct btree_cursor *cursor, bool forward, const void *bound, size_t bound_size,
                  struct btree_row_ref *rows, uint32_t count)
{
    struct btree_row *row = &cursor->row;

    CHECK(cursor->valid && cursor->index < node_of(cursor)->count);
    if (cursor->key_room == NULL)
        cursor->key_room = memory_alloc_raw(row->memory, MEMORY_OTHER, KEY_ROOM);
    if (cursor->key_room == NULL || count == 0)
        return 0;
    uint32_t most = count_rows(cursor, forward, bound, bound_size);

    count = count < most ? count : most;
    if (cursor->array_count > 0) {
        rows_of_arrays(cursor, forward, rows, count);
    } else {
        memcpy(cursor->key_room, row->key, row->key_size);
        rows[0] =
            (struct btree_row_ref){cursor->key_room, row->key_size, row->value, row->value_size};
        count = rows_of_leaf(cursor, forward, rows, count);
    }
    const struct btree_row_ref *last = &rows[count - 1];

    memcpy(row->key, last->key, last->key_size);
    row->key_size = last->key_size;
    row->value = last->value;
    row->value_size = last->value_size;
    cursor->index = forward ? cursor->index + count - 1 : cursor->index - (count - 1);
    return count;
}

/* Copies the leaf that holds the key and finds the place there. */
static enum status
place(struct btree_cursor *cursor, enum direction direction, const uint8_t *key, size_t key_size)
{
    enum node_side side = direction == BACKWARD && key_size == 0 ? NODE_BEFORE : NODE_AT;
    bool equal = false;

    TRY(copy_leaf(cursor, side, key, key_size));
    if (side == NODE_BEFORE)
        cursor->index = node_of(cursor)->count;
    else if (!node_search(node_of(cursor), key, key_size, &cursor->index, &equal))
        return damaged(cursor);
    if (direction == BACKWARD && equal)
        cursor->index++;
    return STATUS_OK;
}

/* From the index to a row with its value. A reference that could not be followed and is still there in
 * a fresh copy of the leaf is damaged: a commit changes the leaf before it frees the pages. */
static enum status
arrive(struct btree_cursor *cursor, enum direction direction)
{
    struct stale stale[2];
    uint8_t key[BTREE_KEY_SIZE_MAX];

    stale[0].size = 0;
    stale[1].size = 0;
    for (uint32_t tries = 0;; tries++) {
        struct stale *now = &stale[tries % 2];
        const struct stale *before = &stale[(tries + 1) % 2];

        TRY(settle(cursor, direction));
        enum status status = take_row(cursor, now);

        cursor->valid = status == STATUS_OK;
        if (now->size == 0 ||
            (now->size == before->size && memcmp(now->ref, before->ref, now->size) == 0))
            return status;
        size_t key_size = cursor->row.key_size;

        memcpy(key, cursor->row.key, key_size);
        TRY(place(cursor, direction, key, key_size));
    }
}

/* Asks for the header of a leaf that is likely to come soon: neighbours mostly have numbers that follow each other.
 * What the page is decides nothing. */
static inline void
fetch_header(const struct btree *tree, uint32_t page_number)
{
    struct page_view view;

    if (!page_view_begin(pager_table(tree->pager), page_number, &view))
        return;
    __builtin_prefetch(view.bytes);
    __builtin_prefetch(view.bytes + 64);
    (void)page_view_end(&view);
}

/* Fences of integer leaves are of 8 bytes: those cost no call. */
static inline bool
is_same(const uint8_t *a, const uint8_t *b, size_t size)
{
    uint64_t left, right;

    if (size != sizeof(left))
        return memcmp(a, b, size) == 0;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return left == right;
}

/* Counts the rows of the leaf that begins at skip->key when that is what the page `*link_io` is, in memory, and
 * no younger than wanted; then key and link are those of the leaf behind it. False: nothing has happened. */
static bool
skip_leaf(const struct btree *tree, struct btree_skip *skip, uint32_t *link_io)
{
    struct page_view view;
    struct node node;
    uint8_t high[BTREE_KEY_SIZE_MAX];

    if (*link_io == PAGE_NONE || !page_view_begin(pager_table(tree->pager), *link_io, &view))
        return false;
    /* B2: it proves to be the key's leaf. One that was merged since begins before the key. */
    bool begins = node_load(&view, &node) && node.tree_id == tree->tree_id && node.level == 0 &&
                  node.kind == tree__node_kind(tree) && node.low_size == skip->key_size &&
                  is_same(node.low, skip->key, skip->key_size) && node.high_size <= sizeof(high);
    uint64_t csn = tree__leaf_csn(&view);
    if (begins && node.high_size == sizeof(uint64_t))
        memcpy(high, node.high, sizeof(uint64_t));
    else if (begins)
        memcpy(high, node.high, node.high_size);
    if (!page_view_end(&view) || !begins)
        return false;
    if (csn == BTREE_CSN_UNKNOWN)
        csn = atomic_load_explicit(skip->csn_run, memory_order_acquire);
    if (csn > skip->csn_most)
        return false;
    skip->row_count += node.count;
    skip->leaf_count++;
    skip->key_size = node.high_size;
    if (skip->key_size == sizeof(uint64_t))
        memcpy(skip->key, high, sizeof(uint64_t));
    else
        memcpy(skip->key, high, skip->key_size);
    *link_io = node.link;
    return true;
}

enum status
btree_cursor_skip(struct btree_cursor *cursor, struct btree_skip *skip)
{
    const struct node *node = node_of(cursor);
    uint32_t link = node->link;

    CHECK(cursor->valid && cursor->index < node->count);
    skip->row_count = node->count - cursor->index - 1u;
    skip->leaf_count = 0;
    skip->key_size = node->high_size;
    memcpy(skip->key, node->high, node->high_size);
    cursor->csn = 0;
    cursor->valid = false;
    while (skip->key_size > 0 && skip->leaf_count < skip->leaf_most &&
           skip_leaf(&cursor->tree, skip, &link)) {
        cursor->turns++;
        fetch_header(&cursor->tree, link + SKIP_FETCH);
    }
    if (skip->key_size == 0)
        return STATUS_NOT_FOUND;
    TRY(turn_to(cursor, FORWARD, link, skip->key, skip->key_size));
    return arrive(cursor, FORWARD);
}

static enum status
seek(struct btree_cursor *cursor, enum direction direction, const void *key, size_t key_size)
{
    static const uint8_t nothing[1];

    if (key_size > BTREE_KEY_SIZE_MAX)
        return error_raise(STATUS_INVALID, "a key has at most %d bytes, not %zu",
                           BTREE_KEY_SIZE_MAX, key_size);
    cursor->valid = false;
    cursor->csn = 0;
    cursor->turns = 0;
    TRY(place(cursor, direction, key_size == 0 ? nothing : key, key_size));
    return arrive(cursor, direction);
}

enum status
btree_cursor_seek(struct btree_cursor *cursor, const void *key, size_t key_size)
{
    return seek(cursor, FORWARD, key, key_size);
}

enum status
btree_cursor_seek_last(struct btree_cursor *cursor, const void *key, size_t key_size)
{
    return seek(cursor, BACKWARD, key, key_size);
}

enum status
btree_cursor_next(struct btree_cursor *cursor)
{
    CHECK(cursor->valid);
    cursor->csn = cursor->leaf_csn;
    if (btree_cursor_step(cursor, true))
        return STATUS_OK;
    cursor->valid = false;
    cursor->index++;
    return arrive(cursor, FORWARD);
}

enum status
btree_cursor_previous(struct btree_cursor *cursor)
{
    CHECK(cursor->valid);
    cursor->csn = cursor->leaf_csn;
    if (btree_cursor_step(cursor, false))
        return STATUS_OK;
    cursor->valid = false;
    return arrive(cursor, BACKWARD);
}
