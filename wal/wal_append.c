/*
 * Gathering commits in frame buffers, under the caller's commit latch: no I/O, no allocation, and
 * after a reservation no failure (W11).
 *
 * A reservation answers one question: wherever a flusher may close the open frame before the append
 * comes, do the frames still find buffers and prepared segments? Only two cases differ, because a
 * flusher can close the open frame only between commits: it stays open and the commit continues in
 * it, or it is closed as it is. Both are laid out frame by frame with every part header taken at its
 * largest. Real frames are then never larger than those laid out, and never more, so by induction no
 * frame ends later than foreseen: the answer is safe for any real sizes.
 *
 * The latch is taken once a part, so that a flusher can write the first full frame of a large commit
 * while the rest is still being copied.
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "wal/wal_private.h"

static struct wal__slot *
slot_of(const struct wal *wal, uint64_t sequence)
{
    CHECK(wal->slot_count >= WAL__BUFFER_COUNT_MIN);
    return &wal->slots[sequence % wal->slot_count];
}

uint64_t
wal__place(const struct wal *wal, uint64_t lsn, uint64_t frame_size)
{
    uint64_t number = wal__number_of(wal, lsn);
    uint64_t offset = wal__offset_of(wal, number, lsn);

    CHECK(frame_size % WAL_BLOCK_SIZE == 0);
    CHECK(frame_size <= wal->segment_size - WAL_FRAMES_OFFSET);
    return offset + frame_size > wal->segment_size ? wal__first_lsn(wal, number + 1) : lsn;
}

/* Lays out `size` bytes of records behind `used` bytes of a frame at `lsn`. */
static uint64_t
lay_out(const struct wal *wal, uint64_t lsn, uint64_t used, size_t size, uint64_t *frame_count)
{
    CHECK(used <= wal->payload_max);
    for (;;) {
        uint64_t room = wal->payload_max - used;
        bool full = room < WAL__PART_ROOM_MIN || size > room - WAL_PART_OVERHEAD_MAX;
        uint64_t payload_size = full ? wal->payload_max : used + WAL_PART_OVERHEAD_MAX + size;
        uint64_t frame_size = wal__frame_size((uint32_t)payload_size);

        lsn = wal__place(wal, lsn, frame_size) + frame_size;
        (*frame_count)++;
        if (!full)
            return lsn;
        if (room >= WAL__PART_ROOM_MIN)
            size -= room - WAL_PART_OVERHEAD_MAX;
        used = 0;
    }
}

uint64_t
wal__frame_count_of(const struct wal *wal, size_t size)
{
    uint64_t most = wal->payload_max - WAL_PART_OVERHEAD_MAX;

    CHECK(wal->payload_max >= WAL__PAYLOAD_MIN);
    return size == 0 ? 1 : (size + most - 1) / most;
}

bool
wal__has_room(const struct wal *wal, size_t size, bool emergency, bool *buffers_lack_out)
{
    uint64_t set_aside = emergency ? 0 : 1;
    uint64_t frame_count = 0, frame_count_closed = 0;
    uint64_t end = lay_out(wal, wal->lsn_next, wal->open_used, size, &frame_count);

    CHECK(wal->kept.last != NULL);
    *buffers_lack_out = false;
    if (wal->open_used > 0) {
        uint64_t open_size = wal__frame_size(wal->open_used);
        uint64_t closed_end = wal__place(wal, wal->lsn_next, open_size) + open_size;

        frame_count_closed = 1;
        closed_end = lay_out(wal, closed_end, 0, size, &frame_count_closed);
        end = closed_end > end ? closed_end : end;
        frame_count = frame_count_closed > frame_count ? frame_count_closed : frame_count;
    }
    if (wal->sequence_open + frame_count > wal->sequence_finished + wal->slot_count) {
        *buffers_lack_out = true;
        return false;
    }
    /* W12: the last prepared segment is for emergencies, and there has to be one. */
    return wal__number_of(wal, end) <= wal->kept.last->number + wal->prepared.count - set_aside;
}

enum status
wal_reserve(struct wal *wal, size_t size, bool emergency)
{
    enum status status = STATUS_OK;
    bool buffers_lack = false;

    CHECK(wal->started);
    latch_lock(&wal->latch);
    if (atomic_load_explicit(&wal->failed, memory_order_relaxed))
        status = wal__raise_failed(wal);
    else if (!wal__has_room(wal, size, emergency, &buffers_lack))
        status = STATUS_MISSING;
    else
        wal->reserved = size;
    wal->is_reserved = status == STATUS_OK;
    latch_unlock(&wal->latch);
    return status;
}

