/* What the node's own files share: the page as a struct, and sizes. Stable bytes only. */
#ifndef BTREE_NODE_PRIVATE_H
#define BTREE_NODE_PRIVATE_H

#include "btree/node.h"
#include "kernel/base/check.h"
#include "pager/page.h"

static inline struct node_header *
node__header(void *page)
{
    return page;
}

static inline const struct node_header *
node__header_const(const void *page)
{
    return page;
}

static inline struct node_slot *
node__slots(void *page)
{
    return (struct node_slot *)((uint8_t *)page + NODE_HEADER_SIZE);
}

/** First byte of the fences, the heap's end. */
static inline uint32_t
node__heap_end(const void *page)
{
    const struct node_header *header = node__header_const(page);

    return PAGE_SIZE - (uint32_t)le16_get(header->low_size) - le16_get(header->high_size);
}

/** Bytes of the cell of an entry in a node with this prefix. */
static inline size_t
node__cell_size(size_t prefix_size, size_t key_size, size_t value_size)
{
    size_t suffix_size = key_size - prefix_size;
    size_t rest_size = suffix_size > NODE_HEAD_SIZE ? suffix_size - NODE_HEAD_SIZE : 0;

    return NODE_CELL_HEADER_SIZE + rest_size + value_size;
}

/** Length of the longest common prefix. */
size_t node__common_size(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

/** Adds a move unless its size is 0. */
void node__moves_add(struct node_moves *moves, uint32_t from, uint32_t to, uint32_t size);

/** A stable page's node and row: the page was validated. */
struct node node__load_own(const void *page);
struct node_row node__row_own(const struct node *node, uint32_t index);
/** Debug builds, after each change: the page has the shape of a node. */
bool node__invariants_hold(const void *page);

/** Rows [from, to) of `source` into an empty page. */
void node__fill(void *page, const struct node *source, uint32_t from, uint32_t to);

/* Marks bytes of the page as taken; false when one already is. `taken` has a bit a byte. */
bool node__take_bytes(uint64_t *taken, uint32_t offset, uint32_t size);

/* Variable nodes: as in node.h, the page's kind being known. */
bool node__var_load(const struct page_view *view, struct node *out);
bool node__var_search(const struct node *node, const uint8_t *key, size_t key_size,
                      uint32_t *index_out, bool *equal_out);
bool node__var_row_at(const struct node *node, uint32_t index, struct node_row *out);
bool node__var_value(const struct node *node, uint32_t index, const uint8_t **value_out,
                     uint32_t *size_out);
bool node__var_row_key(const struct node *node, const struct node_row *row, uint8_t *out,
                       size_t *size_out);
MUST_CHECK enum status node__var_validate_shape(const void *page, const char **reason_out);
MUST_CHECK enum status node__var_validate(const void *page, const char **reason_out);
/** Over zeros behind the page's header. */
void node__var_init(void *page, const struct node_fences *fences);
uint32_t node__var_used_size(const void *page);
bool node__var_fits(const void *page, const struct node_entry *entry);
bool node__var_replace_fits(const void *page, uint32_t index, const struct node_entry *entry);
void node__var_insert(void *page, uint32_t index, const struct node_entry *entry,
                      struct node_moves *moves_out);
void node__var_replace(void *page, uint32_t index, const struct node_entry *entry);
void node__var_remove(void *page, uint32_t index, struct node_moves *moves_out);
void node__var_cut_choose(const struct node *node, uint32_t index, const struct node_entry *entry,
                          struct node_cut *out);
/** Used size of a leaf with all entries of `node` between its low fence and `high`. */
size_t node__var_size_with_high(const struct node *node, const uint8_t *high, size_t high_size);
bool node__var_merge_may_fit(const struct node *left, const struct node *right);
/** Bytes that a page with the rows of both has in use. */
uint32_t node__var_merged_size(const struct node *left, const struct node *right);
/** All rows of both into an empty page, for inner nodes with the right one's low fence between. */
void node__var_join(void *page, const struct node *left, const struct node *right);
/** Puts an entry after the last one. The bytes of the entry may not lie in the page. */
void node__var_append(void *page, const struct node_entry *entry);
/** Appends slots [from, to) of `source` to `page`. */
void node__var_append_range(void *page, const struct node *source, uint32_t from, uint32_t to);

/* node_var_blocks.c */

/** The slots [from, to) that keys with this head may be among, and are below where they are not; false
 * when the blocks are impossible. */
bool node__var_block_bounds(const struct node *node, uint32_t head, uint32_t *from_out,
                            uint32_t *to_out);
/** All blocks anew. */
void node__var_blocks_make(void *page);
/** After slot `index` was put in; after it was taken out. */
void node__var_blocks_insert(void *page, uint32_t index);
void node__var_blocks_remove(void *page, uint32_t index);

/* Integer nodes. */
bool node__int_load(const struct page_view *view, struct node *out);
bool node__int_search(const struct node *node, const uint8_t *key, size_t key_size,
                      uint32_t *index_out, bool *equal_out);
bool node__int_row_at(const struct node *node, uint32_t index, struct node_row *out);
uint32_t node__int_values(const struct node *node, uint32_t first, uint32_t count,
                          const void **values, uint32_t *sizes);
MUST_CHECK enum status node__int_validate_shape(const void *page, const char **reason_out);
MUST_CHECK enum status node__int_validate(const void *page, const char **reason_out);
void node__int_init(void *page, const struct node_fences *fences);
uint32_t node__int_used_size(const void *page);
bool node__int_fits(const void *page, const struct node_entry *entry);
bool node__int_replace_fits(const void *page, uint32_t index, const struct node_entry *entry);
bool node__int_append(void *page, const struct node_entry *entry);
void node__int_insert(void *page, uint32_t index, const struct node_entry *entry,
                      struct node_moves *moves_out);
void node__int_replace(void *page, uint32_t index, const struct node_entry *entry);
void node__int_remove(void *page, uint32_t index, struct node_moves *moves_out);
void node__int_cut_choose(const struct node *node, uint32_t index, const struct node_entry *entry,
                          struct node_cut *out);
void node__int_fill(void *page, const struct node *source, uint32_t from, uint32_t to);
bool node__int_merge_may_fit(const struct node *left, const struct node *right);
uint32_t node__int_merged_size(const struct node *left, const struct node *right);
void node__int_join(void *page, const struct node *left, const struct node *right);

/* Ways to search with one level of instructions, for the tests that compare them. STATUS as in
 * node_search; `simd` is one that the processor has. */
uint32_t node__int_find(const uint8_t *page, uint32_t count, uint64_t key, int simd);

/** Where the arrays of an integer node lie, from its loaded header. */
static inline uint32_t
node__int_width(const struct node *node)
{
    return node->form == NODE_INT_FIXED ? node->value_size : (uint32_t)NODE_INT_SLOT_SIZE;
}

static inline uint32_t
node__int_arrays_end(const struct node *node)
{
    return NODE_INT_HEADER_SIZE +
           (uint32_t)node->capacity * (NODE_INT_KEY_SIZE + node__int_width(node));
}

#endif
