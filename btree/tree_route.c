/*
 * Leaves by number: reading from a leaf that somebody else named, and naming them.
 *
 * A named page is a guess and nothing more: it may have been split, merged, freed, taken for something
 * else, or never have been a leaf. It is looked at as the last step of a descent looks at a page
 * (tree_read.c): in one consistent view it proves to be of this tree, a leaf, its fences around the key
 * (B2, B11), and is then the key's leaf for the reasons given there; how its number was found plays no
 * part in them. A leaf whose high fence lies at or below the key was probably split: its link is followed, twice at
 * most. Everything else is left to a descent from the root.
 *
 * The numbers come from the inner pages of level 1, each copied in one consistent view. They are gone
 * through by keys, from one page's high fence to the page that holds it, so that changes in between
 * can make what is told stale, but lead nowhere.
 */
#include "btree/tree_int_private.h"
#include "kernel/base/sync.h"

enum { DESCENTS_MAX = 64 };

/* A view on the page, read from the disk if it has to be; false: not to be had now. Whatever is wrong
 * with a page that was only a guess is no error. */
static __attribute__((noinline)) bool
bring_in(const struct btree *tree, uint32_t page_number, struct page_view *view)
{
    struct pager_pin pin;

    if (pager_pin(tree->pager, page_number, &pin) != STATUS_OK) {
        error_clear();
        return false;
    }
    bool begun = page_view_begin(pager_table(tree->pager), page_number, view);

    pager_unpin(tree->pager, &pin);
    return begun;
}

/* ---- Integer keys ------------------------------------------------------------------------------- */

/* A leaf of the tree that ends at or before the key: its link. */
NODE_INT_INLINE uint32_t
link_towards(const struct page_view *view, const struct btree *tree, uint64_t key)
{
    uint8_t fences = view_u8(view, offsetof(struct node_int_header, fences));
    uint64_t high = view_u64(view, offsetof(struct node_int_header, high));

    if (view_u32(view, offsetof(struct page_header, tree_id)) != tree->tree_id ||
        view_u16(view, offsetof(struct page_header, type)) != PAGE_TYPE_LEAF_INT ||
        (fences & NODE_INT_HAS_HIGH) == 0 || key < __builtin_bswap64(high))
        return PAGE_NONE;
    return view_u32(view, offsetof(struct node_int_header, link));
}

/* Any number for an offset that is none. */
NODE_INT_INLINE uint32_t
row_of(const struct btree_spot *spot)
{
    return (spot->key_offset - (uint32_t)NODE_INT_HEADER_SIZE) / NODE_INT_KEY_SIZE;
}

/* The lines that will be looked at when the row is where the spot has it: the header's second, the keys around
 * it, their values. */
NODE_INT_INLINE void
fetch_near(const uint8_t *page, const struct btree_spot *spot)
{
    uint32_t keys = NODE_INT_HEADER_SIZE + near_first(row_of(spot)) * NODE_INT_KEY_SIZE;

    __builtin_prefetch(page + 64);
    __builtin_prefetch(page + (keys & (PAGE_SIZE - 1)));
    __builtin_prefetch(page + ((keys + 64) & (PAGE_SIZE - 1)));
    fetch_around(page, spot->value_offset, spot->value_around);
}

/* The same when the hints have to be asked: these, and more to either side of the guess. */
NODE_INT_INLINE void
fetch_wide(const uint8_t *page, const struct btree_spot *spot)
{
    __builtin_prefetch(page + 64);
    __builtin_prefetch(page + 128);
    __builtin_prefetch(page + 192);
    if (spot->key_offset != 0)
        fetch_around(page, spot->key_offset, GUESS_LINE);
    if (spot->value_offset != 0)
        fetch_around(page, spot->value_offset, spot->value_around);
}

/* Nearly every look-up: the page that is named is in memory and the key's, and the row is where the spot
 * has it or where the hints have it. STATUS_MISSING: it is not so. */
NODE_INT_INLINE enum status
get_here(const struct btree *tree, const struct btree_spot *spot, uint64_t key, uint8_t *value,
         size_t *size_io, uint64_t *csn_out, node_int_below *below)
{
    size_t room = *size_io;
    struct page_view view;

    if (!page_view_begin(pager_table(tree->pager), spot->page_number, &view))
        return STATUS_MISSING;
    if (spot->is_near)
        fetch_near(view.bytes, spot);
    else
        fetch_wide(view.bytes, spot);
    if (!is_node_for(&view, tree, key, 0)) {
        (void)page_view_end(&view);
        return STATUS_MISSING;
    }
    enum status status = STATUS_BUSY;

    if (spot->is_near)
        status = look_near(&view, key, row_of(spot), value, size_io, below);
    if (status == STATUS_BUSY) {
        struct int_leaf leaf;

        status = look_into_leaf(&view, key, value, size_io, &leaf, below);
    }
    *csn_out = leaf_csn(&view);
    if (__builtin_expect(page_view_end(&view), 1))
        return status;
    *size_io = room;
    return STATUS_MISSING;
}

