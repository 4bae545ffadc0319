/*
 * Nodes of a tree: pure functions on the bytes of one page (node_format.h), of two kinds behind one
 * interface. Variable nodes are slotted; integer nodes have keys of 8 bytes as numbers in one array.
 * The page's type says which; node.c sends each call to node_var*.c or node_int*.c.
 *
 * Reading goes through struct node: the header as loaded and bounded. It works on a page under an
 * optimistic view (bytes may be torn until the view's end, and every function bounds what it loads)
 * and on stable bytes (node_load_page). A function that finds bytes impossible returns false: under a
 * view, end the view and repeat if it failed; otherwise the page is damaged.
 *
 * Changing works on stable bytes that passed node_validate_shape or came from node_init; what does not
 * fit is the caller's mistake (CHECK), so ask first. Moves announced by the caller to the pager come
 * back through `struct node_moves`.
 */
#ifndef BTREE_NODE_H
#define BTREE_NODE_H

#include "btree/node_format.h"
#include "kernel/base/status.h"
#include "pager/page_delta.h"
#include "pager/pager_view.h"

enum {
    NODE_KEY_SIZE_MAX = 1024,
    /* Key and value of one entry: with this, a page with the longest fences holds at least one. */
    NODE_ENTRY_SIZE_MAX = PAGE_SIZE - NODE_HEADER_SIZE - 2 * NODE_KEY_SIZE_MAX - NODE_SLOT_SIZE -
                          NODE_CELL_HEADER_SIZE,
};

enum node_kind { NODE_VAR = 0, NODE_INT = 1 };

/* A loaded node. `high_size` 0: right edge; `low_size` 0: left edge. */
struct node {
    const uint8_t *bytes;
    uint32_t tree_id;
    uint32_t link;
    enum node_kind kind;
    uint8_t level;
    uint8_t form; /* Integer nodes: enum node_int_form; */
    uint16_t capacity;
    uint16_t value_size; /* up to here. */
    uint16_t count;
    uint16_t heap_offset;
    uint16_t dead_size;
    uint16_t prefix_size; /* 0 in integer nodes. */
    uint16_t low_size;
    uint16_t high_size;
    const uint8_t *low;
    const uint8_t *high;
};

/* One entry in place; borrowed from the page. */
struct node_row {
    uint16_t key_size; /* Without the prefix. */
    uint16_t value_size;
    bool is_overflow;
    uint8_t head[NODE_HEAD_SIZE]; /* Variable nodes. */
    const uint8_t *rest;          /* Variable nodes: of the key, after prefix and head. */
    uint64_t number;              /* Integer nodes: the key. */
    const uint8_t *value;
    uint32_t cell_offset;
    uint32_t cell_size;
};

/* One entry for insertion, with its whole key. */
struct node_entry {
    const uint8_t *key;
    size_t key_size;
    const uint8_t *value;
    size_t value_size;
    bool is_overflow;
};

/* Moves that a change made, in this order. */
enum { NODE_MOVES_MAX = 2 };
struct node_moves {
    uint32_t count;
    struct page_move move[NODE_MOVES_MAX];
};

/* Loading and reading. */

bool node_load(const struct page_view *view, struct node *out);
bool node_load_page(const void *page, struct node *out);

/* Which node holds a key: the one with low <= key < high, or (looking for what is before the key; size
 * 0: for the last of all) the one with low < key <= high. */
enum node_side { NODE_AT = 1, NODE_BEFORE = 2 };
bool node_holds(const struct node *node, enum node_side side, const uint8_t *key, size_t key_size);

/** First row whose key is not below `key`, which the node holds (NODE_AT or NODE_BEFORE). */
bool node_search(const struct node *node, const uint8_t *key, size_t key_size, uint32_t *index_out,
                 bool *equal_out);
bool node_row_at(const struct node *node, uint32_t index, struct node_row *out);
/** Where the values of the rows from `first` on lie, `count` of them, all of which the node has; returns how many
 * it has given, up to one that is large or impossible. */
