/*
 * The short way to a row of an integer tree: the same descent as in tree_read.c with everything that
 * seldom happens left out. One view a page, everything needed of the page loaded straight from it, the
 * same proof (B2), and at the first thing that is not as it should be (page absent, locked, changed
 * meanwhile, not the one looked for, an overflow value) it gives up, and the caller goes the long way,
 * which knows what to do.
 *
 * Compiled once a level of vector instructions, with the search inlined. What costs time is cache
 * misses, so values are fetched while the key is still being sought among its block.
 */
#include "btree/tree_int_private.h"

NODE_INT_INLINE enum status
get(const struct btree *tree, uint64_t key, uint8_t *value, size_t *size_io, uint64_t *csn_out,
    node_int_below *below)
{
    const struct page_table *table = pager_table(tree->pager);
    enum status status = STATUS_MISSING;
    size_t room = *size_io;
    struct page_view view;

    if (key == UINT64_MAX || !page_view_begin(table, tree->root, &view))
        return STATUS_MISSING;
    uint32_t level = view_u8(&view, offsetof(struct page_header, level));

    for (; level > 0; level--) {
        uint32_t child = PAGE_NONE;

        if (is_node_for(&view, tree, key, level))
            child = look_into_inner(&view, key, below);
        if (!page_view_end(&view) || !page_view_begin(table, child, &view))
            return STATUS_MISSING;
    }
    if (is_node_for(&view, tree, key, 0))
        status = look_into_leaf(&view, key, value, size_io, below);
    *csn_out = tree__leaf_csn(&view);
    if (page_view_end(&view))
        return status;
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
