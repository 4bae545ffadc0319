/*
 * The checkpoint: moves the redo point R forward, so that the log can be reused.
 *
 *              log at 3/4 of its goal, or asked
 *   IDLE ------------------------------------------> FLUSHING <----------> PUBLISHING ----> IDLE
 *         mark: under the commit latch the log's      all pages whose       R in both meta
 *         position becomes the next R, and a new      oldest change is      slots, then the
 *         interval starts                             before it             log is released
 *
 * Each step is bounded: one batch of pages, or one publication. Between steps the flush latch is
 * free, commits go on all the time. pager_work takes flushing steps only as fast as the log grows:
 * the flush is to be done when half of what was left at the mark is used up. Who needs it sooner
 * (pager_checkpoint, a log at its limit) steps without pause.
 *
 * P7. What must be in the file before R moves: every change up to the mark. Pages changed after it
 * may be flushed or not. The list is made after the mark. When it is done, and others have had the latch,
 * what is written is synced and witnessed and the frames are looked through once more, because a page
 * repaired from the log is dirty with an old CSN and may have come in late: if there is one, flushing
 * goes on. Else, with the latch still held, the last witness commit is made durable and R published. The
 * log before R is released only when both slots name it.
 *
 * The goal. Space that the log uses for the first time is written twice, because small frames want it
 * filled with zeros; space that a checkpoint gave back is not. So a young log goes round in a few segments
 * as long as checkpoints cost less than its growth: its goal begins at GOAL_SEGMENTS and is doubled, up
 * to log_limit, when the pages written to stay below it, with those that are dirty now, come to half of it.
 * A log of large frames is not filled and grows at once (docs/decisions/0015-log-goal.md).
 *
 * P11. The file is cut at the second checkpoint after a shrink: one published since the shrink has
 * an R beyond it, in both slots.
 */
#include "pager/pager_private.h"

enum {
    SEGMENT_LOOKS = 4, /* Times a segment that commits look whether the log wants a new one. */
    GOAL_SEGMENTS = 2, /* The log's goal at first. */
};

static uint64_t
log_goal(const struct pager *pager)
{
    uint64_t least = GOAL_SEGMENTS * pager->options.segment_size, limit = pager->options.log_limit;
    uint64_t goal = pager->log_goal > least ? pager->log_goal : least;

    return goal < limit ? goal : limit;
}

static uint64_t
log_threshold(const struct pager *pager)
{
    uint64_t goal = log_goal(pager);
    uint64_t due = goal - goal / 4;
    /* What a checkpoint leaves behind is no reason for the next one. */
    uint64_t again = pager->log_size_kept + goal / 4;

    return due > again ? due : again;
}

static bool
checkpoint_is_due(const struct pager *pager)
{
    return pager->checkpoint_asked || wal_size(pager->wal) >= log_threshold(pager);
}

/* Most of the log's bytes were written twice: first as zeros, then as small frames. */
static bool
log_is_filled(const struct pager *pager)
{
    struct wal_statistics statistics;

    wal_get_statistics(pager->wal, &statistics);
    return statistics.fill_size >= statistics.frame_size / 2 ||
           statistics.segment_recycled_count > 0;
}

/* Of a checkpoint that is due: whether it costs less than what the log would grow by. If not, the goal
 * grows. */
static bool
checkpoint_pays(struct pager *pager)
{
    uint64_t limit = pager->options.log_limit, dirty_size = 0;

    CHECK(latch_is_held(&pager->flush_latch));
    if (pager->checkpoint_asked || log_goal(pager) == limit)
        return true;
    dirty_size = pager__count_dirty(pager) * PAGE_SIZE;
    while (log_goal(pager) < limit && checkpoint_is_due(pager)) {
        uint64_t goal = log_goal(pager);

        if (log_is_filled(pager) && pager->log_goal_spent + dirty_size <= goal / 2) {
            pager->log_goal_spent += dirty_size;
            return true;
        }
        pager->log_goal = 2 * goal;
        pager->log_goal_spent = 0;
    }
    return checkpoint_is_due(pager);
}

/* By how much the log may grow while a checkpoint flushes. */
static uint64_t
flush_room(const struct pager *pager)
{
    uint64_t goal = log_goal(pager), begin = pager->checkpoint_log_size;

    return goal > begin ? (goal - begin) / 2 + 1 : 1;
}

