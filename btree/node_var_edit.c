/*
 * Changing a slotted node in place.
 *
 * Cells are taken from the gap between slots and heap. A removed or outgrown cell becomes dead bytes,
 * counted but not cleared: clearing would put as many zeros in the log as the cell had bytes, and an
 * image loses its dead bytes at the next compaction anyway. The gap itself is kept zero, so that
 * images leave it out. When the gap is too small but gap and dead bytes together are enough, the heap
 * is packed anew through a copy on the stack.
 *
 * Only slots are moved by memmove, and each such move is handed back for the pager.
 */
#include "btree/node_private.h"

size_t
node__common_size(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t limit = a_size < b_size ? a_size : b_size;
    size_t size = 0;

    while (size < limit && a[size] == b[size])
        size++;
    return size;
}

void
node__var_init(void *page, const struct node_fences *fences)
{
    struct node_header *header = node__header(page);
    uint8_t *bytes = page;
    uint32_t heap = PAGE_SIZE - (uint32_t)(fences->low_size + fences->high_size);

    header->heap_offset = le16_of((uint16_t)heap);
    header->low_size = le16_of((uint16_t)fences->low_size);
    header->high_size = le16_of((uint16_t)fences->high_size);
    if (fences->low_size > 0)
        memcpy(bytes + PAGE_SIZE - fences->low_size, fences->low, fences->low_size);
    if (fences->high_size > 0)
        memcpy(bytes + heap, fences->high, fences->high_size);
    node__var_blocks_make(page);
    if (fences->low_size > 0 && fences->high_size > 0)
        header->prefix_size = le16_of((uint16_t)node__common_size(fences->low, fences->low_size,
                                                                  fences->high, fences->high_size));
}

uint32_t
node__var_used_size(const void *page)
{
    const struct node_header *header = node__header_const(page);

    return NODE_HEADER_SIZE + (uint32_t)le16_get(header->count) * NODE_SLOT_SIZE + PAGE_SIZE -
           le16_get(header->heap_offset) - le16_get(header->dead_size);
}

static uint32_t
gap_size(const void *page)
{
    const struct node_header *header = node__header_const(page);

    return le16_get(header->heap_offset) - NODE_HEADER_SIZE -
           (uint32_t)le16_get(header->count) * NODE_SLOT_SIZE;
}

static size_t
entry_cell_size(const void *page, const struct node_entry *entry)
{
    size_t prefix_size = le16_get(node__header_const(page)->prefix_size);

    CHECK(entry->key_size <= NODE_KEY_SIZE_MAX && entry->key_size >= prefix_size);
    CHECK(entry->value_size <= NODE_VALUE_SIZE_MASK);
    return node__cell_size(prefix_size, entry->key_size, entry->value_size);
}

bool
node__var_fits(const void *page, const struct node_entry *entry)
{
    return node__var_used_size(page) + NODE_SLOT_SIZE + entry_cell_size(page, entry) <= PAGE_SIZE;
}

bool
node__var_replace_fits(const void *page, uint32_t index, const struct node_entry *entry)
{
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);

    return node__var_used_size(page) - row.cell_size + entry_cell_size(page, entry) <= PAGE_SIZE;
}

/* Packs the cells of all slots but those whose offset is 0 against the fences. */
static void
compact(void *page)
{
    _Alignas(8) uint8_t copy[PAGE_SIZE];
    struct node_header *header = node__header(page);
    struct node_slot *slots = node__slots(page);
    uint32_t heap = node__heap_end(page);
    uint32_t slots_end = NODE_HEADER_SIZE + (uint32_t)le16_get(header->count) * NODE_SLOT_SIZE;

    memcpy(copy, page, PAGE_SIZE);
    struct node source = node__load_own(copy);
    for (uint32_t i = 0; i < source.count; i++) {
        if (le16_get(slots[i].offset) == 0)
            continue;
        struct node_row row = node__row_own(&source, i);

        CHECK(heap >= slots_end + row.cell_size);
        heap -= row.cell_size;
        memcpy((uint8_t *)page + heap, copy + row.cell_offset, row.cell_size);
        slots[i].offset = le16_of((uint16_t)heap);
    }
    memset((uint8_t *)page + slots_end, 0, heap - slots_end);
    header->heap_offset = le16_of((uint16_t)heap);
    header->dead_size = le16_of(0);
    CHECK(heap >= slots_end && heap <= node__heap_end(page));
}

