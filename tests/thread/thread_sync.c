/*
 * Goal: under the thread sanitizer: latches order what they guard, events lose no wake-up, and
 * neither is touched after the moment another thread may free it.
 * Method: plain counters under one latch; a ping-pong of plain messages over two events; latches and
 * events in memory that the woken thread frees.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/base/check.h"
#include "kernel/base/sync.h"

enum { THREADS = 4, ROUNDS = 20000 };

/* covers: F19, F20 */
static struct latch latch;
static uint64_t guarded; /* By latch. */

static void *
count_under_latch(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 != 0 || !latch_try_lock(&latch))
            latch_lock(&latch);
        CHECK(latch_is_held(&latch));
        guarded++;
        latch_unlock(&latch);
    }
    return NULL;
}

static void
run_threads(void *(*body)(void *), void *arguments[], int count)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, body, arguments[i]) == 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

struct mailbox {
    struct event filled;
    _Atomic uint32_t number; /* Of the message; what it says is plain memory. */
    uint64_t says;
};

static struct mailbox boxes[2];

static void
send(struct mailbox *box, uint32_t number)
{
    box->says = (uint64_t)number * 3;
    /* Relaxed: the event alone carries the order. */
    atomic_store_explicit(&box->number, number, memory_order_relaxed);
    event_signal(&box->filled);
}

static void
receive(struct mailbox *box, uint32_t number)
{
    for (;;) {
        uint32_t seen = event_count(&box->filled);

        if (atomic_load_explicit(&box->number, memory_order_relaxed) == number &&
            seen == number * 2)
            break;
        if (number % 2 == 0)
            event_wait(&box->filled, seen);
        else
            event_wait_for(&box->filled, seen, 1000000000);
    }
    CHECK(box->says == (uint64_t)number * 3);
}

static void *
play_ping_pong(void *argument)
{
    struct mailbox *mine = argument;
    struct mailbox *other = mine == &boxes[0] ? &boxes[1] : &boxes[0];

    for (uint32_t number = 1; number <= ROUNDS; number++) {
        if (mine == &boxes[0]) {
            send(other, number);
            receive(mine, number);
        } else {
            receive(mine, number);
            send(other, number);
        }
    }
    return NULL;
}

/* A reply that is freed by the one who waits for it, as on a stack frame that ends. */
struct reply {
    struct event done;
    uint64_t value;
};

static struct event posted;
static struct reply *_Atomic waiting;

static void *
ask(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct reply *reply = calloc(1, sizeof(*reply));

        CHECK(reply != NULL);
        atomic_store_explicit(&waiting, reply, memory_order_release);
        event_signal(&posted);
        while (event_count(&reply->done) == 0)
            event_wait(&reply->done, 0);
        CHECK(reply->value == i);
        free(reply);
    }
    return NULL;
}

static void *
answer(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct reply *reply;

        for (;;) {
            uint32_t seen = event_count(&posted);

            reply = atomic_exchange(&waiting, NULL);
            if (reply != NULL)
                break;
            event_wait(&posted, seen);
        }
        reply->value = i;
        event_signal(&reply->done);
    }
    return NULL;
}

static void *
ask_or_answer(void *role)
{
    return role == NULL ? ask(NULL) : answer(NULL);
}

/* Whoever takes the latch last frees it, while the other may still be inside its unlock. */
struct doomed {
    struct latch latch;
    int holders; /* By latch. */
};

static void
release(struct doomed *doomed)
{
    latch_lock(&doomed->latch);
    int left = --doomed->holders;
    latch_unlock(&doomed->latch);
    if (left == 0)
        free(doomed);
}

static void *
release_all(void *argument)
{
    struct doomed **all = argument;

    for (int i = 0; i < ROUNDS; i++)
        release(all[i]);
    return NULL;
}

static void
free_latches_while_others_unlock(void)
{
    static struct doomed *all[ROUNDS];
    void *arguments[2] = {all, all};

    for (int i = 0; i < ROUNDS; i++) {
        all[i] = calloc(1, sizeof(*all[i]));
        CHECK(all[i] != NULL);
        all[i]->holders = 2;
    }
    run_threads(release_all, arguments, 2);
}

int
main(void)
{
    void *none[THREADS] = {0};
    void *players[2] = {&boxes[0], &boxes[1]};
    void *roles[2] = {NULL, &posted};

    run_threads(count_under_latch, none, THREADS);
    CHECK(guarded == (uint64_t)THREADS * ROUNDS);
    run_threads(play_ping_pong, players, 2);
    run_threads(ask_or_answer, roles, 2);
    free_latches_while_others_unlock();
    printf("4 passed, 0 failed\n");
    return 0;
}