/* Flushing is behind while a smaller share of the list is done than of the log's room used up. */
static bool
flush_is_behind(const struct pager *pager)
{
    uint64_t size = wal_size(pager->wal), begin = pager->checkpoint_log_size;
    uint64_t room = flush_room(pager);
    uint64_t grown = size > begin ? size - begin : 0;

    if (pager->checkpoint_asked || grown >= room)
        return true;
    return (uint64_t)pager->flush_list_next * room < (uint64_t)pager->flush_list_used * grown;
}

/* The limit is soft: what one checkpoint cannot make smaller is no reason to stop commits. */
static bool
log_is_full(const struct pager *pager)
{
    uint64_t limit = pager->options.log_limit, size = wal_size(pager->wal);

    return size >= limit && size >= pager->log_size_kept + limit / 2;
}

/* At which size of the log the next step is due: commits compare with it, without a latch. */
static void
plan_work(struct pager *pager)
{
    uint64_t due = wal_size(pager->wal) + pager->options.segment_size / SEGMENT_LOOKS;
    uint64_t threshold = log_threshold(pager);
    uint64_t begin = pager->checkpoint_log_size;

    if (pager->checkpoint_state == CHECKPOINT_FLUSHING && pager->flush_list_used > 0)
        threshold = begin + pager->flush_list_next * flush_room(pager) / pager->flush_list_used;
    if (pager->checkpoint_state == CHECKPOINT_PUBLISHING)
        threshold = 0;
    atomic_store(&pager->work_log_size, threshold < due ? threshold : due);
}

/* IDLE -> FLUSHING. */

static void
checkpoint_mark(struct pager *pager)
{
    latch_lock(&pager->commit_latch);
    pager->checkpoint_position = wal_mark(pager->wal);
    pager->csn_interval = pager->checkpoint_position.csn;
    pager->checkpoint_page_count = pager->page_count;
    CHECK(pager->csn_interval == pager->csn_last);
    latch_unlock(&pager->commit_latch);
    pager->checkpoint_log_size = wal_size(pager->wal);
}

static enum status
checkpoint_start(struct pager *pager)
{
    TRY(pager__flush_finish(pager));
    checkpoint_mark(pager);
    pager__flush_collect(pager, FLUSH_ALL, pager->csn_interval);
    pager->checkpoint_state = CHECKPOINT_FLUSHING;
    return STATUS_OK;
}

/* FLUSHING -> PUBLISHING. */

/* Pages of one kind from the list's next entry on, at most a batch. */
static uint32_t
next_batch(const struct pager *pager)
{
    const uint32_t *list = pager->flush_list + pager->flush_list_next;
    uint32_t left = pager->flush_list_used - pager->flush_list_next;
    uint32_t most = left < pager->flush_batch ? left : pager->flush_batch, count = 0;

    while (count < most && pager__flush_kind(list[count]) == pager__flush_kind(list[0]))
        count++;
    return count;
}

/* Map pages are written after the witnesses of what they name are in them. */
static bool
ends_kind(const struct pager *pager, uint32_t count)
{
    uint32_t end = pager->flush_list_next + count;

    return end == pager->flush_list_used || pager__flush_kind(pager->flush_list[end]) !=
                                                pager__flush_kind(pager->flush_list[end - 1]);
}

static enum status
flush_step(struct pager *pager)
{
    uint32_t count = next_batch(pager);

    if (count > 0) {
        const uint32_t *list = pager->flush_list + pager->flush_list_next;

        TRY(pager__flush_pages(pager, list, count));
        if (ends_kind(pager, count) && !BUG(META_BEFORE_PAGES))
            TRY(pager__flush_finish(pager));
        pager->flush_list_next += count;
    }
    if (pager->flush_list_next == pager->flush_list_used)
        pager->checkpoint_state = CHECKPOINT_PUBLISHING;
    return STATUS_OK;
}

/* PUBLISHING -> IDLE. */

static enum status
release_log(struct pager *pager, struct wal_position position)
{
    enum status status;

    latch_lock(&pager->log_read_latch);
    status = wal_release(pager->wal, position);
    latch_unlock(&pager->log_read_latch);
    return status;
}

static enum status
cut_if_due(struct pager *pager)
{
    bool due;

    latch_lock(&pager->commit_latch);
    due = pager->truncate_after == 1;
    if (pager->truncate_after > 0)
        pager->truncate_after--;
    latch_unlock(&pager->commit_latch);
    return due ? pager__cut(pager) : STATUS_OK;
}

static void
take_redo_point(struct pager *pager)
{
    latch_lock(&pager->commit_latch);
    if (BUG(CHECKPOINT_LSN_TOO_NEW))
        pager->checkpoint_position = wal_mark(pager->wal);
    pager->redo = pager->checkpoint_position;
    pager->redo_page_count = pager->checkpoint_page_count;
    latch_unlock(&pager->commit_latch);
}

