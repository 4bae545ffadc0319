/*
 * Room in the log: segments prepared ahead, given back, and the horizon. All of it runs without the
 * commit latch; `space` keeps one thread at a time at it, across I/O, and is taken before `latch`.
 *
 * Giving back: every segment below the released position is shown to the archive hook, without any
 * lock held, and flagged; then the flagged ones at the front of the list are renamed to the next
 * number, or removed when enough are ready. While a prepared file was never written, a flagged one takes
 * its place: that file would be filled with zeros before small frames use it, this one was written before.
 * A segment whose hook refuses stays, and all after it, for the next release: the archive gets them in
 * order.
 */
#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "kernel/base/log_sink.h"
#include "wal/wal_private.h"

static void
add_prepared(struct wal *wal, struct wal__segment *segment)
{
    CHECK(latch_is_held(&wal->space));
    latch_lock(&wal->latch);
    CHECK(segment->file != NULL && segment->epoch == 0);
    CHECK(segment->number == wal->number_next);
    wal__segments_push(&wal->prepared, segment);
    wal->number_next++;
    latch_unlock(&wal->latch);
}

/* Space held. */
static enum status
prepare_one(struct wal *wal)
{
    struct wal__segment *segment = NULL;

    CHECK(latch_is_held(&wal->space));
    TRY(wal__segment_create(wal, wal->number_next, &segment));
    add_prepared(wal, segment);
    latch_lock(&wal->latch);
    wal->statistics.segment_created_count++;
    latch_unlock(&wal->latch);
    return STATUS_OK;
}

/* Prepares a segment unless another thread did so meanwhile. */
static enum status
make_segment(struct wal *wal, size_t size, bool emergency)
{
    bool buffers_lack = false;

    latch_lock(&wal->space);
    latch_lock(&wal->latch);
    bool enough = wal__has_room(wal, size, emergency, &buffers_lack) || buffers_lack;
    latch_unlock(&wal->latch);
    enum status status = enough ? STATUS_OK : prepare_one(wal);
    latch_unlock(&wal->space);
    return status;
}

enum status
wal_make_room(struct wal *wal, size_t size, bool emergency)
{
    uint64_t frame_count = wal__frame_count_of(wal, size);
    bool done = false;

    CHECK(wal->started);
    if (frame_count > wal->options.buffer_count)
        return error_raise(STATUS_FULL,
                           "a commit of %zu bytes does not fit the log's %" PRIu32
                           " buffers of %" PRIu32 " bytes: make it smaller or the buffers more",
                           size, wal->options.buffer_count, wal->payload_max);
    while (!done) {
        enum status status = STATUS_OK;
        bool buffers_lack = false;

        latch_lock(&wal->latch);
        if (atomic_load(&wal->failed))
            status = wal__raise_failed(wal);
        else
            done = wal__has_room(wal, size, emergency, &buffers_lack);
        if (buffers_lack)
            status = wal__flush_until(wal, wal->sequence_open - (wal->open_used == 0 ? 1 : 0),
                                      UINT64_MAX);
        else
            latch_unlock(&wal->latch);
        TRY(status);
        if (!done && !buffers_lack)
            TRY(make_segment(wal, size, emergency));
    }
    return STATUS_OK;
}

/* The segment that is not filled for `ahead` bytes past the last frame; NULL when none is. */
static struct wal__segment *
fill_due_within(const struct wal *wal, uint64_t ahead)
{
    struct wal__segment *current = wal->kept.last;
    struct wal__segment *next = wal->prepared.first;
    uint64_t number = wal__number_of(wal, wal->lsn_next);
    uint64_t used = wal->segment_size;

    /* A switch made for the frame still open leaves lsn_next at the end of the segment before. */
    CHECK(number + 1 >= current->number);
    if (number < current->number)
        used = WAL_FRAMES_OFFSET;
    else if (number == current->number)
        used = wal__offset_of(wal, number, wal->lsn_next);
    if (wal->filling || wal->switching)
        return NULL;
    if (current->filled < wal->segment_size && current->filled < used + ahead)
        return current;
    if (next != NULL && next != wal->exchanged && next->filled < wal->segment_size &&
        next->filled < ahead && used + ahead > wal->segment_size)
        return next;
    return NULL;
}

