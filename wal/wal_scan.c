/*
 * Finding the end of the log. From the start position frame by frame; where a later segment continues
 * this one, exactly up to where it says (W9); else to the first frame that is not valid, and there the
 * question is torn tail or rotten middle (wal_witness.c).
 *
 * The end is the place behind the last frame in which a commit ends. What follows is cut: the beginning
 * of a commit that never was (W7), in frames behind that one or in its own last part.
 *
 * On the way the scan notes what is not known durable, for wal_start to copy (W8). Durable is
 *   a frame behind which WAL__IN_FLIGHT_MAX more were accepted in its segment: the last of them was
 *   begun when it had ended well
 *   a frame whose commits a later frame or the horizon calls durable
 *   all of a segment that has a successor: its header was begun when all before had ended well
 *   a segment's header, once a frame of its own stands behind it (not one copied before the header
 *   was written), or a horizon, or when the start position lies in the segment
 */
#include <string.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/faults.h"
#include "kernel/base/log_sink.h"
#include "wal/wal_private.h"

struct span {
    struct wal__cursor before;
    struct wal__cursor after;
};

struct scan {
    struct wal *wal;
    struct wal__walk walk;
    struct wal__segment *first;  /* In which the start lies. */
    struct wal__segment *before; /* The one before the walk's, once crossed. */
    struct wal__cursor entered;  /* Where the walk's segment was entered, once crossed. */
    struct wal__segment *end_segment;
    struct span end_frame; /* The frame in which the last commit ends; none: lsn 0. */
    struct span last[WAL__IN_FLIGHT_MAX]; /* Last frames of the walk's segment, oldest first. */
    uint32_t last_count;
    bool header_durable;  /* Of the walk's segment. */
    uint64_t csn_copied;  /* Frames up to it were copied before the header was written. */
    uint64_t csn_durable; /* Highest that any frame calls durable. */
    uint64_t size_behind_end;
};

/* Into a segment, up to where its successor says that it ends. */
static enum status
enter(struct scan *scan, struct wal__segment *segment)
{
    struct wal__segment *next = wal__files_successor(scan->wal, segment);

    CHECK(next == NULL || next->number > segment->number);
    segment->end_lsn = next == NULL ? 0 : next->prev_end.lsn;
    return wal__walk_enter(&scan->walk, segment, segment->end_lsn);
}

static enum status
enter_first(struct scan *scan)
{
    struct wal *wal = scan->wal;
    struct wal__segment *segment = NULL;

    if (wal->files.count == 0 || wal->segment_size == 0)
        return error_raise(wal->files.count == 0 ? STATUS_NOT_FOUND : STATUS_CORRUPT,
                           "log %s has no %s: restore it from a backup or open with rescue",
                           wal->dir, wal->files.count == 0 ? "segments" : "readable segment");
    if (wal->start.lsn > 0)
        segment = wal__files_find(wal, wal__number_of(wal, wal->start.lsn));
    if (segment == NULL)
        return error_raise(STATUS_NOT_FOUND,
                           "log %s has no segment for LSN %" PRIu64
                           ": restore the file from a backup or open with rescue",
                           wal->dir, wal->start.lsn);
    struct wal__path path = wal__path_of(wal->dir, segment->number);
    if (segment->epoch == 0 || wal->start.lsn < wal__first_lsn(wal, segment->number) ||
        wal->start.lsn % WAL_BLOCK_SIZE != 0)
        return error_raise(STATUS_CORRUPT,
                           "log segment %s, in which LSN %" PRIu64
                           " lies, has no valid header or no frames there: restore the file from a "
                           "backup or open with rescue",
                           path.text, wal->start.lsn);
    scan->first = segment;
    scan->end_segment = segment;
    scan->header_durable = true;
    wal->scan.end = wal->start;
    wal->scan.segment_count = 1;
    return enter(scan, segment);
}

static void
set_end(struct scan *scan, const struct span *frame)
{
    struct wal_scan_result *result = &scan->wal->scan;

    CHECK(scan->walk.cursor.at.lsn >= result->end.lsn);
    result->end = scan->walk.cursor.at;
    result->size += scan->size_behind_end;
    scan->size_behind_end = 0;
    scan->end_segment = scan->walk.segment;
    scan->end_frame = *frame;
}

