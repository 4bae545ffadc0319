/*
 * Work that no caller waits for: the pager's (checkpoints, log segments), freeing dropped trees, routers.
 * With threads the handle has one of its own; without them each commit does one step. Steps are taken
 * one at a time.
 *
 * What fails here is logged once and left: a failure that is final makes the pager refuse the next
 * change, any other is met again.
 */
#include "kernel/base/log_sink.h"
#include "kernel/kernel_private.h"

#define WAIT_NS UINT64_C(200000000)

enum { STEPS_A_ROUND = 64 };

enum status
background__step(struct qtdb *db, bool *more_out)
{
    bool more_drops = false;
    bool more_routes = false;
    enum status status;

    *more_out = false;
    if (!latch_try_lock(&db->work_latch))
        return STATUS_OK;
    TRY_OUT(pager_work(db->pager, more_out));
    TRY_OUT(drop__step(db, &more_drops));
    TRY_OUT(route__step(db, &more_routes));
out:
    latch_unlock(&db->work_latch);
    *more_out = status == STATUS_OK && (*more_out || more_drops || more_routes);
    return status;
}

static void *
run(void *context)
{
    struct qtdb *db = context;
    enum status failed = STATUS_OK;

    while (!atomic_load(&db->stopping)) {
        bool more = true;

        for (uint32_t steps = 0; more && steps < STEPS_A_ROUND; steps++) {
            enum status status = background__step(db, &more);

            if (status != STATUS_OK && status != failed)
                log_line(LOG_ERROR, "error kernel: background work failed status=%s reason=\"%s\"",
                         status_name(status), error_message());
            failed = status;
            if (atomic_load(&db->stopping))
                return NULL;
        }
        if (!more)
            pager_wait_for_work(db->pager, WAIT_NS);
    }
    return NULL;
}

enum status
background__start(struct qtdb *db)
{
    if (db->no_threads || db->read_only)
        return STATUS_OK;
    if (pthread_create(&db->thread, NULL, run, db) != 0)
        return error_raise(STATUS_NO_MEMORY, "the background thread cannot be started: %m");
    db->has_thread = true;
    return STATUS_OK;
}

void
background__stop(struct qtdb *db)
{
    if (!db->has_thread)
        return;
    atomic_store(&db->stopping, true);
    pager_wake(db->pager);
    (void)pthread_join(db->thread, NULL);
    db->has_thread = false;
}