static enum status
get_here_scalar(const struct btree *tree, const struct btree_spot *spot, uint64_t key,
                uint8_t *value, size_t *size_io, uint64_t *csn_out)
{
    return get_here(tree, spot, key, value, size_io, csn_out, node__int_below_scalar);
}

#if NODE_INT_X86

NODE_INT_TARGET_AVX2 static enum status
get_here_avx2(const struct btree *tree, const struct btree_spot *spot, uint64_t key, uint8_t *value,
              size_t *size_io, uint64_t *csn_out)
{
    return get_here(tree, spot, key, value, size_io, csn_out, node__int_below_avx2);
}

NODE_INT_TARGET_AVX512 static enum status
get_here_avx512(const struct btree *tree, const struct btree_spot *spot, uint64_t key,
                uint8_t *value, size_t *size_io, uint64_t *csn_out)
{
    return get_here(tree, spot, key, value, size_io, csn_out, node__int_below_avx512);
}

#endif

static inline enum status
get_int_here(const struct btree *tree, const struct btree_spot *spot, uint64_t key, uint8_t *value,
             size_t *size_io, uint64_t *csn_out)
{
#if NODE_INT_X86
    enum node_int_simd simd = node__int_simd();

    if (__builtin_expect(simd == NODE_INT_AVX512, 1))
        return get_here_avx512(tree, spot, key, value, size_io, csn_out);
    if (simd == NODE_INT_AVX2)
        return get_here_avx2(tree, spot, key, value, size_io, csn_out);
#endif
    return get_here_scalar(tree, spot, key, value, size_io, csn_out);
}

/* The rest: pages that have to be read, and links. */
static __attribute__((noinline)) enum status
get_over_links(const struct btree *tree, uint32_t page_number, uint64_t key, uint8_t *value,
               size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    const struct page_table *table = pager_table(tree->pager);
    size_t room = *size_io;

    for (uint32_t hops = 0; hops <= BTREE_HOPS_MAX; hops++) {
        struct page_view view;

        if (!page_view_begin(table, page_number, &view) && !bring_in(tree, page_number, &view))
            return STATUS_MISSING;
        if (is_node_for(&view, tree, key, 0)) {
            struct int_leaf leaf;
            enum status status =
                look_into_leaf(&view, key, value, size_io, &leaf, node__int_below_scalar);

            *csn_out = leaf_csn(&view);
            *hops_out = hops;
            if (page_view_end(&view))
                return status;
            *size_io = room;
            return STATUS_MISSING;
        }
        page_number = link_towards(&view, tree, key);
        if (!page_view_end(&view) || page_number == PAGE_NONE)
            return STATUS_MISSING;
    }
    return STATUS_MISSING;
}

static enum status
get_int_at(const struct btree *tree, const struct btree_spot *spot, uint64_t key, uint8_t *value,
           size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    if (key == UINT64_MAX)
        return STATUS_MISSING;
    enum status status = get_int_here(tree, spot, key, value, size_io, csn_out);

    *hops_out = 0;
    if (__builtin_expect(status != STATUS_MISSING, 1))
        return status;
    return get_over_links(tree, spot->page_number, key, value, size_io, csn_out, hops_out);
}

/* ---- Keys of any kind --------------------------------------------------------------------------- */

/* The leaf behind one that ends at or before the key; PAGE_NONE: the key is not to be sought there. */
static uint32_t
neighbour_towards(const struct btree *tree, uint32_t page_number, const uint8_t *key,
                  size_t key_size)
{
    uint32_t link = PAGE_NONE;
    struct page_view view;
    struct node node;

    if (!page_view_begin(pager_table(tree->pager), page_number, &view) &&
        !bring_in(tree, page_number, &view))
        return PAGE_NONE;
    if (node_load(&view, &node) && node.tree_id == tree->tree_id && node.level == 0 &&
        node.kind == tree__node_kind(tree) && node.high_size > 0) {
        size_t size = node.high_size < key_size ? node.high_size : key_size;
        int order = memcmp(key, node.high, size);

        if (order > 0 || (order == 0 && key_size >= node.high_size))
            link = node.link;
    }
    return page_view_end(&view) ? link : PAGE_NONE;
}