static struct wal__segment *
fill_due(const struct wal *wal)
{
    return fill_due_within(wal, wal__fill_ahead(wal));
}

void
wal__note_fill(struct wal *wal)
{
    bool due = fill_due_within(wal, wal__fill_ahead(wal) / 2) != NULL;

    atomic_store_explicit(&wal->prepare_due, due, memory_order_relaxed);
}

bool
wal_prepare_is_due(const struct wal *wal)
{
    return atomic_load_explicit(&wal->prepare_due, memory_order_relaxed);
}

enum status
wal_prepare_step(struct wal *wal, bool *more_out)
{
    enum status status = STATUS_OK;

    CHECK(wal->started);
    latch_lock(&wal->space);
    latch_lock(&wal->latch);
    bool failed = atomic_load(&wal->failed);
    bool segment_due = !failed && wal->prepared.count < wal->options.spare_count;
    struct wal__segment *fill = failed || segment_due ? NULL : fill_due(wal);
    if (failed)
        status = wal__raise_failed(wal);
    if (fill != NULL)
        wal__fill(wal, fill);
    if (fill != NULL && atomic_load(&wal->failed))
        status = wal__raise_failed(wal);
    latch_unlock(&wal->latch);
    if (segment_due)
        status = prepare_one(wal);
    latch_lock(&wal->latch);
    *more_out = status == STATUS_OK &&
                (wal->prepared.count < wal->options.spare_count || fill_due(wal) != NULL);
    atomic_store_explicit(&wal->prepare_due, false, memory_order_relaxed);
    latch_unlock(&wal->latch);
    latch_unlock(&wal->space);
    return status;
}

static void
move_released(struct wal *wal, const struct wal_position *position)
{
    CHECK(position->lsn <= wal->lsn_durable);
    if (position->lsn <= wal->released.lsn)
        return;
    uint64_t size = wal__size_between(wal, wal->released.lsn, position->lsn);
    CHECK(size <= wal->size_closed);
    wal->size_closed -= size;
    atomic_store(&wal->size, atomic_load(&wal->size) - size);
    wal->released = *position;
    DCHECK(wal__invariants_hold(wal));
}

/* The next segment below `limit` to be shown to the hook, flagged as such. */
static struct wal__segment *
claim_for_archive(struct wal *wal, uint64_t limit)
{
    struct wal__segment *segment;

    latch_lock(&wal->latch);
    segment = wal->kept.first;
    CHECK(segment != NULL);
    while (segment != wal->kept.last && segment->archived)
        segment = segment->next;
    if (segment == wal->kept.last || segment->number >= limit || segment->archiving)
        segment = NULL;
    else
        segment->archiving = true;
    latch_unlock(&wal->latch);
    return segment;
}

static void
archive_below(struct wal *wal, uint64_t limit)
{
    struct wal__segment *segment;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && (segment = claim_for_archive(wal, limit)) != NULL) {
        struct wal__path path = wal__path_of(wal->dir, segment->number);

        if (wal->options.archive != NULL)
            status = wal->options.archive(wal->options.archive_context, path.text, segment->number);
        if (status != STATUS_OK)
            log_line(LOG_WARN, "wal: segment not archived, kept for later file=%s status=%s",
                     path.text, status_name(status));
        latch_lock(&wal->latch);
        CHECK(segment->archiving && !segment->archived);
        segment->archiving = false;
        segment->archived = status == STATUS_OK;
        latch_unlock(&wal->latch);
    }
}

