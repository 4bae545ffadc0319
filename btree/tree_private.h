/* What the tree's own files share. */
#ifndef BTREE_TREE_PRIVATE_H
#define BTREE_TREE_PRIVATE_H

#include "btree/btree.h"
#include "btree/node.h"
#include "kernel/base/check.h"
#include "kernel/base/error.h"

static_assert((int)NODE_KEY_SIZE_MAX == (int)BTREE_KEY_SIZE_MAX, "one limit");

static_assert((int)NODE_VAR == (int)BTREE_VAR && (int)NODE_INT == (int)BTREE_INT, "one kind");

/* The kind of the tree's nodes. */
static inline enum node_kind
tree__node_kind(const struct btree *tree)
{
    return tree->kind == BTREE_INT ? NODE_INT : NODE_VAR;
}

/* Raises STATUS_CORRUPT for a page of the tree. */
MUST_CHECK __attribute__((cold)) enum status tree__corrupt(const struct btree *tree,
                                                           uint32_t page_number,
                                                           const char *reason);

/* Does this value lie in the leaf? */
bool tree__value_is_inline(size_t key_size, size_t value_size);

/* tree_read.c: the optimistic way down. */

/* A leaf under an open view: end the view once, whatever happens in between. */
struct leaf_view {
    struct page_view view;
    struct node node;
    uint32_t page_number;
    uint32_t tries; /* Both zero before the first open. */
    uint32_t refusals;
};

/**
 * Opens a view on the leaf that holds the key (size 0 with NODE_BEFORE: the last leaf). The caller
 * repeats from here when it finds the bytes impossible or the view's end fails.
 */
MUST_CHECK enum status tree__leaf_open(const struct btree *tree, enum node_side side,
                                       const uint8_t *key, size_t key_size, struct leaf_view *leaf);
/** B2: the loaded page is the tree's leaf for the key, as tree__leaf_open has it. */
bool tree__is_leaf(const struct btree *tree, const struct node *node, enum node_side side,
                   const uint8_t *key, size_t key_size);
/** The same for a page that was the leaf's neighbour a moment ago; false: descend instead. */
bool tree__leaf_open_at(const struct btree *tree, uint32_t page_number, enum node_side side,
                        const uint8_t *key, size_t key_size, struct leaf_view *leaf);
/**
 * After the bytes were found impossible and the view ended: STATUS_OK means repeat, for the page was
 * changing; STATUS_CORRUPT that it is damaged. `reason` is static text.
 */
MUST_CHECK enum status tree__leaf_retry(const struct btree *tree, struct leaf_view *leaf,
                                        const char *reason);
/** The CSN of a leaf as its readers are to understand it. */
uint64_t tree__leaf_csn(const struct page_view *view);

/* tree_get.c: the short way to a row, for trees that lie in memory and are not being changed. */

/** Looks a row up in a tree of integer keys; as btree_get, or STATUS_MISSING (raises no message) when
 * anything at all stood in the way and the long way has to be gone. */
MUST_CHECK enum status tree__get_int(const struct btree *tree, uint64_t key, uint8_t *value,
                                     size_t *size_io, uint64_t *csn_out);

/** Keeps the shape of a leaf (tree_int_private.h) for the next guess, when it is not like `before`. */
void tree__note_hint(struct btree_hint *hint, uint64_t before, uint64_t now);

/** The same for any kind of tree, when `page_number` is likely to be the leaf (tree_read.c). */
MUST_CHECK enum status tree__get_at(const struct btree *tree, uint32_t page_number,
                                    const uint8_t *key, size_t key_size, uint8_t *value,
                                    size_t *size_io, uint64_t *csn_out);

/* tree_route.c */

enum { TREE_AHEAD_MAX = 32 };
/** Brings in the leaf that holds the key and those behind it (side NODE_AT) or before it (NODE_BEFORE), up
 * to `limit` (at most TREE_AHEAD_MAX), as far as they have the same parent. A hint (tree_ahead.c). */
void tree__read_ahead(const struct btree *tree, enum node_side side, const uint8_t *key,
                      size_t key_size, uint32_t limit);

/** As tree__leaf_open for a key that some leaf holds (NODE_AT), from a page that may be it, or up to
 * BTREE_HOPS_MAX leaves before it; brings it in. False: descend instead. */
bool tree__leaf_open_near(const struct btree *tree, uint32_t page_number, const uint8_t *key,
                          size_t key_size, struct leaf_view *leaf, uint32_t *hops_out);

/* tree_row.c */

/** Room for a key and a value of these sizes; what the row held is gone. */
MUST_CHECK enum status tree__row_reserve(struct btree_row *row, size_t key_size, size_t value_size);

/* overflow.c: values in pages of their own. */

/* Under a change. `ref` takes up to OVERFLOW_REF_SIZE_MAX bytes. `unpacked_size`: the bytes are a zstd
 * frame of a value of that size; 0: they are the value. */