/* Books the frame that the walk has just passed. */
static void
count_frame(struct scan *scan, const struct wal__cursor *before)
{
    const struct wal_frame_header *header = &scan->walk.header;
    struct span frame = {.before = *before, .after = scan->walk.cursor};

    CHECK(frame.after.at.lsn > frame.before.at.lsn);
    CHECK(scan->last_count <= WAL__IN_FLIGHT_MAX);
    scan->wal->scan.frame_count++;
    scan->wal->scan.commit_count += le32_get(header->commit_count);
    scan->size_behind_end += wal__frame_size(le32_get(header->payload_size));
    if (le64_get(header->csn_durable) > scan->csn_durable)
        scan->csn_durable = le64_get(header->csn_durable);
    if (le64_get(header->first_csn) > scan->csn_copied)
        scan->header_durable = true;
    if (scan->last_count == WAL__IN_FLIGHT_MAX) {
        scan->last_count--;
        memmove(scan->last, scan->last + 1, scan->last_count * sizeof(*scan->last));
    }
    scan->last[scan->last_count++] = frame;
    if (le32_get(header->commit_count) > 0 || BUG(HALF_COMMIT_ACCEPTED))
        set_end(scan, &frame);
}

/* All frames of the segment; returns with the reason for stopping, NULL at its known end. */
static enum status
scan_segment(struct scan *scan, const char **reason_out)
{
    struct wal__walk *walk = &scan->walk;
    uint64_t end_lsn = walk->end_lsn;

    while (end_lsn == 0 || walk->cursor.at.lsn != end_lsn) {
        struct wal__cursor before = walk->cursor;

        *reason_out = "position past the segment's end";
        if (end_lsn != 0 && walk->cursor.at.lsn > end_lsn)
            return STATUS_OK;
        TRY(wal__walk_frame(walk, reason_out));
        if (*reason_out != NULL)
            return STATUS_OK;
        count_frame(scan, &before);
    }
    *reason_out = NULL;
    return STATUS_OK;
}

/* From a segment's known end into the one that continues it. */
static enum status
cross(struct scan *scan, struct wal__segment *next, const char **reason_out)
{
    struct wal__walk *walk = &scan->walk;
    struct wal_horizon horizon = {0};
    bool found = false;

    CHECK(walk->cursor.at.lsn == walk->end_lsn && next->number > walk->segment->number);
    *reason_out = "the next segment does not continue this one";
    if (walk->cursor.at.chain != next->prev_end.chain || walk->cursor.at.csn != next->prev_end.csn)
        return STATUS_OK;
    *reason_out = NULL;
    scan->before = walk->segment;
    scan->last_count = 0;
    scan->header_durable = false;
    scan->wal->scan.segment_count++;
    walk->cursor.at.lsn = wal__first_lsn(scan->wal, next->number);
    scan->entered = walk->cursor;
    TRY(enter(scan, next));
    TRY(wal__horizon_read(&walk->stream, scan->wal->options.log_id, next->number, &horizon,
                          &found));
    scan->header_durable = found && le64_get(horizon.sequence) > 0;
    scan->csn_copied = found ? le64_get(horizon.csn_durable) : 0;
    if (!walk->cursor.in_commit)
        set_end(scan, &(struct span){0});
    return STATUS_OK;
}

static enum status
refuse(struct scan *scan, const char *reason, const struct wal__proof *proof)
{
    const struct wal_position *at = &scan->walk.cursor.at;
    struct wal__path path = wal__path_of(scan->wal->dir, scan->walk.segment->number);

    if (scan->wal->options.accept_loss) {
        scan->wal->scan.cut_reason = "damage, loss accepted";
        log_line(LOG_WARN,
                 "wal: loss accepted file=%s lsn=%" PRIu64 " csn=%" PRIu64
                 " reason=\"%s\" proof=\"%s\" proof_lsn=%" PRIu64,
                 path.text, at->lsn, at->csn + 1, reason, proof->text, proof->lsn);
        return STATUS_OK;
    }
    return error_raise(STATUS_CORRUPT,
                       "log segment %s is damaged at LSN %" PRIu64 ", CSN %" PRIu64
                       " (%s), and it had been durable (proof at LSN %" PRIu64
                       ": %s): restore the file from a backup, or open with rescue to lose all "
                       "commits from that CSN on",
                       path.text, at->lsn, at->csn + 1, reason, proof->lsn, proof->text);
}

/* The bytes at the cursor look like the rest of a write of ours, not like old or no bytes. */
static bool
looks_torn(const struct scan *scan)
{
    const struct wal_frame_header *header = &scan->walk.header;

    if (le32_get(header->magic) != WAL_FRAME_MAGIC)
        return false;
    return wal__frame_header_check(header) != NULL ||
           (le64_get(header->lsn) == scan->walk.cursor.at.lsn &&
            le64_get(header->epoch) == scan->walk.segment->epoch);
}

static bool
is_durable(const struct scan *scan, const struct wal__proof *horizon, const struct span *frame)
{
    uint64_t csn =
        horizon->csn_durable > scan->csn_durable ? horizon->csn_durable : scan->csn_durable;

    return frame->after.at.lsn <= horizon->lsn_durable ||
           (!frame->after.in_commit && frame->after.at.csn <= csn);
}

