/*
 * Is this page a node? For bytes from disk, whose checksum may hold and whose content may still be
 * anything: the rule in node_format.h, in two depths. The shape is what changing a node relies on
 * (sizes add up, everything lies inside the page); the whole rule also asks for order, heads and
 * that cells do not overlap, at the price of comparing every key with its neighbour.
 */
#include "btree/node_private.h"

static enum status
refuse(const char **reason_out, const char *reason)
{
    *reason_out = reason;
    return STATUS_CORRUPT;
}

static enum status
validate_header(const void *page, struct node *node, const char **reason_out)
{
    const struct node_header *header = page;

    if (!node_load_page(page, node))
        return refuse(reason_out, "the header of the node is out of bounds");
    if (!bytes_are_zero(header->reserved, sizeof(header->reserved)))
        return refuse(reason_out, "reserved bytes of the node are not zero");
    if (node->level >= 64)
        return refuse(reason_out, "the level of the node is out of range");
    size_t common = node__common_size(node->low, node->low_size, node->high, node->high_size);

    if (node->prefix_size > common)
        return refuse(reason_out, "the prefix is not one of both fences");
    if (node->high_size > 0 && common == node->high_size)
        return refuse(reason_out, "the high fence is not above the low one");
    if (node->high_size > 0 && common < node->low_size && node->low[common] > node->high[common])
        return refuse(reason_out, "the high fence is not above the low one");
    return STATUS_OK;
}

enum status
node__var_validate_shape(const void *page, const char **reason_out)
{
    const struct node_header *header = page;
    struct node node;
    uint32_t size = 0;
    uint32_t slots = 0;

    TRY(validate_header(page, &node, reason_out));
    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++)
        slots += header->block[block];
    if (slots != node.count)
        return refuse(reason_out, "the blocks' slots do not add up to the node's");
    for (uint32_t i = 0; i < node.count; i++) {
        struct node_row row;

        if (!node__var_row_at(&node, i, &row))
            return refuse(reason_out, "a cell lies outside the heap");
        if (node.level > 0 && (row.value_size != NODE_CHILD_SIZE || row.is_overflow))
            return refuse(reason_out, "an inner page's cell does not hold a child");
        if (row.is_overflow && row.value_size <= OVERFLOW_REF_HEADER_SIZE)
            return refuse(reason_out, "an overflow reference is too short");
        size += row.cell_size;
    }
    if (size + node.dead_size != node__heap_end(page) - node.heap_offset)
        return refuse(reason_out, "the cells do not add up to the heap");
    return STATUS_OK;
}

bool
node__take_bytes(uint64_t *taken, uint32_t offset, uint32_t size)
{
    for (uint32_t i = offset; i < offset + size;) {
        uint32_t bit = i % 64;
        uint32_t run = 64 - bit < offset + size - i ? 64 - bit : offset + size - i;
        uint64_t mask = (run == 64 ? ~UINT64_C(0) : ((UINT64_C(1) << run) - 1)) << bit;

        if ((taken[i / 64] & mask) != 0)
            return false;
        taken[i / 64] |= mask;
        i += run;
    }
    return true;
}

static bool
head_is_right(const struct node_row *row)
{
    for (uint32_t i = row->key_size; i < NODE_HEAD_SIZE; i++)
        if (row->head[i] != 0)
            return false;
    return true;
}

static int
order_of(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t common = node__common_size(a, a_size, b, b_size);

    if (common < a_size && common < b_size)
        return a[common] < b[common] ? -1 : 1;
    return a_size < b_size ? -1 : a_size > b_size;
}

static enum status
validate_rows(const struct node *node, const char **reason_out)
{
    uint8_t keys[2][NODE_KEY_SIZE_MAX];
    size_t sizes[2] = {node->low_size, 0};
    uint64_t taken[PAGE_SIZE / 64] = {0};

    memcpy(keys[0], node->low, node->low_size);
    for (uint32_t i = 0; i < node->count; i++) {
        const uint8_t *before = keys[i % 2];
        uint8_t *key = keys[(i + 1) % 2];
        size_t *size = &sizes[(i + 1) % 2];
        struct node_row row;

        if (!node__var_row_at(node, i, &row) || !node__var_row_key(node, &row, key, size))
            return refuse(reason_out, "a cell lies outside the heap");
        if (!head_is_right(&row))
            return refuse(reason_out, "the head of a short key is not filled with zeros");
        if (!node__take_bytes(taken, row.cell_offset, row.cell_size))
            return refuse(reason_out, "two cells overlap");
        int order = order_of(before, sizes[i % 2], key, *size);

        /* A leaf's first key may equal its low fence. */
        if (order > 0 || (order == 0 && (i > 0 || node->level > 0)))
            return refuse(reason_out, "keys do not rise");
        if (*size == 0)
            return refuse(reason_out, "a key is empty");
        if (node->high_size > 0 && order_of(key, *size, node->high, node->high_size) >= 0)
            return refuse(reason_out, "a key is not below the high fence");
    }
    return STATUS_OK;
}

/* Heads rise, as keys do: only the ends of blocks need looking at. */
static enum status
validate_blocks(const void *page, const struct node *node, const char **reason_out)
{
    const struct node_header *header = page;
    const struct node_slot *slots =
        (const struct node_slot *)(const void *)((const uint8_t *)page + NODE_HEADER_SIZE);
    uint32_t first = 0;

    if (le32_get(header->hint[NODE_BLOCK_COUNT - 1]) != UINT32_MAX)
        return refuse(reason_out, "the last hint is a bound");
    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++) {
        uint32_t end = first + header->block[block];
        uint32_t hint = le32_get(header->hint[block]);
        uint32_t before = block > 0 ? le32_get(header->hint[block - 1]) : 0;

        if (hint < before)
            return refuse(reason_out, "hints fall");
        if (end > first && le32_get(slots[end - 1].head) > hint)
            return refuse(reason_out, "a head is above its block's hint");
        if (end > first && le32_get(slots[first].head) < before)
            return refuse(reason_out, "a head is below the hint before its block");
        first = end;
    }
    CHECK(first == node->count);
    return STATUS_OK;
}

enum status
node__var_validate(const void *page, const char **reason_out)
{
    struct node node;

    TRY(node__var_validate_shape(page, reason_out));
    TRY(validate_header(page, &node, reason_out));
    uint32_t slots_end = NODE_HEADER_SIZE + (uint32_t)node.count * NODE_SLOT_SIZE;

    if (!bytes_are_zero((const uint8_t *)page + slots_end, node.heap_offset - slots_end))
        return refuse(reason_out, "free space is not zero");
    TRY(validate_rows(&node, reason_out));
    return validate_blocks(page, &node, reason_out);
}
