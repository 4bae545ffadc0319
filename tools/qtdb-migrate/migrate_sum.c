/* See migrate_sum.h. */
#include "tools/qtdb-migrate/migrate_sum.h"

#include <math.h>
#include <string.h>

#include "kernel/base/checksum.h"

/* The kind of value, and 8 bytes. */
static void
add_word(struct text_buffer *row, char kind, const void *word)
{
    char bytes[1 + sizeof(uint64_t)] = {kind};

    memcpy(bytes + 1, word, sizeof(uint64_t));
    text_buffer_add(row, bytes, sizeof(bytes));
}

void
migrate_sum_null(struct text_buffer *row)
{
    text_buffer_add_char(row, 'n');
}

void
migrate_sum_integer(struct text_buffer *row, int64_t value)
{
    add_word(row, 'i', &value);
}

void
migrate_sum_real(struct text_buffer *row, double value)
{
    /* All NaNs are one, as in SQL. */
    double plain = isnan(value) ? (double)NAN : value;

    add_word(row, 'r', &plain);
}

void
migrate_sum_bytes(struct text_buffer *row, const void *bytes, size_t size)
{
    uint64_t length = size;

    add_word(row, 'b', &length);
    text_buffer_add(row, bytes, size);
}

bool
migrate_sum_row(struct migrate_sum *sum, struct text_buffer *row)
{
    if (row->failed)
        return false;
    struct checksum128 checksum = checksum128(row->bytes, row->size, 0);
    uint64_t low = sum->low + checksum.low;

    sum->high += checksum.high + (low < sum->low);
    sum->low = low;
    sum->row_count++;
    text_buffer_reset(row);
    return true;
}

bool
migrate_sum_equals(const struct migrate_sum *left, const struct migrate_sum *right)
{
    return left->low == right->low && left->high == right->high &&
           left->row_count == right->row_count;
}
