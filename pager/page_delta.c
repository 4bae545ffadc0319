/*
 * Finding what changed in a page, and writing it down: the encoding half of page_delta.h.
 *
 * Both bodies are lists of byte ranges: RANGES of the bytes in which `after` differs from `before`,
 * IMAGE of those in which the page differs from zeros. One comparison serves both:
 *
 *   1. Each block of 64 bytes is compared as a whole: one bit a block, 64 bits a page (page_blocks.h).
 *   2. In blocks that differ, one bit a byte.
 *   3. Runs of set bits become ranges. A gap no longer than a range's own header (2 bytes) is filled
 *      rather than left, which costs nothing and makes the list shorter.
 *
 *   4. In RANGES, long runs of bytes that become zero are cut out and written as their length. A split
 *      clears half a page.
 *
 * The size is known before the first byte is written, so the one check against the caller's buffer
 * stands before the copying, and two encodings (with moves and without) are compared unwritten.
 *
 * P4 rests on step 1 looking at every byte from PAGE_DELTA_FIRST_BYTE on; its result comes from the
 * caller, who copies by it, too. Moves change no block but those they move to.
 */
#include "pager/page_delta.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernel/base/check.h"
#include "kernel/base/faults.h"
#include "pager/page_blocks.h"

enum {
    BLOCK_SIZE = PAGE_BLOCK_SIZE,
    RANGE_GAP_MAX = 2, /* Equal bytes that are logged rather than left out. */
    ZERO_GAP_MAX = 3,
    /* Ranges lie more than RANGE_GAP_MAX bytes apart. */
    RANGE_COUNT_MAX = PAGE_SIZE / (RANGE_GAP_MAX + 2),
    CHECKSUM_SIZE = 8,
    MOVE_SIZE = 6,
    ZSTD_LEVEL = -10,
    /* A run of zeros at least this long is written as its length, in ranges of this size and more. */
    ZERO_RUN_MIN = 32,
    LONG_LIST = 256, /* Bytes of ranges worth a look for zeros. */
};
static_assert(PAGE_SIZE < 1 << 14, "sizes and gaps take at most two bytes as varints");
static_assert(PAGE_DELTA_MOVE_MAX < 1 << 7, "the move count takes one byte as a varint");

struct range {
    uint16_t begin;
    uint16_t end : 15;
    uint16_t is_zero : 1; /* All its bytes become zero. */
};
static_assert(PAGE_SIZE < 1 << 15, "offsets fit beside the flag");

struct range_list {
    uint32_t count;
    struct range range[RANGE_COUNT_MAX];
};

/* ---- Comparing ------------------------------------------------------------------------------- */

/* Sixteen bytes in a register; 16 bytes are what every x86-64 and ARMv8 has. */
typedef uint8_t vec16 __attribute__((vector_size(16)));

static inline vec16
vec16_load(const uint8_t *bytes)
{
    vec16 result;

    memcpy(&result, bytes, sizeof(result));
    return result;
}

/* vec16_bits: one bit a byte of `mask`, whose bytes are 0x00 or 0xff. */
#if defined(__SSE2__)

static inline uint32_t
vec16_bits(vec16 mask)
{
    return (uint32_t)_mm_movemask_epi8((__m128i)mask);
}

#else

/* Each of eight bytes keeps a bit of its own, and the product adds them up in its highest byte. */
static inline uint32_t
vec16_bits(vec16 mask)
{
    uint64_t half[2];

    memcpy(half, &mask, sizeof(half));
    half[0] = (half[0] & 0x8040201008040201u) * 0x0101010101010101u;
    half[1] = (half[1] & 0x8040201008040201u) * 0x0101010101010101u;
    return (uint32_t)(half[0] >> 56 | half[1] >> 56 << 8);
}

#endif

/* Bit i is set when byte i of the block at `offset` differs. */
static inline uint64_t
block_byte_bits(const uint8_t *before, const uint8_t *after, uint32_t offset)
{
    uint64_t equal = 0;

    for (uint32_t part = 0; part < BLOCK_SIZE; part += 16) {
        vec16 a = vec16_load(before + offset + part);
        vec16 b = vec16_load(after + offset + part);

        equal |= (uint64_t)vec16_bits((vec16)(a == b)) << part;
    }
    return offset == 0 ? ~equal & UINT64_MAX << PAGE_DELTA_FIRST_BYTE : ~equal;
}

/* Whether at least `count` bytes differ and are not zero (runs of zeros are written as a length); all
 * that differ are in `blocks`. */