/* A kept segment under a new number, as prepared. Space held; the segment is out of all lists. */
static enum status
recycle(struct wal *wal, struct wal__segment *segment)
{
    enum status status;

    CHECK(latch_is_held(&wal->space));
    CHECK(segment->next == NULL && segment->epoch == 0);
    TRY_OUT(wal__sync_dir(wal));
    TRY_OUT(wal__segment_open_file(wal, segment));
    add_prepared(wal, segment);
    latch_lock(&wal->latch);
    wal->statistics.segment_recycled_count++;
    latch_unlock(&wal->latch);
    return STATUS_OK;
out:
    wal__segment_free(wal, segment); /* Its file is overwritten when its number is prepared. */
    return status;
}

/* Bytes of a released segment that were written once; of those found at open the frames tell, if they
 * were looked at. */
static uint64_t
written_size(const struct wal *wal, const struct wal__segment *segment)
{
    uint64_t frames =
        segment->end_lsn == 0 ? 0 : wal__offset_of(wal, segment->number, segment->end_lsn);

    CHECK(frames <= wal->segment_size);
    return frames > segment->filled ? frames : segment->filled;
}

static struct wal__segment *
pop_kept(struct wal *wal, const struct wal__segment *segment)
{
    latch_lock(&wal->latch);
    CHECK(wal->kept.first == segment);
    struct wal__segment *popped = wal__segments_pop(&wal->kept);
    latch_unlock(&wal->latch);
    return popped;
}

/* The first prepared segment never written, claimed for an exchange; NULL when there is none, or a
 * thread is at work with it. */
static struct wal__segment *
claim_fresh(struct wal *wal)
{
    CHECK(latch_is_held(&wal->space)); /* So none of them is being filled. */
    latch_lock(&wal->latch);
    struct wal__segment *fresh = wal->prepared.first;
    if (fresh != NULL && wal->switching)
        fresh = fresh->next;
    while (fresh != NULL && fresh->filled > 0)
        fresh = fresh->next;
    wal->exchanged = fresh;
    latch_unlock(&wal->latch);
    return fresh;
}

/*
 * A released file takes the place of a prepared one that was never written, so that the log does not
 * fill more space than it goes round in. It is opened before it is renamed: from then on nothing may
 * fail, for the prepared one has lost its name. Space held.
 */
static enum status
exchange(struct wal *wal, struct wal__segment *segment, struct wal__segment *fresh)
{
    struct wal__path from = wal__path_of(wal->dir, segment->number);
    struct wal__path to = wal__path_of(wal->dir, fresh->number);
    enum status status = STATUS_OK;

    CHECK(latch_is_held(&wal->space) && fresh->number > segment->number);
    if (segment->file == NULL)
        status = wal__segment_open_file(wal, segment);
    if (status == STATUS_OK)
        status = io_rename(wal->env.io, from.text, to.text);
    bool renamed = status == STATUS_OK, gone = status == STATUS_NOT_FOUND;
    if (renamed)
        status = wal__sync_dir(wal); /* A failure is final for the log. */

    latch_lock(&wal->latch);
    if (renamed) {
        struct io_file *file = fresh->file;

        fresh->file = segment->file;
        fresh->filled = written_size(wal, segment);
        segment->file = file;
        wal->statistics.segment_recycled_count++;
    }
    wal->exchanged = NULL;
    DCHECK(wal__invariants_hold(wal));
    latch_unlock(&wal->latch);
    event_signal(&wal->turn);
    if (renamed || gone)
        wal__segment_free(wal, pop_kept(wal, segment));
    return gone ? STATUS_OK : status;
}

