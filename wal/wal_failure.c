/*
 * The end of a handle: the first failed write or sync is remembered with its cause, said in one log
 * line, and everybody who waits is woken to be told (W10).
 */
#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/error.h"
#include "kernel/base/log_sink.h"
#include "wal/wal_private.h"

enum status
wal__raise_failed(struct wal *wal)
{
    CHECK(atomic_load(&wal->failed));
    return error_raise(STATUS_FAILED,
                       "log %s has failed (%s); commits after CSN %" PRIu64
                       " have an unknown outcome: close the database and open it again",
                       wal->dir, wal->failure, atomic_load(&wal->csn_durable));
}

void
wal__fail(struct wal *wal, const char *what)
{
    CHECK(latch_is_held(&wal->latch));
    if (atomic_load(&wal->failed))
        return;
    snprintf(wal->failure, sizeof(wal->failure), "%s: %s", what, error_message());
    atomic_store(&wal->failed, true);
    log_line(LOG_ERROR,
             "wal: failed dir=%s csn_durable=%" PRIu64 " csn_appended=%" PRIu64
             " lsn_durable=%" PRIu64 " cause=\"%s\"",
             wal->dir, atomic_load(&wal->csn_durable), atomic_load(&wal->csn_appended),
             wal->lsn_durable, wal->failure);
    for (uint32_t i = 0; i < wal->slot_count; i++)
        event_signal(&wal->slots[i].done);
    event_signal(&wal->turn);
}

enum status
wal__fail_unlatched(struct wal *wal, enum status status, const char *what)
{
    if (!wal->started)
        return status;
    latch_lock(&wal->latch);
    wal__fail(wal, what);
    status = wal__raise_failed(wal);
    latch_unlock(&wal->latch);
    return status;
}
