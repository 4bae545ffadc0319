/*
 * A row copied out of a page. Buffers only grow: a cursor reuses one for its whole life.
 */
#include "btree/tree_private.h"

enum { BUFFER_FIRST = 64, EXACT_MIN = 1 << 20 };

void
btree_row_init(struct btree_row *row, struct memory *memory)
{
    *row = (struct btree_row){.memory = memory};
}

void
btree_row_deinit(struct btree_row *row)
{
    memory_free(row->memory, MEMORY_OTHER, row->key, row->key_capacity);
    memory_free(row->memory, MEMORY_OTHER, row->buffer, row->buffer_capacity);
    *row = (struct btree_row){.memory = row->memory};
}

/* Makes a buffer at least `size` bytes large; what it held is gone. */
static enum status
reserve(struct memory *memory, uint8_t **buffer, size_t *capacity, size_t size)
{
    size_t wanted = *capacity == 0 ? BUFFER_FIRST : *capacity;

    if (size <= *capacity)
        return STATUS_OK;
    while (wanted < size)
        wanted *= 2;
    if (size > EXACT_MIN)
        wanted = size;
    uint8_t *fresh = memory_alloc(memory, MEMORY_OTHER, wanted);
    if (fresh == NULL)
        return STATUS_NO_MEMORY;
    memory_free(memory, MEMORY_OTHER, *buffer, *capacity);
    *buffer = fresh;
    *capacity = wanted;
    return STATUS_OK;
}

enum status
tree__row_reserve(struct btree_row *row, size_t key_size, size_t value_size)
{
    CHECK(key_size <= BTREE_KEY_SIZE_MAX && value_size <= BTREE_VALUE_SIZE_MAX);
    TRY(reserve(row->memory, &row->key, &row->key_capacity, key_size));
    TRY(reserve(row->memory, &row->buffer, &row->buffer_capacity, value_size));
    row->value = row->buffer;
    return STATUS_OK;
}
