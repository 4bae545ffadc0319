/*
 * What the short ways to rows of integer trees share (tree_get.c, tree_batch.c): one page under a view,
 * with everything that is needed of it loaded straight from it and bounded. Inlined into functions that
 * are compiled once a level of vector instructions (node_int_search.h).
 */
#ifndef BTREE_TREE_INT_PRIVATE_H
#define BTREE_TREE_INT_PRIVATE_H

#include "btree/node_int_search.h"
#include "btree/tree_private.h"
#include "pager/page.h"

/* Inner pages all have one geometry. */
enum {
    INNER_CAPACITY = (PAGE_SIZE - NODE_INT_HEADER_SIZE) / (NODE_INT_KEY_SIZE + NODE_CHILD_SIZE),
    INNER_CHILDREN = NODE_INT_HEADER_SIZE + INNER_CAPACITY * NODE_INT_KEY_SIZE,

    /* How far to either side of a guess lines are asked for: bytes, and rows of the second array. */
    GUESS_LINE = 64,
    GUESS_ROWS = 2,
    /* Keys compared at once around a guess, which are whole lines, and how many before it at least. */
    NEAR_ROWS = 16,
    NEAR_BEFORE = 4,
    KEYS_A_LINE = 64 / NODE_INT_KEY_SIZE,
};

/* A leaf's header as loaded, bounded. */
struct int_leaf {
    uint32_t count;
    uint32_t width;  /* Of an entry in the second array, */
    uint32_t values; /* which begins here. */
    bool slotted;
};

/* The keys below an inner page's child: low <= key < high. */
struct int_span {
    uint64_t low;
    uint64_t high;
};

/* B2: the page is a node of the tree and this level, and holds the key. */
NODE_INT_INLINE bool
is_node_for(const struct page_view *view, const struct btree *tree, uint64_t key, uint32_t level)
{
    uint32_t type = level == 0 ? PAGE_TYPE_LEAF_INT : PAGE_TYPE_INNER_INT;
    uint8_t fences = view_u8(view, offsetof(struct node_int_header, fences));
    uint64_t low = view_u64(view, offsetof(struct node_int_header, low));
    uint64_t high = view_u64(view, offsetof(struct node_int_header, high));

    /* A low fence that is not there is 0. */
    return view_u32(view, offsetof(struct page_header, tree_id)) == tree->tree_id &&
           view_u16(view, offsetof(struct page_header, type)) == (type | level << 8) &&
           __builtin_bswap64(low) <= key &&
           (key < __builtin_bswap64(high) || (fences & NODE_INT_HAS_HIGH) == 0);
}

NODE_INT_INLINE bool
load_leaf(const struct page_view *view, struct int_leaf *out)
{
    uint64_t sizes = view_u64(view, offsetof(struct node_int_header, count));
    uint32_t capacity = (uint16_t)(sizes >> 16);
    uint8_t form = view_u8(view, offsetof(struct node_int_header, form));

    out->count = (uint16_t)sizes;
    out->slotted = form != NODE_INT_FIXED;
    out->width = out->slotted ? (uint32_t)NODE_INT_SLOT_SIZE : (uint16_t)(sizes >> 32);
    out->values = NODE_INT_HEADER_SIZE + capacity * NODE_INT_KEY_SIZE;
    return out->count <= capacity && out->values + capacity * out->width <= PAGE_SIZE;
}

/* As tree__leaf_csn. */
NODE_INT_INLINE uint64_t
leaf_csn(const struct page_view *view)
{
    uint8_t flags = view_u8(view, offsetof(struct page_header, flags));
    uint64_t csn = view_u64(view, offsetof(struct page_header, csn));

    return (flags & PAGE_FLAG_DIRECT) != 0 ? BTREE_CSN_UNKNOWN : csn;
}

/* ---- Guessing where a row lies (tree_get.c) ------------------------------------------------------ */

NODE_INT_INLINE uint64_t
load_hint(const struct btree *tree)
{
    if (tree->hint == NULL)
        return 0;
    return atomic_load_explicit(&tree->hint->leaf, memory_order_relaxed);
}

/* Around an offset; as many lines for any offset, so that no branch is mispredicted. */
NODE_INT_INLINE void
fetch_around(const uint8_t *page, uint32_t offset, uint32_t around)
{
    for (uint32_t done = 0; done <= 2 * around; done += 64)
        __builtin_prefetch(page + ((offset - around + done) & (PAGE_SIZE - 1)));
}

/* Asks for the lines in which the key's row lies if keys are spread evenly over the leaf's span and the
 * leaf looks like those before it. */
NODE_INT_INLINE void
fetch_guess(const uint8_t *page, uint64_t key, const struct int_span *span, uint64_t hint)
{
    uint32_t count = hint & 0xffff;
    uint32_t values = hint >> 16 & 0xffff;
    uint32_t width = hint >> 32 & 0xffff;

    if (count == 0 || key < span->low || key >= span->high)
        return;
    int shift = __builtin_clzll(span->high - span->low);
    uint64_t part = (key - span->low) << shift >> 32;
    uint64_t whole = ((span->high - span->low) << shift >> 32) + 1;
    uint32_t index = (uint32_t)(part * count / whole);
    uint32_t keys = NODE_INT_HEADER_SIZE + index * NODE_INT_KEY_SIZE;
    uint32_t around = width < GUESS_LINE / GUESS_ROWS ? GUESS_LINE : width * GUESS_ROWS;

    fetch_around(page, keys, GUESS_LINE);
    fetch_around(page, values + index * width, around);
}