uint32_t node_row_values(const struct node *node, uint32_t first, uint32_t count,
                         const void **values, uint32_t *sizes);
/** Copies the whole key to `out` (NODE_KEY_SIZE_MAX bytes of room). */
bool node_row_key(const struct node *node, const struct node_row *row, uint8_t *out,
                  size_t *size_out);

/** The place (0 to count) in an inner node of the child to go to. */
bool node_child_place(const struct node *node, enum node_side side, const uint8_t *key,
                      size_t key_size, uint32_t *place_out);
/** The child at a place: `link` at 0, else that of slot place - 1. */
bool node_child_at(const struct node *node, uint32_t place, uint32_t *child_out);

/** Points (1) to (4) of the validity rule without overlaps, and that blocks add up: what changing
 * needs. */
MUST_CHECK enum status node_validate_shape(const void *page, const char **reason_out);
/** The whole rule. */
MUST_CHECK enum status node_validate(const void *page, const char **reason_out);

/* Changing. */

struct node_fences {
    const uint8_t *low;
    size_t low_size;
    const uint8_t *high;
    size_t high_size;
};

/** An empty node over bytes [24, PAGE_SIZE); [0, 24) are the pager's. The fences may not lie in it. */
void node_init(void *page, enum node_kind kind, uint32_t page_number, uint32_t tree_id,
               uint8_t level, uint32_t link, const struct node_fences *fences);
/** The type of a page of this kind and level. */
enum page_type node_page_type(enum node_kind kind, uint32_t level);
void node_set_link(void *page, uint32_t link);

/** Bytes in use with header and fences: PAGE_SIZE less this is free, perhaps after compaction. */
uint32_t node_used_size(const void *page);
bool node_fits(const void *page, const struct node_entry *entry);
/** Would the entry fit in place of the one at `index`? */
bool node_replace_fits(const void *page, uint32_t index, const struct node_entry *entry);

void node_insert(void *page, uint32_t index, const struct node_entry *entry,
                 struct node_moves *moves_out);
/** Puts an entry behind all others where that takes nothing but room in the arrays of a leaf of numbers;
 * false: nothing was done, and node_fits knows more. For runs of rows in order. */
bool node_append(void *page, const struct node_entry *entry);
void node_replace(void *page, uint32_t index, const struct node_entry *entry);
void node_remove(void *page, uint32_t index, struct node_moves *moves_out);

/* Splitting: where to cut, and what separates the halves. A leaf's slots [0, index) stay left and the
 * rest goes right; an inner node's slot `index` goes up and its child becomes the right link. */
struct node_cut {
    uint32_t index;
    size_t separator_size;
    uint8_t separator[NODE_KEY_SIZE_MAX];
};

/**
 * Chooses the cut for an entry that does not fit at slot `index`. At the tree's right edge the left
 * page stays full. The entry then belongs left if and only if its key is below the separator; where
 * it still does not fit, cut again.
 */
void node_cut_choose(const void *page, uint32_t index, const struct node_entry *entry,
                     struct node_cut *out);
/** Cuts: `left` keeps its number, `right` becomes the node of page `right_number`. */
void node_split(void *left, void *right, uint32_t right_number, const struct node_cut *cut);

/** Gives a leaf without a high fence one, above all its keys, and a neighbour behind it. */
bool node_close_fits(const void *page, const uint8_t *high, size_t high_size);
void node_close(void *page, const uint8_t *high, size_t high_size, uint32_t link);

/** Cheap and never wrong when it says no; works on pages of any shape. */
bool node_merge_may_fit(const struct node *left, const struct node *right);
/** True when the two neighbours fit in one page with room to spare. */
bool node_merge_fits(const void *left, const void *right);
/** All goes to `left`, which takes the right one's high fence; for inner nodes the right one's low
 * fence comes back down as a key. `right` is left alone. */
void node_merge(void *left, const void *right);

/** Makes `page`, an inner root without slots, what its only child is, and keeps its number. */
void node_replace_root(void *page, const void *child);

#endif
