/*
 * Group commit: the thread that needs a commit durable writes the frame itself (a hand-over to
 * another thread costs more than the write). One step at a time, chosen under the latch:
 *
 *   WAIT     nothing may start now: stand by until a write has ended
 *   HOLD     the frame is small, and of the clients who were answered last some are likely to come: stand by
 *            until they have, a moment at most
 *   SWITCH   the next frame lies in the next segment: when no write is in flight, its header goes
 *            first, durable (W1)
 *   FILL     the frame would end in blocks never written: zeros go first, a step's worth, so that
 *            small commits never pay for a change of the file's extents
 *   SEAL     sum a large payload without the latch, then look again
 *   WRITE    seal the oldest frame if that is still to be done, and write it
 *
 * Without holding, clients fall into two halves that take turns: one waits for the disk, the other for its
 * turn, and each frame carries half of what it could. So the clients of the frame just finished and those who
 * wait already are expected together in the next one. If they do not come in time, nobody is expected until
 * frames have several clients again; a lone client never waits (docs/decisions/0016-held-frames.md).
 *
 * A write starts when none is in flight, or beside others when the frame is closed or fills a block
 * (greedy: whatever gathers meanwhile goes with the next). At most WAL__IN_FLIGHT_MAX frames lie
 * between the oldest unfinished and the newest submitted, so four valid frames behind a bad one
 * prove that it had been durable (wal_witness.c).
 *
 * Waiters sleep on their frame's event. One a frame, the candidate, sleeps on `turn` instead, which
 * counts up whenever something ended that may have been in the way: it starts the frame if it can.
 * A frame with waiters that is not yet submitted always has a candidate, or a thread in
 * wal__flush_until that has not left yet: a candidate leaves only when its frame is submitted.
 *
 * A write that ends well moves the durable CSN over all gapless finished frames. One that fails makes
 * the log FAILED under the same latch, and nothing is acknowledged from then on: where the error of
 * a sync is given to one caller only, another's success says nothing (W10).
 */
#include "kernel/base/check.h"
#include "kernel/base/faults.h"
#include "wal/wal_private.h"

enum step { STEP_WAIT, STEP_HOLD, STEP_SWITCH, STEP_FILL, STEP_SEAL, STEP_WRITE };

static struct wal__slot *
slot_of(const struct wal *wal, uint64_t sequence)
{
    return &wal->slots[sequence % wal->slot_count];
}

static struct wal_frame_header *
header_of(const struct wal__slot *slot)
{
    return (struct wal_frame_header *)slot->frame;
}

static void
wait_for_turn(struct wal *wal)
{
    uint32_t seen = event_count(&wal->turn);

    CHECK(latch_is_held(&wal->latch));
    latch_unlock(&wal->latch);
    event_wait(&wal->turn, seen);
    latch_lock(&wal->latch);
}

static void
hold(struct wal *wal)
{
    uint32_t seen = event_count(&wal->turn);

    CHECK(latch_is_held(&wal->latch));
    latch_unlock(&wal->latch);
    bool in_time = event_wait_for(&wal->turn, seen, wal->hold_ns);
    latch_lock(&wal->latch);
    if (!in_time)
        wal->clients_expected = 0;
}

static uint64_t
payload_checksum(const struct wal *wal, const struct wal__slot *slot)
{
    struct wal_frame_header *header = header_of(slot);

    CHECK(slot->payload_size > 0 && slot->payload_size <= wal->payload_max);
    header->lsn = le64_of(slot->lsn);
    header->epoch = le64_of(wal->epoch);
    header->payload_size = le32_of(slot->payload_size);
    return wal__payload_checksum(header, slot->frame + sizeof(*header));
}

/* Completes the header of the oldest closed frame. */
static void
seal(struct wal *wal, uint64_t checksum)
{
    struct wal__slot *slot = slot_of(wal, wal->sequence_sealed);
    struct wal_frame_header *header = header_of(slot);

    CHECK(latch_is_held(&wal->latch) && !wal->sealing);
    CHECK(wal->sequence_sealed < wal->sequence_open);
    header->commit_count = le32_of(slot->commit_count);
    header->first_csn = le64_of(slot->first_csn);
    header->csn_durable = le64_of(atomic_load(&wal->csn_durable));
    header->chain = le64_of(wal->chain);
    header->payload_checksum = le64_of(checksum);
    wal__frame_header_seal(header);
    wal->chain = le64_get(header->header_checksum);
    wal->sequence_sealed++;
}

void
wal__seal_closed(struct wal *wal)
{
    CHECK(latch_is_held(&wal->latch));
    while (wal->sealing)
        wait_for_turn(wal);
    while (wal->sequence_sealed < wal->sequence_open)
        seal(wal, payload_checksum(wal, slot_of(wal, wal->sequence_sealed)));
    CHECK(wal->sequence_sealed == wal->sequence_open);
}