bool
tree__leaf_open_near(const struct btree *tree, uint32_t page_number, const uint8_t *key,
                     size_t key_size, struct leaf_view *leaf, uint32_t *hops_out)
{
    for (uint32_t hops = 0; hops <= BTREE_HOPS_MAX && page_number != PAGE_NONE; hops++) {
        *hops_out = hops;
        if (tree__leaf_open_at(tree, page_number, NODE_AT, key, key_size, leaf))
            return true;
        uint32_t link = neighbour_towards(tree, page_number, key, key_size);

        /* It may have been on the disk until now. */
        if (link == PAGE_NONE &&
            tree__leaf_open_at(tree, page_number, NODE_AT, key, key_size, leaf))
            return true;
        page_number = link;
    }
    return false;
}

static enum status
get_var_at(const struct btree *tree, uint32_t page_number, const uint8_t *key, size_t key_size,
           uint8_t *value, size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    for (uint32_t hops = 0; hops <= BTREE_HOPS_MAX && page_number != PAGE_NONE; hops++) {
        enum status status =
            tree__get_at(tree, page_number, key, key_size, value, size_io, csn_out);

        *hops_out = hops;
        if (status != STATUS_MISSING)
            return status;
        uint32_t link = neighbour_towards(tree, page_number, key, key_size);

        if (link == PAGE_NONE)
            return tree__get_at(tree, page_number, key, key_size, value, size_io, csn_out);
        page_number = link;
    }
    return STATUS_MISSING;
}

enum status
btree_get_at(const struct btree *tree, const struct btree_spot *spot, const void *key,
             size_t key_size, void *value, size_t *size_io, uint64_t *csn_out, uint32_t *hops_out)
{
    uint64_t number;

    if (key_size == 0 || key_size > BTREE_KEY_SIZE_MAX)
        return STATUS_MISSING;
    if (tree->kind != BTREE_INT)
        return get_var_at(tree, spot->page_number, key, key_size, value, size_io, csn_out,
                          hops_out);
    if (key_size != NODE_INT_KEY_SIZE)
        return STATUS_MISSING;
    memcpy(&number, key, sizeof(number));
    return get_int_at(tree, spot, __builtin_bswap64(number), value, size_io, csn_out, hops_out);
}

/* ---- Naming ------------------------------------------------------------------------------------- */

/* Copies the page; its header bounded, of this tree and kind. STATUS_BUSY: not what was looked for. */
static enum status
copy_node(const struct btree *tree, uint32_t page_number, uint8_t *page, struct node *out)
{
    enum status status = pager_copy(tree->pager, page_number, page);

    if (status == STATUS_CORRUPT) {
        error_clear(); /* Freed meanwhile, or damaged: a descent will say. */
        return STATUS_BUSY;
    }
    TRY(status);
    if (!node_load_page(page, out) || out->tree_id != tree->tree_id ||
        out->kind != tree__node_kind(tree) || out->level >= BTREE_DEPTH_MAX)
        return STATUS_BUSY;
    return STATUS_OK;
}

/* Copies the node of a level that holds the key, or the root if that is below it. */
static enum status
try_level(const struct btree *tree, uint32_t wanted, const uint8_t *key, size_t key_size,
          uint8_t *page, struct node *out)
{
    uint32_t page_number = tree->root;
    uint32_t level = UINT32_MAX;

    for (;;) {
        uint32_t place;

        TRY(copy_node(tree, page_number, page, out));
        if ((level != UINT32_MAX && out->level != level) ||
            !node_holds(out, NODE_AT, key, key_size))
            return STATUS_BUSY;
        if (out->level <= wanted)
            return STATUS_OK;
        if (!node_child_place(out, NODE_AT, key, key_size, &place) ||
            !node_child_at(out, place, &page_number))
            return STATUS_BUSY;
        level = out->level - 1u;
    }
}

static enum status
copy_level(const struct btree *tree, uint32_t wanted, const uint8_t *key, size_t key_size,
           uint8_t *page, struct node *out)
{
    enum status status = STATUS_BUSY;

    CHECK(key_size <= BTREE_KEY_SIZE_MAX);
    for (uint32_t tries = 0; tries < DESCENTS_MAX && status == STATUS_BUSY; tries++) {
        if (tries > 0)
            sync_pause();
        status = try_level(tree, wanted, key, key_size, page, out);
    }
    return status;
}

