/*
 * One frame after the other. The walk trusts nothing: it reads a header, checks it and its place, then
 * reads and checks the payload (wal_frame.c), and only then moves. Scanning at open and the readers
 * afterwards share it, so that they cannot disagree.
 */
#include "kernel/base/check.h"
#include "wal/wal_private.h"

enum status
wal__walk_init(struct wal__walk *walk, struct wal *wal)
{
    *walk = (struct wal__walk){.wal = wal};
    walk->cursor.at = wal->start;
    return wal__stream_init(&walk->stream, &wal->env, wal->segment_size);
}

void
wal__walk_deinit(struct wal__walk *walk)
{
    wal__stream_deinit(&walk->stream);
}

enum status
wal__walk_enter(struct wal__walk *walk, struct wal__segment *segment, uint64_t end_lsn)
{
    struct wal__path path = wal__path_of(walk->wal->dir, segment->number);

    CHECK(segment->epoch != 0);
    CHECK(end_lsn == 0 || wal__number_of(walk->wal, end_lsn) == segment->number);
    walk->segment = segment;
    walk->end_lsn = end_lsn;
    walk->payload = NULL;
    return wal__stream_open(&walk->stream, path.text);
}

/* Where the segment's frames end at the latest. */
static uint64_t
end_offset(const struct wal__walk *walk)
{
    return walk->end_lsn == 0 ? walk->wal->segment_size
                              : wal__offset_of(walk->wal, walk->segment->number, walk->end_lsn);
}

enum status
wal__walk_frame(struct wal__walk *walk, const char **reason_out)
{
    uint64_t offset = wal__offset_of(walk->wal, walk->segment->number, walk->cursor.at.lsn);
    uint64_t end = end_offset(walk);
    const uint8_t *bytes = NULL;

    walk->header = (struct wal_frame_header){0};
    CHECK(walk->cursor.at.lsn % WAL_BLOCK_SIZE == 0 && offset <= end);
    *reason_out = "end of segment";
    if (offset + WAL_BLOCK_SIZE > end)
        return STATUS_OK;
    *reason_out = "segment file cut short";
    TRY(wal__stream_get(&walk->stream, offset, WAL_BLOCK_SIZE, &bytes));
    if (bytes == NULL)
        return STATUS_OK;
    walk->header = *(const struct wal_frame_header *)bytes;
    *reason_out = wal__frame_header_check(&walk->header);
    if (*reason_out == NULL)
        *reason_out = wal__frame_place_check(&walk->header, &walk->cursor, walk->segment->epoch,
                                             end - offset);
    if (*reason_out != NULL)
        return STATUS_OK;

    size_t size = sizeof(walk->header) + le32_get(walk->header.payload_size);
    *reason_out = "segment file cut short";
    TRY(wal__stream_get(&walk->stream, offset, size, &bytes));
    if (bytes == NULL)
        return STATUS_OK;
    walk->payload = bytes + sizeof(walk->header);
    *reason_out = wal__frame_payload_check(&walk->header, walk->payload);
    if (*reason_out == NULL)
        *reason_out = wal__frame_parts_check(&walk->header, walk->payload, &walk->cursor);
    return STATUS_OK;
}

enum status
wal__frame_at(struct wal__stream *stream, uint64_t offset, uint64_t lsn,
              struct wal_frame_header *header_out, bool *valid_out)
{
    const uint8_t *bytes = NULL;

    CHECK(offset % WAL_BLOCK_SIZE == 0 && offset >= WAL_FRAMES_OFFSET);
    CHECK(lsn > offset);
    *valid_out = false;
    TRY(wal__stream_get(stream, offset, sizeof(*header_out), &bytes));
    if (bytes == NULL || wal__frame_header_check((const struct wal_frame_header *)bytes) != NULL)
        return STATUS_OK;
    *header_out = *(const struct wal_frame_header *)bytes;
    if (le64_get(header_out->lsn) != lsn)
        return STATUS_OK;
    TRY(wal__stream_get(stream, offset, sizeof(*header_out) + le32_get(header_out->payload_size),
                        &bytes));
    *valid_out =
        bytes != NULL && wal__frame_payload_check(header_out, bytes + sizeof(*header_out)) == NULL;
    return STATUS_OK;
}