static void
seal_large(struct wal *wal)
{
    if (wal->sequence_sealed == wal->sequence_open)
        wal__close_open(wal);
    struct wal__slot *slot = slot_of(wal, wal->sequence_sealed);

    CHECK(!wal->sealing);
    CHECK(wal->sequence_sealed == wal->sequence_submitted);
    wal->sealing = true;
    latch_unlock(&wal->latch);
    uint64_t checksum = payload_checksum(wal, slot);
    latch_lock(&wal->latch);
    CHECK(wal->sealing && slot == slot_of(wal, wal->sequence_sealed));
    wal->sealing = false;
    seal(wal, checksum);
    event_signal(&wal->turn);
}

/* Payload of the frame to be written next, closed or still open. */
static uint32_t
next_payload_size(const struct wal *wal)
{
    if (wal->sequence_submitted < wal->sequence_open)
        return slot_of(wal, wal->sequence_submitted)->payload_size;
    CHECK(wal->open_used > 0);
    return wal->open_used;
}

static uint64_t
next_lsn(const struct wal *wal, uint64_t frame_size)
{
    if (wal->sequence_submitted < wal->sequence_open)
        return slot_of(wal, wal->sequence_submitted)->lsn;
    return wal__place(wal, wal->lsn_next, frame_size);
}

/* Enough has gathered to start beside a write in flight. */
static bool
fills_a_block(const struct wal *wal, uint32_t payload_size)
{
    return wal->sequence_submitted < wal->sequence_open ||
           sizeof(struct wal_frame_header) + payload_size >= WAL_BLOCK_SIZE;
}

/* Of a small frame with nothing in flight: whether some of those who were answered last are on their way
 * back. It goes with them, or when the time is over. */
static bool
is_held(const struct wal *wal)
{
    const struct wal__slot *slot = slot_of(wal, wal->sequence_open);

    return wal->sequence_submitted == wal->sequence_open &&
           slot->client_count < wal->clients_expected;
}

static enum step
next_step(const struct wal *wal)
{
    const struct wal__segment *current = wal->kept.last;
    uint64_t in_flight = wal->sequence_submitted - wal->sequence_finished;
    uint32_t payload_size = next_payload_size(wal);

    CHECK(in_flight <= WAL__IN_FLIGHT_MAX);
    CHECK(current->file != NULL && current->filled <= wal->segment_size);
    if (wal->switching || wal->sealing || in_flight >= WAL__IN_FLIGHT_MAX)
        return STEP_WAIT;
    if (!fills_a_block(wal, payload_size)) {
        if (in_flight > 0)
            return STEP_WAIT;
        if (is_held(wal))
            return STEP_HOLD;
    }
    if (wal->sequence_sealed == wal->sequence_submitted && payload_size > WAL__SEAL_LATCHED_MAX)
        return STEP_SEAL;

    uint64_t size = wal__frame_size(payload_size);
    uint64_t lsn = next_lsn(wal, size);
    if (wal__number_of(wal, lsn) != current->number) {
        bool busy =
            wal->filling || (wal->exchanged != NULL && wal->exchanged == wal->prepared.first);

        return in_flight == 0 && !busy ? STEP_SWITCH : STEP_WAIT;
    }
    if (wal__offset_of(wal, current->number, lsn) + size <= current->filled)
        return STEP_WRITE;
    if (wal->filling)
        return STEP_WAIT;
    return size < WAL__FILL_FRAME_MAX ? STEP_FILL : STEP_WRITE;
}

static void
switch_segment(struct wal *wal)
{
    struct wal__segment *current = wal->kept.last;
    struct wal__segment *next = wal->prepared.first;
    struct wal_position end = {
        .lsn = wal->lsn_durable, .chain = wal->chain_submitted, .csn = wal->csn_submitted};

    CHECK(next != NULL && next->number == current->number + 1); /* W11: reserved. */
    CHECK(wal->sequence_submitted == wal->sequence_finished);
    CHECK(!wal->switching && !wal->filling && next != wal->exchanged);
    wal->switching = true;
    wal->writing_count++;
    latch_unlock(&wal->latch);
    enum status status = wal__segment_write_header(wal, next, current->epoch, &end);
    latch_lock(&wal->latch);
    wal->writing_count--;
    wal->switching = false;
    if (status != STATUS_OK) {
        wal__fail(wal, "write of a segment header");
    } else if (!atomic_load(&wal->failed)) {
        current->end_lsn = end.lsn;
        wal__segments_push(&wal->kept, wal__segments_pop(&wal->prepared));
        wal->statistics.header_size += WAL_BLOCK_SIZE;
        DCHECK(wal__invariants_hold(wal));
    }
    event_signal(&wal->turn);
}