/* Whether all that was dirty at the mark is in the file, with its witness. Others had the latch since the list was
 * made: a flush of theirs may have failed on its way, and a page they read may have been repaired. */
static enum status
is_still_flushed(struct pager *pager, bool *out)
{
    if (!BUG(META_BEFORE_PAGES))
        TRY(pager__flush_finish(pager));
    pager__flush_collect(pager, FLUSH_ALL, pager->csn_interval);
    *out = pager->flush_list_used == 0;
    return STATUS_OK;
}

static enum status
publish_step(struct pager *pager)
{
    uint64_t csn = pager->checkpoint_position.csn;
    bool flushed = false;
    enum status status;

    TRY(is_still_flushed(pager, &flushed));
    if (!flushed) {
        pager->checkpoint_state = CHECKPOINT_FLUSHING;
        return STATUS_OK;
    }
    /* Where no page was dirty, the commits before R may be in the log's buffers yet. */
    status = wal_flush(pager->wal, pager->csn_witness > csn ? pager->csn_witness : csn);
    if (status != STATUS_OK)
        return pager__fail(pager, status, "flushing the log at a checkpoint");
    CHECK(pager->flushed_used == 0 || BUG(META_BEFORE_PAGES)); /* P6, P7 */
    take_redo_point(pager);
    if (BUG(LOG_FREED_BEFORE_META))
        TRY(release_log(pager, pager->redo));
    TRY(pager__meta_write(pager, META_NEEDS_LOG));
    pager->checkpoint_state = CHECKPOINT_IDLE;
    pager->checkpoint_asked = false;
    PAGER_COUNT(pager, checkpoint_count, 1);
    TRY(release_log(pager, pager->redo));
    pager->log_size_kept = wal_size(pager->wal);
    TRY(cut_if_due(pager));
    event_signal(&pager->space_event);
    return STATUS_OK;
}

/* Steps. Flush latch held. */

static enum status
step_of_state(struct pager *pager)
{
    switch (pager->checkpoint_state) {
    case CHECKPOINT_IDLE:
        return checkpoint_start(pager);
    case CHECKPOINT_FLUSHING:
        return flush_step(pager);
    case CHECKPOINT_PUBLISHING:
        return publish_step(pager);
    }
    CHECK(false);
    return STATUS_FAILED;
}

static enum status
step(struct pager *pager)
{
    enum status status;

    CHECK(latch_is_held(&pager->flush_latch));
    status = step_of_state(pager);
    plan_work(pager);
    return status;
}

static bool
has_log(struct pager *pager)
{
    return __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE) != NULL && !pager->read_only;
}

static enum status
check_not_failed(struct pager *pager)
{
    if (!atomic_load(&pager->failed))
        return STATUS_OK;
    return error_raise(STATUS_FAILED,
                       "%s: an earlier write failed and this handle does no more work: close it "
                       "and open again to recover",
                       pager->path);
}

enum status
pager__checkpoint_step(struct pager *pager, bool *more_out)
{
    enum status status = STATUS_OK;

    *more_out = false;
    if (!has_log(pager))
        return STATUS_OK;
    TRY(check_not_failed(pager));
    latch_lock(&pager->flush_latch);
    if (pager->checkpoint_state != CHECKPOINT_IDLE ||
        (checkpoint_is_due(pager) && checkpoint_pays(pager)))
        status = step(pager);
    *more_out = pager->checkpoint_state != CHECKPOINT_IDLE;
    latch_unlock(&pager->flush_latch);
    return status;
}

enum status
pager__wait_for_log(struct pager *pager)
{
    while (log_is_full(pager)) {
        enum status status = STATUS_OK;

        TRY(check_not_failed(pager));
        latch_lock(&pager->flush_latch);
        if (log_is_full(pager))
            status = step(pager);
        latch_unlock(&pager->flush_latch);
        TRY(status);
    }
    return STATUS_OK;
}

void
pager__note_commit(struct pager *pager)
{
    if (!pager->options.background)
        return;
    if (wal_size(pager->wal) >= atomic_load(&pager->work_log_size) ||
        wal_prepare_is_due(pager->wal))
        event_signal(&pager->work_event);
}

/* Public. */

