/*
 * Group commit by combining: of the transactions that want to commit at the same moment, one makes the
 * attempts of all.
 *
 *   enlist   under the queue's latch. Whoever finds the queue empty leads the group that gathers from
 *            now on; all others sleep on the group's event, once
 *   lead     take the attempt latch (at most one leader waits for it); close the group; attempt each of
 *            its commits in the order of arrival; release the latch; make the last durable; wake all
 *   follow   woken: applied, and durable unless the log failed, which its own flush will say
 *
 * While one leader waits for the disk the next group gathers, and its leader's frame goes with the next
 * write. Without this a commit costs a second sleep and wake-up, on the attempt latch, which is most
 * of what it costs with many clients (docs/decisions/0007).
 *
 * Only success is shared. A commit that fails in the leader's hands has left nothing (T4), so it is
 * given back, and its own thread makes the attempt again: what it fails of, and the message, are then
 * its own. Large commits, DDL and asynchronous ones do not queue: a leader would make others wait
 * for them, or them for the disk.
 *
 * A request lies on its thread's stack. It is the leader's from the moment its group is closed until
 * `outcome` is set. The events are the database's: a group's event is used again GROUP_COUNT groups
 * later, when at worst somebody wakes early, looks at the outcome, and sleeps on.
 */
#include "kernel/kernel_private.h"

enum {
    QUEUE_WRITE_SIZE_MAX = 64 * 1024, /* Bytes written by a transaction that may queue. */
};

enum outcome { OUTCOME_NONE = 0, OUTCOME_APPLIED = 1, OUTCOME_GIVEN_BACK = 2 };

struct commit_request {
    struct commit_request *next;
    struct qtdb_txn *txn;
    struct write_chunk *chunk;
    uint64_t csn;
    enum outcome found; /* The leader's, until it tells. */
    _Atomic uint32_t outcome;
};

bool
commit_queue__takes(const struct qtdb_txn *txn)
{
    return txn->durability == QTDB_SYNC && !txn->has_ddl && txn->write_size <= QUEUE_WRITE_SIZE_MAX;
}

/* The event of the group it is in, and its count; `*leads_out`: it is the first. */
static struct event *
enlist(struct commit_queue *queue, struct commit_request *request, uint32_t *seen_out,
       bool *leads_out)
{
    latch_lock(&queue->latch);
    struct event *event = &queue->events[queue->group % COMMIT_GROUP_COUNT];

    *seen_out = event_count(event);
    *leads_out = queue->first == NULL;
    if (queue->first == NULL)
        queue->first = request;
    else
        queue->last->next = request;
    queue->last = request;
    queue->length++;
    latch_unlock(&queue->latch);
    return event;
}

/* Closes the group: who comes now finds the queue empty. */
static struct commit_request *
take_group(struct commit_queue *queue)
{
    latch_lock(&queue->latch);
    struct commit_request *first = queue->first;

    CHECK(first != NULL);
    queue->first = NULL;
    queue->last = NULL;
    queue->length = 0;
    queue->group++;
    latch_unlock(&queue->latch);
    return first;
}

/* Under the attempt latch. What one commit lacks the others will lack too, and it is fetched without
 * latches: then the rest is given back. Returns the status of the one that ended it. */
static enum status
attempt_group(struct commit_request *first, uint64_t *csn_last_out)
{
    enum status status = STATUS_OK;

    *csn_last_out = 0;
    for (struct commit_request *at = first; at != NULL; at = at->next) {
        at->found = OUTCOME_GIVEN_BACK;
        if (status == STATUS_MISSING)
            continue;
        status = commit__attempt(at->txn, at->chunk, &at->csn);
        if (status != STATUS_OK)
            continue;
        at->found = OUTCOME_APPLIED;
        if (at->csn > *csn_last_out)
            *csn_last_out = at->csn;
    }
    return status;
}

/* The requests are their threads' again, and gone, as soon as the outcome is set. */
static void
tell_group(struct commit_request *first, struct event *event)
{
    struct commit_request *next;

    for (struct commit_request *at = first; at != NULL; at = next) {
        next = at->next;
        atomic_store_explicit(&at->outcome, (uint32_t)at->found, memory_order_release);
    }
    event_signal(event);
}

/* Clients who wait for the leader's flush. */
static uint32_t
count_applied(const struct commit_request *first)
{
    uint32_t count = 0;

    for (const struct commit_request *at = first; at != NULL; at = at->next)
        count += at->found == OUTCOME_APPLIED ? 1 : 0;
    return count;
}

static void
lead(struct qtdb *db, struct commit_request *request, struct event *event)
{
    uint64_t csn_last;

    latch_lock(&db->attempt_latch);
    struct commit_request *first = take_group(&db->commit_queue);
    enum status status = attempt_group(first, &csn_last);

    latch_unlock(&db->attempt_latch);
    CHECK(first == request);
    /* What it lacked is noted for this thread. A failure shows where it is asked for again. */
    if (status == STATUS_MISSING)
        status = pager_change_resolve(db->pager);
    if (request->next != NULL && csn_last > 0)
        status = pager_flush_for(db->pager, csn_last, count_applied(first));
    /* What the attempts of others said is no error of this thread. */
    if (status != STATUS_OK || request->next != NULL || request->found != OUTCOME_APPLIED) {
        error_clear();
        api_error_sqlstate(NULL);
    }
    tell_group(first, event);
}

static void
follow(const struct commit_request *request, struct event *event, uint32_t seen)
{
    while (atomic_load_explicit(&request->outcome, memory_order_acquire) == OUTCOME_NONE) {
        event_wait(event, seen);
        seen = event_count(event);
    }
}

bool
commit_queue__run(struct qtdb_txn *txn, struct write_chunk *chunk, uint64_t *csn_out)
{
    struct commit_request request = {.txn = txn, .chunk = chunk};
    struct qtdb *db = txn->db;
    uint32_t seen;
    bool leads;
    struct event *event = enlist(&db->commit_queue, &request, &seen, &leads);

    if (leads)
        lead(db, &request, event);
    else
        follow(&request, event, seen);
    uint32_t outcome = atomic_load_explicit(&request.outcome, memory_order_relaxed);

    CHECK(outcome == OUTCOME_APPLIED || outcome == OUTCOME_GIVEN_BACK);
    if (outcome == OUTCOME_APPLIED)
        *csn_out = request.csn;
    return outcome == OUTCOME_APPLIED;
}
