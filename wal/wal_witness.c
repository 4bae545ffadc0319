/*
 * Torn tail or rotten middle? A frame is missing at the walk's cursor. It was never acknowledged, and
 * the log may end there, unless something proves that it had been durable (W5, W6):
 *
 *   horizon         its slot says that a later CSN or position was durable
 *   later frame     valid at its own position, in this epoch, and composed when a CSN at or past
 *                   the missing one was known durable
 *   four of them    at most WAL__IN_FLIGHT_MAX frames are in flight, so the fourth valid frame behind
 *                   the missing one was begun after that one had ended well; this also covers
 *                   a commit of many frames, during which no CSN becomes durable
 *   short file      a segment is used only after its full size was made durable
 *   later segment   a header is written only when all writes before it have ended well, and
 *                   frames only behind a durable header; so a valid header, frame or horizon there
 *
 * Fewer valid frames that know nothing newer are the mates of a lost one that were in flight with it:
 * no proof. A stale frame of a recycled segment names another position and is none either.
 */
#include "kernel/base/check.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

/* Of a later segment without valid header only this much is looked at. */
enum { LATER_SEGMENT_LOOK = 1024 * 1024 };

enum status
wal__horizon_read(struct wal__stream *stream, uint64_t log_id, uint64_t number,
                  struct wal_horizon *out, bool *found_out)
{
    CHECK(number > 0);
    *found_out = false;
    for (uint64_t block = 1; block <= 2; block++) {
        const struct wal_horizon *slot;
        const uint8_t *bytes = NULL;

        TRY(wal__stream_get(stream, block * WAL_BLOCK_SIZE, sizeof(*slot), &bytes));
        slot = (const struct wal_horizon *)bytes;
        if (slot == NULL || !wal__horizon_is_sound(slot) || le64_get(slot->log_id) != log_id ||
            le64_get(slot->segment_number) != number)
            continue;
        if (!*found_out || le64_get(slot->sequence) > le64_get(out->sequence))
            *out = *slot;
        *found_out = true;
    }
    return STATUS_OK;
}

static enum status
ask_horizon(struct wal__walk *walk, struct wal__proof *out)
{
    const struct wal_position *at = &walk->cursor.at;
    struct wal_horizon horizon = {0};
    bool found = false;

    TRY(wal__horizon_read(&walk->stream, walk->wal->options.log_id, walk->segment->number, &horizon,
                          &found));
    if (!found || le64_get(horizon.epoch) != walk->segment->epoch || BUG(HORIZON_NOT_CHECKED))
        return STATUS_OK;
    out->csn_durable = le64_get(horizon.csn_durable);
    out->lsn_durable = le64_get(horizon.lsn_durable);
    if (out->csn_durable > at->csn || out->lsn_durable > at->lsn) {
        out->text = "the segment's horizon, written when that was durable";
        out->lsn = out->lsn_durable;
    }
    return STATUS_OK;
}

static enum status
ask_later_frames(struct wal__walk *walk, struct wal__proof *out)
{
    const struct wal_position *at = &walk->cursor.at;
    uint64_t segment_lsn = walk->segment->number * walk->wal->segment_size;
    uint64_t offset = at->lsn - segment_lsn + WAL_BLOCK_SIZE;
    uint32_t valid_count = 0;

    CHECK(offset > WAL_FRAMES_OFFSET && offset % WAL_BLOCK_SIZE == 0);
    while (out->text == NULL && offset < walk->wal->segment_size) {
        struct wal_frame_header header;
        bool valid = false;

        TRY(wal__frame_at(&walk->stream, offset, segment_lsn + offset, &header, &valid));
        if (!valid || le64_get(header.epoch) != walk->segment->epoch) {
            offset += WAL_BLOCK_SIZE;
            continue;
        }
        valid_count++;
        if (le64_get(header.csn_durable) > at->csn)
            out->text = "a later frame, composed when that was durable";
        else if (valid_count == WAL__IN_FLIGHT_MAX)
            out->text = "four later frames, not begun before that was durable";
        out->lsn = segment_lsn + offset;
        offset += wal__frame_size(le32_get(header.payload_size));
    }
    return STATUS_OK;
}

/*
 * A segment file without valid header: prepared, or its header is rotten. Copies that a start made
 * before it wrote the header are announced by a horizon with sequence 0 and prove nothing.
 */
static enum status
ask_headless(struct wal__walk *walk, uint64_t number, struct wal__proof *out)
{
    uint64_t segment_lsn = number * walk->wal->segment_size;
    struct wal_horizon horizon = {0};
    uint64_t csn_copied = 0;
    bool found = false;

    CHECK(number > walk->segment->number);
    TRY(wal__horizon_read(&walk->stream, walk->wal->options.log_id, number, &horizon, &found));
    if (found && le64_get(horizon.sequence) == 0) {
        csn_copied = le64_get(horizon.csn_durable);
        found = false;
    }
    for (uint64_t offset = WAL_FRAMES_OFFSET; !found && offset < LATER_SEGMENT_LOOK;
         offset += WAL_BLOCK_SIZE) {
        struct wal_frame_header header = {0};

        TRY(wal__frame_at(&walk->stream, offset, segment_lsn + offset, &header, &found));
        found = found && le64_get(header.first_csn) > csn_copied;
        out->lsn = segment_lsn + offset;
    }
    out->text = found ? "a later segment that was in use" : NULL;
    return STATUS_OK;
}

static enum status
ask_later_segments(struct wal__walk *walk, struct wal__proof *out)
{
    const struct wal__files *files = &walk->wal->files;

    for (uint64_t i = 0; i < files->count && out->text == NULL; i++) {
        struct wal__segment *segment = files->items[i];
        struct wal__path path = wal__path_of(walk->wal->dir, segment->number);

        if (segment->number <= walk->segment->number)
            continue;
        if (segment->epoch != 0) {
            out->text = "a later segment with a valid header";
            out->lsn = segment->number * walk->wal->segment_size;
            continue;
        }
        TRY(wal__stream_open(&walk->stream, path.text));
        TRY(ask_headless(walk, segment->number, out));
    }
    return STATUS_OK;
}

enum status
wal__witness_find(struct wal__walk *walk, struct wal__proof *out)
{
    CHECK(walk->segment != NULL && walk->segment->epoch != 0);
    *out = (struct wal__proof){0};
    CHECK(walk->end_lsn == 0);
    if (walk->segment->file_size < walk->wal->segment_size)
        out->text = "the segment's file, once longer";
    if (out->text == NULL)
        TRY(ask_horizon(walk, out));
    if (out->text == NULL)
        TRY(ask_later_frames(walk, out));
    if (out->text == NULL)
        TRY(ask_later_segments(walk, out));
    return STATUS_OK;
}
