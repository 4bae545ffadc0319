/*
 * Cutting a node in two and joining two into one.
 *
 * Why a cut always fits. A leaf is cut between two of its own entries, at their shortest separator:
 * the first bytes of the right one's first key, one more than it has in common with the left one's
 * last. Each half loses at least one entry, whose key is at least as long as the separator it gains
 * as a fence less the prefix they share; the prefix never gets shorter, so no entry grows. An inner
 * node is cut at one of its keys, which leaves both halves and becomes their fence. So a cut never
 * depends on the entry that did not fit; that one is tried again in the half where it belongs, and if
 * it still does not fit, that half is cut. A node of one entry is cut beside it, and one entry fits
 * with any fences (NODE_ENTRY_SIZE_MAX).
 *
 * At the tree's right edge the cut lies behind the last entry, so that loads in key order leave full
 * pages. There the left page gains a fence and loses nothing, so whether it fits is computed first.
 */
#include "btree/node_private.h"

/* The shortest key above `below` and not above `above`. */
static void
separate(const uint8_t *below, size_t below_size, const uint8_t *above, size_t above_size,
         struct node_cut *out)
{
    size_t size = node__common_size(below, below_size, above, above_size) + 1;

    CHECK(size <= above_size);
    memcpy(out->separator, above, size);
    out->separator_size = size;
}

static size_t
own_key(const struct node *node, uint32_t index, uint8_t *out)
{
    struct node_row row = node__row_own(node, index);
    size_t size;
    bool copied = node__var_row_key(node, &row, out, &size);

    CHECK(copied);
    return size;
}

/* Between slots index - 1 and index. */
static void
separate_slots(const struct node *node, uint32_t index, struct node_cut *out)
{
    uint8_t below[NODE_KEY_SIZE_MAX];
    uint8_t above[NODE_KEY_SIZE_MAX];
    size_t below_size = own_key(node, index - 1, below);
    size_t above_size = own_key(node, index, above);

    out->index = index;
    separate(below, below_size, above, above_size, out);
}

/* The cut beside all entries: behind the last, or (one entry) before the first. */
static void
separate_from_new(const struct node *node, uint32_t index, const struct node_entry *entry,
                  struct node_cut *out)
{
    uint8_t key[NODE_KEY_SIZE_MAX];

    CHECK(node->count > 0 && (index == 0 || index == node->count));
    out->index = index;
    if (index == 0) {
        size_t size = own_key(node, 0, key);
        separate(entry->key, entry->key_size, key, size, out);
    } else {
        size_t size = own_key(node, node->count - 1u, key);
        separate(key, size, entry->key, entry->key_size, out);
    }
}

size_t
node__var_size_with_high(const struct node *node, const uint8_t *high, size_t high_size)
{
    size_t prefix_size = node__common_size(node->low, node->low_size, high, high_size);
    size_t size = NODE_HEADER_SIZE + node->low_size + high_size;

    for (uint32_t i = 0; i < node->count; i++) {
        struct node_row row = node__row_own(node, i);
        size_t key_size = (size_t)node->prefix_size + row.key_size;

        size += NODE_SLOT_SIZE + node__cell_size(prefix_size, key_size, row.value_size);
    }
    return size;
}

/* The slot where half of the bytes, the new entry's included, lie to the left. */
static uint32_t
middle_slot(const struct node *node, uint32_t index, const struct node_entry *entry)
{
    size_t new_size =
        NODE_SLOT_SIZE + node__cell_size(node->prefix_size, entry->key_size, entry->value_size);
    size_t total = new_size;
    size_t left = 0;
    uint32_t i = 0;

    for (uint32_t j = 0; j < node->count; j++)
        total += NODE_SLOT_SIZE + node__row_own(node, j).cell_size;
    for (; i < node->count && left < total / 2; i++) {
        left += NODE_SLOT_SIZE + node__row_own(node, i).cell_size;
        if (i == index)
            left += new_size;
    }
    return i;
}

static void
cut_leaf(const struct node *node, uint32_t index, const struct node_entry *entry,
         struct node_cut *out)
{
    if (node->count == 1) {
        separate_from_new(node, index, entry, out);
        return;
    }
    if (index == node->count && node->high_size == 0) {
        separate_from_new(node, index, entry, out);
        if (node__var_size_with_high(node, out->separator, out->separator_size) > PAGE_SIZE)
            separate_slots(node, node->count - 1u, out);
        return;
    }
    uint32_t middle = middle_slot(node, index, entry);

    if (middle < 1)
        middle = 1;
    if (middle > node->count - 1u)
        middle = node->count - 1u;
    separate_slots(node, middle, out);
}

static void
cut_inner(const struct node *node, uint32_t index, const struct node_entry *entry,
          struct node_cut *out)
{
    uint32_t middle = node->count - 1u;

    if (index != node->count || node->high_size != 0) {
        middle = middle_slot(node, index, entry);
        if (middle > node->count - 1u)
            middle = node->count - 1u;
    }
    out->index = middle;
    out->separator_size = own_key(node, middle, out->separator);
}

void
node__var_cut_choose(const struct node *node, uint32_t index, const struct node_entry *entry,
                     struct node_cut *out)
{
    if (node->level == 0)
        cut_leaf(node, index, entry, out);
    else
        cut_inner(node, index, entry, out);
}

uint32_t
node__var_merged_size(const struct node *left, const struct node *right)
{
    const struct node *sources[] = {left, right};
    size_t prefix_size = 0;

    if (left->low_size > 0 && right->high_size > 0)
        prefix_size = node__common_size(left->low, left->low_size, right->high, right->high_size);
    size_t size = NODE_HEADER_SIZE + (size_t)left->low_size + right->high_size;

    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t i = 0; i < sources[s]->count; i++) {
            struct node_row row = node__row_own(sources[s], i);
            size_t key_size = (size_t)sources[s]->prefix_size + row.key_size;

            size += NODE_SLOT_SIZE + node__cell_size(prefix_size, key_size, row.value_size);
        }
    if (left->level > 0)
        size += NODE_SLOT_SIZE + node__cell_size(prefix_size, right->low_size, NODE_CHILD_SIZE);
    return (uint32_t)size;
}

bool
node__var_merge_may_fit(const struct node *left, const struct node *right)
{
    const struct node *nodes[] = {left, right};
    uint32_t entries = 0;

    for (uint32_t i = 0; i < 2; i++) {
        const struct node *node = nodes[i];
        uint32_t heap_end = PAGE_SIZE - (uint32_t)node->low_size - node->high_size;

        entries +=
            node->count * (uint32_t)NODE_SLOT_SIZE + heap_end - node->heap_offset - node->dead_size;
    }
    return NODE_HEADER_SIZE + entries <= PAGE_SIZE;
}

void
node__var_join(void *page, const struct node *left, const struct node *right)
{
    CHECK(node__var_merged_size(left, right) <= PAGE_SIZE);
    node__var_append_range(page, left, 0, left->count);
    if (left->level > 0) {
        le32 child = le32_of(right->link);
        struct node_entry entry = {.key = right->low,
                                   .key_size = right->low_size,
                                   .value = child.byte,
                                   .value_size = NODE_CHILD_SIZE};

        node__var_append(page, &entry);
    }
    node__var_append_range(page, right, 0, right->count);
}