/* Under a new number behind all others, or gone. Space held. */
static enum status
recycle_or_remove(struct wal *wal, struct wal__segment *segment, bool recycles)
{
    enum status status;

    io_close(segment->file);
    segment->file = NULL;
    if (recycles) {
        segment->filled = written_size(wal, segment);
        status = wal__segment_move_file(wal, segment, wal->number_next);
    } else {
        struct wal__path path = wal__path_of(wal->dir, segment->number);

        status = io_remove(wal->env.io, path.text);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    segment = pop_kept(wal, segment);
    if (recycles && status == STATUS_OK) {
        wal__segment_renumber(segment, wal->number_next);
        return recycle(wal, segment);
    }
    wal__segment_free(wal, segment);
    return STATUS_OK;
}

/* Recycles or removes the oldest segment if it is archived; `*done_out` when there is none. */
static enum status
give_back_one(struct wal *wal, bool *done_out)
{
    latch_lock(&wal->latch);
    struct wal__segment *segment = wal->kept.first;
    uint64_t count = wal->kept.count + wal->prepared.count;
    bool recycles =
        wal->prepared.count < wal->options.spare_count || count <= wal->options.segment_count_max;
    *done_out = segment == wal->kept.last || !segment->archived;
    latch_unlock(&wal->latch);
    if (*done_out)
        return STATUS_OK;

    /* W2: nothing at or past the released position is in it. */
    CHECK(latch_is_held(&wal->space) && !segment->archiving);
    CHECK(segment->number < wal__number_of(wal, wal->released.lsn) || BUG(SEGMENT_REUSED_EARLY));
    struct wal__segment *fresh = claim_fresh(wal);
    return fresh != NULL ? exchange(wal, segment, fresh)
                         : recycle_or_remove(wal, segment, recycles);
}

enum status
wal_release(struct wal *wal, struct wal_position position)
{
    uint64_t limit = wal__number_of(wal, position.lsn) + (BUG(SEGMENT_REUSED_EARLY) ? 1 : 0);
    enum status status = STATUS_OK;
    bool done = false;

    CHECK(wal->started);
    latch_lock(&wal->latch);
    if (atomic_load(&wal->failed))
        status = wal__raise_failed(wal);
    else
        move_released(wal, &position);
    latch_unlock(&wal->latch);
    TRY(status);
    archive_below(wal, limit);
    latch_lock(&wal->space);
    while (status == STATUS_OK && !done)
        status = give_back_one(wal, &done);
    latch_unlock(&wal->space);
    return status;
}

/* What the horizon should say now; false when it says so already. */
static bool
compose_horizon(struct wal *wal, const struct wal__segment *segment)
{
    struct wal_horizon *horizon = (struct wal_horizon *)wal->horizon_block;
    uint64_t csn = atomic_load(&wal->csn_durable);

    if (wal->lsn_durable == wal->horizon_lsn ||
        wal->lsn_durable <= wal__first_lsn(wal, segment->number))
        return false;
    CHECK(wal__number_of(wal, wal->lsn_durable) == segment->number);
    CHECK(wal->lsn_durable > wal->horizon_lsn);
    wal->horizon_lsn = wal->lsn_durable;
    wal->horizon_sequence++;
    horizon->log_id = le64_of(wal->options.log_id);
    horizon->segment_number = le64_of(segment->number);
    horizon->epoch = le64_of(wal->epoch);
    horizon->sequence = le64_of(wal->horizon_sequence);
    horizon->csn_durable = le64_of(csn);
    horizon->lsn_durable = le64_of(wal->lsn_durable);
    wal__horizon_seal(horizon);
    return true;
}

enum status
wal_write_horizon(struct wal *wal)
{
    enum status status = STATUS_OK;

    CHECK(wal->started);
    latch_lock(&wal->space);
    latch_lock(&wal->latch);
    struct wal__segment *segment = wal->kept.last;
    bool due = false;
    if (atomic_load(&wal->failed))
        status = wal__raise_failed(wal);
    else
        due = compose_horizon(wal, segment);
    if (due)
        wal->statistics.header_size += WAL_BLOCK_SIZE;
    latch_unlock(&wal->latch);
    if (due) {
        uint64_t offset = WAL_BLOCK_SIZE * (1 + wal->horizon_sequence % 2);

        status = io_write(segment->file, wal->horizon_block, WAL_BLOCK_SIZE, offset, IO_DURABLE);
        if (status != STATUS_OK)
            status = wal__fail_unlatched(wal, status, "write of a horizon");
    }
    latch_unlock(&wal->space);
    return status;
}