MUST_CHECK enum status tree__overflow_write(struct pager_change *change, const struct btree *tree,
                                            const uint8_t *value, size_t size, size_t unpacked_size,
                                            uint8_t *ref, size_t *ref_size_out);
MUST_CHECK enum status tree__overflow_free(struct pager_change *change, const struct btree *tree,
                                           const uint8_t *ref, size_t ref_size);
MUST_CHECK enum status tree__overflow_change_read(struct pager_change *change,
                                                  const struct btree *tree, const uint8_t *ref,
                                                  size_t ref_size, uint8_t *out);
/** The value's size, bounded; STATUS_CORRUPT for an impossible reference (raises no message). */
MUST_CHECK enum status tree__overflow_size(const uint8_t *ref, size_t ref_size, size_t *out);
/** Without the latch: the value, tree__overflow_size bytes. STATUS_CORRUPT also when the row was
 * changed meanwhile: look at the row again. */
MUST_CHECK enum status tree__overflow_read(const struct btree *tree, const uint8_t *ref,
                                           size_t ref_size, uint8_t *out);
/** False: the reference does not name a value that is a tree of its own. */
bool tree__overflow_value(const uint8_t *ref, size_t ref_size, struct btree_value *out);
/** Returns the reference's size, VALUE_REF_SIZE. */
size_t tree__overflow_value_encode(const struct btree_value *value, uint8_t *ref);
/** Without the latch, nobody writing: tells `each` the numbers of all pages of the value and checks
 * them. False from `each` stops with STATUS_STOPPED. */
MUST_CHECK enum status tree__overflow_walk(const struct btree *tree, const uint8_t *ref,
                                           size_t ref_size,
                                           bool (*each)(void *context, uint32_t page_number),
                                           void *context);

/* tree_read.c */

/* A row's value or overflow reference, copied out of a view. */
struct tree_cell {
    bool equal;
    bool is_overflow;
    uint64_t csn;
    size_t size; /* Of the value. */
    size_t ref_size;
    uint8_t ref[OVERFLOW_REF_SIZE_MAX];
};
/** One consistent look at the row of a key; copies an inline value that fits `room`. */
MUST_CHECK enum status tree__look(const struct btree *tree, const uint8_t *key, size_t key_size,
                                  uint8_t *value, size_t room, struct tree_cell *out);

/* tree_verify.c */
/** btree_verify; `is_value`: of a tree that is a large value, whose rows name no further trees. */
MUST_CHECK enum status tree__verify(const struct btree *tree, bool partial, bool is_value,
                                    struct btree_walk *walk);

/* tree_change.c: the way down under a change. */
/** Puts a row whose value or reference is ready. */
MUST_CHECK enum status tree__put_entry(struct pager_change *change, const struct btree *tree,
                                       const struct node_entry *entry, bool *existed_out);

/** Is the key one that the tree can have? */
MUST_CHECK enum status tree__refuse_key(const struct btree *tree, size_t key_size);

/* The pages from the root to a node, and the place taken in each inner one. */
struct tree_path {
    uint32_t depth; /* Pages in it. */
    struct {
        uint32_t page_number;
        uint32_t place;
    } step[BTREE_DEPTH_MAX];
};

MUST_CHECK enum status tree__change_descend(struct pager_change *change, const struct btree *tree,
                                            const uint8_t *key, size_t key_size,
                                            struct tree_path *path);
/** Down the right edge to a level. */
MUST_CHECK enum status tree__change_descend_edge(struct pager_change *change,
                                                 const struct btree *tree, uint32_t level,
                                                 struct tree_path *path);
/** The page for reading; its header bounded, of this tree and level. */
MUST_CHECK enum status tree__change_node(struct pager_change *change, const struct btree *tree,
                                         uint32_t page_number, uint32_t level, struct node *out);
/** The page for editing; validated in shape when the change edits it for the first time. */
MUST_CHECK enum status tree__change_edit(struct pager_change *change, const struct btree *tree,
                                         uint32_t page_number, uint8_t **out);
/** The page for editing, validated in full: before it is split or merged. */
MUST_CHECK enum status tree__change_edit_whole(struct pager_change *change,
                                               const struct btree *tree, uint32_t page_number,
                                               uint8_t **out);

/** Tells the pager of moves in the page. */
void tree__change_moved(struct pager_change *change, uint32_t page_number,
                        const struct node_moves *moves);

/* tree_split.c, tree_merge.c */

/** Makes room on the way to an entry that does not fit at `index` of the path's last page. One step:
 * descend again afterwards. */
MUST_CHECK enum status tree__split(struct pager_change *change, const struct btree *tree,
                                   const struct tree_path *path, uint32_t index,
                                   const struct node_entry *entry);
/** The root becomes an inner page with one child that has all its content. */
MUST_CHECK enum status tree__grow(struct pager_change *change, const struct btree *tree);
/** After a removal from the path's last page: merges what is underfull, up to the root. */
MUST_CHECK enum status tree__merge(struct pager_change *change, const struct btree *tree,
                                   const struct tree_path *path);

#endif