enum status
pager_checkpoint(struct pager *pager)
{
    enum status status = STATUS_OK;
    uint64_t wanted;

    if (pager->read_only)
        return error_raise(STATUS_READONLY, "%s: opened read-only", pager->path);
    TRY(check_not_failed(pager));
    if (!has_log(pager))
        return STATUS_OK;
    latch_lock(&pager->flush_latch);
    /* One that is under way began before this call: it may have marked too early. */
    wanted =
        pager->statistics.checkpoint_count + (pager->checkpoint_state == CHECKPOINT_IDLE ? 1 : 2);
    while (status == STATUS_OK && pager->statistics.checkpoint_count < wanted) {
        pager->checkpoint_asked = true; /* The owner's thread may help, without pause. */
        status = step(pager);
        latch_unlock(&pager->flush_latch); /* Others may want to flush in between. */
        latch_lock(&pager->flush_latch);
    }
    latch_unlock(&pager->flush_latch);
    return status;
}

/* A checkpoint step if one is due and, when flushing, not ahead of its pace. */
static enum status
paced_step(struct pager *pager, bool *done_out)
{
    enum status status = STATUS_OK;

    latch_lock(&pager->flush_latch);
    *done_out = false;
    switch (pager->checkpoint_state) {
    case CHECKPOINT_IDLE:
        *done_out = checkpoint_is_due(pager) && checkpoint_pays(pager);
        break;
    case CHECKPOINT_FLUSHING:
        *done_out = flush_is_behind(pager) || pager->flush_list_next == pager->flush_list_used;
        break;
    case CHECKPOINT_PUBLISHING:
        *done_out = true;
        break;
    }
    if (*done_out)
        status = step(pager);
    plan_work(pager);
    latch_unlock(&pager->flush_latch);
    return status;
}

/* Nothing else to do, and no commit since the last time it was so: the log is idle. */
static enum status
idle_step(struct pager *pager)
{
    uint64_t csn = atomic_load(&pager->csn_last);
    bool idle;

    latch_lock(&pager->flush_latch);
    idle = pager->horizon_csn == csn;
    pager->horizon_csn = csn;
    latch_unlock(&pager->flush_latch);
    return idle ? wal_write_horizon(pager->wal) : STATUS_OK;
}

enum status
pager_work(struct pager *pager, bool *more_out)
{
    bool done = false;

    *more_out = false;
    if (!has_log(pager))
        return STATUS_OK;
    TRY(check_not_failed(pager));
    if (BUG(SHRINK_BEFORE_CHECKPOINT))
        TRY(pager__cut(pager));
    TRY(paced_step(pager, &done));
    if (done) {
        *more_out = true;
        return STATUS_OK;
    }
    TRY(wal_prepare_step(pager->wal, more_out));
    return *more_out ? STATUS_OK : idle_step(pager);
}

static bool
work_is_due(struct pager *pager)
{
    bool due = false;

    if (!has_log(pager) || atomic_load(&pager->failed) || !latch_try_lock(&pager->flush_latch))
        return false; /* Whoever has the latch is at work. */
    if (pager->checkpoint_state == CHECKPOINT_FLUSHING)
        due = flush_is_behind(pager);
    else
        due = pager->checkpoint_state == CHECKPOINT_PUBLISHING || checkpoint_is_due(pager);
    latch_unlock(&pager->flush_latch);
    return due || wal_prepare_is_due(pager->wal);
}

void
pager_wait_for_work(struct pager *pager, uint64_t timeout_ns)
{
    uint32_t seen = event_count(&pager->work_event);

    if (!work_is_due(pager))
        event_wait_for(&pager->work_event, seen, timeout_ns);
}

void
pager_wake(struct pager *pager)
{
    event_signal(&pager->work_event);
}

/* Closing. */

enum status
pager__flush_all(struct pager *pager)
{
    CHECK(latch_is_held(&pager->flush_latch));
    pager->checkpoint_state = CHECKPOINT_IDLE;
    TRY(pager__flush_finish(pager));
    for (uint32_t kind = FLUSH_DATA; kind <= FLUSH_MAP1; kind++) {
        pager__flush_collect(pager, kind, UINT64_MAX);
        while (pager->flush_list_used > 0) {
            TRY(pager__flush_pages(pager, pager->flush_list, pager->flush_list_used));
            TRY(pager__flush_finish(pager));
            pager__flush_collect(pager, kind, UINT64_MAX);
        }
    }
    pager__flush_collect(pager, FLUSH_ALL, UINT64_MAX);
    CHECK(pager->flush_list_used == 0 || BUG(MAP_NOT_UPDATED)); /* P16 */
    return STATUS_OK;
}
