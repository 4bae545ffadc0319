/*
 * Case by ranges (unicode.h): in most, an upper-case letter stands at a fixed distance from its lower-case
 * one, or beside it, the upper-case one even or odd. Source: UnicodeData.txt 15.
 */
#include "executor/unicode.h"

#include <stdbool.h>
#include <string.h>

uint32_t
unicode_next(const char **next, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*next;
    uint32_t c = bytes[0];
    uint32_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (size > (size_t)(end - *next))
        size = 1;
    if (size > 1)
        c &= 0x7fu >> size;
    for (uint32_t i = 1; i < size; i++)
        c = c << 6 | (bytes[i] & 63);
    *next += size;
    return c;
}

size_t
unicode_sequence(const char *bytes, size_t left)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t size = at[0] < 0xc2 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (at[0] == 0 || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Longer than needed, surrogates, past the last character. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

size_t
unicode_valid_prefix(const char *bytes, size_t size)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t at = 0;

    while (at < size) {
        uint64_t word;

        if (size - at >= sizeof(word)) {
            memcpy(&word, bytes + at, sizeof(word));
            /* No byte has its top bit set, and none is zero. */
            if (((word | (word - ones)) & tops) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        /* The last bytes of a text, and most texts are short. */
        if ((unsigned char)(bytes[at] - 1) < 0x7f) {
            at++;
            continue;
        }
        size_t length = unicode_sequence(bytes + at, size - at);
        if (length == 0)
            return at;
        at += length;
    }
    return size;
}

size_t
unicode_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    uint32_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xff00u >> (more + 1) & 0xff) | c >> (6 * more));
    for (uint32_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 63));
    return more + 1;
}

static const struct {
    uint32_t upper_first, upper_last;
    uint32_t distance; /* 0: pairs, the upper-case letter even; 1: odd. */
} ranges[] = {
    {'A', 'Z', 32},         {0xc0, 0xd6, 32},     {0xd8, 0xde, 32},     {0x100, 0x12f, 0},
    {0x132, 0x137, 0},      {0x139, 0x148, 1},    {0x14a, 0x177, 0},    {0x179, 0x17e, 1},
    {0x1cd, 0x1dc, 1},      {0x1de, 0x1ef, 0},    {0x1f8, 0x21f, 0},    {0x222, 0x233, 0},
    {0x388, 0x38a, 37},     {0x391, 0x3a1, 32},   {0x3a3, 0x3ab, 32},   {0x3d8, 0x3ef, 0},
    {0x400, 0x40f, 80},     {0x410, 0x42f, 32},   {0x460, 0x481, 0},    {0x48a, 0x4bf, 0},
    {0x4c1, 0x4ce, 1},      {0x4d0, 0x52f, 0},    {0x531, 0x556, 48},   {0x1e00, 0x1e95, 0},
    {0x1ea0, 0x1eff, 0},    {0x2160, 0x216f, 16}, {0x24b6, 0x24cf, 26}, {0xff21, 0xff3a, 32},
    {0x10400, 0x10427, 40},
};
enum { RANGE_COUNT = sizeof(ranges) / sizeof(ranges[0]) };

static const uint32_t pairs[][2] = {{0x178, 0xff},  {0x386, 0x3ac}, {0x38c, 0x3cc}, {0x38e, 0x3cd},
                                    {0x38f, 0x3ce}, {0x39c, 0xb5},  {0x3a3, 0x3c2}, {0x1e9e, 0xdf}};
enum { PAIR_COUNT = sizeof(pairs) / sizeof(pairs[0]) };

uint32_t
unicode_upper(uint32_t c)
{
    for (uint32_t i = 0; i < RANGE_COUNT; i++) {
        uint32_t first = ranges[i].upper_first, last = ranges[i].upper_last;
        uint32_t distance = ranges[i].distance;

        if (distance > 1 && c >= first + distance && c <= last + distance)
            return c - distance;
        if (distance <= 1 && c >= first && c <= last)
            return (c & 1) == distance ? c : c - 1;
    }
    for (uint32_t i = 0; i + 1 < PAIR_COUNT; i++) { /* Sharp s has no upper case of its own. */
        if (pairs[i][1] == c)
            return pairs[i][0];
    }
    return c;
}

uint32_t
unicode_lower(uint32_t c)
{
    for (uint32_t i = 0; i < RANGE_COUNT; i++) {
        if (c < ranges[i].upper_first || c > ranges[i].upper_last)
            continue;
        if (ranges[i].distance > 1)
            return c + ranges[i].distance;
        return (c & 1) == ranges[i].distance ? c + 1 : c;
    }
    for (uint32_t i = 0; i < PAIR_COUNT; i++) {
        /* The micro sign and the final sigma are not what their upper case becomes. */
        if (pairs[i][0] == c && pairs[i][1] != 0xb5 && pairs[i][1] != 0x3c2)
            return pairs[i][1];
    }
    return c;
}
