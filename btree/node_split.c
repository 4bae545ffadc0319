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
    bool copied = node_row_key(node, &row, out, &size);

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

/* Used size of a leaf with all entries of `node` between its low fence and `high`. */
static size_t
size_with_high(const struct node *node, const uint8_t *high, size_t high_size)
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
        if (size_with_high(node, out->separator, out->separator_size) > PAGE_SIZE)
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
node_cut_choose(const void *page, uint32_t index, const struct node_entry *entry,
                struct node_cut *out)
{
    struct node node = node__load_own(page);

    CHECK(node.count > 0 && index <= node.count);
    if (node.level == 0)
        cut_leaf(&node, index, entry, out);
    else
        cut_inner(&node, index, entry, out);
}

void
node_split(void *left, void *right, uint32_t right_number, const struct node_cut *cut)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];

    memcpy(copy, left, PAGE_SIZE);
    struct node source = node__load_own(copy);
    uint32_t left_number = le32_get(page_header(left)->page_number);
    struct node_fences fences_left = {source.low, source.low_size, cut->separator,
                                      cut->separator_size};
    struct node_fences fences_right = {cut->separator, cut->separator_size, source.high,
                                       source.high_size};
    uint32_t link_left = right_number;
    uint32_t link_right = source.link;
    uint32_t right_from = cut->index;

    CHECK(cut->index <= source.count && cut->separator_size > 0);
    if (source.level > 0) {
        bool found = node_child_at(&source, cut->index + 1, &link_right);

        CHECK(found);
        link_left = source.link;
        right_from = cut->index + 1;
    }
    node_init(left, left_number, source.tree_id, source.level, link_left, &fences_left);
    node_init(right, right_number, source.tree_id, source.level, link_right, &fences_right);
    node__append_range(left, &source, 0, cut->index);
    node__append_range(right, &source, right_from, source.count);
    CHECK(node_used_size(left) <= PAGE_SIZE && node_used_size(right) <= PAGE_SIZE); /* B5 */
    DCHECK(node__invariants_hold(left) && node__invariants_hold(right));
}

/* Fences of the union, and its size. */
static size_t
merged_size(const struct node *left, const struct node *right, struct node_fences *fences)
{
    const struct node *sources[] = {left, right};
    size_t prefix_size = 0;

    *fences = (struct node_fences){left->low, left->low_size, right->high, right->high_size};
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
    return size;
}

bool
node_merge_fits(const void *left, const void *right)
{
    struct node node_left = node__load_own(left);
    struct node node_right = node__load_own(right);
    struct node_fences fences;

    CHECK(node_left.level == node_right.level && node_left.tree_id == node_right.tree_id);
    /* An eighth stays free, so that the next insert does not split what was just merged. */
    return merged_size(&node_left, &node_right, &fences) <= PAGE_SIZE - PAGE_SIZE / 8;
}

void
node_merge(void *left, const void *right)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];

    memcpy(copy, left, PAGE_SIZE);
    struct node node_left = node__load_own(copy);
    struct node node_right = node__load_own(right);
    struct node_fences fences;
    uint32_t number = le32_get(page_header(left)->page_number);
    bool is_leaf = node_left.level == 0;

    CHECK(merged_size(&node_left, &node_right, &fences) <= PAGE_SIZE);
    CHECK(node_left.high_size == node_right.low_size &&
          memcmp(node_left.high, node_right.low, node_left.high_size) == 0);
    node_init(left, number, node_left.tree_id, node_left.level,
              is_leaf ? node_right.link : node_left.link, &fences);
    node__append_range(left, &node_left, 0, node_left.count);
    if (!is_leaf) {
        le32 child = le32_of(node_right.link);
        struct node_entry entry = {.key = node_right.low,
                                   .key_size = node_right.low_size,
                                   .value = child.byte,
                                   .value_size = NODE_CHILD_SIZE};
        node__append(left, &entry);
    }
    node__append_range(left, &node_right, 0, node_right.count);
    CHECK(node_used_size(left) <= PAGE_SIZE);
    DCHECK(node__invariants_hold(left));
}

void
node_replace_root(void *page, const void *child)
{
    struct node root = node__load_own(page);
    struct node node = node__load_own(child);
    struct page_header *header = page_header(page);

    CHECK(root.level == node.level + 1 && root.count == 0);
    CHECK(node.low_size == 0 && node.high_size == 0);
    memcpy((uint8_t *)page + PAGE_HEADER_SIZE, (const uint8_t *)child + PAGE_HEADER_SIZE,
           PAGE_SIZE - PAGE_HEADER_SIZE);
    header->type = page_header_const(child)->type;
    header->level = node.level;
}
