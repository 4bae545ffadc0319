/*
 * Starting behind a crash (W8): a new segment under a new epoch and a number above all that exist, so
 * that no position is ever used twice. It continues the log from the last place known durable; the few
 * frames accepted behind that place may sit in a cache only (the process was killed, or a sync
 * failed, after which the kernel shows bytes that the disk does not have), so they are copied
 * into the new segment, without the beginning of a commit that never ended. In this order, so that a
 * crash anywhere leaves either the old end or the new one:
 *
 *   1. files behind the end, the last one first, are removed or renamed; one of them, or a new one, is
 *      the file with the new number, full size, name durable
 *   2. its horizon with sequence 0: frames up to this CSN are copies; durable
 *   3. the copies, durable
 *   4. its header, durable: from here on the new segment counts, and what lies behind the place
 *      it continues from does not (W9)
 *   5. a predecessor of which not even the header was known durable is removed
 *
 * After a crash between 2 and 4 the copies are frames without a header, which elsewhere mean a rotten
 * header; the horizon of step 2 tells them apart (wal_witness.c).
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

/* A new number for a file left over, if it can be used again; else it goes. Durable on return. */
static enum status
adopt(struct wal *wal, struct wal__segment *segment)
{
    struct wal__path path = wal__path_of(wal->dir, segment->number);
    bool fits =
        segment->file_size == wal->segment_size && wal->prepared.count <= wal->options.spare_count;
    enum status status;

    if (!fits) {
        TRY_OUT(io_remove(wal->env.io, path.text));
        wal__segment_free(wal, segment);
        return wal__sync_dir(wal);
    }
    TRY_OUT(wal__segment_rename(wal, segment, wal->number_next));
    wal__segments_push(&wal->prepared, segment);
    wal->number_next++;
    TRY(wal__segment_open_file(wal, segment));
    TRY(io_sync(segment->file)); /* Its size may be in a cache only. */
    return wal__sync_dir(wal);
out:
    wal__segment_free(wal, segment);
    return status;
}

static struct wal__segment *
pop_last(struct wal__segments *list)
{
    struct wal__segment *last = list->last;
    struct wal__segment *before = list->first;

    if (last == NULL || before == last || BUG(LEFTOVER_IN_ORDER))
        return wal__segments_pop(list);
    while (before->next != last)
        before = before->next;
    before->next = NULL;
    list->last = before;
    list->count--;
    return last;
}

/*
 * The last one first, and each name durable before the next: a commit that never ended may have left
 * several segments, and one of them without its predecessor is proof of a hole (wal_witness.c).
 */
static enum status
adopt_leftover(struct wal *wal)
{
    struct wal__segment *segment;

    while ((segment = pop_last(&wal->leftover)) != NULL)
        TRY(adopt(wal, segment));
    return STATUS_OK;
}

static enum status
take_segment(struct wal *wal, struct wal__segment **out)
{
    struct wal__segment *last = wal->leftover.last;

    CHECK(wal->prepared.count == 0 && !wal->started);
    wal->number_next = wal->kept.last->number + 1;
    if (last != NULL && last->number >= wal->number_next)
        wal->number_next = last->number + 1;
    TRY(adopt_leftover(wal));
    *out = wal__segments_pop(&wal->prepared);
    if (*out != NULL) {
        wal->statistics.segment_recycled_count++;
        return STATUS_OK;
    }
    TRY(wal__segment_create(wal, wal->number_next, out));
    wal->number_next++;
    wal->statistics.segment_created_count++;
    return STATUS_OK;
}

static enum status
announce_copies(struct wal *wal, struct wal__segment *segment)
{
    struct wal_horizon *horizon = (struct wal_horizon *)wal->horizon_block;

    CHECK(segment->number > wal->kept.last->number && segment->epoch == 0);
    CHECK(le64_get(horizon->sequence) == 0);
    horizon->log_id = le64_of(wal->options.log_id);
    horizon->segment_number = le64_of(segment->number);
    horizon->epoch = le64_of(wal->epoch);
    horizon->csn_durable = le64_of(wal->scan.end.csn);
    wal__horizon_seal(horizon);
    wal->statistics.header_size += WAL_BLOCK_SIZE;
    return io_write(segment->file, wal->horizon_block, WAL_BLOCK_SIZE, WAL_BLOCK_SIZE, IO_DURABLE);
}

/* Payload bytes up to the end of the last part that counts. */
static uint32_t
size_that_counts(const struct wal_frame_header *header, const uint8_t *payload, uint64_t csn_end)
{
    struct byte_reader reader = byte_reader_init(payload, le32_get(header->payload_size));
    size_t size = 0;
    struct wal__part part;

    while (wal__part_get(&reader, le64_get(header->first_csn), &part) && part.csn <= csn_end)
        size = reader.offset;
    CHECK(size > 0);
    return (uint32_t)size;
}

