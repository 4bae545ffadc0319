/*
 * Goal: latches exclude, events wake, time limits end. Order between threads is tests/thread's
 * matter (thread_sync.c, under the thread sanitizer).
 * Method: single calls, a second thread where someone has to wait, misuse in a child.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernel/base/sync.h"
#include "tests/unit/base/aborts.h"

Test(sync, a_latch_is_free_held_and_free)
{
    struct latch latch = {0};

    cr_assert_not(latch_is_held(&latch));
    latch_lock(&latch);
    cr_assert(latch_is_held(&latch));
    cr_assert_not(latch_try_lock(&latch));
    latch_unlock(&latch);
    cr_assert_not(latch_is_held(&latch));
    cr_assert(latch_try_lock(&latch));
    latch_unlock(&latch);
}

static void
unlock(void *latch)
{
    latch_unlock(latch);
}

Test(sync, unlock_of_a_free_latch_is_misuse)
{
    struct latch latch = {0};

    cr_assert(aborts(unlock, &latch));
}

struct shared {
    struct latch latch;
    struct event event;
    _Atomic int step;
};

static void *
take_latch(void *argument)
{
    struct shared *shared = argument;

    latch_lock(&shared->latch);
    atomic_store(&shared->step, 1);
    latch_unlock(&shared->latch);
    return NULL;
}

static void
pause_ms(long count)
{
    struct timespec pause = {.tv_sec = count / 1000, .tv_nsec = count % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* covers: F19 */
Test(sync, a_held_latch_lets_nobody_in_and_then_the_sleeper)
{
    struct shared shared = {0};
    pthread_t thread;

    latch_lock(&shared.latch);
    cr_assert_eq(pthread_create(&thread, NULL, take_latch, &shared), 0);
    while (atomic_load(&shared.latch.state) != 2) /* Until it sleeps. */
        pause_ms(1);
    cr_assert_eq(atomic_load(&shared.step), 0);
    latch_unlock(&shared.latch);
    pthread_join(thread, NULL);
    cr_assert_eq(atomic_load(&shared.step), 1);
    cr_assert_not(latch_is_held(&shared.latch));
}

Test(sync, signals_count)
{
    struct event event = {0};
    uint32_t before = event_count(&event);

    event_signal(&event);
    cr_assert_neq(event_count(&event), before);
    event_wait(&event, before); /* Returns at once. */
    cr_assert(event_wait_for(&event, before, 0));
}

Test(sync, counts_wrap)
{
    struct event event = {.state = UINT32_MAX - 1};
    uint32_t before = event_count(&event);

    event_signal(&event);
    cr_assert_eq(event_count(&event), 0);
    event_wait(&event, before);
}

Test(sync, a_wait_ends_when_its_time_is_over)
{
    struct event event = {0};
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    errno = 77;
    cr_assert_not(event_wait_for(&event, event_count(&event), 20000000));
    cr_assert_eq(errno, 77);
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_assert_geq((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec, 20000000);
    cr_assert_eq(event_count(&event), 0);
}

static void *
wait_for_event(void *argument)
{
    struct shared *shared = argument;

    while (atomic_load(&shared->step) == 0)
        event_wait(&shared->event, 0);
    return NULL;
}

/* covers: F20 */
Test(sync, a_signal_wakes_all_who_sleep)
{
    struct shared shared = {0};
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, wait_for_event, &shared), 0);
    while ((atomic_load(&shared.event.state) & 1) == 0)
        pause_ms(1);
    pause_ms(20);
    atomic_store(&shared.step, 1);
    event_signal(&shared.event);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(atomic_load(&shared.event.state), 2);
}

static void *
wait_with_limit(void *argument)
{
    struct shared *shared = argument;

    atomic_store(&shared->step, event_wait_for(&shared->event, 0, 60000000000) ? 1 : 2);
    return NULL;
}

Test(sync, a_signal_ends_a_wait_with_a_limit)
{
    struct shared shared = {0};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, wait_with_limit, &shared), 0);
    while ((atomic_load(&shared.event.state) & 1) == 0)
        pause_ms(1);
    event_signal(&shared.event);
    pthread_join(thread, NULL);
    cr_assert_eq(atomic_load(&shared.step), 1);
}

Test(sync, a_second_sleeper_sleeps_too)
{
    struct event event = {.state = 1}; /* Someone sleeps already. */

    cr_assert_not(event_wait_for(&event, 0, 20000000));
}

Test(sync, an_early_wake_is_not_taken_for_the_end_of_time)
{
    struct shared shared = {0};
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, wait_with_limit, &shared), 0);
    while (atomic_load(&shared.step) == 0) {
        pause_ms(1);
        sync_futex_wake_all(&shared.event.state);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(atomic_load(&shared.step), 1);
}

static void *
wait_for_word(void *word)
{
    while (atomic_load((_Atomic uint32_t *)word) == 5)
        sync_futex_wait(word, 5);
    return NULL;
}

Test(sync, any_word_can_be_waited_on)
{
    _Atomic uint32_t word = 5;
    pthread_t thread;

    sync_futex_wait(&word, 4); /* Another value: returns at once. */
    cr_assert_eq(pthread_create(&thread, NULL, wait_for_word, &word), 0);
    pause_ms(20);
    atomic_store(&word, 6);
    sync_futex_wake_all(&word);
    pthread_join(thread, NULL);
}

/* Between an unlock and its wake another thread may take the latch and free its memory. */
Test(sync, a_wake_of_memory_that_is_gone_is_harmless)
{
    _Atomic uint32_t *word =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_eq(munmap((void *)word, 4096), 0);
    sync_futex_wake_all(word);
}
