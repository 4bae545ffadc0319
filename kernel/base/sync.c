/*
 * Latches and events on the futex.
 *
 * Latch (Drepper's third mutex): 0 free, 1 held, 2 held and someone may sleep. A thread that slept
 * takes the latch as 2, because it cannot know whether others still sleep; the price is one
 * needless wake. Lock acquires and unlock releases through the state word alone, so a
 * thread sanitizer sees the order without annotations.
 *
 * Event: one word, the count above and a bit for "someone may sleep" below. A waiter sets the bit
 * and sleeps only while the word is still the count it saw with the bit (the kernel compares, atomically
 * with going to sleep); a signal counts up, clears the bit and learns in the same step whether it was
 * set. So no wake-up is lost, a signal that nobody waits for makes no system call, and the memory is
 * not touched after the count is up. The wake itself names only an address; where the memory is gone
 * by then, the kernel finds nobody (or, for another word at that address, wakes someone early,
 * which every wait allows for).
 *
 * Spinning is short, about a microsecond: the sections under latches are, and on a machine with few
 * cores a longer spin takes the time from the thread it waits for.
 */
#include "kernel/base/sync.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/base/check.h"

enum { FREE = 0, HELD = 1, HELD_WITH_WAITERS = 2 };
static const uint32_t EVENT_SLEEPERS = 1, EVENT_STEP = 2;
enum { SPIN_COUNT = 40, NS_PER_SECOND = 1000000000 };

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("isb" ::: "memory")
#else
#define PAUSE() __asm__ volatile("" ::: "memory")
#endif

/* Leaves errno as it was: callers hold latches between a system call and the look at its error. */
static int
futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    int saved_errno = errno;
    long result = syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
    int error = result < 0 ? errno : 0;

    errno = saved_errno;
    return error;
}

static bool
futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
    int error = futex(word, FUTEX_WAIT_PRIVATE, seen, timeout);

    CHECK(error == 0 || error == EAGAIN || error == EINTR || error == ETIMEDOUT);
    return error != ETIMEDOUT;
}

static void
futex_wake(_Atomic uint32_t *word, int count)
{
    int error = futex(word, FUTEX_WAKE_PRIVATE, (uint32_t)count, NULL);

    CHECK(error == 0 || error == EFAULT); /* EFAULT: whoever took the word has freed it since. */
}

static bool
latch_spin(struct latch *latch)
{
    for (int i = 0; i < SPIN_COUNT; i++) {
        uint32_t state = atomic_load_explicit(&latch->state, memory_order_relaxed);

        if (state == FREE && latch_try_lock(latch))
            return true;
        if (state == HELD_WITH_WAITERS)
            return false; /* Others sleep already: the wait will be long. */
        sync_pause();
    }
    return false;
}

void
latch_lock(struct latch *latch)
{
    if (latch_try_lock(latch) || latch_spin(latch))
        return;
    while (atomic_exchange_explicit(&latch->state, HELD_WITH_WAITERS, memory_order_acquire) != FREE)
        futex_wait(&latch->state, HELD_WITH_WAITERS, NULL);
}

bool
latch_try_lock(struct latch *latch)
{
    uint32_t expected = FREE;

    return atomic_compare_exchange_strong_explicit(&latch->state, &expected, HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

void
latch_unlock(struct latch *latch)
{
    uint32_t before = atomic_exchange_explicit(&latch->state, FREE, memory_order_release);

    CHECK(before != FREE);
    if (before == HELD_WITH_WAITERS)
        futex_wake(&latch->state, 1);
}

bool
latch_is_held(struct latch *latch)
{
    return atomic_load_explicit(&latch->state, memory_order_relaxed) != FREE;
}

uint32_t
event_count(struct event *event)
{
    return atomic_load_explicit(&event->state, memory_order_acquire) & ~EVENT_SLEEPERS;
}

static bool
event_spin(struct event *event, uint32_t seen)
{
    for (int i = 0; i < SPIN_COUNT; i++) {
        if (event_count(event) != seen)
            return true;
        sync_pause();
    }
    return false;
}

/* False when the time passed with the count unchanged. */
static bool
event_sleep(struct event *event, uint32_t seen, const struct timespec *timeout)
{
    uint32_t state = seen;

    /* After a failed exchange `state` is what is there: the bit set by another, or a new count. */
    if (!atomic_compare_exchange_strong_explicit(&event->state, &state, seen | EVENT_SLEEPERS,
                                                 memory_order_acquire, memory_order_acquire) &&
        state != (seen | EVENT_SLEEPERS))
        return true;
    bool in_time = futex_wait(&event->state, seen | EVENT_SLEEPERS, timeout);
    return in_time || event_count(event) != seen;
}

void
event_wait(struct event *event, uint32_t seen)
{
    CHECK((seen & EVENT_SLEEPERS) == 0);
    if (!event_spin(event, seen))
        event_sleep(event, seen, NULL);
}

bool
event_wait_for(struct event *event, uint32_t seen, uint64_t timeout_ns)
{
    struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / NS_PER_SECOND),
        .tv_nsec = (long)(timeout_ns % NS_PER_SECOND),
    };

    CHECK((seen & EVENT_SLEEPERS) == 0);
    return event_spin(event, seen) || event_sleep(event, seen, &timeout);
}

void
event_signal(struct event *event)
{
    uint32_t state = atomic_load_explicit(&event->state, memory_order_relaxed);
    uint32_t next;

    do {
        next = (state & ~EVENT_SLEEPERS) + EVENT_STEP;
    } while (!atomic_compare_exchange_weak_explicit(&event->state, &state, next,
                                                    memory_order_release, memory_order_relaxed));
    if ((state & EVENT_SLEEPERS) != 0)
        futex_wake(&event->state, INT_MAX);
}

void
sync_pause(void)
{
    PAUSE();
}

void
sync_futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    futex_wait(word, seen, NULL);
}

void
sync_futex_wake_all(_Atomic uint32_t *word)
{
    futex_wake(word, INT_MAX);
}
