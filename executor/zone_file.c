/*
 * TZif files (RFC 8536), whose bytes may be any: every count is bounded and compared with what is there before
 * anything is read.
 *
 *   OFFSET  SIZE  FIELD
 *        0     4  "TZif"
 *        4     1  version: 0, '2', '3' or '4'
 *        5    15  reserved
 *       20     4  isutcnt    indicators, one byte each
 *       24     4  isstdcnt   the same
 *       28     4  leapcnt    leap seconds: none are taken
 *       32     4  timecnt    transitions
 *       36     4  typecnt    local time types, 6 bytes each: offset 4, is summer 1, index of the word 1
 *       40     4  charcnt    bytes of the words, which end with NUL
 *       44        times (4 bytes each in the first block, 8 in the second), types of the times (1 byte
 *                 each), local time types, words, leap seconds, indicators
 *
 * From version 2 on a second header and block with 64-bit times follow, and behind them, between two line feeds, a
 * POSIX TZ string for what comes after the last transition. All numbers are big-endian.
 */
#include <string.h>

#include "executor/zone_private.h"

enum { HEADER_SIZE = 44, TYPE_SIZE = 6, CHARS_MAX = 512 };

struct block {
    uint32_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
    uint32_t time_size; /* Bytes of a transition's time. */
    const uint8_t *data;
    size_t size; /* Of the data. */
};

static uint32_t
big32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t
big64(const uint8_t *bytes)
{
    return (int64_t)((uint64_t)big32(bytes) << 32 | big32(bytes + 4));
}

/* The header at `bytes`, and where its block ends. */
static bool
read_header(const uint8_t *bytes, size_t size, uint32_t time_size, struct block *out)
{
    if (size < HEADER_SIZE || memcmp(bytes, "TZif", 4) != 0)
        return false;
    *out = (struct block){
        .utc_count = big32(bytes + 20),
        .standard_count = big32(bytes + 24),
        .leap_count = big32(bytes + 28),
        .time_count = big32(bytes + 32),
        .type_count = big32(bytes + 36),
        .char_count = big32(bytes + 40),
        .time_size = time_size,
        .data = bytes + HEADER_SIZE,
    };
    if (out->time_count > ZONE_TIMES_MAX || out->type_count > ZONE_TYPES_MAX ||
        out->char_count > CHARS_MAX || out->leap_count > ZONE_TIMES_MAX ||
        out->utc_count > ZONE_TYPES_MAX || out->standard_count > ZONE_TYPES_MAX)
        return false;
    out->size = (size_t)out->time_count * (time_size + 1) + (size_t)out->type_count * TYPE_SIZE +
                out->char_count + (size_t)out->leap_count * (time_size + 4) + out->standard_count +
                out->utc_count;
    return out->size <= size - HEADER_SIZE;
}

static bool
read_type(const uint8_t *bytes, const uint8_t *words, uint32_t words_size, struct zone_type *out)
{
    uint32_t at = bytes[5];
    int64_t offset = (int32_t)big32(bytes);

    if (offset > ZONE_OFFSET_MAX || offset < -ZONE_OFFSET_MAX || bytes[4] > 1 || at >= words_size)
        return false;
    const uint8_t *end = memchr(words + at, '\0', words_size - at);
    if (end == NULL || (size_t)(end - words) - at >= ZONE_WORD_SIZE)
        return false;
    out->offset = (int32_t)offset;
    out->summer = bytes[4] != 0;
    memcpy(out->word, words + at, (size_t)(end - words) - at + 1);
    return true;
}

static bool
read_times(const struct block *block, int64_t *times, uint8_t *types)
{
    const uint8_t *indexes = block->data + (size_t)block->time_count * block->time_size;

    for (uint32_t i = 0; i < block->time_count; i++) {
        const uint8_t *at = block->data + (size_t)i * block->time_size;

        times[i] = block->time_size == 8 ? big64(at) : (int32_t)big32(at);
        types[i] = indexes[i];
        if (types[i] >= block->type_count || (i > 0 && times[i] <= times[i - 1]))
            return false;
    }
    return true;
}

static enum status
read_block(const struct block *block, struct arena *arena, struct zone *out)
{
    int64_t *times = arena_alloc(arena, block->time_count * sizeof(*times));
    uint8_t *types = arena_alloc(arena, block->time_count);
    struct zone_type *kinds = arena_alloc(arena, block->type_count * sizeof(*kinds));
    const uint8_t *at = block->data + (size_t)block->time_count * (block->time_size + 1);
    const uint8_t *words = at + (size_t)block->type_count * TYPE_SIZE;

    if (times == NULL || types == NULL || kinds == NULL)
        return STATUS_NO_MEMORY;
    if (block->leap_count > 0)
        return STATUS_INVALID;
    if (block->type_count == 0 || !read_times(block, times, types))
        return STATUS_CORRUPT;
    for (uint32_t i = 0; i < block->type_count; i++) {
        if (!read_type(at + (size_t)i * TYPE_SIZE, words, block->char_count, &kinds[i]))
            return STATUS_CORRUPT;
    }
    out->times = times;
    out->types = types;
    out->kinds = kinds;
    out->time_count = block->time_count;
    out->type_count = block->type_count;
    return STATUS_OK;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between the line feeds: no rule. */
static bool
read_footer(const uint8_t *bytes, size_t size, struct zone *out)
{
    if (size < 2 || bytes[0] != '\n')
        return false;
    const uint8_t *end = memchr(bytes + 1, '\n', size - 1);
    if (end == NULL)
        return false;
    size_t length = (size_t)(end - bytes) - 1;
    if (length == 0)
        return true;
    out->has_rule = zone__rule_parse((const char *)bytes + 1, length, &out->rule);
    return out->has_rule;
}

enum status
zone__decode(const uint8_t *bytes, size_t size, struct arena *arena, struct zone *out)
{
    struct block first, second;

    out->has_rule = false;
    if (size > ZONE_FILE_MAX || !read_header(bytes, size, 4, &first))
        return STATUS_CORRUPT;
    if (bytes[4] == 0)
        return read_block(&first, arena, out);
    if (bytes[4] < '2')
        return STATUS_CORRUPT;
    size_t skipped = HEADER_SIZE + first.size;
    if (!read_header(bytes + skipped, size - skipped, 8, &second))
        return STATUS_CORRUPT;
    TRY(read_block(&second, arena, out));
    skipped += HEADER_SIZE + second.size;
    return read_footer(bytes + skipped, size - skipped, out) ? STATUS_OK : STATUS_CORRUPT;
}