/* Takes `size` bytes of the gap for the entry's cell, fills them and the slot. */
static void
write_cell(void *page, struct node_slot *slot, const struct node_entry *entry, size_t size)
{
    struct node_header *header = node__header(page);
    size_t prefix_size = le16_get(header->prefix_size);
    size_t suffix_size = entry->key_size - prefix_size;
    const uint8_t *suffix = entry->key + prefix_size;
    uint32_t heap = le16_get(header->heap_offset) - (uint32_t)size;
    uint8_t *cell = (uint8_t *)page + heap;
    uint32_t value = (uint32_t)entry->value_size | (entry->is_overflow ? NODE_VALUE_OVERFLOW : 0);
    uint32_t head = 0;

    CHECK(size <= gap_size(page));
    cell[0] = (uint8_t)value;
    cell[1] = (uint8_t)(value >> 8);
    cell += NODE_CELL_HEADER_SIZE;
    if (suffix_size > NODE_HEAD_SIZE) {
        memcpy(cell, suffix + NODE_HEAD_SIZE, suffix_size - NODE_HEAD_SIZE);
        cell += suffix_size - NODE_HEAD_SIZE;
    }
    if (entry->value_size > 0)
        memcpy(cell, entry->value, entry->value_size);
    memcpy(&head, suffix, suffix_size < NODE_HEAD_SIZE ? suffix_size : NODE_HEAD_SIZE);
    slot->offset = le16_of((uint16_t)heap);
    slot->key_size = le16_of((uint16_t)suffix_size);
    slot->head = le32_of(__builtin_bswap32(head));
    header->heap_offset = le16_of((uint16_t)heap);
}

void
node__var_insert(void *page, uint32_t index, const struct node_entry *entry,
                 struct node_moves *moves_out)
{
    struct node_header *header = node__header(page);
    uint32_t count = le16_get(header->count);
    size_t size = entry_cell_size(page, entry);
    struct node_slot *slot = node__slots(page) + index;

    CHECK(index <= count);
    if (gap_size(page) < size + NODE_SLOT_SIZE)
        compact(page);
    uint32_t from = NODE_HEADER_SIZE + index * NODE_SLOT_SIZE;
    uint32_t moved = (count - index) * NODE_SLOT_SIZE;
    node__moves_add(moves_out, from, from + NODE_SLOT_SIZE, moved);
    memmove(slot + 1, slot, moved);
    header->count = le16_of((uint16_t)(count + 1));
    write_cell(page, slot, entry, size);
    node__var_blocks_insert(page, index);
}

void
node__var_replace(void *page, uint32_t index, const struct node_entry *entry)
{
    struct node_header *header = node__header(page);
    struct node_slot *slot = node__slots(page) + index;
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);
    size_t size = entry_cell_size(page, entry);

    CHECK(row.key_size + (size_t)node.prefix_size == entry->key_size);
    if (row.value_size == entry->value_size && row.is_overflow == entry->is_overflow) {
        uint8_t *value = (uint8_t *)page + row.cell_offset + row.cell_size - row.value_size;

        if (row.value_size > 0)
            memcpy(value, entry->value, row.value_size);
        return;
    }
    header->dead_size = le16_of((uint16_t)(node.dead_size + row.cell_size));
    if (gap_size(page) < size) {
        slot->offset = le16_of(0);
        compact(page);
    }
    write_cell(page, slot, entry, size);
}

void
node__var_remove(void *page, uint32_t index, struct node_moves *moves_out)
{
    struct node_header *header = node__header(page);
    struct node node = node__load_own(page);
    struct node_row row = node__row_own(&node, index);
    struct node_slot *slot = node__slots(page) + index;
    uint32_t from = NODE_HEADER_SIZE + (index + 1) * NODE_SLOT_SIZE;

    uint32_t moved = (node.count - index - 1u) * NODE_SLOT_SIZE;

    node__moves_add(moves_out, from, from - NODE_SLOT_SIZE, moved);
    memmove(slot, slot + 1, moved);
    memset(node__slots(page) + node.count - 1, 0, NODE_SLOT_SIZE);
    header->count = le16_of((uint16_t)(node.count - 1));
    header->dead_size = le16_of((uint16_t)(node.dead_size + row.cell_size));
    CHECK(node.dead_size + row.cell_size <= node__heap_end(page) - node.heap_offset);
    node__var_blocks_remove(page, index);
}

void
node__var_append(void *page, const struct node_entry *entry)
{
    struct node_header *header = node__header(page);
    uint32_t count = le16_get(header->count);
    size_t size = entry_cell_size(page, entry);

    CHECK(gap_size(page) >= size + NODE_SLOT_SIZE);
    header->count = le16_of((uint16_t)(count + 1));
    write_cell(page, node__slots(page) + count, entry, size);
}

void
node__var_append_range(void *page, const struct node *source, uint32_t from, uint32_t to)
{
    uint8_t key[NODE_KEY_SIZE_MAX];

    CHECK(from <= to && to <= source->count);
    for (uint32_t i = from; i < to; i++) {
        struct node_row row = node__row_own(source, i);
        struct node_entry entry = {
            .key = key,
            .value = row.value,
            .value_size = row.value_size,
            .is_overflow = row.is_overflow,
        };
        bool copied = node__var_row_key(source, &row, key, &entry.key_size);

        CHECK(copied);
        node__var_append(page, &entry);
    }
    node__var_blocks_make(page);
}