static bool
differs_by(const uint8_t *before, const uint8_t *after, uint64_t blocks, size_t count)
{
    static const uint8_t zeros[PAGE_SIZE];
    size_t found = 0;

    for (; blocks != 0; blocks &= blocks - 1) {
        uint32_t offset = (uint32_t)__builtin_ctzll(blocks) * BLOCK_SIZE;

        found += (size_t)__builtin_popcountll(block_byte_bits(before, after, offset) &
                                              block_byte_bits(zeros, after, offset));
        if (found >= count)
            return true;
    }
    return count == 0;
}

/* Sets the bits of gaps of one or two, as far as both their sides lie in the word. */
static inline uint64_t
fill_small_gaps(uint64_t bits)
{
    uint64_t wide = bits | bits << 1 | bits << 2;

    return bits | (wide & wide >> 1 & wide >> 2);
}

static inline void
range_list_add(struct range_list *list, uint32_t begin, uint32_t end, uint32_t gap_max)
{
    if (list->count > 0 && begin - list->range[list->count - 1].end <= gap_max) {
        list->range[list->count - 1].end = (uint16_t)(end & 0x7fff);
    } else {
        list->range[list->count++] = (struct range){
            .begin = (uint16_t)begin,
            .end = (uint16_t)(end & 0x7fff),
        };
    }
}

/* Adds the runs of set bits of the block at `offset`. */
static void
range_list_add_block(struct range_list *list, uint64_t bits, uint32_t offset, uint32_t gap_max)
{
    uint32_t position = 0;

    while (bits != 0) {
        uint32_t skip = (uint32_t)__builtin_ctzll(bits);
        uint64_t rest = ~(bits >> skip);
        uint32_t length = rest == 0 ? BLOCK_SIZE : (uint32_t)__builtin_ctzll(rest);

        position += skip;
        range_list_add(list, offset + position, offset + position + length, gap_max);
        position += length;
        bits = position < BLOCK_SIZE ? bits >> skip >> length : 0;
    }
}

/* Where two pages differ, all of it in `blocks`, with gaps up to `gap_max` filled. */
static void
range_list_collect(struct range_list *list, const uint8_t *before, const uint8_t *after,
                   uint64_t blocks, uint32_t gap_max)
{
    list->count = 0;
    for (; blocks != 0; blocks &= blocks - 1) {
        uint32_t offset = (uint32_t)__builtin_ctzll(blocks) * BLOCK_SIZE;
        uint64_t bits = fill_small_gaps(block_byte_bits(before, after, offset));

        range_list_add_block(list, bits, offset, gap_max);
    }
    CHECK(list->count <= RANGE_COUNT_MAX);
}

static bool
is_zero16(const uint8_t *bytes)
{
    return vec16_bits((vec16)(vec16_load(bytes) == (vec16){0})) == 0xffff;
}

/* The first run of ZERO_RUN_MIN zeros in [from, end); false: none. A run that long holds a whole vector
 * at one of the places looked at. */
static bool
find_zero_run(const uint8_t *page, uint32_t from, uint32_t end, struct range *out)
{
    for (uint32_t at = from; at + 16 <= end; at += 16) {
        uint32_t begin = at;
        uint32_t stop = at + 16;

        if (!is_zero16(page + at))
            continue;
        while (begin > from && page[begin - 1] == 0)
            begin--;
        while (stop + 16 <= end && is_zero16(page + stop))
            stop += 16;
        while (stop < end && page[stop] == 0)
            stop++;
        if (stop - begin >= ZERO_RUN_MIN) {
            *out = (struct range){(uint16_t)begin, (uint16_t)(stop & 0x7fff), true};
            return true;
        }
    }
    return false;
}

/* Cuts runs of zeros out of long ranges: half a page goes when a node is split. */
static void
range_list_find_zeros(struct range_list *list, const uint8_t *page)
{
    struct range_list old = {.count = list->count};

    memcpy(old.range, list->range, list->count * sizeof(struct range));
    list->count = 0;
    for (uint32_t index = 0; index < old.count; index++) {
        struct range rest = old.range[index];
        struct range run;

        while (rest.end - rest.begin >= ZERO_RUN_MIN &&
               find_zero_run(page, rest.begin, rest.end, &run)) {
            if (run.begin > rest.begin)
                list->range[list->count++] =
                    (struct range){rest.begin, (uint16_t)(run.begin & 0x7fff), false};
            list->range[list->count++] = run;
            rest.begin = run.end;
        }
        if (rest.end > rest.begin)
            list->range[list->count++] = rest;
    }
    CHECK(list->count <= RANGE_COUNT_MAX);
}

