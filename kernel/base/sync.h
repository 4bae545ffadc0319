/*
 * Latches and events: a short spin, then the kernel's futex (Drepper, "Futexes are tricky", 2011).
 * A latch is a mutex of 4 bytes that needs no initialisation beyond zero; an event counts and lets
 * threads wait for the next count. Neither allocates nor fails, and neither is touched after the
 * unlock or signal another thread may act on: whoever wakes may free it.
 */
#ifndef KERNEL_BASE_SYNC_H
#define KERNEL_BASE_SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct latch {
    _Atomic uint32_t state; /* 0 free, 1 held, 2 held with waiters */
};

void latch_lock(struct latch *latch);
bool latch_try_lock(struct latch *latch);
void latch_unlock(struct latch *latch);
/** For CHECKs: held by someone. */
bool latch_is_held(struct latch *latch);

struct event {
    _Atomic uint32_t state; /* The count in the upper 31 bits; bit 0: someone may sleep. */
};

/** The count to wait past; read it before looking at the condition. */
uint32_t event_count(struct event *event);
/** Sleeps until the count differs from `seen`; may wake early. */
void event_wait(struct event *event, uint32_t seen);
/** Waits at most `timeout_ns`; false when it passed. */
bool event_wait_for(struct event *event, uint32_t seen, uint64_t timeout_ns);
/** Counts up and wakes all who wait. */
void event_signal(struct event *event);

/** One short pause inside a spin. */
void sync_pause(void);
/** Waits on any 32-bit word until it differs from `seen`; may wake early. */
void sync_futex_wait(_Atomic uint32_t *word, uint32_t seen);
void sync_futex_wake_all(_Atomic uint32_t *word);

#endif
