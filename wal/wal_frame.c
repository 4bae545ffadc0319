/*
 * Frames, segment headers and horizons as bytes: sealing our own and checking those read back. Pure:
 * no I/O, no messages; the caller knows where the bytes came from.
 *
 * The checks of a frame stand apart, each against what it alone can tell: a stale frame of a recycled
 * segment has another LSN, another epoch, another predecessor and other CSNs (W3), and a test that
 * repairs all but one of them must still be refused by that one. The payload's checksum is therefore
 * seeded with the header's own epoch and LSN, which the place check has compared before.
 */
#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

uint64_t
wal__frame_size(uint32_t payload_size)
{
    uint64_t size = sizeof(struct wal_frame_header) + payload_size;

    CHECK(payload_size <= WAL_FRAME_PAYLOAD_MAX);
    return (size + WAL_BLOCK_SIZE - 1) / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
}

uint64_t
wal__payload_checksum(const struct wal_frame_header *header, const uint8_t *payload)
{
    uint64_t seed = checksum_seed(le64_get(header->epoch), le64_get(header->lsn));

    CHECK(le32_get(header->payload_size) >= 1);
    CHECK(le32_get(header->payload_size) <= WAL_FRAME_PAYLOAD_MAX);
    return checksum64(payload, le32_get(header->payload_size), seed);
}

static uint64_t
frame_header_checksum(const struct wal_frame_header *header)
{
    return checksum64(header, offsetof(struct wal_frame_header, header_checksum), WAL_SEED_FRAME);
}

void
wal__frame_header_seal(struct wal_frame_header *header)
{
    uint32_t payload_size = le32_get(header->payload_size);

    CHECK(payload_size >= 1 && payload_size <= WAL_FRAME_PAYLOAD_MAX);
    CHECK(le64_get(header->lsn) % WAL_BLOCK_SIZE == 0);
    header->magic = le32_of(WAL_FRAME_MAGIC);
    header->version = le16_of(WAL_FORMAT_VERSION);
    header->flags = le16_of(0);
    header->header_checksum = le64_of(frame_header_checksum(header));
}

const char *
wal__frame_header_check(const struct wal_frame_header *header)
{
    uint32_t payload_size = le32_get(header->payload_size);

    if (le32_get(header->magic) != WAL_FRAME_MAGIC)
        return "no frame";
    if (le64_get(header->header_checksum) != frame_header_checksum(header))
        return "frame header checksum";
    if (le16_get(header->version) != WAL_FORMAT_VERSION)
        return "frame version";
    if (le16_get(header->flags) != 0)
        return "frame flags";
    if (payload_size < 1 || payload_size > WAL_FRAME_PAYLOAD_MAX)
        return "frame payload size";
    return NULL;
}

const char *
wal__frame_place_check(const struct wal_frame_header *header, const struct wal__cursor *cursor,
                       uint64_t epoch, uint64_t room)
{
    CHECK(epoch != 0);
    CHECK(room <= WAL_SEGMENT_SIZE_MAX);
    if (le64_get(header->lsn) != cursor->at.lsn && !BUG(LSN_NOT_CHECKED))
        return "frame of another position";
    if (le64_get(header->epoch) != epoch && !BUG(EPOCH_NOT_CHECKED))
        return "frame of another epoch";
    if (le64_get(header->chain) != cursor->at.chain && !BUG(CHAIN_NOT_CHECKED))
        return "frame breaks the chain";
    if (le64_get(header->first_csn) != cursor->at.csn + 1 || cursor->at.csn == UINT64_MAX)
        return "frame of another CSN";
    if (le64_get(header->csn_durable) > cursor->at.csn)
        return "frame with a durable CSN of its own future";
    if (wal__frame_size(le32_get(header->payload_size)) > room)
        return "frame past the segment's end";
    return NULL;
}

const char *
wal__frame_payload_check(const struct wal_frame_header *header, const uint8_t *payload)
{
    if (BUG(PAYLOAD_NOT_CHECKED))
        return NULL;
    return le64_get(header->payload_checksum) == wal__payload_checksum(header, payload)
               ? NULL
               : "frame payload checksum";
}