/* The walk's frame, given a new place; `at` moves behind it. */
static enum status
copy_frame(struct wal *wal, struct wal__walk *walk, struct wal__segment *to,
           struct wal_position *at)
{
    uint8_t *bytes = walk->stream.data + (walk->payload - walk->stream.data);
    struct wal_frame_header *header = (struct wal_frame_header *)(bytes - sizeof(*header));
    uint32_t payload_size = size_that_counts(header, bytes, wal->scan.end.csn);
    size_t size = (size_t)wal__frame_size(payload_size);
    size_t used = sizeof(*header) + payload_size;

    CHECK(payload_size <= le32_get(header->payload_size));
    CHECK(wal__place(wal, at->lsn, size) == at->lsn); /* As many as fitted one segment before. */
    header->payload_size = le32_of(payload_size);
    header->lsn = le64_of(at->lsn);
    header->epoch = le64_of(wal->epoch);
    header->csn_durable = le64_of(wal->tail.claim.csn);
    header->chain = le64_of(at->chain);
    header->payload_checksum = le64_of(wal__payload_checksum(header, bytes));
    wal__frame_header_seal(header);
    memset((uint8_t *)header + used, 0, size - used);
    TRY(io_write(to->file, header, size, wal__offset_of(wal, to->number, at->lsn), IO_DURABLE));
    at->lsn += size;
    at->chain = le64_get(header->header_checksum);
    wal->statistics.frame_count++;
    wal->statistics.frame_size += size;
    wal->statistics.payload_size += payload_size;
    return STATUS_OK;
}

static enum status
copy_tail(struct wal *wal, struct wal__segment *to, struct wal_position *at)
{
    struct wal__walk walk;
    const char *reason = NULL;
    enum status status;

    CHECK(wal__number_of(wal, wal->tail.from.at.lsn) == wal->kept.last->number);
    TRY(announce_copies(wal, to));
    TRY_OUT(wal__walk_init(&walk, wal));
    walk.cursor = wal->tail.from;
    TRY_OUT(wal__walk_enter(&walk, wal->kept.last, wal->scan.end.lsn));
    while (walk.cursor.at.lsn != wal->scan.end.lsn) {
        struct wal__path path = wal__path_of(wal->dir, wal->kept.last->number);

        TRY_OUT(wal__walk_frame(&walk, &reason));
        if (reason != NULL)
            TRY_OUT(error_raise(STATUS_CORRUPT,
                                "log segment %s, LSN %" PRIu64
                                ": %s (it was valid a moment ago): check the disk, open again",
                                path.text, walk.cursor.at.lsn, reason));
        TRY_OUT(copy_frame(wal, &walk, to, at));
    }
out:
    wal__walk_deinit(&walk);
    return status;
}

/* The old last segment, when the new one continues its predecessor instead. */
static enum status
drop_superseded(struct wal *wal, struct wal__segment *superseded)
{
    struct wal__path path = wal__path_of(wal->dir, superseded->number);
    struct wal__segment *behind = wal->tail.behind;

    CHECK(behind->next == superseded && wal->kept.last == superseded);
    TRY(io_remove(wal->env.io, path.text));
    behind->next = NULL;
    wal->kept.last = behind;
    wal->kept.count--;
    wal__segment_free(wal, superseded);
    return STATUS_OK;
}

enum status
wal__fence(struct wal *wal, struct wal_position *at_out)
{
    struct wal__segment *last = wal->kept.last;
    struct wal__segment *behind = wal->tail.behind;
    struct wal__segment *segment = NULL;
    struct wal_position at = wal->tail.from.at;
    enum status status;

    CHECK(behind == last || behind->next == last);
    CHECK(wal->tail.claim.csn <= wal->scan.end.csn);
    wal__draw_epoch(wal, last->epoch);
    if (BUG(TAIL_NOT_FENCED))
        wal->epoch = last->epoch;
    TRY(take_segment(wal, &segment));
    at.lsn = wal__first_lsn(wal, segment->number);
    if (wal->tail.from.at.lsn != wal->scan.end.lsn)
        TRY_OUT(copy_tail(wal, segment, &at));
    at.csn = wal->scan.end.csn;
    TRY_OUT(wal__segment_write_header(wal, segment, behind->epoch, &wal->tail.claim));
    wal->statistics.header_size += WAL_BLOCK_SIZE;
    if (behind != last)
        TRY_OUT(drop_superseded(wal, last));
    behind->end_lsn = wal->tail.claim.lsn;
    segment->filled = wal__offset_of(wal, segment->number, at.lsn);
    wal__segments_push(&wal->kept, segment);
    *at_out = at;
    return STATUS_OK;
out:
    wal__segment_free(wal, segment);
    return status;
}