uint64_t
wal__fill_ahead(const struct wal *wal)
{
    uint64_t ahead = wal->small_frame_size;

    if (ahead < WAL__FILL_AHEAD_MIN)
        ahead = WAL__FILL_AHEAD_MIN;
    return ahead < WAL__FILL_AHEAD ? ahead : WAL__FILL_AHEAD;
}

void
wal__fill(struct wal *wal, struct wal__segment *segment)
{
    uint64_t offset = segment->filled;
    uint64_t left = wal->segment_size - offset;
    uint64_t step = wal__fill_ahead(wal) < wal->fill_step ? wal__fill_ahead(wal) : wal->fill_step;
    size_t size = (size_t)(left < step ? left : step);

    CHECK(latch_is_held(&wal->latch) && !wal->filling);
    CHECK(offset % WAL_BLOCK_SIZE == 0 && size > 0);
    if (wal->zeros == NULL)
        wal->zeros =
            memory_alloc_aligned(wal->env.memory, MEMORY_LOG, wal->fill_step, WAL_BLOCK_SIZE);
    if (wal->zeros == NULL) { /* Filling saves time, no more: without memory it is left out. */
        segment->filled = offset + size;
        return;
    }
    wal->filling = true;
    wal->writing_count++;
    latch_unlock(&wal->latch);
    enum status status = io_write(segment->file, wal->zeros, size, offset, IO_DURABLE);
    latch_lock(&wal->latch);
    CHECK(segment->filled == offset);
    wal->writing_count--;
    wal->filling = false;
    if (status != STATUS_OK)
        wal__fail(wal, "filling a segment");
    segment->filled = offset + size;
    wal->statistics.fill_size += size;
    event_signal(&wal->turn);
}

/* As many as the frames [from, to) answered may be back soon, to go with those who wait already. */
static void
expect_clients(struct wal *wal, uint64_t from, uint64_t to)
{
    uint32_t count = 0;

    if (from == to)
        return;
    for (uint64_t sequence = from; sequence <= wal->sequence_open; sequence++)
        count += slot_of(wal, sequence)->client_count;
    wal->clients_expected = count > 1 ? count : 0; /* A lone client is not waited for. */
    for (uint64_t sequence = from; sequence < to; sequence++)
        slot_of(wal, sequence)->client_count = 0;
}

/* The durable point moves over gapless finished frames; returns the first not passed. */
static uint64_t
advance(struct wal *wal)
{
    while (wal->sequence_finished < wal->sequence_submitted) {
        struct wal__slot *slot = slot_of(wal, wal->sequence_finished);

        if (!slot->finished || atomic_load_explicit(&wal->failed, memory_order_relaxed))
            break;
        CHECK(slot->lsn >= wal->lsn_durable);
        CHECK(slot->csn >= atomic_load_explicit(&wal->csn_durable, memory_order_relaxed));
        wal->lsn_durable = slot->lsn + wal__frame_size(slot->payload_size);
        atomic_store_explicit(&wal->csn_durable, slot->csn, memory_order_release);
        wal->sequence_finished++;
    }
    return wal->sequence_finished;
}

/* Wakes those who waited for frames [from, to), and whoever may start the next write. */
static void
wake(struct wal *wal, uint64_t from, uint64_t to)
{
    latch_unlock(&wal->latch);
    event_signal(&wal->turn);
    for (uint64_t sequence = from; sequence < to; sequence++)
        event_signal(&slot_of(wal, sequence)->done);
    latch_lock(&wal->latch);
}

static enum status
write_bytes(struct io_file *file, const uint8_t *frame, size_t size, uint64_t offset)
{
    CHECK(offset >= WAL_FRAMES_OFFSET && size % WAL_BLOCK_SIZE == 0);
    enum status status = io_write(file, frame, size, offset, BUG(ACK_BEFORE_SYNC) ? 0 : IO_DURABLE);

    if (BUG(FAILED_SYNC_RETRIED) && status != STATUS_OK)
        status = io_sync(file);
    return status;
}