/* What the next look-up is to guess, when this one would have guessed wrong. */
NODE_INT_INLINE void
note_hint(const struct btree *tree, uint64_t hint, const struct int_leaf *leaf)
{
    uint64_t now = (uint64_t)leaf->width << 32 | leaf->values << 16 | leaf->count;

    if (__builtin_expect(now != hint, 0) && tree->hint != NULL)
        tree__note_hint(tree->hint, hint, now);
}

/* The value of row `index`. */
NODE_INT_INLINE enum status
copy_value(const struct page_view *view, const struct int_leaf *leaf, uint32_t index,
           uint8_t *value, size_t *size_io)
{
    uint32_t offset = leaf->values + index * leaf->width;
    size_t size = leaf->width;
    size_t room = *size_io;

    if (leaf->slotted) {
        uint32_t slot = view_u32(view, offset);

        offset = slot & 0xffff;
        size = slot >> 16;
        if ((size & NODE_VALUE_OVERFLOW) != 0 || offset + size > PAGE_SIZE)
            return STATUS_MISSING;
    }
    *size_io = size;
    if (size > room)
        return STATUS_FULL;
    if (size == 8)
        memcpy(value, view->bytes + offset, 8);
    else if (size > 0)
        memcpy(value, view->bytes + offset, size);
    return STATUS_OK;
}

/* The first of the NEAR_ROWS rows around `row`. */
NODE_INT_INLINE uint32_t
near_first(uint32_t row)
{
    return row < NEAR_BEFORE ? 0 : (row - NEAR_BEFORE) & ~(KEYS_A_LINE - 1u);
}

/* The leaf's row if it is, or would be, among those around `row`: then no hint needs to be read.
 * STATUS_BUSY: it lies elsewhere; STATUS_MISSING as below. */
NODE_INT_INLINE enum status
look_near(const struct page_view *view, uint64_t key, uint32_t row, uint8_t *value, size_t *size_io,
          node_int_below *below)
{
    uint32_t first = near_first(row);
    struct int_leaf leaf;

    if (!load_leaf(view, &leaf))
        return STATUS_MISSING;
    if (first >= leaf.count)
        return STATUS_BUSY;
    uint32_t size = leaf.count - first < NEAR_ROWS ? leaf.count - first : (uint32_t)NEAR_ROWS;
    uint32_t keys = NODE_INT_HEADER_SIZE + first * NODE_INT_KEY_SIZE;
    uint32_t place = below(view->bytes + keys, size, key);

    if (place < size && view_u64(view, keys + place * NODE_INT_KEY_SIZE) == key)
        return copy_value(view, &leaf, first + place, value, size_io);
    /* Between two keys that are neighbours, or before or behind all of them. */
    if ((place > 0 || first == 0) && (place < size || first + size == leaf.count))
        return STATUS_NOT_FOUND;
    return STATUS_BUSY;
}

/* The leaf's row; STATUS_MISSING when its bytes are impossible, or the value is not in it. */
NODE_INT_INLINE enum status
look_into_leaf(const struct page_view *view, uint64_t key, uint8_t *value, size_t *size_io,
               struct int_leaf *leaf_out, node_int_below *below)
{
    struct int_leaf leaf;
    struct node_int_block block = node__int_block(view->bytes, key, below);

    if (!load_leaf(view, &leaf) || block.first + block.size > leaf.count)
        return STATUS_MISSING;
    *leaf_out = leaf;
    uint32_t values = leaf.values + block.first * leaf.width;
    uint32_t keys = NODE_INT_HEADER_SIZE + block.first * NODE_INT_KEY_SIZE;

    __builtin_prefetch(view->bytes + values);
    __builtin_prefetch(view->bytes + values + block.size * leaf.width);
    uint32_t place = below(view->bytes + keys, block.size, key);
    uint32_t index = block.first + place;

    if (index >= leaf.count || view_u64(view, keys + place * NODE_INT_KEY_SIZE) != key)
        return STATUS_NOT_FOUND;
    return copy_value(view, &leaf, index, value, size_io);
}

/* The inner page's child for the key; PAGE_NONE when its bytes are impossible. The span's ends may be
 * anything where the child is the first or the last. */
NODE_INT_INLINE uint32_t
look_into_inner(const struct page_view *view, uint64_t key, struct int_span *span_out,
                node_int_below *below)
{
    uint64_t sizes = view_u64(view, offsetof(struct node_int_header, count));
    uint32_t count = (uint16_t)sizes;

    if ((uint32_t)(sizes >> 16) != (INNER_CAPACITY | NODE_CHILD_SIZE << 16) ||
        count > INNER_CAPACITY)
        return PAGE_NONE;
    /* A key equal to the one sought has it to its right. */
    uint32_t index = node__int_lower_bound(view->bytes, count, key + 1, below);

    if (index > count)
        return PAGE_NONE;
    /* Behind the last key the array of children begins, which is in the page as well. */
    span_out->high = view_u64(view, NODE_INT_HEADER_SIZE + index * NODE_INT_KEY_SIZE);
    span_out->low = view_u64(view, NODE_INT_HEADER_SIZE + (index - 1) * NODE_INT_KEY_SIZE);
    if (index == 0)
        return view_u32(view, offsetof(struct node_int_header, link));
    return view_u32(view, INNER_CHILDREN + (index - 1) * NODE_CHILD_SIZE);
}

#endif
