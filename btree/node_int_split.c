/*
 * Where to cut an integer node. The rules are those of variable nodes (node_var_split.c), and simpler:
 * fences take no room, and a separator is a whole key. A leaf at the tree's right edge is cut behind
 * its last row, so that loads in key order leave full pages. The halves choose their forms anew, so a
 * leaf that one odd value forced into the slotted form gets one half back.
 */
#include "btree/node_private.h"

static void
separate(uint64_t number, struct node_cut *out)
{
    uint64_t swapped = __builtin_bswap64(number);

    out->separator_size = NODE_INT_KEY_SIZE;
    memcpy(out->separator, &swapped, NODE_INT_KEY_SIZE);
}

static void
separate_row(const struct node *node, uint32_t index, struct node_cut *out)
{
    out->index = index;
    separate(node__row_own(node, index).number, out);
}

static size_t
row_size(const struct node *node, uint32_t index)
{
    size_t value_size =
        node->form == NODE_INT_FIXED ? node->value_size : node__row_own(node, index).cell_size;

    return NODE_INT_KEY_SIZE + value_size;
}

/* The row where half of the bytes, the new entry's included, lie to the left. */
static uint32_t
middle_row(const struct node *node, uint32_t index, const struct node_entry *entry)
{
    size_t new_size = NODE_INT_KEY_SIZE + entry->value_size;
    size_t total = new_size;
    size_t left = 0;
    uint32_t i = 0;

    for (uint32_t j = 0; j < node->count; j++)
        total += row_size(node, j);
    for (; i < node->count && left < total / 2; i++) {
        left += row_size(node, i);
        if (i == index)
            left += new_size;
    }
    return i < node->count ? i : node->count - 1u;
}

void
node__int_cut_choose(const struct node *node, uint32_t index, const struct node_entry *entry,
                     struct node_cut *out)
{
    bool at_edge = index == node->count && node->high_size == 0;

    if (node->level > 0) {
        separate_row(node, at_edge ? node->count - 1u : middle_row(node, index, entry), out);
        return;
    }
    if (at_edge || (node->count == 1 && index == 1)) {
        uint64_t number;

        CHECK(entry->key_size == NODE_INT_KEY_SIZE);
        memcpy(&number, entry->key, sizeof(number));
        out->index = node->count;
        separate(__builtin_bswap64(number), out);
        return;
    }
    uint32_t middle = node->count == 1 ? 0 : middle_row(node, index, entry);

    separate_row(node, middle == 0 && node->count > 1 ? 1 : middle, out);
}