static void
write_frame(struct wal *wal)
{
    uint64_t sequence = wal->sequence_submitted;
    struct wal__slot *slot = slot_of(wal, sequence);
    struct wal__segment *segment = wal->kept.last;

    if (sequence == wal->sequence_open)
        wal__close_open(wal);
    if (sequence == wal->sequence_sealed)
        seal(wal, payload_checksum(wal, slot));
    CHECK(sequence < wal->sequence_sealed && !slot->finished);
    CHECK(wal__number_of(wal, slot->lsn) == segment->number &&
          segment->epoch == wal->epoch); /* W1 */

    size_t size = (size_t)wal__frame_size(slot->payload_size);
    uint64_t offset = wal__offset_of(wal, segment->number, slot->lsn);
    if (offset + size > segment->filled)
        segment->filled = offset + size;
    slot->has_candidate = false;
    wal->chain_submitted = le64_get(header_of(slot)->header_checksum);
    wal->csn_submitted = slot->csn;
    wal->sequence_submitted++;
    wal->writing_count++;
    latch_unlock(&wal->latch);
    enum status status = write_bytes(segment->file, slot->frame, size, offset);
    latch_lock(&wal->latch);
    CHECK(wal->writing_count > 0 && wal->sequence_finished <= sequence);
    wal->writing_count--;
    if (status != STATUS_OK)
        wal__fail(wal, "write of a frame");
    slot->finished = true;
    wal->statistics.frame_count++;
    wal->statistics.frame_size += size;
    if (size < WAL__FILL_FRAME_MAX) {
        wal->small_frame_size += size;
        wal__note_fill(wal);
    }
    wal->statistics.payload_size += slot->payload_size;
    uint64_t from = wal->sequence_finished;
    uint64_t to = advance(wal);
    expect_clients(wal, from, to);
    DCHECK(wal__invariants_hold(wal));
    wake(wal, from, to);
}

/* Sleeps until frame `sequence` is durable, or may be started, or the log has failed. The latch is
 * taken again only by those who may have something to do; false when `csn` was seen durable. */
static bool
stand_by(struct wal *wal, uint64_t sequence, uint64_t csn, bool holds)
{
    struct wal__slot *slot = slot_of(wal, sequence);

    CHECK(sequence < wal->sequence_finished + wal->slot_count);
    if (wal->sequence_submitted <= sequence && !slot->has_candidate) {
        slot->has_candidate = true;
        if (holds)
            hold(wal);
        else
            wait_for_turn(wal);
        if (wal->sequence_submitted <= sequence)
            slot->has_candidate = false;
        return true;
    }
    uint32_t seen = event_count(&slot->done);
    latch_unlock(&wal->latch);
    event_wait(&slot->done, seen);
    if (csn <= wal_csn_durable(wal))
        return false;
    latch_lock(&wal->latch);
    return true;
}

/* The step that this thread may take for frame `sequence`, if it is not on its way already. */
static enum step
choose_step(const struct wal *wal, uint64_t sequence)
{
    return wal->sequence_submitted <= sequence ? next_step(wal) : STEP_WAIT;
}

enum status
wal__flush_until(struct wal *wal, uint64_t sequence, uint64_t csn)
{
    enum status status = STATUS_OK;

    CHECK(latch_is_held(&wal->latch));
    CHECK(sequence < wal->sequence_open || (sequence == wal->sequence_open && wal->open_used > 0));
    while (status == STATUS_OK && wal->sequence_finished <= sequence) {
        if (atomic_load_explicit(&wal->failed, memory_order_relaxed)) {
            status = wal__raise_failed(wal);
            continue;
        }
        enum step step = choose_step(wal, sequence);

        switch (step) {
        case STEP_WRITE:
            write_frame(wal);
            break;
        case STEP_SEAL:
            seal_large(wal);
            break;
        case STEP_FILL:
            wal__fill(wal, wal->kept.last);
            break;
        case STEP_SWITCH:
            switch_segment(wal);
            break;
        case STEP_WAIT:
        case STEP_HOLD:
            if (!stand_by(wal, sequence, csn, step == STEP_HOLD))
                return STATUS_OK;
        }
    }
    latch_unlock(&wal->latch);
    return status;
}

/* The frame in which commit `csn` ends. */
static uint64_t
frame_of(const struct wal *wal, uint64_t csn)
{
    uint64_t sequence = wal->sequence_finished;

    while (sequence < wal->sequence_open && slot_of(wal, sequence)->csn < csn)
        sequence++;
    CHECK(sequence < wal->sequence_open || wal->open_used > 0);
    return sequence;
}

enum status
wal_flush_for(struct wal *wal, uint64_t csn, uint32_t client_count)
{
    CHECK(wal->started);
    if (csn <= wal_csn_durable(wal))
        return STATUS_OK;
    latch_lock(&wal->latch);
    CHECK(csn <= atomic_load(&wal->csn_appended));
    if (csn <= atomic_load(&wal->csn_durable)) {
        latch_unlock(&wal->latch);
        return STATUS_OK;
    }
    wal->statistics.flush_count++;
    uint64_t sequence = frame_of(wal, csn);
    slot_of(wal, sequence)->client_count += client_count;
    return wal__flush_until(wal, sequence, csn);
}

enum status
wal_flush(struct wal *wal, uint64_t csn)
{
    return wal_flush_for(wal, csn, 1);
}

uint64_t
wal_csn_durable(const struct wal *wal)
{
    return atomic_load_explicit(&wal->csn_durable, memory_order_acquire);
}
