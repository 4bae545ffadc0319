/* Reading stored rows, inside: what row_reader.c and row_reader_span.c share. */
#ifndef EXECUTOR_ROW_READER_PRIVATE_H
#define EXECUTOR_ROW_READER_PRIVATE_H

#include <string.h>

#include "executor/array.h"
#include "executor/numeric.h"
#include "executor/row_reader.h"
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

/* What is kept in a slot, */
enum { HOW_NUMBER = 1, HOW_BOOL = 2, HOW_REAL = 3, HOW_BYTES = 4, HOW_CHECKED = 5 };
/* and what is done with it in a row without nulls. */
enum {
    DO_TAKE = 0,
    DO_PASS_NUMBERS = 1,
    DO_PASS_BYTES = 2,
    DO_TAKE_NUMBER = 3,
    DO_TAKE_BYTES = 4,
    DO_PASS_REAL = 5,
};

#define ROW_READER_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t
load_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Each of the following gives where the next value begins, or NULL when the bytes are not there. They are of
 * use only inside the loops over slots. */

/* Past so many numbers: behind the last byte of each the next one begins. */
static inline __attribute__((always_inline)) const uint8_t *
pass_numbers(const uint8_t *next, const uint8_t *end, uint32_t count)
{
    for (; end - next >= (ptrdiff_t)sizeof(uint64_t); next += sizeof(uint64_t)) {
        uint64_t ends = ~load_word(next) & ROW_READER_HIGH_BITS;

        for (; ends != 0 && count > 1; count--)
            ends &= ends - 1;
        if (ends != 0)
            return next + ((unsigned)__builtin_ctzll(ends) + 1) / 8;
    }
    for (; next < end && count > 0; next++)
        count -= *next < 0x80;
    return count == 0 ? next : NULL;
}

static inline const uint8_t *
take_long_varint(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    struct byte_reader reader = byte_reader_init(next, (size_t)(end - next));

    return byte_reader_get_varint(&reader, out) ? next + reader.offset : NULL;
}

static inline __attribute__((always_inline)) const uint8_t *
take_varint(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    if (next == end || *next >= 0x80)
        return take_long_varint(next, end, out);
    *out = *next;
    return next + 1;
}

/* The same for lengths that differ: seven bits of each byte are moved together in three steps. */
static inline __attribute__((always_inline)) const uint8_t *
take_number(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    if (end - next < (ptrdiff_t)sizeof(uint64_t))
        return take_varint(next, end, out);
    uint64_t word = load_word(next), ends = ~word & ROW_READER_HIGH_BITS;
    if (ends == 0)
        return take_long_varint(next, end, out);
    uint32_t last = (uint32_t)__builtin_ctzll(ends); /* The high bit of the last byte. */
    word &= ends ^ (ends - 1);
    /* Longer than needed: refused there. */
    if (word >> (last - 7) == 0 && last > 7)
        return take_long_varint(next, end, out);
    word = (word & 0x007f007f007f007fu) | (word & 0x7f007f007f007f00u) >> 1;
    word = (word & 0x00003fff00003fffu) | (word & 0x3fff00003fff0000u) >> 2;
    *out = (word & 0x000000000fffffffu) | (word & 0x0fffffff00000000u) >> 4;
    return next + (last + 1) / 8;
}

static inline bool
is_valid(const struct row_slot *slot, const uint8_t *bytes, uint32_t size)
{
    if (slot->type == QTDB_TYPE_NUMERIC)
        return numeric_is_valid(bytes, size);
    if (value_is_array(slot->type))
        return array_is_valid(value_element(slot->type), bytes, size);
    return value_is_enum(slot->type) ? size >= VALUE_ENUM_HEAD : size == 16;
}

static inline __attribute__((always_inline)) const uint8_t *
take_bytes(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    uint64_t size = 0;

    next = take_varint(next, end, &size);
    if (next == NULL || size > (uint64_t)(end - next) || size > UINT32_MAX)
        return NULL;
    if (slot->wanted)
        *out = (struct value){.type = slot->type, .size = (uint32_t)size, .bytes = next};
    return next + size;
}

static inline const uint8_t *
take_real(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    if (end - next < (ptrdiff_t)sizeof(double))
        return NULL;
    if (slot->wanted) {
        *out = (struct value){.type = slot->type};
        memcpy(&out->real, next, sizeof(out->real));
    }
    return next + sizeof(double);
}

static inline const uint8_t *
take_bool(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    if (next == end || *next > 1)
        return NULL;
    if (slot->wanted)
        *out = (struct value){.type = slot->type, .integer = *next};
    return next + 1;
}

static inline const uint8_t *
take_value(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, struct value *out)
{
    uint64_t word = 0;

    switch (slot->how) {
    case HOW_NUMBER:
        if (!slot->wanted)
            return pass_numbers(next, end, 1);
        next = take_number(next, end, &word);
        *out = (struct value){.type = slot->type,
                              .integer = (int64_t)(word >> 1) ^ -(int64_t)(word & 1)};
        return next;
    case HOW_BOOL:
        return take_bool(next, end, slot, out);
    case HOW_REAL:
        return take_real(next, end, slot, out);
    default:
        return take_bytes(next, end, slot, out);
    }
}

static inline bool
all_hold(const struct row_test *test, const struct value *values)
{
    for (; test != NULL; test = test->next) {
        if (!row_test_holds(test, values))
            return false;
    }
    return true;
}

/* As take_value, for what most slots are without a call; `action` is the slot's. */
static inline __attribute__((always_inline)) const uint8_t *
take_present(const uint8_t *next, const uint8_t *end, const struct row_slot *slot, uint8_t action,
             struct value *out)
{
    uint64_t word = 0;

    switch (action) {
    case DO_PASS_NUMBERS:
        return pass_numbers(next, end, slot->step);
    case DO_PASS_BYTES:
        next = take_varint(next, end, &word);
        return next == NULL || word > (uint64_t)(end - next) ? NULL : next + word;
    case DO_PASS_REAL:
        return end - next < (ptrdiff_t)sizeof(double) ? NULL : next + sizeof(double);
    case DO_TAKE_NUMBER:
        next = take_number(next, end, &word);
        *out = (struct value){.type = slot->type,
                              .integer = (int64_t)(word >> 1) ^ -(int64_t)(word & 1)};
        return next;
    case DO_TAKE_BYTES:
        return take_bytes(next, end, slot, out);
    default:
        return take_value(next, end, slot, out);
    }
}

static inline bool
begin(const struct row_reader *reader, const uint8_t *bytes, size_t size, struct row_place *place)
{
    const uint8_t *end = bytes + size, *next;
    uint64_t stored = 0;
    uint8_t nulls = 0;

    if (size == 0 || bytes[0] != ROW_FORMAT)
        return false;
    next = take_varint(bytes + 1, end, &stored);
    if (next == NULL || stored > reader->table->slot_count ||
        (stored + 7) / 8 > (uint64_t)(end - next))
        return false;
    for (uint32_t i = 0; i < (stored + 7) / 8; i++)
        nulls |= next[i];
    *place = (struct row_place){.next = next + (stored + 7) / 8,
                                .end = end,
                                .nulls = next,
                                .stored = (uint32_t)stored,
                                .has_nulls = nulls != 0};
    return true;
}

#endif