/* One part against the cursor; moves it. */
static const char *
check_part(const struct wal__part *part, struct wal__cursor *cursor)
{
    if (part->csn != cursor->at.csn + 1)
        return "commit part of another CSN";
    if (((part->flags & WAL_PART_FIRST) != 0) == cursor->in_commit)
        return "commit part out of order";
    cursor->in_commit = (part->flags & WAL_PART_LAST) == 0;
    if (!cursor->in_commit)
        cursor->at.csn++;
    return NULL;
}

const char *
wal__frame_parts_check(const struct wal_frame_header *header, const uint8_t *payload,
                       struct wal__cursor *cursor)
{
    struct byte_reader reader = byte_reader_init(payload, le32_get(header->payload_size));
    struct wal__cursor next = *cursor;

    CHECK(byte_reader_left(&reader) >= 1);
    CHECK(byte_reader_left(&reader) <= WAL_FRAME_PAYLOAD_MAX);
    do {
        struct wal__part part;
        const char *reason = NULL;

        if (!wal__part_get(&reader, le64_get(header->first_csn), &part))
            return "commit part does not decode";
        reason = check_part(&part, &next);
        if (reason != NULL)
            return reason;
    } while (byte_reader_left(&reader) > 0);
    if (next.at.csn - cursor->at.csn != le32_get(header->commit_count))
        return "frame commit count";
    next.at.lsn += wal__frame_size(le32_get(header->payload_size));
    next.at.chain = le64_get(header->header_checksum);
    *cursor = next;
    return NULL;
}

static uint64_t
segment_header_checksum(const struct wal_segment_header *header)
{
    return checksum64(header, offsetof(struct wal_segment_header, checksum), WAL_SEED_SEGMENT);
}

void
wal__segment_header_seal(struct wal_segment_header *header)
{
    CHECK(le64_get(header->segment_number) > 0);
    CHECK(le64_get(header->epoch) != 0);
    CHECK(le64_get(header->segment_size) >= WAL_SEGMENT_SIZE_MIN);
    header->magic = le64_of(WAL_SEGMENT_MAGIC);
    header->version = le32_of(WAL_FORMAT_VERSION);
    header->reserved = le32_of(0);
    header->checksum = le64_of(segment_header_checksum(header));
}

enum status
wal__segment_header_check(const struct wal_segment_header *header)
{
    uint64_t size = le64_get(header->segment_size);

    if (le64_get(header->magic) != WAL_SEGMENT_MAGIC ||
        le64_get(header->checksum) != segment_header_checksum(header))
        return STATUS_CORRUPT;
    if (le32_get(header->version) != WAL_FORMAT_VERSION)
        return STATUS_VERSION;
    if (le32_get(header->reserved) != 0 || size % WAL_BLOCK_SIZE != 0 ||
        size < WAL_SEGMENT_SIZE_MIN || size > WAL_SEGMENT_SIZE_MAX)
        return STATUS_CORRUPT;
    if (le64_get(header->segment_number) == 0 ||
        le64_get(header->segment_number) > UINT64_MAX / size - 1 || le64_get(header->epoch) == 0)
        return STATUS_CORRUPT;
    return STATUS_OK;
}

static uint64_t
horizon_checksum(const struct wal_horizon *horizon)
{
    return checksum64(horizon, offsetof(struct wal_horizon, checksum), WAL_SEED_HORIZON);
}

void
wal__horizon_seal(struct wal_horizon *horizon)
{
    CHECK(le64_get(horizon->segment_number) > 0);
    CHECK(le64_get(horizon->epoch) != 0);
    horizon->magic = le64_of(WAL_HORIZON_MAGIC);
    horizon->checksum = le64_of(horizon_checksum(horizon));
}

bool
wal__horizon_is_sound(const struct wal_horizon *horizon)
{
    return le64_get(horizon->magic) == WAL_HORIZON_MAGIC &&
           le64_get(horizon->checksum) == horizon_checksum(horizon);
}
