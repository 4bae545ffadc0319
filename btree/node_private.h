/* What the node's own files share: the page as a struct, and sizes. Stable bytes only. */
#ifndef BTREE_NODE_PRIVATE_H
#define BTREE_NODE_PRIVATE_H

#include "btree/node_var.h"
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

/** Puts an entry after the last one. The bytes of the entry may not lie in the page. */
void node__append(void *page, const struct node_entry *entry);

/** Appends slots [from, to) of `source` to `page`. */
void node__append_range(void *page, const struct node *source, uint32_t from, uint32_t to);

/** A stable page's node and row: the page was validated. */
struct node node__load_own(const void *page);
/** Debug builds, after each change: the page has the shape of a node. */
bool node__invariants_hold(const void *page);
struct node_row node__row_own(const struct node *node, uint32_t index);

#endif
