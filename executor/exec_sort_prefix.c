/*
 * The first 63 bits of a sort key as a number: numbers of prefixes compare as the keys do, or are equal.
 * Nulls are the least or the greatest of all. Types without such a number share one.
 */
#include <math.h>
#include <string.h>

#include "executor/exec_sort.h"
#include "executor/numeric.h"
#include "kernel/base/check.h"

#define PREFIX_MAX ((UINT64_C(1) << 63) - 1)

static uint64_t
of_real(double real)
{
    uint64_t bits;

    if (isnan(real))
        return PREFIX_MAX;
    if (real == 0)
        real = 0; /* Minus zero equals zero. */
    memcpy(&bits, &real, sizeof(bits));
    return ((bits >> 63) != 0 ? ~bits : bits | UINT64_C(1) << 63) >> 1;
}

static uint64_t
of_bytes(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;

    for (size_t i = 0; i < sizeof(word); i++)
        word = word << 8 | (i < size ? bytes[i] : 0);
    return word >> 1;
}

/* The weight and the first three digits; the larger they are, the further from zero. */
static uint64_t
of_numeric(const uint8_t *bytes)
{
    const uint64_t zero = UINT64_C(1) << 62;
    struct numeric_header header;
    uint64_t size;

    memcpy(&header, bytes, sizeof(header));
    uint32_t count = le16_get(header.digit_count);
    if (le16_get(header.sign) == NUMERIC_NAN)
        return PREFIX_MAX;
    if (count == 0)
        return zero;
    size = (uint64_t)((int16_t)le16_get(header.weight) + 32768);
    for (uint32_t i = 0; i < 3; i++) {
        le16 digit = {{0, 0}};

        if (i < count)
            memcpy(digit.byte, bytes + sizeof(header) + 2 * (size_t)i, 2);
        size = size << 14 | le16_get(digit);
    }
    return le16_get(header.sign) == NUMERIC_NEGATIVE ? zero - 1 - size : zero + 1 + size;
}

static uint64_t
of_value(const struct value *value)
{
    size_t size = value->size;

    switch (value->type) {
    case QTDB_TYPE_FLOAT4:
    case QTDB_TYPE_FLOAT8:
        return of_real(value->real);
    case QTDB_TYPE_NUMERIC:
        return of_numeric(value->bytes);
    case QTDB_TYPE_CHAR:
        while (size > 0 && value->bytes[size - 1] == ' ')
            size--;
        return of_bytes(value->bytes, size);
    case QTDB_TYPE_TEXT:
    case QTDB_TYPE_VARCHAR:
    case QTDB_TYPE_BYTEA:
    case QTDB_TYPE_UUID:
        return of_bytes(value->bytes, size);
    case QTDB_TYPE_BOOL:
    case QTDB_TYPE_INT2:
    case QTDB_TYPE_INT4:
    case QTDB_TYPE_INT8:
    case QTDB_TYPE_DATE:
    case QTDB_TYPE_TIME:
    case QTDB_TYPE_TIMESTAMP:
    case QTDB_TYPE_TIMESTAMPTZ:
        return ((uint64_t)value->integer ^ UINT64_C(1) << 63) >> 1;
    default:
        return 0;
    }
}

uint64_t
exec__sort_prefix(const struct plan *plan, const struct value *row)
{
    const struct plan_sort_key *key = &plan->sort_keys[0];
    const struct value *value = &row[key->column];

    if (value->null)
        return key->nulls_first ? 0 : UINT64_MAX;
    uint64_t prefix = of_value(value);
    return 1 + (key->descending ? PREFIX_MAX - prefix : prefix);
}