/* Tells of the node's children. */
static enum status
tell(const struct node *node,
     bool (*leaf)(void *context, const uint8_t *low, size_t low_size, uint32_t page_number),
     void *context)
{
    uint8_t low[BTREE_KEY_SIZE_MAX];
    size_t low_size = node->low_size;
    uint32_t child;

    memcpy(low, node->low, low_size);
    for (uint32_t place = 0;; place++) {
        struct node_row row;

        if (!node_child_at(node, place, &child))
            return STATUS_BUSY;
        if (!leaf(context, low, low_size, child))
            return STATUS_STOPPED;
        if (place == node->count)
            return STATUS_OK;
        if (!node_row_at(node, place, &row) || !node_row_key(node, &row, low, &low_size))
            return STATUS_BUSY;
    }
}

enum status
btree_leaves(const struct btree *tree, uint8_t *key, size_t *key_size_io,
             bool (*leaf)(void *context, const uint8_t *low, size_t low_size, uint32_t page_number),
             void *context)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    struct node node = {.count = 0};

    TRY(copy_level(tree, 1, key, *key_size_io, page, &node));
    if (node.level == 1)
        TRY(tell(&node, leaf, context));
    else if (!leaf(context, key, 0, tree->root))
        return STATUS_STOPPED;
    CHECK(node.high_size <= BTREE_KEY_SIZE_MAX);
    memcpy(key, node.high, node.high_size);
    *key_size_io = node.high_size;
    return STATUS_OK;
}

enum status
btree_page_count(const struct btree *tree, uint64_t *out)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    uint8_t key[BTREE_KEY_SIZE_MAX];

    *out = 0;
    for (uint32_t level = 1;; level++) {
        size_t key_size = 0;

        do {
            struct node node = {.count = 0};

            TRY(copy_level(tree, level, key, key_size, page, &node));
            if (node.level < level) { /* The root, which was counted unless it is a leaf. */
                *out += node.level == 0 ? 1 : 0;
                return STATUS_OK;
            }
            *out += level == 1 ? node.count + UINT64_C(2) : 1;
            memcpy(key, node.high, node.high_size);
            key_size = node.high_size;
        } while (key_size > 0);
    }
}

/* Rows of an integer leaf that lie within NEAR_BEFORE rows of where they would if its keys were spread evenly
 * between its fences. Without a high fence nobody guesses: all. */
static uint32_t
count_near(const uint8_t *page, const struct node *node)
{
    uint64_t low = 0, high, key;
    uint32_t near = 0;

    if (node->high_size != sizeof(high))
        return node->count;
    memcpy(&high, node->high, sizeof(high));
    if (node->low_size == sizeof(low))
        memcpy(&low, node->low, sizeof(low));
    low = __builtin_bswap64(low);
    double scale = (double)node->count / (double)(__builtin_bswap64(high) - low);

    for (uint32_t i = 0; i < node->count; i++) {
        memcpy(&key, page + NODE_INT_HEADER_SIZE + (size_t)i * NODE_INT_KEY_SIZE, sizeof(key));
        double off = (double)(key - low) * scale - (double)i;

        near += off >= -NEAR_BEFORE && off <= NEAR_BEFORE;
    }
    return near;
}

enum status
btree_leaf_look(const struct btree *tree, uint32_t page_number, struct btree_leaf_shape *out)
{
    _Alignas(8) uint8_t page[PAGE_SIZE];
    struct node node;
    enum status status = copy_node(tree, page_number, page, &node);

    if (status == STATUS_BUSY || (status == STATUS_OK && node.level != 0))
        return STATUS_MISSING;
    TRY(status);
    *out = (struct btree_leaf_shape){.row_count = node.count};
    if (node.kind != NODE_INT)
        return STATUS_OK;
    out->keys = NODE_INT_HEADER_SIZE;
    out->near_count = count_near(page, &node);
    if (node.form != NODE_INT_FIXED)
        return STATUS_OK;
    out->values = NODE_INT_HEADER_SIZE + node.capacity * (uint32_t)NODE_INT_KEY_SIZE;
    out->value_step = node.value_size;
    return STATUS_OK;
}

bool
btree_page_is_resident(const struct btree *tree, uint32_t page_number)
{
    struct page_view view;

    if (!page_view_begin(pager_table(tree->pager), page_number, &view))
        return false;
    return page_view_end(&view);
}