/* The seeded bug RANGE_ONE_SHORT. */
static void
range_list_cut(struct range_list *list)
{
    uint32_t kept = 0;

    for (uint32_t index = 0; index < list->count; index++) {
        struct range range = list->range[index];

        range.end--;
        if (range.begin < range.end)
            list->range[kept++] = range;
    }
    list->count = kept;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static inline size_t
varint_size(uint32_t value)
{
    return value < 128 ? 1 : 2;
}

static inline uint8_t *
varint_put(uint8_t *out, uint32_t value)
{
    if (value < 128) {
        *out++ = (uint8_t)value;
    } else {
        *out++ = (uint8_t)(value | 128);
        *out++ = (uint8_t)(value >> 7);
    }
    return out;
}

static uint8_t *
u16_put(uint8_t *out, uint16_t value)
{
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static uint8_t *
u64_put(uint8_t *out, uint64_t value)
{
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static size_t
range_list_size(const struct range_list *list)
{
    uint32_t at = PAGE_DELTA_FIRST_BYTE;
    size_t total = 0;

    for (uint32_t index = 0; index < list->count; index++) {
        struct range range = list->range[index];
        uint32_t size = (uint32_t)(range.end - range.begin);

        total += varint_size(range.begin - at) + varint_size(size);
        total += range.is_zero ? 1 : size;
        at = range.end;
    }
    return total;
}

/*
 * Writes the list and its bytes of `page`. Short ranges are copied as sixteen bytes, of which the
 * next range overwrites what is too much, where page and buffer (up to `limit`) have as many.
 */
static uint8_t *
range_list_put(const struct range_list *list, const uint8_t *page, uint8_t *out,
               const uint8_t *limit)
{
    uint32_t at = PAGE_DELTA_FIRST_BYTE;

    for (uint32_t index = 0; index < list->count; index++) {
        struct range range = list->range[index];
        uint32_t size = (uint32_t)(range.end - range.begin);

        out = varint_put(out, range.begin - at);
        at = range.end;
        if (range.is_zero) {
            *out++ = 0;
            out = varint_put(out, size);
            continue;
        }
        out = varint_put(out, size);
        if (size <= 16 && range.begin <= PAGE_SIZE - 16 && limit - out >= 16)
            memcpy(out, page + range.begin, 16);
        else
            memcpy(out, page + range.begin, size);
        out += size;
    }
    return out;
}

static uint8_t *
moves_put(const struct page_move *moves, uint32_t move_count, uint8_t *out)
{
    out = varint_put(out, move_count);
    for (uint32_t index = 0; index < move_count; index++) {
        out = u16_put(out, moves[index].from);
        out = u16_put(out, moves[index].to);
        out = u16_put(out, moves[index].size);
    }
    return out;
}

/* ---- Public functions ------------------------------------------------------------------------ */

bool
page_delta_is_empty(const void *before, const void *after)
{
    return page_blocks_differ(before, after, PAGE_BLOCKS_ALL) == 0;
}

/* `*blocks_out`: where bytes were moved to. */
static void
moves_run(uint8_t *page, const struct page_move *moves, uint32_t move_count, uint64_t *blocks_out)
{
    for (uint32_t index = 0; index < move_count; index++) {
        struct page_move move = moves[index];

        CHECK(move.size > 0);
        CHECK(move.from >= PAGE_DELTA_FIRST_BYTE && move.from + move.size <= PAGE_SIZE);
        CHECK(move.to >= PAGE_DELTA_FIRST_BYTE && move.to + move.size <= PAGE_SIZE);
        memmove(page + move.to, page + move.from, move.size);
        *blocks_out |= page_blocks_of(move.to, move.size);
    }
}

/* As written: zeros cut out where that can save something. Returns the size. */
static size_t
range_list_finish(struct range_list *list, const uint8_t *page)
{
    size_t size = range_list_size(list);

    if (size < LONG_LIST)
        return size;
    range_list_find_zeros(list, page);
    return range_list_size(list);
}

/*
 * Collects the ranges that remain after the moves; `*move_count` becomes 0 when the body would be as
 * small without. A body has no fewer bytes than differ and are not zero, so that counting those mostly
 * decides it.
 */
static void
range_list_choose(struct range_list *list, const struct page_delta *delta, uint32_t *move_count)
{
    const uint8_t *before = delta->before;
    const uint8_t *after = delta->after;
    uint8_t scratch[PAGE_SIZE];
    struct range_list plain;
    uint64_t moved = 0;
    size_t moved_size;

    if (*move_count == 0) {
        range_list_collect(list, before, after, delta->blocks, RANGE_GAP_MAX);
        (void)range_list_finish(list, after);
        return;
    }
    memcpy(scratch, before, PAGE_SIZE);
    moves_run(scratch, delta->moves, *move_count, &moved);
    /* Elsewhere scratch is what the page was. */
    moved = (delta->blocks & ~moved) | page_blocks_differ(scratch, after, moved);
    range_list_collect(list, scratch, after, moved, RANGE_GAP_MAX);
    moved_size = range_list_finish(list, after) + (size_t)*move_count * MOVE_SIZE;
    if (differs_by(before, after, delta->blocks, moved_size))
        return;
    range_list_collect(&plain, before, after, delta->blocks, RANGE_GAP_MAX);
    if (range_list_finish(&plain, after) <= moved_size) {
        *move_count = 0;
        *list = plain;
    }
}

size_t
page_delta_encode(const struct page_delta *delta, uint64_t checksum, uint8_t *out, size_t out_size)
{
    uint32_t move_count = delta->move_count;
    const uint8_t *after = delta->after;
    struct range_list list;
    uint8_t *end;
    size_t size;

    CHECK(move_count <= PAGE_DELTA_MOVE_MAX);
    range_list_choose(&list, delta, &move_count);
    if (BUG(RANGE_ONE_SHORT))
        range_list_cut(&list);
    size = CHECKSUM_SIZE + varint_size(move_count) + (size_t)move_count * MOVE_SIZE +
           range_list_size(&list);
    if (size > out_size)
        return 0;
    end = u64_put(out, checksum);
    end = moves_put(delta->moves, move_count, end);
    end = range_list_put(&list, after, end, out + out_size);
    CHECK((size_t)(end - out) == size);
    return size;
}

size_t
page_delta_encode_ranges(const void *before, const void *after, const struct page_move *moves,
                         uint32_t move_count, uint64_t checksum, uint8_t *out, size_t out_size)
{
    struct page_delta delta = {
        .before = before,
        .after = after,
        .blocks = page_blocks_differ(before, after, PAGE_BLOCKS_ALL),
        .moves = moves,
        .move_count = move_count,
    };

    return page_delta_encode(&delta, checksum, out, out_size);
}

/* Compresses `raw` to at most an eighth or 64 bytes less than it has; 0 when that cannot be. */
static size_t
image_compress(struct compress *compress, const uint8_t *raw, size_t raw_size, uint8_t *out,
               size_t out_size)
{
    size_t saved_min = raw_size / 8 < 64 ? raw_size / 8 : 64;
    size_t limit = raw_size - saved_min;

    if (compress == NULL || saved_min == 0)
        return 0;
    return compress_encode(compress, raw, raw_size, out, limit < out_size ? limit : out_size,
                           ZSTD_LEVEL);
}

size_t
page_delta_encode_image(const void *page, uint64_t checksum, struct compress *compress,
                        uint8_t *out, size_t out_size)
{
    static const uint8_t zeros[PAGE_SIZE];
    uint8_t raw[PAGE_DELTA_SIZE_MAX];
    struct range_list list;
    size_t raw_size;
    size_t packed_size;
    size_t head_size;
    uint8_t *end;

    range_list_collect(&list, zeros, page, page_blocks_differ(zeros, page, PAGE_BLOCKS_ALL),
                       ZERO_GAP_MAX);
    raw_size = range_list_size(&list);
    head_size = CHECKSUM_SIZE + 1 + varint_size((uint32_t)raw_size);
    if (out_size < head_size)
        return 0;
    CHECK(raw_size <= sizeof(raw));
    if (compress != NULL)
        (void)range_list_put(&list, page, raw, raw + sizeof(raw));
    packed_size = image_compress(compress, raw, raw_size, out + head_size, out_size - head_size);
    if (packed_size == 0 && out_size - head_size < raw_size)
        return 0;
    end = u64_put(out, checksum);
    *end++ = packed_size == 0 ? PAGE_DELTA_RAW : PAGE_DELTA_ZSTD;
    end = varint_put(end, (uint32_t)raw_size);
    if (packed_size == 0)
        end = range_list_put(&list, page, end, out + out_size);
    else
        end += packed_size;
    return (size_t)(end - out);
}

size_t
page_delta_encode_reset(uint64_t checksum, uint64_t csn, uint8_t *out, size_t out_size)
{
    if (out_size < PAGE_DELTA_RESET_SIZE)
        return 0;
    (void)u64_put(u64_put(out, checksum), csn);
    return PAGE_DELTA_RESET_SIZE;
}
