/*
 * What can be asked of a handle at any time, and how it fails.
 *
 * Failing is one way: after a write or sync that failed nothing more is written, changes are
 * refused, what is in memory can still be read, and the next open recovers from the log. The first
 * cause is logged; waiters are woken to find out.
 */
#include <assert.h>
#include <inttypes.h>

#include "pager/pager_private.h"

uint32_t
pager_page_count(const struct pager *pager)
{
    return atomic_load_explicit(&pager->page_count, memory_order_acquire);
}

uint64_t
pager_file_id(const struct pager *pager)
{
    return pager->file_id;
}

const char *
pager_path(const struct pager *pager)
{
    return pager->path;
}

uint64_t
pager_csn(const struct pager *pager)
{
    return atomic_load_explicit(&pager->csn_last, memory_order_acquire);
}

/* The log may fail in whoever writes it first, before the pager hears of it. */
bool
pager_is_failed(const struct pager *pager)
{
    const struct wal *wal = __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE);

    return atomic_load_explicit(&pager->failed, memory_order_acquire) ||
           (wal != NULL && wal_is_failed(wal));
}

bool
pager_is_read_only(const struct pager *pager)
{
    return pager->read_only;
}

struct env
pager_env(const struct pager *pager)
{
    return pager->env;
}

uint64_t
pager__count_dirty(const struct pager *pager)
{
    uint32_t end = pager__frame_end(pager);
    uint64_t count = 0;

    for (uint32_t frame = 1; frame < end; frame++) {
        const struct frame *state = &pager->frame[frame];
        if (atomic_load_explicit(&state->csn_dirty, memory_order_relaxed) != 0 ||
            atomic_load_explicit(&state->csn_flushing, memory_order_relaxed) != 0)
            count++;
    }
    return count;
}

static uint64_t
count_pins(const struct pager *pager)
{
    uint32_t end = pager__frame_end(pager);
    uint64_t count = 0;

    for (uint32_t frame = 1; frame < end; frame++)
        count += __atomic_load_n(&pager->frame[frame].pin_count, __ATOMIC_RELAXED);
    return count;
}

/* Others count meanwhile: each number by itself is whole, all together of about the same moment. */
static void
copy_counts(const struct pager_statistics *counts, struct pager_statistics *out)
{
    const uint64_t *from = (const uint64_t *)(const void *)counts;
    uint64_t *to = (uint64_t *)(void *)out;

    static_assert(sizeof(*out) % sizeof(uint64_t) == 0, "64-bit counts only");
    for (size_t i = 0; i < sizeof(*out) / sizeof(uint64_t); i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void
pager_get_counts(const struct pager *pager, struct pager_statistics *out)
{
    const struct wal *wal = __atomic_load_n(&pager->wal, __ATOMIC_ACQUIRE);

    copy_counts(&pager->statistics, out);
    out->page_count = pager_page_count(pager);
    out->free_count = __atomic_load_n(&pager->free_stack_used, __ATOMIC_RELAXED);
    out->frame_count = atomic_load(&pager->pool_frames);
    memset(&out->log, 0, sizeof(out->log));
    if (wal != NULL)
        wal_get_statistics(wal, &out->log);
}

void
pager_get_statistics(const struct pager *pager, struct pager_statistics *out)
{
    pager_get_counts(pager, out);
    out->pin_count = count_pins(pager);
    out->dirty_count = pager__count_dirty(pager);
}

enum status
pager__fail(struct pager *pager, enum status cause, const char *what)
{
    CHECK(cause != STATUS_OK);
    if (!atomic_exchange(&pager->failed, true))
        log_line(LOG_ERROR,
                 "pager: handle failed path=%s while=\"%s\" status=%s csn_last=%" PRIu64
                 " detail=\"%s\"",
                 pager->path, what, status_name(cause), pager_csn(pager), error_message());
    event_signal(&pager->work_event);
    event_signal(&pager->space_event);
    return cause;
}