/* What wal_size gives: kept up to date so that it can be read without the latch. */
static void
update_size(struct wal *wal)
{
    uint64_t open_size = wal->open_used > 0 ? wal__frame_size(wal->open_used) : 0;

    atomic_store_explicit(&wal->size, wal->size_closed + open_size, memory_order_relaxed);
}

void
wal__close_open(struct wal *wal)
{
    struct wal__slot *slot = slot_of(wal, wal->sequence_open);
    uint64_t frame_size = wal__frame_size(wal->open_used);
    size_t used = sizeof(struct wal_frame_header) + wal->open_used;

    CHECK(latch_is_held(&wal->latch));
    CHECK(wal->open_used <= wal->payload_max);
    if (wal->open_used == 0)
        return;
    CHECK(wal->sequence_open < wal->sequence_finished + wal->slot_count);
    slot->payload_size = wal->open_used;
    slot->commit_count = wal->open_commit_count;
    slot->first_csn = wal->open_first_csn;
    slot->csn = atomic_load_explicit(&wal->csn_appended, memory_order_relaxed);
    slot->lsn = wal__place(wal, wal->lsn_next, frame_size);
    slot->finished = false;
    memset(slot->frame + used, 0, frame_size - used);
    wal->lsn_next = slot->lsn + frame_size;
    wal->size_closed += frame_size;
    wal->sequence_open++;
    wal->open_used = 0;
    wal->open_commit_count = 0;
}

/* Puts as much of the commit from `offset` into the open frame as fits; returns how much. */
static size_t
append_part(struct wal *wal, const struct wal_commit *commit, size_t offset)
{
    size_t left = commit->size - offset;

    CHECK(offset <= commit->size);
    if (wal->payload_max - wal->open_used < WAL__PART_ROOM_MIN)
        wal__close_open(wal);
    if (wal->open_used == 0)
        wal->open_first_csn = commit->csn;
    CHECK(wal->sequence_open < wal->sequence_finished + wal->slot_count);

    struct wal__slot *slot = slot_of(wal, wal->sequence_open);
    size_t room = wal->payload_max - wal->open_used;
    struct wal__part part = {.csn = commit->csn, .time_ms = commit->time_ms};
    part.flags =
        (uint8_t)((offset == 0 ? WAL_PART_FIRST : 0) | (commit->system ? WAL_PART_SYSTEM : 0));
    size_t most = left < room ? left : room;
    size_t overhead = wal__part_size(&part, wal->open_first_csn, most) - most;
    part.size = left < room - overhead ? left : room - overhead;
    part.flags |= part.size == left ? WAL_PART_LAST : 0;
    part.bytes = part.size > 0 ? (const uint8_t *)commit->records + offset : NULL;

    struct byte_writer writer =
        byte_writer_init(slot->frame + sizeof(struct wal_frame_header) + wal->open_used, room);
    wal__part_put(&writer, &part, wal->open_first_csn);
    CHECK(!writer.overflow);
    CHECK(part.size > 0 || left == 0);
    wal->open_used += (uint32_t)writer.offset;
    return part.size;
}

void
wal_append(struct wal *wal, const struct wal_commit *commit)
{
    size_t offset = 0;
    bool last = false;

    CHECK(commit->csn == atomic_load_explicit(&wal->csn_appended, memory_order_relaxed) + 1);
    while (!last) {
        latch_lock(&wal->latch);
        CHECK(wal->is_reserved && commit->size <= wal->reserved); /* W11 */
        offset += append_part(wal, commit, offset);
        last = offset == commit->size;
        if (last) {
            wal->is_reserved = false;
            wal->open_commit_count++;
            atomic_store_explicit(&wal->csn_appended, commit->csn, memory_order_release);
        } else {
            wal__close_open(wal);
        }
        update_size(wal);
        DCHECK(wal__invariants_hold(wal));
        latch_unlock(&wal->latch);
    }
}

struct wal_position
wal_mark(struct wal *wal)
{
    struct wal_position position;

    CHECK(wal->started);
    latch_lock(&wal->latch);
    wal__close_open(wal);
    wal__seal_closed(wal);
    CHECK(wal->sequence_sealed == wal->sequence_open && wal->open_used == 0);
    DCHECK(wal__invariants_hold(wal));
    position.lsn = wal->lsn_next;
    position.chain = wal->chain;
    position.csn = atomic_load_explicit(&wal->csn_appended, memory_order_relaxed);
    latch_unlock(&wal->latch);
    return position;
}

uint64_t
wal_csn_appended(const struct wal *wal)
{
    return atomic_load_explicit(&wal->csn_appended, memory_order_acquire);
}

uint64_t
wal_size(const struct wal *wal)
{
    return atomic_load_explicit(&wal->size, memory_order_relaxed);
}