/* What wal_start has to copy, given that the log ends at scan.end. */
static void
set_tail(struct scan *scan, const struct wal__proof *horizon)
{
    struct wal__tail *tail = &scan->wal->tail;
    struct wal_position end = scan->wal->scan.end;
    struct wal__segment *segment = scan->end_segment;

    tail->from = (struct wal__cursor){.at = end};
    tail->behind = segment;
    if (scan->end_frame.after.in_commit)
        tail->from = scan->end_frame.before;
    for (uint32_t i = 0; segment == scan->walk.segment && i < scan->last_count; i++) {
        const struct span *frame = &scan->last[i];

        if (frame->after.at.lsn > end.lsn || frame->before.at.lsn >= tail->from.at.lsn)
            break;
        if (!is_durable(scan, horizon, frame)) {
            tail->from = frame->before;
            break;
        }
    }
    CHECK(tail->from.at.lsn <= end.lsn);
    CHECK(wal__number_of(scan->wal, tail->from.at.lsn) == segment->number);
    tail->claim = tail->from.at;
    if (segment != scan->walk.segment || scan->header_durable)
        return;
    /* Not even the segment's header is known durable: its predecessor is continued instead. */
    CHECK(scan->before != NULL);
    CHECK(wal__number_of(scan->wal, segment->prev_end.lsn) == scan->before->number);
    tail->from = scan->entered;
    tail->claim = segment->prev_end;
    tail->behind = scan->before;
}

/* What cannot be read ends the log only where the user has accepted that. */
static bool
is_loss(const struct scan *scan, enum status status)
{
    return status == STATUS_IO && scan->wal->options.accept_loss;
}

/* The walk has stopped for `reason`: is that the end of the log? */
static enum status
judge(struct scan *scan, const char *reason)
{
    struct wal_scan_result *result = &scan->wal->scan;
    struct wal__proof proof = {0};

    result->cut_reason = scan->walk.cursor.in_commit ? "incomplete commit" : "clean end";
    result->cut_size = scan->size_behind_end;
    if (looks_torn(scan)) {
        result->cut_reason = "torn frame";
        result->cut_size += WAL_BLOCK_SIZE;
    }
    if (scan->walk.end_lsn != 0) {
        proof.text = "a later segment that continues from beyond it";
        proof.lsn = scan->walk.end_lsn;
    } else {
        enum status status = wal__witness_find(&scan->walk, &proof);

        if (is_loss(scan, status))
            proof.text = "nothing: bytes cannot be read";
        else
            TRY(status);
    }
    if (proof.text != NULL && !BUG(ROTTEN_MIDDLE_CUT))
        TRY(refuse(scan, reason, &proof));
    set_tail(scan, &proof);
    return STATUS_OK;
}

static enum status
scan_all(struct scan *scan)
{
    struct wal *wal = scan->wal;
    const char *reason = NULL;

    TRY(enter_first(scan));
    for (;;) {
        enum status status = scan_segment(scan, &reason);

        if (status == STATUS_OK && reason == NULL)
            status = cross(scan, wal__files_successor(wal, scan->walk.segment), &reason);
        if (is_loss(scan, status))
            return judge(scan, "bytes cannot be read");
        TRY(status);
        if (reason != NULL)
            return judge(scan, reason);
    }
}

/* Hands the files over: those up to the end's segment are kept, the rest is left over. */
static void
sort_out(struct scan *scan)
{
    struct wal__files *files = &scan->wal->files;
    uint64_t chain_number = scan->first->number;

    for (uint64_t i = 0; i < files->count; i++) {
        struct wal__segment *segment = files->items[i];
        bool is_old = segment->number < scan->first->number && segment->epoch != 0;
        bool is_chain = segment->number == chain_number;

        if (is_chain && segment != scan->end_segment)
            chain_number = wal__files_successor(scan->wal, segment)->number;
        wal__segments_push(is_old || is_chain ? &scan->wal->kept : &scan->wal->leftover, segment);
    }
    CHECK(scan->wal->kept.last == scan->end_segment);
    CHECK(scan->wal->kept.count + scan->wal->leftover.count == files->count);
    scan->end_segment->end_lsn = scan->wal->scan.end.lsn;
    files->count = 0;
}

enum status
wal__scan_run(struct wal *wal)
{
    struct scan scan = {.wal = wal};
    enum status status;

    if (wal->segment_size == 0)
        return enter_first(&scan);
    TRY_OUT(wal__walk_init(&scan.walk, wal));
    TRY_OUT(scan_all(&scan));
    if (BUG(HALF_COMMIT_ACCEPTED) && scan.walk.cursor.in_commit)
        wal->scan.end.csn++;
    sort_out(&scan);
out:
    wal__walk_deinit(&scan.walk);
    return status;
}
