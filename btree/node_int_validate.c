/*
 * Is this page an integer node? The rule in node_format.h, in the same two depths as for variable
 * nodes: the shape is what changing relies on, the whole rule asks for order, hints and overlaps.
 */
#include "btree/node_private.h"

static enum status
refuse(const char **reason_out, const char *reason)
{
    *reason_out = reason;
    return STATUS_CORRUPT;
}

static uint64_t
fence_of(const uint8_t *bytes)
{
    uint64_t number;

    memcpy(&number, bytes, sizeof(number));
    return __builtin_bswap64(number);
}

static enum status
validate_header(const void *page, struct node *node, const char **reason_out)
{
    const struct node_int_header *header = page;

    if (!node_load_page(page, node) || node->kind != NODE_INT)
        return refuse(reason_out, "the header of the node is out of bounds");
    if (!bytes_are_zero(header->reserved, sizeof(header->reserved)) ||
        (header->fences & ~(NODE_INT_HAS_LOW | NODE_INT_HAS_HIGH)) != 0)
        return refuse(reason_out, "reserved bytes of the node are not zero");
    if (node->level >= 64)
        return refuse(reason_out, "the level of the node is out of range");
    if ((node->low_size == 0 && fence_of(node->low) != 0) ||
        (node->high_size == 0 && fence_of(node->high) != 0))
        return refuse(reason_out, "a fence that is not there is not zero");
    if (node->low_size > 0 && node->high_size > 0 && fence_of(node->high) <= fence_of(node->low))
        return refuse(reason_out, "the high fence is not above the low one");
    if (node->form == NODE_INT_SLOTTED ? node->value_size != 0
                                       : node->value_size > NODE_ENTRY_SIZE_MAX)
        return refuse(reason_out, "the size of values is out of range");
    if (node->form == NODE_INT_FIXED &&
        node->capacity !=
            (PAGE_SIZE - NODE_INT_HEADER_SIZE) / (NODE_INT_KEY_SIZE + node->value_size))
        return refuse(reason_out, "the capacity is not that of values of this size");
    return STATUS_OK;
}

enum status
node__int_validate_shape(const void *page, const char **reason_out)
{
    const struct node_int_header *header = page;
    struct node node;
    uint32_t size = 0;
    uint32_t rows = 0;

    TRY(validate_header(page, &node, reason_out));
    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++)
        rows += header->block[block];
    if (rows != node.count)
        return refuse(reason_out, "the blocks' rows do not add up to the node's");
    if (node.form == NODE_INT_FIXED)
        return STATUS_OK;
    for (uint32_t i = 0; i < node.count; i++) {
        struct node_row row;

        if (!node_row_at(&node, i, &row))
            return refuse(reason_out, "a cell lies outside the heap");
        if (row.value_size > NODE_ENTRY_SIZE_MAX)
            return refuse(reason_out, "the size of values is out of range");
        if (row.is_overflow && row.value_size <= OVERFLOW_REF_HEADER_SIZE)
            return refuse(reason_out, "an overflow reference is too short");
        size += row.cell_size;
    }
    if (size + node.dead_size != (uint32_t)PAGE_SIZE - node.heap_offset)
        return refuse(reason_out, "the cells do not add up to the heap");
    return STATUS_OK;
}

static enum status
validate_keys(const struct node *node, const char **reason_out)
{
    const uint8_t *keys = node->bytes + NODE_INT_HEADER_SIZE; /* The shape is right. */
    uint64_t before = 0;

    for (uint32_t i = 0; i < node->count; i++) {
        uint64_t number;

        memcpy(&number, keys + (size_t)i * NODE_INT_KEY_SIZE, sizeof(number));
        if (i > 0 && number <= before)
            return refuse(reason_out, "keys do not rise");
        if (node->low_size > 0 &&
            (number < fence_of(node->low) || (node->level > 0 && number == fence_of(node->low))))
            return refuse(reason_out, "a key is below the low fence");
        if (node->high_size > 0 && number >= fence_of(node->high))
            return refuse(reason_out, "a key is not below the high fence");
        before = number;
    }
    return STATUS_OK;
}

/* The hints are those of the keys, which rise: only the ends of blocks need looking at. */
static enum status
validate_blocks(const struct node *node, const char **reason_out)
{
    const struct node_int_header *header =
        (const struct node_int_header *)(const void *)node->bytes;
    uint32_t first = 0;

    if (le64_get(header->hint[NODE_BLOCK_COUNT - 1]) != UINT64_MAX)
        return refuse(reason_out, "the last hint is a bound");
    for (uint32_t block = 0; block < NODE_BLOCK_COUNT; block++) {
        uint32_t end = first + header->block[block];
        uint64_t hint = le64_get(header->hint[block]);

        if (block > 0 && hint < le64_get(header->hint[block - 1]))
            return refuse(reason_out, "hints fall");
        if (end > first && node__row_own(node, end - 1).number > hint)
            return refuse(reason_out, "a key is above its block's hint");
        if (block > 0 && end > first &&
            node__row_own(node, first).number <= le64_get(header->hint[block - 1]))
            return refuse(reason_out, "a key is not above the hint before its block");
        first = end;
    }
    return STATUS_OK;
}

enum status
node__int_validate(const void *page, const char **reason_out)
{
    uint64_t taken[PAGE_SIZE / 64] = {0};
    struct node node;

    TRY(node__int_validate_shape(page, reason_out));
    TRY(validate_header(page, &node, reason_out));
    TRY(validate_keys(&node, reason_out));
    TRY(validate_blocks(&node, reason_out));
    if (node.form == NODE_INT_FIXED)
        return STATUS_OK;
    uint32_t arrays_end = node__int_arrays_end(&node);

    if (!bytes_are_zero((const uint8_t *)page + arrays_end, node.heap_offset - arrays_end))
        return refuse(reason_out, "free space is not zero");
    for (uint32_t i = 0; i < node.count; i++) {
        struct node_row row = node__row_own(&node, i);

        if (!node__take_bytes(taken, row.cell_offset, row.cell_size))
            return refuse(reason_out, "two cells overlap");
    }
    return STATUS_OK;
}
