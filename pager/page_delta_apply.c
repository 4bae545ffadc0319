/*
 * Applying log records to a page: the decoding half of page_delta.h.
 *
 * The bytes come from a log that may be rotten or forged, so every offset and size is held against
 * the page before it is used; sizes are compared by subtraction from what is left, which cannot
 * overflow. Each refusal is STATUS_CORRUPT; the caller knows page and LSN and says so.
 *
 * Convergence (L2) rests on this: a range sets its bytes whatever stood there before, so that records
 * applied in order to any mix of old and new sectors end in the same page; zeros are such bytes, too. Moves read the page, and
 * are legal only where an image was applied before them (L1); the caller sees to that.
 */
#include "pager/page_delta.h"

#include "kernel/base/bytes.h"

static void
header_set(uint8_t *page, uint64_t checksum, uint64_t csn)
{
    struct page_header *header = (struct page_header *)page;

    header->checksum = le64_of(checksum);
    header->csn = le64_of(csn);
}

/* One range at `at`: (varint size, bytes), or (0, varint size) for zeros. */
static enum status
range_apply(uint8_t *page, uint64_t at, struct byte_reader *reader, uint64_t *size_out)
{
    const uint8_t *bytes;
    uint64_t size;

    if (!byte_reader_get_varint(reader, &size))
        return STATUS_CORRUPT;
    bool is_zero = size == 0;

    if (is_zero && !byte_reader_get_varint(reader, &size))
        return STATUS_CORRUPT;
    if (size == 0 || size > PAGE_SIZE - at)
        return STATUS_CORRUPT;
    *size_out = size;
    if (is_zero) {
        memset(page + at, 0, size);
        return STATUS_OK;
    }
    if (!byte_reader_skip(reader, size, &bytes))
        return STATUS_CORRUPT;
    memcpy(page + at, bytes, size);
    return STATUS_OK;
}

/* A list of (varint gap, range) up to the reader's end. */
static enum status
ranges_apply(uint8_t *page, struct byte_reader *reader)
{
    uint64_t at = PAGE_DELTA_FIRST_BYTE;

    while (byte_reader_left(reader) > 0) {
        uint64_t gap;
        uint64_t size = 0;

        if (!byte_reader_get_varint(reader, &gap) || gap > PAGE_SIZE - at)
            return STATUS_CORRUPT;
        at += gap;
        TRY(range_apply(page, at, reader, &size));
        at += size;
    }
    return STATUS_OK;
}

static bool
move_end_is_valid(uint16_t offset, uint16_t size)
{
    return offset >= PAGE_DELTA_FIRST_BYTE && (uint32_t)offset + size <= PAGE_SIZE;
}

static enum status
moves_apply(uint8_t *page, struct byte_reader *reader)
{
    uint64_t move_count;

    if (!byte_reader_get_varint(reader, &move_count) || move_count > PAGE_DELTA_MOVE_MAX)
        return STATUS_CORRUPT;
    for (uint64_t index = 0; index < move_count; index++) {
        struct page_move move;

        if (!byte_reader_get_u16(reader, &move.from) || !byte_reader_get_u16(reader, &move.to) ||
            !byte_reader_get_u16(reader, &move.size))
            return STATUS_CORRUPT;
        if (move.size == 0 || !move_end_is_valid(move.from, move.size) ||
            !move_end_is_valid(move.to, move.size))
            return STATUS_CORRUPT;
        memmove(page + move.to, page + move.from, move.size);
    }
    return STATUS_OK;
}

/* Points `out` at the raw form, unpacked into `scratch` where the body is compressed. */
static enum status
image_raw(struct byte_reader *reader, struct compress *compress, uint8_t *scratch,
          size_t scratch_size, struct byte_reader *out)
{
    const uint8_t *bytes;
    uint64_t raw_size;
    uint8_t encoding;
    size_t left;

    if (!byte_reader_get_u8(reader, &encoding) || !byte_reader_get_varint(reader, &raw_size))
        return STATUS_CORRUPT;
    if (raw_size > scratch_size)
        return STATUS_CORRUPT;
    left = byte_reader_left(reader);
    if (!byte_reader_skip(reader, left, &bytes))
        return STATUS_CORRUPT;
    if (encoding == PAGE_DELTA_RAW) {
        *out = byte_reader_init(bytes, left);
        return left == raw_size ? STATUS_OK : STATUS_CORRUPT;
    }
    if (encoding != PAGE_DELTA_ZSTD || raw_size == 0)
        return STATUS_CORRUPT;
    if (compress == NULL)
        return STATUS_INVALID;
    TRY(compress_decode(compress, bytes, left, scratch, raw_size));
    *out = byte_reader_init(scratch, raw_size);
    return STATUS_OK;
}

enum status
page_delta_apply_image(void *page, uint64_t csn, const uint8_t *body, size_t size,
                       struct compress *compress)
{
    struct byte_reader reader = byte_reader_init(body, size);
    struct page_header *header = page;
    struct byte_reader raw;
    uint8_t scratch[PAGE_DELTA_SIZE_MAX];
    uint64_t checksum;

    if (!byte_reader_get_u64(&reader, &checksum))
        return STATUS_CORRUPT;
    TRY(image_raw(&reader, compress, scratch, sizeof(scratch), &raw));
    memset(page, 0, PAGE_SIZE);
    TRY(ranges_apply(page, &raw));
    header_set(page, checksum, csn);
    header->csn_image = le64_of(csn);
    return STATUS_OK;
}

enum status
page_delta_apply_ranges(void *page, uint64_t csn, const uint8_t *body, size_t size)
{
    struct byte_reader reader = byte_reader_init(body, size);
    uint64_t checksum;

    if (!byte_reader_get_u64(&reader, &checksum))
        return STATUS_CORRUPT;
    TRY(moves_apply(page, &reader));
    TRY(ranges_apply(page, &reader));
    header_set(page, checksum, csn);
    return STATUS_OK;
}

enum status
page_delta_checksum(const uint8_t *body, size_t size, uint64_t *out)
{
    struct byte_reader reader = byte_reader_init(body, size);

    return byte_reader_get_u64(&reader, out) ? STATUS_OK : STATUS_CORRUPT;
}

enum status
page_delta_decode_reset(const uint8_t *body, size_t size, uint64_t *checksum_out, uint64_t *csn_out)
{
    struct byte_reader reader = byte_reader_init(body, size);
    uint64_t checksum;
    uint64_t csn;

    if (size != PAGE_DELTA_RESET_SIZE || !byte_reader_get_u64(&reader, &checksum) ||
        !byte_reader_get_u64(&reader, &csn))
        return STATUS_CORRUPT;
    *checksum_out = checksum;
    *csn_out = csn;
    return STATUS_OK;
}
