/*
 * The short way to a row of an integer tree: the same descent as in tree_read.c with everything that
 * seldom happens left out. One view a page, everything needed of the page loaded straight from it, the
 * same proof (B2), and at the first thing that is not as it should be (page absent, locked, changed
 * meanwhile, not the one looked for, an overflow value) it gives up, and the caller goes the long way,
 * which knows what to do.
 *
 * Compiled once a level of vector instructions, with the search inlined. What costs time is cache
 * misses that wait for each other: the leaf's header and hints, then the block of keys that they name,
 * then the value. So the row's lines are asked for together with the header, where they are likely to
 * be: the parent has the bounds of the leaf's keys, struct btree_hint how many rows leaves have had
 * lately and where. Where that is right (keys spread about evenly, leaves filled alike) a row costs one
 * miss instead of three in a row; where it is wrong, a few lines too many. The answer never depends on
 * it. Instructions count too: the fewer there are, the more of the next look-up's misses overlap.
 */
#include "btree/tree_int_private.h"

/* Does a number differ from the one before by more than a quarter? */
static bool
differs(uint64_t before, uint64_t now)
{
    return 4 * now < 3 * before || 4 * now > 5 * before;
}

/* The hint is shared by all who read the tree, so it is written seldom. */
void
tree__note_hint(struct btree_hint *hint, uint64_t before, uint64_t now)
{
    if ((now & 0xffff) == 0) /* No leaf was seen, or an empty one. */
        return;
    if (before >> 32 != now >> 32 || differs(before & 0xffff, now & 0xffff) ||
        differs(before >> 16 & 0xffff, now >> 16 & 0xffff))
        atomic_store_explicit(&hint->leaf, now, memory_order_relaxed);
}

NODE_INT_INLINE enum status
get(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io, uint64_t *csn_out,
    node_int_below *below)
{
    const struct page_table *table = pager_table(tree->pager);
    enum status status = STATUS_MISSING;
    struct int_leaf leaf = {.count = 0};
    struct int_span span = {0, 0};
    uint64_t hint = load_hint(tree);
    size_t room = *size_io;
    struct page_view view;

    if (key == UINT64_MAX || !page_view_begin(table, tree->root, &view))
        return STATUS_MISSING;
    uint32_t level = view_u8(&view, offsetof(struct page_header, level));

    for (; level > 0; level--) {
        uint32_t child = PAGE_NONE;

        if (is_node_for(&view, tree, key, level))
            child = look_into_inner(&view, key, &span, below);
        if (!page_view_end(&view) || !page_view_begin(table, child, &view))
            return STATUS_MISSING;
    }
    fetch_guess(view.bytes, key, &span, hint);
    if (is_node_for(&view, tree, key, 0))
        status = look_into_leaf(&view, key, value, size_io, &leaf, below);
    *csn_out = leaf_csn(&view);
    if (page_view_end(&view)) {
        note_hint(tree, hint, &leaf);
        return status;
    }
    *size_io = room;
    return STATUS_MISSING;
}

static enum status
get_scalar(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io,
           uint64_t *csn_out)
{
    return get(tree, key, value, size_io, csn_out, node__int_below_scalar);
}

#if NODE_INT_X86

NODE_INT_TARGET_AVX2 static enum status
get_avx2(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io, uint64_t *csn_out)
{
    return get(tree, key, value, size_io, csn_out, node__int_below_avx2);
}

NODE_INT_TARGET_AVX512 static enum status
get_avx512(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io,
           uint64_t *csn_out)
{
    return get(tree, key, value, size_io, csn_out, node__int_below_avx512);
}

#endif

enum status
tree__get_int(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io,
              uint64_t *csn_out)
{
#if NODE_INT_X86
    enum node_int_simd simd = node__int_simd();

    if (__builtin_expect(simd == NODE_INT_AVX512, 1))
        return get_avx512(tree, key, value, size_io, csn_out);
    if (simd == NODE_INT_AVX2)
        return get_avx2(tree, key, value, size_io, csn_out);
#endif
    return get_scalar(tree, key, value, size_io, csn_out);
}
