/*
 * Records and commit parts, as wal_format.h lays them out. Putting trusts its caller (CHECK); getting
 * is for hostile bytes and says false.
 *
 * A commit's records are one stream of bytes that is cut wherever a frame is full, so a record may
 * begin in one part and end in a later one: wal__record_size tells a reader how much to put together.
 */
#include "kernel/base/check.h"
#include "wal/wal_private.h"

static const uint8_t PART_FLAGS_KNOWN = WAL_PART_FIRST | WAL_PART_LAST | WAL_PART_SYSTEM;

static size_t
varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

void
wal_record_put(struct byte_writer *writer, enum wal_record_type type, uint64_t page_number,
               const void *body, size_t size)
{
    CHECK(type >= WAL_RECORD_IMAGE && type <= WAL_RECORD_NOTE);
    CHECK(size == 0 || body != NULL);
    byte_writer_put_u8(writer, (uint8_t)type);
    byte_writer_put_varint(writer, page_number);
    byte_writer_put_varint(writer, size);
    if (size > 0)
        byte_writer_put(writer, body, size);
}

/* The varint at `*at`, which moves behind it; short ones, nearly all, without a call. */
static inline bool
get_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *bytes = *at;

    CHECK(bytes <= end);
    if (bytes < end && bytes[0] < 0x80) {
        *out = bytes[0];
        *at = bytes + 1;
        return true;
    }
    if (end - bytes >= 2 && bytes[1] < 0x80 && bytes[1] != 0) {
        *out = (uint64_t)(bytes[0] & 0x7f) | (uint64_t)bytes[1] << 7;
        *at = bytes + 2;
        return true;
    }
    struct byte_reader reader = byte_reader_init(bytes, (size_t)(end - bytes));
    if (!byte_reader_get_varint(&reader, out))
        return false;
    *at = bytes + reader.offset;
    return true;
}

/* The record up to its body, which `*at` points at then. */
static inline bool
get_record_head(const uint8_t **at, const uint8_t *end, struct wal_record *out, uint64_t *size_out)
{
    uint8_t type = *at == end ? 0 : (*at)[0];

    if (type < WAL_RECORD_IMAGE || type > WAL_RECORD_NOTE)
        return false;
    out->type = (enum wal_record_type)type;
    ++*at;
    return get_varint(at, end, &out->page_number) && get_varint(at, end, size_out);
}

bool
wal_record_get(struct byte_reader *reader, struct wal_record *out)
{
    const uint8_t *at = reader->data + reader->offset;
    const uint8_t *end = reader->data + reader->size;
    struct wal_record record;
    uint64_t size = 0;

    CHECK(reader->offset <= reader->size);
    if (!get_record_head(&at, end, &record, &size) || size > (uint64_t)(end - at))
        return false;
    out->type = record.type;
    out->page_number = record.page_number;
    out->body = at;
    out->size = (size_t)size;
    reader->offset = (size_t)(at - reader->data) + out->size;
    CHECK(reader->offset <= reader->size);
    return true;
}

uint64_t
wal__record_size(const uint8_t *bytes, size_t size)
{
    const uint8_t *at = bytes;
    struct wal_record record;
    uint64_t body_size = 0;

    if (!get_record_head(&at, bytes + size, &record, &body_size))
        return 0;
    uint64_t head_size = (uint64_t)(at - bytes);
    return body_size > UINT64_MAX - head_size ? 0 : head_size + body_size;
}

size_t
wal__part_size(const struct wal__part *part, uint64_t first_csn, size_t size)
{
    size_t time_size = (part->flags & WAL_PART_FIRST) != 0 ? varint_size(part->time_ms) : 0;

    CHECK(part->csn >= first_csn);
    CHECK((part->flags & ~PART_FLAGS_KNOWN) == 0);
    return varint_size(part->csn - first_csn) + 1 + time_size + varint_size(size) + size;
}

void
wal__part_put(struct byte_writer *writer, const struct wal__part *part, uint64_t first_csn)
{
    CHECK(part->csn >= first_csn);
    CHECK((part->flags & ~PART_FLAGS_KNOWN) == 0);
    CHECK(part->size == 0 || part->bytes != NULL);
    byte_writer_put_varint(writer, part->csn - first_csn);
    byte_writer_put_u8(writer, part->flags);
    if ((part->flags & WAL_PART_FIRST) != 0)
        byte_writer_put_varint(writer, part->time_ms);
    byte_writer_put_varint(writer, part->size);
    if (part->size > 0)
        byte_writer_put(writer, part->bytes, part->size);
}

bool
wal__part_get(struct byte_reader *reader, uint64_t first_csn, struct wal__part *out)
{
    struct byte_reader copy = *reader;
    uint64_t delta = 0, size = 0;
    struct wal__part part = {0};

    CHECK(reader->offset <= reader->size);
    if (!byte_reader_get_varint(&copy, &delta) || delta > UINT64_MAX - first_csn)
        return false;
    if (!byte_reader_get_u8(&copy, &part.flags) || (part.flags & ~PART_FLAGS_KNOWN) != 0)
        return false;
    if ((part.flags & WAL_PART_FIRST) != 0 && !byte_reader_get_varint(&copy, &part.time_ms))
        return false;
    if (!byte_reader_get_varint(&copy, &size) || size > byte_reader_left(&copy))
        return false;
    if (!byte_reader_skip(&copy, (size_t)size, &part.bytes))
        return false;
    part.csn = first_csn + delta;
    part.size = (size_t)size;
    *reader = copy;
    *out = part;
    return true;
}
